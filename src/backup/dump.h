/*-------------------------------------------------------------------------
 *
 * dump.h
 *	  pg_dump and pg_restore of this server, as child processes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_DUMP_H
#define LINK_DUMP_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* What pg_dump leaves out or takes, beyond what it does by itself. */
typedef enum LinkDumpPart
{
	LINK_DUMP_DEFINITIONS,		/* all but data */
	LINK_DUMP_LARGE_OBJECTS		/* nothing but large objects */
} LinkDumpPart;

typedef struct LinkDumpArgs
{
	LinkDumpPart part;
	const char *snapshot;		/* exported */
	List	   *schemas;		/* char *; NIL: all of the database */
	bool		superuser;		/* also what others may not see */
} LinkDumpArgs;

/*
 * An archive of this database in custom format, with the rights of the current
 * user; 'take' is given its bytes.  58P01 if the program is not there; 58030 with
 * what it says if it fails.
 */
extern void link_dump(const LinkDumpArgs *args, void (*take) (void *arg, const char *data, Size size), void *arg);

/*
 * Restore a section ("pre-data", "data", "post-data") of an archive, an open file
 * whose beginning is that of the archive, into a database of this server, by
 * 'jobs' connections; 'workers': each may have parallel workers besides.
 */
extern void link_undump(int archive, const char *section, const char *database, int jobs, bool workers);

/*
 * The same section as text, of which psql is to run the lines that begin with a
 * backslash; without what only a superuser can make, unless 'superuser'.
 */
extern char *link_undump_text(int archive, const char *section, bool superuser);

#endif							/* LINK_DUMP_H */
