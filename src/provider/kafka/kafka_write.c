/*-------------------------------------------------------------------------
 *
 * kafka_write.c
 *	  Messages to a topic: all acknowledged before the statement ends, and, unless
 *	  the link says otherwise, one transaction of Kafka's a statement.
 *
 * A transactional id is taken by one producer at a time: whoever takes it next
 * ends what a dead one left open, at once, and two live ones would end each
 * other's.  So ids have slots, and a slot is an advisory lock (INTERNALS A8).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "catalog/tables.h"
#include "errors.h"
#include "provider/kafka/kafka.h"

/* Statements that write through one link at the same time. */
#define MAX_SLOTS 64

/* Of our lock tags: objects of link.link are locked by DDL (tables.c); these never are. */
#define SLOT_SUBID 0x7FFE

/* How long a commit is waited for to show, at most (ms); see wait_until_readable(). */
#define READABLE_TIMEOUT 2000

typedef struct LinkKafkaWriter
{
	LinkWriter	base;
	LinkKafkaClient *client;
	rd_kafka_topic_t *topic;
	bool		transactional;
	bool		begun;			/* a transaction is open */
	int64		unacknowledged;
	rd_kafka_resp_err_t failed; /* first message that was refused */
	int64	   *ends;			/* by partition: offset behind our last message, 0 if none */
	int			n_ends;
	MemoryContextCallback callback;
} LinkKafkaWriter;

static char *
action(const LinkKafkaWriter *writer)
{
	return psprintf("could not write to topic \"%s\"", writer->base.path);
}

/*
 * The first slot that no live producer has, held until the transaction ends.
 */
static char *
take_transactional_id(const LinkSession *session)
{
	for (int slot = 0; slot < MAX_SLOTS; slot++)
	{
		LOCKTAG		tag;

		SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) session->link_id, (uint32) slot, SLOT_SUBID);
		if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_OK)
			return psprintf("link-" UINT64_FORMAT "-%u-" INT64_FORMAT "-%d", GetSystemIdentifier(),
							MyDatabaseId, session->link_id, slot);
	}
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("more than %d statements write through link %s", MAX_SLOTS, session->link_name)));
	return NULL;				/* keep compiler quiet */
}

/*
 * Calls on transactions are resumable: each is given a short time, again and
 * again, so that a cancel is seen.  An error that is to be retried is.
 */
typedef rd_kafka_error_t *(*TransactionCall) (rd_kafka_t *rk, int timeout_ms);

static void
transaction_call(LinkKafkaWriter *writer, TransactionCall call)
{
	LinkKafkaSession *session = (LinkKafkaSession *) writer->base.session;
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_kafka_timeout(session));

	for (;;)
	{
		rd_kafka_error_t *error = call(writer->client->rk, LINK_KAFKA_SLICE);
		rd_kafka_event_t *event;

		while ((event = link_kafka_event_now(writer->client)) != NULL)
			rd_kafka_event_destroy(event);
		if (error == NULL)
			return;
		if (!rd_kafka_error_is_retriable(error) || GetCurrentTimestamp() >= deadline)
			link_kafka_raise_error(session, action(writer), error);
		rd_kafka_error_destroy(error);
		CHECK_FOR_INTERRUPTS();
		if (link_kafka_login_refused(session))
			link_kafka_raise(session, action(writer), RD_KAFKA_RESP_ERR__AUTHENTICATION, NULL);
	}
}

static void
check_topic(LinkKafkaWriter *writer)
{
	LinkKafkaSession *session = (LinkKafkaSession *) writer->base.session;
	const struct rd_kafka_metadata *metadata = link_kafka_metadata(session, writer->client, writer->base.path,
																   action(writer));
	rd_kafka_resp_err_t code = metadata->topic_cnt == 1 ? metadata->topics[0].err :
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;

	rd_kafka_metadata_destroy(metadata);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
		link_kafka_raise(session, action(writer), code, NULL);
}

/* MemoryContextCallback: before the client, which it was made of */
static void
release_topic(void *arg)
{
	LinkKafkaWriter *writer = arg;

	if (writer->topic && writer->client->rk)
		rd_kafka_topic_destroy(writer->topic);
	writer->topic = NULL;
}

