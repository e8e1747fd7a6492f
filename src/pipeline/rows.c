/*-------------------------------------------------------------------------
 *
 * rows.c
 *	  Rows that COPY cannot load by itself: variables, JSON paths, SET, WHERE,
 *	  ON CONFLICT, procedures, and those where bad rows are left out.
 *
 * They are read into a tuplestore, by the types of the fields, and one statement
 * (clauses.c) takes them from there.  Where bad rows may be left out, it is tried
 * with all of them first, then with halves (INTERNALS B6).
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/copyfrom_internal.h"
#include "commands/tablecmds.h"
#include "commands/tablespace.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "errors.h"
#include "guc.h"
#include "pipeline/clauses.h"
#include "pipeline/engine.h"
#include "pipeline/rows.h"
#include "provider/messages.h"
#include "transfer/listed.h"

/* The name by which the statement knows them; no user can make a relation that would be meant. */
#define ROWS_NAME "rows of a pipeline"

/* The temporary table of procedures. */
#define TABLE_NAME "pipeline_rows"

/* How a field is made of what COPY reads. */
typedef struct Field
{
	int			from;			/* of COPY's columns */
	List	   *path;			/* char *: further down in its JSON; NIL: it is the value */
	bool		json;			/* COPY's column is JSON, the field is what is there */
	FmgrInfo	input;			/* of the field's type */
	Oid			ioparam;
	int32		typmod;
} Field;

typedef struct Rows
{
	const LinkPipeline *pipeline;
	LinkSession *session;
	TupleDesc	desc;			/* of the rows */
	TupleDesc	read;			/* of what COPY reads */
	bool		json;			/* the format */
	int			nfields;
	Field	   *fields;
	Tuplestorestate *store;
	int64		n;				/* rows in it */
	uint64	   *lines;			/* of each, where bad ones are left out */
	char	  **paths;
	Size		size;			/* of these arrays */
	int64		skip_lines;		/* that COPY does not count */
	int64		skipped;
	int64		limit;			/* of rows that are read, for a test; -1: none */
	Relation	target;			/* NULL: a procedure */
	bool		inserts;		/* the statement is an INSERT into it */
} Rows;

/*
 * What is read.
 */

static int
find_read(TupleDesc desc, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return i;
	return -1;
}

/* A descriptor cannot be made shorter. */
static TupleDesc
first_entries(TupleDesc desc, int n)
{
	TupleDesc	shorter = CreateTemplateTupleDesc(n);

	for (int i = 1; i <= n; i++)
		TupleDescCopyEntry(shorter, i, desc, i);
	return shorter;
}

/*
 * COPY's columns are the fields, unless they are found in JSON: then they are the
 * keys, and one that several fields are made of, or that has to be looked into, is
 * read as JSON.
 */
static void
plan_json(Rows *rows, List *fields)
{
	ListCell   *lc;
	int			n = 0;
	int			i = 0;

	foreach(lc, fields)
	{
		LinkPipelineField *field = lfirst(lc);
		const char *key = field->path ? linitial(field->path) : field->name + link_field_is_variable(field);
		int			at = find_read(rows->read, n, key);
		bool		deep = list_length(field->path) > 1;

		rows->fields[i].path = deep ? list_copy_tail(field->path, 1) : NIL;
		if (at < 0)
		{
			Form_pg_attribute own = TupleDescAttr(rows->desc, i);

			at = n++;
			TupleDescInitEntry(rows->read, n, key, deep ? JSONBOID : own->atttypid, deep ? -1 : own->atttypmod, 0);
			rows->fields[i].json = deep;
		}
		else
		{
			TupleDescInitEntry(rows->read, at + 1, key, JSONBOID, -1, 0);
			for (int j = 0; j < i; j++)
				if (rows->fields[j].from == at)
					rows->fields[j].json = true;
			rows->fields[i].json = true;
		}
		rows->fields[i++].from = at;
	}
	rows->read = first_entries(rows->read, n);
}

