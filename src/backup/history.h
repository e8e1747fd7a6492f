/*-------------------------------------------------------------------------
 *
 * history.h
 *	  Backups that this database has made, or tried to: rows of link.backup.
 *
 * What is there to restore the link itself tells (link.list_backups); this tells
 * what was done, failures too.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_HISTORY_H
#define LINK_HISTORY_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "backup/manifest.h"
#include "catalog/links.h"

/*
 * A backup begins: its row is written by a session of its own, so that it stays
 * whatever becomes of this transaction.
 */
extern void link_history_begin(const LinkRow *row, const char *path, const LinkManifest *manifest);

/* It is complete once the transaction commits.  'checksum': of its manifest. */
extern void link_history_succeed(const LinkManifest *manifest, const char *checksum);

/* It has failed with the error in work: from PG_CATCH, which rethrows it.  Throws nothing. */
extern void link_history_fail(int64 id);

/* Of a backup that it has made and has been dropped; nothing for those of others. */
extern void link_history_drop(int64 id);

typedef struct LinkHistoryRow
{
	int64		id;
	char	   *database;
	Datum		schemas;		/* text[], or 0: all of the database */
	int64		link_id;
	char	   *link;			/* as it was called then */
	char	   *path;
	Oid			role;
	char	   *mode;
	int64		base;			/* 0: none */
	Datum		started;
	Datum		finished;		/* of others than these two 0: not yet */
	int64		objects;		/* -1: not known, as bytes */
	int64		bytes;
	char	   *checksum;		/* NULL: none, as error */
	char	   *status;			/* "running", "succeeded", "failed", "dropped" */
	char	   *error;
} LinkHistoryRow;

/*
 * LinkHistoryRow *, in no order: those of the current user's own, and of links
 * that it may read.
 */
extern List *link_history_visible(void);

/* Objects and bytes that a backup has added to those of its base. */
extern void link_history_count(const LinkManifest *manifest, int64 *objects, int64 *bytes);

#endif							/* LINK_HISTORY_H */
