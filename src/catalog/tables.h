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

/* A role_ref that names nobody, a table_ref that names nothing: missing at restore. */
#define LINK_UNKNOWN_ROLE ((Oid) 1)
#define LINK_UNKNOWN_TABLE ((Oid) 1)

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

enum
{
	PIPELINE_COL_ID = 1,
	PIPELINE_COL_NAME,
	PIPELINE_COL_FOLDED_NAME,
	PIPELINE_COL_OWNER,
	PIPELINE_COL_LINK_ID,
	PIPELINE_COL_PATH,
	PIPELINE_COL_TABLE,
	PIPELINE_COL_PROCEDURE,
	PIPELINE_COL_OPTIONS,
	PIPELINE_COL_FIELDS,
	PIPELINE_COL_SET,
	PIPELINE_COL_WHERE,
	PIPELINE_COL_ON_CONFLICT,
	PIPELINE_COL_SEARCH_PATH,
	PIPELINE_COL_CLAUSE_PATH,
	PIPELINE_COL_BATCH_INTERVAL,
	PIPELINE_COL_MAX_PARTITIONS,
	PIPELINE_COL_MAX_RETRIES,
	PIPELINE_COL_MAX_OFFSETS,
	PIPELINE_COL_SKIP,
	PIPELINE_COL_STOP_ON_ERROR,
	PIPELINE_COL_STATE,
	PIPELINE_COL_ERROR,
	PIPELINE_COL_SYSTEM_IDENTIFIER,
	PIPELINE_COL_DATABASE,
	PIPELINE_COL_CREATED_AT,
	PIPELINE_COL_ALTERED_AT
};
#define PIPELINE_NCOLS PIPELINE_COL_ALTERED_AT

enum
{
	PIPELINE_FILE_COL_PIPELINE = 1,
	PIPELINE_FILE_COL_PATH,
	PIPELINE_FILE_COL_SIZE,
	PIPELINE_FILE_COL_LAST_MODIFIED,
	PIPELINE_FILE_COL_ETAG,
	PIPELINE_FILE_COL_STATE,
	PIPELINE_FILE_COL_ATTEMPTS,
	PIPELINE_FILE_COL_RETRY_AT,
	PIPELINE_FILE_COL_BATCH
};
#define PIPELINE_FILE_NCOLS PIPELINE_FILE_COL_BATCH

enum
{
	PIPELINE_CURSOR_COL_PIPELINE = 1,
	PIPELINE_CURSOR_COL_PARTITION,
	PIPELINE_CURSOR_COL_NEXT,
	PIPELINE_CURSOR_COL_LATEST,
	PIPELINE_CURSOR_COL_ATTEMPTS,
	PIPELINE_CURSOR_COL_RETRY_AT,
	PIPELINE_CURSOR_COL_BATCH
};
#define PIPELINE_CURSOR_NCOLS PIPELINE_CURSOR_COL_BATCH

enum
{
	PIPELINE_BATCH_COL_ID = 1,
	PIPELINE_BATCH_COL_PIPELINE,
	PIPELINE_BATCH_COL_STATE,
	PIPELINE_BATCH_COL_PARTITIONS,
	PIPELINE_BATCH_COL_ROWS,
	PIPELINE_BATCH_COL_BYTES,
	PIPELINE_BATCH_COL_STARTED_AT,
	PIPELINE_BATCH_COL_DURATION
};
#define PIPELINE_BATCH_NCOLS PIPELINE_BATCH_COL_DURATION

enum
{
	PIPELINE_ERROR_COL_ID = 1,
	PIPELINE_ERROR_COL_PIPELINE,
	PIPELINE_ERROR_COL_BATCH,
	PIPELINE_ERROR_COL_KIND,
	PIPELINE_ERROR_COL_SQLSTATE,
	PIPELINE_ERROR_COL_MESSAGE,
	PIPELINE_ERROR_COL_DETAIL,
	PIPELINE_ERROR_COL_SOURCE,
	PIPELINE_ERROR_COL_POSITION,
	PIPELINE_ERROR_COL_RAW,
	PIPELINE_ERROR_COL_OCCURRED_AT
};
#define PIPELINE_ERROR_NCOLS PIPELINE_ERROR_COL_OCCURRED_AT

