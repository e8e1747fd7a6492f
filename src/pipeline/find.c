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
 * Names that one look finds at most at first, and at last: workers begin with what is
 * found, and other pipelines have their turn.
 */
#define FIRST_NAMES 1000
#define MOST_NAMES 64000

/* Between two full listings pass at most so many times what one takes. */
#define LONGEST_REST 16

/*
 * Finding objects.
 */

typedef struct NamePage
{
	const LinkPipeline *pipeline;
	LinkLook   *look;			/* or NULL */
	char	   *last;			/* that was found; NULL: none */
	int			found;			/* names */
	int			limit;			/* of these, 0: none */
	MemoryContext names;		/* of 'last' */
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
	uint64		inserted;
	LinkElevated saved;

	if (page->n == 0)
		return;
	values[0] = Int64GetDatum(page->pipeline->id);
	values[1] = makeArrayResult(page->paths, page->context);
	values[2] = makeArrayResult(page->sizes, page->context);
	values[3] = makeArrayResult(page->times, page->context);
	values[4] = makeArrayResult(page->etags, page->context);
	link_state_begin(&saved);
	inserted = link_state_run(sql, SPI_OK_INSERT, lengthof(values), types, values, NULL);
	link_state_end(&saved);

	/* a page ends where what was known ends */
	if (inserted > 0 && page->look && page->look->known && strcmp(page->last, page->look->known) <= 0)
		page->look->late = true;
	MemoryContextReset(page->context);
	page->n = 0;
	page->paths = page->sizes = page->times = page->etags = NULL;
}

/* Of a look, which lasts longer than its transaction; NULL: none. */
static void
keep_name(char **name, const char *value)
{
	if (*name)
		pfree(*name);
	*name = value ? MemoryContextStrdup(TopMemoryContext, value) : NULL;
}

static bool
found_object(const LinkObject *object, void *arg)
{
	NamePage	   *page = arg;
	const char *known = page->look ? page->look->known : NULL;
	MemoryContext caller;
	bool		no_time = TIMESTAMP_IS_NOBEGIN(object->last_modified) || object->last_modified == 0;

	if (known && page->n > 0 && strcmp(page->last, known) <= 0 && strcmp(object->path, known) > 0)
		store_page(page);
	if (page->last)
		pfree(page->last);
	page->last = MemoryContextStrdup(page->names, object->path);

	caller = MemoryContextSwitchTo(page->context);
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
	return ++page->found != page->limit;
}

void
link_look_reset(LinkLook *look)
{
	keep_name(&look->largest, NULL);
	keep_name(&look->known, NULL);
	keep_name(&look->at, NULL);
	memset(look, 0, sizeof(*look));
}

/*
 * Where a look begins.  Names mostly grow, and then what is new is behind the largest
 * one that is known.  A full listing finds the others: it comes again after the time
 * that it took; after twice, four times ... as long if nothing came late.
 */
static const char *
look_from(LinkLook *look, TimestampTz now)
{
	if (look->full)
		return look->at;
	if (look->largest && now < look->full_at)
		return look->largest;
	look->full = true;
	look->late = false;
	look->cost = 0;
	keep_name(&look->known, look->largest);
	return NULL;
}

/* True if it is not through. */
static bool
look_came_to(LinkLook *look, const NamePage *page, TimestampTz begun)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		more = page->found == page->limit;

	if (page->last && (look->largest == NULL || strcmp(page->last, look->largest) > 0))
		keep_name(&look->largest, page->last);
	look->names = more ? Min(page->limit * 2, MOST_NAMES) : FIRST_NAMES;
	if (!look->full)
		return more;
	look->cost += now - begun;
	if (more)
	{
		keep_name(&look->at, page->last);
		return true;
	}
	look->full = false;
	keep_name(&look->at, NULL);
	keep_name(&look->known, NULL);
	look->rest = look->late ? 1 : Min(Max(look->rest, 1) * 2, LONGEST_REST);
	look->full_at = now + look->rest * look->cost;
	return false;
}

/* True if there is more to be found. */
static bool
find_objects(const LinkPipeline *pipeline, LinkSession *session, LinkLook *look)
{
	NamePage	page = {pipeline,.names = CurrentMemoryContext};
	TimestampTz begun = GetCurrentTimestamp();
	const char *after = NULL;
	bool		more = false;

	if (look && (session->provider->features & LINK_LISTS_BEHIND))
	{
		after = look_from(look, begun);
		page.look = look;
		page.limit = look->names > 0 ? look->names : FIRST_NAMES;
	}
	page.context = AllocSetContextCreate(CurrentMemoryContext, "link pipeline page", ALLOCSET_DEFAULT_SIZES);
	link_list_behind(session, pipeline->path, true, after, found_object, &page);
	store_page(&page);
	if (page.look)
		more = look_came_to(look, &page, begun);
	MemoryContextDelete(page.context);
	return more;
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

bool
link_work_find(const LinkPipeline *pipeline, LinkLook *look)
{
	bool		more = false;
	LinkSession *session;
	Oid			user;
	int			context;

	as_owner(pipeline, &user, &context);
	session = link_open(link_lookup_id(pipeline->link_id, LINK_ACL_READ));
	if (session->provider->features & LINK_IS_STREAM)
		find_messages(pipeline, session);
	else
		more = find_objects(pipeline, session, look);
	link_close(session);
	SetUserIdAndSecContext(user, context);

	/* of one that is being dropped nothing is kept */
	if (!link_lock_pipeline_shared(pipeline->id) || link_pipeline_by_id(pipeline->id) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("pipeline \"%s\" is being stopped or changed", pipeline->name)));
	return more;
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
