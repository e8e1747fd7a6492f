/*-------------------------------------------------------------------------
 *
 * inventory.h
 *	  What there is to back up, as the active snapshot sees it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_INVENTORY_H
#define LINK_INVENTORY_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "backup/manifest.h"

/* A table with rows of its own, and how to read them. */
typedef struct LinkInventoryTable
{
	LinkBackupTable table;		/* without parts */
	char	   *plain_name;		/* "schema.name", unquoted, for the paths of objects */
	bool		of_extension;	/* whose code may give up its locks before its rows are seen by others */
	char	   *condition;		/* "WHERE ..." or "": of an extension's table, what is not the extension's */
	int64		bytes;			/* of its pages */
	bool		has_pages;		/* its access method is heap, so ranges of pages can be read */
	char		persistence;
	bool		settled;		/* the same bytes are the same rows, as long as the fingerprint is equal */
} LinkInventoryTable;

/*
 * All of them, or those of schemas (char *), LinkInventoryTable *, locked in ACCESS SHARE mode.  Pushes a
 * snapshot that is newer than these locks, which the caller pops: so nothing of
 * what it sees has been rewritten since.
 *
 * Whoever had written to a table before 'baseline' and is not seen by the snapshot
 * had a lock on it in between, and so the table is in doubt.
 */
extern List *link_inventory_tables(List *schemas, XLogRecPtr *baseline);

/* Sequences, LinkBackupSequence *, as they are now. */
extern List *link_inventory_sequences(List *schemas);

extern bool link_inventory_has_large_objects(void);

/* Does the current user own the schemas, and all relations in them? */
extern bool link_inventory_is_owned(List *schemas);

/* This database's. */
extern void link_inventory_database(LinkBackupDatabase *database);

#endif							/* LINK_INVENTORY_H */
