/*-------------------------------------------------------------------------
 *
 * copy.h
 *	  COPY to and from 'link://[schema.]name/path': core's statement, with the
 *	  file at a link.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_STATEMENT_COPY_H
#define LINK_STATEMENT_COPY_H

#include "postgres.h"

#include "nodes/plannodes.h"
#include "tcop/cmdtag.h"

/*
 * Is it a COPY whose file name says link: (of a file, not of a PROGRAM)?  All
 * others are core's.
 */
extern bool link_is_copy(const PlannedStmt *pstmt);

/*
 * Run it.  Throws 42601 for a name that is not of that form.  Arguments as
 * those of a ProcessUtility hook.
 */
extern void link_copy(PlannedStmt *pstmt, const char *query_string, bool read_only_tree,
					  QueryCompletion *completion);

#endif							/* LINK_STATEMENT_COPY_H */
