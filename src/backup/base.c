/*-------------------------------------------------------------------------
 *
 * base.c
 *	  The full backup that a differential one builds on.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "miscadmin.h"
#include "postmaster/bgwriter.h"
#include "storage/lock.h"
#include "utils/builtins.h"

#include "backup/base.h"
#include "backup/changed.h"
#include "backup/crew.h"
#include "backup/inventory.h"
#include "catalog/tables.h"
#include "errors.h"
#include "locks.h"

/* Pages that one process looks at, at a time. */
#define RANGE_BLOCKS (256 * 1024 * 1024 / BLCKSZ)

/*
 * Which one.
 */

static bool
hold(int64 id, LOCKMODE mode, bool wait)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, InvalidOid, (uint32) (id >> 32), (uint32) id, LINK_LOCK_BASE);
	return LockAcquire(&tag, mode, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

static bool
is_of_this_database(const LinkManifest *manifest)
{
	return manifest->system_identifier == GetSystemIdentifier() && manifest->database_oid == MyDatabaseId;
}

static bool
is_there(LinkSession *session, const char *path, int64 id)
{
	LinkObject	object = {0};

	return link_stat(session, link_backup_id_path(path, id, LINK_SENTINEL_OBJECT), &object);
}

/* Those that cannot be read are passed over. */
LinkManifest *
link_base_find(LinkSession *session, const char *path)
{
	ListCell   *lc;

	foreach(lc, link_backup_ids(session, path))
	{
		int64		id = *(int64 *) lfirst(lc);
		char	   *error;
		LinkManifest *manifest = link_manifest_try_read(session, path, id, &error);

		if (manifest == NULL)
			ereport(WARNING,
					(errmsg("backup " INT64_FORMAT " is passed over: %s", id, error)));
		else if (manifest->base == 0 && is_of_this_database(manifest))
		{
			/* whoever was dropping it has done so now */
			(void) hold(id, ShareLock, true);
			if (is_there(session, path, id))
				return manifest;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("there is no full backup of this database at \"%s\" of link %s", path, session->link_name),
			 errhint("A differential backup builds on one: make it first, in mode full.")));
}

void
link_base_require(LinkSession *session, const char *path, const LinkManifest *base)
{
	if (!is_there(session, path, base->id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("backup " INT64_FORMAT ", which this one builds on, has been dropped meanwhile", base->id)));
}

/*
 * What is unchanged since.
 */

static bool
is_recorded(int64 id)
{
	return HeapTupleIsValid(link_table_row(BASELINE_TABLE, BASELINE_INDEX, BASELINE_COL_BACKUP, id, NULL));
}

/* Do positions of the base mean anything here? */
static bool
is_comparable(const LinkManifest *base, const LinkManifest *now)
{
	return base->timeline == now->timeline && is_recorded(base->id);
}

/* All that can be told without its pages. */
static bool
may_be_unchanged(const LinkInventoryTable *table, const LinkBackupTable *before)
{
	return table->persistence == RELPERSISTENCE_PERMANENT &&
		table->has_pages &&
		table->settled &&
		!table->of_extension &&
		!before->in_doubt &&
		before->file == table->table.file &&
		before->blocks == table->table.blocks &&
		strcmp(before->fingerprint, table->table.fingerprint) == 0;
}

static int
by_oid(const ListCell *a, const ListCell *b)
{
	Oid			one = ((LinkBackupTable *) lfirst(a))->oid;
	Oid			other = ((LinkBackupTable *) lfirst(b))->oid;

	return (one > other) - (one < other);
}

/* In a list in this order; NULL: it was not there. */
static LinkBackupTable *
table_of(List *tables, Oid oid)
{
	int			from = 0;
	int			to = list_length(tables);

	while (from < to)
	{
		int			middle = (from + to) / 2;
		LinkBackupTable *table = list_nth(tables, middle);

		if (table->oid == oid)
			return table;
		if (table->oid < oid)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

static List *
add_tasks(List *tasks, const LinkInventoryTable *table, XLogRecPtr baseline)
{
	int			first = list_length(tasks);
	BlockNumber from = 0;

	/* one for an empty table too, so that each has a first */
	do
	{
		LinkTask   *task = palloc0(sizeof(LinkTask));

		task->kind = LINK_TASK_PAGES;
		task->path = table->table.name;
		task->sql = "";
		task->table = table->table.oid;
		task->from = from;
		task->to = from + Min(RANGE_BLOCKS, table->table.blocks - from);
		task->baseline = baseline;
		task->first = first;
		tasks = lappend(tasks, task);
		from = task->to;
	} while (from < table->table.blocks);
	return tasks;
}

typedef struct Candidate
{
	LinkChangedTable table;		/* first: for changed.h it is one */
	LinkInventoryTable *now;
	LinkBackupTable *before;
	int			first;			/* of its tasks; -1: none, it is known to have changed */
} Candidate;

static List *
find_candidates(const LinkManifest *base, List *tables)
{
	List	   *before = list_copy(base->tables);
	List	   *candidates = NIL;
	ListCell   *lc;

	list_sort(before, by_oid);
	foreach(lc, tables)
	{
		LinkInventoryTable *table = lfirst(lc);
		LinkBackupTable *known = table_of(before, table->table.oid);
		Candidate  *candidate;

		if (known == NULL || !may_be_unchanged(table, known))
			continue;
		candidate = palloc0(sizeof(Candidate));
		candidate->table.oid = table->table.oid;
		candidate->table.file = table->table.file;
		candidate->table.blocks = table->table.blocks;
		candidate->now = table;
		candidate->before = known;
		candidate->first = -1;
		candidates = lappend(candidates, candidate);
	}
	return candidates;
}

void
link_base_reuse(const LinkRow *row, const LinkManifest *base, const LinkManifest *now, List *tables, int processes)
{
	List	   *candidates;
	List	   *tasks = NIL;
	ListCell   *lc;

	if (!is_comparable(base, now))
	{
		ereport(NOTICE,
				(errmsg("all tables are copied: this server's history is not that of backup " INT64_FORMAT, base->id)));
		return;
	}
	candidates = find_candidates(base, tables);
	link_changed_in_memory(candidates, base->baseline);
	foreach(lc, candidates)
	{
		Candidate  *candidate = lfirst(lc);

		if (candidate->table.changed)
			continue;
		candidate->first = list_length(tasks);
		tasks = add_tasks(tasks, candidate->now, base->baseline);
	}
	link_crew_run(row, tasks, processes);
	foreach(lc, candidates)
	{
		Candidate  *candidate = lfirst(lc);

		if (candidate->first >= 0 && !((LinkTask *) list_nth(tasks, candidate->first))->changed)
			candidate->now->table.parts = candidate->before->parts;
	}
}

/*
 * Being one.
 */

static XLogRecPtr
redo_of_last_checkpoint(void)
{
	bool		sound;
	ControlFileData *control = get_controlfile(DataDir, &sound);
	XLogRecPtr	redo = sound ? control->checkPointCopy.redo : InvalidXLogRecPtr;

	pfree(control);
	return redo;
}

/*
 * The checkpoint is for pg_resetwal, which goes on behind the last one, be the WAL
 * lost or not: so no position before the baseline is given a second time.
 */
void
link_base_record(const LinkManifest *manifest)
{
	Datum		values[] = {Int64GetDatum(manifest->id)};
	bool		nulls[] = {false};

	link_table_insert(BASELINE_TABLE, values, nulls);
	if (redo_of_last_checkpoint() < manifest->baseline)
		RequestCheckpoint(CHECKPOINT_IMMEDIATE | CHECKPOINT_FORCE | CHECKPOINT_WAIT);
}

bool
link_base_forget(int64 id)
{
	ScanKeyData key;

	if (!hold(id, ExclusiveLock, false))
		return false;
	link_key_int64(&key, BASELINE_COL_BACKUP, id);
	if (!XactReadOnly)
		link_table_delete_all(BASELINE_TABLE, BASELINE_INDEX, 1, &key);
	return true;
}
