/*-------------------------------------------------------------------------
 *
 * kafka.h
 *	  Inside the Kafka provider.
 *
 * librdkafka has threads of its own.  They never run a line of ours but the
 * check of addresses before they connect; all that they have to say comes as
 * events, which are taken here, in the backend's thread (INTERNALS B9).  Waiting
 * is on the latch and a descriptor that librdkafka writes to when there are
 * events.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_KAFKA_H
#define LINK_KAFKA_H

#include "postgres.h"
#include "compat.h"

#include <librdkafka/rdkafka.h>

#include "lib/ilist.h"
#include "port/atomics.h"

#include "http/policy.h"
#include "provider/provider.h"

/*
 * librdkafka puts its texts into buffers of 512 bytes.  What does not fit it cuts,
 * also in the middle, and a secret that a broker repeats may be cut with it, so
 * that nobody would find it: longer texts are left out (SECURITY 20).
 */
#define LINK_KAFKA_MAX_TEXT 480

/* One client of librdkafka. */
typedef struct LinkKafkaClient
{
	MemoryContextCallback callback;
	dlist_node	node;			/* in the list of clients to close at exit */
	rd_kafka_t *rk;				/* NULL once closed */
	rd_kafka_queue_t *queue;	/* its events */
	rd_kafka_queue_t *messages; /* what a consumer fetched; NULL for producers */
	int			event_fd;		/* readable when there are some; -1 if none */
	bool		producer;
	struct LinkKafkaSession *session;

	/* for the threads of librdkafka: malloc'd, unchanged while it lives */
	char	   *allowed_hosts;
	bool		tls;

	/* by them: the first address that link.allowed_hosts did not allow */
	pg_atomic_uint32 refused;	/* LINK_KAFKA_REFUSED_* */
	LinkPolicyRefusal refusal;
} LinkKafkaClient;

#define LINK_KAFKA_REFUSED_NONE 0
#define LINK_KAFKA_REFUSED_WRITING 1
#define LINK_KAFKA_REFUSED 2	/* 'refusal' stays as it is */

typedef struct LinkKafkaSession
{
	LinkSession base;
	struct LinkKafkaWriter *writer; /* whose transaction publish() commits */
	char	   *brokers;		/* named in a path, or NULL: bootstrap.servers */

	/* the last word of librdkafka on the brokers, for errors that say no more than "timed out" */
	char		trouble[LINK_KAFKA_MAX_TEXT + 1];
	bool		login_refused;	/* 'trouble' says why */
	LinkPolicyRefusal refusal;	/* of a broker; empty if none */
} LinkKafkaSession;

/* ---- kafka_client.c ---- */

/*
 * A client in the current memory context.  'transactional_id' and 'isolation'
 * may be NULL.  Throws 22023 for what librdkafka does not take.
 */
extern LinkKafkaClient *link_kafka_open(LinkKafkaSession *session, bool producer,
										const char *transactional_id);

/* Twice does no harm. */
extern void link_kafka_close(LinkKafkaClient *client);

/* ms that one call may take in all */
extern int	link_kafka_timeout(const LinkKafkaSession *session);

/*
 * Wait for an event until 'deadline'; NULL when it has passed.  Interruptible.
 * Errors of the client as a whole are remembered and not given: see
 * link_kafka_raise().
 */
extern rd_kafka_event_t *link_kafka_event(LinkKafkaClient *client, TimestampTz deadline);

/* The same without waiting and interrupts. */
extern rd_kafka_event_t *link_kafka_event_now(LinkKafkaClient *client);

/*
 * What a consumer has fetched, at most 'n' messages, without waiting; to be
 * destroyed by the caller.  None: link_kafka_wait() for some, which is false once
 * 'deadline' has passed.  It is interruptible.
 */
extern int	link_kafka_messages(LinkKafkaClient *client, rd_kafka_message_t **messages, int n);
extern bool link_kafka_wait(LinkKafkaClient *client, TimestampTz deadline);

/*
 * rd_kafka_offsets_for_times(), which also tells the ends of partitions, for at
 * most operation.timeout.ms.  Never throws, so that 'list' can be destroyed; ends
 * early when there are interrupts to be processed.
 */
extern rd_kafka_resp_err_t link_kafka_offsets(LinkKafkaSession *session, LinkKafkaClient *client,
											  rd_kafka_topic_partition_list_t *list);

/* Throw: "could not <action> through link x: ...". */
LINK_NORETURN extern void link_kafka_raise(LinkKafkaSession *session, const char *what,
							 rd_kafka_resp_err_t code, const char *text);

/* Takes the error over. */
LINK_NORETURN extern void link_kafka_raise_error(LinkKafkaSession *session, const char *what,
								   rd_kafka_error_t *error);

/*
 * What the brokers know of a topic, or of all (NULL); to be destroyed by the
 * caller.  Interruptible every LINK_KAFKA_SLICE.
 */
extern const struct rd_kafka_metadata *link_kafka_metadata(LinkKafkaSession *session, LinkKafkaClient *client,
														   const char *topic, const char *what);

/* What librdkafka keeps ready for a reader at most: 100,000 small messages take 40 MB. */
#define LINK_KAFKA_QUEUED_MESSAGES 100000
#define LINK_KAFKA_QUEUED_KBYTES 16384

/* ms: calls of librdkafka that cannot be waited for otherwise are cut into pieces of this length. */
#define LINK_KAFKA_SLICE 200

/* ---- kafka_transaction.c ---- */

/*
 * The transactional id of the first slot that no live producer has.  The slot is
 * held until it is given back, or the transaction of the database ends.
 */
extern char *link_kafka_take_slot(LinkKafkaSession *session, int *slot);
extern void link_kafka_give_back_slot(LinkKafkaSession *session, int slot);

/* Whatever the id was used for before is over then.  'what' is for errors. */
extern void link_kafka_begin(LinkKafkaSession *session, LinkKafkaClient *client, const char *what);
extern void link_kafka_commit(LinkKafkaSession *session, LinkKafkaClient *client, const char *what);

/* Bounded, never throws; false if the brokers may still have it open. */
extern bool link_kafka_rollback(LinkKafkaClient *client);

extern LinkReapOutcome link_kafka_reap(LinkSession *session, LinkReap *reap);

/* ---- kafka_write.c ---- */

extern LinkWriter *link_kafka_open_writer(LinkSession *session, const char *path, bool overwrite);
extern void link_kafka_write(LinkWriter *writer, const void *data, Size size);
extern void link_kafka_write_message(LinkWriter *writer, const char *key, Size key_size,
									 const void *data, Size size);
extern void link_kafka_prepare(LinkWriter *writer, StringInfo token);
extern char *link_kafka_publish(LinkSession *session, const char *path, bool overwrite,
								const char *token, Size token_size);
extern bool link_kafka_abort(LinkWriter *writer);
extern bool link_kafka_discard(LinkSession *session, const char *path,
							   const char *token, Size token_size);

/* ---- kafka_read.c ---- */

extern LinkReader *link_kafka_open_reader(LinkSession *session, const char *path, int64 offset, int64 length);
extern Size link_kafka_read(LinkReader *reader, void *to, Size size);
extern void link_kafka_close_reader(LinkReader *reader);
extern List *link_kafka_partitions(LinkSession *session, const char *path);

#endif							/* LINK_KAFKA_H */