static bool
reads_json(const LinkPipeline *pipeline)
{
	ListCell   *lc;

	foreach(lc, link_format_options_from_json(pipeline->options))
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "format") == 0)
			return option->arg && IsA(option->arg, String) && pg_strcasecmp(strVal(option->arg), "json") == 0;
	}
	return false;
}

static void
plan_fields(Rows *rows)
{
	List	   *fields = link_fields_from_json(rows->pipeline->fields);

	rows->desc = link_pipeline_row_desc(rows->pipeline, rows->target);
	rows->nfields = rows->desc->natts - LINK_SOURCE_COLUMNS;
	rows->fields = palloc0(rows->nfields * sizeof(Field));
	rows->json = reads_json(rows->pipeline);
	rows->read = CreateTemplateTupleDesc(rows->nfields);
	if (fields != NIL && rows->json)
		plan_json(rows, fields);
	else
		for (int i = 0; i < rows->nfields; i++)
		{
			rows->fields[i].from = i;
			TupleDescCopyEntry(rows->read, i + 1, rows->desc, i + 1);
		}
	for (int i = 0; i < rows->nfields; i++)
	{
		Field	   *field = &rows->fields[i];
		Form_pg_attribute own = TupleDescAttr(rows->desc, i);
		Oid			function;

		getTypeInputInfo(own->atttypid, &function, &field->ioparam);
		fmgr_info(function, &field->input);
		field->typmod = own->atttypmod;
	}
}

/* As the field's type takes it: JSON as it stands, of others the text. */
static char *
json_field(const Rows *rows, int i, Jsonb *json)
{
	Oid			type = getBaseType(TupleDescAttr(rows->desc, i)->atttypid);
	JsonbValue	root;
	JsonbValue *value = link_field_find(json, rows->fields[i].path, &root);
	Jsonb	   *whole;

	if (value == NULL)
		return NULL;
	if (value->type == jbvString && type != JSONOID && type != JSONBOID)
		return pnstrdup(value->val.string.val, value->val.string.len);
	whole = JsonbValueToJsonb(value);
	return JsonbToCString(NULL, &whole->root, VARSIZE(whole));
}

static void
set_source(Rows *rows, LinkPipelineSource source, Datum *values, bool *nulls, Datum value)
{
	values[rows->nfields + source] = value;
	nulls[rows->nfields + source] = false;
}

