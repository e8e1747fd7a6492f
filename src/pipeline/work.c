/*-------------------------------------------------------------------------
 *
 * work.c
 *	  What pipelines have found, what is claimed, and what became of it.
 *
 * An object is a row of pipeline_file, a partition one of pipeline_cursor.  Whoever
 * loads it has the row locked and changes it in the transaction that holds the
 * table's rows: so each is loaded once, whatever dies when, and nobody waits for
 * work that another has.
 *
 * The tables are written by SPI, as the bootstrap superuser: the guards on them let
 * nobody else.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "catalog/privileges.h"
#include "errors.h"
#include "guc.h"
#include "pipeline/engine.h"

/* Objects that are looked at to take some of them, and the most that one transaction loads. */
#define CANDIDATES 1000
#define GROUP_OBJECTS 500
#define GROUP_BYTES (INT64CONST(64) * 1024 * 1024)

/* Names of a listing that are stored at a time. */
#define PAGE 1000

/* ms until a second attempt; each further one takes twice as long to come, up to the other. */
#define FIRST_RETRY 1000
#define LAST_RETRY 60000

/* Of a row that could not be loaded, that many bytes are kept. */
#define RAW_BYTES 100

void
link_elevate(LinkElevated *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, saved->context | SECURITY_LOCAL_USERID_CHANGE);
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
link_unelevate(const LinkElevated *saved)
{
	AtEOXact_GUC(true, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}

/* One statement, with parameters that may be NULL by a '\0' in 'nulls' (or no nulls at all). */
static uint64
run(const char *sql, int expected, int n, Oid *types, Datum *values, const char *nulls)
{
	if (SPI_execute_with_args(sql, n, types, values, nulls, false, 0) != expected)
		elog(ERROR, "unexpected result of a statement on the tables of pipelines");
	return SPI_processed;
}

static void
begin_spi(LinkElevated *saved)
{
	link_elevate(saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

static void
end_spi(const LinkElevated *saved)
{
	SPI_finish();
	link_unelevate(saved);
}

static bool
is_stream(const LinkRow *link)
{
	return link->provider != NULL && (link->provider->features & LINK_IS_STREAM) != 0;
}

/* The link, as the pipeline's owner may use it. */
static LinkRow *
pipeline_link(const LinkPipeline *pipeline)
{
	return link_lookup_id(pipeline->link_id, LINK_ACL_READ);
}

/*
 * Finding objects.
 */

typedef struct NamePage
{
	const LinkPipeline *pipeline;
	MemoryContext context;		/* of what is below */
	ArrayBuildState *paths;
	ArrayBuildState *sizes;
	ArrayBuildState *times;
	ArrayBuildState *etags;
	int			n;
} NamePage;

static void
store_page(NamePage *page)
{
	static const char sql[] =
		"INSERT INTO link.pipeline_file (pipeline_id, path, size, last_modified, etag, state, attempts) "
		"SELECT $1, u.path, u.size, u.last_modified, u.etag, 'Unloaded', 0 "
		"FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5)) "
		"AS u(path, size, last_modified, etag) "
		"WHERE NOT EXISTS (SELECT FROM link.pipeline_file f WHERE f.pipeline_id = $1 AND f.path = u.path) "
		"ON CONFLICT DO NOTHING";
	Oid			types[] = {INT8OID, TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID};
	Datum		values[5];
	LinkElevated saved;

	if (page->n == 0)
		return;
	values[0] = Int64GetDatum(page->pipeline->id);
	values[1] = makeArrayResult(page->paths, page->context);
	values[2] = makeArrayResult(page->sizes, page->context);
	values[3] = makeArrayResult(page->times, page->context);
	values[4] = makeArrayResult(page->etags, page->context);
	begin_spi(&saved);
	(void) run(sql, SPI_OK_INSERT, lengthof(values), types, values, NULL);
	end_spi(&saved);
	MemoryContextReset(page->context);
	page->n = 0;
	page->paths = page->sizes = page->times = page->etags = NULL;
}

static bool
found_object(const LinkObject *object, void *arg)
{
	NamePage	   *page = arg;
	MemoryContext caller = MemoryContextSwitchTo(page->context);
	bool		no_time = TIMESTAMP_IS_NOBEGIN(object->last_modified) || object->last_modified == 0;

	page->paths = accumArrayResult(page->paths, CStringGetTextDatum(object->path), false, TEXTOID, page->context);
	page->sizes = accumArrayResult(page->sizes, Int64GetDatum(object->size), false, INT8OID, page->context);
	page->times = accumArrayResult(page->times, TimestampTzGetDatum(object->last_modified), no_time,
								   TIMESTAMPTZOID, page->context);
	page->etags = accumArrayResult(page->etags, object->etag ? CStringGetTextDatum(object->etag) : (Datum) 0,
								   object->etag == NULL, TEXTOID, page->context);
	page->n++;
	MemoryContextSwitchTo(caller);
	if (page->n == PAGE)
		store_page(page);
	CHECK_FOR_INTERRUPTS();
	return true;
}

static void
find_objects(const LinkPipeline *pipeline, LinkSession *session)
{
	NamePage		page = {pipeline};

	page.context = AllocSetContextCreate(CurrentMemoryContext, "link pipeline page", ALLOCSET_DEFAULT_SIZES);
	link_list(session, pipeline->path, true, found_object, &page);
	store_page(&page);
	MemoryContextDelete(page.context);
}

/*
 * Finding messages.
 */

/*
 * The topic has to go on where we are: what it does not have any more, or not yet,
 * is not passed over in silence.
 */
static void
check_cursor(const LinkPipeline *pipeline, const LinkPartition *partition, int64 next)
{
	if (partition->latest < next)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("partition %d of \"%s\" has fewer messages than pipeline %s has loaded",
						partition->number, pipeline->path, pipeline->name),
				 errdetail("It ends at offset %lld, and the pipeline has come to %lld: the topic was made again.",
						   (long long) partition->latest, (long long) next),
				 errhint("Set the offsets of the pipeline to go on.")));
	if (partition->earliest > next)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("messages of partition %d of \"%s\" are gone before pipeline %s has loaded them",
						partition->number, pipeline->path, pipeline->name),
				 errdetail("It begins at offset %lld, and the pipeline has come to %lld.",
						   (long long) partition->earliest, (long long) next),
				 errhint("Set the offsets of the pipeline to go on.")));
}

