/*-------------------------------------------------------------------------
 *
 * show.c
 *	  What the current user may see of pipelines.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "catalog/privileges.h"
#include "catalog/roles.h"
#include "catalog/tables.h"
#include "catalog/targets.h"
#include "errors.h"
#include "pipeline/clauses.h"
#include "pipeline/ddl.h"
#include "provider/provider.h"

List *
link_visible_pipelines(void)
{
	List	   *visible = NIL;
	ListCell   *lc;

	foreach(lc, link_pipelines(0, InvalidOid))
	{
		LinkPipeline *pipeline = lfirst(lc);

		if (superuser() || (link_role_exists(pipeline->owner) && has_privs_of_role(GetUserId(), pipeline->owner)))
			visible = lappend(visible, pipeline);
	}
	return visible;
}

const char *
link_pipeline_shown_state(const LinkPipeline *pipeline)
{
	if (pipeline->state != LINK_PIPELINE_RUNNING || link_pipeline_runs(pipeline))
		return link_pipeline_state_name(pipeline->state);
	return RecoveryInProgress() ? "Stopped (standby)" : "Stopped (moved)";
}

static bool
is_stream(const LinkPipeline *pipeline)
{
	LinkRow    *link = link_row_by_id(pipeline->link_id);

	return link && link->provider && (link->provider->features & LINK_IS_STREAM);
}

int64
link_pipeline_pending_files(const LinkPipeline *pipeline)
{
	int64		n = 0;
	LinkScan	scan;
	ScanKeyData key;

	if (is_stream(pipeline))
		return -1;
	link_key_int64(&key, PIPELINE_FILE_COL_PIPELINE, pipeline->id);
	link_scan_begin(&scan, PIPELINE_FILE_TABLE, PIPELINE_FILE_UNLOADED_INDEX, 1, &key);
	while (HeapTupleIsValid(link_scan_next(&scan)))
		n++;
	link_scan_end(&scan);
	return n;
}

int64
link_pipeline_lag(const LinkPipeline *pipeline)
{
	int64		lag = 0;
	LinkScan	scan;
	ScanKeyData key;
	HeapTuple	tuple;

	if (!is_stream(pipeline))
		return -1;
	link_key_int64(&key, PIPELINE_CURSOR_COL_PIPELINE, pipeline->id);
	link_scan_begin(&scan, PIPELINE_CURSOR_TABLE, PIPELINE_CURSOR_INDEX, 1, &key);
	while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
	{
		TupleDesc	desc = RelationGetDescr(scan.rel);
		bool		isnull;
		int64		next = DatumGetInt64(heap_getattr(tuple, PIPELINE_CURSOR_COL_NEXT, desc, &isnull));
		int64		latest = DatumGetInt64(heap_getattr(tuple, PIPELINE_CURSOR_COL_LATEST, desc, &isnull));

		lag += Max(latest - next, 0);
	}
	link_scan_end(&scan);
	return lag;
}

/*
 * SHOW CREATE PIPELINE.
 */

/* A literal of link.execute, in which nothing but the quote is doubled. */
static void
append_literal(StringInfo out, const char *text)
{
	appendStringInfoChar(out, '\'');
	for (; *text; text++)
	{
		if (*text == '\'')
			appendStringInfoChar(out, '\'');
		appendStringInfoChar(out, *text);
	}
	appendStringInfoChar(out, '\'');
}

static void
append_option(StringInfo out, DefElem *option)
{
	ListCell   *lc;

	appendStringInfo(out, "%s = ", quote_identifier(option->defname));
	if (option->arg && IsA(option->arg, List))
	{
		appendStringInfoChar(out, '(');
		foreach(lc, (List *) option->arg)
		{
			if (lc != list_head((List *) option->arg))
				appendStringInfoString(out, ", ");
			append_literal(out, strVal(lfirst(lc)));
		}
		appendStringInfoChar(out, ')');
	}
	else if (option->arg && IsA(option->arg, Float))
		appendStringInfoString(out, castNode(Float, option->arg)->fval);
	else
		append_literal(out, defGetString(option));
}

static void
append_settings(StringInfo out, const LinkPipeline *pipeline)
{
	appendStringInfo(out, " BATCH_INTERVAL %d", pipeline->batch_interval);
	if (pipeline->max_partitions != 0)
		appendStringInfo(out, " MAX_PARTITIONS_PER_BATCH %d", pipeline->max_partitions);
	appendStringInfo(out, " MAX_RETRIES_PER_BATCH_PARTITION %d", pipeline->max_retries);
	if (pipeline->max_offsets != 0)
		appendStringInfo(out, " MAX_OFFSETS_PER_BATCH_PARTITION " INT64_FORMAT, pipeline->max_offsets);
	if (pipeline->skip == LINK_SKIP_ALL)
		appendStringInfoString(out, " SKIP ALL ERRORS");
	else
	{
		if (pipeline->skip & LINK_SKIP_PARSER)
			appendStringInfoString(out, " SKIP PARSER ERRORS");
		if (pipeline->skip & LINK_SKIP_CONSTRAINT)
			appendStringInfoString(out, " SKIP CONSTRAINT ERRORS");
		if (pipeline->skip & LINK_SKIP_DUPLICATE_KEY)
			appendStringInfoString(out, " SKIP DUPLICATE KEY ERRORS");
	}
	appendStringInfo(out, " STOP_ON_ERROR %s", pipeline->stop_on_error ? "ON" : "OFF");
}

static void
append_target(StringInfo out, const LinkPipeline *pipeline)
{
	char	   *name;

	if (pipeline->signature)
	{
		/* the arguments are found by the name */
		name = OidIsValid(pipeline->procedure) ?
			quote_qualified_identifier(get_namespace_name(get_func_namespace(pipeline->procedure)),
									   get_func_name(pipeline->procedure)) : pipeline->signature;
		appendStringInfo(out, " INTO PROCEDURE %s", name);
		return;
	}
	name = link_table_name(pipeline->table);
	appendStringInfo(out, " INTO TABLE %s", name ? name : "\"?\"");
}

/* On a new line where a comment could take it in. */
static void
append_clause(StringInfo out, const char *words, const char *text)
{
	if (text)
		appendStringInfo(out, "%c%s %s", strstr(out->data, "--") ? '\n' : ' ', words, text);
}

char *
link_show_create_pipeline(const char *name)
{
	LinkPipeline *pipeline = link_own_pipeline(name);
	LinkRow    *link = link_row_by_id(pipeline->link_id);
	List	   *options = link_format_options_from_json(pipeline->options);
	List	   *fields = link_fields_from_json(pipeline->fields);
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	appendStringInfo(&out, "CREATE PIPELINE %s AS LOAD DATA LINK %s ", quote_identifier(pipeline->name),
					 link ? link_qualified_name(link) : "\"?\"");
	append_literal(&out, pipeline->path);
	append_settings(&out, pipeline);
	append_target(&out, pipeline);
	foreach(lc, options)
	{
		appendStringInfoString(&out, lc == list_head(options) ? " WITH (" : ", ");
		append_option(&out, lfirst_node(DefElem, lc));
	}
	if (options != NIL)
		appendStringInfoChar(&out, ')');
	foreach(lc, fields)
		appendStringInfo(&out, "%s%s", lc == list_head(fields) ? " (" : ", ", link_field_text(lfirst(lc)));
	if (fields != NIL)
		appendStringInfoChar(&out, ')');
	append_clause(&out, "SET", pipeline->set_clause);
	append_clause(&out, "WHERE", pipeline->where_clause);
	append_clause(&out, "ON CONFLICT", pipeline->on_conflict);
	return out.data;
}
