/*-------------------------------------------------------------------------
 *
 * restore.c
 *	  RESTORE: a database, or schemas (schemas.h), from a backup of a link.
 *
 * All of it is done by other sessions of this server (client.h), as superuser
 * (SECURITY 29); this one reads the link.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "backup/backup.h"
#include "backup/client.h"
#include "backup/command.h"
#include "backup/database.h"
#include "backup/dump.h"
#include "backup/loader.h"
#include "backup/manifest.h"
#include "backup/progress.h"
#include "backup/schemas.h"
#include "catalog/privileges.h"
#include "catalog/use.h"
#include "errors.h"
#include "transfer/source.h"

/* Bytes that are read at a time. */
#define COPY_BYTES (256 * 1024)

typedef struct Restore
{
	const char *path;
	LinkRow    *row;
	LinkSession *session;
	LinkManifest *manifest;
	LinkClient *client;			/* in this database */
	char	   *temporary;		/* name of the database that is being made */
	int			processes;
} Restore;

/*
 * Its contents.
 */

/* Verified before anything is made of it. */
File
link_restore_fetch(LinkSession *session, const char *path, const LinkBackupObject *archive)
{
	File		file = OpenTemporaryFile(false);
	LinkObject	object = {.path = link_backup_path(path, archive->path),.size = (int64) archive->bytes,.sha256 = archive->sha256};
	LinkSource *source = link_source_begin(session, &object);
	char	   *buffer = palloc(COPY_BYTES);
	off_t		at = 0;
	Size		got;

	link_source_await(source);
	while ((got = link_source_read(source, buffer, COPY_BYTES)) > 0)
	{
		if (FileWrite(file, buffer, got, at, WAIT_EVENT_BUFFILE_WRITE) != (int) got)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write to a temporary file: %m")));
		at += got;
	}
	link_source_close(source);
	pfree(buffer);
	return file;
}

/*
 * Is one table more than a process's share of all?  If none is, indexes are built
 * side by side, and workers for each of them would but take turns with the others.
 */
static bool
one_outweighs(const LinkManifest *manifest, int processes)
{
	uint64		all = 0;
	uint64		largest = 0;
	ListCell   *lc;

	foreach(lc, manifest->tables)
	{
		uint64		bytes = 0;
		ListCell   *part;

		foreach(part, ((LinkBackupTable *) lfirst(lc))->parts)
			bytes += ((LinkBackupObject *) lfirst(part))->text_bytes;
		all += bytes;
		largest = Max(largest, bytes);
	}
	return largest > all / processes;
}

static void
restore_archive(Restore *restore, File archive, const char *section)
{
	bool		is_indexes = strcmp(section, "post-data") == 0;
	int			fd = FileGetRawDesc(archive);

	if (lseek(fd, 0, SEEK_SET) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read a temporary file: %m")));
	link_undump(fd, section, restore->temporary, is_indexes ? restore->processes : 1,
				!is_indexes || one_outweighs(restore->manifest, restore->processes));
}

static int
by_size(const ListCell *a, const ListCell *b)
{
	uint64		one = ((LinkLoadTask *) lfirst(a))->object->bytes;
	uint64		other = ((LinkLoadTask *) lfirst(b))->object->bytes;

	return (one < other) - (one > other);
}

/* The largest first, so that no session comes to it when all others have ended. */
static void
load_tables(Restore *restore, LinkLoader *loader)
{
	List	   *tasks = NIL;
	ListCell   *lc;

	foreach(lc, restore->manifest->tables)
	{
		LinkBackupTable *table = lfirst(lc);
		ListCell   *part;

		foreach(part, table->parts)
		{
			LinkLoadTask *task = palloc0(sizeof(LinkLoadTask));

			task->table = table->root ? table->root : table->name;
			task->number = foreach_current_index(lc);
			task->columns = table->columns;
			task->object = lfirst(part);
			task->path = link_backup_path(restore->path, task->object->path);
			task->whole = list_length(table->parts) == 1 && table->root == NULL;
			tasks = lappend(tasks, task);
		}
	}
	list_sort(tasks, by_size);
	link_loader_run(loader, tasks);
}

/* Not what foreign tables inherit from: their servers have no part in a restore. */
static void
analyze_tables(LinkLoader *loader, LinkClient *client)
{
	List	   *tables =
		link_client_texts(client,
						  "WITH RECURSIVE foreign_below(oid) AS (SELECT i.inhparent FROM pg_catalog.pg_inherits i "
						  "JOIN pg_catalog.pg_class f ON f.oid = i.inhrelid WHERE f.relkind = 'f' "
						  "UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN foreign_below b ON b.oid = i.inhrelid) "
						  "SELECT c.oid::pg_catalog.regclass FROM pg_catalog.pg_class c "
						  "WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND "
						  "c.relnamespace NOT IN ('pg_catalog'::pg_catalog.regnamespace, 'information_schema'::pg_catalog.regnamespace) "
						  "AND c.oid NOT IN (SELECT oid FROM foreign_below) ORDER BY c.relpages DESC");
	List	   *tasks = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		LinkLoadTask *task = palloc0(sizeof(LinkLoadTask));

		task->table = lfirst(lc);
		task->columns = "";
		tasks = lappend(tasks, task);
	}
	link_loader_run(loader, tasks);
}

