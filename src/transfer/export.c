/*-------------------------------------------------------------------------
 *
 * export.c
 *	  Rows of a query, or bytes of a value, into an object of a link.
 *
 * The query is prepared as COPY (query) TO does it, and its rows go from the
 * executor through a format into the link's writer, in constant memory.
 * Nothing is visible at the provider before the publish, which is the very
 * last step that can fail.  An export writes nothing in the database, so it is
 * allowed in read-only transactions and on a standby.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "commands/copy.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parse_node.h"
#include "tcop/dest.h"
#include "utils/lsyscache.h"

#include "catalog/privileges.h"
#include "catalog/use.h"
#include "errors.h"
#include "format/format.h"
#include "provider/provider.h"
#include "transfer/copy_to.h"
#include "transfer/options.h"
#include "transfer/progress.h"
#include "transfer/select.h"
#include "transfer/transfer.h"
#include "transfer/verb.h"

/* One object being written. */
typedef struct Upload
{
	LinkSession *session;
	LinkWriter *writer;
	StringInfoData token;		/* of a prepared writer */
	uint64		bytes;
	MemoryContext context;
} Upload;

/*
 * Rows as messages of a stream: each leaves the format by itself, into 'row'.
 */
typedef struct Messages
{
	Upload	   *upload;
	LinkOutput *output;
	StringInfoData row;
	AttrNumber	key;			/* column, 0: none */
	FmgrInfo	key_output;
} Messages;

/* Takes rows from the executor. */
typedef struct RowReceiver
{
	DestReceiver base;
	LinkRowWriter *writer;
	Messages   *messages;		/* NULL unless the link is a stream */
	uint64		rows;
} RowReceiver;

/* ---- one object ---- */

static Upload *
upload_begin(const LinkRow *row, const char *path, bool overwrite)
{
	Upload	   *upload = palloc0(sizeof(Upload));
	MemoryContext caller;

	upload->context = AllocSetContextCreate(CurrentMemoryContext, "link upload",
											ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(upload->context);
	initStringInfo(&upload->token);
	upload->session = link_open(row);
	upload->writer = link_open_writer(upload->session, path, overwrite);
	MemoryContextSwitchTo(caller);
	return upload;
}

/* An output's drain.  The executor's contexts are no place for a provider's memory. */
static void
upload_write(void *arg, const char *data, Size size)
{
	Upload	   *upload = arg;
	MemoryContext caller = MemoryContextSwitchTo(upload->context);

	CHECK_FOR_INTERRUPTS();
	link_write(upload->writer, data, size);
	upload->bytes += size;
	link_progress_bytes(upload->bytes);
	MemoryContextSwitchTo(caller);
}

static void
upload_prepare(Upload *upload)
{
	link_prepare(upload->writer, &upload->token);
}

static void
upload_publish(Upload *upload)
{
	LinkWriter *writer = upload->writer;

	link_publish(upload->session, writer->path, writer->overwrite,
				 upload->token.data, upload->token.len);
}

static void
upload_end(Upload *upload)
{
	link_close(upload->session);
	MemoryContextDelete(upload->context);
	pfree(upload);
}

/* For PG_CATCH: never throws. */
static void
upload_undo(Upload *upload)
{
	LinkWriter *writer = upload->writer;

	if (writer->prepared)
		link_discard(upload->session, writer->path, upload->token.data, upload->token.len);
	else
		link_abort(writer);
}

/* ---- messages ---- */

/* An output's drain. */
static void
messages_add(void *arg, const char *data, Size size)
{
	Messages   *messages = arg;

	appendBinaryStringInfo(&messages->row, data, size);
}

/* The row that has just been formatted, without the line end, which is none of it. */
static void
messages_send(Messages *messages, TupleTableSlot *slot)
{
	Upload	   *upload = messages->upload;
	MemoryContext caller;
	char	   *key = NULL;

	link_output_flush(messages->output);
	if (messages->row.len > 0 && messages->row.data[messages->row.len - 1] == '\n')
		messages->row.len--;
	caller = MemoryContextSwitchTo(upload->context);
	CHECK_FOR_INTERRUPTS();
	if (messages->key > 0 && !slot->tts_isnull[messages->key - 1])
		key = OutputFunctionCall(&messages->key_output, slot->tts_values[messages->key - 1]);
	link_write_message(upload->writer, key, key ? strlen(key) : 0, messages->row.data, messages->row.len);
	if (key)
		pfree(key);
	upload->bytes += messages->row.len;
	link_progress_bytes(upload->bytes);
	resetStringInfo(&messages->row);
	MemoryContextSwitchTo(caller);
}

static Messages *
messages_begin(Upload *upload, LinkOutput *output, TupleDesc desc, const LinkTransferOptions *wanted)
{
	Messages   *messages = palloc0(sizeof(Messages));

	messages->upload = upload;
	messages->output = output;
	initStringInfo(&messages->row);
	if (wanted->header)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("messages of a topic have no header")));
	if (wanted->key == NULL)
		return messages;
	for (int i = 0; i < desc->natts; i++)
	{
		Oid			output_function;
		bool		is_varlena;

		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), wanted->key) != 0)
			continue;
		messages->key = i + 1;
		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &output_function, &is_varlena);
		fmgr_info(output_function, &messages->key_output);
		return messages;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of option \"key\" is not one of the query", wanted->key)));
	return NULL;				/* keep compiler quiet */
}

