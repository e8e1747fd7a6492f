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
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "catalog/privileges.h"
#include "errors.h"
#include "guc.h"
#include "pipeline/engine.h"

/* Objects that are looked at to take some of them, and the most that one transaction loads. */
#define CANDIDATES 1000
#define GROUP_BYTES (INT64CONST(64) * 1024 * 1024)

/* Messages that one transaction loads at most, so that what was loaded of a long topic stays. */
#define RANGE_MESSAGES 1000000

/* ms until a second attempt; each further one takes twice as long to come, up to the other. */
#define FIRST_RETRY 1000
#define LAST_RETRY 60000

/*
 * Of a row that could not be loaded, that many bytes are kept; and of what is said
 * of it, which may quote it, or of any other failure.
 */
#define RAW_BYTES 100
#define TEXT_BYTES 200
#define MESSAGE_BYTES 1000

static bool
is_stream(const LinkRow *link)
{
	return link->provider != NULL && (link->provider->features & LINK_IS_STREAM) != 0;
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

	link_state_begin(&saved);
	(void) link_state_run(sql, SPI_OK_SELECT, 1, types, values, NULL);
	left.pieces = (int) DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	left.retry_at = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	if (isnull)
		left.retry_at = DT_NOEND;
	link_state_end(&saved);
	return left;
}

LinkWorkLeft
link_work_left(const LinkPipeline *pipeline)
{
	static const char sql_files[] =
		"SELECT (SELECT pg_catalog.count(*) FROM (SELECT FROM link.pipeline_file WHERE pipeline_id = $1 "
		"AND state = 'Unloaded' AND (retry_at IS NULL OR retry_at <= pg_catalog.clock_timestamp()) LIMIT 100) f), "
		"(SELECT pg_catalog.min(retry_at) FROM link.pipeline_file WHERE pipeline_id = $1 AND state = 'Unloaded' "
		"AND retry_at > pg_catalog.clock_timestamp())";
	static const char sql_cursors[] =
		"SELECT pg_catalog.count(*) FILTER (WHERE retry_at IS NULL OR retry_at <= pg_catalog.clock_timestamp()), "
		"pg_catalog.min(retry_at) FILTER (WHERE retry_at > pg_catalog.clock_timestamp()) "
		"FROM link.pipeline_cursor WHERE pipeline_id = $1 AND next_offset < latest_offset";
	LinkWorkLeft files = count_left(sql_files, pipeline->id);
	LinkWorkLeft cursors = count_left(sql_cursors, pipeline->id);

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
group_size(SPITupleTable *table, int first, int n, int objects)
{
	int			most = Max(1, Min(objects, n / (2 * Max(1, link_pipeline_workers))));
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

/* Rows of path, size and, if they are taken, place, as the work, in 'context'; they are freed. */
static void
found_objects(SPITupleTable *table, LinkWork *work, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);

	work->rows = table->numvals == 0 || table->tupdesc->natts < 3 ? NULL :
		palloc(table->numvals * sizeof(ItemPointerData));
	for (uint64 i = 0; i < table->numvals; i++)
	{
		bool		isnull;

		work->objects = lappend(work->objects,
								make_object(TextDatumGetCString(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull)),
											DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 2, &isnull))));
		if (work->rows)
			work->rows[i] = *(ItemPointer) DatumGetPointer(SPI_getbinval(table->vals[i], table->tupdesc, 3, &isnull));
	}
	MemoryContextSwitchTo(caller);
	SPI_freetuptable(table);
}

/*
 * Rows of which we know the place (it is theirs for as long as our snapshot sees
 * them) are found by it alone.  The planner, which may know nothing of the table,
 * would rather read all that is not loaded, if it were let to the index.
 */
#define AS_IT_IS "pipeline_id + 0 = $1 AND state || '' = 'Unloaded' "

/* Of the rows, those that nobody else has. */
static void
take_objects(const LinkPipeline *pipeline, Datum rows, LinkWork *work, MemoryContext context)
{
	static const char sql[] =
		"SELECT path, size, ctid FROM link.pipeline_file WHERE ctid = ANY ($2) AND " AS_IT_IS
		"AND (retry_at IS NULL OR retry_at <= pg_catalog.clock_timestamp()) "
		"ORDER BY path FOR UPDATE SKIP LOCKED";
	Oid			types[] = {INT8OID, TIDARRAYOID};
	Datum		values[] = {Int64GetDatum(pipeline->id), rows};

	(void) link_state_run(sql, SPI_OK_SELECT, 2, types, values, NULL);
	found_objects(SPI_tuptable, work, context);
}

