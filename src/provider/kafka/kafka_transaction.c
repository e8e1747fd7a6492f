/*-------------------------------------------------------------------------
 *
 * kafka_transaction.c
 *	  Transactions of Kafka's: their ids, their ends, and those left open.
 *
 * A transactional id is taken by one producer at a time: whoever takes it next
 * ends what a dead one left open, at once, and two live ones would end each
 * other's.  So ids have slots, and a slot is an advisory lock (INTERNALS A8).
 *
 * Until a transaction that was left open is ended, those who read only what is
 * committed see nothing of its topics that came later, whoever wrote it.  So it
 * is on record (journal.h), and whoever reaps it takes its id.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "locks.h"
#include "provider/kafka/kafka.h"

/* Statements that write through one link at the same time. */
#define MAX_SLOTS 64

/*
 * ms for the end of a failed transaction: a cancel is over within a second.  What
 * is not reached is reaped.
 */
#define ROLLBACK_TIMEOUT 500

/*
 * Slots.
 */

static void
slot_tag(const LinkKafkaSession *session, int slot, LOCKTAG *tag)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) session->base.link_id, (uint32) slot, LINK_LOCK_TRANSACTION_SLOT);
}

static char *
transactional_id(const LinkKafkaSession *session, int slot)
{
	return psprintf("link-" UINT64_FORMAT "-%u-" INT64_FORMAT "-%d", GetSystemIdentifier(),
					MyDatabaseId, session->base.link_id, slot);
}

static bool
take_slot(const LinkKafkaSession *session, int slot)
{
	LOCKTAG		tag;

	slot_tag(session, slot, &tag);
	switch (LockAcquire(&tag, ExclusiveLock, false, true))
	{
		case LOCKACQUIRE_OK:
			return true;
		case LOCKACQUIRE_ALREADY_HELD:
			/* by another writer of this very statement */
			(void) LockRelease(&tag, ExclusiveLock, false);
			return false;
		default:
			return false;
	}
}

char *
link_kafka_take_slot(LinkKafkaSession *session, int *slot)
{
	for (*slot = 0; *slot < MAX_SLOTS; (*slot)++)
		if (take_slot(session, *slot))
			return transactional_id(session, *slot);
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("more than %d statements write through link %s", MAX_SLOTS, session->base.link_name)));
	return NULL;				/* keep compiler quiet */
}

void
link_kafka_give_back_slot(LinkKafkaSession *session, int slot)
{
	LOCKTAG		tag;

	slot_tag(session, slot, &tag);
	(void) LockRelease(&tag, ExclusiveLock, false);
}

/*
 * Beginning and end.
 */

/*
 * Calls on transactions are resumable: each is given a short time, again and
 * again, so that a cancel is seen.  An error that is to be retried is.
 */
typedef rd_kafka_error_t *(*TransactionCall) (rd_kafka_t *rk, int timeout_ms);

static void
transaction_call(LinkKafkaSession *session, LinkKafkaClient *client, const char *what, int timeout,
				 TransactionCall call)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout);

	for (;;)
	{
		rd_kafka_error_t *error = call(client->rk, LINK_KAFKA_SLICE);
		rd_kafka_event_t *event;

		while ((event = link_kafka_event_now(client)) != NULL)
			rd_kafka_event_destroy(event);
		if (error == NULL)
			return;
		if (!rd_kafka_error_is_retriable(error) || GetCurrentTimestamp() >= deadline)
			link_kafka_raise_error(session, what, error);
		rd_kafka_error_destroy(error);
		CHECK_FOR_INTERRUPTS();
		if (session->login_refused)
			link_kafka_raise(session, what, RD_KAFKA_RESP_ERR__AUTHENTICATION, NULL);
	}
}

void
link_kafka_begin(LinkKafkaSession *session, LinkKafkaClient *client, const char *what)
{
	rd_kafka_error_t *error;

	transaction_call(session, client, what, link_kafka_timeout(session), rd_kafka_init_transactions);
	if ((error = rd_kafka_begin_transaction(client->rk)) != NULL)
		link_kafka_raise_error(session, what, error);
}

void
link_kafka_commit(LinkKafkaSession *session, LinkKafkaClient *client, const char *what)
{
	transaction_call(session, client, what, link_kafka_timeout(session), rd_kafka_commit_transaction);
}

bool
link_kafka_rollback(LinkKafkaClient *client)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ROLLBACK_TIMEOUT);

	if (client->rk == NULL)
		return false;

	/* it ends when the reports of what was purged have been taken */
	(void) rd_kafka_purge(client->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
						  RD_KAFKA_PURGE_F_NON_BLOCKING);
	do
	{
		rd_kafka_event_t *event;
		rd_kafka_error_t *error;
		bool		retriable;

		while ((event = link_kafka_event_now(client)) != NULL)
			rd_kafka_event_destroy(event);
		error = rd_kafka_abort_transaction(client->rk, LINK_KAFKA_SLICE / 4);
		if (error == NULL)
			return true;
		retriable = rd_kafka_error_is_retriable(error);
		rd_kafka_error_destroy(error);
		if (!retriable)
			break;
	} while (GetCurrentTimestamp() < deadline);
	return false;
}

/*
 * What others left open.
 */

/* The slot of one of our ids, -1 if it is none. */
static int
slot_of(const LinkKafkaSession *session, const char *id)
{
	for (int slot = 0; slot < MAX_SLOTS; slot++)
		if (strcmp(id, transactional_id(session, slot)) == 0)
			return slot;
	return -1;
}

/* Throws what fails. */
static void
end_left_open(LinkKafkaSession *session, LinkReap *reap)
{
	const char *id = session->base.provider->ops->local_path(&session->base, reap->upload ? reap->upload : "");
	int			slot = slot_of(session, id);
	LinkKafkaClient *client;

	if (slot < 0)
		reap->detail = "it names no transaction of the link";
	else if (!take_slot(session, slot))
		reap->detail = "its id is in use";
	if (reap->detail)
		return;
	client = link_kafka_open(session, true, id);
	transaction_call(session, client, "could not end a transaction", reap->timeout, rd_kafka_init_transactions);
	link_kafka_close(client);
	link_kafka_give_back_slot(session, slot);
}

/* The upload is the id, behind the brokers if a path named some. */
LinkReapOutcome
link_kafka_reap(LinkSession *base, LinkReap *reap)
{
	LinkKafkaSession *session = (LinkKafkaSession *) base;
	char	   *brokers = session->brokers;

	session->brokers = NULL;
	PG_TRY();
	{
		end_left_open(session, reap);
	}
	PG_FINALLY();
	{
		session->brokers = brokers;
	}
	PG_END_TRY();
	return reap->detail ? LINK_REAP_FAILED : LINK_REAP_ABORTED;
}