/* A partition that is being loaded has its row locked: it is looked at another time. */
static void
found_partition(const LinkPipeline *pipeline, const LinkPartition *partition)
{
	static const char known[] =
		"SELECT next_offset FROM link.pipeline_cursor WHERE pipeline_id = $1 AND partition = $2";
	static const char insert[] =
		"INSERT INTO link.pipeline_cursor (pipeline_id, partition, next_offset, latest_offset, attempts) "
		"VALUES ($1, $2, $3, $4, 0) ON CONFLICT DO NOTHING";
	static const char update[] =
		"UPDATE link.pipeline_cursor SET latest_offset = $3 WHERE pipeline_id = $1 AND partition IN "
		"(SELECT c.partition FROM link.pipeline_cursor c WHERE c.pipeline_id = $1 AND c.partition = $2 "
		"AND c.latest_offset <> $3 FOR UPDATE SKIP LOCKED)";
	Oid			types[] = {INT8OID, INT4OID, INT8OID, INT8OID};
	Datum		values[] = {Int64GetDatum(pipeline->id), Int32GetDatum(partition->number), 0, 0};

	if (run(known, SPI_OK_SELECT, 2, types, values, NULL) == 0)
	{
		values[2] = Int64GetDatum(partition->earliest);
		values[3] = Int64GetDatum(partition->latest);
		(void) run(insert, SPI_OK_INSERT, 4, types, values, NULL);
	}
	else
	{
		bool		isnull;

		check_cursor(pipeline, partition,
					 DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)));
		values[2] = Int64GetDatum(partition->latest);
		(void) run(update, SPI_OK_UPDATE, 3, types, values, NULL);
	}
}