/* The first of the objects behind 'after' that nobody else has; false if there is none. */
static bool
claim_behind(const LinkPipeline *pipeline, const char *after, int objects, LinkWork *work, MemoryContext context)
{
	static const char sql[] =
		"SELECT path, size, attempts, ctid FROM link.pipeline_file WHERE pipeline_id = $1 AND path > $2 "
		"AND state = 'Unloaded' AND (retry_at IS NULL OR retry_at <= pg_catalog.clock_timestamp()) "
		"ORDER BY path LIMIT $3";
	Oid			types[] = {INT8OID, TEXTOID, INT4OID};
	Datum		values[] = {Int64GetDatum(pipeline->id), CStringGetTextDatum(after), Int32GetDatum(CANDIDATES)};

	for (;;)
	{
		int			n = (int) link_state_run(sql, SPI_OK_SELECT, 3, types, values, NULL);
		SPITupleTable *table = SPI_tuptable;

		if (n == 0)
			return false;
		for (int i = 0, size; i < n; i += size)
		{
			ArrayBuildState *rows = NULL;
			bool		isnull;

			size = group_size(table, i, n, objects);
			for (int j = i; j < i + size; j++)
				rows = accumArrayResult(rows, SPI_getbinval(table->vals[j], table->tupdesc, 4, &isnull),
										false, TIDOID, CurrentMemoryContext);
			take_objects(pipeline, makeArrayResult(rows, CurrentMemoryContext), work, context);
			if (work->objects != NIL)
				return true;
			values[1] = datumCopy(SPI_getbinval(table->vals[i + size - 1], table->tupdesc, 1, &isnull), false, -1);
		}
		SPI_freetuptable(table);
	}
}

/*
 * This process goes on behind what it took last: what is loaded lies before that, and
 * is passed again and again otherwise, for as long as somebody's snapshot may see it.
 */
