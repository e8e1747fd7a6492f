/*-------------------------------------------------------------------------
 *
 * inventory.c
 *	  What there is to back up.
 *
 * Asked of the catalogs by SQL, every name of it qualified.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "backup/changed.h"
#include "backup/fingerprint.h"
#include "backup/inventory.h"
#include "errors.h"

/* Times that locks are taken until nothing has changed meanwhile. */
#define LOCK_TRIES 10

/* Of what is no extension's own, or what an extension has registered for pg_dump and comes back with it; links for superusers ($2). */
#define NOT_OF_EXTENSION \
	"((e.oid IS NOT NULL AND $1 IS NULL) OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend d " \
	"WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass " \
	"AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'))"
#define CONFIG_OF_EXTENSION \
	"LEFT JOIN (SELECT u.oid, u.condition FROM pg_catalog.pg_extension x, " \
	"LATERAL ROWS FROM (pg_catalog.unnest(x.extconfig), pg_catalog.unnest(x.extcondition)) AS u(oid, condition) " \
	"WHERE $2 OR x.extname OPERATOR(pg_catalog.<>) 'link') e " \
	"ON e.oid OPERATOR(pg_catalog.=) c.oid "
#define OF_USERS \
	"n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema' " \
	"AND ($1 IS NULL OR n.nspname OPERATOR(pg_catalog.=) ANY ($1)) "

static char *
column(uint64 row, int number)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number);
}

/* Rows of a query about the objects of a schema, or of all. */
static void
query(const char *sql, List *schemas)
{
	Oid			types[] = {NAMEARRAYOID, BOOLOID};
	ArrayBuildState *names = initArrayResult(NAMEOID, CurrentMemoryContext, false);
	Datum		values[2];
	ListCell   *lc;

	foreach(lc, schemas)
		names = accumArrayResult(names, DirectFunctionCall1(namein, CStringGetDatum(lfirst(lc))), false, NAMEOID,
								 CurrentMemoryContext);
	values[0] = makeArrayResult(names, CurrentMemoryContext);
	values[1] = BoolGetDatum(superuser());

	if (SPI_execute_with_args(sql, 2, types, values, schemas ? NULL : "n ", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the catalogs");
}

static LinkInventoryTable *
make_table(uint64 row)
{
	LinkInventoryTable *one = palloc0(sizeof(LinkInventoryTable));

	one->table.oid = (Oid) strtoul(column(row, 1), NULL, 10);
	one->table.name = column(row, 2);
	one->plain_name = column(row, 3);
	one->table.columns = column(row, 4);
	one->condition = column(row, 5);
	one->bytes = strtoi64(column(row, 6), NULL, 10);
	one->has_pages = strcmp(column(row, 7), "heap") == 0;
	one->table.file = (Oid) strtoul(column(row, 8), NULL, 10);
	one->persistence = column(row, 9)[0];
	one->table.root = column(row, 10);
	one->of_extension = column(row, 11)[0] == 't';
	return one;
}

static List *
read_tables(List *schemas, MemoryContext context)
{
	static const char sql[] =
		"SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), "
		"pg_catalog.format('%s.%s', n.nspname, c.relname), "
		"COALESCE((SELECT '(' || pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')' "
		"FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 "
		"AND NOT a.attisdropped AND a.attgenerated OPERATOR(pg_catalog.=) ''), ''), "
		"COALESCE(e.condition, ''), COALESCE(pg_catalog.pg_relation_size(c.oid), 0), COALESCE(m.amname, ''), "
		/* NULL, as the size, if it has been dropped since the snapshot */
		"COALESCE(pg_catalog.pg_relation_filenode(c.oid), 0), c.relpersistence, "
		/* a hash of what Oids are part of is another one in the restored database: of enums, and what may be made of them */
		"(SELECT pg_catalog.format('%I.%I', rn.nspname, r.relname) FROM pg_catalog.pg_class r "
		"JOIN pg_catalog.pg_namespace rn ON rn.oid OPERATOR(pg_catalog.=) r.relnamespace "
		"WHERE c.relispartition AND r.oid OPERATOR(pg_catalog.=) pg_catalog.pg_partition_root(c.oid) "
		"AND ($1 IS NULL OR rn.nspname OPERATOR(pg_catalog.=) ANY ($1)) AND EXISTS ("
		"SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) a JOIN pg_catalog.pg_partitioned_table p ON p.partrelid OPERATOR(pg_catalog.=) a.relid "
		"JOIN pg_catalog.pg_opclass o ON o.oid OPERATOR(pg_catalog.=) ANY (p.partclass) WHERE p.partstrat OPERATOR(pg_catalog.=) 'h' "
		"AND o.opcintype OPERATOR(pg_catalog.=) ANY ('{anyenum,anyarray,record,anyrange,anymultirange,oid}'::pg_catalog.regtype[]))), "
		"e.oid IS NOT NULL "
		"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
		"LEFT JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam " CONFIG_OF_EXTENSION
		"WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND c.relpersistence OPERATOR(pg_catalog.<>) 't' AND " OF_USERS
		"AND " NOT_OF_EXTENSION " ORDER BY c.oid";
	List	   *tables = NIL;

	SPI_connect();
	query(sql, schemas);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext caller = MemoryContextSwitchTo(context);

		tables = lappend(tables, make_table(i));
		MemoryContextSwitchTo(caller);
	}
	SPI_finish();
	link_fingerprint_tables(tables);
	return tables;
}

/* Tables that have rows by their partitions alone: pg_dump locks them too. */
static void
lock_parents(List *schemas)
{
	static const char sql[] =
		"SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
		CONFIG_OF_EXTENSION "WHERE c.relkind OPERATOR(pg_catalog.=) 'p' AND " OF_USERS "AND " NOT_OF_EXTENSION " ORDER BY c.oid";

	SPI_connect();
	query(sql, schemas);
	for (uint64 i = 0; i < SPI_processed; i++)
		LockRelationOid((Oid) strtoul(column(i, 1), NULL, 10), AccessShareLock);
	SPI_finish();
}

static bool
same_tables(List *a, List *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a) != list_length(b))
		return false;
	forboth(la, a, lb, b)
	{
		LinkBackupTable *one = &((LinkInventoryTable *) lfirst(la))->table;
		LinkBackupTable *other = &((LinkInventoryTable *) lfirst(lb))->table;

		if (one->oid != other->oid || one->file != other->file || strcmp(one->name, other->name) != 0 ||
			strcmp(one->fingerprint, other->fingerprint) != 0)
			return false;
	}
	return true;
}