/* Where the row comes from. */
static void
set_sources(Rows *rows, const char *path, uint64 line, Datum *values, bool *nulls)
{
	const LinkMessage *message = rows->session->messages ?
		link_messages_at(rows->session->messages, line) : NULL;

	for (int i = 0; i < LINK_SOURCE_COLUMNS; i++)
		nulls[rows->nfields + i] = true;
	if (rows->session->messages == NULL)
		set_source(rows, LINK_SOURCE_FILE, values, nulls, CStringGetTextDatum(path));
	if (message == NULL)
		return;
	set_source(rows, LINK_SOURCE_PARTITION, values, nulls, Int32GetDatum(message->partition));
	set_source(rows, LINK_SOURCE_OFFSET, values, nulls, Int64GetDatum(message->offset));
	if (message->key)
		set_source(rows, LINK_SOURCE_KEY, values, nulls,
				   PointerGetDatum(cstring_to_text_with_len(message->key, (int) message->key_size)));
	if (message->timestamp >= 0)
		set_source(rows, LINK_SOURCE_TIMESTAMP, values, nulls,
				   TimestampTzGetDatum((message->timestamp -
										(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * INT64CONST(1000)) * 1000));
}

/* What COPY read becomes the fields. */
static void
make_row(Rows *rows, const Datum *read, const bool *read_nulls, Datum *values, bool *nulls)
{
	for (int i = 0; i < rows->nfields; i++)
	{
		Field	   *field = &rows->fields[i];
		char	   *text;

		values[i] = read[field->from];
		nulls[i] = read_nulls[field->from];
		if (!field->json)
			continue;
		text = nulls[i] ? NULL : json_field(rows, i, DatumGetJsonbP(read[field->from]));
		values[i] = InputFunctionCall(&field->input, text, field->ioparam, field->typmod);
		nulls[i] = text == NULL;
	}
}

static void
keep_place(Rows *rows, const char *path, uint64 line)
{
	if (rows->pipeline->skip == 0)
		return;
	if (rows->n == rows->size)
	{
		rows->size = rows->size == 0 ? 1024 : rows->size * 2;
		rows->lines = rows->lines ? repalloc_huge(rows->lines, rows->size * sizeof(uint64)) :
			MemoryContextAllocHuge(CurrentMemoryContext, rows->size * sizeof(uint64));
		rows->paths = rows->paths ? repalloc_huge(rows->paths, rows->size * sizeof(char *)) :
			MemoryContextAllocHuge(CurrentMemoryContext, rows->size * sizeof(char *));
	}
	rows->lines[rows->n] = line;
	rows->paths[rows->n] = unconstify(char *, path);
}

/*
 * Bad rows.
 */

static int
skip_kind(int sqlstate)
{
	if (sqlstate == ERRCODE_UNIQUE_VIOLATION || sqlstate == ERRCODE_EXCLUSION_VIOLATION)
		return LINK_SKIP_DUPLICATE_KEY;
	if (ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
		return LINK_SKIP_CONSTRAINT;
	if (ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_DATA_EXCEPTION)
		return LINK_SKIP_PARSER;
	return 0;
}

static void
leave_out(Rows *rows, const char *path, uint64 line, const char *raw, const ErrorData *error)
{
	const LinkMessage *message = rows->session->messages ?
		link_messages_at(rows->session->messages, line) : NULL;
	LinkWorkError where = {"Row", 0, path, (int64) line, raw};

	/* more than are kept would only fill the disk until they go */
	if (rows->skipped++ >= link_pipeline_history)
		return;
	if (message)
	{
		where.source = psprintf("%d", message->partition);
		where.position = message->offset;
	}
	link_work_record(rows->pipeline, &where, error);
}

/* A step that may fail and be undone; gives the error if it is one to be passed over. */
typedef bool (*Step) (Rows *rows, void *arg);

static ErrorData *
attempt(Rows *rows, Step step, void *arg, bool *result)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		*result = step(rows, arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		if ((rows->pipeline->skip & skip_kind(error->sqlerrcode)) == 0)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return error;
}

/*
 * Reading.
 */

typedef struct Reading
{
	CopyFromState cstate;
	Datum	   *read;
	bool	   *read_nulls;
	Datum	   *values;
	bool	   *nulls;
} Reading;

static bool
read_row(Rows *rows, void *arg)
{
	Reading    *reading = arg;

	if (!NextCopyFrom(reading->cstate, NULL, reading->read, reading->read_nulls))
		return false;
	make_row(rows, reading->read, reading->read_nulls, reading->values, reading->nulls);
	return true;
}

/*
 * Has COPY read to the end of what it refuses, so that the next row begins where it
 * goes on?  Not where it cannot tell the end of a line, as with bytes that are not of
 * the encoding, and never within a binary row.
 */
static bool
is_past_row(const Rows *rows, CopyFromState cstate, const ErrorData *error)
{
	return cstate->line_buf_valid ||
		(rows->json && error->sqlerrcode != ERRCODE_CHARACTER_NOT_IN_REPERTOIRE &&
		 error->sqlerrcode != ERRCODE_UNTRANSLATABLE_CHARACTER);
}

static char *
raw_line(CopyFromState cstate)
{
	return cstate->line_buf_valid ? pnstrdup(cstate->line_buf.data, cstate->line_buf.len) : NULL;
}

static void
take_rows(CopyFromState cstate, LinkObjectResult *result, void *arg)
{
	Rows	   *rows = arg;
	Reading		reading = {cstate};
	ErrorContextCallback context = {error_context_stack, CopyFromErrorCallback, cstate};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext row_context = AllocSetContextCreate(caller, "link row", ALLOCSET_DEFAULT_SIZES);
	uint64		bad_line = 0;
	bool		more = true;

	reading.read = palloc(rows->nfields * sizeof(Datum));
	reading.read_nulls = palloc(rows->nfields * sizeof(bool));
	reading.values = palloc(rows->desc->natts * sizeof(Datum));
	reading.nulls = palloc(rows->desc->natts * sizeof(bool));
	error_context_stack = &context;
	while (rows->limit < 0 || rows->n < rows->limit)
	{
		ErrorData  *error = NULL;
		uint64		line;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(row_context);
		MemoryContextSwitchTo(row_context);
		if (rows->pipeline->skip & LINK_SKIP_PARSER)
			error = attempt(rows, read_row, &reading, &more);
		else
			more = read_row(rows, &reading);
		line = cstate->cur_lineno + rows->skip_lines;
		if (error)
		{
			/* it would stay there for ever, or take what follows for something else */
			if (line == bad_line || !is_past_row(rows, cstate, error))
				ThrowErrorData(error);
			bad_line = line;
			leave_out(rows, result->path, line, raw_line(cstate), error);
			continue;
		}
		if (!more)
			break;
		set_sources(rows, result->path, line, reading.values, reading.nulls);
		MemoryContextSwitchTo(GetMemoryChunkContext(rows));
		keep_place(rows, result->path, line);
		tuplestore_putvalues(rows->store, rows->desc, reading.values, reading.nulls);
		rows->n++;
		result->rows++;
	}
	error_context_stack = context.previous;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(row_context);
}

/*
 * The statement.
 */

typedef struct Part
{
	Tuplestorestate *store;
	int64		n;
	PlannedStmt *plan;
	DestReceiver *dest;
	uint64		processed;
} Part;

static QueryEnvironment *
environment(Rows *rows, Tuplestorestate *store, int64 n)
{
	QueryEnvironment *env = create_queryEnv();
	EphemeralNamedRelation enr = palloc0(sizeof(EphemeralNamedRelationData));

	enr->md.name = ROWS_NAME;
	enr->md.reliddesc = InvalidOid;
	enr->md.tupdesc = rows->desc;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	enr->md.enrtuples = n;
	enr->reldata = store;
	register_ENR(env, enr);
	return env;
}

static PlannedStmt *
plan_statement(Rows *rows)
{
	QueryEnvironment *env = environment(rows, rows->store, rows->n);
	Query	   *query = rows->inserts ?
		link_pipeline_insert_query(rows->pipeline, rows->target, ROWS_NAME, env) :
		link_pipeline_select_query(rows->pipeline, ROWS_NAME, env);

	return pg_plan_query(linitial_node(Query, pg_rewrite_query(query)), "", 0, NULL);
}

static bool
run_part(Rows *rows, void *arg)
{
	Part	   *part = arg;
	QueryDesc  *desc;

	PushCopiedSnapshot(GetActiveSnapshot());
	UpdateActiveSnapshotCommandId();
	desc = CreateQueryDesc(copyObject(part->plan), "", GetActiveSnapshot(), InvalidSnapshot,
						   part->dest, NULL, environment(rows, part->store, part->n), 0);
	ExecutorStart(desc, 0);
	link_executor_run(desc);
	part->processed = desc->estate->es_processed;
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	PopActiveSnapshot();
	CommandCounterIncrement();
	return true;
}

/* The same for [from, from + n), with bad rows left out. */
static uint64
run_or_halve(Rows *rows, PlannedStmt *plan, int64 from, int64 n)
{
	Part		part = {NULL, n, plan, None_Receiver};
	TupleTableSlot *slot;
	ErrorData  *error;
	bool		done;

	if (n == 0)
		return 0;
	CHECK_FOR_INTERRUPTS();
	part.store = tuplestore_begin_heap(false, false, work_mem);
	slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows->store);
	(void) tuplestore_skiptuples(rows->store, from, true);
	for (int64 i = 0; i < n && tuplestore_gettupleslot(rows->store, true, false, slot); i++)
		tuplestore_puttupleslot(part.store, slot);
	ExecDropSingleTupleTableSlot(slot);

	error = attempt(rows, run_part, &part, &done);
	tuplestore_end(part.store);
	if (error == NULL)
		return part.processed;
	if (n > 1)
		return run_or_halve(rows, plan, from, n / 2) + run_or_halve(rows, plan, from + n / 2, n - n / 2);
	leave_out(rows, rows->paths[from], rows->lines[from], NULL, error);
	return 0;
}

static uint64
insert_rows(Rows *rows)
{
	Part		part = {rows->store, rows->n, plan_statement(rows), None_Receiver};

	if (rows->pipeline->skip != 0)
		return run_or_halve(rows, part.plan, 0, rows->n);
	(void) run_part(rows, &part);
	return part.processed;
}

/*
 * Procedures.
 */

/* With the columns of the rows, of the procedure's owner, to the end of the transaction. */
static Oid
make_table(TupleDesc desc)
{
	CreateStmt *create = makeNode(CreateStmt);
	Oid			owner = GetUserId();
	int			context;
	Oid			user;
	Oid			table;

	create->relation = makeRangeVar("pg_temp", TABLE_NAME, -1);
	create->relation->relpersistence = RELPERSISTENCE_TEMP;
	create->oncommit = ONCOMMIT_DROP;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		create->tableElts = lappend(create->tableElts,
									makeColumnDef(NameStr(column->attname), column->atttypid, column->atttypmod,
												  column->attcollation));
	}

	/*
	 * Which is refused in a security-restricted operation, and runs nobody's code.
	 * Where it lies is decided by the rights of before.
	 */
	PrepareTempTablespaces();
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, SECURITY_LOCAL_USERID_CHANGE);
	table = DefineRelation(create, RELKIND_RELATION, owner, NULL, NULL).objectId;
	SetUserIdAndSecContext(user, context);
	CommandCounterIncrement();
	return table;
}

