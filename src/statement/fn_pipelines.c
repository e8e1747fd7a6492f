/*-------------------------------------------------------------------------
 *
 * fn_pipelines.c
 *	  SQL functions that make, change, run and show pipelines.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "catalog/privileges.h"
#include "catalog/roles.h"
#include "catalog/tables.h"
#include "errors.h"
#include "pipeline/clauses.h"
#include "pipeline/ddl.h"
#include "statement/function.h"

PG_FUNCTION_INFO_V1(link_fn_create_pipeline);
PG_FUNCTION_INFO_V1(link_fn_alter_pipeline);
PG_FUNCTION_INFO_V1(link_fn_rename_pipeline);
PG_FUNCTION_INFO_V1(link_fn_set_pipeline_owner);
PG_FUNCTION_INFO_V1(link_fn_drop_pipeline);
PG_FUNCTION_INFO_V1(link_fn_start_pipeline);
PG_FUNCTION_INFO_V1(link_fn_stop_pipeline);
PG_FUNCTION_INFO_V1(link_fn_start_all_pipelines);
PG_FUNCTION_INFO_V1(link_fn_stop_all_pipelines);
PG_FUNCTION_INFO_V1(link_fn_test_pipeline);
PG_FUNCTION_INFO_V1(link_fn_set_pipeline_offsets);
PG_FUNCTION_INFO_V1(link_fn_drop_pipeline_file);
PG_FUNCTION_INFO_V1(link_fn_drop_pipeline_partition);
PG_FUNCTION_INFO_V1(link_fn_drop_orphan_files);
PG_FUNCTION_INFO_V1(link_fn_clear_pipeline_errors);
PG_FUNCTION_INFO_V1(link_fn_show_pipelines);
PG_FUNCTION_INFO_V1(link_fn_show_create_pipeline);
PG_FUNCTION_INFO_V1(link_fn_visible_pipelines);
PG_FUNCTION_INFO_V1(link_fn_visible_pipeline_files);
PG_FUNCTION_INFO_V1(link_fn_visible_pipeline_cursors);
PG_FUNCTION_INFO_V1(link_fn_visible_pipeline_batches);
PG_FUNCTION_INFO_V1(link_fn_visible_pipeline_errors);

/* from argument 5 of link.create_pipeline */
static const LinkOptionArg format_args[] = {
	{"format", LINK_ARG_TEXT}, {"compression", LINK_ARG_TEXT}, {"header", LINK_ARG_TEXT}, {"skip", LINK_ARG_INT8},
	{"delimiter", LINK_ARG_TEXT}, {"null", LINK_ARG_TEXT}, {"quote", LINK_ARG_TEXT}, {"escape", LINK_ARG_TEXT},
	{"force_not_null", LINK_ARG_NAMES}, {"force_null", LINK_ARG_NAMES}, {"encoding", LINK_ARG_TEXT},
};
#define FORMAT_ARG 5

static char *
pipeline_name(FunctionCallInfo fcinfo)
{
	return link_parse_plain_name("pipeline", link_arg_text(fcinfo, 0, "name"));
}

/* Left out, so that SHOW CREATE shows what somebody has chosen. */
static List *
without_defaults(List *options)
{
	static const char *const defaults[][2] = {{"format", "text"}, {"compression", "auto"}, {"header", "false"}, {"skip", "0"}};
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		for (int i = 0; i < lengthof(defaults); i++)
			if (strcmp(option->defname, defaults[i][0]) == 0 && !IsA(option->arg, List) &&
				strcmp(defGetString(option), defaults[i][1]) == 0)
			{
				options = foreach_delete_current(options, lc);
				break;
			}
	}
	return options;
}

