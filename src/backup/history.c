/*-------------------------------------------------------------------------
 *
 * history.c
 *	  Backups that this database has made, or tried to: rows of link.backup.
 *
 * Whoever makes a backup holds a lock of its id until the end of the transaction;
 * a row "running" whose lock is free is of a session that was killed.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "backup/client.h"
#include "backup/history.h"
#include "catalog/privileges.h"
#include "catalog/tables.h"
#include "errors.h"
#include "locks.h"

static bool
lock(int64 id, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (id >> 32), (uint32) id, LINK_LOCK_HISTORY);
	return LockAcquire(&tag, mode, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

static void
unlock(int64 id, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (id >> 32), (uint32) id, LINK_LOCK_HISTORY);
	(void) LockRelease(&tag, mode, false);
}

/*
 * Writing.
 */

/* As the user of our sessions: nobody else may write the table. */
static void
write_apart(const char *sql)
{
	LinkClient *client = link_client_open(link_client_conninfo(get_database_name(MyDatabaseId)));

	link_client_run(client, "RESET ROLE");
	link_client_run(client, sql);
	link_client_close(client);
}

static char *
array_literal(List *texts)
{
	StringInfoData array;
	ListCell   *lc;

	if (texts == NIL)
		return "NULL";
	initStringInfo(&array);
	foreach(lc, texts)
		appendStringInfo(&array, "%s%s", array.len > 0 ? ", " : "", quote_literal_cstr(lfirst(lc)));
	return psprintf("ARRAY[%s]::pg_catalog.text[]", array.data);
}

void
link_history_begin(const LinkRow *row, const char *path, const LinkManifest *manifest)
{
	if (!lock(manifest->id, ExclusiveLock))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another backup has begun in this microsecond"),
				 errhint("Try again.")));
	write_apart(psprintf("INSERT INTO link.backup (id, database, schemas, link_id, link, path, role, mode, base, started, status) "
						 "VALUES (" INT64_FORMAT ", %s, %s, " INT64_FORMAT ", %s, %s, %s, %s, "
						 "NULLIF(" INT64_FORMAT ", 0), %s, 'running')",
						 manifest->id, quote_literal_cstr(manifest->database.name), array_literal(manifest->schemas),
						 row->id, quote_literal_cstr(link_qualified_name(row)), quote_literal_cstr(path),
						 quote_literal_cstr(quote_identifier(GetUserNameFromId(GetUserId(), false))),
						 manifest->base != 0 ? "'differential'" : "'full'", manifest->base,
						 quote_literal_cstr(psprintf("%s+00", manifest->started))));
}

/* Ours keep to what everybody may know who may read the link; those of others may show rows. */
static char *
told(const ErrorData *error)
{
	if (error->message && link_error_is_ours(error))
		return error->message;
	return psprintf("SQLSTATE %s", unpack_sql_state(error->sqlerrcode));
}

void
link_history_fail(int64 id)
{
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	ErrorData  *error = CopyErrorData();

	PG_TRY();
	{
		write_apart(psprintf("UPDATE link.backup SET status = 'failed', finished = pg_catalog.clock_timestamp(), error = %s "
							 "WHERE id = " INT64_FORMAT, quote_literal_cstr(told(error)), id));
	}
	PG_CATCH();
	{
		/* the free lock tells it too */
		MemoryContextSwitchTo(caller);
		FlushErrorState();
	}
	PG_END_TRY();
	FreeErrorData(error);
	MemoryContextSwitchTo(caller);
}

/* A copy of the row as it is now; NULL: there is none. */
static HeapTuple
find(int64 id, TupleDesc *desc)
{
	return link_table_row(BACKUP_TABLE, BACKUP_INDEX, BACKUP_COL_ID, id, desc);
}

void
link_history_count(const LinkManifest *manifest, int64 *objects, int64 *bytes)
{
	ListCell   *lc;

	*objects = *bytes = 0;
	foreach(lc, link_manifest_objects(manifest))
	{
		LinkBackupObject *object = lfirst(lc);

		if (link_backup_of(object) != manifest->id)
			continue;
		(*objects)++;
		*bytes += object->bytes;
	}
}