static void
receiver_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static bool
receiver_row(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *receiver = (RowReceiver *) self;

	link_format_row(receiver->writer, slot);
	if (receiver->messages)
		messages_send(receiver->messages, slot);
	link_progress_rows(++receiver->rows);
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

static void
write_rows(QueryDesc *desc, const LinkTransferOptions *wanted, const CopyFormatOptions *options,
		   RowReceiver *receiver, Upload *upload)
{
	bool		stream = (upload->session->provider->features & LINK_IS_STREAM) != 0;
	LinkOutput	output;

	if (wanted->key && !stream)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("option \"key\" is for links to topics only")));
	if (stream)
		receiver->messages = messages_begin(upload, &output, desc->tupDesc, wanted);
	link_output_init(&output, stream ? messages_add : upload_write,
					 stream ? (void *) receiver->messages : (void *) upload);
	receiver->writer = link_format_begin(link_format_find(wanted->format), desc->tupDesc, options, &output);
	link_executor_run(desc);
	link_format_end(receiver->writer);
	link_output_flush(&output);
}

/* The query, which came as a value and has its own positions of errors. */
static PlannedStmt *
plan_text(const char *query)
{
	ErrorContextCallback position = {error_context_stack, link_verb_text_position, unconstify(char *, query)};
	PlannedStmt *plan;

	error_context_stack = &position;
	plan = link_select_plan(link_select_analyze(link_select_parse(query), query), query);
	error_context_stack = position.previous;
	return plan;
}

static List *
export(const LinkCopy *copy, const char *query, const LinkName *link, const char *path, List *options)
{
	LinkObjectResult *result = palloc0(sizeof(LinkObjectResult));
	RowReceiver receiver = {
		{receiver_row, receiver_startup, receiver_shutdown, receiver_destroy, DestCopyOut}
	};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link export",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkTransferOptions wanted;
	CopyFormatOptions format = {0};
	ParseState *pstate = make_parsestate(NULL);
	LinkRow    *row;
	PlannedStmt *plan;
	QueryDesc  *desc;
	Upload	   *upload;

	link_verb_require_allowed(copy ? "COPY TO" : "SELECT INTO LINK");
	pstate->p_sourcetext = copy ? query : NULL;
	link_transfer_options(pstate, options, false, path, &wanted);
	ProcessCopyOptions(pstate, &format, false, wanted.copy);
	row = link_lookup_name(link, LINK_ACL_WRITE);

	plan = copy ? link_copy_to_plan(copy) : plan_text(query);
	desc = link_select_start(plan, query, &receiver.base);
	upload = upload_begin(row, path, wanted.overwrite);
	link_progress_begin(false, InvalidOid);
	PG_TRY();
	{
		write_rows(desc, &wanted, &format, &receiver, upload);
		link_select_end(desc);
		upload_prepare(upload);
		upload_publish(upload);
	}
	PG_CATCH();
	{
		upload_undo(upload);
		PG_RE_THROW();
	}
	PG_END_TRY();
	link_progress_end();

	MemoryContextSwitchTo(caller);
	result->path = pstrdup(path);
	result->rows = receiver.rows;
	result->bytes = upload->bytes;
	upload_end(upload);
	MemoryContextDelete(context);
	link_use_moved(result->rows, result->bytes);
	return list_make1(result);
}

List *
link_export(const char *query, const LinkName *link, const char *path, List *options)
{
	List	   *results = NIL;

	LINK_USE_BEGIN(LINK_VERB_SELECT_INTO, path);
	{
		results = export(NULL, query, link, path, options);
	}
	LINK_USE_END();
	return results;
}

List *
link_export_copy(const LinkCopy *copy, const LinkName *link, const char *path)
{
	List	   *results = NIL;

	LINK_USE_BEGIN(LINK_VERB_SELECT_INTO, path);
	{
		results = export(copy, copy->text, link, path, copy->statement->options);
	}
	LINK_USE_END();
	return results;
}

static void
write_whole(const LinkName *link, const char *path,
			const void *data, Size size, bool overwrite)
{
	LinkRow    *row;
	Upload	   *upload;

	link_verb_require_allowed("link.write_file");
	row = link_lookup_name(link, LINK_ACL_WRITE);
	upload = upload_begin(row, path, overwrite);
	PG_TRY();
	{
		link_write(upload->writer, data, size);
		upload_prepare(upload);
		upload_publish(upload);
	}
	PG_CATCH();
	{
		upload_undo(upload);
		PG_RE_THROW();
	}
	PG_END_TRY();
	upload_end(upload);
	link_use_moved(0, size);
}

void
link_write_whole(const LinkName *link, const char *path,
				 const void *data, Size size, bool overwrite)
{
	LINK_USE_BEGIN(LINK_VERB_WRITE_FILE, path);
	{
		write_whole(link, path, data, size, overwrite);
	}
	LINK_USE_END();
}
