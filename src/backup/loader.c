/*-------------------------------------------------------------------------
 *
 * loader.c
 *	  Several sessions that fill a database that is being restored.
 *
 * Each session is a connection of ours (client.h), and calls a procedure of this
 * library there, which it has made for itself in pg_temp: the extension need not be
 * in the database.  The procedure takes tasks that nobody has, and commits now and
 * then, so that no transaction locks too many tables.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "port/atomics.h"
#include "storage/dsm.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/resowner.h"
#include "utils/varlena.h"

#include "backup/client.h"
#include "backup/loader.h"
#include "backup/progress.h"
#include "errors.h"
#include "provider/provider.h"
#include "transfer/listed.h"

#define MAGIC 0x4C4E4B52

/* Tables that one transaction loads. */
#define TABLES_AT_ONCE 100

typedef struct Shared
{
	uint32		magic;
	Oid			user;
	pg_atomic_uint32 next;		/* task */
	pg_atomic_uint32 failed;	/* somebody has */
	dsm_handle	progress;
	int			encoding;		/* of all texts: the two databases may differ */
	int			ntasks;
	uint32		tasks;			/* where they are, from the beginning of this, as all below */
	int64		link_id;
	uint64		link_version;
	Oid			link_owner;
	uint32		namespace;
	uint32		name;
	uint32		type;
	uint32		config;
	uint32		credentials;	/* 0: none */
} Shared;

typedef struct Task
{
	uint32		table;
	uint32		columns;
	uint32		path;			/* 0: analyze */
	int			number;
	bool		whole;
	uint64		bytes;
	uint64		text_bytes;
	uint8		sha256[LINK_DIGEST_LENGTH];
} Task;

PG_FUNCTION_INFO_V1(link_load_tasks_here);

/*
 * Sharing.
 */

static uint32
put(StringInfo to, const void *data, Size size)
{
	uint32		at;

	while (to->len % MAXIMUM_ALIGNOF != 0)
		appendStringInfoChar(to, '\0');
	at = to->len;
	appendBinaryStringInfo(to, data, size);
	return at;
}

static uint32
put_text(StringInfo to, const char *text)
{
	return put(to, text, strlen(text) + 1);
}

static void
put_tasks(StringInfo to, List *tasks)
{
	uint32		at = ((Shared *) to->data)->tasks;

	for (int i = 0; i < list_length(tasks); i++)
	{
		LinkLoadTask *task = list_nth(tasks, i);
		Task		packed = {0};

		packed.table = put_text(to, task->table);
		packed.columns = put_text(to, task->columns);
		if (task->path)
		{
			packed.path = put_text(to, task->path);
			packed.bytes = task->object->bytes;
			packed.text_bytes = task->object->text_bytes;
			memcpy(packed.sha256, task->object->sha256, LINK_DIGEST_LENGTH);
		}
		packed.number = task->number;
		packed.whole = task->whole;
		memcpy(to->data + at + i * sizeof(Task), &packed, sizeof(packed));
	}
}

static StringInfoData
pack(const LinkRow *row, List *tasks)
{
	StringInfoData all;
	Shared		shared = {MAGIC, GetUserId()};
	Task	   *none = palloc0(sizeof(Task) * list_length(tasks));

	initStringInfo(&all);
	put(&all, &shared, sizeof(shared));
	shared.encoding = GetDatabaseEncoding();
	shared.ntasks = list_length(tasks);
	shared.tasks = put(&all, none, sizeof(Task) * list_length(tasks));
	shared.progress = link_backup_progress_handle();
	shared.link_id = row->id;
	shared.link_version = row->version;
	shared.link_owner = row->owner;
	shared.namespace = put_text(&all, row->namespace);
	shared.name = put_text(&all, row->name);
	shared.type = put_text(&all, row->type);
	shared.config = put_text(&all, row->config);
	if (row->credentials)
		shared.credentials = put(&all, row->credentials, VARSIZE(row->credentials));
	memcpy(all.data, &shared, sizeof(shared));
	put_tasks(&all, tasks);
	return all;
}

static char *
text_at(const Shared *shared, uint32 at)
{
	const char *text = (const char *) shared + at;

	return pg_any_to_server(text, strlen(text), shared->encoding);
}

static LinkRow *
unpack_row(Shared *shared)
{
	char	   *base = (char *) shared;
	LinkRow    *row = palloc0(sizeof(LinkRow));

	row->id = shared->link_id;
	row->version = shared->link_version;
	row->owner = shared->link_owner;
	row->namespace = text_at(shared, shared->namespace);
	row->name = text_at(shared, shared->name);
	row->type = text_at(shared, shared->type);
	row->provider = link_provider_find(row->type);
	row->config = text_at(shared, shared->config);
	if (shared->credentials)
		row->credentials = (bytea *) (base + shared->credentials);
	return row;
}

/*
 * In the session.
 */

List *
link_load_columns(const char *columns)
{
	List	   *names = NIL;

	if (columns[0] != '\0' &&
		!SplitIdentifierString(pnstrdup(columns + 1, strlen(columns) - 2), ',', &names))
		elog(ERROR, "malformed list of columns: %s", columns);
	return names;
}

static Oid
table_named(const char *name)
{
	return DatumGetObjectId(DirectFunctionCall1(to_regclass, CStringGetTextDatum(name)));
}

Oid
link_load_target(const char *name)
{
	Oid			table = table_named(name);

	if (!OidIsValid(table))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s of the backup is not among its definitions", name)));
	return table;
}

