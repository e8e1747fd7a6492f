/*-------------------------------------------------------------------------
 *
 * safe.c
 *	  May several processes write the values of an expression?
 *
 * Writing a value calls functions of its type, and of the types of its parts,
 * which nobody has looked at when the query was planned: an array's output
 * function is parallel safe, that of its elements may be not.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "format/encode_internal.h"

static bool type_is_safe(Oid type, LinkFormatCalls calls);

static bool
columns_are_safe(TupleDesc desc, LinkFormatCalls calls)
{
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped && !type_is_safe(TupleDescAttr(desc, i)->atttypid, calls))
			return false;
	return true;
}

/* Of a composite, an array, a range; true where there are none. */
static bool
parts_are_safe(Oid type, LinkFormatCalls calls)
{
	TupleDesc	desc;
	Oid			element;
	bool		safe;

	switch (get_typtype(type))
	{
		case TYPTYPE_COMPOSITE:
			desc = lookup_rowtype_tupdesc(type, -1);
			safe = columns_are_safe(desc, calls);
			ReleaseTupleDesc(desc);
			return safe;
		case TYPTYPE_RANGE:
		case TYPTYPE_MULTIRANGE:

			/* in JSON it is a string */
			return type_is_safe(get_typtype(type) == TYPTYPE_RANGE ? get_range_subtype(type) : get_multirange_range(type),
								calls == LINK_CALLS_JSON ? LINK_CALLS_OUTPUT : calls);
		default:
			element = get_element_type(type);
			return !OidIsValid(element) || type_is_safe(element, calls);
	}
}

/* The function that is called for a value as a whole; InvalidOid if the type has none. */
static Oid
function_of(Oid type, LinkFormatCalls calls)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Oid			function;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	function = calls == LINK_CALLS_SEND ? ((Form_pg_type) GETSTRUCT(tuple))->typsend :
		((Form_pg_type) GETSTRUCT(tuple))->typoutput;
	ReleaseSysCache(tuple);
	return function;
}

static bool
type_is_safe(Oid type, LinkFormatCalls calls)
{
	Oid			base = getBaseType(type);
	Oid			function;

	check_stack_depth();

	/* what such a value consists of is not known before it is there */
	if (base == RECORDOID || base == RECORDARRAYOID || base == ANYARRAYOID)
		return false;
	if (calls == LINK_CALLS_JSON && OidIsValid(function = link_json_cast(base)))
		return func_parallel(function) == PROPARALLEL_SAFE;
	function = function_of(base, calls);
	return (!OidIsValid(function) || func_parallel(function) == PROPARALLEL_SAFE) && parts_are_safe(base, calls);
}

bool
link_format_is_safe(const LinkFormat *format, Node *value)
{
	LinkFormatCalls calls = format->ops->calls;
	TupleDesc	desc;

	if (exprType(value) != RECORDOID)
		return type_is_safe(exprType(value), calls);
	if (IsA(value, RowExpr))
	{
		ListCell   *cell;

		foreach(cell, ((RowExpr *) value)->args)
			if (!link_format_is_safe(format, lfirst(cell)))
				return false;
		return true;
	}
	desc = get_expr_result_tupdesc(value, true);
	return desc && columns_are_safe(desc, calls);
}
