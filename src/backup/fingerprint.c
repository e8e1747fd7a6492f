/*-------------------------------------------------------------------------
 *
 * fingerprint.c
 *	  What the bytes of a table mean.
 *
 * That is said by its columns, those dropped among them, by what stands for a
 * column in rows that are older than it, and by the types, with those that they
 * are made of.  Nobody who only reads the table keeps others from altering a type,
 * so of a type's rows in the catalogs xmin counts as well: it tells of a change
 * that was taken back.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"

#include "backup/fingerprint.h"
#include "backup/inventory.h"

#define EQ " OPERATOR(pg_catalog.=) "

/* Each type that the tables use, with itself and those it is made of. */
#define USES \
	"uses(root, type) AS (" \
	"SELECT DISTINCT a.atttypid, a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid" EQ "ANY ($1) " \
	"AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped " \
	"UNION SELECT u.root, p.type FROM uses u, LATERAL (" \
	"SELECT t.typelem FROM pg_catalog.pg_type t WHERE t.oid" EQ "u.type AND t.typelem OPERATOR(pg_catalog.<>) 0 " \
	"UNION ALL SELECT t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid" EQ "u.type AND t.typbasetype OPERATOR(pg_catalog.<>) 0 " \
	"UNION ALL SELECT a.atttypid FROM pg_catalog.pg_type t, pg_catalog.pg_attribute a WHERE t.oid" EQ "u.type " \
	"AND t.typrelid OPERATOR(pg_catalog.<>) 0 AND a.attrelid" EQ "t.typrelid " \
	"AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped " \
	"UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid" EQ "u.type " \
	"UNION ALL SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid" EQ "u.type) AS p(type))"

/*
 * One type by itself.  Settled are those that are made of others, and base types
 * whose output is immutable, or depends on nothing but parameters that a backup
 * sets: money, date, timestamp, timestamptz, interval.
 */
#define TYPES \
	"types AS (SELECT t.oid, ROW(t.oid, t.xmin, o.oid, o.xmin, t.typtype, t.typbasetype, t.typtypmod, t.typcollation, t.typnotnull, t.typdelim, " \
	"(SELECT pg_catalog.string_agg(ROW(e.oid, e.xmin, e.enumlabel)::pg_catalog.text, ',' ORDER BY e.oid) " \
	"FROM pg_catalog.pg_enum e WHERE e.enumtypid" EQ "t.oid), " \
	"(SELECT pg_catalog.string_agg(ROW(a.attnum, a.xmin, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attisdropped)" \
	"::pg_catalog.text, ',' ORDER BY a.attnum) " \
	"FROM pg_catalog.pg_attribute a WHERE t.typrelid OPERATOR(pg_catalog.<>) 0 AND a.attrelid" EQ "t.typrelid " \
	"AND a.attnum OPERATOR(pg_catalog.>) 0), " \
	"(SELECT pg_catalog.string_agg(ROW(r.xmin, r.rngsubtype, r.rngcollation)::pg_catalog.text, ',') " \
	"FROM pg_catalog.pg_range r WHERE r.rngtypid" EQ "t.oid OR r.rngmultitypid" EQ "t.oid), " \
	"(SELECT pg_catalog.string_agg(ROW(k.oid, k.xmin, pg_catalog.pg_get_constraintdef(k.oid))::pg_catalog.text, ',' ORDER BY k.oid) " \
	"FROM pg_catalog.pg_constraint k WHERE k.contypid" EQ "t.oid))::pg_catalog.text AS meaning, " \
	"t.typtype OPERATOR(pg_catalog.<>) 'p' AND (t.typtype OPERATOR(pg_catalog.<>) 'b' " \
	"OR t.typoutput" EQ "'pg_catalog.array_out'::pg_catalog.regproc OR o.provolatile" EQ "'i' " \
	"OR t.oid" EQ "ANY ('{790, 1082, 1114, 1184, 1186}'::pg_catalog.oid[])) AS settled " \
	"FROM pg_catalog.pg_type t JOIN pg_catalog.pg_proc o ON o.oid" EQ "t.typoutput " \
	"WHERE t.oid IN (SELECT type FROM uses))"

#define ROOTS \
	"roots AS (SELECT u.root, pg_catalog.string_agg(t.meaning, ',' ORDER BY t.oid) AS meaning, " \
	"pg_catalog.bool_and(t.settled) AS settled FROM uses u JOIN types t ON t.oid" EQ "u.type GROUP BY u.root)"

static const char fingerprints[] =
	"WITH RECURSIVE " USES ", " TYPES ", " ROOTS " "
	"SELECT w.oid, pg_catalog.md5(COALESCE(pg_catalog.string_agg(ROW(a.attnum, a.attname, a.atttypid, a.atttypmod, "
	"a.attcollation, a.atthasmissing, a.attmissingval::pg_catalog.text, a.attisdropped, a.attgenerated, r.meaning)"
	"::pg_catalog.text, ',' ORDER BY a.attnum), '')), COALESCE(pg_catalog.bool_and(COALESCE(r.settled, a.attisdropped)), true) "
	"FROM pg_catalog.unnest($1) AS w(oid) "
	"LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid" EQ "w.oid AND a.attnum OPERATOR(pg_catalog.>) 0 "
	"LEFT JOIN roots r ON r.root" EQ "a.atttypid "
	"GROUP BY w.oid ORDER BY w.oid";

static int
by_oid(const ListCell *a, const ListCell *b)
{
	Oid			one = ((LinkInventoryTable *) lfirst(a))->table.oid;
	Oid			other = ((LinkInventoryTable *) lfirst(b))->table.oid;

	return (one > other) - (one < other);
}

void
link_fingerprint_tables(List *tables)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {OIDARRAYOID};
	ArrayBuildState *oids = initArrayResult(OIDOID, CurrentMemoryContext, false);
	List	   *sorted = list_copy(tables);
	Datum		values[1];
	ListCell   *lc;
	uint64		row = 0;

	list_sort(sorted, by_oid);
	foreach(lc, sorted)
		oids = accumArrayResult(oids, ObjectIdGetDatum(((LinkInventoryTable *) lfirst(lc))->table.oid), false, OIDOID,
								CurrentMemoryContext);
	values[0] = makeArrayResult(oids, CurrentMemoryContext);
	SPI_connect();
	if (SPI_execute_with_args(fingerprints, 1, types, values, NULL, true, 0) != SPI_OK_SELECT ||
		SPI_processed != (uint64) list_length(sorted))
		elog(ERROR, "could not read the catalogs");
	foreach(lc, sorted)
	{
		LinkInventoryTable *table = lfirst(lc);
		HeapTuple	tuple = SPI_tuptable->vals[row++];

		table->table.fingerprint = MemoryContextStrdup(caller, SPI_getvalue(tuple, SPI_tuptable->tupdesc, 2));
		table->settled = SPI_getvalue(tuple, SPI_tuptable->tupdesc, 3)[0] == 't';
	}
	SPI_finish();
}