/*
 * Does anybody else, prepared transactions among them, hold a lock with which it
 * may have written to the table?  It is held until the snapshots of others see
 * what was written.
 */
static bool
being_written(Oid table)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			count;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, table);
	holders = GetLockConflicts(&tag, ShareLock, &count);
	pfree(holders);
	return count > 0;
}

/* What a differential backup has to know of them; the snapshot has been taken. */
static void
describe_files(List *tables, List *doubtful)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		LinkInventoryTable *table = lfirst(lc);

		table->table.in_doubt = list_member_oid(doubtful, table->table.oid);
		table->table.blocks = table->has_pages ? link_changed_blocks(table->table.oid) : 0;
	}
}

List *
link_inventory_tables(List *schemas, XLogRecPtr *baseline)
{
	/* a snapshot that is older than the baseline does not see all of before */
	bool		fixed = IsolationUsesXactSnapshot();
	List	   *tables;

	PushActiveSnapshot(GetTransactionSnapshot());
	tables = read_tables(schemas, CurrentMemoryContext);
	for (int i = 0; i < LOCK_TRIES; i++)
	{
		List	   *seen = tables;
		List	   *doubtful = NIL;
		ListCell   *lc;

		foreach(lc, tables)
			LockRelationOid(((LinkInventoryTable *) lfirst(lc))->table.oid, AccessShareLock);
		lock_parents(schemas);
		PopActiveSnapshot();
		*baseline = GetXLogInsertRecPtr();
		foreach(lc, tables)
		{
			Oid			table = ((LinkInventoryTable *) lfirst(lc))->table.oid;

			if (fixed || being_written(table))
				doubtful = lappend_oid(doubtful, table);
		}
		PushActiveSnapshot(GetTransactionSnapshot());
		tables = read_tables(schemas, CurrentMemoryContext);
		if (same_tables(seen, tables))
		{
			describe_files(tables, doubtful);
			return tables;
		}
		if (fixed)
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("tables are being created or altered while the backup begins"),
			 errhint("Try again when they are not.")));
}

List *
link_inventory_sequences(List *schemas)
{
	static const char sql[] =
		"SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c "
		"JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace " CONFIG_OF_EXTENSION
		"WHERE c.relkind OPERATOR(pg_catalog.=) 'S' AND c.relpersistence OPERATOR(pg_catalog.<>) 't' AND " OF_USERS
		"AND " NOT_OF_EXTENSION " ORDER BY c.oid";
	MemoryContext caller = CurrentMemoryContext;
	List	   *sequences = NIL;
	ListCell   *lc;

	SPI_connect();
	query(sql, schemas);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);
		LinkBackupSequence *sequence = palloc0(sizeof(LinkBackupSequence));

		sequence->name = column(i, 1);
		sequences = lappend(sequences, sequence);
		MemoryContextSwitchTo(spi);
	}
	foreach(lc, sequences)
	{
		LinkBackupSequence *sequence = lfirst(lc);

		if (SPI_execute(psprintf("SELECT last_value, is_called FROM %s", sequence->name), true, 1) != SPI_OK_SELECT ||
			SPI_processed != 1)
			elog(ERROR, "could not read sequence %s", sequence->name);
		sequence->last_value = strtoi64(column(0, 1), NULL, 10);
		sequence->is_called = column(0, 2)[0] == 't';
	}
	SPI_finish();
	return sequences;
}

