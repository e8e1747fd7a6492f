/*-------------------------------------------------------------------------
 *
 * execute_pipelines.c
 *	  link.execute: statements on pipelines.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/json.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"

#include "errors.h"
#include "pipeline/ddl.h"
#include "statement/draw.h"
#include "statement/execute.h"

/* A procedure is named without its arguments: the one that takes a table, or nothing. */
static Oid
find_procedure(const RangeVar *name)
{
	ObjectWithArgs *wanted = makeNode(ObjectWithArgs);
	Oid			procedure;

	wanted->objname = name->schemaname ?
		list_make2(makeString(name->schemaname), makeString(name->relname)) : list_make1(makeString(name->relname));
	wanted->objargs = list_make1(makeTypeNameFromOid(REGCLASSOID, -1));
	procedure = LookupFuncWithArgs(OBJECT_PROCEDURE, wanted, true);
	if (!OidIsValid(procedure))
	{
		wanted->objargs = NIL;
		procedure = LookupFuncWithArgs(OBJECT_PROCEDURE, wanted, true);
	}
	if (!OidIsValid(procedure))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("procedure %s does not exist", NameListToQuotedString(wanted->objname)),
				 errdetail("It must take one argument of type regclass, or none.")));
	return procedure;
}

static List *
run_create(const LinkStatement *statement)
{
	const LinkPipelineStatement *given = &statement->u.pipeline;
	LinkCreatePipelineArgs args = {0};

	args.name = given->name;
	args.link = statement->link;
	args.path = given->path;
	if (given->procedure)
		args.procedure = find_procedure(given->target);
	else
		args.table = RangeVarGetRelid(given->target, NoLock, false);
	args.fields = given->fields;
	args.options = link_clause_options(given->clauses, false);
	args.set_clause = given->set_clause;
	args.where_clause = given->where_clause;
	args.on_conflict = given->on_conflict;
	args.settings = given->settings;
	args.or_replace = given->or_replace;
	args.if_not_exists = given->conditional;
	args.force = given->force;
	link_create_pipeline(&args);
	return link_one_line("CREATE PIPELINE");
}

static List *
run_start(const LinkPipelineStatement *given)
{
	if (given->foreground)
		return list_make1(psprintf("START PIPELINE " UINT64_FORMAT, link_run_pipeline(given->name, given->limit)));
	if (given->name)
		link_start_pipeline(given->name, given->conditional);
	else
		link_start_all_pipelines();
	return link_one_line("START PIPELINE");
}

static List *
run_stop(const LinkPipelineStatement *given)
{
	if (given->name)
		link_stop_pipeline(given->name, given->conditional);
	else
		link_stop_all_pipelines();
	return link_one_line("STOP PIPELINE");
}

static LinkDrawColumn *
member_columns(struct json_object *object)
{
	LinkDrawColumn *columns = palloc0(sizeof(LinkDrawColumn) * json_object_object_length(object));
	int			n = 0;

	json_object_object_foreach(object, key, value)
	{
		(void) value;
		columns[n++].name = pstrdup(key);
	}
	return columns;
}

static char **
member_texts(struct json_object *object)
{
	char	  **texts = palloc0(sizeof(char *) * json_object_object_length(object));
	int			n = 0;

	json_object_object_foreach(object, key, value)
	{
		(void) key;
		if (value)
			texts[n] = pstrdup(json_object_is_type(value, json_type_string) ? json_object_get_string(value)
							   : json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
		n++;
	}
	return texts;
}

/* Every row has the same members. */
static List *
run_test(const LinkPipelineStatement *given)
{
	List	   *rows = NIL;
	LinkDrawColumn *columns = NULL;
	int			n = 0;
	ListCell   *lc;

	foreach(lc, link_test_pipeline(given->name, given->limit))
	{
		const char *text = lfirst(lc);
		struct json_object *object = link_json_parse_answer("row", text, strlen(text));

		if (columns == NULL)
		{
			columns = member_columns(object);
			n = json_object_object_length(object);
		}
		rows = lappend(rows, member_texts(object));
	}
	return link_draw_table(n, columns, rows);
}

/* Columns as SingleStore names them. */
static List *
run_show(void)
{
	LinkDrawColumn columns[] = {{psprintf("Pipelines_in_%s", get_database_name(MyDatabaseId))}, {"State"}, {"Scheduled"}};
	List	   *rows = NIL;
	ListCell   *lc;

	foreach(lc, link_visible_pipelines())
	{
		LinkPipeline *pipeline = lfirst(lc);
		char	  **row = palloc(sizeof(char *) * lengthof(columns));

		row[0] = pipeline->name;
		row[1] = pstrdup(link_pipeline_shown_state(pipeline));
		row[2] = link_pipeline_runs(pipeline) ? "True" : "False";
		rows = lappend(rows, row);
	}
	return link_draw_table(lengthof(columns), columns, rows);
}

static List *
run_show_create(const LinkPipelineStatement *given)
{
	static const LinkDrawColumn columns[] = {{"Pipeline"}, {"Create Pipeline"}};
	char	  **row = palloc(sizeof(char *) * lengthof(columns));

	row[1] = link_show_create_pipeline(given->name);
	row[0] = link_pipeline_by_name(given->name)->name;
	return link_draw_table(lengthof(columns), columns, list_make1(row));
}

List *
link_run_pipeline_statement(const LinkStatement *statement)
{
	const LinkPipelineStatement *given = &statement->u.pipeline;

	switch (statement->kind)
	{
		case LINK_STMT_CREATE_PIPELINE:
			return run_create(statement);
		case LINK_STMT_ALTER_PIPELINE:
			link_alter_pipeline(given->name, &given->settings);
			break;
		case LINK_STMT_RENAME_PIPELINE:
			link_rename_pipeline(given->name, given->text);
			break;
		case LINK_STMT_SET_PIPELINE_OWNER:
			link_set_pipeline_owner(given->name, link_role_of_word(&given->role));
			break;
		case LINK_STMT_SET_PIPELINE_OFFSETS:
			link_set_pipeline_offsets(given->name, given->text);
			break;
		case LINK_STMT_DROP_PIPELINE_FILE:
			link_drop_pipeline_file(given->name, given->text);
			break;
		case LINK_STMT_DROP_PIPELINE_PARTITION:
			link_drop_pipeline_partition(given->name, pg_strtoint32(given->text));
			break;
		case LINK_STMT_DROP_ORPHAN_FILES:
			(void) link_drop_orphan_files(given->name);
			break;
		case LINK_STMT_CLEAR_PIPELINE_ERRORS:
			link_clear_pipeline_errors(given->name);
			break;
		case LINK_STMT_DROP_PIPELINE:
			link_drop_pipeline(given->name, given->conditional);
			return link_one_line("DROP PIPELINE");
		case LINK_STMT_START_PIPELINE:
			return run_start(given);
		case LINK_STMT_STOP_PIPELINE:
			return run_stop(given);
		case LINK_STMT_TEST_PIPELINE:
			return run_test(given);
		case LINK_STMT_SHOW_PIPELINES:
			return run_show();
		case LINK_STMT_SHOW_CREATE_PIPELINE:
			return run_show_create(given);
		default:
			elog(ERROR, "unrecognized statement kind: %d", (int) statement->kind);
	}
	return link_one_line("ALTER PIPELINE");
}
