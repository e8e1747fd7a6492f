/*-------------------------------------------------------------------------
 *
 * kafka_write.c
 *	  Messages to a topic: all acknowledged before the statement ends, and, unless
 *	  the link says otherwise, one transaction of Kafka's a statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "provider/kafka/kafka.h"

/* How long a commit is waited for to show, at most (ms); see wait_until_readable(). */
#define READABLE_TIMEOUT 2000

/* How often a slow query looks for reports, and sends what waits to be a batch (ms). */
#define LOOK_INTERVAL 100

/*
 * Messages that are given to librdkafka at once, which takes locks and looks at
 * the clock for each call: so many, or as many as fit into so many bytes.
 */
#define BATCH 256
#define BATCH_SIZE (128 * 1024)

typedef struct LinkKafkaWriter
{
	LinkWriter	base;
	LinkKafkaClient *client;
	rd_kafka_topic_t *topic;
	bool		transactional;
	int			slot;
	bool		begun;			/* a transaction is open */
	int64		unacknowledged;
	int			timeout;		/* link_kafka_timeout() */
	int64		progress;		/* link_coarse_ms() of the last report, or when nothing was missing */
	int64		looked;			/* of the last look for reports */
	rd_kafka_resp_err_t failed; /* first message that was refused */
	int64	   *ends;			/* by partition: offset behind our last message, 0 if none */
	int			n_ends;
	int32	   *partitions;		/* that have a leader; for messages without a key */
	int			n_partitions;	/* 0: the partitioner of the link has the choice */
	rd_kafka_message_t batch[BATCH];	/* not given to librdkafka yet */
	int			n_batch;
	bool		keyed;			/* one of them has a key */
	char	   *bytes;			/* their keys and payloads */
	Size		used;
	MemoryContextCallback callback;
} LinkKafkaWriter;

static char *
action(const LinkKafkaWriter *writer)
{
	return psprintf("could not write to topic \"%s\"", writer->base.path);
}

static void
note_partitions(LinkKafkaWriter *writer, const rd_kafka_metadata_topic_t *topic)
{
	writer->partitions = palloc(Max(topic->partition_cnt, 1) * sizeof(int32));
	for (int i = 0; i < topic->partition_cnt; i++)
		if (topic->partitions[i].leader >= 0)
			writer->partitions[writer->n_partitions++] = topic->partitions[i].id;
}

static void
check_topic(LinkKafkaWriter *writer)
{
	LinkKafkaSession *session = (LinkKafkaSession *) writer->base.session;
	const struct rd_kafka_metadata *metadata = link_kafka_metadata(session, writer->client, writer->base.path,
																   action(writer));
	rd_kafka_resp_err_t code = metadata->topic_cnt == 1 ? metadata->topics[0].err :
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && link_option_string(session->base.options, "partitioner", NULL) == NULL)
		note_partitions(writer, &metadata->topics[0]);
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
	char	   *id;

	writer->base.context = context;
	writer->base.session = session;
	writer->base.path = pstrdup(path);
	writer->base.overwrite = overwrite;
	writer->timeout = link_kafka_timeout(kafka);
	writer->bytes = palloc(BATCH_SIZE);
	writer->transactional = link_option_boolean(session->options, "transactional", true);
	id = writer->transactional ? link_kafka_take_slot(kafka, &writer->slot) : NULL;
	writer->client = link_kafka_open(kafka, true, id);
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
		link_kafka_begin(kafka, writer->client, action(writer));
		writer->begun = true;

		/* the brokers do not know of it before the first message */
		link_upload_begin(&writer->base, kafka->brokers ? psprintf("%s/%s", kafka->brokers, id) : id);
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

/*
 * What has come, from time to time: reports come in batches.  A broker that has
 * gone silent is noticed here too, as a slow query may never fill the queue.
 */
static void
look_for_reports(LinkKafkaWriter *writer, int64 now)
{
	LinkKafkaSession *session = (LinkKafkaSession *) writer->base.session;
	int64		before = writer->unacknowledged;

	writer->looked = now;
	while (poll_reports(writer, false, 0))
		;
	if (writer->unacknowledged < before)
		writer->progress = now;
	else if (now - writer->progress > writer->timeout)
		link_kafka_raise(session, action(writer), RD_KAFKA_RESP_ERR__TIMED_OUT, NULL);
}