bool
link_inventory_is_owned(List *schemas)
{
	static const char sql[] =
		"SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) ANY ($1) "
		"AND (NOT pg_catalog.pg_has_role(n.nspowner, 'USAGE') OR EXISTS (SELECT FROM pg_catalog.pg_class c "
		"WHERE c.relnamespace OPERATOR(pg_catalog.=) n.oid AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')))";
	bool		owned;

	SPI_connect();
	query(sql, schemas);
	owned = SPI_processed == 0;
	SPI_finish();
	return owned;
}

bool
link_inventory_has_large_objects(void)
{
	bool		any;

	SPI_connect();
	if (SPI_execute("SELECT FROM pg_catalog.pg_largeobject_metadata LIMIT 1", true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the catalogs");
	any = SPI_processed > 0;
	SPI_finish();
	return any;
}

static char *
text_member(HeapTuple tuple, TupleDesc desc, const char *name)
{
	int			number = SPI_fnumber(desc, name);

	return number > 0 ? SPI_getvalue(tuple, desc, number) : NULL;
}

/* Lists of texts, of a query about this database. */
static List *
rows_of(const char *sql)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *rows = NIL;

	SPI_connect();
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the catalogs");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);
		List	   *row = NIL;

		for (int n = 1; n <= SPI_tuptable->tupdesc->natts; n++)
			row = lappend(row, column(i, n));
		rows = lappend(rows, row);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return rows;
}

#define THIS_DATABASE "d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"

/* The columns of pg_database are others in each version: take those that there are. */
void
link_inventory_database(LinkBackupDatabase *database)
{
	MemoryContext caller = CurrentMemoryContext;
	HeapTuple	tuple;
	TupleDesc	desc;
	MemoryContext spi;

	SPI_connect();
	if (SPI_execute("SELECT d.*, t.spcname, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment, "
					"d.datacl IS NOT NULL AS has_grants FROM pg_catalog.pg_database d "
					"JOIN pg_catalog.pg_tablespace t ON t.oid OPERATOR(pg_catalog.=) d.dattablespace WHERE " THIS_DATABASE,
					true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read the catalogs");
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	spi = MemoryContextSwitchTo(caller);
	database->name = text_member(tuple, desc, "datname");
	database->owner = GetUserNameFromId((Oid) strtoul(text_member(tuple, desc, "datdba"), NULL, 10), false);
	database->encoding = pstrdup(GetDatabaseEncodingName());
	database->collate = text_member(tuple, desc, "datcollate");
	database->ctype = text_member(tuple, desc, "datctype");
	database->provider = text_member(tuple, desc, "datlocprovider");
	database->locale = text_member(tuple, desc, "datlocale");
	if (database->locale == NULL)
		database->locale = text_member(tuple, desc, "daticulocale");
	database->icu_rules = text_member(tuple, desc, "daticurules");
	database->tablespace = text_member(tuple, desc, "spcname");
	database->connection_limit = strtoi64(text_member(tuple, desc, "datconnlimit"), NULL, 10);
	database->is_template = text_member(tuple, desc, "datistemplate")[0] == 't';
	database->comment = text_member(tuple, desc, "comment");
	database->has_grants = text_member(tuple, desc, "has_grants")[0] == 't';
	MemoryContextSwitchTo(spi);
	SPI_finish();
	database->settings =
		rows_of("SELECT COALESCE(r.rolname, ''), pg_catalog.split_part(u.setting, '=', 1), "
				"pg_catalog.substr(u.setting, pg_catalog.strpos(u.setting, '=') OPERATOR(pg_catalog.+) 1) "
				"FROM pg_catalog.pg_database d JOIN pg_catalog.pg_db_role_setting s ON s.setdatabase OPERATOR(pg_catalog.=) d.oid "
				"LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.setrole, "
				"LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS u(setting, n) WHERE " THIS_DATABASE " ORDER BY 1, u.n");
	/* the owner's first: others grant by them */
	database->grants =
		rows_of("SELECT pg_catalog.pg_get_userbyid(a.grantor), CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee) END, "
				"a.privilege_type, a.is_grantable FROM pg_catalog.pg_database d, "
				"LATERAL pg_catalog.aclexplode(d.datacl) WITH ORDINALITY AS a(grantor, grantee, privilege_type, is_grantable, n) "
				"WHERE " THIS_DATABASE " ORDER BY a.grantor OPERATOR(pg_catalog.<>) d.datdba, a.n");
}
