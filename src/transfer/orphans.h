/*-------------------------------------------------------------------------
 *
 * orphans.h
 *	  Uploads that their sessions left behind: taking them back, counting them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_ORPHANS_H
#define LINK_ORPHANS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "catalog/links.h"

typedef struct LinkOrphan
{
	char	   *link;			/* qualified; NULL: it is gone, or not known */
	char	   *path;			/* NULL: not known */
	TimestampTz started;		/* DT_NOBEGIN: not known */
	char	   *outcome;		/* "aborted", "nothing left", "in doubt: ...", "failed: ...", ... */
} LinkOrphan;

/*
 * Take back the orphans of a link, which needs WRITE, or (NULL) of all links of
 * this database that the current user may WRITE, if their uploads were begun no
 * later than 'before'.  To superusers who name no link, also the records of which
 * nothing can be done here.  List of LinkOrphan *.
 */
extern List *link_abort_uploads(const LinkName *name, TimestampTz before);

/* "0", or "2, and 1 in other databases, 1 unreadable": for link.status(). */
extern char *link_orphans_text(void);

#endif							/* LINK_ORPHANS_H */
