/*-------------------------------------------------------------------------
 *
 * fn_transfer.c
 *	  SQL functions that use links: export, load, objects, CHECK LINK.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "errors.h"
#include "provider/provider.h"
#include "statement/function.h"
#include "transfer/look.h"
#include "transfer/transfer.h"

PG_FUNCTION_INFO_V1(link_fn_check_link);
PG_FUNCTION_INFO_V1(link_fn_list_files);
PG_FUNCTION_INFO_V1(link_fn_read_file);
PG_FUNCTION_INFO_V1(link_fn_write_file);
PG_FUNCTION_INFO_V1(link_fn_remove_file);
PG_FUNCTION_INFO_V1(link_fn_select_into);
PG_FUNCTION_INFO_V1(link_fn_load_data);
PG_FUNCTION_INFO_V1(link_fn_select_from);

/*
 * Objects.
 */

Datum
link_fn_check_link(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LinkName	name = link_arg_name(fcinfo, 0, "name");
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_check(&name, link_arg_text_or_null(fcinfo, 1)))
	{
		LinkCheckStep *step = lfirst(lc);
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = CStringGetTextDatum(step->step);
		values[1] = BoolGetDatum(step->ok);
		values[2] = Float8GetDatum(step->elapsed_ms);
		nulls[3] = step->detail == NULL;
		values[3] = step->detail ? CStringGetTextDatum(step->detail) : (Datum) 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
link_fn_list_files(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LinkName	name = link_arg_name(fcinfo, 0, "link");
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_list_objects(&name, link_arg_text(fcinfo, 1, "path")))
	{
		LinkObject *object = lfirst(lc);
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = CStringGetTextDatum(object->path);
		nulls[1] = object->size < 0;
		values[1] = Int64GetDatum(object->size);
		nulls[2] = TIMESTAMP_IS_NOBEGIN(object->last_modified);
		values[2] = TimestampTzGetDatum(object->last_modified);
		nulls[3] = object->etag == NULL;
		values[3] = object->etag ? CStringGetTextDatum(object->etag) : (Datum) 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
link_fn_read_file(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "link");

	PG_RETURN_BYTEA_P(link_read_whole(&name, link_arg_text(fcinfo, 1, "path")));
}

Datum
link_fn_write_file(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "link");
	bytea	   *content = PG_GETARG_BYTEA_PP(2);

	link_write_whole(&name, link_arg_text(fcinfo, 1, "path"),
					 VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), PG_GETARG_BOOL(3));
	PG_RETURN_VOID();
}

Datum
link_fn_remove_file(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "link");

	link_remove_object(&name, link_arg_text(fcinfo, 1, "path"));
	PG_RETURN_VOID();
}

/*
 * Moving rows.
 */

/* from argument 3 of link.select_into */
static const LinkOptionArg export_args[] = {
	{"format", LINK_ARG_TEXT}, {"compression", LINK_ARG_TEXT}, {"header", LINK_ARG_BOOL}, {"delimiter", LINK_ARG_TEXT},
	{"null", LINK_ARG_TEXT}, {"quote", LINK_ARG_TEXT}, {"escape", LINK_ARG_TEXT}, {"force_quote", LINK_ARG_NAMES},
	{"encoding", LINK_ARG_TEXT}, {"overwrite", LINK_ARG_BOOL}, {"file_size", LINK_ARG_INT8},
	{"partition_by", LINK_ARG_NAMES}, {"key", LINK_ARG_TEXT}, {"manifest", LINK_ARG_BOOL}, {"parallel", LINK_ARG_INT4},
};

/* from argument 4 of link.load_data; link.select_from has all but the last three, from argument 2 */
static const LinkOptionArg load_args[] = {
	{"format", LINK_ARG_TEXT}, {"compression", LINK_ARG_TEXT}, {"header", LINK_ARG_TEXT}, {"skip", LINK_ARG_INT8},
	{"delimiter", LINK_ARG_TEXT}, {"null", LINK_ARG_TEXT}, {"quote", LINK_ARG_TEXT}, {"escape", LINK_ARG_TEXT},
	{"force_not_null", LINK_ARG_NAMES}, {"force_null", LINK_ARG_NAMES}, {"encoding", LINK_ARG_TEXT},
	{"where", LINK_ARG_TEXT}, {"on_error", LINK_ARG_TEXT}, {"reject_limit", LINK_ARG_INT8},
};
#define SELECT_FROM_ARGS (lengthof(load_args) - 3)

static Datum
put_results(FunctionCallInfo fcinfo, List *results)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	foreach(lc, results)
	{
		LinkObjectResult *result = lfirst(lc);
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = CStringGetTextDatum(result->path);
		values[1] = Int64GetDatum(result->rows);
		values[2] = Int64GetDatum(result->bytes);
		values[3] = Int64GetDatum(result->skipped);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
link_fn_select_into(PG_FUNCTION_ARGS)
{
	char	   *query = link_arg_text(fcinfo, 0, "query");
	LinkName	name = link_arg_name(fcinfo, 1, "link");
	char	   *path = link_arg_text(fcinfo, 2, "path");

	InitMaterializedSRF(fcinfo, 0);
	return put_results(fcinfo, link_export(query, &name, path,
										   link_arg_options(fcinfo, 3, export_args, lengthof(export_args))));
}

Datum
link_fn_load_data(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "link");
	char	   *path = link_arg_text(fcinfo, 1, "path");
	List	   *columns = NIL;
	ListCell   *lc;

	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", "target")));
	if (!PG_ARGISNULL(3))
		foreach(lc, link_arg_names(fcinfo, 3, "columns"))
			columns = lappend(columns, strVal(lfirst(lc)));
	InitMaterializedSRF(fcinfo, 0);
	return put_results(fcinfo, link_import(&name, path, PG_GETARG_OID(2), columns,
										   link_arg_options(fcinfo, 4, load_args, lengthof(load_args))));
}

Datum
link_fn_select_from(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LinkName	name = link_arg_name(fcinfo, 0, "link");
	char	   *path = link_arg_text(fcinfo, 1, "path");

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	link_import_rows(&name, path, link_arg_options(fcinfo, 2, load_args, SELECT_FROM_ARGS),
					 rsinfo->setDesc, rsinfo->setResult);
	return (Datum) 0;
}
