/*-------------------------------------------------------------------------
 *
 * pipelines.c
 *	  Rows of link.pipeline as structs.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "catalog/links.h"
#include "catalog/pipelines.h"
#include "catalog/roles.h"
#include "catalog/tables.h"
#include "catalog/targets.h"
#include "errors.h"

static const struct
{
	int			flag;
	const char *name;
}			skips[] = {
	{LINK_SKIP_PARSER, "PARSER"},
	{LINK_SKIP_CONSTRAINT, "CONSTRAINT"},
	{LINK_SKIP_DUPLICATE_KEY, "DUPLICATE KEY"},
};

static const char *const states[] = {
	[LINK_PIPELINE_STOPPED] = "Stopped",
	[LINK_PIPELINE_RUNNING] = "Running",
	[LINK_PIPELINE_ERROR] = "Error",
};

const char *
link_pipeline_state_name(LinkPipelineState state)
{
	return states[state];
}

/*
 * From a tuple.
 */

static Datum
column(HeapTuple tuple, TupleDesc desc, AttrNumber number, bool *isnull)
{
	return heap_getattr(tuple, number, desc, isnull);
}

static char *
text_column(HeapTuple tuple, TupleDesc desc, AttrNumber number)
{
	bool		isnull;
	Datum		datum = column(tuple, desc, number, &isnull);

	return isnull ? NULL : TextDatumGetCString(datum);
}

static char *
json_column(HeapTuple tuple, TupleDesc desc, AttrNumber number)
{
	bool		isnull;
	Datum		datum = column(tuple, desc, number, &isnull);

	return isnull ? NULL : JsonbToCString(NULL, &DatumGetJsonbP(datum)->root, 0);
}

static int
skip_column(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	ArrayType  *array = DatumGetArrayTypeP(column(tuple, desc, PIPELINE_COL_SKIP, &isnull));
	Datum	   *names;
	int			n;
	int			skip = 0;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &n);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < lengthof(skips); j++)
			if (strcmp(TextDatumGetCString(names[i]), skips[j].name) == 0)
				skip |= skips[j].flag;
	return skip;
}

static LinkPipelineState
state_column(HeapTuple tuple, TupleDesc desc)
{
	char	   *name = text_column(tuple, desc, PIPELINE_COL_STATE);

	for (int i = 0; i < lengthof(states); i++)
		if (strcmp(name, states[i]) == 0)
			return (LinkPipelineState) i;
	return LINK_PIPELINE_STOPPED;
}

