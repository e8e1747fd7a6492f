/*-------------------------------------------------------------------------
 *
 * base.h
 *	  The full backup that a differential one builds on.
 *
 * What is unchanged is told by positions in the WAL (INTERNALS A1), which mean
 * something only to a database that the base itself was made of.  A base leaves its
 * id in table link.baseline there, later than its baseline: who has the id has the
 * history that comes before it, whatever was copied, restored or lost since.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_BACKUP_BASE_H
#define LINK_BACKUP_BASE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "backup/manifest.h"
#include "catalog/links.h"

/*
 * The newest full backup of this database at the path, which nobody of this server
 * can drop until the end of the transaction.  55000 if there is none.
 */
extern LinkManifest *link_base_find(LinkSession *session, const char *path);

/* 55000 if it has gone: other servers know nothing of what this one holds. */
extern void link_base_require(LinkSession *session, const char *path, const LinkManifest *base);

/*
 * Give those of the tables, LinkInventoryTable *, that are what they were the parts
 * that the base has of them.  'now' is what is being made.
 */
extern void link_base_reuse(const LinkRow *row, const LinkManifest *base, const LinkManifest *now, List *tables,
							int processes);

/*
 * Before the manifest of a full backup is written, of whose tables all has been
 * read: others may build on it once the transaction has committed.
 */
extern void link_base_record(const LinkManifest *manifest);

/* A backup is being dropped: false if a differential one that builds on it is being made. */
extern bool link_base_forget(int64 id);

#endif							/* LINK_BACKUP_BASE_H */
