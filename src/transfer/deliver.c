/*-------------------------------------------------------------------------
 *
 * deliver.c
 *	  Rows from the executor, through a format, into objects or messages.
 *
 * An object is whole by itself: each has the header and the trailer of its
 * format.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "errors.h"
#include "format/format.h"
#include "transfer/deliver.h"
#include "transfer/progress.h"

/* The folder of rows without a value, and the character of values that hives want encoded in one. */
#define NULL_FOLDER "__HIVE_DEFAULT_PARTITION__"
#define ENCODED_IN_FOLDERS "\"#%'*/:=?\\{[]^"

/*
 * Rows as messages of a stream: each leaves the format by itself, into 'row'.
 */
typedef struct Messages
{
	LinkWriter *writer;
	StringInfoData row;
	AttrNumber	key;			/* column, 0: none */
	FmgrInfo	key_output;
	uint64		bytes;
} Messages;

struct LinkDelivery
{
	DestReceiver base;
	const LinkTransferOptions *wanted;
	const CopyFormatOptions *copy;
	TupleDesc	desc;			/* of the columns that are written */
	LinkObjectSet *set;			/* NULL: to a stream */
	Messages   *messages;		/* NULL: to objects */
	LinkOutput	output;
	LinkRowWriter *writer;		/* NULL: between two objects */
	uint64		rows;
	uint64		object_rows;
	List	   *partition;		/* char * or NULL, of the rows that come now; NIL: none came */
	MemoryContext context;		/* holds all of this */
	MemoryContext object_context;	/* of 'writer' */
	MemoryContext partition_context;
};

/* ---- the ways out: an output's drains ---- */

static void
objects_write(void *arg, const char *data, Size size)
{
	LinkDelivery *delivery = arg;

	link_objects_write(delivery->set, data, size);
	link_progress_bytes(link_objects_bytes(delivery->set));
}

static void
messages_add(void *arg, const char *data, Size size)
{
	LinkDelivery *delivery = arg;

	appendBinaryStringInfo(&delivery->messages->row, data, size);
}

/* The row that has just been formatted, without the line end, which is none of it. */
static void
messages_send(LinkDelivery *delivery, TupleTableSlot *slot)
{
	Messages   *messages = delivery->messages;
	MemoryContext caller;
	char	   *key = NULL;

	link_output_flush(&delivery->output);
	if (messages->row.len > 0 && messages->row.data[messages->row.len - 1] == '\n')
		messages->row.len--;
	caller = MemoryContextSwitchTo(delivery->context);
	CHECK_FOR_INTERRUPTS();
	if (messages->key > 0 && !slot->tts_isnull[messages->key - 1])
		key = OutputFunctionCall(&messages->key_output, slot->tts_values[messages->key - 1]);
	link_write_message(messages->writer, key, key ? strlen(key) : 0, messages->row.data, messages->row.len);
	if (key)
		pfree(key);
	messages->bytes += messages->row.len;
	link_progress_bytes(messages->bytes);
	resetStringInfo(&messages->row);
	MemoryContextSwitchTo(caller);
}

/* ---- objects ---- */

static void
begin_writer(LinkDelivery *delivery)
{
	MemoryContext caller = MemoryContextSwitchTo(delivery->object_context);

	delivery->writer = link_format_begin(link_format_find(delivery->wanted->format), delivery->desc,
										 delivery->copy, &delivery->output);
	delivery->object_rows = 0;
	MemoryContextSwitchTo(caller);
}

static void
end_writer(LinkDelivery *delivery)
{
	link_format_end(delivery->writer);
	link_output_flush(&delivery->output);
	delivery->writer = NULL;
	MemoryContextReset(delivery->object_context);
}

static void
end_object(LinkDelivery *delivery)
{
	end_writer(delivery);
	link_objects_finish(delivery->set, delivery->object_rows);
}

/* ---- partitions ---- */

static void
append_encoded(StringInfo out, const char *text)
{
	for (; *text; text++)
	{
		unsigned char c = *text;

		if (c < 0x20 || c == 0x7F || strchr(ENCODED_IN_FOLDERS, c))
			appendStringInfo(out, "%%%02X", c);
		else
			appendStringInfoChar(out, c);
	}
}

/* "day=2026-01-31/kind=a%2Fb", as Hive names its folders. */
static char *
partition_folder(const LinkDelivery *delivery)
{
	StringInfoData folder;
	ListCell   *name;
	ListCell   *value;

	initStringInfo(&folder);
	forboth(name, delivery->wanted->partition_by, value, delivery->partition)
	{
		const char *text = lfirst(value);

		if (folder.len > 0)
			appendStringInfoChar(&folder, '/');
		append_encoded(&folder, strVal(lfirst(name)));
		appendStringInfoChar(&folder, '=');
		if (text == NULL)
			appendStringInfoString(&folder, NULL_FOLDER);
		else if (strcmp(text, NULL_FOLDER) == 0)
			appendStringInfo(&folder, "%%%02X%s", NULL_FOLDER[0], NULL_FOLDER + 1);
		else
			append_encoded(&folder, text);
	}
	return folder.data;
}

static bool
same_partition(const LinkDelivery *delivery, TupleTableSlot *slot)
{
	int			column = delivery->desc->natts;
	ListCell   *cell;

	if (delivery->partition == NIL)
		return false;
	foreach(cell, delivery->partition)
	{
		const char *value = lfirst(cell);
		text	   *now;
		Size		len;

		if (slot->tts_isnull[column] || value == NULL)
		{
			if (!slot->tts_isnull[column] || value != NULL)
				return false;
			column++;
			continue;
		}
		now = DatumGetTextPP(slot->tts_values[column++]);
		len = VARSIZE_ANY_EXHDR(now);
		if (strlen(value) != len || memcmp(value, VARDATA_ANY(now), len) != 0)
			return false;
	}
	return true;
}

