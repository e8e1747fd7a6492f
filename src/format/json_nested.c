/*-------------------------------------------------------------------------
 *
 * json_nested.c
 *	  JSON values for columns of array and composite types, as texts of these.
 *
 * json_to_record() makes the values: one call a row, of an object that has
 * nothing but these keys.  Their output functions make the texts.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "errors.h"
#include "format/json_nested.h"

typedef struct NestedColumn
{
	const char *name;
	FmgrInfo	output;

	/* of this row */
	const char *json;			/* NULL: not given */
	Size		json_len;
	const char *text;
} NestedColumn;

struct LinkNested
{
	FmgrInfo	to_record;
	TupleDesc	desc;
	bool		blessed;
	int			given;
	MemoryContext row_context;	/* of the conversion under way */
	int			ncolumns;
	NestedColumn columns[FLEXIBLE_ARRAY_MEMBER];
};

LinkNested *
link_nested_begin(int ncolumns)
{
	LinkNested *nested = palloc0(offsetof(LinkNested, columns) + ncolumns * sizeof(NestedColumn));

	nested->ncolumns = ncolumns;
	nested->desc = CreateTemplateTupleDesc(ncolumns);
	fmgr_info(F_JSON_TO_RECORD, &nested->to_record);
	return nested;
}

void
link_nested_column(LinkNested *nested, int column, const char *name, Oid type, int32 typmod)
{
	Oid			output;
	bool		is_varlena;

	nested->columns[column].name = name;
	TupleDescInitEntry(nested->desc, column + 1, name, type, typmod, 0);
	getTypeOutputInfo(type, &output, &is_varlena);
	fmgr_info(output, &nested->columns[column].output);
}

void
link_nested_row(LinkNested *nested)
{
	for (int i = 0; i < nested->ncolumns; i++)
	{
		nested->columns[i].json = NULL;
		nested->columns[i].text = NULL;
	}
	nested->given = 0;
}

void
link_nested_give(LinkNested *nested, int column, const char *json, Size len)
{
	nested->columns[column].json = json;
	nested->columns[column].json_len = len;
	nested->given++;
}

static void
set_for_now(const char *parameter, const char *value)
{
	(void) set_config_option(parameter, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Texts that are read the same whatever the session's settings, as postgres_fdw
 * and pg_dump have them.  Gives the level to go back to, 0 if nothing was set.
 */
static int
set_plain_output(void)
{
	int			level;

	/* any number of extra digits above 0 means all that are needed */
	if (DateStyle == USE_ISO_DATES && IntervalStyle == INTSTYLE_POSTGRES && extra_float_digits > 0)
		return 0;
	level = NewGUCNestLevel();
	set_for_now("datestyle", "ISO");
	set_for_now("intervalstyle", "postgres");
	set_for_now("extra_float_digits", "3");
	return level;
}

static text *
object_of_given(const LinkNested *nested)
{
	StringInfoData object;
	text	   *result;

	initStringInfo(&object);
	appendStringInfoChar(&object, '{');
	for (int i = 0; i < nested->ncolumns; i++)
	{
		const NestedColumn *column = &nested->columns[i];

		if (column->json == NULL)
			continue;
		if (object.len > 1)
			appendStringInfoChar(&object, ',');
		escape_json(&object, column->name);
		appendStringInfoChar(&object, ':');
		appendBinaryStringInfo(&object, column->json, column->json_len);
	}
	appendStringInfoChar(&object, '}');
	result = cstring_to_text_with_len(object.data, object.len);
	pfree(object.data);
	return result;
}

static void
convert(void *arg)
{
	LinkNested *nested = arg;
	LOCAL_FCINFO(fcinfo, 1);
	ReturnSetInfo result = {.type = T_ReturnSetInfo,.expectedDesc = nested->desc,.allowedModes = SFRM_ValuePerCall};
	MemoryContext caller = MemoryContextSwitchTo(nested->row_context);
	Datum	   *values = palloc(sizeof(Datum) * nested->ncolumns);
	bool	   *nulls = palloc(sizeof(bool) * nested->ncolumns);
	HeapTupleHeader header;
	HeapTupleData tuple;
	int			level;

	/* it makes what its caller's column definition list says */
	InitFunctionCallInfoData(*fcinfo, &nested->to_record, 1, InvalidOid, NULL, (Node *) &result);
	fcinfo->args[0].value = PointerGetDatum(object_of_given(nested));
	fcinfo->args[0].isnull = false;
	header = DatumGetHeapTupleHeader(FunctionCallInvoke(fcinfo));

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	heap_deform_tuple(&tuple, nested->desc, values, nulls);
	level = set_plain_output();
	for (int i = 0; i < nested->ncolumns; i++)
		if (nested->columns[i].json && !nulls[i])
			nested->columns[i].text = OutputFunctionCall(&nested->columns[i].output, values[i]);
	if (level > 0)
		AtEOXact_GUC(true, level);
	MemoryContextSwitchTo(caller);
}

void
link_nested_convert(LinkNested *nested, bool soft)
{
	if (nested->given == 0)
		return;
	if (!nested->blessed)
		nested->desc = BlessTupleDesc(nested->desc);
	nested->blessed = true;
	nested->row_context = CurrentMemoryContext;
	if (!soft)
		convert(nested);
	else if (link_attempt(convert, nested) != NULL)
		for (int i = 0; i < nested->ncolumns; i++)
			if (nested->columns[i].json)
				nested->columns[i].text = pnstrdup(nested->columns[i].json, nested->columns[i].json_len);
}

const char *
link_nested_text(const LinkNested *nested, int column)
{
	return nested->columns[column].text;
}
