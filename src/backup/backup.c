/*-------------------------------------------------------------------------
 *
 * backup.c
 *	  BACKUP: a database, or a schema of it, into the objects of a link.
 *
 * The tables are locked against being altered, and only then the snapshot is
 * taken, which pg_dump and all workers share.  So what is written is the database
 * of that moment, whatever is done to it meanwhile.  The sentinel, written last,
 * makes a backup of it; what a backup that fails leaves behind counts for nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "backup/backup.h"
#include "backup/base.h"
#include "backup/command.h"
#include "backup/crew.h"
#include "backup/dump.h"
#include "backup/history.h"
#include "backup/inventory.h"
#include "backup/manifest.h"
#include "backup/progress.h"
#include "catalog/privileges.h"
#include "catalog/use.h"
#include "codec/codec.h"
#include "errors.h"
#include "transfer/object.h"

/* Bytes of a table's pages that one process reads at a time; smaller tables are read by one. */
#define RANGE_BYTES (INT64CONST(256) * 1024 * 1024)

typedef struct Backup
{
	const LinkBackupArgs *args;
	LinkRow    *row;
	LinkSession *session;
	LinkManifest manifest;
	List	   *tables;			/* LinkInventoryTable * */
	List	   *tasks;			/* LinkTask * */
	const char *suffix;			/* of the objects of tables */
} Backup;

/*
 * Rights: of one who may read everything, or owns it, and who is held to what he
 * may read all the same.
 */

static void
check_rights(List *schemas)
{
	if (superuser() || has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_DATA) ||
		(schemas && link_inventory_is_owned(schemas)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 schemas ? errmsg("permission denied to back up schema \"%s\"", (char *) linitial(schemas))
			 : errmsg("permission denied to back up the database"),
			 errdetail("Only superusers%s and roles with privileges of role \"%s\" may do so.",
					   schemas ? ", owners of the schema and of all in it" : "", "pg_read_all_data")));
}

/* Of those of a system or an extension there is nothing that could be restored. */
static List *
existing_schemas(List *names)
{
	List	   *schemas = NIL;
	ListCell   *lc;

	foreach(lc, names)
	{
		char	   *name = pstrdup(strVal(lfirst(lc)));
		Oid			schema = get_namespace_oid(name, false);
		ListCell   *other;

		if (IsReservedName(name) || strcmp(name, "information_schema") == 0 ||
			OidIsValid(getExtensionOfObject(NamespaceRelationId, schema)))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("schema \"%s\" cannot be backed up by itself", name),
					 errhint("Back up the database.")));
		foreach(other, schemas)
			if (strcmp(lfirst(other), name) == 0)
				break;
		if (other == NULL)
			schemas = lappend(schemas, name);
	}
	return schemas;
}

/*
 * Definitions: bytes of pg_dump into an object.
 */

static void
take_bytes(void *arg, const char *data, Size size)
{
	link_object_write(arg, data, size);
}

static void
write_dump(Backup *backup, LinkDumpPart part, const char *name, const char *snapshot, LinkBackupObject *object)
{
	LinkObjectWriter *writer;
	StringInfoData token;

	object->path = psprintf(INT64_FORMAT "/%s", backup->manifest.id, name);
	initStringInfo(&token);
	writer = link_object_begin(backup->session, link_backup_path(backup->args->path, object->path), false,
							   NULL, 0, false, false);
	writer->digest = link_digest_begin();
	PG_TRY();
	{
		LinkDumpArgs args = {part, snapshot, backup->manifest.schemas, superuser()};

		link_dump(&args, take_bytes, writer);
		link_object_prepare(writer, &token);
		link_publish(backup->session, writer->writer->path, false, token.data, token.len);
	}
	PG_CATCH();
	{
		link_undo_writer(writer->writer, &token);
		PG_RE_THROW();
	}
	PG_END_TRY();
	object->bytes = writer->bytes;
	link_digest_end(writer->digest, object->sha256);
	link_object_free(writer);
}

/*
 * Data: a task for each table, or each range of its pages.
 */