void
link_history_succeed(const LinkManifest *manifest, const char *checksum)
{
	HeapTuple	old = find(manifest->id, NULL);
	Datum		values[BACKUP_NCOLS] = {0};
	bool		nulls[BACKUP_NCOLS] = {0};
	bool		replace[BACKUP_NCOLS] = {0};
	int64		objects;
	int64		bytes;

	if (!HeapTupleIsValid(old))
		return;
	link_history_count(manifest, &objects, &bytes);
	values[BACKUP_COL_FINISHED - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[BACKUP_COL_OBJECTS - 1] = Int64GetDatum(objects);
	values[BACKUP_COL_BYTES - 1] = Int64GetDatum(bytes);
	values[BACKUP_COL_CHECKSUM - 1] = CStringGetTextDatum(checksum);
	values[BACKUP_COL_STATUS - 1] = CStringGetTextDatum("succeeded");
	for (int i = BACKUP_COL_FINISHED; i <= BACKUP_COL_STATUS; i++)
		replace[i - 1] = true;
	link_table_update(BACKUP_TABLE, old, values, nulls, replace);
}

void
link_history_drop(int64 id)
{
	HeapTuple	old = XactReadOnly ? NULL : find(id, NULL);
	Datum		values[BACKUP_NCOLS] = {0};
	bool		nulls[BACKUP_NCOLS] = {0};
	bool		replace[BACKUP_NCOLS] = {0};

	if (!HeapTupleIsValid(old))
		return;
	values[BACKUP_COL_STATUS - 1] = CStringGetTextDatum("dropped");
	replace[BACKUP_COL_STATUS - 1] = true;
	link_table_update(BACKUP_TABLE, old, values, nulls, replace);
}

/*
 * Reading.
 */

static char *
text_of(Datum value, bool isnull)
{
	return isnull ? NULL : TextDatumGetCString(value);
}

static LinkHistoryRow *
row_of(HeapTuple tuple, TupleDesc desc)
{
	LinkHistoryRow *row = palloc0(sizeof(LinkHistoryRow));
	Datum		values[BACKUP_NCOLS];
	bool		nulls[BACKUP_NCOLS];

	heap_deform_tuple(tuple, desc, values, nulls);
	row->id = DatumGetInt64(values[BACKUP_COL_ID - 1]);
	row->database = TextDatumGetCString(values[BACKUP_COL_DATABASE - 1]);
	if (!nulls[BACKUP_COL_SCHEMAS - 1])
		row->schemas = PointerGetDatum(DatumGetArrayTypePCopy(values[BACKUP_COL_SCHEMAS - 1]));
	row->link_id = DatumGetInt64(values[BACKUP_COL_LINK_ID - 1]);
	row->link = TextDatumGetCString(values[BACKUP_COL_LINK - 1]);
	row->path = TextDatumGetCString(values[BACKUP_COL_PATH - 1]);
	row->role = DatumGetObjectId(values[BACKUP_COL_ROLE - 1]);
	row->mode = TextDatumGetCString(values[BACKUP_COL_MODE - 1]);
	row->base = nulls[BACKUP_COL_BASE - 1] ? 0 : DatumGetInt64(values[BACKUP_COL_BASE - 1]);
	row->started = values[BACKUP_COL_STARTED - 1];
	row->finished = nulls[BACKUP_COL_FINISHED - 1] ? 0 : values[BACKUP_COL_FINISHED - 1];
	row->objects = nulls[BACKUP_COL_OBJECTS - 1] ? -1 : DatumGetInt64(values[BACKUP_COL_OBJECTS - 1]);
	row->bytes = nulls[BACKUP_COL_BYTES - 1] ? -1 : DatumGetInt64(values[BACKUP_COL_BYTES - 1]);
	row->checksum = text_of(values[BACKUP_COL_CHECKSUM - 1], nulls[BACKUP_COL_CHECKSUM - 1]);
	row->status = TextDatumGetCString(values[BACKUP_COL_STATUS - 1]);
	row->error = text_of(values[BACKUP_COL_ERROR - 1], nulls[BACKUP_COL_ERROR - 1]);
	return row;
}

static bool
is_visible(const LinkHistoryRow *row)
{
	Oid			user = GetUserId();
	LinkRow    *link;

	if (has_privs_of_role(user, row->role))
		return true;
	link = link_row_by_id(row->link_id);
	return link && (link_acl_on_link(user, link, NULL) & LINK_ACL_READ) != 0;
}

/* A row that says "running", as it is really. */
static LinkHistoryRow *
look_again(LinkHistoryRow *row)
{
	HeapTuple	tuple;
	TupleDesc	desc;

	if (RecoveryInProgress() || !lock(row->id, ShareLock))
		return row;
	/* it may have ended since the row was read */
	tuple = find(row->id, &desc);
	if (HeapTupleIsValid(tuple))
		row = row_of(tuple, desc);
	if (strcmp(row->status, "running") == 0)
	{
		row->status = "failed";
		row->error = "the session ended";
	}
	unlock(row->id, ShareLock);
	return row;
}

List *
link_history_visible(void)
{
	List	   *rows = NIL;
	LinkScan	scan;
	HeapTuple	tuple;
	ListCell   *lc;

	link_scan_begin(&scan, BACKUP_TABLE, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
	{
		LinkHistoryRow *row = row_of(tuple, RelationGetDescr(scan.rel));

		CHECK_FOR_INTERRUPTS();
		if (superuser() || is_visible(row))
			rows = lappend(rows, row);
	}
	link_scan_end(&scan);
	foreach(lc, rows)
	{
		LinkHistoryRow *row = lfirst(lc);

		if (strcmp(row->status, "running") == 0)
			lfirst(lc) = look_again(row);
	}
	return rows;
}
