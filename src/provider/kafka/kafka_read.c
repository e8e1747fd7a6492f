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

#include <signal.h>

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "provider/kafka/kafka.h"

typedef struct Partition
{
	int32		number;
	int64		next;			/* offset to read */
	int64		end;			/* offset behind the last */
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
	StringInfoData buffer;		/* lines that were not given yet, from 'given' on */
	Size		given;
	rd_kafka_event_t *event;	/* whose messages are being taken */
	MemoryContextCallback callback;
} LinkKafkaReader;

/* MemoryContextCallback: before the client, which it came from */
static void
release_event(void *arg)
{
	LinkKafkaReader *reader = arg;

	if (reader->event && reader->client->rk)
		rd_kafka_event_destroy(reader->event);
	reader->event = NULL;
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

/* The range that is there now; interruptible every LINK_KAFKA_SLICE or so. */
static void
find_range(LinkKafkaReader *reader, Partition *partition, int64 from, int64 to)
{
	LinkKafkaSession *session = (LinkKafkaSession *) reader->base.session;
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_kafka_timeout(session));
	rd_kafka_resp_err_t code;
	int64_t		low;
	int64_t		high;

	do
	{
		CHECK_FOR_INTERRUPTS();
		code = rd_kafka_query_watermark_offsets(reader->client->rk, reader->topic, partition->number,
												&low, &high, 5 * LINK_KAFKA_SLICE);
	} while ((code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT) &&
			 GetCurrentTimestamp() < deadline);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		link_kafka_raise(session, action(reader), code, NULL);
	partition->next = from >= 0 ? Max(from, low) : low;
	partition->end = to >= 0 ? Min(to, high) : high;
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
	for (int i = 0; i < reader->n; i++)
		find_range(reader, &reader->partitions[i], from, to);
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

LinkReader *
link_kafka_open_reader(LinkSession *session, const char *path, int64 offset, int64 length)
{
	MemoryContext context = AllocSetContextCreate(session->context, "link Kafka reader", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkKafkaReader *reader = palloc0(sizeof(LinkKafkaReader));
	int64		partition;
	int64		from;
	int64		to;

	if (offset != 0 || length >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("topics have no ranges of bytes")));
	reader->context = context;
	reader->base.session = session;
	reader->base.path = pstrdup(path);
	reader->base.size = -1;
	initStringInfo(&reader->buffer);
	parse_path(reader, path, &partition, &from, &to);
	reader->client = link_kafka_open((LinkKafkaSession *) session, false, NULL);
	reader->callback.func = release_event;
	reader->callback.arg = reader;
	MemoryContextRegisterResetCallback(context, &reader->callback);
	find_partitions(reader, partition, from, to);
	assign(reader);
	MemoryContextSwitchTo(caller);
	return &reader->base;
}

static Partition *
find(LinkKafkaReader *reader, int32 number)
{
	for (int i = 0; i < reader->n; i++)
		if (reader->partitions[i].number == number)
			return &reader->partitions[i];
	return NULL;
}

/* The position moved to 'next': is the partition through? */
static void
advance(LinkKafkaReader *reader, Partition *partition, int64 next)
{
	if (partition->next < partition->end && next >= partition->end)
		reader->open--;
	partition->next = Max(partition->next, next);
}

static void
take_message(LinkKafkaReader *reader, const rd_kafka_message_t *message)
{
	Partition  *partition = find(reader, message->partition);

	if (partition == NULL || partition->next >= partition->end)
		return;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		link_kafka_raise((LinkKafkaSession *) reader->base.session, action(reader), message->err,
						 rd_kafka_message_errstr(message));
	if (message->offset < partition->end)
	{
		if (message->len > MaxAllocSize / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("%s: a message is too large", action(reader))));
		appendBinaryStringInfo(&reader->buffer, message->payload, message->len);
		appendStringInfoChar(&reader->buffer, '\n');
	}
	advance(reader, partition, message->offset + 1);
}

/*
 * Positions also move over what is not given to us (control records, aborted
 * messages).
 */
static void
look_at_positions(LinkKafkaReader *reader)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(reader->n);

	for (int i = 0; i < reader->n; i++)
		if (reader->partitions[i].next < reader->partitions[i].end)
			rd_kafka_topic_partition_list_add(list, reader->topic, reader->partitions[i].number);
	if (rd_kafka_position(reader->client->rk, list) == RD_KAFKA_RESP_ERR_NO_ERROR)
		for (int i = 0; i < list->cnt; i++)
		{
			Partition  *partition = find(reader, list->elems[i].partition);

			if (partition && list->elems[i].offset >= partition->end)
				advance(reader, partition, list->elems[i].offset);
		}
	rd_kafka_topic_partition_list_destroy(list);
}

static void
take_messages(LinkKafkaReader *reader, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *message;

	reader->event = event;
	while ((message = rd_kafka_event_message_next(event)) != NULL)
		take_message(reader, message);
	release_event(reader);
}

/* The end of a partition comes as an error too. */
static void
take_error(LinkKafkaReader *reader, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t code = rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR ?
		rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_topic_partition_t *place = rd_kafka_event_topic_partition(event);
	char	   *text = code ? pstrdup(rd_kafka_event_error_string(event)) : NULL;

	if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF && place)
	{
		Partition  *partition = find(reader, place->partition);

		if (partition)
			advance(reader, partition, partition->end);
		code = RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	if (place)
		rd_kafka_topic_partition_destroy(place);
	rd_kafka_event_destroy(event);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		link_kafka_raise((LinkKafkaSession *) reader->base.session, action(reader), code, text);
}

/* Have something in the buffer, or know that nothing comes. */
static void
fill(LinkKafkaReader *reader)
{
	LinkKafkaSession *session = (LinkKafkaSession *) reader->base.session;
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_kafka_timeout(session));

	resetStringInfo(&reader->buffer);
	reader->given = 0;
	while (reader->buffer.len == 0 && reader->open > 0)
	{
		rd_kafka_event_t *event = link_kafka_event(reader->client, deadline);

		if (event == NULL)
		{
			look_at_positions(reader);
			if (reader->open > 0)
				link_kafka_raise(session, action(reader), RD_KAFKA_RESP_ERR__TIMED_OUT, NULL);
			break;
		}
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH)
			take_messages(reader, event);
		else
			take_error(reader, event);
	}
}

Size
link_kafka_read(LinkReader *base, void *to, Size size)
{
	LinkKafkaReader *reader = (LinkKafkaReader *) base;
	MemoryContext caller = MemoryContextSwitchTo(reader->context);
	Size		total = 0;

	while (total < size)
	{
		Size		n;

		if (reader->given == (Size) reader->buffer.len)
		{
			/* what is there already, before anything is waited for */
			if (total > 0)
				break;
			fill(reader);
			if (reader->buffer.len == 0)
				break;
		}
		n = Min(size - total, (Size) reader->buffer.len - reader->given);
		memcpy((char *) to + total, reader->buffer.data + reader->given, n);
		reader->given += n;
		total += n;
	}
	MemoryContextSwitchTo(caller);
	return total;
}

void
link_kafka_close_reader(LinkReader *base)
{
	LinkKafkaReader *reader = (LinkKafkaReader *) base;

	link_kafka_close(reader->client);
	MemoryContextDelete(reader->context);
}