static void
find_messages(const LinkPipeline *pipeline, LinkSession *session)
{
	List	   *partitions = link_partitions(session, pipeline->path);
	LinkElevated saved;
	ListCell   *lc;

	begin_spi(&saved);
	foreach(lc, partitions)
		found_partition(pipeline, lfirst(lc));
	end_spi(&saved);
}

static void
seek(const LinkPipeline *pipeline, LinkSession *session, bool latest)
{
	static const char sql[] =
		"INSERT INTO link.pipeline_cursor (pipeline_id, partition, next_offset, latest_offset, attempts) "
		"VALUES ($1, $2, $3, $4, 0)";
	Oid			types[] = {INT8OID, INT4OID, INT8OID, INT8OID};
	Datum		values[4] = {Int64GetDatum(pipeline->id)};
	List	   *partitions = link_partitions(session, pipeline->path);
	LinkElevated saved;
	ListCell   *lc;

	begin_spi(&saved);
	(void) run("DELETE FROM link.pipeline_cursor WHERE pipeline_id = $1", SPI_OK_DELETE, 1, types, values, NULL);
	foreach(lc, partitions)
	{
		const LinkPartition *partition = lfirst(lc);

		values[1] = Int32GetDatum(partition->number);
		values[2] = Int64GetDatum(latest ? partition->latest : partition->earliest);
		values[3] = Int64GetDatum(partition->latest);
		(void) run(sql, SPI_OK_INSERT, 4, types, values, NULL);
	}
	end_spi(&saved);
}

/* The link is used as the pipeline's owner, whoever runs this. */
static void
as_owner(const LinkPipeline *pipeline, Oid *user, int *context)
{
	GetUserIdAndSecContext(user, context);
	SetUserIdAndSecContext(pipeline->owner, *context | SECURITY_LOCAL_USERID_CHANGE);
}

void
link_work_find(const LinkPipeline *pipeline)
{
	LinkSession *session;
	Oid			user;
	int			context;

	as_owner(pipeline, &user, &context);
	session = link_open(pipeline_link(pipeline));
	if (session->provider->features & LINK_IS_STREAM)
		find_messages(pipeline, session);
	else
		find_objects(pipeline, session);
	link_close(session);
	SetUserIdAndSecContext(user, context);
}

void
link_work_seek(const LinkPipeline *pipeline, bool latest)
{
	LinkSession *session;
	Oid			user;
	int			context;

	as_owner(pipeline, &user, &context);
	session = link_open(pipeline_link(pipeline));
	seek(pipeline, session, latest);
	link_close(session);
	SetUserIdAndSecContext(user, context);
}

/*
 * Taking it.
 */

/* 'sql' gives how much may be taken now, and when more may be. */
static LinkWorkLeft
count_left(const char *sql, int64 pipeline)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(pipeline)};
	LinkWorkLeft left;
	bool		isnull;
	LinkElevated saved;

	begin_spi(&saved);
	(void) run(sql, SPI_OK_SELECT, 1, types, values, NULL);
	left.pieces = (int) DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	left.retry_at = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	if (isnull)
		left.retry_at = DT_NOEND;
	end_spi(&saved);
	return left;
}

LinkWorkLeft
link_work_left(const LinkPipeline *pipeline)
{
	LinkWorkLeft files = count_left(
		"SELECT (SELECT pg_catalog.count(*) FROM (SELECT FROM link.pipeline_file WHERE pipeline_id = $1 "
		"AND state = 'Unloaded' AND (retry_at IS NULL OR retry_at <= pg_catalog.clock_timestamp()) LIMIT 100) f), "
		"(SELECT pg_catalog.min(retry_at) FROM link.pipeline_file WHERE pipeline_id = $1 AND state = 'Unloaded' "
		"AND retry_at > pg_catalog.clock_timestamp())", pipeline->id);
	LinkWorkLeft cursors = count_left(
		"SELECT pg_catalog.count(*) FILTER (WHERE retry_at IS NULL OR retry_at <= pg_catalog.clock_timestamp()), "
		"pg_catalog.min(retry_at) FILTER (WHERE retry_at > pg_catalog.clock_timestamp()) "
		"FROM link.pipeline_cursor WHERE pipeline_id = $1 AND next_offset < latest_offset", pipeline->id);

	files.pieces += cursors.pieces;
	files.retry_at = Min(files.retry_at, cursors.retry_at);
	return files;
}

