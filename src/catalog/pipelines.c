/*-------------------------------------------------------------------------
 *
 * pipelines.c
 *	  Rows of link.pipeline as structs, and where they run.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "catalog/links.h"
#include "catalog/pipelines.h"
#include "catalog/tables.h"

#define PIPELINE_TABLE "pipeline"
#define PIPELINE_ID_INDEX "pipeline_pkey"
#define PIPELINE_NAME_INDEX "pipeline_name_key"
#define PIPELINE_LINK_INDEX "pipeline_link_index"
#define PIPELINE_OWNER_INDEX "pipeline_owner_index"

enum
{
	COL_ID = 1,
	COL_NAME,
	COL_FOLDED_NAME,
	COL_OWNER,
	COL_LINK_ID,
	COL_PATH,
	COL_TARGET_KIND,
	COL_TARGET_TABLE,
	COL_TARGET_PROCEDURE,
	COL_OPTIONS,
	COL_FIELDS,
	COL_SET_CLAUSE,
	COL_WHERE_CLAUSE,
	COL_ON_CONFLICT,
	COL_SEARCH_PATH,
	COL_BATCH_INTERVAL,
	COL_MAX_PARTITIONS,
	COL_MAX_RETRIES,
	COL_MAX_OFFSETS,
	COL_SKIP_ERRORS,
	COL_STOP_ON_ERROR,
	COL_STATE,
	COL_ERROR,
	COL_SYSTEM_IDENTIFIER,
	COL_DATABASE,
	COL_CREATED_AT,
	COL_ALTERED_AT
};
#define NCOLS COL_ALTERED_AT

static const char *const states[] = {
	[LINK_PIPELINE_STOPPED] = "Stopped",
	[LINK_PIPELINE_RUNNING] = "Running",
	[LINK_PIPELINE_ERROR] = "Error",
};

static const struct
{
	const char *name;
	int			bit;
}			skips[] = {
	{"PARSER", LINK_SKIP_PARSER},
	{"CONSTRAINT", LINK_SKIP_CONSTRAINT},
	{"DUPLICATE KEY", LINK_SKIP_DUPLICATE_KEY},
};

/* ---- reading ---- */

static Datum
column(HeapTuple tuple, TupleDesc desc, AttrNumber attribute)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, attribute, desc, &isnull);

	return isnull ? (Datum) 0 : datum;
}

static char *
text_column(HeapTuple tuple, TupleDesc desc, AttrNumber attribute)
{
	Datum		datum = column(tuple, desc, attribute);

	return datum ? TextDatumGetCString(datum) : NULL;
}

static char *
json_column(HeapTuple tuple, TupleDesc desc, AttrNumber attribute)
{
	Datum		datum = column(tuple, desc, attribute);

	return datum ? JsonbToCString(NULL, &DatumGetJsonbP(datum)->root, 0) : NULL;
}

static int
skip_column(HeapTuple tuple, TupleDesc desc)
{
	Datum	   *names;
	int			n;
	int			result = 0;

	deconstruct_array(DatumGetArrayTypeP(column(tuple, desc, COL_SKIP_ERRORS)), TEXTOID, -1, false, TYPALIGN_INT,
					  &names, NULL, &n);
	for (int i = 0; i < n; i++)
		for (int s = 0; s < lengthof(skips); s++)
			if (strcmp(TextDatumGetCString(names[i]), skips[s].name) == 0)
				result |= skips[s].bit;
	return result;
}

/* What is not known is not running. */
static LinkPipelineState
state_column(HeapTuple tuple, TupleDesc desc)
{
	const char *state = text_column(tuple, desc, COL_STATE);

	for (int i = 0; i < lengthof(states); i++)
		if (strcmp(state, states[i]) == 0)
			return (LinkPipelineState) i;
	return LINK_PIPELINE_STOPPED;
}

static LinkPipeline *
from_tuple(HeapTuple tuple, TupleDesc desc)
{
	LinkPipeline *pipeline = palloc0(sizeof(LinkPipeline));

	pipeline->id = DatumGetInt64(column(tuple, desc, COL_ID));
	pipeline->name = pstrdup(NameStr(*DatumGetName(column(tuple, desc, COL_NAME))));
	pipeline->owner = DatumGetObjectId(column(tuple, desc, COL_OWNER));
	pipeline->link_id = DatumGetInt64(column(tuple, desc, COL_LINK_ID));
	pipeline->path = text_column(tuple, desc, COL_PATH);
	pipeline->table = DatumGetObjectId(column(tuple, desc, COL_TARGET_TABLE));
	pipeline->procedure = DatumGetObjectId(column(tuple, desc, COL_TARGET_PROCEDURE));
	pipeline->options = json_column(tuple, desc, COL_OPTIONS);
	pipeline->fields = json_column(tuple, desc, COL_FIELDS);
	pipeline->set_clause = text_column(tuple, desc, COL_SET_CLAUSE);
	pipeline->where_clause = text_column(tuple, desc, COL_WHERE_CLAUSE);
	pipeline->on_conflict = text_column(tuple, desc, COL_ON_CONFLICT);
	pipeline->search_path = text_column(tuple, desc, COL_SEARCH_PATH);
	pipeline->batch_interval = DatumGetInt32(column(tuple, desc, COL_BATCH_INTERVAL));
	pipeline->max_partitions = DatumGetInt32(column(tuple, desc, COL_MAX_PARTITIONS));
	pipeline->max_retries = DatumGetInt32(column(tuple, desc, COL_MAX_RETRIES));
	pipeline->max_offsets = DatumGetInt64(column(tuple, desc, COL_MAX_OFFSETS));
	pipeline->skip = skip_column(tuple, desc);
	pipeline->stop_on_error = DatumGetBool(column(tuple, desc, COL_STOP_ON_ERROR));
	pipeline->state = state_column(tuple, desc);
	pipeline->error = text_column(tuple, desc, COL_ERROR);
	pipeline->system_identifier = (uint64) DatumGetInt64(column(tuple, desc, COL_SYSTEM_IDENTIFIER));
	pipeline->database = DatumGetObjectId(column(tuple, desc, COL_DATABASE));
	pipeline->created_at = DatumGetTimestampTz(column(tuple, desc, COL_CREATED_AT));
	pipeline->altered_at = DatumGetTimestampTz(column(tuple, desc, COL_ALTERED_AT));
	pipeline->tid = tuple->t_self;

	/* as of links: whatever is at this place was put there by one command of one transaction */
	pipeline->version = ((uint64) HeapTupleHeaderGetRawXmin(tuple->t_data) << 32) ^
		((uint64) ItemPointerGetBlockNumber(&tuple->t_self) << 11) ^
		ItemPointerGetOffsetNumber(&tuple->t_self);
	return pipeline;
}