/* What a path takes of a name; the table's Oid behind it tells apart what looks the same. */
static char *
path_name(const char *name)
{
	char	   *result = pstrdup(name);

	for (char *p = result; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			  *p == '_' || *p == '.'))
			*p = '_';
	return result;
}

static char *
select_of(const LinkInventoryTable *table, const char *range)
{
	const char *columns = table->table.columns;
	char	   *list = columns[0] ? pnstrdup(columns + 1, strlen(columns) - 2) : pstrdup("");
	const char *extra = range;

	if (range == NULL)
		extra = table->condition;
	return psprintf("SELECT %s FROM ONLY %s %s", list, table->table.name, extra);
}

static void
add_task(Backup *backup, LinkInventoryTable *table, int number, int part, char *sql)
{
	LinkBackupObject *object = palloc0(sizeof(LinkBackupObject));
	LinkTask   *task = palloc0(sizeof(LinkTask));

	object->path = psprintf(INT64_FORMAT "/data/%s.%u_%04d%s", backup->manifest.id,
							path_name(table->plain_name), table->table.oid, part, backup->suffix);
	table->table.parts = lappend(table->table.parts, object);
	task->kind = LINK_TASK_EXPORT;
	task->path = link_backup_path(backup->args->path, object->path);
	task->sql = sql;
	task->compression = backup->args->compression;
	task->object = object;
	task->table_number = number;
	backup->tasks = lappend(backup->tasks, task);
}

static void
add_tasks(Backup *backup, LinkInventoryTable *table, int number)
{
	BlockNumber range = RANGE_BYTES / BLCKSZ;
	int			nparts = 1;

	if (table->has_pages && table->condition[0] == '\0')
		nparts = Max(1, table->table.blocks / range);
	if (nparts == 1)
	{
		add_task(backup, table, number, 0, select_of(table, NULL));
		return;
	}
	/* the last takes what has been added meanwhile too, though nothing of it is seen */
	for (int i = 0; i < nparts; i++)
	{
		char	   *condition = psprintf("WHERE ctid OPERATOR(pg_catalog.>=) '(%u,0)'::pg_catalog.tid", i * range);

		if (i < nparts - 1)
			condition = psprintf("%s AND ctid OPERATOR(pg_catalog.<) '(%u,0)'::pg_catalog.tid", condition, (i + 1) * range);
		add_task(backup, table, number, i, select_of(table, condition));
	}
}

static const char *
codec_suffix(const char *compression)
{
	const LinkCodec *codec = link_codec_find(compression);

	if (codec == NULL && pg_strcasecmp(compression, "none") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("unrecognized compression: \"%s\"", compression)));
	return codec ? codec->suffix : "";
}

static int
by_size(const ListCell *a, const ListCell *b)
{
	int64		one = ((LinkInventoryTable *) lfirst(a))->bytes;
	int64		other = ((LinkInventoryTable *) lfirst(b))->bytes;

	return (one < other) - (one > other);
}

/* The largest first, so that no process comes to it when all others have ended. */
static void
plan_tasks(Backup *backup)
{
	List	   *tables = list_copy(backup->tables);
	List	   *in_order = NIL;
	ListCell   *lc;

	list_sort(tables, by_size);
	foreach(lc, tables)
	{
		LinkInventoryTable *table = lfirst(lc);

		/* of others the base has what they hold */
		if (table->table.parts == NIL)
			add_tasks(backup, table, foreach_current_index(lc));
		in_order = lappend(in_order, &table->table);
	}
	link_backup_progress_tables(in_order, backup->manifest.id, false);
	foreach(lc, backup->tables)
		backup->manifest.tables = lappend(backup->manifest.tables, &((LinkInventoryTable *) lfirst(lc))->table);
}

/*
 * All of it.
 */

static char *
utc_time(TimestampTz time)
{
	return pstrdup(DatumGetCString(DirectFunctionCall1(timestamp_out, TimestampTzGetDatum(time))));
}

static void
describe(Backup *backup)
{
	LinkManifest *manifest = &backup->manifest;
	TimestampTz now = GetCurrentTimestamp();

	manifest->id = now + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	manifest->started = utc_time(now);
	manifest->system_identifier = GetSystemIdentifier();
	manifest->timeline = GetWALInsertionTimeLine();
	manifest->database_oid = MyDatabaseId;
	manifest->server_version = PG_VERSION_NUM;
	link_inventory_database(&manifest->database);
}