static LinkObject *
make_object(const char *path, int64 size)
{
	LinkObject *object = palloc0(sizeof(LinkObject));

	object->path = pstrdup(path);
	object->size = size;
	return object;
}

/*
 * How many of 'n' objects, from 'first' on, make a transaction: enough that its own
 * cost is small, and that something is left for other workers.  What has failed
 * before is tried alone.
 */
static int
group_size(SPITupleTable *table, int first, int n)
{
	int			most = Max(1, Min(GROUP_OBJECTS, n / (2 * Max(1, link_pipeline_workers))));
	int64		bytes = 0;
	int			size = 0;

	while (size < most && first + size < n)
	{
		bool		isnull;
		HeapTuple	tuple = table->vals[first + size];

		if (DatumGetInt32(SPI_getbinval(tuple, table->tupdesc, 3, &isnull)) > 0)
			return size == 0 ? 1 : size;
		bytes += Max(0, DatumGetInt64(SPI_getbinval(tuple, table->tupdesc, 2, &isnull)));
		if (size > 0 && bytes > GROUP_BYTES)
			break;
		size++;
	}
	return size;
}

/* Of the paths, those that nobody else has, as LinkObject in 'context'. */
static List *
take_objects(const LinkPipeline *pipeline, Datum paths, MemoryContext context)
{
	static const char sql[] =
		"SELECT path, size FROM link.pipeline_file WHERE pipeline_id = $1 AND path = ANY ($2) "
		"AND state = 'Unloaded' AND (retry_at IS NULL OR retry_at <= pg_catalog.clock_timestamp()) "
		"ORDER BY path FOR UPDATE SKIP LOCKED";
	Oid			types[] = {INT8OID, TEXTARRAYOID};
	Datum		values[] = {Int64GetDatum(pipeline->id), paths};
	List	   *objects = NIL;
	uint64		n = run(sql, SPI_OK_SELECT, 2, types, values, NULL);
	SPITupleTable *table = SPI_tuptable;

	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;
		MemoryContext caller = MemoryContextSwitchTo(context);

		objects = lappend(objects,
						  make_object(TextDatumGetCString(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull)),
									  DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 2, &isnull))));
		MemoryContextSwitchTo(caller);
	}
	SPI_freetuptable(table);
	return objects;
}

static bool
claim_objects(const LinkPipeline *pipeline, LinkWork *work, MemoryContext context)
{
	static const char sql[] =
		"SELECT path, size, attempts FROM link.pipeline_file WHERE pipeline_id = $1 AND path > $2 "
		"AND state = 'Unloaded' AND (retry_at IS NULL OR retry_at <= pg_catalog.clock_timestamp()) "
		"ORDER BY path LIMIT $3";
	Oid			types[] = {INT8OID, TEXTOID, INT4OID};
	Datum		values[] = {Int64GetDatum(pipeline->id), CStringGetTextDatum(""), Int32GetDatum(CANDIDATES)};

	for (;;)
	{
		int			n = (int) run(sql, SPI_OK_SELECT, 3, types, values, NULL);
		SPITupleTable *table = SPI_tuptable;

		if (n == 0)
			return false;
		for (int i = 0, size; i < n; i += size)
		{
			ArrayBuildState *paths = NULL;
			bool		isnull;

			size = group_size(table, i, n);
			for (int j = i; j < i + size; j++)
				paths = accumArrayResult(paths, SPI_getbinval(table->vals[j], table->tupdesc, 1, &isnull),
										 false, TEXTOID, CurrentMemoryContext);
			work->objects = take_objects(pipeline, makeArrayResult(paths, CurrentMemoryContext), context);
			if (work->objects != NIL)
				return true;
			values[1] = datumCopy(SPI_getbinval(table->vals[i + size - 1], table->tupdesc, 1, &isnull), false, -1);
		}
		SPI_freetuptable(table);
	}
}

