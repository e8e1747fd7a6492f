/*-------------------------------------------------------------------------
 *
 * select.h
 *	  The query of an export: one SELECT that only reads (SECURITY 31).
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_SELECT_H
#define LINK_SELECT_H

#include "postgres.h"

#include "executor/execdesc.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"
#include "tcop/dest.h"

/* One statement, of any kind; 42601 for none, or several. */
extern RawStmt *link_select_parse(const char *text);

/*
 * 42601 for a statement that is no SELECT, VALUES, TABLE or WITH; 0A000 for one
 * that would write, or lock rows.  'text' is what it was parsed from: errors point
 * into it.  The statement is scribbled on.
 */
extern Query *link_select_analyze(RawStmt *statement, const char *text);

/*
 * The statement whose rows are those of 'statement', in the order of the columns
 * 'partition_by' (String): the other columns first, then these, as text in the
 * collation "C".  42703 for a name that is no column.
 */
extern RawStmt *link_select_partition(RawStmt *statement, const char *text, List *partition_by);

typedef struct LinkSelect
{
	PlannedStmt *plan;
	List	   *targets;		/* the query's, as they were before it was planned */
	char		hazard;			/* PROPARALLEL_SAFE: any process may run any part of it; _RESTRICTED: the
								 * leader of others may */
} LinkSelect;

extern LinkSelect link_select_plan(Query *query, const char *text);

/*
 * Start it at a snapshot that sees what the caller's transaction has done so
 * far; its permissions are checked here.  Rows go to 'receiver' when it runs.
 */
extern QueryDesc *link_select_start(PlannedStmt *plan, const char *text, DestReceiver *receiver);
extern void link_select_end(QueryDesc *desc);

#endif							/* LINK_SELECT_H */