static bool
claim_objects(const LinkPipeline *pipeline, int objects, LinkWork *work, MemoryContext context)
{
	static int64 last_pipeline = 0;
	static char *last = NULL;
	bool		goes_on = last && last_pipeline == pipeline->id;
	bool		found = goes_on && claim_behind(pipeline, last, objects, work, context);

	if (!found)
		found = claim_behind(pipeline, "", objects, work, context);
	if (last)
		pfree(last);
	last = found ? MemoryContextStrdup(TopMemoryContext, ((LinkObject *) llast(work->objects))->path) : NULL;
	last_pipeline = pipeline->id;
	return found;
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
	int64		most = pipeline->max_offsets > 0 ? pipeline->max_offsets : RANGE_MESSAGES;
	MemoryContext caller;
	char	   *topic;
	int64		next;
	bool		isnull;

	if (link_state_run(sql, SPI_OK_SELECT, 1, types, values, NULL) == 0)
		return false;
	work->partition = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	next = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	work->to = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
	work->from = next;
	if (work->to - next > most)
		work->to = next + most;

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
link_work_claim(const LinkPipeline *pipeline, int objects, LinkWork *work)
{
	MemoryContext context = CurrentMemoryContext;
	LinkRow    *link = link_lookup_id(pipeline->link_id, LINK_ACL_READ);
	LinkElevated saved;
	bool		found;

	memset(work, 0, sizeof(*work));
	work->stream = is_stream(link);
	link_state_begin(&saved);
	found = work->stream ? claim_messages(pipeline, work, context) :
		claim_objects(pipeline, objects, work, context);
	link_state_end(&saved);
	return found;
}

void
link_work_peek(const LinkPipeline *pipeline, LinkWork *work, int objects)
{
	static const char sql[] =
		"SELECT path, size FROM link.pipeline_file WHERE pipeline_id = $1 AND state = 'Unloaded' "
		"ORDER BY path LIMIT $2";
	Oid			types[] = {INT8OID, INT4OID};
	Datum		values[] = {Int64GetDatum(pipeline->id), Int32GetDatum(objects)};
	MemoryContext context = CurrentMemoryContext;
	LinkElevated saved;

	memset(work, 0, sizeof(*work));
	work->stream = is_stream(link_lookup_id(pipeline->link_id, LINK_ACL_READ));
	link_state_begin(&saved);
	if (work->stream)
		(void) claim_messages(pipeline, work, context);
	else
	{
		(void) link_state_run(sql, SPI_OK_SELECT, 2, types, values, NULL);
		found_objects(SPI_tuptable, work, context);
	}
	link_state_end(&saved);
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

	(void) link_state_run(sql, SPI_OK_INSERT_RETURNING, lengthof(values), types, values, NULL);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

/* In SPI: the cursor moves behind the range. */
static void
move_cursor(const LinkPipeline *pipeline, const LinkWork *work, int64 batch)
{
	static const char sql[] =
		"UPDATE link.pipeline_cursor SET next_offset = $3, attempts = 0, retry_at = NULL, batch_id = $4 "
		"WHERE pipeline_id = $1 AND partition = $2 AND next_offset = $5";
	Oid			types[] = {INT8OID, INT4OID, INT8OID, INT8OID, INT8OID};
	Datum		values[] = {
		Int64GetDatum(pipeline->id), Int32GetDatum(work->partition), Int64GetDatum(work->to), Int64GetDatum(batch),
		Int64GetDatum(work->from)
	};

	if (link_state_run(sql, SPI_OK_UPDATE, lengthof(values), types, values, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("partition %d of pipeline \"%s\" was loaded or forgotten meanwhile",
						work->partition, pipeline->name)));
}

/* Objects that are loaded: their rows are locked, so each is where it was. */
static void
mark_loaded(const LinkPipeline *pipeline, const LinkWork *work, int64 batch)
{
	static const char sql[] =
		"UPDATE link.pipeline_file SET state = 'Loaded', retry_at = NULL, batch_id = $3 "
		"WHERE ctid = ANY ($2) AND " AS_IT_IS;
	Oid			types[] = {INT8OID, TIDARRAYOID, INT8OID};
	Datum		values[] = {Int64GetDatum(pipeline->id), 0, Int64GetDatum(batch)};
	ArrayBuildState *rows = NULL;

	for (int i = 0; i < list_length(work->objects); i++)
		rows = accumArrayResult(rows, PointerGetDatum(&work->rows[i]), false, TIDOID, CurrentMemoryContext);
	values[1] = makeArrayResult(rows, CurrentMemoryContext);
	if (link_state_run(sql, SPI_OK_UPDATE, lengthof(values), types, values, NULL) != list_length(work->objects))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("objects of pipeline \"%s\" were loaded or forgotten meanwhile", pipeline->name)));
}

/* An object that is given up, in another transaction than that which took it. */
static void
mark_skipped(const LinkPipeline *pipeline, const LinkObject *object, int64 batch)
{
	static const char sql[] =
		"UPDATE link.pipeline_file SET state = 'Skipped', retry_at = NULL, batch_id = $3 "
		"WHERE pipeline_id = $1 AND path = $2 AND state = 'Unloaded'";
	Oid			types[] = {INT8OID, TEXTOID, INT8OID};
	Datum		values[] = {Int64GetDatum(pipeline->id), CStringGetTextDatum(object->path), Int64GetDatum(batch)};

	(void) link_state_run(sql, SPI_OK_UPDATE, lengthof(values), types, values, NULL);
}

void
link_work_done(const LinkPipeline *pipeline, const LinkWork *work, uint64 rows, uint64 bytes, TimestampTz started)
{
	LinkElevated saved;
	int64		batch;

	link_state_begin(&saved);
	batch = insert_batch(pipeline, "Succeeded", work, rows, bytes, started);
	if (work->stream)
		move_cursor(pipeline, work, batch);
	else
		mark_loaded(pipeline, work, batch);
	link_state_end(&saved);
}

bool
link_work_hopeless(int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);

	return class == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION || class == ERRCODE_FEATURE_NOT_SUPPORTED;
}

