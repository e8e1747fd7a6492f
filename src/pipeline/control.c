/*-------------------------------------------------------------------------
 *
 * control.c
 *	  What a pipeline does: START, STOP, TEST; its positions and errors.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_collation.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "catalog/privileges.h"
#include "catalog/tables.h"
#include "catalog/use.h"
#include "errors.h"
#include "pipeline/ddl.h"
#include "pipeline/pipeline.h"
#include "provider/provider.h"

static bool
is_stream(const LinkRow *link)
{
	return link->provider && (link->provider->features & LINK_IS_STREAM) != 0;
}

/*
 * State.
 */

/* What has failed is tried anew, as often as before. */
static void
reset_attempts(int64 id)
{
	static const struct
	{
		const char *table;
		const char *index;
		AttrNumber	pipeline;
		AttrNumber	attempts;
		AttrNumber	retry_at;
		int			columns;
	}			parts[] = {
		{PIPELINE_FILE_TABLE, PIPELINE_FILE_UNLOADED_INDEX, PIPELINE_FILE_COL_PIPELINE,
		PIPELINE_FILE_COL_ATTEMPTS, PIPELINE_FILE_COL_RETRY_AT, PIPELINE_FILE_NCOLS},
		{PIPELINE_CURSOR_TABLE, PIPELINE_CURSOR_INDEX, PIPELINE_CURSOR_COL_PIPELINE,
		PIPELINE_CURSOR_COL_ATTEMPTS, PIPELINE_CURSOR_COL_RETRY_AT, PIPELINE_CURSOR_NCOLS},
	};

	for (int i = 0; i < lengthof(parts); i++)
	{
		Relation	rel = link_table_open(parts[i].table, RowExclusiveLock);
		TupleDesc	desc = RelationGetDescr(rel);
		LinkScan	scan;
		ScanKeyData key;
		HeapTuple	tuple;

		link_key_int64(&key, parts[i].pipeline, id);
		link_scan_begin(&scan, parts[i].table, parts[i].index, 1, &key);
		while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
		{
			int			columns[] = {parts[i].attempts, parts[i].retry_at};
			Datum		values[] = {Int32GetDatum(0), (Datum) 0};
			bool		nulls[] = {false, true};
			bool		isnull;

			CHECK_FOR_INTERRUPTS();
			if (DatumGetInt32(heap_getattr(tuple, parts[i].attempts, desc, &isnull)) == 0)
				continue;
			CatalogTupleUpdate(rel, &tuple->t_self,
							   heap_modify_tuple_by_cols(tuple, desc, lengthof(columns), columns, values, nulls));
		}
		link_scan_end(&scan);
		table_close(rel, RowExclusiveLock);
	}
	CommandCounterIncrement();
}

static void
wrong_state(const LinkPipeline *pipeline, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("pipeline %s %s", quote_identifier(pipeline->name), what)));
}

static void
start(const char *name, bool missing_ok)
{
	LinkPipeline *pipeline = link_lock_own_pipeline(name);

	if (link_pipeline_runs(pipeline))
	{
		if (!missing_ok)
			wrong_state(pipeline, "is running already");
		return;
	}
	(void) link_pipeline_check_rights(pipeline);
	reset_attempts(pipeline->id);
	link_pipeline_set_state(pipeline->id, LINK_PIPELINE_RUNNING, NULL);
	link_pipeline_wake();
	if (!link_pipeline_survives_restart())
		ereport(NOTICE,
				(errmsg("pipeline %s runs until the server stops", quote_identifier(pipeline->name)),
				 errhint("With link in shared_preload_libraries it goes on after a restart.")));
}

static void
stop(const char *name, bool missing_ok)
{
	LinkPipeline *pipeline = link_lock_own_pipeline(name);

	if (pipeline->state == LINK_PIPELINE_STOPPED)
	{
		if (!missing_ok)
			wrong_state(pipeline, "is not running");
		return;
	}
	link_pipeline_set_state(pipeline->id, LINK_PIPELINE_STOPPED, NULL);
	link_wake_for(pipeline);
}