enum
{
	BASELINE_COL_BACKUP = 1
};

enum
{
	BACKUP_COL_ID = 1,
	BACKUP_COL_DATABASE,
	BACKUP_COL_SCHEMAS,
	BACKUP_COL_LINK_ID,
	BACKUP_COL_LINK,
	BACKUP_COL_PATH,
	BACKUP_COL_ROLE,
	BACKUP_COL_MODE,
	BACKUP_COL_BASE,
	BACKUP_COL_STARTED,
	BACKUP_COL_FINISHED,
	BACKUP_COL_OBJECTS,
	BACKUP_COL_BYTES,
	BACKUP_COL_CHECKSUM,
	BACKUP_COL_STATUS,
	BACKUP_COL_ERROR
};
#define BACKUP_NCOLS BACKUP_COL_ERROR

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
#define PIPELINE_TABLE "pipeline"
#define PIPELINE_ID_INDEX "pipeline_pkey"
#define PIPELINE_NAME_INDEX "pipeline_name_key"
#define PIPELINE_OWNER_INDEX "pipeline_owner_index"
#define PIPELINE_LINK_INDEX "pipeline_link_index"
#define PIPELINE_TABLE_INDEX "pipeline_table_index"
#define PIPELINE_ID_SEQUENCE "pipeline_id_seq"
#define PIPELINE_FILE_TABLE "pipeline_file"
#define PIPELINE_FILE_INDEX "pipeline_file_pkey"
#define PIPELINE_FILE_UNLOADED_INDEX "pipeline_file_unloaded_index"
#define PIPELINE_CURSOR_TABLE "pipeline_cursor"
#define PIPELINE_CURSOR_INDEX "pipeline_cursor_pkey"
#define PIPELINE_BATCH_TABLE "pipeline_batch"
#define PIPELINE_BATCH_INDEX "pipeline_batch_pipeline_index"
#define PIPELINE_BATCH_ID_SEQUENCE "pipeline_batch_id_seq"
#define PIPELINE_ERROR_TABLE "pipeline_error"
#define PIPELINE_ERROR_INDEX "pipeline_error_pipeline_index"
#define PIPELINE_ERROR_ID_SEQUENCE "pipeline_error_id_seq"
#define BASELINE_TABLE "baseline"
#define BASELINE_INDEX "baseline_pkey"
#define BACKUP_TABLE "backup"
#define BACKUP_INDEX "backup_pkey"

/* InvalidOid if the extension is not in this database. */
extern Oid	link_schema_oid(void);

/* Oid of a relation of ours; throws if the extension is not installed whole. */
extern Oid	link_relation_oid(const char *name);
extern Relation link_table_open(const char *name, LOCKMODE lockmode);

/*
 * For processes that nobody has called, before they read anything: are all our
 * tables there, as members of the extension (SECURITY 5)?  If so they stay, under
 * their names, until the end of the transaction.
 */
extern bool link_tables_hold(void);

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

/*
 * A copy of the row whose 'column', which the index begins with, is 'id'; NULL:
 * there is none.  'desc', unless NULL, is set to a copy of the table's.
 */
extern HeapTuple link_table_row(const char *table, const char *index, AttrNumber column, int64 id, TupleDesc *desc);

/* Scan keys on a column's equality; 'name' keys need a Name that outlives the scan. */
extern void link_key_int64(ScanKey key, AttrNumber column, int64 value);
extern void link_key_oid(ScanKey key, AttrNumber column, Oid value);
extern void link_key_name(ScanKey key, AttrNumber column, Name value);

/* Each makes its effect visible to this command (CommandCounterIncrement). */
extern void link_table_insert(const char *table, Datum *values, bool *nulls);
extern void link_table_update(const char *table, HeapTuple old, Datum *values, bool *nulls,
							  bool *replace);
extern void link_table_delete(const char *table, ItemPointer tid);

/* Remove all rows that a scan of the table finds; one effect for all of them. */
extern void link_table_delete_all(const char *table, const char *index, int nkeys, ScanKey keys);

/* Of one of our sequences. */
extern int64 link_next_id(const char *sequence);

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
