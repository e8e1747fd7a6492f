/*-------------------------------------------------------------------------
 *
 * targets.c
 *	  Type link.table_ref: tables in our rows.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "catalog/tables.h"
#include "catalog/targets.h"
#include "errors.h"

PG_FUNCTION_INFO_V1(link_table_ref_in);
PG_FUNCTION_INFO_V1(link_table_ref_out);

char *
link_table_name(Oid table)
{
	char	   *name = get_rel_name(table);
	char	   *schema = name ? get_namespace_name(get_rel_namespace(table)) : NULL;

	return schema ? quote_qualified_identifier(schema, name) : NULL;
}

Datum
link_table_ref_out(PG_FUNCTION_ARGS)
{
	char	   *name = link_table_name(PG_GETARG_OID(0));

	PG_RETURN_CSTRING(name ? name : pstrdup("?"));
}

Datum
link_table_ref_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	Oid			table = LINK_UNKNOWN_TABLE;

	if (strcmp(text, "?") != 0)
	{
		table = RangeVarGetRelid(makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(text))),
								 NoLock, true);
		if (!OidIsValid(table))
		{
			ereport(WARNING,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("relation \"%s\" does not exist", text),
					 errdetail("The pipeline that loads into it has no target now.")));
			table = LINK_UNKNOWN_TABLE;
		}
	}
	PG_RETURN_OID(table);
}
