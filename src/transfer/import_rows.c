/*-------------------------------------------------------------------------
 *
 * import_rows.c
 *	  Rows of the objects of a link, by a list of columns: link.select_from.
 *
 * The same parser as for a table (load.c), so every option means the same and
 * every error reads the same; but nothing is written in the database, so it is
 * allowed in read-only transactions and on a standby.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "commands/copy.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "catalog/privileges.h"
#include "catalog/use.h"
#include "errors.h"
#include "transfer/listed.h"
#include "transfer/load.h"
#include "transfer/progress.h"
#include "transfer/verb.h"

typedef struct RowStore
{
	TupleDesc	desc;
	struct Tuplestorestate *store;
	Datum	   *values;
	bool	   *nulls;
} RowStore;

/*
 * BeginCopyFrom and NextCopyFrom take a relation as a template of the rows:
 * they look at its descriptor, its name (for messages) and its oid (for
 * progress), never at storage or catalogs.  So we make one that has just these,
 * as core's recovery makes its own in CreateFakeRelcacheEntry.
 */
Relation
link_template_relation(TupleDesc desc, const char *name)
{
	Relation	rel = palloc0(sizeof(RelationData));

	rel->rd_att = CreateTupleDescCopy(desc);
	rel->rd_rel = palloc0(sizeof(FormData_pg_class));
	rel->rd_rel->relkind = RELKIND_COMPOSITE_TYPE;
	rel->rd_rel->relnatts = desc->natts;
	namestrcpy(&rel->rd_rel->relname, name);
	return rel;
}

static void
store_rows(CopyFromState cstate, LinkObjectResult *result, void *arg)
{
	RowStore   *rows = arg;
	ErrorContextCallback context = {error_context_stack, CopyFromErrorCallback, cstate};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext row_context = AllocSetContextCreate(caller, "link row", ALLOCSET_DEFAULT_SIZES);

	error_context_stack = &context;
	for (;;)
	{
		bool		found;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(row_context);
		MemoryContextSwitchTo(row_context);
		found = NextCopyFrom(cstate, NULL, rows->values, rows->nulls);
		MemoryContextSwitchTo(caller);
		if (!found)
			break;
		tuplestore_putvalues(rows->store, rows->desc, rows->values, rows->nulls);
		link_progress_rows(++result->rows);
	}
	error_context_stack = context.previous;
	MemoryContextDelete(row_context);
}

/* What means something only where rows are inserted. */
static void
refuse_table_options(List *options)
{
	static const char *const names[] = {"where", "on_error", "reject_limit"};
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		for (int i = 0; i < lengthof(names); i++)
			if (strcmp(option->defname, names[i]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_SYNTAX_ERROR),
						 errmsg("option \"%s\" is for loading into a table only", names[i])));
	}
}

static void
import_rows(const LinkName *link, const char *path, List *options,
			TupleDesc tupdesc, struct Tuplestorestate *store)
{
	LinkTransferOptions wanted;
	CopyFormatOptions checked = {0};
	RowStore	rows = {tupdesc, store};
	LinkLoad	load = {0};
	LinkRow    *row;

	link_verb_require_allowed("link.select_from");
	refuse_table_options(options);
	link_transfer_options(NULL, options, true, path, &wanted);
	ProcessCopyOptions(NULL, &checked, true, wanted.copy);
	row = link_lookup_name(link, LINK_ACL_READ);

	rows.values = palloc(tupdesc->natts * sizeof(Datum));
	rows.nulls = palloc(tupdesc->natts * sizeof(bool));
	load.rel = link_template_relation(tupdesc, "select_from");
	load.options = &wanted;
	load.checked = &checked;
	load.take_rows = store_rows;
	load.arg = &rows;
	(void) link_load_objects(row, path, &load);
}

void
link_import_rows(const LinkName *link, const char *path, List *options,
				 TupleDesc tupdesc, struct Tuplestorestate *store)
{
	LINK_USE_BEGIN(LINK_VERB_SELECT_FROM, path);
	{
		import_rows(link, path, options, tupdesc, store);
	}
	LINK_USE_END();
}

List *
link_read_listed(LinkSession *session, List *objects, const LinkListed *listed, TupleDesc desc,
				 LinkListedRows take_rows, void *arg)
{
	LinkTransferOptions wanted;
	CopyFormatOptions checked = {0};
	LinkLoad	load = {0};

	link_transfer_options(NULL, listed->options, true, listed->path, &wanted);
	ProcessCopyOptions(NULL, &checked, true, wanted.copy);
	load.rel = link_template_relation(desc, "pipeline");
	load.options = &wanted;
	load.checked = &checked;
	load.take_rows = take_rows;
	load.arg = arg;
	load.at = listed->at;
	load.line = listed->line;
	load.as_it_is = listed->as_it_is;
	return link_load_listed(session, objects, &load);
}