LinkWriter *
link_kafka_open_writer(LinkSession *session, const char *path, bool overwrite)
{
	LinkKafkaSession *kafka = (LinkKafkaSession *) session;
	MemoryContext context = AllocSetContextCreate(session->context, "link Kafka writer", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkKafkaWriter *writer = palloc0(sizeof(LinkKafkaWriter));

	writer->base.context = context;
	writer->base.session = session;
	writer->base.path = pstrdup(path);
	writer->base.overwrite = overwrite;
	writer->transactional = link_option_boolean(session->options, "transactional", true);
	writer->client = link_kafka_open(kafka, true, writer->transactional ? take_transactional_id(session) : NULL);
	check_topic(writer);
	writer->callback.func = release_topic;
	writer->callback.arg = writer;
	MemoryContextRegisterResetCallback(context, &writer->callback);
	writer->topic = rd_kafka_topic_new(writer->client->rk, path, NULL);
	if (writer->topic == NULL)
		link_kafka_raise(kafka, action(writer), rd_kafka_last_error(), NULL);
	kafka->writer = writer;
	if (writer->transactional)
	{
		rd_kafka_error_t *error;

		transaction_call(writer, rd_kafka_init_transactions);
		if ((error = rd_kafka_begin_transaction(writer->client->rk)) != NULL)
			link_kafka_raise_error(kafka, action(writer), error);
		writer->begun = true;
	}
	MemoryContextSwitchTo(caller);
	return &writer->base;
}

/* Where a message came to be. */
static void
note_offset(LinkKafkaWriter *writer, int32 partition, int64 offset)
{
	if (partition < 0 || offset < 0)
		return;
	if (partition >= writer->n_ends)
	{
		int			n = Max(16, partition + 1);
		int64	   *ends = MemoryContextAllocZero(writer->base.context, n * sizeof(int64));

		if (writer->ends)
		{
			memcpy(ends, writer->ends, writer->n_ends * sizeof(int64));
			pfree(writer->ends);
		}
		writer->ends = ends;
		writer->n_ends = n;
	}
	writer->ends[partition] = Max(writer->ends[partition], offset + 1);
}

/* Count what was acknowledged. */
static void
take_reports(LinkKafkaWriter *writer, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *message;

	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
		while ((message = rd_kafka_event_message_next(event)) != NULL)
		{
			writer->unacknowledged--;
			if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
				note_offset(writer, message->partition, message->offset);
			if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && writer->failed == RD_KAFKA_RESP_ERR_NO_ERROR)
				writer->failed = message->err;
		}
	else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR && writer->failed == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		char		text[512];

		writer->failed = rd_kafka_fatal_error(writer->client->rk, text, sizeof(text));
	}
	rd_kafka_event_destroy(event);
}

static void
check_failed(LinkKafkaWriter *writer)
{
	if (writer->failed != RD_KAFKA_RESP_ERR_NO_ERROR)
		link_kafka_raise((LinkKafkaSession *) writer->base.session, action(writer), writer->failed, NULL);
}

/* Take what has come, and wait for more, until 'deadline' at most, if asked to. */
static bool
poll_reports(LinkKafkaWriter *writer, bool wait, TimestampTz deadline)
{
	rd_kafka_event_t *event = wait ? link_kafka_event(writer->client, deadline) : link_kafka_event_now(writer->client);

	if (event == NULL)
		return false;
	take_reports(writer, event);
	check_failed(writer);
	return true;
}

void
link_kafka_write_message(LinkWriter *base, const char *key, Size key_size, const void *data, Size size)
{
	LinkKafkaWriter *writer = (LinkKafkaWriter *) base;
	LinkKafkaSession *session = (LinkKafkaSession *) base->session;
	TimestampTz deadline = 0;

	while (rd_kafka_produce(writer->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
							unconstify(void *, data), size, key, key_size, NULL) != 0)
	{
		rd_kafka_resp_err_t code = rd_kafka_last_error();

		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			link_kafka_raise(session, action(writer), code, NULL);
		if (deadline == 0)
			deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_kafka_timeout(session));
		if (!poll_reports(writer, true, deadline))
			link_kafka_raise(session, action(writer), RD_KAFKA_RESP_ERR__TIMED_OUT, NULL);
	}
	/* reports come in batches; a look now and then keeps them few */
	if ((++writer->unacknowledged & 0xFFF) == 0)
		while (poll_reports(writer, false, 0))
			;
}