static bool
claim_messages(const LinkPipeline *pipeline, LinkWork *work, MemoryContext context)
{
	static const char sql[] =
		"SELECT partition, next_offset, latest_offset FROM link.pipeline_cursor WHERE pipeline_id = $1 "
		"AND next_offset < latest_offset AND (retry_at IS NULL OR retry_at <= pg_catalog.clock_timestamp()) "
		"ORDER BY batch_id NULLS FIRST, partition LIMIT 1 FOR UPDATE SKIP LOCKED";
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(pipeline->id)};
	MemoryContext caller;
	char	   *topic;
	int64		next;
	bool		isnull;

	if (run(sql, SPI_OK_SELECT, 1, types, values, NULL) == 0)
		return false;
	work->partition = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	next = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	work->to = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
	if (pipeline->max_offsets > 0)
		work->to = Min(work->to, next + pipeline->max_offsets);

	/* the path may name brokers, and one partition */
	topic = pstrdup(pipeline->path);
	for (char *slash = strrchr(topic, '/'); slash; slash = NULL)
		if (strspn(slash + 1, "0123456789") == strlen(slash + 1))
			*slash = '\0';
	caller = MemoryContextSwitchTo(context);
	work->objects = list_make1(make_object(psprintf("%s/%d/%lld-%lld", topic, work->partition,
													(long long) next, (long long) work->to), -1));
	MemoryContextSwitchTo(caller);
	return true;
}

bool
link_work_claim(const LinkPipeline *pipeline, LinkWork *work)
{
	MemoryContext context = CurrentMemoryContext;
	LinkRow    *link = pipeline_link(pipeline);
	LinkElevated saved;
	bool		found;

	memset(work, 0, sizeof(*work));
	work->stream = is_stream(link);
	begin_spi(&saved);
	found = work->stream ? claim_messages(pipeline, work, context) : claim_objects(pipeline, work, context);
	end_spi(&saved);
	return found;
}

/*
 * What became of it.
 */

/* In SPI; gives its id. */
static int64
insert_batch(const LinkPipeline *pipeline, const char *state, const LinkWork *work,
			 uint64 rows, uint64 bytes, TimestampTz started)
{
	static const char sql[] =
		"INSERT INTO link.pipeline_batch (pipeline_id, state, partitions, rows, bytes, started_at, duration_ms) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
	Oid			types[] = {INT8OID, TEXTOID, INT4OID, INT8OID, INT8OID, TIMESTAMPTZOID, FLOAT8OID};
	Datum		values[] = {
		Int64GetDatum(pipeline->id), CStringGetTextDatum(state), Int32GetDatum(list_length(work->objects)),
		Int64GetDatum((int64) rows), Int64GetDatum((int64) bytes), TimestampTzGetDatum(started),
		Float8GetDatum((GetCurrentTimestamp() - started) / 1000.0)
	};
	bool		isnull;

	(void) run(sql, SPI_OK_INSERT_RETURNING, lengthof(values), types, values, NULL);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

/* In SPI: the cursor moves behind the range. */
static void
move_cursor(const LinkPipeline *pipeline, const LinkWork *work, int64 batch)
{
	static const char sql[] =
		"UPDATE link.pipeline_cursor SET next_offset = $3, attempts = 0, retry_at = NULL, batch_id = $4 "
		"WHERE pipeline_id = $1 AND partition = $2";
	Oid			types[] = {INT8OID, INT4OID, INT8OID, INT8OID};
	Datum		values[] = {
		Int64GetDatum(pipeline->id), Int32GetDatum(work->partition), Int64GetDatum(work->to), Int64GetDatum(batch)
	};

	if (run(sql, SPI_OK_UPDATE, lengthof(values), types, values, NULL) != 1)
		elog(ERROR, "cursor of partition %d is gone", work->partition);
}

static void
mark_objects(const LinkPipeline *pipeline, List *objects, const char *state, int64 batch)
{
	static const char sql[] =
		"UPDATE link.pipeline_file SET state = $3, retry_at = NULL, batch_id = $4 "
		"WHERE pipeline_id = $1 AND path = ANY ($2)";
	Oid			types[] = {INT8OID, TEXTARRAYOID, TEXTOID, INT8OID};
	Datum		values[] = {Int64GetDatum(pipeline->id), 0, CStringGetTextDatum(state), Int64GetDatum(batch)};
	ArrayBuildState *paths = NULL;
	ListCell   *lc;

	foreach(lc, objects)
		paths = accumArrayResult(paths, CStringGetTextDatum(((LinkObject *) lfirst(lc))->path), false, TEXTOID,
								 CurrentMemoryContext);
	values[1] = makeArrayResult(paths, CurrentMemoryContext);
	if (run(sql, SPI_OK_UPDATE, lengthof(values), types, values, NULL) != list_length(objects))
		elog(ERROR, "rows of objects are gone");
}

void
link_work_done(const LinkPipeline *pipeline, const LinkWork *work, uint64 rows, uint64 bytes, TimestampTz started)
{
	LinkElevated saved;
	int64		batch;

	begin_spi(&saved);
	batch = insert_batch(pipeline, "Succeeded", work, rows, bytes, started);
	if (work->stream)
		move_cursor(pipeline, work, batch);
	else
		mark_objects(pipeline, work->objects, "Loaded", batch);
	end_spi(&saved);
}

bool
link_work_hopeless(int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);

	return class == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION || class == ERRCODE_FEATURE_NOT_SUPPORTED;
}

