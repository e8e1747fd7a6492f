/*-------------------------------------------------------------------------
 *
 * loader.h
 *	  Several sessions that fill a database that is being restored.
 *
 * They are sessions of that database, so that they can write its tables with all
 * that makes loading fast; the link is one of another database, whose row they
 * are given in shared memory, credentials sealed as they are in it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_LOADER_H
#define LINK_LOADER_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "backup/manifest.h"
#include "catalog/links.h"

typedef struct LinkLoadTask
{
	char	   *table;			/* qualified, quoted */
	int			number;			/* of it, among those of progress.h */
	char	   *columns;		/* as of LinkBackupTable */
	char	   *path;			/* whole, of the object with its rows; NULL: analyze it */
	LinkBackupObject *object;	/* what is expected */
	bool		whole;			/* these are all of its rows */
} LinkLoadTask;

typedef struct LinkLoader LinkLoader;

/*
 * So many sessions of the database; rights on the link were checked.  They have to
 * begin before the event triggers of the backup are there, which would fire for
 * what they make for themselves.  Belongs to the current memory context.
 */
extern LinkLoader *link_loader_begin(const LinkRow *row, const char *database, int sessions);

/* Do the tasks, which are LinkLoadTask *, in any order.  The first error ends all. */
extern void link_loader_run(LinkLoader *loader, List *tasks);
extern void link_loader_end(LinkLoader *loader);

/* Of a table of a manifest: its Oid here, 42P01 if there is none; names of its columns, char *. */
extern Oid	link_load_target(const char *name);
extern List *link_load_columns(const char *columns);

/* ANALYZE of one relation, within the caller's transaction (analyze.c). */
extern void link_analyze(Oid relation);

#endif							/* LINK_LOADER_H */