static void
set_sequences(Restore *restore, LinkClient *client)
{
	ListCell   *lc;

	foreach(lc, restore->manifest->sequences)
	{
		LinkBackupSequence *sequence = lfirst(lc);

		link_client_run(client, psprintf("SELECT pg_catalog.setval(%s::pg_catalog.regclass, " INT64_FORMAT ", %s)",
										 quote_literal_cstr(sequence->name), sequence->last_value,
										 sequence->is_called ? "true" : "false"));
	}
}

static void
fill_database(Restore *restore)
{
	const LinkManifest *manifest = restore->manifest;
	File		definitions = link_restore_fetch(restore->session, restore->path, &manifest->definitions);
	LinkLoader *loader;
	LinkClient *client;

	restore_archive(restore, definitions, "pre-data");
	link_backup_progress_phase(LINK_PHASE_TABLES);
	loader = link_loader_begin(restore->row, restore->temporary, restore->processes);
	load_tables(restore, loader);
	client = link_client_open(link_client_conninfo(restore->temporary));
	set_sequences(restore, client);
	if (manifest->large_objects.path)
	{
		File		large_objects;

		link_backup_progress_phase(LINK_PHASE_LARGE_OBJECTS);
		large_objects = link_restore_fetch(restore->session, restore->path, &manifest->large_objects);

		restore_archive(restore, large_objects, "data");
		FileClose(large_objects);
	}
	link_backup_progress_phase(LINK_PHASE_INDEXES);
	restore_archive(restore, definitions, "post-data");
	FileClose(definitions);
	link_backup_progress_phase(LINK_PHASE_ANALYZING);
	analyze_tables(loader, client);
	link_loader_end(loader);
	link_client_close(client);
	link_backup_progress_phase(LINK_PHASE_FINISHING);
}

/*
 * The command.
 */

/* 'of' NULL: of anything. */
static void
check_manifest(const LinkManifest *manifest, const char *of)
{
	const char *is = manifest->schemas ? linitial(manifest->schemas) : manifest->database.name;

	if (manifest->server_version / 10000 > PG_VERSION_NUM / 10000)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("the backup is of PostgreSQL %d, which is newer than this server",
						manifest->server_version / 10000)));
	if (of && (list_length(manifest->schemas) > 1 || strcmp(of, is) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 list_length(manifest->schemas) > 1
				 ? errmsg("backup " INT64_FORMAT " is that of %d schemas, not of \"%s\"", manifest->id,
						  list_length(manifest->schemas), of)
				 : errmsg("backup " INT64_FORMAT " is that of %s \"%s\", not of \"%s\"", manifest->id,
						  manifest->schemas ? "schema" : "database", is, of),
				 errhint("link.list_backups() shows what is there; WITH FILE = id chooses.")));
	if (manifest->schemas == NIL && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("permission denied to restore a database"),
				 errdetail("Only superusers may do so, since a backup is code.")));
}

/* Which backup it is, verified, and that the current user may restore it. */
static void
begin(Restore *restore, const char *command, const LinkName *link, const char *path, const char *of, int64 *id,
	  int processes)
{
	memset(restore, 0, sizeof(*restore));
	restore->path = path;
	restore->processes = link_backup_processes(processes);
	restore->row = link_backup_look_up(link, path, LINK_ACL_READ);
	link_backup_require_alone(command);
	restore->session = link_open(restore->row);
	*id = link_backup_find(restore->session, path, *id);
	restore->manifest = link_manifest_read(restore->session, path, *id);
	check_manifest(restore->manifest, of);
}