/* Of an error, in SPI. */
static void
insert_error(const LinkPipeline *pipeline, const LinkWorkError *where, const ErrorData *error)
{
	static const char sql[] =
		"INSERT INTO link.pipeline_error (pipeline_id, batch_id, kind, sqlstate, message, detail, source, "
		"position, raw, occurred_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, pg_catalog.clock_timestamp())";
	Oid			types[] = {INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, TEXTOID};
	Datum		values[9] = {0};
	char		nulls[] = "         ";
	const char *detail = error->detail ? error->detail : error->context;

	values[0] = Int64GetDatum(pipeline->id);
	values[1] = Int64GetDatum(where->batch);
	nulls[1] = where->batch ? ' ' : 'n';
	values[2] = CStringGetTextDatum(where->kind);
	values[3] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[4] = CStringGetTextDatum(error->message ? error->message : "");
	if (detail)
		values[5] = CStringGetTextDatum(detail);
	else
		nulls[5] = 'n';
	if (where->source)
		values[6] = CStringGetTextDatum(where->source);
	else
		nulls[6] = 'n';
	values[7] = Int64GetDatum(where->position);
	nulls[7] = where->position ? ' ' : 'n';
	if (where->raw)
		values[8] = PointerGetDatum(cstring_to_text_with_len(where->raw,
															  pg_mbcliplen(where->raw, strlen(where->raw), RAW_BYTES)));
	else
		nulls[8] = 'n';
	(void) run(sql, SPI_OK_INSERT, lengthof(values), types, values, nulls);
}

void
link_work_record(const LinkPipeline *pipeline, const LinkWorkError *where, const ErrorData *error)
{
	LinkElevated saved;

	begin_spi(&saved);
	insert_error(pipeline, where, error);
	end_spi(&saved);
}

