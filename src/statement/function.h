/*-------------------------------------------------------------------------
 *
 * function.h
 *	  What the SQL-callable functions have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_FUNCTION_H
#define LINK_FUNCTION_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/parsenodes.h"

#include "catalog/links.h"

/* Text argument n, which must not be NULL (22004): 'name' is for the message. */
extern char *link_arg_text(FunctionCallInfo fcinfo, int n, const char *name);

/* The same, NULL for NULL. */
extern char *link_arg_text_or_null(FunctionCallInfo fcinfo, int n);

/* The same in memory that is wiped with the current context. */
extern char *link_arg_secret(FunctionCallInfo fcinfo, int n);

extern bool link_arg_bool(FunctionCallInfo fcinfo, int n, const char *name);

/* A link's name. */
extern LinkName link_arg_name(FunctionCallInfo fcinfo, int n, const char *name);

/* Elements of a text[] argument as List of String; none may be NULL. */
extern List *link_arg_names(FunctionCallInfo fcinfo, int n, const char *name);

/* An argument that is an option of transfer.h, at its place. */
typedef enum LinkArgType
{
	LINK_ARG_TEXT,
	LINK_ARG_BOOL,
	LINK_ARG_INT4,
	LINK_ARG_INT8,
	LINK_ARG_NAMES
} LinkArgType;

typedef struct LinkOptionArg
{
	const char *name;
	LinkArgType type;
} LinkOptionArg;

/* Those that are not NULL, as a list of DefElem, from argument 'first' on. */
extern List *link_arg_options(FunctionCallInfo fcinfo, int first, const LinkOptionArg *args, int nargs);

#endif							/* LINK_FUNCTION_H */
