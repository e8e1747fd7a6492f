/*-------------------------------------------------------------------------
 *
 * kafka_read.c
 *	  The messages of a topic, or of some of it, as lines.
 *
 * Read is what is there when the reading begins: each partition up to its end
 * at that time.  Offsets have gaps (control records, compaction), so a partition
 * is through when the position says so, never by counting (INTERNALS A8).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "provider/kafka/kafka.h"
#include "provider/messages.h"

/* Messages that are taken at a time. */
#define BATCH 512

/*
 * What was taken since librdkafka was last told that there is room, see
 * make_room(): half of what it keeps ready.
 */
#define ROOM_MESSAGES (LINK_KAFKA_QUEUED_MESSAGES / 2)
#define ROOM_BYTES ((int64) LINK_KAFKA_QUEUED_KBYTES * 1024 / 2)

typedef struct Partition
{
	int32		number;
	int64		next;			/* offset to read */
	int64		end;			/* offset behind the last */
	int64		earliest;		/* of what is there */
	int64		latest;
} Partition;

typedef struct LinkKafkaReader
{
	LinkReader	base;
	MemoryContext context;		/* holds this */
	LinkKafkaClient *client;
	char	   *topic;
	Partition  *partitions;
	int			n;
	int			open;			/* partitions that are not through */
	rd_kafka_message_t *batch[BATCH];	/* taken from librdkafka; ours from 'at' on */
	int			n_batch;
	int			at;
	Size		given;			/* bytes of batch[at] and its line end that were given */
	int64		messages;		/* taken since make_room() */
	int64		bytes;
	MemoryContextCallback callback;
} LinkKafkaReader;

static void
end_message(LinkKafkaReader *reader)
{
	rd_kafka_message_destroy(reader->batch[reader->at++]);
	reader->given = 0;
}

/* MemoryContextCallback: before the client, which they came from */
static void
release_messages(void *arg)
{
	LinkKafkaReader *reader = arg;

	while (reader->at < reader->n_batch)
		end_message(reader);
}

static char *
action(const LinkKafkaReader *reader)
{
	return psprintf("could not read topic \"%s\"", reader->topic);
}

static bool
parse_offset(const char **p, int64 *value)
{
	char	   *end;

	errno = 0;
	*value = strtoi64(*p, &end, 10);
	if (end == *p || errno != 0 || *value < 0 || **p == '-' || **p == '+')
		return false;
	*p = end;
	return true;
}

/* topic, topic/partition, topic/partition/from-to ('to' is behind the last). */
static void
parse_path(LinkKafkaReader *reader, const char *path, int64 *partition, int64 *from, int64 *to)
{
	const char *p = strchr(path, '/');
	bool		valid = true;

	*partition = *from = *to = -1;
	reader->topic = pnstrdup(path, strcspn(path, "/"));
	if (p)
	{
		p++;
		valid = parse_offset(&p, partition) && *partition <= PG_INT32_MAX;
		if (valid && *p == '/')
		{
			p++;
			valid = parse_offset(&p, from) && *p == '-';
			p++;
			valid = valid && parse_offset(&p, to) && *to >= *from;
		}
		valid = valid && *p == '\0';
	}
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("path \"%s\" names no part of a topic", path),
				 errhint("Write topic, topic/partition or topic/partition/from-to.")));
}

static Partition *
find(LinkKafkaReader *reader, int32 number)
{
	for (int i = 0; i < reader->n; i++)
		if (reader->partitions[i].number == number)
			return &reader->partitions[i];
	return NULL;
}

/* The partitions that are not through, each with what it is asked for. */
static rd_kafka_topic_partition_list_t *
unread(LinkKafkaReader *reader, int64 offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(reader->n);

	for (int i = 0; i < reader->n; i++)
		if (reader->partitions[i].next < reader->partitions[i].end)
			rd_kafka_topic_partition_list_add(list, reader->topic, reader->partitions[i].number)->offset = offset;
	return list;
}

/* The ranges that are there now. */
static void
find_ranges(LinkKafkaReader *reader, int64 from, int64 to)
{
	static const int64 ends[] = {RD_KAFKA_OFFSET_BEGINNING, RD_KAFKA_OFFSET_END};

	for (int i = 0; i < reader->n; i++)
		reader->partitions[i].end = PG_INT64_MAX;
	for (int e = 0; e < lengthof(ends); e++)
	{
		rd_kafka_topic_partition_list_t *list = unread(reader, ends[e]);
		rd_kafka_resp_err_t code = link_kafka_offsets((LinkKafkaSession *) reader->base.session, reader->client, list);

		for (int i = 0; i < list->cnt; i++)
		{
			Partition  *partition = find(reader, list->elems[i].partition);
			int64		offset = list->elems[i].offset;

			if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
				code = list->elems[i].err;
			if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
				break;
			if (ends[e] == RD_KAFKA_OFFSET_BEGINNING)
			{
				partition->earliest = offset;
				partition->next = Max(from, offset);
			}
			else
			{
				partition->latest = offset;
				partition->end = to >= 0 ? Min(to, offset) : offset;
			}
		}
		rd_kafka_topic_partition_list_destroy(list);
		CHECK_FOR_INTERRUPTS();
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			link_kafka_raise((LinkKafkaSession *) reader->base.session, action(reader), code, NULL);
	}
}

