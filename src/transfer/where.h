/*-------------------------------------------------------------------------
 *
 * where.h
 *	  The condition of a load: SQL text that is exactly one expression.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_WHERE_H
#define LINK_WHERE_H

#include "postgres.h"

#include "parser/parse_node.h"

/* The text as a parse tree: 42601 for one that is more or less than one expression. */
extern Node *link_where_parse(const char *text);

/*
 * Parse the text and make of it what BeginCopyFrom takes, as DoCopy does with
 * the WHERE of a COPY: what it refuses is refused (subqueries, aggregates,
 * generated columns), and reading columns demands SELECT on them.  'table' is
 * the only one in 'pstate'.  42601 for a text that is more or less than one
 * expression.
 */
extern Node *link_where(ParseState *pstate, ParseNamespaceItem *table, TupleDesc desc,
						const char *text);

/* The same for an expression that is parsed already, from the text in 'pstate'. */
extern Node *link_where_parsed(ParseState *pstate, ParseNamespaceItem *table, TupleDesc desc,
							   Node *expression);

#endif							/* LINK_WHERE_H */
