/*-------------------------------------------------------------------------
 *
 * targets.c
 *	  Tables and procedures in our rows: type link.table_ref, signatures.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
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

Oid
link_procedure_named(const char *signature)
{
	const char *arguments = strrchr(signature, '(');
	Oid			types[] = {REGCLASSOID};
	int			n = 0;
	List	   *names;
	char	   *schema;
	char	   *name;

	if (arguments == NULL)
		return InvalidOid;
	if (strcmp(arguments, "(regclass)") == 0 || strcmp(arguments, "(pg_catalog.regclass)") == 0)
		n = 1;
	else if (strcmp(arguments, "()") != 0)
		return InvalidOid;
	names = textToQualifiedNameList(cstring_to_text_with_len(signature, arguments - signature));
	DeconstructQualifiedName(names, &schema, &name);
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
						   PointerGetDatum(buildoidvector(types, n)),
						   ObjectIdGetDatum(schema ? get_namespace_oid(schema, true) : InvalidOid));
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