LinkPipeline *
link_pipeline_from_tuple(HeapTuple tuple, TupleDesc desc)
{
	LinkPipeline *row = palloc0(sizeof(LinkPipeline));
	bool		isnull;
	Datum		datum;

#define COLUMN(number) column(tuple, desc, number, &isnull)
	row->id = DatumGetInt64(COLUMN(PIPELINE_COL_ID));
	row->name = pstrdup(NameStr(*DatumGetName(COLUMN(PIPELINE_COL_NAME))));
	row->owner = DatumGetObjectId(COLUMN(PIPELINE_COL_OWNER));
	row->link_id = DatumGetInt64(COLUMN(PIPELINE_COL_LINK_ID));
	row->path = text_column(tuple, desc, PIPELINE_COL_PATH);
	datum = COLUMN(PIPELINE_COL_TABLE);
	row->table = isnull ? InvalidOid : DatumGetObjectId(datum);
	row->signature = text_column(tuple, desc, PIPELINE_COL_PROCEDURE);
	row->procedure = row->signature ? link_procedure_named(row->signature) : InvalidOid;
	row->options = json_column(tuple, desc, PIPELINE_COL_OPTIONS);
	row->fields = json_column(tuple, desc, PIPELINE_COL_FIELDS);
	row->set_clause = text_column(tuple, desc, PIPELINE_COL_SET);
	row->where_clause = text_column(tuple, desc, PIPELINE_COL_WHERE);
	row->on_conflict = text_column(tuple, desc, PIPELINE_COL_ON_CONFLICT);
	row->search_path = text_column(tuple, desc, PIPELINE_COL_SEARCH_PATH);
	row->clause_path = text_column(tuple, desc, PIPELINE_COL_CLAUSE_PATH);
	row->batch_interval = DatumGetInt32(COLUMN(PIPELINE_COL_BATCH_INTERVAL));
	row->max_partitions = DatumGetInt32(COLUMN(PIPELINE_COL_MAX_PARTITIONS));
	row->max_retries = DatumGetInt32(COLUMN(PIPELINE_COL_MAX_RETRIES));
	row->max_offsets = DatumGetInt64(COLUMN(PIPELINE_COL_MAX_OFFSETS));
	row->skip = skip_column(tuple, desc);
	row->stop_on_error = DatumGetBool(COLUMN(PIPELINE_COL_STOP_ON_ERROR));
	row->state = state_column(tuple, desc);
	row->error = text_column(tuple, desc, PIPELINE_COL_ERROR);
	row->system_identifier = (uint64) DatumGetInt64(COLUMN(PIPELINE_COL_SYSTEM_IDENTIFIER));
	row->database = DatumGetObjectId(COLUMN(PIPELINE_COL_DATABASE));
	row->created_at = DatumGetTimestampTz(COLUMN(PIPELINE_COL_CREATED_AT));
	row->altered_at = DatumGetTimestampTz(COLUMN(PIPELINE_COL_ALTERED_AT));
#undef COLUMN

	row->tid = tuple->t_self;
	row->version = ((uint64) HeapTupleHeaderGetRawXmin(tuple->t_data) << 32) ^
		((uint64) ItemPointerGetBlockNumber(&tuple->t_self) << 11) ^
		ItemPointerGetOffsetNumber(&tuple->t_self);
	return row;
}

/*
 * Lookup.
 */

static LinkPipeline *
one_row(const char *index, ScanKey key)
{
	LinkScan	scan;
	HeapTuple	tuple;
	LinkPipeline *row = NULL;

	link_scan_begin(&scan, PIPELINE_TABLE, index, 1, key);
	tuple = link_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
		row = link_pipeline_from_tuple(tuple, RelationGetDescr(scan.rel));
	link_scan_end(&scan);
	return row;
}

LinkPipeline *
link_pipeline_by_id(int64 id)
{
	ScanKeyData key;

	link_key_int64(&key, PIPELINE_COL_ID, id);
	return one_row(PIPELINE_ID_INDEX, &key);
}

LinkPipeline *
link_pipeline_by_name(const char *name)
{
	ScanKeyData key;
	NameData	folded;

	namestrcpy(&folded, link_fold_name(name));
	link_key_name(&key, PIPELINE_COL_FOLDED_NAME, &folded);
	return one_row(PIPELINE_NAME_INDEX, &key);
}

static int
id_cmp(const ListCell *a, const ListCell *b)
{
	const LinkPipeline *x = lfirst(a);
	const LinkPipeline *y = lfirst(b);

	return (x->id > y->id) - (x->id < y->id);
}

