/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  Which backups there are, whether they are whole, and dropping them.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/memutils.h"

#include "access/xact.h"

#include "backup/backup.h"
#include "backup/base.h"
#include "backup/command.h"
#include "backup/crew.h"
#include "backup/history.h"
#include "backup/manifest.h"
#include "backup/progress.h"
#include "catalog/privileges.h"
#include "catalog/use.h"
#include "errors.h"
#include "provider/provider.h"

/*
 * Verifying.
 */

static void
check_objects(const LinkRow *row, const char *path, const LinkManifest *manifest, int processes)
{
	List	   *tasks = NIL;
	ListCell   *lc;

	foreach(lc, link_manifest_objects(manifest))
	{
		LinkTask   *task = palloc0(sizeof(LinkTask));

		task->kind = LINK_TASK_CHECK;
		task->object = lfirst(lc);
		task->path = link_backup_path(path, task->object->path);
		task->sql = "";
		tasks = lappend(tasks, task);
	}
	link_crew_run(row, tasks, processes);
}

int64
link_verify_backup(const LinkName *link, const char *path, int64 id, LinkVerifyLevel level, int processes)
{
	LINK_USE_BEGIN(LINK_VERB_VERIFY_BACKUP, path);
	{
		LinkRow    *row = link_backup_look_up(link, path, LINK_ACL_READ);
		LinkSession *session = link_open(row);
		LinkManifest *manifest;

		id = link_backup_find(session, path, id);
		manifest = link_manifest_read(session, path, id);
		link_close(session);
		link_backup_progress_begin("VERIFY", id);
		link_backup_progress_phase(LINK_PHASE_TABLES);
		if (level == LINK_VERIFY_CHECKSUMS)
			check_objects(row, path, manifest, link_backup_processes(processes));
		else if (level == LINK_VERIFY_RESTORE)
			link_restore_for_proof(link, path, id, processes);
		link_backup_progress_end();
	}
	LINK_USE_END();
	return id;
}

/*
 * Listing.
 */

/* Objects and bytes are what it has added to those of its base. */
static void
describe(const LinkManifest *manifest, LinkBackupListed *listed)
{
	listed->database = manifest->database.name;
	listed->schemas = manifest->schemas;
	listed->mode = manifest->base != 0 ? "differential" : "full";
	listed->base = manifest->base;
	listed->started = manifest->started;
	listed->finished = manifest->finished;
	link_history_count(manifest, &listed->objects, &listed->bytes);
}

static List *
list_all(const LinkName *link, const char *path)
{
	LinkSession *session = link_open(link_backup_look_up(link, path, LINK_ACL_READ));
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, link_backup_ids(session, path))
	{
		LinkBackupListed *listed = palloc0(sizeof(LinkBackupListed));
		LinkManifest *manifest;

		listed->id = *(int64 *) lfirst(lc);
		/* one that is damaged is listed with what is wrong with it */
		manifest = link_manifest_try_read(session, path, listed->id, &listed->error);
		if (manifest)
			describe(manifest, listed);
		result = lappend(result, listed);
	}
	link_close(session);
	return result;
}

List *
link_list_backups(const LinkName *link, const char *path)
{
	List	   *volatile result = NIL;

	LINK_USE_BEGIN(LINK_VERB_LIST_BACKUPS, path);
	{
		result = list_all(link, path);
	}
	LINK_USE_END();
	return result;
}

/*
 * Dropping.
 */

static void
refuse_base(LinkSession *session, const char *path, int64 id)
{
	ListCell   *lc;

	foreach(lc, link_backup_ids(session, path))
	{
		int64		other = *(int64 *) lfirst(lc);

		/* whatever cannot be read may build on it */
		if (other > id && link_manifest_read(session, path, other)->base == id)
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("cannot drop backup " INT64_FORMAT " because backup " INT64_FORMAT " builds on it", id, other)));
	}
}

typedef struct Paths
{
	List	   *paths;
	MemoryContext context;
} Paths;

static bool
take_path(const LinkObject *object, void *arg)
{
	Paths	   *paths = arg;
	MemoryContext caller = MemoryContextSwitchTo(paths->context);

	paths->paths = lappend(paths->paths, pstrdup(object->path));
	MemoryContextSwitchTo(caller);
	return true;
}

void
link_drop_backup(const LinkName *link, const char *path, int64 id)
{
	LINK_USE_BEGIN(LINK_VERB_DROP_BACKUP, path);
	{
		LinkSession *session = link_open(link_backup_look_up(link, path, LINK_ACL_READ | LINK_ACL_WRITE));
		Paths		paths = {NIL, CurrentMemoryContext};
		char	   *sentinel = link_backup_id_path(path, id, LINK_SENTINEL_OBJECT);
		LinkObject	object = {0};
		ListCell   *lc;

		if (id <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("a backup id must be positive")));
		if (!link_base_forget(id))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("cannot drop backup " INT64_FORMAT " while a backup that builds on it is being made", id)));
		refuse_base(session, path, id);
		link_list(session, link_backup_id_path(path, id, ""), true, take_path, &paths);
		if (paths.paths == NIL)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_NO_OBJECT),
					 errmsg("there is no backup " INT64_FORMAT " at \"%s\" of link %s", id, path, session->link_name)));
		/* first of all it stops to be one */
		if (link_stat(session, sentinel, &object))
			link_remove(session, sentinel);
		foreach(lc, paths.paths)
			if (strcmp(lfirst(lc), sentinel) != 0)
				link_remove(session, lfirst(lc));
		link_history_drop(id);
		link_close(session);
	}
	LINK_USE_END();
}