static void
begin_partition(LinkDelivery *delivery, TupleTableSlot *slot)
{
	MemoryContext caller;
	int			column = delivery->desc->natts;

	if (delivery->writer)
		end_object(delivery);
	MemoryContextReset(delivery->partition_context);
	caller = MemoryContextSwitchTo(delivery->partition_context);
	delivery->partition = NIL;
	for (int i = 0; i < list_length(delivery->wanted->partition_by); i++, column++)
		delivery->partition = lappend(delivery->partition, slot->tts_isnull[column] ? NULL :
									  TextDatumGetCString(slot->tts_values[column]));
	link_objects_folder(delivery->set, partition_folder(delivery));
	MemoryContextSwitchTo(caller);
}

/* ---- the receiver ---- */

static void
receiver_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static bool
receiver_row(TupleTableSlot *slot, DestReceiver *self)
{
	LinkDelivery *delivery = (LinkDelivery *) self;

	slot_getallattrs(slot);
	if (delivery->wanted->partition_by != NIL && !same_partition(delivery, slot))
		begin_partition(delivery, slot);
	if (delivery->writer == NULL)
		begin_writer(delivery);
	link_format_row(delivery->writer, slot);
	delivery->object_rows++;
	link_progress_rows(++delivery->rows);
	if (delivery->messages)
		messages_send(delivery, slot);
	else if (delivery->wanted->file_size > 0)
	{
		/* what the codec holds back is not counted: an object is a little larger then */
		Size		waiting = delivery->wanted->codec ? 0 : delivery->output.next - delivery->output.start;

		if (link_objects_current_size(delivery->set) + waiting >= delivery->wanted->file_size)
			end_object(delivery);
	}
	return true;
}

static void
receiver_shutdown(DestReceiver *self)
{
}

static void
receiver_destroy(DestReceiver *self)
{
}

LinkDelivery *
link_delivery_begin(const LinkTransferOptions *wanted, const CopyFormatOptions *copy)
{
	LinkDelivery *delivery = palloc0(sizeof(LinkDelivery));

	delivery->base.receiveSlot = receiver_row;
	delivery->base.rStartup = receiver_startup;
	delivery->base.rShutdown = receiver_shutdown;
	delivery->base.rDestroy = receiver_destroy;
	delivery->base.mydest = DestCopyOut;
	delivery->wanted = wanted;
	delivery->copy = copy;
	delivery->context = CurrentMemoryContext;
	delivery->object_context = AllocSetContextCreate(CurrentMemoryContext, "link format",
													 ALLOCSET_DEFAULT_SIZES);
	delivery->partition_context = AllocSetContextCreate(CurrentMemoryContext, "link partition",
														ALLOCSET_SMALL_SIZES);
	return delivery;
}

DestReceiver *
link_delivery_receiver(LinkDelivery *delivery)
{
	return &delivery->base;
}

/* The columns that are written: all but those that partition_by has added behind them. */
static TupleDesc
written_columns(const LinkDelivery *delivery, TupleDesc desc)
{
	int			n = desc->natts - list_length(delivery->wanted->partition_by);
	TupleDesc	written = CreateTemplateTupleDesc(n);

	for (int i = 1; i <= n; i++)
		TupleDescCopyEntry(written, i, desc, i);
	return written;
}

void
link_delivery_to_objects(LinkDelivery *delivery, TupleDesc desc, LinkObjectSet *set)
{
	if (delivery->wanted->key)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("option \"key\" is for links to topics only")));
	delivery->desc = written_columns(delivery, desc);
	delivery->set = set;
	link_output_init(&delivery->output, objects_write, delivery);
}

static void
find_key(Messages *messages, TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Oid			output_function;
		bool		is_varlena;

		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) != 0)
			continue;
		messages->key = i + 1;
		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &output_function, &is_varlena);
		fmgr_info(output_function, &messages->key_output);
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of option \"key\" is not one of the query", name)));
}

/* What makes no sense where each row is a message. */
static void
refuse_object_options(const LinkTransferOptions *wanted)
{
	const char *option = wanted->codec ? "compression" : wanted->file_size > 0 ? "file_size" :
		wanted->partition_by != NIL ? "partition_by" : wanted->manifest ? "manifest" : NULL;

	if (wanted->header)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("messages of a topic have no header")));
	if (option)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("option \"%s\" is for objects, not for messages of a topic", option)));
}

void
link_delivery_to_stream(LinkDelivery *delivery, TupleDesc desc, LinkWriter *writer)
{
	Messages   *messages = palloc0(sizeof(Messages));

	refuse_object_options(delivery->wanted);
	link_format_check_messages(link_format_find(delivery->wanted->format));
	messages->writer = writer;
	initStringInfo(&messages->row);
	if (delivery->wanted->key)
		find_key(messages, desc, delivery->wanted->key);
	delivery->messages = messages;
	delivery->desc = desc;
	link_output_init(&delivery->output, messages_add, delivery);
}

void
link_delivery_end(LinkDelivery *delivery, bool some)
{
	if (delivery->messages)
	{
		if (delivery->writer)
			end_writer(delivery);
		return;
	}
	if (delivery->writer == NULL && some && delivery->rows == 0 && delivery->wanted->partition_by == NIL)
		begin_writer(delivery);
	if (delivery->writer)
		end_object(delivery);
}

uint64
link_delivery_rows(const LinkDelivery *delivery)
{
	return delivery->rows;
}

uint64
link_delivery_bytes(const LinkDelivery *delivery)
{
	return delivery->messages->bytes;
}
