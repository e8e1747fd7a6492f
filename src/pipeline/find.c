/*-------------------------------------------------------------------------
 *
 * find.c
 *	  Looking at the provider: new objects, new messages.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "catalog/privileges.h"
#include "errors.h"
#include "pipeline/engine.h"

/* Names of a listing that are stored at a time. */
#define PAGE 1000

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
		"WHERE NOT EXISTS (SELECT FROM link.pipeline_file f WHERE f.pipeline_id = $1 AND f.path = u.path OFFSET 0) "
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
	link_state_begin(&saved);
	(void) link_state_run(sql, SPI_OK_INSERT, lengthof(values), types, values, NULL);
	link_state_end(&saved);
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

/*
 * Most names only grow, so a listing that begins behind the largest one known finds
 * what is new, where the provider can begin there.  A listing of all catches names
 * that come late: always where it is quick, else so often that it takes a certain
 * share of the time.
 */
#define QUICK_MS 100
#define FULL_SHARE 20

typedef struct Listed
{
	int64		pipeline;
	TimestampTz at;				/* when all was listed last, by this process */
	int64		took;			/* ms */
} Listed;

static Listed *
listed(int64 pipeline)
{
	static List *all = NIL;
	MemoryContext caller;
	Listed	   *one;
	ListCell   *lc;

	foreach(lc, all)
		if (((Listed *) lfirst(lc))->pipeline == pipeline)
			return lfirst(lc);
	caller = MemoryContextSwitchTo(TopMemoryContext);
	one = palloc0(sizeof(Listed));
	one->pipeline = pipeline;
	all = lappend(all, one);
	MemoryContextSwitchTo(caller);
	return one;
}

/* The largest name that is known; NULL: none is. */
static char *
last_name(const LinkPipeline *pipeline)
{
	static const char sql[] =
		"SELECT path FROM link.pipeline_file WHERE pipeline_id = $1 ORDER BY path DESC LIMIT 1";
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(pipeline->id)};
	LinkElevated saved;
	char	   *name = NULL;
	bool		isnull;

	link_state_begin(&saved);
	if (link_state_run(sql, SPI_OK_SELECT, 1, types, values, NULL) > 0)
		name = MemoryContextStrdup(caller, TextDatumGetCString(SPI_getbinval(SPI_tuptable->vals[0],
																			 SPI_tuptable->tupdesc, 1, &isnull)));
	link_state_end(&saved);
	return name;
}

static void
find_objects(const LinkPipeline *pipeline, LinkSession *session)
{
	NamePage	page = {pipeline};
	Listed	   *last = listed(pipeline->id);
	TimestampTz begun = GetCurrentTimestamp();
	bool		all = last->took < QUICK_MS || begun > TimestampTzPlusMilliseconds(last->at, last->took * FULL_SHARE);

	page.context = AllocSetContextCreate(CurrentMemoryContext, "link pipeline page", ALLOCSET_DEFAULT_SIZES);
	link_list_after(session, pipeline->path, all ? NULL : last_name(pipeline), found_object, &page);
	store_page(&page);
	MemoryContextDelete(page.context);
	if (all)
	{
		last->at = GetCurrentTimestamp();
		last->took = TimestampDifferenceMilliseconds(begun, last->at);
	}
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

	if (link_state_run(known, SPI_OK_SELECT, 2, types, values, NULL) == 0)
	{
		values[2] = Int64GetDatum(partition->earliest);
		values[3] = Int64GetDatum(partition->latest);
		(void) link_state_run(insert, SPI_OK_INSERT, 4, types, values, NULL);
	}
	else
	{
		bool		isnull;

		check_cursor(pipeline, partition,
					 DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)));
		values[2] = Int64GetDatum(partition->latest);
		(void) link_state_run(update, SPI_OK_UPDATE, 3, types, values, NULL);
	}
}

static void
find_messages(const LinkPipeline *pipeline, LinkSession *session)
{
	List	   *partitions = link_partitions(session, pipeline->path);
	LinkElevated saved;
	ListCell   *lc;

	link_state_begin(&saved);
	foreach(lc, partitions)
		found_partition(pipeline, lfirst(lc));
	link_state_end(&saved);
}

static void
seek(const LinkPipeline *pipeline, LinkSession *session, bool latest)
{
	static const char empty[] =
		"DELETE FROM link.pipeline_cursor WHERE pipeline_id = $1";
	static const char sql[] =
		"INSERT INTO link.pipeline_cursor (pipeline_id, partition, next_offset, latest_offset, attempts) "
		"VALUES ($1, $2, $3, $4, 0)";
	Oid			types[] = {INT8OID, INT4OID, INT8OID, INT8OID};
	Datum		values[4] = {Int64GetDatum(pipeline->id)};
	List	   *partitions = link_partitions(session, pipeline->path);
	LinkElevated saved;
	ListCell   *lc;

	link_state_begin(&saved);
	(void) link_state_run(empty, SPI_OK_DELETE, 1, types, values, NULL);
	foreach(lc, partitions)
	{
		const LinkPartition *partition = lfirst(lc);

		values[1] = Int32GetDatum(partition->number);
		values[2] = Int64GetDatum(latest ? partition->latest : partition->earliest);
		values[3] = Int64GetDatum(partition->latest);
		(void) link_state_run(sql, SPI_OK_INSERT, 4, types, values, NULL);
	}
	link_state_end(&saved);
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
	session = link_open(link_lookup_id(pipeline->link_id, LINK_ACL_READ));
	if (session->provider->features & LINK_IS_STREAM)
		find_messages(pipeline, session);
	else
		find_objects(pipeline, session);
	link_close(session);
	SetUserIdAndSecContext(user, context);

	/* of one that is being dropped nothing is kept */
	if (!link_lock_pipeline_shared(pipeline->id) || link_pipeline_by_id(pipeline->id) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("pipeline \"%s\" is being stopped or changed", pipeline->name)));
}

void
link_work_seek(const LinkPipeline *pipeline, bool latest)
{
	LinkSession *session;
	Oid			user;
	int			context;

	as_owner(pipeline, &user, &context);
	session = link_open(link_lookup_id(pipeline->link_id, LINK_ACL_READ));
	seek(pipeline, session, latest);
	link_close(session);
	SetUserIdAndSecContext(user, context);
}
