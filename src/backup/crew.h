/*-------------------------------------------------------------------------
 *
 * crew.h
 *	  Several processes that do the tasks of a backup.
 *
 * The leader and its parallel workers each take the next task that nobody has.
 * They share the leader's snapshot, its user and its locks; the first error of any
 * of them ends all, and is the leader's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_CREW_H
#define LINK_CREW_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "nodes/pg_list.h"
#include "storage/block.h"

#include "backup/manifest.h"
#include "catalog/links.h"

typedef enum LinkTaskKind
{
	LINK_TASK_EXPORT,			/* rows of the query 'sql' into the object 'path' */
	LINK_TASK_CHECK,			/* read the object, which has to be as 'object' says */
	LINK_TASK_PAGES				/* look whether pages of a table have changed; see changed.h */
} LinkTaskKind;

typedef struct LinkTask
{
	LinkTaskKind kind;
	char	   *path;			/* whole, for the link; of PAGES the table's name, for messages */
	char	   *sql;			/* "" if there is none */
	const char *compression;	/* of EXPORT */
	int			table_number;	/* of EXPORT, among those of progress.h */
	LinkBackupObject *object;	/* EXPORT: what was written, set by link_crew_run(); else what is expected */
	/* PAGES: */
	Oid			table;
	BlockNumber from;
	BlockNumber to;				/* before it */
	XLogRecPtr	baseline;
	int			first;			/* task of the same table: when one has found a change, the others need not look */
	bool		changed;		/* since the baseline; of the first task of a table, for all of it */
} LinkTask;

/*
 * Do the tasks, which are LinkTask *, in any order, by at most so many processes,
 * the leader among them.  Rights on the link (READ for CHECK, else WRITE) were
 * checked by its lookup; each process goes on checking them.
 */
extern void link_crew_run(const LinkRow *row, List *tasks, int processes);

#endif							/* LINK_CREW_H */