/* Drop or keep it, whatever else goes wrong: from PG_CATCH. */
static void
clean_up(Restore *restore, bool keep_partial)
{
	MemoryContext caller = CurrentMemoryContext;

	/* it may be within a transaction that holds the database */
	link_client_close(restore->client);
	PG_TRY();
	{
		LinkClient *client = link_client_open(link_client_conninfo(get_database_name(MyDatabaseId)));

		if (keep_partial)
		{
			link_database_keep(client, restore->temporary);
			ereport(NOTICE,
					(errmsg("what could be restored is in database \"%s\"", restore->temporary)));
		}
		else
			link_database_drop(client, restore->temporary);
		link_client_close(client);
	}
	PG_CATCH();
	{
		/* the next RESTORE drops it */
		MemoryContextSwitchTo(caller);
		FlushErrorState();
	}
	PG_END_TRY();
}

static void
fill(Restore *restore, const char *name, bool keep_partial)
{
	PG_TRY();
	{
		link_database_create(restore->client, restore->temporary, &restore->manifest->database);
		fill_database(restore);
		if (name)
			link_database_finish(restore->client, restore->temporary, &restore->manifest->database, name);
		else
			link_database_drop(restore->client, restore->temporary);
	}
	PG_CATCH();
	{
		MemoryContext context = MemoryContextSwitchTo(TopTransactionContext);
		ErrorData  *error = CopyErrorData();

		FlushErrorState();
		MemoryContextSwitchTo(context);
		clean_up(restore, keep_partial);
		ReThrowError(error);
	}
	PG_END_TRY();
}

/* 'name' NULL: it is not to stay. */
static void
make_database(Restore *restore, const char *name, bool keep_partial)
{
	/* now, and not hours later by the statement that gives it */
	if (name && (name[0] == '\0' || strlen(name) >= NAMEDATALEN))
		ereport(ERROR,
				(errcode(name[0] ? ERRCODE_NAME_TOO_LONG : ERRCODE_INVALID_NAME),
				 errmsg("a database cannot have the name \"%s\"", name),
				 errdetail("A name has 1 to %d bytes.", NAMEDATALEN - 1)));
	if (name && OidIsValid(get_database_oid(name, true)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_DATABASE),
				 errmsg("database \"%s\" already exists", name),
				 errhint("Give another name: RESTORE DATABASE ... AS new_name.")));
	restore->processes = Min(restore->processes, list_length(link_manifest_objects(restore->manifest)));
	restore->client = link_client_open(link_client_conninfo(get_database_name(MyDatabaseId)));
	link_database_drop_leftovers(restore->client);
	restore->temporary = link_database_temporary_name();
	fill(restore, name, keep_partial);
	link_client_close(restore->client);
}

/* Rows of schemas are counted where they are loaded, those of a database by nobody. */
static uint64
bytes_of(const LinkManifest *manifest)
{
	uint64		bytes = 0;
	ListCell   *lc;

	foreach(lc, link_manifest_objects(manifest))
		bytes += ((LinkBackupObject *) lfirst(lc))->bytes;
	return bytes;
}

static int64
restore_all(const LinkRestoreArgs *args)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link restore", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Restore		restore;
	int64		id = args->id;

	begin(&restore, "RESTORE", &args->link, args->path, args->of, &id, args->processes);
	link_backup_progress_begin("RESTORE", id);
	link_backup_progress_tables(restore.manifest->tables, id, true);
	link_backup_progress_phase(LINK_PHASE_DEFINITIONS);
	if (restore.manifest->schemas && args->keep_partial)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("of schemas nothing stays if something fails: they are restored in one transaction")));
	if (restore.manifest->schemas)
		link_restore_schemas(restore.session, restore.path, restore.manifest, args->name);
	else
		make_database(&restore, args->name ? args->name : restore.manifest->database.name, args->keep_partial);
	link_use_moved(0, restore.manifest->schemas ? restore.manifest->definitions.bytes : bytes_of(restore.manifest));
	link_backup_progress_end();
	link_close(restore.session);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return id;
}

int64
link_restore(const LinkRestoreArgs *args)
{
	int64		id = 0;

	LINK_USE_BEGIN(LINK_VERB_RESTORE, args->path);
	{
		id = restore_all(args);
	}
	LINK_USE_END();
	return id;
}

void
link_restore_for_proof(const LinkName *link, const char *path, int64 id, int processes)
{
	Restore		restore;

	begin(&restore, "link.verify_backup", link, path, NULL, &id, processes);
	if (restore.manifest->schemas)
		link_restore_schemas_for_proof(restore.session, path, restore.manifest);
	else
		make_database(&restore, NULL, false);
	link_close(restore.session);
}