static void
find_partitions(LinkKafkaReader *reader, int64 only, int64 from, int64 to)
{
	LinkKafkaSession *session = (LinkKafkaSession *) reader->base.session;
	const struct rd_kafka_metadata *metadata = link_kafka_metadata(session, reader->client, reader->topic,
																   action(reader));
	rd_kafka_resp_err_t code = metadata->topic_cnt == 1 ? metadata->topics[0].err :
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	int			n = code == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->topics[0].partition_cnt : 0;

	reader->partitions = palloc0(sizeof(Partition) * Max(n, 1));
	for (int i = 0; i < n; i++)
		if (only < 0 || metadata->topics[0].partitions[i].id == only)
			reader->partitions[reader->n++].number = metadata->topics[0].partitions[i].id;
	rd_kafka_metadata_destroy(metadata);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && reader->n == 0)
		code = RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		link_kafka_raise(session, action(reader), code, NULL);
	find_ranges(reader, from, to);
}

/* Fetch the partitions that have something, from where they are. */
static void
assign(LinkKafkaReader *reader)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(reader->n);
	rd_kafka_resp_err_t code;

	for (int i = 0; i < reader->n; i++)
	{
		Partition  *partition = &reader->partitions[i];

		if (partition->next >= partition->end)
			continue;
		rd_kafka_topic_partition_list_add(list, reader->topic, partition->number)->offset = partition->next;
		reader->open++;
	}
	code = reader->open > 0 ? rd_kafka_assign(reader->client->rk, list) : RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_topic_partition_list_destroy(list);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		link_kafka_raise((LinkKafkaSession *) reader->base.session, action(reader), code, NULL);
}

/* Someone relies on it that a range is all there: it was, but retention or another topic of that name came. */
static void
check_whole(const LinkKafkaReader *reader, int64 from, int64 to)
{
	for (int i = 0; i < reader->n; i++)
	{
		const Partition *partition = &reader->partitions[i];

		if (from < to && (from < partition->earliest || to > partition->latest))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_NO_OBJECT),
					 errmsg("messages %lld to %lld of partition %d of topic \"%s\" are not there",
							(long long) from, (long long) to - 1, partition->number, reader->topic),
					 errdetail("It has the messages from %lld to %lld.",
							   (long long) partition->earliest, (long long) partition->latest - 1)));
	}
}

/* A reader that knows its ranges, and is not reading yet. */
static LinkKafkaReader *
make_reader(LinkSession *session, const char *path)
{
	MemoryContext context = AllocSetContextCreate(session->context, "link Kafka reader", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkKafkaReader *reader = palloc0(sizeof(LinkKafkaReader));
	int64		partition;
	int64		from;
	int64		to;

	reader->context = context;
	reader->base.session = session;
	reader->base.path = pstrdup(path);
	reader->base.size = -1;
	parse_path(reader, path, &partition, &from, &to);
	reader->client = link_kafka_open((LinkKafkaSession *) session, false, NULL);
	reader->callback.func = release_messages;
	reader->callback.arg = reader;
	MemoryContextRegisterResetCallback(context, &reader->callback);
	find_partitions(reader, partition, from, to);
	if (session->whole_ranges)
		check_whole(reader, from, to);
	MemoryContextSwitchTo(caller);
	return reader;
}

LinkReader *
link_kafka_open_reader(LinkSession *session, const char *path, int64 offset, int64 length)
{
	LinkKafkaReader *reader;
	MemoryContext caller;

	if (offset != 0 || length >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("topics have no ranges of bytes")));
	reader = make_reader(session, path);
	caller = MemoryContextSwitchTo(reader->context);
	assign(reader);
	MemoryContextSwitchTo(caller);
	return &reader->base;
}

List *
link_kafka_partitions(LinkSession *session, const char *path)
{
	LinkKafkaReader *reader = make_reader(session, path);
	List	   *partitions = NIL;

	for (int i = 0; i < reader->n; i++)
	{
		LinkPartition *partition = palloc(sizeof(LinkPartition));

		partition->number = reader->partitions[i].number;
		partition->earliest = reader->partitions[i].earliest;
		partition->latest = reader->partitions[i].latest;
		partitions = lappend(partitions, partition);
	}
	link_kafka_close_reader(&reader->base);
	return partitions;
}

/* The position moved to 'next': is the partition through? */
static void
advance(LinkKafkaReader *reader, Partition *partition, int64 next)
{
	if (partition->next < partition->end && next >= partition->end)
		reader->open--;
	partition->next = Max(partition->next, next);
}

/*
 * Is it one of those to be given?  The end of a partition comes as a message too,
 * and so do, without a topic, errors of the consumer group, which we have no use
 * for: there may be no right to it.
 */