List *
link_pipelines(int64 link_id, Oid owner)
{
	LinkScan	scan;
	HeapTuple	tuple;
	ScanKeyData key;
	List	   *rows = NIL;

	if (link_id != 0)
	{
		link_key_int64(&key, PIPELINE_COL_LINK_ID, link_id);
		link_scan_begin(&scan, PIPELINE_TABLE, PIPELINE_LINK_INDEX, 1, &key);
	}
	else if (OidIsValid(owner))
	{
		link_key_oid(&key, PIPELINE_COL_OWNER, owner);
		link_scan_begin(&scan, PIPELINE_TABLE, PIPELINE_OWNER_INDEX, 1, &key);
	}
	else
		link_scan_begin(&scan, PIPELINE_TABLE, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
	{
		LinkPipeline *row = link_pipeline_from_tuple(tuple, RelationGetDescr(scan.rel));

		if (!OidIsValid(owner) || row->owner == owner)
			rows = lappend(rows, row);
	}
	link_scan_end(&scan);
	list_sort(rows, id_cmp);
	return rows;
}

bool
link_pipeline_runs(const LinkPipeline *pipeline)
{
	return pipeline->state == LINK_PIPELINE_RUNNING &&
		pipeline->system_identifier == GetSystemIdentifier() &&
		pipeline->database == MyDatabaseId && !RecoveryInProgress();
}

char *
link_pipeline_target(const LinkPipeline *pipeline)
{
	char	   *name;

	if (pipeline->signature)
		return psprintf("procedure %s", pipeline->signature);
	name = link_table_name(pipeline->table);
	return name ? psprintf("table %s", name) : pstrdup("a table that is gone");
}

/*
 * Writing.
 */

static Datum
skip_datum(int skip)
{
	Datum		names[lengthof(skips)];
	int			n = 0;

	for (int i = 0; i < lengthof(skips); i++)
		if (skip & skips[i].flag)
			names[n++] = CStringGetTextDatum(skips[i].name);
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
text_datum(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

static Datum
json_datum(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? DirectFunctionCall1(jsonb_in, CStringGetDatum(text)) : (Datum) 0;
}

static void
form_columns(const LinkPipeline *row, Datum *values, bool *nulls)
{
#define VALUE(number) values[(number) - 1]
#define TEXT(number, text) VALUE(number) = text_datum(text, &nulls[(number) - 1])
	VALUE(PIPELINE_COL_ID) = Int64GetDatum(row->id);
	VALUE(PIPELINE_COL_NAME) = DirectFunctionCall1(namein, CStringGetDatum(row->name));
	VALUE(PIPELINE_COL_FOLDED_NAME) = DirectFunctionCall1(namein, CStringGetDatum(link_fold_name(row->name)));
	VALUE(PIPELINE_COL_OWNER) = ObjectIdGetDatum(row->owner);
	VALUE(PIPELINE_COL_LINK_ID) = Int64GetDatum(row->link_id);
	TEXT(PIPELINE_COL_PATH, row->path);
	VALUE(PIPELINE_COL_TABLE) = ObjectIdGetDatum(row->table);
	nulls[PIPELINE_COL_TABLE - 1] = row->signature != NULL;
	TEXT(PIPELINE_COL_PROCEDURE, row->signature);
	VALUE(PIPELINE_COL_OPTIONS) = json_datum(row->options, &nulls[PIPELINE_COL_OPTIONS - 1]);
	VALUE(PIPELINE_COL_FIELDS) = json_datum(row->fields, &nulls[PIPELINE_COL_FIELDS - 1]);
	TEXT(PIPELINE_COL_SET, row->set_clause);
	TEXT(PIPELINE_COL_WHERE, row->where_clause);
	TEXT(PIPELINE_COL_ON_CONFLICT, row->on_conflict);
	TEXT(PIPELINE_COL_SEARCH_PATH, row->search_path);
	TEXT(PIPELINE_COL_CLAUSE_PATH, row->clause_path);
	VALUE(PIPELINE_COL_BATCH_INTERVAL) = Int32GetDatum(row->batch_interval);
	VALUE(PIPELINE_COL_MAX_PARTITIONS) = Int32GetDatum(row->max_partitions);
	VALUE(PIPELINE_COL_MAX_RETRIES) = Int32GetDatum(row->max_retries);
	VALUE(PIPELINE_COL_MAX_OFFSETS) = Int64GetDatum(row->max_offsets);
	VALUE(PIPELINE_COL_SKIP) = skip_datum(row->skip);
	VALUE(PIPELINE_COL_STOP_ON_ERROR) = BoolGetDatum(row->stop_on_error);
	TEXT(PIPELINE_COL_STATE, states[row->state]);
	TEXT(PIPELINE_COL_ERROR, row->error);
	VALUE(PIPELINE_COL_SYSTEM_IDENTIFIER) = Int64GetDatum((int64) row->system_identifier);
	VALUE(PIPELINE_COL_DATABASE) = ObjectIdGetDatum(row->database);
	VALUE(PIPELINE_COL_CREATED_AT) = TimestampTzGetDatum(row->created_at);
	VALUE(PIPELINE_COL_ALTERED_AT) = TimestampTzGetDatum(row->altered_at);
#undef TEXT
#undef VALUE
}

void
link_pipeline_insert(LinkPipeline *pipeline)
{
	Datum		values[PIPELINE_NCOLS] = {0};
	bool		nulls[PIPELINE_NCOLS] = {0};

	pipeline->id = link_next_id(PIPELINE_ID_SEQUENCE);
	pipeline->created_at = pipeline->altered_at = GetCurrentTimestamp();
	form_columns(pipeline, values, nulls);
	link_table_insert(PIPELINE_TABLE, values, nulls);
}

/* The row as it is now: the struct may be older than a change of the state. */
static HeapTuple
current_tuple(int64 id)
{
	return link_table_row(PIPELINE_TABLE, PIPELINE_ID_INDEX, PIPELINE_COL_ID, id, NULL);
}

void
link_pipeline_update(LinkPipeline *pipeline)
{
	HeapTuple	old = current_tuple(pipeline->id);
	Datum		values[PIPELINE_NCOLS] = {0};
	bool		nulls[PIPELINE_NCOLS] = {0};
	bool		replace[PIPELINE_NCOLS];

	if (!HeapTupleIsValid(old))
		elog(ERROR, "pipeline " INT64_FORMAT " vanished", pipeline->id);
	pipeline->altered_at = GetCurrentTimestamp();
	form_columns(pipeline, values, nulls);
	memset(replace, true, sizeof(replace));
	replace[PIPELINE_COL_ID - 1] = replace[PIPELINE_COL_CREATED_AT - 1] = false;
	link_table_update(PIPELINE_TABLE, old, values, nulls, replace);
	heap_freetuple(old);
}

void
link_pipeline_set_state(int64 id, LinkPipelineState state, const char *error)
{
	HeapTuple	old = current_tuple(id);
	Datum		values[PIPELINE_NCOLS] = {0};
	bool		nulls[PIPELINE_NCOLS] = {0};
	bool		replace[PIPELINE_NCOLS] = {0};

	if (!HeapTupleIsValid(old))
		return;
	values[PIPELINE_COL_STATE - 1] = CStringGetTextDatum(states[state]);
	replace[PIPELINE_COL_STATE - 1] = true;
	values[PIPELINE_COL_ERROR - 1] = text_datum(error, &nulls[PIPELINE_COL_ERROR - 1]);
	replace[PIPELINE_COL_ERROR - 1] = true;
	if (state == LINK_PIPELINE_RUNNING)
	{
		values[PIPELINE_COL_SYSTEM_IDENTIFIER - 1] = Int64GetDatum((int64) GetSystemIdentifier());
		replace[PIPELINE_COL_SYSTEM_IDENTIFIER - 1] = true;
		values[PIPELINE_COL_DATABASE - 1] = ObjectIdGetDatum(MyDatabaseId);
		replace[PIPELINE_COL_DATABASE - 1] = true;
	}
	link_table_update(PIPELINE_TABLE, old, values, nulls, replace);
	heap_freetuple(old);
}

void
link_pipeline_delete(const LinkPipeline *pipeline)
{
	static const struct
	{
		const char *table;
		const char *index;
		AttrNumber	column;
	}			parts[] = {
		{PIPELINE_FILE_TABLE, PIPELINE_FILE_INDEX, PIPELINE_FILE_COL_PIPELINE},
		{PIPELINE_CURSOR_TABLE, PIPELINE_CURSOR_INDEX, PIPELINE_CURSOR_COL_PIPELINE},
		{PIPELINE_BATCH_TABLE, PIPELINE_BATCH_INDEX, PIPELINE_BATCH_COL_PIPELINE},
		{PIPELINE_ERROR_TABLE, PIPELINE_ERROR_INDEX, PIPELINE_ERROR_COL_PIPELINE},
		{PIPELINE_TABLE, PIPELINE_ID_INDEX, PIPELINE_COL_ID},
	};

	link_lock_pipeline(pipeline->id);
	for (int i = 0; i < lengthof(parts); i++)
	{
		ScanKeyData key;

		link_key_int64(&key, parts[i].column, pipeline->id);
		link_table_delete_all(parts[i].table, parts[i].index, 1, &key);
	}
	link_anchor_release(pipeline->owner);
}