static int
skip_arg(FunctionCallInfo fcinfo, int n)
{
	int			skip = 0;
	ListCell   *lc;

	foreach(lc, link_arg_names(fcinfo, n, "skip_errors"))
	{
		const char *name = strVal(lfirst(lc));

		if (pg_strcasecmp(name, "ALL") == 0)
			skip |= LINK_SKIP_ALL;
		else if (pg_strcasecmp(name, "PARSER") == 0)
			skip |= LINK_SKIP_PARSER;
		else if (pg_strcasecmp(name, "CONSTRAINT") == 0)
			skip |= LINK_SKIP_CONSTRAINT;
		else if (pg_strcasecmp(name, "DUPLICATE KEY") == 0)
			skip |= LINK_SKIP_DUPLICATE_KEY;
		else
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("errors \"%s\" are not recognized", name),
					 errhint("They are ALL, PARSER, CONSTRAINT and DUPLICATE KEY.")));
	}
	return skip;
}

/* Batch interval, partitions, retries, offsets, errors to skip, whether to stop: from argument 'n' on. */
static void
setting_args(FunctionCallInfo fcinfo, int n, LinkPipelineSettings *settings)
{
	memset(settings, 0, sizeof(*settings));
	if ((settings->batch_interval_given = !PG_ARGISNULL(n)))
		settings->batch_interval = PG_GETARG_INT64(n);
	if ((settings->max_partitions_given = !PG_ARGISNULL(n + 1)))
		settings->max_partitions = PG_GETARG_INT64(n + 1);
	if ((settings->max_retries_given = !PG_ARGISNULL(n + 2)))
		settings->max_retries = PG_GETARG_INT64(n + 2);
	if ((settings->max_offsets_given = !PG_ARGISNULL(n + 3)))
		settings->max_offsets = PG_GETARG_INT64(n + 3);
	if ((settings->skip_given = !PG_ARGISNULL(n + 4)))
		settings->skip = skip_arg(fcinfo, n + 4);
	if ((settings->stop_on_error_given = !PG_ARGISNULL(n + 5)))
		settings->stop_on_error = PG_GETARG_BOOL(n + 5);
}

Datum
link_fn_create_pipeline(PG_FUNCTION_ARGS)
{
	LinkCreatePipelineArgs args = {0};
	int			n = FORMAT_ARG + lengthof(format_args);
	ListCell   *lc;

	args.name = pipeline_name(fcinfo);
	args.link = link_arg_name(fcinfo, 1, "link");
	args.path = link_arg_text(fcinfo, 2, "path");
	args.table = PG_ARGISNULL(3) ? InvalidOid : PG_GETARG_OID(3);
	if (!PG_ARGISNULL(4))
		foreach(lc, link_arg_names(fcinfo, 4, "fields"))
			args.fields = lappend(args.fields, link_field_parse(strVal(lfirst(lc))));
	args.options = without_defaults(link_arg_options(fcinfo, FORMAT_ARG, format_args, lengthof(format_args)));
	args.set_clause = link_arg_text_or_null(fcinfo, n);
	args.where_clause = link_arg_text_or_null(fcinfo, n + 1);
	args.on_conflict = link_arg_text_or_null(fcinfo, n + 2);
	args.procedure = PG_ARGISNULL(n + 3) ? InvalidOid : PG_GETARG_OID(n + 3);
	setting_args(fcinfo, n + 4, &args.settings);
	args.or_replace = link_arg_bool(fcinfo, n + 10, "or_replace");
	args.if_not_exists = link_arg_bool(fcinfo, n + 11, "if_not_exists");
	args.force = link_arg_bool(fcinfo, n + 12, "force");
	link_create_pipeline(&args);
	PG_RETURN_VOID();
}

Datum
link_fn_alter_pipeline(PG_FUNCTION_ARGS)
{
	LinkPipelineSettings settings;
	char	   *name = pipeline_name(fcinfo);
	bool		any = false;

	for (int n = 1; n < PG_NARGS(); n++)
		any = any || !PG_ARGISNULL(n);
	if (!any)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("nothing to alter")));
	setting_args(fcinfo, 1, &settings);
	link_alter_pipeline(name, &settings);
	PG_RETURN_VOID();
}

Datum
link_fn_rename_pipeline(PG_FUNCTION_ARGS)
{
	link_rename_pipeline(pipeline_name(fcinfo),
						 link_parse_plain_name("pipeline", link_arg_text(fcinfo, 1, "new_name")));
	PG_RETURN_VOID();
}

