/*-------------------------------------------------------------------------
 *
 * tables.c
 *	  Our catalog tables: scans that see the newest rows, writes below the
 *	  executor, and the locks of DDL.
 *
 * Relations are found by name in schema "link", which only the extension can
 * have made (its script fails on an existing one) and in which only superusers
 * can create.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "commands/sequence.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "catalog/pipelines.h"
#include "catalog/tables.h"
#include "errors.h"

Oid
link_schema_oid(void)
{
	return get_namespace_oid("link", true);
}

Oid
link_relation_oid(const char *name)
{
	Oid			schema = link_schema_oid();
	Oid			relation = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"link.%s\" does not exist", name),
				 errhint("Is the extension \"link\" installed in this database?")));
	return relation;
}

Relation
link_table_open(const char *name, LOCKMODE lockmode)
{
	return table_open(link_relation_oid(name), lockmode);
}

bool
link_tables_hold(void)
{
	static const char *const tables[] = {
		LINK_TABLE, PRIVILEGE_TABLE, PIPELINE_TABLE, PIPELINE_FILE_TABLE, PIPELINE_CURSOR_TABLE,
		PIPELINE_BATCH_TABLE, PIPELINE_ERROR_TABLE
	};
	Oid			extension = get_extension_oid("link", true);
	Oid			schema = link_schema_oid();
	bool		ours = OidIsValid(extension) && OidIsValid(schema);

	for (int i = 0; ours && i < lengthof(tables); i++)
	{
		Oid			relation = get_relname_relid(tables[i], schema);
		Relation	rel = OidIsValid(relation) ? try_table_open(relation, AccessShareLock) : NULL;

		if (rel == NULL)
			return false;
		/* the name was looked up before it was locked */
		ours = rel->rd_rel->relkind == RELKIND_RELATION &&
			getExtensionOfObject(RelationRelationId, relation) == extension &&
			get_relname_relid(tables[i], schema) == relation;
		table_close(rel, NoLock);
	}
	return ours;
}

void
link_scan_begin(LinkScan *scan, const char *table, const char *index,
				int nkeys, ScanKey keys)
{
	scan->rel = link_table_open(table, AccessShareLock);
	scan->scan = systable_beginscan(scan->rel,
									index ? link_relation_oid(index) : InvalidOid,
									index != NULL, NULL, nkeys, keys);
}

HeapTuple
link_scan_next(LinkScan *scan)
{
	return systable_getnext(scan->scan);
}

void
link_scan_end(LinkScan *scan)
{
	systable_endscan(scan->scan);
	table_close(scan->rel, AccessShareLock);
}

HeapTuple
link_table_row(const char *table, const char *index, AttrNumber column, int64 id, TupleDesc *desc)
{
	LinkScan	scan;
	ScanKeyData key;
	HeapTuple	tuple;

	link_key_int64(&key, column, id);
	link_scan_begin(&scan, table, index, 1, &key);
	tuple = link_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	if (desc)
		*desc = CreateTupleDescCopy(RelationGetDescr(scan.rel));
	link_scan_end(&scan);
	return tuple;
}

void
link_key_int64(ScanKey key, AttrNumber column, int64 value)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(value));
}

void
link_key_oid(ScanKey key, AttrNumber column, Oid value)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
}

void
link_key_name(ScanKey key, AttrNumber column, Name value)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_NAMEEQ, NameGetDatum(value));
}

void
link_table_insert(const char *table, Datum *values, bool *nulls)
{
	Relation	rel = link_table_open(table, RowExclusiveLock);
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

void
link_table_update(const char *table, HeapTuple old, Datum *values, bool *nulls,
				  bool *replace)
{
	Relation	rel = link_table_open(table, RowExclusiveLock);
	HeapTuple	tuple = heap_modify_tuple(old, RelationGetDescr(rel), values, nulls, replace);

	CatalogTupleUpdate(rel, &old->t_self, tuple);
	CacheInvalidateRelcache(rel);	/* what sessions keep of a link (SECURITY 13) */
	heap_freetuple(tuple);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

void
link_table_delete(const char *table, ItemPointer tid)
{
	Relation	rel = link_table_open(table, RowExclusiveLock);

	CatalogTupleDelete(rel, tid);
	CacheInvalidateRelcache(rel);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

/* Of a row that somebody changes meanwhile, what it is then. */
static void
delete_newest(Relation rel, ItemPointerData tid)
{
	TM_FailureData failure;
	TM_Result	result;

	while ((result = heap_delete(rel, &tid, GetCurrentCommandId(true), InvalidSnapshot, true, &failure, false)) == TM_Updated &&
		   !ItemPointerEquals(&tid, &failure.ctid))
		tid = failure.ctid;
	if (result != TM_Ok && result != TM_Deleted)
		elog(ERROR, "could not delete a row of \"%s\": %d", RelationGetRelationName(rel), result);
}

void
link_table_delete_all(const char *table, const char *index, int nkeys, ScanKey keys)
{
	LinkScan	scan;
	HeapTuple	tuple;
	Relation	rel = link_table_open(table, RowExclusiveLock);

	link_scan_begin(&scan, table, index, nkeys, keys);
	while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
	{
		CHECK_FOR_INTERRUPTS();
		delete_newest(rel, tuple->t_self);
	}
	link_scan_end(&scan);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

int64
link_next_id(const char *sequence)
{
	return nextval_internal(link_relation_oid(sequence), false);
}

/* How often, and ms apart, a shared lock is tried for: longer than a failure takes to be recorded. */
#define SHARED_TRIES 100
#define SHARED_WAIT 10

/*
 * Our lock tags are object locks on (our table, low half of id, part of the
 * high half): nobody else locks objects of that class.
 */
static void
lock_object(const char *table, uint32 objid, uint16 objsubid, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, link_relation_oid(table), objid, objsubid);
	(void) LockAcquire(&tag, mode, false, false);
}

static uint16
high_half(int64 id)
{
	return (uint16) ((id >> 32) & 0x7FFF);
}

void
link_lock_link(int64 id)
{
	lock_object(LINK_TABLE, (uint32) id, high_half(id), AccessExclusiveLock);
}

void
link_lock_pipeline(int64 id)
{
	lock_object(PIPELINE_TABLE, (uint32) id, high_half(id), AccessExclusiveLock);
}

bool
link_lock_pipeline_shared(int64 id)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, link_relation_oid(PIPELINE_TABLE), (uint32) id, high_half(id));
	for (int i = 0; i < SHARED_TRIES; i++)
	{
		if (LockAcquire(&tag, AccessShareLock, false, true) != LOCKACQUIRE_NOT_AVAIL)
			return true;
		CHECK_FOR_INTERRUPTS();
		pg_usleep(SHARED_WAIT * 1000L);
	}
	return false;
}

void
link_lock_name(const char *namespace, const char *folded_name)
{
	uint32		hash = hash_bytes((const unsigned char *) namespace, strlen(namespace));

	hash = hash_combine(hash, hash_bytes((const unsigned char *) folded_name, strlen(folded_name)));
	lock_object(LINK_TABLE, hash, 0x8000, AccessExclusiveLock);
}

void
link_prevent_write(const char *command)
{
	PreventCommandIfReadOnly(command);
	PreventCommandIfParallelMode(command);
	PreventCommandDuringRecovery(command);
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("cannot execute %s within security-restricted operation", command)));
}