void
link_start_pipeline(const char *name, bool missing_ok)
{
	LINK_USE_BEGIN(LINK_VERB_START_PIPELINE, NULL);
	{
		link_prevent_write("START PIPELINE");
		start(name, missing_ok);
	}
	LINK_USE_END();
}

void
link_stop_pipeline(const char *name, bool missing_ok)
{
	LINK_USE_BEGIN(LINK_VERB_STOP_PIPELINE, NULL);
	{
		link_prevent_write("STOP PIPELINE");
		stop(name, missing_ok);
	}
	LINK_USE_END();
}

void
link_start_all_pipelines(void)
{
	ListCell   *lc;

	foreach(lc, link_visible_pipelines())
		link_start_pipeline(((LinkPipeline *) lfirst(lc))->name, true);
}

void
link_stop_all_pipelines(void)
{
	ListCell   *lc;

	foreach(lc, link_visible_pipelines())
		link_stop_pipeline(((LinkPipeline *) lfirst(lc))->name, true);
}

/* No lock: a worker of the engine loads, in transactions of its own. */
uint64
link_run_pipeline(const char *name, int64 limit)
{
	uint64		rows = 0;

	LINK_USE_BEGIN(LINK_VERB_START_PIPELINE, NULL);
	{
		LinkPipeline *pipeline;

		link_prevent_write("START PIPELINE");
		if (limit < 0)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("the number of batches must not be negative")));
		pipeline = link_own_pipeline(name);
		if (link_pipeline_runs(pipeline))
			wrong_state(pipeline, "is running already");
		(void) link_pipeline_check_rights(pipeline);
		rows = link_pipeline_run_foreground(pipeline->id, limit);
	}
	LINK_USE_END();
	return rows;
}

List *
link_test_pipeline(const char *name, int64 limit)
{
	List	   *rows = NIL;

	LINK_USE_BEGIN(LINK_VERB_TEST_PIPELINE, NULL);
	{
		LinkPipeline *pipeline = link_own_pipeline(name);

		if (limit < 0)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("LIMIT must not be negative")));
		(void) link_pipeline_check_rights(pipeline);
		rows = link_pipeline_test(pipeline, limit);
	}
	LINK_USE_END();
	return rows;
}

/*
 * Positions.
 */

/* A pipeline whose positions may be changed, and its link. */
static LinkPipeline *
lock_at_rest(const char *name, LinkRow **link)
{
	LinkPipeline *pipeline;

	link_prevent_write("ALTER PIPELINE");
	pipeline = link_lock_own_pipeline(name);
	if (link_pipeline_runs(pipeline))
		wrong_state(pipeline, "is running: stop it first");
	*link = link_pipeline_check_rights(pipeline);
	return pipeline;
}

static HeapTuple
find_file(LinkScan *scan, int64 id, const char *path)
{
	ScanKeyData keys[2];

	link_key_int64(&keys[0], PIPELINE_FILE_COL_PIPELINE, id);
	ScanKeyInit(&keys[1], PIPELINE_FILE_COL_PATH, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(path));
	keys[1].sk_collation = C_COLLATION_OID;
	link_scan_begin(scan, PIPELINE_FILE_TABLE, PIPELINE_FILE_INDEX, 2, keys);
	return link_scan_next(scan);
}

