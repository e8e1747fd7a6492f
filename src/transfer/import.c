/*-------------------------------------------------------------------------
 *
 * import.c
 *	  Objects of a link into a table: LOAD DATA LINK.
 *
 * COPY FROM does the work (load.c): defaults, generated columns, triggers,
 * constraints, partition routing.  What guards it is not in BeginCopyFrom and
 * CopyFrom but in their caller, so it is repeated here.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "commands/copy.h"
#include "commands/copyfrom_internal.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "tcop/utility.h"
#include "utils/rls.h"

#include "catalog/privileges.h"
#include "catalog/use.h"
#include "errors.h"
#include "transfer/listed.h"
#include "transfer/load.h"
#include "transfer/verb.h"
#include "transfer/where.h"

/* For messages. */
static const char *
verb(const LinkCopy *copy)
{
	return copy ? "COPY FROM" : "LOAD DATA LINK";
}

static List *
column_nodes(List *names)
{
	List	   *nodes = NIL;
	ListCell   *cell;

	foreach(cell, names)
		nodes = lappend(nodes, makeString(pstrdup(lfirst(cell))));
	return nodes;
}

/*
 * Open and lock the table, and check what DoCopy (commands/copy.c) checks for
 * COPY FROM, in its order: the condition, which adds to the rights needed;
 * INSERT on the columns and SELECT on those of the condition; row security;
 * read-only transactions.  What kind of relation it is CopyFrom checks itself.
 */
static void
open_target(LinkLoad *load, const LinkCopy *copy, Oid target)
{
	ParseState *pstate = load->pstate;
	Relation	rel = copy ? table_openrv(copy->statement->relation, RowExclusiveLock)
		: try_table_open(target, RowExclusiveLock);
	ParseNamespaceItem *table;
	LinkTableRights *rights;
	ListCell   *cell;

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", target)));

	table = addRangeTableEntryForRelation(pstate, rel, RowExclusiveLock, NULL, false, false);
	rights = link_table_rights(table);
	rights->requiredPerms = ACL_INSERT;

	if (copy && copy->statement->whereClause)
		load->where = link_where_parsed(pstate, table, RelationGetDescr(rel), copy->statement->whereClause);
	else if (load->options->where)
		load->where = link_where(pstate, table, RelationGetDescr(rel), load->options->where);

	foreach(cell, CopyGetAttnums(RelationGetDescr(rel), rel, load->columns))
		rights->insertedCols = bms_add_member(rights->insertedCols,
											  lfirst_int(cell) - FirstLowInvalidHeapAttributeNumber);
	link_check_table_rights(pstate, rights);

	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, false) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 copy ? errmsg("COPY FROM not supported with row-level security")
				 : errmsg("LOAD DATA LINK is not supported with row-level security"),
				 errhint("Use INSERT with a SELECT from link.select_from() instead.")));

	PreventCommandDuringRecovery(verb(copy));
	if (XactReadOnly && !rel->rd_islocaltemp)
		PreventCommandIfReadOnly(verb(copy));

	load->rel = rel;
}

/* CopyFrom holds each object to reject_limit; all of them together are held to it here. */
static void
insert_rows(CopyFromState cstate, LinkObjectResult *result, void *arg)
{
	uint64	   *skipped = arg;
	uint64		limit = link_copy_reject_limit(cstate);

	result->rows = CopyFrom(cstate);
	result->skipped = link_copy_skipped(cstate);
	*skipped += result->skipped;
	if (limit > 0 && *skipped > limit)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("skipped more than REJECT_LIMIT (" UINT64_FORMAT ") rows due to data type incompatibility",
						limit)));

	/* the next object's rows come after these, as in the next COPY */
	CommandCounterIncrement();
}

/* COPY has a clause for the condition, and may be given the option too. */
static void
check_one_condition(const LinkCopy *copy, const LinkTransferOptions *wanted)
{
	if (copy && copy->statement->whereClause && wanted->where)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("conflicting or redundant options"),
				 errdetail("Both a WHERE clause and option \"where\" are given.")));
}

static List *
import(const LinkCopy *copy, const LinkName *link, const char *path,
	   Oid target, List *columns, List *options)
{
	LinkTransferOptions wanted;
	CopyFormatOptions checked = {0};
	LinkLoad	load = {0};
	uint64		skipped = 0;
	LinkRow    *row;
	List	   *results;

	link_verb_require_allowed(verb(copy));
	load.pstate = make_parsestate(NULL);
	load.pstate->p_sourcetext = copy ? copy->text : NULL;
	link_transfer_options(load.pstate, options, true, path, &wanted);
	check_one_condition(copy, &wanted);
	ProcessCopyOptions(load.pstate, &checked, true, wanted.copy);
	row = link_lookup_name(link, LINK_ACL_READ);

	load.columns = columns;
	load.options = &wanted;
	load.checked = &checked;
	load.take_rows = insert_rows;
	load.arg = &skipped;
	open_target(&load, copy, target);
	results = link_load_objects(row, path, &load);

	table_close(load.rel, NoLock);
	free_parsestate(load.pstate);
	return results;
}

List *
link_import_listed(LinkSession *session, List *objects, const LinkListed *listed)
{
	LinkTransferOptions wanted;
	CopyFormatOptions checked = {0};
	LinkLoad	load = {0};
	uint64		skipped = 0;
	List	   *results;

	load.pstate = make_parsestate(NULL);
	link_transfer_options(load.pstate, listed->options, true, listed->path, &wanted);
	if (listed->frozen)
		wanted.copy = lappend(wanted.copy, makeDefElem("freeze", (Node *) makeBoolean(true), -1));
	ProcessCopyOptions(load.pstate, &checked, true, wanted.copy);
	load.columns = column_nodes(listed->columns);
	load.options = &wanted;
	load.checked = &checked;
	load.take_rows = insert_rows;
	load.arg = &skipped;
	load.at = listed->at;
	load.line = listed->line;
	open_target(&load, NULL, listed->target);
	results = link_load_listed(session, objects, &load);

	table_close(load.rel, NoLock);
	free_parsestate(load.pstate);
	return results;
}

List *
link_import(const LinkName *link, const char *path, Oid target, List *columns, List *options)
{
	List	   *results = NIL;

	LINK_USE_BEGIN(LINK_VERB_LOAD_DATA, path);
	{
		results = import(NULL, link, path, target, column_nodes(columns), options);
	}
	LINK_USE_END();
	return results;
}

List *
link_import_copy(const LinkCopy *copy, const LinkName *link, const char *path)
{
	List	   *results = NIL;

	LINK_USE_BEGIN(LINK_VERB_LOAD_DATA, path);
	{
		results = import(copy, link, path, InvalidOid, copy->statement->attlist, copy->statement->options);
	}
	LINK_USE_END();
	return results;
}
