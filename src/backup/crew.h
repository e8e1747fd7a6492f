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

#include "nodes/pg_list.h"

#include "backup/manifest.h"
#include "catalog/links.h"

typedef enum LinkTaskKind
{
	LINK_TASK_EXPORT,			/* rows of the query 'sql' into the object 'path' */
	LINK_TASK_CHECK				/* read the object, which has to be as 'object' says */
} LinkTaskKind;

typedef struct LinkTask
{
	LinkTaskKind kind;
	char	   *path;			/* whole, for the link */
	char	   *sql;			/* "" if there is none */
	const char *compression;	/* of EXPORT */
	LinkBackupObject *object;	/* EXPORT: what was written, set by link_crew_run(); else what is expected */
} LinkTask;

/*
 * Do the tasks, which are LinkTask *, in any order, by at most so many processes,
 * the leader among them.  Rights on the link (WRITE for EXPORT, else READ) were
 * checked by its lookup; each process goes on checking them.
 */
extern void link_crew_run(const LinkRow *row, List *tasks, int processes);

#endif							/* LINK_CREW_H */