/* What is passed over as if it had been loaded. */
static void
skip_file(int64 id, const LinkObject *object)
{
	Relation	rel = link_table_open(PIPELINE_FILE_TABLE, RowExclusiveLock);
	Datum		values[PIPELINE_FILE_NCOLS] = {0};
	bool		nulls[PIPELINE_FILE_NCOLS] = {0};
	bool		replace[PIPELINE_FILE_NCOLS] = {0};
	LinkScan	scan;
	HeapTuple	old = find_file(&scan, id, object->path);

	values[PIPELINE_FILE_COL_PIPELINE - 1] = Int64GetDatum(id);
	values[PIPELINE_FILE_COL_PATH - 1] = CStringGetTextDatum(object->path);
	values[PIPELINE_FILE_COL_SIZE - 1] = Int64GetDatum(Max(object->size, 0));
	values[PIPELINE_FILE_COL_LAST_MODIFIED - 1] = TimestampTzGetDatum(object->last_modified);
	nulls[PIPELINE_FILE_COL_LAST_MODIFIED - 1] = TIMESTAMP_IS_NOBEGIN(object->last_modified);
	values[PIPELINE_FILE_COL_ETAG - 1] = object->etag ? CStringGetTextDatum(object->etag) : (Datum) 0;
	nulls[PIPELINE_FILE_COL_ETAG - 1] = object->etag == NULL;
	values[PIPELINE_FILE_COL_STATE - 1] = CStringGetTextDatum("Skipped");
	values[PIPELINE_FILE_COL_ATTEMPTS - 1] = Int32GetDatum(0);
	nulls[PIPELINE_FILE_COL_RETRY_AT - 1] = true;
	nulls[PIPELINE_FILE_COL_BATCH - 1] = true;
	if (HeapTupleIsValid(old))
	{
		bool		isnull;
		char	   *state = TextDatumGetCString(heap_getattr(old, PIPELINE_FILE_COL_STATE,
															 RelationGetDescr(rel), &isnull));

		replace[PIPELINE_FILE_COL_STATE - 1] = true;
		replace[PIPELINE_FILE_COL_RETRY_AT - 1] = true;
		if (strcmp(state, "Unloaded") == 0)
			CatalogTupleUpdate(rel, &old->t_self,
							   heap_modify_tuple(old, RelationGetDescr(rel), values, nulls, replace));
	}
	else
		CatalogTupleInsert(rel, heap_form_tuple(RelationGetDescr(rel), values, nulls));
	link_scan_end(&scan);
	table_close(rel, RowExclusiveLock);
}

typedef struct SkipListed
{
	int64		id;
	MemoryContext context;		/* of one object */
} SkipListed;

static bool
skip_listed(const LinkObject *object, void *arg)
{
	SkipListed *skip = arg;
	MemoryContext caller = MemoryContextSwitchTo(skip->context);

	CHECK_FOR_INTERRUPTS();
	skip_file(skip->id, object);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(skip->context);
	return true;
}

static void
list_source(const LinkRow *link, const char *path, LinkObjectCallback callback, void *arg)
{
	LinkSession *session = link_open(link);

	link_list(session, path, true, callback, arg);
	link_close(session);
}

static void
forget_files(int64 id)
{
	ScanKeyData key;

	link_key_int64(&key, PIPELINE_FILE_COL_PIPELINE, id);
	link_table_delete_all(PIPELINE_FILE_TABLE, PIPELINE_FILE_INDEX, 1, &key);
}

static bool
forget_file(int64 id, const char *path)
{
	LinkScan	scan;
	HeapTuple	tuple = find_file(&scan, id, path);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
		link_table_delete(PIPELINE_FILE_TABLE, &tuple->t_self);
	link_scan_end(&scan);
	return found;
}