static void
load(LinkSession *session, const Shared *shared, const Task *task, char *path)
{
	const char *name = text_at(shared, task->table);
	Oid			table = link_load_target(name);
	LinkObject	object = {.path = path,.size = (int64) task->bytes,.sha256 = task->sha256,.text_bytes = task->text_bytes};
	LinkListed	listed = {.path = path,.target = table};

	listed.columns = link_load_columns(text_at(shared, task->columns));
	listed.options = list_make2(makeDefElem("format", (Node *) makeString("text"), -1),
								makeDefElem("encoding", (Node *) makeString(pstrdup(GetDatabaseEncodingName())), -1));
	/* nobody else sees the table, and it is new: nothing of it has to be logged or looked at again */
	if (task->whole && !OidIsValid(getExtensionOfObject(RelationRelationId, table)))
	{
		if (SPI_execute(psprintf("TRUNCATE ONLY %s", name), false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "could not truncate %s", name);
		listed.frozen = true;
	}
	(void) link_import_listed(session, list_make1(&object), &listed);
}

static void
context_of_task(void *arg)
{
	errcontext("backup object \"%s\"", (const char *) arg);
}

static void
do_task(LinkSession *session, const Shared *shared, const Task *task)
{
	ErrorContextCallback callback = {error_context_stack, context_of_task};

	if (task->path == 0)
	{
		link_analyze(table_named(text_at(shared, task->table)));
		return;
	}
	callback.arg = text_at(shared, task->path);
	error_context_stack = &callback;
	link_backup_progress_table(task->number);
	load(session, shared, task, callback.arg);
	link_backup_progress_part();
	link_backup_progress_table(-1);
	error_context_stack = callback.previous;
}

static void
take_tasks(Shared *shared)
{
	MemoryContext context = AllocSetContextCreate(PortalContext, "link restore task", ALLOCSET_DEFAULT_SIZES);
	MemoryContext session_context = AllocSetContextCreate(PortalContext, "link restore", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(session_context);
	const Task *tasks = (const Task *) ((const char *) shared + shared->tasks);
	LinkSession *session = link_open_elsewhere(unpack_row(shared));
	int			done = 0;
	uint32		n;

	while (pg_atomic_read_u32(&shared->failed) == 0 &&
		   (n = pg_atomic_fetch_add_u32(&shared->next, 1)) < (uint32) shared->ntasks)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(context);
		do_task(session, shared, &tasks[n]);
		if (++done % TABLES_AT_ONCE == 0)
		{
			SPI_commit();
			/* CHECK constraints, indexes and values out of line all need one */
			EnsurePortalSnapshotExists();
		}
		MemoryContextSwitchTo(session_context);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(caller);
	link_close(session);
}

/* CALL pg_temp.link_load_tasks(handle): made and called by sessions of a loader alone. */
Datum
link_load_tasks_here(PG_FUNCTION_ARGS)
{
	dsm_segment *segment;
	Shared	   *shared;

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("permission denied to restore a database")));
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	segment = dsm_attach((dsm_handle) PG_GETARG_INT64(0));
	if (segment == NULL)
		elog(ERROR, "the session that restores has gone");
	dsm_pin_mapping(segment);
	shared = dsm_segment_address(segment);
	if (shared->magic != MAGIC || shared->user != GetUserId())
		elog(ERROR, "this is no restore");
	PG_TRY();
	{
		link_backup_progress_join(shared->progress);
		take_tasks(shared);
		link_backup_progress_leave();
	}
	PG_CATCH();
	{
		pg_atomic_write_u32(&shared->failed, 1);
		dsm_detach(segment);
		PG_RE_THROW();
	}
	PG_END_TRY();
	dsm_detach(segment);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * In the session that restores.
 */

struct LinkLoader
{
	const LinkRow *row;
	List	   *clients;		/* LinkClient * */
};

static LinkClient *
begin_session(const char *database)
{
	LinkClient *client = link_client_open(link_client_conninfo(database));

	link_client_run(client, "SET check_function_bodies = off");
	link_client_run(client, "SET session_replication_role = origin");
	/* what a backup sets for what it writes */
	link_client_run(client, "SET datestyle = 'ISO'");
	link_client_run(client, "SET intervalstyle = 'postgres'");
	link_client_run(client, "SET xmloption = 'content'");
	link_client_run(client, "SET array_nulls = on");
	link_client_run(client, "CREATE PROCEDURE pg_temp.link_load_tasks(pg_catalog.int8) LANGUAGE C "
					"AS '$libdir/link', 'link_load_tasks_here'");
	return client;
}

LinkLoader *
link_loader_begin(const LinkRow *row, const char *database, int sessions)
{
	LinkLoader *loader = palloc0(sizeof(LinkLoader));

	loader->row = row;
	for (int i = 0; i < sessions; i++)
		loader->clients = lappend(loader->clients, begin_session(database));
	return loader;
}

void
link_loader_run(LinkLoader *loader, List *tasks)
{
	StringInfoData packed = pack(loader->row, tasks);
	dsm_segment *segment;
	Shared	   *shared;
	int			sessions = Min(list_length(loader->clients), list_length(tasks));

	if (tasks == NIL)
		return;
	segment = dsm_create(packed.len, 0);
	shared = dsm_segment_address(segment);
	memcpy(shared, packed.data, packed.len);
	pg_atomic_init_u32(&shared->next, 0);
	pg_atomic_init_u32(&shared->failed, 0);
	for (int i = 0; i < sessions; i++)
		link_client_send(list_nth(loader->clients, i),
						 psprintf("CALL pg_temp.link_load_tasks(" UINT64_FORMAT ")", (uint64) dsm_segment_handle(segment)));
	/* who has failed has the others end soon */
	for (int i = 0; i < sessions; i++)
		link_client_await(list_nth(loader->clients, i));
	dsm_detach(segment);
}

void
link_loader_end(LinkLoader *loader)
{
	ListCell   *lc;

	foreach(lc, loader->clients)
		link_client_close(lfirst(lc));
}