Datum
link_fn_set_pipeline_owner(PG_FUNCTION_ARGS)
{
	link_set_pipeline_owner(pipeline_name(fcinfo), PG_GETARG_OID(1));
	PG_RETURN_VOID();
}

Datum
link_fn_drop_pipeline(PG_FUNCTION_ARGS)
{
	link_drop_pipeline(pipeline_name(fcinfo), PG_GETARG_BOOL(1));
	PG_RETURN_VOID();
}

Datum
link_fn_start_pipeline(PG_FUNCTION_ARGS)
{
	char	   *name = pipeline_name(fcinfo);

	if (PG_GETARG_BOOL(1))
		PG_RETURN_INT64((int64) link_run_pipeline(name, PG_GETARG_INT64(2)));
	link_start_pipeline(name, PG_GETARG_BOOL(3));
	PG_RETURN_NULL();
}

Datum
link_fn_stop_pipeline(PG_FUNCTION_ARGS)
{
	link_stop_pipeline(pipeline_name(fcinfo), PG_GETARG_BOOL(1));
	PG_RETURN_VOID();
}

Datum
link_fn_start_all_pipelines(PG_FUNCTION_ARGS)
{
	link_start_all_pipelines();
	PG_RETURN_VOID();
}

Datum
link_fn_stop_all_pipelines(PG_FUNCTION_ARGS)
{
	link_stop_all_pipelines();
	PG_RETURN_VOID();
}

Datum
link_fn_test_pipeline(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	foreach(lc, link_test_pipeline(pipeline_name(fcinfo), PG_GETARG_INT64(1)))
	{
		Datum		value = CStringGetTextDatum((char *) lfirst(lc));
		bool		isnull = false;

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
	}
	return (Datum) 0;
}

Datum
link_fn_set_pipeline_offsets(PG_FUNCTION_ARGS)
{
	link_set_pipeline_offsets(pipeline_name(fcinfo), link_arg_text(fcinfo, 1, "offsets"));
	PG_RETURN_VOID();
}

Datum
link_fn_drop_pipeline_file(PG_FUNCTION_ARGS)
{
	link_drop_pipeline_file(pipeline_name(fcinfo), link_arg_text(fcinfo, 1, "path"));
	PG_RETURN_VOID();
}

Datum
link_fn_drop_pipeline_partition(PG_FUNCTION_ARGS)
{
	link_drop_pipeline_partition(pipeline_name(fcinfo), PG_GETARG_INT32(1));
	PG_RETURN_VOID();
}

Datum
link_fn_drop_orphan_files(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) link_drop_orphan_files(pipeline_name(fcinfo)));
}

Datum
link_fn_clear_pipeline_errors(PG_FUNCTION_ARGS)
{
	link_clear_pipeline_errors(pipeline_name(fcinfo));
	PG_RETURN_VOID();
}

/*
 * Showing.
 */

Datum
link_fn_show_create_pipeline(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(link_show_create_pipeline(pipeline_name(fcinfo))));
}

