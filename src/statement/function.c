/*-------------------------------------------------------------------------
 *
 * function.c
 *	  Arguments of the SQL-callable functions.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "catalog/seal.h"
#include "errors.h"
#include "statement/function.h"

static void
require_arg(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

char *
link_arg_text(FunctionCallInfo fcinfo, int n, const char *name)
{
	require_arg(fcinfo, n, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

char *
link_arg_text_or_null(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

char *
link_arg_secret(FunctionCallInfo fcinfo, int n)
{
	char	   *text = link_arg_text_or_null(fcinfo, n);

	if (text)
		link_wipe_with_context(CurrentMemoryContext, text, strlen(text));
	return text;
}

bool
link_arg_bool(FunctionCallInfo fcinfo, int n, const char *name)
{
	require_arg(fcinfo, n, name);
	return PG_GETARG_BOOL(n);
}

LinkName
link_arg_name(FunctionCallInfo fcinfo, int n, const char *name)
{
	return link_parse_name(link_arg_text(fcinfo, n, name));
}

List *
link_arg_names(FunctionCallInfo fcinfo, int n, const char *name)
{
	List	   *names = NIL;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), TEXTOID, -1, false, TYPALIGN_INT,
					  &values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not hold nulls", name)));
		names = lappend(names, makeString(TextDatumGetCString(values[i])));
	}
	return names;
}

static Node *
arg_node(FunctionCallInfo fcinfo, int n, const LinkOptionArg *arg)
{
	switch (arg->type)
	{
		case LINK_ARG_TEXT:
			return (Node *) makeString(link_arg_text_or_null(fcinfo, n));
		case LINK_ARG_BOOL:
			return (Node *) makeBoolean(PG_GETARG_BOOL(n));
		case LINK_ARG_INT4:
			return (Node *) makeInteger(PG_GETARG_INT32(n));
		case LINK_ARG_INT8:
			/* as the grammar has numbers that do not fit an integer */
			return (Node *) makeFloat(psprintf(INT64_FORMAT, PG_GETARG_INT64(n)));
		case LINK_ARG_NAMES:
			return (Node *) link_arg_names(fcinfo, n, arg->name);
	}
	return NULL;				/* keep compiler quiet */
}

List *
link_arg_options(FunctionCallInfo fcinfo, int first, const LinkOptionArg *args, int nargs)
{
	List	   *options = NIL;

	for (int i = 0; i < nargs; i++)
		if (!PG_ARGISNULL(first + i))
			options = lappend(options, makeDefElem(pstrdup(args[i].name),
												   arg_node(fcinfo, first + i, &args[i]), -1));
	return options;
}