/* The snapshot is there until all of it is read. */
static void
write_objects(Backup *backup, const LinkManifest *base, int processes)
{
	LinkManifest *manifest = &backup->manifest;
	const char *snapshot;

	backup->tables = link_inventory_tables(manifest->schemas, &manifest->baseline);
	/*
	 * Later than the snapshot, so that none stands before a value that a row has;
	 * and soon, since nothing keeps others from dropping them.
	 */
	manifest->sequences = link_inventory_sequences(manifest->schemas);
	snapshot = ExportSnapshot(GetActiveSnapshot());
	link_backup_progress_phase(LINK_PHASE_DEFINITIONS);
	write_dump(backup, LINK_DUMP_DEFINITIONS, LINK_DEFINITIONS_OBJECT, snapshot, &manifest->definitions);
	link_backup_progress_phase(LINK_PHASE_LARGE_OBJECTS);
	if (manifest->schemas == NIL && link_inventory_has_large_objects())
		write_dump(backup, LINK_DUMP_LARGE_OBJECTS, LINK_LARGE_OBJECTS_OBJECT, snapshot, &manifest->large_objects);
	link_backup_progress_phase(LINK_PHASE_COMPARING);
	if (base)
		link_base_reuse(backup->row, base, manifest, backup->tables, processes);
	plan_tasks(backup);
	link_backup_progress_phase(LINK_PHASE_TABLES);
	link_crew_run(backup->row, backup->tasks, processes);
	PopActiveSnapshot();
}

static void
complete(Backup *backup, const LinkManifest *base)
{
	LinkManifest *manifest = &backup->manifest;

	link_backup_progress_phase(LINK_PHASE_FINISHING);
	if (base)
		link_base_require(backup->session, backup->args->path, base);
	else
		link_base_record(manifest);
	manifest->finished = utc_time(GetCurrentTimestamp());
	link_history_succeed(manifest, link_manifest_write(backup->session, backup->args->path, manifest));
}

static void
add_up(const LinkManifest *manifest)
{
	uint64		rows = 0;
	uint64		bytes = 0;
	ListCell   *lc;

	foreach(lc, link_manifest_objects(manifest))
	{
		LinkBackupObject *object = lfirst(lc);

		if (link_backup_of(object) != manifest->id)
			continue;
		rows += object->rows;
		bytes += object->bytes;
	}
	link_use_moved(rows, bytes);
}

static int64
back_up(const LinkBackupArgs *args)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link backup", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Backup		backup = {args};
	int			processes = link_backup_processes(args->processes);
	LinkManifest *base = NULL;
	int64		id;
	int			level;

	backup.row = link_backup_look_up(&args->link, args->path,
									 args->differential ? LINK_ACL_READ | LINK_ACL_WRITE : LINK_ACL_WRITE);
	backup.manifest.schemas = existing_schemas(args->schemas);
	check_rights(backup.manifest.schemas);
	link_backup_require_alone("BACKUP");
	backup.suffix = codec_suffix(args->compression);
	level = link_backup_pin_settings();
	describe(&backup);
	id = backup.manifest.id;
	backup.session = link_open(backup.row);
	if (args->differential)
	{
		base = link_base_find(backup.session, args->path);
		backup.manifest.base = base->id;
	}
	link_backup_progress_begin("BACKUP", id);
	link_history_begin(backup.row, args->path, &backup.manifest);
	PG_TRY();
	{
		write_objects(&backup, base, processes);
		complete(&backup, base);
	}
	PG_CATCH();
	{
		link_history_fail(id);
		PG_RE_THROW();
	}
	PG_END_TRY();
	add_up(&backup.manifest);
	link_backup_progress_end();
	link_close(backup.session);
	AtEOXact_GUC(true, level);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return id;
}

int64
link_backup(const LinkBackupArgs *args)
{
	int64		id = 0;

	LINK_USE_BEGIN(LINK_VERB_BACKUP, args->path);
	{
		id = back_up(args);
	}
	LINK_USE_END();
	return id;
}