/* Whose attempt it was: one object, or the cursor.  In SPI; gives the number of attempts. */
static int
count_attempt(const LinkPipeline *pipeline, const LinkWork *work, const LinkObject *object)
{
	static const char sql_file[] =
		"UPDATE link.pipeline_file SET attempts = attempts + 1 "
		"WHERE pipeline_id = $1 AND path = $2 AND state = 'Unloaded' RETURNING attempts";
	static const char sql_cursor[] =
		"UPDATE link.pipeline_cursor SET attempts = attempts + 1 "
		"WHERE pipeline_id = $1 AND partition = $2 RETURNING attempts";
	Oid			types[] = {INT8OID, work->stream ? INT4OID : TEXTOID};
	Datum		values[] = {
		Int64GetDatum(pipeline->id),
		work->stream ? Int32GetDatum(work->partition) : CStringGetTextDatum(object->path)
	};
	bool		isnull;

	if (run(work->stream ? sql_cursor : sql_file, SPI_OK_UPDATE_RETURNING, 2, types, values, NULL) == 0)
		return 0;
	return DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

static void
set_retry(const LinkPipeline *pipeline, const LinkWork *work, const LinkObject *object, int attempts)
{
	static const char sql_file[] =
		"UPDATE link.pipeline_file SET retry_at = $3 WHERE pipeline_id = $1 AND path = $2";
	static const char sql_cursor[] =
		"UPDATE link.pipeline_cursor SET retry_at = $3 WHERE pipeline_id = $1 AND partition = $2";
	Oid			types[] = {INT8OID, work->stream ? INT4OID : TEXTOID, TIMESTAMPTZOID};
	int			delay = FIRST_RETRY;
	Datum		values[] = {
		Int64GetDatum(pipeline->id),
		work->stream ? Int32GetDatum(work->partition) : CStringGetTextDatum(object->path),
		0
	};

	for (int i = 1; i < attempts && delay < LAST_RETRY; i++)
		delay *= 2;
	values[2] = TimestampTzGetDatum(TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Min(delay, LAST_RETRY)));
	(void) run(work->stream ? sql_cursor : sql_file, SPI_OK_UPDATE, 3, types, values, NULL);
}

static void
stop(const LinkPipeline *pipeline, const ErrorData *error)
{
	LinkPipeline *now;

	/* whoever has stopped, altered or dropped it meanwhile was first */
	link_lock_pipeline(pipeline->id);
	now = link_pipeline_by_id(pipeline->id);
	if (now == NULL || now->version != pipeline->version || !link_pipeline_runs(now))
		return;
	link_pipeline_set_state(pipeline->id, LINK_PIPELINE_ERROR, error->message ? error->message : "");
	ereport(LOG_SERVER_ONLY,
			(errmsg("pipeline \"%s\" has stopped with SQLSTATE %s", pipeline->name,
					unpack_sql_state(error->sqlerrcode)),
			 errdetail("What happened is in link.pipeline_errors.")));
}

void
link_work_stop(const LinkPipeline *pipeline, const ErrorData *error)
{
	LinkWorkError where = {"Load"};

	link_work_record(pipeline, &where, error);
	stop(pipeline, error);
}

void
link_work_failed(const LinkPipeline *pipeline, const LinkWork *work, const ErrorData *error, TimestampTz started)
{
	LinkObject *object = work && work->objects ? list_nth(work->objects, work->at) : NULL;
	LinkWorkError where = {"Load"};
	LinkElevated saved;
	bool		ends = link_work_hopeless(error->sqlerrcode);

	begin_spi(&saved);
	if (object)
	{
		int			attempts = count_attempt(pipeline, work, object);

		where.batch = insert_batch(pipeline, "Failed", work, 0, 0, started);
		where.source = work->stream ? psprintf("%d", work->partition) : object->path;
		where.position = work->stream ? 0 : (int64) work->line;
		if (ends)
			;
		else if (attempts <= pipeline->max_retries)
			set_retry(pipeline, work, object, attempts);
		else if (pipeline->stop_on_error)
			ends = true;
		else if (work->stream)
			move_cursor(pipeline, work, where.batch);
		else
			mark_objects(pipeline, list_make1(object), "Skipped", where.batch);
	}
	insert_error(pipeline, &where, error);
	end_spi(&saved);
	if (ends)
		stop(pipeline, error);
}

void
link_work_trim(const LinkPipeline *pipeline)
{
	static const char *const tables[] = {"pipeline_batch", "pipeline_error"};
	Oid			types[] = {INT8OID, INT4OID};
	Datum		values[] = {Int64GetDatum(pipeline->id), Int32GetDatum(link_pipeline_history)};
	LinkElevated saved;

	begin_spi(&saved);
	for (int i = 0; i < lengthof(tables); i++)
		(void) run(psprintf("DELETE FROM link.%s WHERE pipeline_id = $1 AND id <= "
							"(SELECT id FROM link.%s WHERE pipeline_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)",
							tables[i], tables[i]),
				   SPI_OK_DELETE, 2, types, values, NULL);
	end_spi(&saved);
}
