/*-------------------------------------------------------------------------
 *
 * copy_to.c
 *	  What a COPY TO writes: its table, as core's COPY TO takes one, or its query.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "commands/copy.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "parser/parse_relation.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "errors.h"
#include "transfer/copy_to.h"
#include "transfer/select.h"

/*
 * What core's COPY TO says of a relation that it does not take, or of columns
 * in an option, core says itself.
 */
static void
check_relation(ParseState *pstate, Relation rel, List *columns, List *options)
{
	EndCopyTo(link_begin_copy_to(pstate, rel, columns, options));
}

/*
 * The columns that COPY writes, by name.  Generated ones are not among them:
 * it writes what it can read.
 */
static List *
target_list(TupleDesc desc, List *attnums)
{
	List	   *targets = NIL;
	ListCell   *cell;

	foreach(cell, attnums)
	{
		ColumnRef  *column = makeNode(ColumnRef);
		ResTarget  *target = makeNode(ResTarget);

		column->fields = list_make1(makeString(pstrdup(NameStr(TupleDescAttr(desc, lfirst_int(cell) - 1)->attname))));
		column->location = -1;
		target->val = (Node *) column;
		target->location = -1;
		targets = lappend(targets, target);
	}
	return targets;
}

/*
 * SELECT columns FROM ONLY table.  What DoCopy (commands/copy.c) checks for COPY
 * TO is checked in its order: SELECT on the columns; row security, which may be
 * an error; without that, the kind of the relation.  Row security adds its
 * conditions when the query is rewritten; core's COPY has all columns then,
 * generated ones too, ours has the same ones whatever applies.  The lock stays.
 */
static Node *
table_query(const LinkCopy *copy, List *options, Oid *table)
{
	List	   *columns = copy->statement->attlist;
	ParseState *pstate = make_parsestate(NULL);
	Relation	rel = table_openrv(copy->statement->relation, AccessShareLock);
	SelectStmt *select = makeNode(SelectStmt);
	RangeVar   *from;
	LinkTableRights *rights;
	List	   *attnums;
	ListCell   *cell;

	pstate->p_sourcetext = copy->text;
	rights = link_table_rights(addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL, false, false));
	rights->requiredPerms = ACL_SELECT;
	attnums = CopyGetAttnums(RelationGetDescr(rel), rel, columns);
	foreach(cell, attnums)
		rights->selectedCols = bms_add_member(rights->selectedCols,
											  lfirst_int(cell) - FirstLowInvalidHeapAttributeNumber);
	link_check_table_rights(pstate, rights);

	*table = RelationGetRelid(rel);
	if (check_enable_rls(*table, InvalidOid, false) != RLS_ENABLED)
		check_relation(pstate, rel, columns, options);

	from = makeRangeVar(get_namespace_name(RelationGetNamespace(rel)),
						pstrdup(RelationGetRelationName(rel)), -1);
	from->inh = false;
	select->targetList = target_list(RelationGetDescr(rel), attnums);
	select->fromClause = list_make1(from);
	table_close(rel, NoLock);
	free_parsestate(pstate);
	return (Node *) select;
}

LinkSelect
link_copy_to_plan(const LinkCopy *copy, const LinkTransferOptions *options)
{
	RawStmt    *statement = makeNode(RawStmt);
	Oid			table = InvalidOid;
	LinkSelect	select;

	statement->stmt = copy->statement->relation ? table_query(copy, options->copy, &table) : copy->statement->query;
	statement->stmt_location = copy->location;
	statement->stmt_len = copy->length;
	if (options->partition_by != NIL)
		statement = link_select_partition(statement, copy->text, options->partition_by);
	select = link_select_plan(link_select_analyze(statement, copy->text), copy->text);

	/* the query finds the table by name: it may have been renamed just before the lock */
	if (OidIsValid(table) && !list_member_oid(select.plan->relationOids, table))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation referenced by COPY statement has changed")));
	return select;
}