static bool
wanted(LinkKafkaReader *reader, const rd_kafka_message_t *message)
{
	Partition  *partition = message->rkt ? find(reader, message->partition) : NULL;

	if (partition == NULL || partition->next >= partition->end)
		return false;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
		link_kafka_raise((LinkKafkaSession *) reader->base.session, action(reader), message->err,
						 rd_kafka_message_errstr(message));
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || message->offset >= partition->end)
		advance(reader, partition, partition->end);
	else if (message->payload == NULL)
		/* a tombstone tells that a key is gone, and holds no row */
		advance(reader, partition, message->offset + 1);
	else
		return true;
	return false;
}

/*
 * Positions also move over what is not given to us (control records, aborted
 * messages).
 */
static void
look_at_positions(LinkKafkaReader *reader)
{
	rd_kafka_topic_partition_list_t *list = unread(reader, RD_KAFKA_OFFSET_INVALID);

	if (rd_kafka_position(reader->client->rk, list) == RD_KAFKA_RESP_ERR_NO_ERROR)
		for (int i = 0; i < list->cnt; i++)
			if (list->elems[i].offset >= 0)
				advance(reader, find(reader, list->elems[i].partition), list->elems[i].offset);
	rd_kafka_topic_partition_list_destroy(list);
}

/*
 * Before 2.2 (fetch.queue.backoff.ms), a librdkafka that has enough ready sleeps
 * for a second, however soon there is room again, unless its thread for the broker
 * has something to do.  So it gets a question whose answer nobody waits for.
 */
static void
make_room(LinkKafkaReader *reader)
{
	rd_kafka_topic_partition_list_t *list;

	if ((reader->messages < ROOM_MESSAGES && reader->bytes < ROOM_BYTES) || rd_kafka_version() >= 0x02020000)
		return;
	reader->messages = reader->bytes = 0;
	list = unread(reader, RD_KAFKA_OFFSET_END);
	(void) rd_kafka_offsets_for_times(reader->client->rk, list, 0);
	rd_kafka_topic_partition_list_destroy(list);
}

/* Have some messages, or know that nothing comes. */
static void
take_batch(LinkKafkaReader *reader)
{
	LinkKafkaSession *session = (LinkKafkaSession *) reader->base.session;
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_kafka_timeout(session));

	reader->n_batch = reader->at = 0;
	while (reader->open > 0)
	{
		reader->n_batch = link_kafka_messages(reader->client, reader->batch, BATCH);
		if (reader->n_batch > 0)
			break;
		look_at_positions(reader);
		if (reader->open > 0 && !link_kafka_wait(reader->client, deadline))
			link_kafka_raise(session, action(reader), RD_KAFKA_RESP_ERR__TIMED_OUT, NULL);
	}
	for (int i = 0; i < reader->n_batch; i++)
		reader->bytes += reader->batch[i]->len;
	reader->messages += reader->n_batch;
	if (reader->open > 0)
		make_room(reader);
}

/* The message to be given next, NULL if there is none (yet, unless 'wait'). */
static const rd_kafka_message_t *
current_message(LinkKafkaReader *reader, bool wait)
{
	for (;;)
	{
		while (reader->at < reader->n_batch)
		{
			if (reader->given > 0 || wanted(reader, reader->batch[reader->at]))
				return reader->batch[reader->at];
			end_message(reader);
		}
		if (!wait || reader->open == 0)
			return NULL;
		take_batch(reader);
	}
}

static void
write_down(LinkMessages *messages, const rd_kafka_message_t *message)
{
	rd_kafka_timestamp_type_t type;
	LinkMessage kept = {message->partition, message->offset, rd_kafka_message_timestamp(message, &type),
	message->key, message->key_len};
	uint64		lines = 1;

	for (const char *p = message->payload, *end = p + message->len;
		 (p = memchr(p, '\n', end - p)) != NULL; p++)
		lines++;
	if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
		kept.timestamp = -1;
	link_messages_add(messages, &kept, lines);
}

/* Lines: each message and a line end.  What is there already is not held up by what is not. */
Size
link_kafka_read(LinkReader *base, void *to, Size size)
{
	LinkKafkaReader *reader = (LinkKafkaReader *) base;
	MemoryContext caller = MemoryContextSwitchTo(reader->context);
	Size		total = 0;

	while (total < size)
	{
		const rd_kafka_message_t *message = current_message(reader, total == 0);
		Size		n;

		if (message == NULL)
			break;
		n = Min(size - total, message->len - Min(reader->given, message->len));
		if (n > 0)
			memcpy((char *) to + total, (char *) message->payload + reader->given, n);
		reader->given += n;
		total += n;
		if (reader->given == message->len && total < size)
		{
			((char *) to)[total++] = '\n';
			if (base->session->messages)
				write_down(base->session->messages, message);
			advance(reader, find(reader, message->partition), message->offset + 1);
			end_message(reader);
		}
	}
	MemoryContextSwitchTo(caller);
	return total;
}

void
link_kafka_close_reader(LinkReader *base)
{
	LinkKafkaReader *reader = (LinkKafkaReader *) base;

	release_messages(reader);
	link_kafka_close(reader->client);
	MemoryContextDelete(reader->context);
}
