/*-------------------------------------------------------------------------
 *
 * fingerprint.h
 *	  What the bytes of a table mean: whether the same bytes are the same rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_FINGERPRINT_H
#define LINK_FINGERPRINT_H

#include "postgres.h"

#include "nodes/pg_list.h"

/*
 * Set 'fingerprint' and 'settled' of LinkInventoryTable *, as the active snapshot
 * sees the catalogs.  Within one database, rows that are the same bytes under the
 * same fingerprint are the same text, if that is settled: a value of type regclass,
 * say, is text that anybody changes who renames a table.
 */
extern void link_fingerprint_tables(List *tables);

#endif							/* LINK_FINGERPRINT_H */
