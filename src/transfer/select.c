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
#include "catalog/pg_proc.h"
#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "parser/parser.h"
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

/* The 'n'th column of the subquery below, whatever its own name. */
static Node *
subquery_column(int n)
{
	ColumnRef  *column = makeNode(ColumnRef);

	column->fields = list_make2(makeString("q"), makeString(psprintf("c%d", n)));
	column->location = -1;
	return (Node *) column;
}

static Node *
as_text(Node *value)
{
	TypeCast   *cast = makeNode(TypeCast);
	CollateClause *collate = makeNode(CollateClause);

	cast->arg = value;
	cast->typeName = SystemTypeName("text");
	cast->location = -1;
	collate->arg = (Node *) cast;
	collate->collname = list_make2(makeString("pg_catalog"), makeString("C"));
	collate->location = -1;
	return (Node *) collate;
}

static ResTarget *
target(const char *name, Node *value)
{
	ResTarget  *result = makeNode(ResTarget);

	result->name = pstrdup(name);
	result->val = value;
	result->location = -1;
	return result;
}

/* Number of the one column of this name. */
static int
find_column(List *targets, const char *name)
{
	int			found = 0;
	ListCell   *cell;

	foreach(cell, targets)
	{
		TargetEntry *entry = lfirst(cell);

		if (entry->resjunk || strcmp(entry->resname, name) != 0)
			continue;
		if (found > 0)
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_COLUMN),
					 errmsg("column \"%s\" of option \"partition_by\" is ambiguous", name)));
		found = entry->resno;
	}
	if (found == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of option \"partition_by\" is not one of the query", name)));
	return found;
}

/*
 * SELECT other columns, p1::text COLLATE "C", ... FROM (statement) q (c1, c2, ...)
 * ORDER BY the latter.
 */
RawStmt *
link_select_partition(RawStmt *statement, const char *text, List *partition_by)
{
	List	   *targets = link_select_analyze(copyObject(statement), text)->targetList;
	RangeSubselect *subquery = makeNode(RangeSubselect);
	SelectStmt *select = makeNode(SelectStmt);
	RawStmt    *wrapped = copyObject(statement);
	Bitmapset  *partitions = NULL;
	ListCell   *cell;

	subquery->subquery = statement->stmt;
	subquery->alias = makeAlias("q", NIL);
	select->fromClause = list_make1(subquery);

	foreach(cell, partition_by)
	{
		int			column = find_column(targets, strVal(lfirst(cell)));

		if (bms_is_member(column, partitions))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" of option \"partition_by\" is given more than once",
							strVal(lfirst(cell)))));
		partitions = bms_add_member(partitions, column);
	}
	foreach(cell, targets)
	{
		TargetEntry *entry = lfirst(cell);

		if (entry->resjunk)
			continue;
		subquery->alias->colnames = lappend(subquery->alias->colnames,
											makeString(psprintf("c%d", entry->resno)));
		if (!bms_is_member(entry->resno, partitions))
			select->targetList = lappend(select->targetList,
										 target(entry->resname, subquery_column(entry->resno)));
	}
	if (select->targetList == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("option \"partition_by\" leaves no column to be written")));
	foreach(cell, partition_by)
	{
		const char *name = strVal(lfirst(cell));
		Node	   *value = as_text(subquery_column(find_column(targets, name)));
		SortBy	   *sort = makeNode(SortBy);

		select->targetList = lappend(select->targetList, target(name, value));
		sort->node = copyObject(value);
		sort->sortby_dir = SORTBY_DEFAULT;
		sort->sortby_nulls = SORTBY_NULLS_DEFAULT;
		sort->location = -1;
		select->sortClause = lappend(select->sortClause, sort);
	}
	wrapped->stmt = (Node *) select;
	return wrapped;
}

LinkSelect
link_select_plan(Query *query, const char *text)
{
	LinkSelect	select;

	select.targets = copyObject(query->targetList);
	select.hazard = max_parallel_hazard(query);
	select.plan = pg_plan_query(query, text, CURSOR_OPT_PARALLEL_OK, NULL);

	/* Locks are in the plan wherever the query has them, views included. */
	if (select.plan->rowMarks != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("FOR UPDATE and FOR SHARE are not supported for writing to a link")));
	return select;
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