typedef struct TableReceiver
{
	DestReceiver base;
	Relation	rel;
} TableReceiver;

static bool
table_receive(TupleTableSlot *slot, DestReceiver *self)
{
	simple_table_tuple_insert(((TableReceiver *) self)->rel, slot);
	return true;
}

static void
table_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
table_end(DestReceiver *self)
{
}

/* In one transaction with us: it is called as from a function, and cannot commit. */
static uint64
call_procedure(Rows *rows)
{
	TableReceiver receiver = {{table_receive, table_startup, table_end, table_end, DestNone}};
	Part		part = {rows->store, rows->n, plan_statement(rows), &receiver.base};
	Oid			table = make_table(ExecCleanTypeFromTL(part.plan->planTree->targetlist));
	FmgrInfo	procedure;
	LOCAL_FCINFO(fcinfo, 1);

	receiver.rel = table_open(table, RowExclusiveLock);
	(void) run_part(rows, &part);
	table_close(receiver.rel, NoLock);

	PushCopiedSnapshot(GetActiveSnapshot());
	UpdateActiveSnapshotCommandId();
	fmgr_info(rows->pipeline->procedure, &procedure);
	InitFunctionCallInfoData(*fcinfo, &procedure, get_func_nargs(rows->pipeline->procedure), InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(table);
	fcinfo->args[0].isnull = false;
	(void) FunctionCallInvoke(fcinfo);
	PopActiveSnapshot();
	CommandCounterIncrement();
	return part.processed;
}

/*
 * All of it.
 */

/* Those that the rows have, as a list of fields. */
static char *
column_list(const Rows *rows)
{
	List	   *fields = NIL;

	for (int i = 0; i < rows->nfields; i++)
	{
		LinkPipelineField *field = palloc0(sizeof(LinkPipelineField));

		field->name = pstrdup(NameStr(TupleDescAttr(rows->desc, i)->attname));
		fields = lappend(fields, field);
	}
	return link_fields_to_json(fields);
}

static Rows *
begin_rows(const LinkPipeline *pipeline, LinkSession *session)
{
	Rows	   *rows = palloc0(sizeof(Rows));
	ListCell   *lc;

	rows->pipeline = pipeline;
	rows->session = session;
	rows->limit = -1;
	if (pipeline->signature == NULL)
	{
		rows->target = try_table_open(pipeline->table, RowExclusiveLock);
		if (rows->target == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("the table of pipeline \"%s\" does not exist", pipeline->name)));
	}
	foreach(lc, link_format_options_from_json(pipeline->options))
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "skip") == 0 && option->arg && IsA(option->arg, Float))
			rows->skip_lines = strtoi64(castNode(Float, option->arg)->fval, NULL, 10);
	}
	plan_fields(rows);
	rows->store = tuplestore_begin_heap(pipeline->skip != 0, false, work_mem);
	if (session->provider->features & LINK_IS_STREAM)
		session->messages = link_messages_create();
	return rows;
}