bool
link_work_outside(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
		case ERRCODE_OPERATOR_INTERVENTION:
			return true;
		default:
			return sqlstate == ERRCODE_LINK_FAILED;
	}
}

/* 'text', in whole characters; cut where it is too long. */
static char *
clipped(const char *text, int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);
	int			most = class == ERRCODE_DATA_EXCEPTION || class == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ?
		TEXT_BYTES : MESSAGE_BYTES;
	Size		len = strlen(text);

	if (len <= most)
		return pstrdup(text);
	most -= 3;
	return psprintf("%.*s...", pg_mbcliplen(text, most + MAX_MULTIBYTE_CHAR_LEN, most), text);
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
	values[4] = CStringGetTextDatum(clipped(error->message ? error->message : "", error->sqlerrcode));
	if (detail)
		values[5] = CStringGetTextDatum(clipped(detail, error->sqlerrcode));
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
	(void) link_state_run(sql, SPI_OK_INSERT, lengthof(values), types, values, nulls);
}

void
link_work_record(const LinkPipeline *pipeline, const LinkWorkError *where, const ErrorData *error)
{
	LinkElevated saved;

	link_state_begin(&saved);
	insert_error(pipeline, where, error);
	link_state_end(&saved);
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
		"WHERE pipeline_id = $1 AND partition = $2 AND next_offset = $3 RETURNING attempts";
	Oid			types[] = {INT8OID, work->stream ? INT4OID : TEXTOID, INT8OID};
	Datum		values[] = {
		Int64GetDatum(pipeline->id),
		work->stream ? Int32GetDatum(work->partition) : CStringGetTextDatum(object->path),
		Int64GetDatum(work->from)
	};
	bool		isnull;

	if (link_state_run(work->stream ? sql_cursor : sql_file, SPI_OK_UPDATE_RETURNING, work->stream ? 3 : 2,
					   types, values, NULL) == 0)
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
	(void) link_state_run(work->stream ? sql_cursor : sql_file, SPI_OK_UPDATE, 3, types, values, NULL);
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
	link_pipeline_set_state(pipeline->id, LINK_PIPELINE_ERROR,
							clipped(error->message ? error->message : "", error->sqlerrcode));
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

	/* of one that is being dropped nothing is kept */
	if (!link_lock_pipeline_shared(pipeline->id) || link_pipeline_by_id(pipeline->id) == NULL)
		return;
	link_state_begin(&saved);
	if (object)
	{
		int			attempts = count_attempt(pipeline, work, object);

		where.batch = insert_batch(pipeline, "Failed", work, 0, 0, started);
		where.source = work->stream ? psprintf("%d", work->partition) : object->path;
		where.position = work->stream ? 0 : (int64) work->line;
		if (ends || attempts == 0)
			;					/* the pipeline stops; somebody else has done it meanwhile */
		else if (attempts <= pipeline->max_retries ||
				 (!pipeline->stop_on_error && link_work_outside(error->sqlerrcode)))
			set_retry(pipeline, work, object, attempts);
		else if (pipeline->stop_on_error)
			ends = true;
		else if (work->stream)
			move_cursor(pipeline, work, where.batch);
		else
			mark_skipped(pipeline, object, where.batch);
	}
	insert_error(pipeline, &where, error);
	link_state_end(&saved);
	if (ends)
		stop(pipeline, error);
}

void
link_work_trim(const LinkPipeline *pipeline)
{
	static const char *const sql[] = {
		"DELETE FROM link.pipeline_batch WHERE pipeline_id = $1 AND id <= "
		"(SELECT id FROM link.pipeline_batch WHERE pipeline_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)",
		"DELETE FROM link.pipeline_error WHERE pipeline_id = $1 AND id <= "
		"(SELECT id FROM link.pipeline_error WHERE pipeline_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)",
	};
	Oid			types[] = {INT8OID, INT4OID};
	Datum		values[] = {Int64GetDatum(pipeline->id), Int32GetDatum(link_pipeline_history)};
	LinkElevated saved;

	link_state_begin(&saved);
	for (int i = 0; i < lengthof(sql); i++)
		(void) link_state_run(sql[i], SPI_OK_DELETE, 2, types, values, NULL);
	link_state_end(&saved);
}
