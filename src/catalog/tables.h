/*-------------------------------------------------------------------------
 *
 * tables.h
 *	  Our catalog tables, as C sees them: columns, locks, scans, writes.
 *
 * Scans see the newest committed rows and our own (rights are decided on what
 * is true now, not on an old snapshot).  Writes go below the executor: no
 * trigger fires and no privilege on the table is needed, so whoever calls has
 * checked rights before.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_TABLES_H
#define LINK_TABLES_H

#include "postgres.h"

#include "access/attnum.h"
#include "access/genam.h"
#include "access/htup.h"
#include "access/skey.h"
#include "storage/lockdefs.h"
#include "utils/rel.h"

/* A role_ref that names nobody: a role that was missing at restore. */
#define LINK_UNKNOWN_ROLE ((Oid) 1)

enum
{
	LINK_COL_ID = 1,
	LINK_COL_NAMESPACE,
	LINK_COL_NAME,
	LINK_COL_FOLDED_NAME,
	LINK_COL_TYPE,
	LINK_COL_OWNER,
	LINK_COL_DESCRIPTION,
	LINK_COL_CONFIG,
	LINK_COL_CREDENTIALS,
	LINK_COL_CREDENTIAL_KEYS,
	LINK_COL_CREATED_AT,
	LINK_COL_ALTERED_AT,
	LINK_COL_CREDENTIALS_CHANGED_AT
};
#define LINK_NCOLS LINK_COL_CREDENTIALS_CHANGED_AT

enum
{
	PRIVILEGE_COL_LINK_ID = 1,
	PRIVILEGE_COL_NAMESPACE,
	PRIVILEGE_COL_GRANTEE,
	PRIVILEGE_COL_PRIVILEGE,
	PRIVILEGE_COL_GRANTOR,
	PRIVILEGE_COL_GRANTABLE
};
#define PRIVILEGE_NCOLS PRIVILEGE_COL_GRANTABLE

/* Names of relations in schema link. */
#define LINK_TABLE "link"
#define LINK_ID_INDEX "link_pkey"
#define LINK_NAME_INDEX "link_name_key"
#define LINK_OWNER_INDEX "link_owner_index"
#define LINK_ID_SEQUENCE "link_id_seq"
#define PRIVILEGE_TABLE "privilege"
#define PRIVILEGE_SCOPE_INDEX "privilege_pkey"
#define PRIVILEGE_GRANTEE_INDEX "privilege_grantee_index"
#define PRIVILEGE_GRANTOR_INDEX "privilege_grantor_index"
#define ANCHOR_TABLE "role_anchor"

/* InvalidOid if the extension is not in this database. */
extern Oid	link_schema_oid(void);

/* Oid of a relation of ours; throws if the extension is not installed whole. */
extern Oid	link_relation_oid(const char *name);
extern Relation link_table_open(const char *name, LOCKMODE lockmode);

/* An index scan (index NULL: of the whole table) that sees the newest rows. */
typedef struct LinkScan
{
	Relation	rel;
	SysScanDesc scan;
} LinkScan;

extern void link_scan_begin(LinkScan *scan, const char *table, const char *index,
							int nkeys, ScanKey keys);
extern HeapTuple link_scan_next(LinkScan *scan);
extern void link_scan_end(LinkScan *scan);

/* Scan keys on a column's equality; 'name' keys need a Name that outlives the scan. */
extern void link_key_int64(ScanKey key, AttrNumber column, int64 value);
extern void link_key_oid(ScanKey key, AttrNumber column, Oid value);
extern void link_key_name(ScanKey key, AttrNumber column, Name value);

/* Each makes its effect visible to this command (CommandCounterIncrement). */
extern void link_table_insert(const char *table, Datum *values, bool *nulls);
extern void link_table_update(const char *table, HeapTuple old, Datum *values, bool *nulls,
							  bool *replace);
extern void link_table_delete(const char *table, ItemPointer tid);

extern int64 link_next_id(void);

/*
 * Locks of DDL, held to the end of the transaction (SECURITY 7).  Use of a link
 * takes neither.
 */
extern void link_lock_link(int64 id);
extern void link_lock_name(const char *namespace, const char *folded_name);

/*
 * Throw unless a verb that writes the catalog may run: 25006 read-only or
 * recovery or parallel, 42501 inside a security-restricted operation.
 * 'command' as in "CREATE LINK".
 */
extern void link_prevent_write(const char *command);

#endif							/* LINK_TABLES_H */