/* Give messages to librdkafka, which copies them; waits while it has no room. */
static void
produce(LinkKafkaWriter *writer, rd_kafka_message_t *messages, int n, int32 partition)
{
	LinkKafkaSession *session = (LinkKafkaSession *) writer->base.session;
	TimestampTz deadline = 0;
	int64		now = link_coarse_ms();

	if (writer->unacknowledged == 0)
		writer->progress = now;
	for (;;)
	{
		int			taken = rd_kafka_produce_batch(writer->topic, partition, RD_KAFKA_MSG_F_COPY, messages, n);

		/* what it has not taken for want of room is at the end */
		writer->unacknowledged += taken;
		for (int i = 0; i < n; i++)
			if (messages[i].err != RD_KAFKA_RESP_ERR_NO_ERROR && messages[i].err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
				link_kafka_raise(session, action(writer), messages[i].err, NULL);
		messages += taken;
		n -= taken;
		if (n == 0)
			break;
		if (deadline == 0)
			deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), writer->timeout);
		if (!poll_reports(writer, true, deadline))
			link_kafka_raise(session, action(writer), RD_KAFKA_RESP_ERR__TIMED_OUT, NULL);
	}
	look_for_reports(writer, now);
}

/*
 * Messages without a key may go anywhere.  As one batch to one partition, drawn
 * anew each time, they make an export a fifth faster than librdkafka choosing for
 * each (test/bench/kafka.sh).
 */
static int32
choose_partition(const LinkKafkaWriter *writer)
{
	if (writer->keyed || writer->n_partitions == 0)
		return RD_KAFKA_PARTITION_UA;
	return writer->partitions[pg_prng_uint64_range(&pg_global_prng_state, 0, writer->n_partitions - 1)];
}

static void
flush_batch(LinkKafkaWriter *writer)
{
	int			n = writer->n_batch;
	int32		partition = choose_partition(writer);

	writer->n_batch = 0;
	writer->used = 0;
	writer->keyed = false;
	if (n > 0)
		produce(writer, writer->batch, n, partition);
}

/* NULL stays NULL: no key is another thing than an empty one. */
static void *
keep(LinkKafkaWriter *writer, const void *data, Size size)
{
	char	   *kept = writer->bytes + writer->used;

	if (data == NULL)
		return NULL;
	memcpy(kept, data, size);
	writer->used += size;
	return kept;
}

void
link_kafka_write_message(LinkWriter *base, const char *key, Size key_size, const void *data, Size size)
{
	LinkKafkaWriter *writer = (LinkKafkaWriter *) base;
	rd_kafka_message_t message = {.payload = unconstify(void *, data),.len = size,
	.key = unconstify(char *, key),.key_len = key_size};

	if (writer->n_batch == BATCH || writer->used + key_size + size > BATCH_SIZE)
		flush_batch(writer);
	if (key_size + size > BATCH_SIZE)
	{
		produce(writer, &message, 1, RD_KAFKA_PARTITION_UA);
		return;
	}
	writer->keyed = writer->keyed || key != NULL;
	message.payload = keep(writer, data, size);
	message.key = keep(writer, key, key_size);
	writer->batch[writer->n_batch++] = message;
	if (link_coarse_ms() - writer->looked >= LOOK_INTERVAL)
		flush_batch(writer);
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
	TimestampTz deadline;

	flush_batch(writer);
	deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_kafka_timeout(session));
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
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(writer->n_ends);
	bool		readable = true;

	for (int i = 0; i < writer->n_ends; i++)
		if (writer->ends[i] > 0)
		{
			(void) rd_kafka_topic_partition_list_add(list, writer->base.path, i);
			readable = false;
		}
	while (!readable && !QueryCancelPending && !ProcDiePending && GetCurrentTimestamp() < deadline)
	{
		/* the last stable offsets: the isolation level is read_committed */
		for (int i = 0; i < list->cnt; i++)
			list->elems[i].offset = RD_KAFKA_OFFSET_END;
		readable = rd_kafka_offsets_for_times(writer->client->rk, list, LINK_KAFKA_SLICE) == RD_KAFKA_RESP_ERR_NO_ERROR;
		for (int i = 0; i < list->cnt; i++)
			readable = readable && list->elems[i].offset >= writer->ends[list->elems[i].partition];
		if (!readable)
			pg_usleep(2000);
	}
	rd_kafka_topic_partition_list_destroy(list);
}

char *
link_kafka_publish(LinkSession *session, const char *path, bool overwrite, const char *token, Size token_size)
{
	LinkKafkaSession *kafka = (LinkKafkaSession *) session;
	LinkKafkaWriter *writer = kafka->writer;

	if (writer->begun)
	{
		link_kafka_commit(kafka, writer->client, action(writer));
		writer->begun = false;
		wait_until_readable(writer);
	}
	release_topic(writer);
	link_kafka_close(writer->client);
	if (writer->transactional)
		link_kafka_give_back_slot(kafka, writer->slot);
	return NULL;
}

bool
link_kafka_abort(LinkWriter *base)
{
	LinkKafkaWriter *writer = (LinkKafkaWriter *) base;
	bool		over = !writer->begun || link_kafka_rollback(writer->client);

	writer->begun = false;
	release_topic(writer);
	link_kafka_close(writer->client);
	return over;
}

bool
link_kafka_discard(LinkSession *session, const char *path, const char *token, Size token_size)
{
	return link_kafka_abort(&((LinkKafkaSession *) session)->writer->base);
}