void
link_kafka_write(LinkWriter *base, const void *data, Size size)
{
	link_kafka_write_message(base, NULL, 0, data, size);
}

/* Every message is acknowledged. */
void
link_kafka_prepare(LinkWriter *base, StringInfo token)
{
	LinkKafkaWriter *writer = (LinkKafkaWriter *) base;
	LinkKafkaSession *session = (LinkKafkaSession *) base->session;
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_kafka_timeout(session));

	while (writer->unacknowledged > 0)
	{
		int64		before = writer->unacknowledged;

		if (!poll_reports(writer, true, deadline))
			link_kafka_raise(session, action(writer), RD_KAFKA_RESP_ERR__TIMED_OUT, NULL);
		if (writer->unacknowledged < before)
			deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_kafka_timeout(session));
	}
}

/*
 * A commit is acknowledged before its markers are in the partitions, and until
 * they are, those who read only what is committed do not see our messages: the
 * next statement would find fewer rows than this one wrote.  So they are waited
 * for.  Transactions of others hold them up too, therefore not for long; nothing
 * here fails, because the messages are published.
 */
static void
wait_until_readable(LinkKafkaWriter *writer)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), READABLE_TIMEOUT);

	for (int i = 0; i < writer->n_ends; i++)
	{
		int64_t		low;
		int64_t		end;		/* the last stable offset: the isolation level is read_committed */

		while (writer->ends[i] > 0 && !QueryCancelPending && !ProcDiePending && GetCurrentTimestamp() < deadline)
		{
			if (rd_kafka_query_watermark_offsets(writer->client->rk, writer->base.path, i, &low, &end,
												 LINK_KAFKA_SLICE) == RD_KAFKA_RESP_ERR_NO_ERROR &&
				end >= writer->ends[i])
				break;
			pg_usleep(2000);
		}
	}
}

void
link_kafka_publish(LinkSession *session, const char *path, bool overwrite, const char *token, Size token_size)
{
	LinkKafkaWriter *writer = ((LinkKafkaSession *) session)->writer;

	if (writer->begun)
	{
		transaction_call(writer, rd_kafka_commit_transaction);
		writer->begun = false;
		wait_until_readable(writer);
	}
	link_kafka_close(writer->client);
}

/* One bounded attempt; what it does not reach the next producer of the slot ends. */
static void
end_transaction(LinkKafkaWriter *writer)
{
	if (writer->client->rk == NULL)
		return;
	if (writer->begun)
	{
		TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LINK_ABORT_TIMEOUT);
		rd_kafka_error_t *error;

		/* it ends when the reports of what was purged have been taken */
		(void) rd_kafka_purge(writer->client->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
							  RD_KAFKA_PURGE_F_NON_BLOCKING);
		do
		{
			rd_kafka_event_t *event;

			while ((event = link_kafka_event_now(writer->client)) != NULL)
				rd_kafka_event_destroy(event);
			error = rd_kafka_abort_transaction(writer->client->rk, LINK_KAFKA_SLICE / 4);
			if (error == NULL)
				break;
			if (!rd_kafka_error_is_retriable(error))
				deadline = 0;
			rd_kafka_error_destroy(error);
		} while (GetCurrentTimestamp() < deadline);
	}
	writer->begun = false;
	release_topic(writer);
	link_kafka_close(writer->client);
}

bool
link_kafka_abort(LinkWriter *base)
{
	end_transaction((LinkKafkaWriter *) base);
	return true;
}

bool
link_kafka_discard(LinkSession *session, const char *path, const char *token, Size token_size)
{
	end_transaction(((LinkKafkaSession *) session)->writer);
	return true;
}