static void
end_rows(Rows *rows)
{
	tuplestore_end(rows->store);
	rows->session->messages = NULL;
	if (rows->target)
		table_close(rows->target, NoLock);
}

List *
link_rows_load(const LinkPipeline *pipeline, List *objects, LinkSession *session,
			   const LinkListed *listed, uint64 *inserted)
{
	Rows	   *rows = begin_rows(pipeline, session);
	List	   *results = link_read_listed(session, objects, listed, rows->read, take_rows, rows);

	/* the statement is about all of them */
	if (list_length(objects) > 1)
		*listed->at = -1;
	if (rows->target)
	{
		rows->inserts = true;
		*inserted = insert_rows(rows);
	}
	else
		*inserted = call_procedure(rows);
	end_rows(rows);
	return results;
}

/*
 * A test.
 */

typedef struct JsonReceiver
{
	DestReceiver base;
	MemoryContext context;
	TupleDesc	desc;
	List	   *texts;
} JsonReceiver;

static void
json_startup(DestReceiver *self, int operation, TupleDesc desc)
{
	((JsonReceiver *) self)->desc = BlessTupleDesc(CreateTupleDescCopy(desc));
}

static bool
json_receive(TupleTableSlot *slot, DestReceiver *self)
{
	JsonReceiver *receiver = (JsonReceiver *) self;
	MemoryContext caller;
	Datum		row;
	char	   *json;

	slot_getallattrs(slot);
	row = HeapTupleGetDatum(heap_form_tuple(receiver->desc, slot->tts_values, slot->tts_isnull));
	json = TextDatumGetCString(DirectFunctionCall1(row_to_json, row));
	caller = MemoryContextSwitchTo(receiver->context);
	receiver->texts = lappend(receiver->texts, pstrdup(json));
	MemoryContextSwitchTo(caller);
	return true;
}

static void
json_end(DestReceiver *self)
{
}

List *
link_rows_test(const LinkPipeline *pipeline, List *objects, LinkSession *session,
			   const LinkListed *listed, int64 limit)
{
	JsonReceiver receiver = {{json_receive, json_startup, json_end, json_end, DestNone}, CurrentMemoryContext};
	LinkPipeline named = *pipeline;
	Part		part = {NULL, 0, NULL, &receiver.base};
	Rows	   *rows;

	named.skip = 0;
	rows = begin_rows(&named, session);
	rows->limit = limit;
	(void) link_read_listed(session, objects, listed, rows->read, take_rows, rows);

	/* the statement that selects has to be told the columns */
	if (named.fields == NULL)
		named.fields = column_list(rows);
	part.store = rows->store;
	part.n = rows->n;
	part.plan = plan_statement(rows);
	(void) run_part(rows, &part);
	end_rows(rows);
	return receiver.texts;
}