Datum
link_fn_show_pipelines(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_visible_pipelines())
	{
		LinkPipeline *pipeline = lfirst(lc);
		Datum		values[3];
		bool		nulls[3] = {0};

		values[0] = CStringGetTextDatum(pipeline->name);
		values[1] = CStringGetTextDatum(link_pipeline_shown_state(pipeline));
		values[2] = BoolGetDatum(link_pipeline_runs(pipeline));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static Datum
count_or_null(int64 n, bool *isnull)
{
	*isnull = n < 0;
	return Int64GetDatum(n);
}

static Datum
skip_names(int skip)
{
	Datum		names[3];
	int			n = 0;

	if (skip & LINK_SKIP_PARSER)
		names[n++] = CStringGetTextDatum("PARSER");
	if (skip & LINK_SKIP_CONSTRAINT)
		names[n++] = CStringGetTextDatum("CONSTRAINT");
	if (skip & LINK_SKIP_DUPLICATE_KEY)
		names[n++] = CStringGetTextDatum("DUPLICATE KEY");
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

Datum
link_fn_visible_pipelines(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_visible_pipelines())
	{
		LinkPipeline *pipeline = lfirst(lc);
		LinkRow    *link = link_row_by_id(pipeline->link_id);
		Datum		values[17];
		bool		nulls[17] = {0};

		values[0] = CStringGetTextDatum(pipeline->name);
		values[1] = CStringGetTextDatum(link_role_name(pipeline->owner));
		nulls[2] = link == NULL;
		values[2] = link ? CStringGetTextDatum(link_qualified_name(link)) : (Datum) 0;
		values[3] = CStringGetTextDatum(pipeline->path);
		values[4] = CStringGetTextDatum(link_pipeline_target(pipeline));
		values[5] = CStringGetTextDatum(link_pipeline_shown_state(pipeline));
		nulls[6] = pipeline->error == NULL;
		values[6] = pipeline->error ? CStringGetTextDatum(pipeline->error) : (Datum) 0;
		values[7] = count_or_null(link_pipeline_pending_files(pipeline), &nulls[7]);
		values[8] = count_or_null(link_pipeline_lag(pipeline), &nulls[8]);
		values[9] = Int32GetDatum(pipeline->batch_interval);
		values[10] = Int32GetDatum(pipeline->max_partitions);
		values[11] = Int32GetDatum(pipeline->max_retries);
		values[12] = Int64GetDatum(pipeline->max_offsets);
		values[13] = skip_names(pipeline->skip);
		values[14] = BoolGetDatum(pipeline->stop_on_error);
		values[15] = TimestampTzGetDatum(pipeline->created_at);
		values[16] = TimestampTzGetDatum(pipeline->altered_at);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* Who may see what the rows hold, and not only that there are some: no right of a superuser does. */
static bool
is_owner(const LinkPipeline *pipeline)
{
	return GetUserId() == pipeline->owner || is_member_of_role_nosuper(GetUserId(), pipeline->owner);
}

/*
 * Rows of a table as they are, but for the column 'pipeline', which becomes a name, and
 * 'secret' (0: none).
 */
static Datum
visible_rows(FunctionCallInfo fcinfo, const char *table, const char *index, AttrNumber pipeline_column,
			 AttrNumber secret)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_visible_pipelines())
	{
		LinkPipeline *pipeline = lfirst(lc);
		Datum		name = CStringGetTextDatum(pipeline->name);
		bool		hide = secret != 0 && !is_owner(pipeline);
		Datum		values[MaxTupleAttributeNumber];
		bool		nulls[MaxTupleAttributeNumber];
		LinkScan	scan;
		ScanKeyData key;
		HeapTuple	tuple;

		link_key_int64(&key, pipeline_column, pipeline->id);
		link_scan_begin(&scan, table, index, 1, &key);
		while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
		{
			CHECK_FOR_INTERRUPTS();
			heap_deform_tuple(tuple, RelationGetDescr(scan.rel), values, nulls);
			values[pipeline_column - 1] = name;
			if (hide)
				nulls[secret - 1] = true;
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
		link_scan_end(&scan);
	}
	return (Datum) 0;
}

Datum
link_fn_visible_pipeline_files(PG_FUNCTION_ARGS)
{
	return visible_rows(fcinfo, PIPELINE_FILE_TABLE, PIPELINE_FILE_INDEX, PIPELINE_FILE_COL_PIPELINE, 0);
}

Datum
link_fn_visible_pipeline_cursors(PG_FUNCTION_ARGS)
{
	return visible_rows(fcinfo, PIPELINE_CURSOR_TABLE, PIPELINE_CURSOR_INDEX, PIPELINE_CURSOR_COL_PIPELINE, 0);
}

Datum
link_fn_visible_pipeline_batches(PG_FUNCTION_ARGS)
{
	return visible_rows(fcinfo, PIPELINE_BATCH_TABLE, PIPELINE_BATCH_INDEX, PIPELINE_BATCH_COL_PIPELINE, 0);
}

Datum
link_fn_visible_pipeline_errors(PG_FUNCTION_ARGS)
{
	return visible_rows(fcinfo, PIPELINE_ERROR_TABLE, PIPELINE_ERROR_INDEX, PIPELINE_ERROR_COL_PIPELINE,
						PIPELINE_ERROR_COL_RAW);
}
