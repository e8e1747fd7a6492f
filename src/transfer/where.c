/*-------------------------------------------------------------------------
 *
 * where.c
 *	  The condition of a load: SQL text that is exactly one expression.
 *
 * The text never becomes part of another text.  Core's parser reads it as
 * PL/pgSQL's expressions are read: the rest of a SELECT may follow those, so it
 * is checked that nothing did.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/prep.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"

#include "errors.h"
#include "transfer/verb.h"
#include "transfer/where.h"

static bool
is_star(const Node *node)
{
	return IsA(node, ColumnRef) && IsA(linitial(((const ColumnRef *) node)->fields), A_Star);
}

Node *
link_where_parse(const char *text)
{
	List	   *parsed = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	SelectStmt *select = castNode(SelectStmt, linitial_node(RawStmt, parsed)->stmt);
	SelectStmt *bare_select = makeNode(SelectStmt);
	ResTarget  *bare_target = makeNode(ResTarget);

	/* SELECT expression, and nothing that these two do not have */
	bare_select->targetList = select->targetList;
	if (list_length(select->targetList) == 1)
		bare_target->val = linitial_node(ResTarget, select->targetList)->val;
	if (bare_target->val == NULL || is_star(bare_target->val) ||
		!equal(linitial(select->targetList), bare_target) || !equal(select, bare_select))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("option \"where\" must be exactly one expression")));
	return bare_target->val;
}

/* They are computed after the condition, which would see them empty. */
static void
refuse_generated_columns(Node *condition, TupleDesc desc)
{
	Bitmapset  *columns = NULL;
	bool		whole_row;

	pull_varattnos(condition, 1, &columns);
	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, columns);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attgenerated && !column->attisdropped &&
			(whole_row ||
			 bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, columns)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
					 errmsg("generated columns are not supported in COPY FROM WHERE conditions"),
					 errdetail("Column \"%s\" is a generated column.", NameStr(column->attname))));
	}
}

Node *
link_where_parsed(ParseState *pstate, ParseNamespaceItem *table, TupleDesc desc, Node *expression)
{
	Node	   *condition;

	addNSItemToQuery(pstate, table, false, true, true);
	condition = transformExpr(pstate, expression, EXPR_KIND_COPY_WHERE);
	condition = coerce_to_boolean(pstate, condition, "WHERE");
	assign_expr_collations(pstate, condition);

	refuse_generated_columns(condition, desc);
	condition = eval_const_expressions(NULL, condition);
	condition = (Node *) canonicalize_qual((Expr *) condition, false);
	return (Node *) make_ands_implicit((Expr *) condition);
}

Node *
link_where(ParseState *pstate, ParseNamespaceItem *table, TupleDesc desc, const char *text)
{
	ErrorContextCallback position = {error_context_stack, link_verb_text_position, unconstify(char *, text)};
	Node	   *condition;

	error_context_stack = &position;
	pstate->p_sourcetext = text;
	condition = link_where_parsed(pstate, table, desc, link_where_parse(text));
	pstate->p_sourcetext = NULL;	/* later positions are not of this text */
	error_context_stack = position.previous;
	return condition;
}