static int
id_cmp(const ListCell *a, const ListCell *b)
{
	const LinkPipeline *x = lfirst(a);
	const LinkPipeline *y = lfirst(b);

	return (x->id > y->id) - (x->id < y->id);
}

static List *
find(const char *index, int nkeys, ScanKey keys)
{
	LinkScan	scan;
	HeapTuple	tuple;
	List	   *result = NIL;

	link_scan_begin(&scan, PIPELINE_TABLE, index, nkeys, keys);
	while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
		result = lappend(result, from_tuple(tuple, RelationGetDescr(scan.rel)));
	link_scan_end(&scan);
	list_sort(result, id_cmp);
	return result;
}

LinkPipeline *
link_pipeline_by_id(int64 id)
{
	ScanKeyData key;
	List	   *found;

	link_key_int64(&key, COL_ID, id);
	found = find(PIPELINE_ID_INDEX, 1, &key);
	return found == NIL ? NULL : linitial(found);
}

LinkPipeline *
link_pipeline_by_name(const char *name)
{
	ScanKeyData key;
	NameData	folded;
	List	   *found;

	namestrcpy(&folded, link_fold_name(name));
	link_key_name(&key, COL_FOLDED_NAME, &folded);
	found = find(PIPELINE_NAME_INDEX, 1, &key);
	return found == NIL ? NULL : linitial(found);
}

List *
link_pipelines(int64 link_id, Oid owner)
{
	ScanKeyData keys[1];

	if (link_id != 0)
	{
		link_key_int64(&keys[0], COL_LINK_ID, link_id);
		return find(PIPELINE_LINK_INDEX, 1, keys);
	}
	if (OidIsValid(owner))
	{
		link_key_oid(&keys[0], COL_OWNER, owner);
		return find(PIPELINE_OWNER_INDEX, 1, keys);
	}
	return find(NULL, 0, NULL);
}

bool
link_pipeline_runs(const LinkPipeline *pipeline)
{
	return pipeline->state == LINK_PIPELINE_RUNNING && !RecoveryInProgress() &&
		pipeline->system_identifier == GetSystemIdentifier() && pipeline->database == MyDatabaseId;
}

/* ---- writing ---- */

void
link_pipeline_set_state(int64 id, LinkPipelineState state, const char *error)
{
	ScanKeyData key;
	LinkScan	scan;
	HeapTuple	tuple;
	Datum		values[NCOLS] = {0};
	bool		nulls[NCOLS] = {0};
	bool		replace[NCOLS] = {0};

	values[COL_STATE - 1] = CStringGetTextDatum(states[state]);
	replace[COL_STATE - 1] = true;
	nulls[COL_ERROR - 1] = error == NULL;
	values[COL_ERROR - 1] = error ? CStringGetTextDatum(error) : (Datum) 0;
	replace[COL_ERROR - 1] = true;
	if (state == LINK_PIPELINE_RUNNING)
	{
		values[COL_SYSTEM_IDENTIFIER - 1] = Int64GetDatum((int64) GetSystemIdentifier());
		replace[COL_SYSTEM_IDENTIFIER - 1] = true;
		values[COL_DATABASE - 1] = ObjectIdGetDatum(MyDatabaseId);
		replace[COL_DATABASE - 1] = true;
	}
	link_key_int64(&key, COL_ID, id);
	link_scan_begin(&scan, PIPELINE_TABLE, PIPELINE_ID_INDEX, 1, &key);
	tuple = link_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
		link_table_update(PIPELINE_TABLE, tuple, values, nulls, replace);
	link_scan_end(&scan);
}

/* ---- locks ---- */

/* Object locks on (link.pipeline, low half of the id, part of the high half). */
static void
lock(int64 id, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, link_relation_oid(PIPELINE_TABLE), (uint32) id,
					   (uint16) ((id >> 32) & 0x7FFF));
	(void) LockAcquire(&tag, mode, false, false);
}

void
link_lock_pipeline(int64 id)
{
	lock(id, AccessExclusiveLock);
}

void
link_lock_pipeline_shared(int64 id)
{
	lock(id, AccessShareLock);
}