static void
set_cursor(int64 id, int partition, int64 offset)
{
	Relation	rel = link_table_open(PIPELINE_CURSOR_TABLE, RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	Datum		values[PIPELINE_CURSOR_NCOLS] = {0};
	bool		nulls[PIPELINE_CURSOR_NCOLS] = {0};
	int64		latest = offset;
	ScanKeyData keys[2];
	LinkScan	scan;
	HeapTuple	old;

	link_key_int64(&keys[0], PIPELINE_CURSOR_COL_PIPELINE, id);
	ScanKeyInit(&keys[1], PIPELINE_CURSOR_COL_PARTITION, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(partition));
	link_scan_begin(&scan, PIPELINE_CURSOR_TABLE, PIPELINE_CURSOR_INDEX, 2, keys);
	old = link_scan_next(&scan);
	if (HeapTupleIsValid(old))
	{
		bool		isnull;

		latest = Max(offset, DatumGetInt64(heap_getattr(old, PIPELINE_CURSOR_COL_LATEST, desc, &isnull)));
	}
	values[PIPELINE_CURSOR_COL_PIPELINE - 1] = Int64GetDatum(id);
	values[PIPELINE_CURSOR_COL_PARTITION - 1] = Int32GetDatum(partition);
	values[PIPELINE_CURSOR_COL_NEXT - 1] = Int64GetDatum(offset);
	values[PIPELINE_CURSOR_COL_LATEST - 1] = Int64GetDatum(latest);
	values[PIPELINE_CURSOR_COL_ATTEMPTS - 1] = Int32GetDatum(0);
	nulls[PIPELINE_CURSOR_COL_RETRY_AT - 1] = true;
	nulls[PIPELINE_CURSOR_COL_BATCH - 1] = true;
	if (HeapTupleIsValid(old))
		CatalogTupleUpdate(rel, &old->t_self, heap_form_tuple(desc, values, nulls));
	else
		CatalogTupleInsert(rel, heap_form_tuple(desc, values, nulls));
	link_scan_end(&scan);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

LINK_NORETURN static void
bad_offsets(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_BAD_OPTION),
			 errmsg("invalid offsets of a pipeline"),
			 errhint("They are EARLIEST, LATEST, a JSON object of partitions and their next offsets, as {\"0\": 100}, or of objects with 1 for those to pass over and 0 for those to load again.")));
}

static int64
whole_number(const JsonbValue *value)
{
	if (value->type != jbvNumeric || numeric_is_nan(value->val.numeric) || numeric_is_inf(value->val.numeric))
		bad_offsets();
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
}

static void
set_one_offset(const LinkPipeline *pipeline, bool stream, const char *key, int64 value)
{
	if (stream)
	{
		char	   *end;
		long		partition;

		errno = 0;
		partition = strtol(key, &end, 10);
		if (errno != 0 || *key == '\0' || *end != '\0' || partition < 0 || partition > PG_INT32_MAX || value < 0)
			bad_offsets();
		set_cursor(pipeline->id, (int) partition, value);
	}
	else if (value == 1)
	{
		LinkObject	object = {unconstify(char *, key), 0, DT_NOBEGIN, NULL};

		skip_file(pipeline->id, &object);
		CommandCounterIncrement();
	}
	else if (value == 0)
		(void) forget_file(pipeline->id, key);
	else
		bad_offsets();
}

static void
set_offsets_json(const LinkPipeline *pipeline, bool stream, const char *text)
{
	Jsonb	   *jsonb;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *key = NULL;

	if (text[strspn(text, " \t\r\n")] != '{')
		bad_offsets();
	jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	it = JsonbIteratorInit(&jsonb->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
			set_one_offset(pipeline, stream, key, whole_number(&value));
	}
}

static void
set_offsets(const char *name, const char *offsets)
{
	LinkRow    *link;
	LinkPipeline *pipeline = lock_at_rest(name, &link);
	bool		earliest = pg_strcasecmp(offsets, "EARLIEST") == 0;
	bool		latest = pg_strcasecmp(offsets, "LATEST") == 0;

	if (!earliest && !latest)
		set_offsets_json(pipeline, is_stream(link), offsets);
	else if (is_stream(link))
		link_pipeline_seek(pipeline, latest);
	else if (earliest)
		forget_files(pipeline->id);
	else
	{
		SkipListed	skip = {pipeline->id, AllocSetContextCreate(CurrentMemoryContext, "link object",
																ALLOCSET_DEFAULT_SIZES)};

		list_source(link, pipeline->path, skip_listed, &skip);
		CommandCounterIncrement();
	}
}

void
link_set_pipeline_offsets(const char *name, const char *offsets)
{
	LINK_USE_BEGIN(LINK_VERB_ALTER_PIPELINE, NULL);
	{
		set_offsets(name, offsets);
	}
	LINK_USE_END();
}

