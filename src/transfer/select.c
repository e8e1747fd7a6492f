/*-------------------------------------------------------------------------
 *
 * select.c
 *	  The query of an export: one SELECT that only reads, planned and run as
 *	  COPY (query) TO does it.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "executor/executor.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"

#include "errors.h"
#include "transfer/select.h"

RawStmt *
link_select_parse(const char *text)
{
	List	   *statements = pg_parse_query(text);

	if (statements == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the query is empty")));
	if (list_length(statements) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the query holds more than one statement")));
	return linitial_node(RawStmt, statements);
}

Query *
link_select_analyze(RawStmt *statement, const char *text)
{
	List	   *statements;
	Query	   *analyzed;

	if (!IsA(statement->stmt, SelectStmt))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("only the rows of a SELECT, VALUES, TABLE or WITH query can be written to a link")));

	statements = pg_analyze_and_rewrite_fixedparams(statement, text, NULL, 0, NULL);
	if (list_length(statements) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("rules that change the query are not supported for writing to a link")));
	analyzed = linitial_node(Query, statements);
	if (analyzed->commandType != CMD_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("SELECT INTO a table is not supported for writing to a link")));
	if (analyzed->hasModifyingCTE)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("data-modifying statements in WITH are not supported for writing to a link")));
	return analyzed;
}

PlannedStmt *
link_select_plan(Query *query, const char *text)
{
	PlannedStmt *plan = pg_plan_query(query, text, CURSOR_OPT_PARALLEL_OK, NULL);

	/* Locks are in the plan wherever the query has them, views included. */
	if (plan->rowMarks != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("FOR UPDATE and FOR SHARE are not supported for writing to a link")));
	return plan;
}

QueryDesc *
link_select_start(PlannedStmt *plan, const char *text, DestReceiver *receiver)
{
	QueryDesc  *desc;

	PushCopiedSnapshot(GetActiveSnapshot());
	UpdateActiveSnapshotCommandId();
	desc = CreateQueryDesc(plan, text, GetActiveSnapshot(), InvalidSnapshot,
						   receiver, NULL, NULL, 0);
	ExecutorStart(desc, 0);
	return desc;
}

void
link_select_end(QueryDesc *desc)
{
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	PopActiveSnapshot();
}