void
link_drop_pipeline_file(const char *name, const char *path)
{
	LINK_USE_BEGIN(LINK_VERB_ALTER_PIPELINE, path);
	{
		LinkPipeline *pipeline;

		link_prevent_write("ALTER PIPELINE");
		pipeline = link_lock_own_pipeline(name);
		if (!forget_file(pipeline->id, path))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_UNDEFINED),
					 errmsg("pipeline %s knows no object \"%s\"", quote_identifier(pipeline->name),
							link_printable(path, strlen(path)))));
		link_wake_for(pipeline);

		/* another version of the row, for which the scheduler begins with a full listing */
		if (link_pipeline_runs(pipeline))
			link_pipeline_set_state(pipeline->id, pipeline->state, pipeline->error);
	}
	LINK_USE_END();
}

void
link_drop_pipeline_partition(const char *name, int partition)
{
	LINK_USE_BEGIN(LINK_VERB_ALTER_PIPELINE, NULL);
	{
		LinkRow    *link;
		LinkPipeline *pipeline = lock_at_rest(name, &link);
		ScanKeyData keys[2];

		link_key_int64(&keys[0], PIPELINE_CURSOR_COL_PIPELINE, pipeline->id);
		ScanKeyInit(&keys[1], PIPELINE_CURSOR_COL_PARTITION, BTEqualStrategyNumber, F_INT4EQ,
					Int32GetDatum(partition));
		link_table_delete_all(PIPELINE_CURSOR_TABLE, PIPELINE_CURSOR_INDEX, 2, keys);
	}
	LINK_USE_END();
}

/* By a hash of 8 bytes, so that a million names take little: one that is taken for another stays. */
static uint64
path_hash(const char *path)
{
	return hash_bytes_extended((const unsigned char *) path, strlen(path), 0);
}

static bool
note_path(const LinkObject *object, void *arg)
{
	uint64		hash = path_hash(object->path);

	CHECK_FOR_INTERRUPTS();
	(void) hash_search((HTAB *) arg, &hash, HASH_ENTER, NULL);
	return true;
}

static uint64
drop_orphans(const char *name)
{
	LinkRow    *link;
	LinkPipeline *pipeline = lock_at_rest(name, &link);
	HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(uint64), .hcxt = CurrentMemoryContext};
	HTAB	   *there = hash_create("link objects", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	Relation	rel;
	LinkScan	scan;
	ScanKeyData key;
	HeapTuple	tuple;
	uint64		dropped = 0;

	if (is_stream(link))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("pipeline %s reads a topic and has no files", quote_identifier(pipeline->name))));
	list_source(link, pipeline->path, note_path, there);

	rel = link_table_open(PIPELINE_FILE_TABLE, RowExclusiveLock);
	link_key_int64(&key, PIPELINE_FILE_COL_PIPELINE, pipeline->id);
	link_scan_begin(&scan, PIPELINE_FILE_TABLE, PIPELINE_FILE_INDEX, 1, &key);
	while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
	{
		bool		isnull;
		char	   *path = TextDatumGetCString(heap_getattr(tuple, PIPELINE_FILE_COL_PATH,
															RelationGetDescr(rel), &isnull));
		uint64		hash = path_hash(path);

		CHECK_FOR_INTERRUPTS();
		if (hash_search(there, &hash, HASH_FIND, NULL) == NULL)
		{
			CatalogTupleDelete(rel, &tuple->t_self);
			dropped++;
		}
		pfree(path);
	}
	link_scan_end(&scan);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
	hash_destroy(there);
	return dropped;
}

uint64
link_drop_orphan_files(const char *name)
{
	uint64		dropped = 0;

	LINK_USE_BEGIN(LINK_VERB_ALTER_PIPELINE, NULL);
	{
		dropped = drop_orphans(name);
	}
	LINK_USE_END();
	return dropped;
}

void
link_clear_pipeline_errors(const char *name)
{
	LINK_USE_BEGIN(LINK_VERB_ALTER_PIPELINE, NULL);
	{
		LinkPipeline *pipeline;
		ScanKeyData key;

		link_prevent_write("ALTER PIPELINE");
		pipeline = link_lock_own_pipeline(name);
		link_key_int64(&key, PIPELINE_ERROR_COL_PIPELINE, pipeline->id);
		link_table_delete_all(PIPELINE_ERROR_TABLE, PIPELINE_ERROR_INDEX, 1, &key);
	}
	LINK_USE_END();
}
