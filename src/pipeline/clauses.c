/*-------------------------------------------------------------------------
 *
 * clauses.c
 *	  SET, WHERE and ON CONFLICT of a pipeline, and the statement that they make.
 *
 * "@name" is no SQL: where it stands for a variable, and likewise a call of
 * pipeline_source_file() and its kin, it is read as the quoted name of a column
 * of the rows that are loaded.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "parser/analyze.h"
#include "parser/parse_node.h"
#include "parser/parser.h"
#include "parser/scansup.h"
#include "rewrite/prs2lock.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "errors.h"
#include "lexis.h"
#include "pipeline/clauses.h"
#include "transfer/verb.h"
#include "transfer/where.h"

/* In the order of LinkPipelineSource.  No variable has a name of two "@". */
static const struct
{
	const char *function;
	const char *column;
	Oid			type;
}			sources[LINK_SOURCE_COLUMNS] = {
	{"pipeline_source_file", "@@file", TEXTOID},
	{"pipeline_kafka_key", "@@key", BYTEAOID},
	{"pipeline_kafka_partition", "@@partition", INT4OID},
	{"pipeline_kafka_offset", "@@offset", INT8OID},
	{"pipeline_kafka_timestamp", "@@timestamp", TIMESTAMPTZOID},
};

/* The clauses, parsed; their locations are in 'text'. */
typedef struct Clauses
{
	char	   *text;
	List	   *set;			/* of ResTarget: name and val */
	Node	   *where;
	OnConflictClause *on_conflict;
} Clauses;

/*
 * Variables.
 */

static bool
is_operator_char(char c)
{
	return c != '\0' && strchr("+-*/<>=~!@#%^&|`?", c) != NULL;
}

/*
 * Is the "@" at 'p' the first of a variable's name, and no operator or part of
 * one?  What is before it without a space may be an operator of its own.
 */
static bool
is_variable(const char *text, const char *p)
{
	static const char *const before[] = {"", "=", "<>", "!=", "<=", ">=", ">", "+", "-", "*", "/", "%", "||"};
	const char *from = p;

	if (!link_sql_begins_word(p[1]))
		return false;
	while (from > text && is_operator_char(from[-1]))
		from--;
	for (int i = 0; i < lengthof(before); i++)
		if (p - from == strlen(before[i]) && strncmp(from, before[i], p - from) == 0)
			return true;
	return false;
}

/* The end of "()" behind a function's name, or NULL. */
static const char *
empty_arguments(const char *p)
{
	while (link_sql_is_space(p))
		p++;
	if (*p++ != '(')
		return NULL;
	while (link_sql_is_space(p))
		p++;
	return *p == ')' ? p + 1 : NULL;
}

static char *
with_columns(const char *text)
{
	StringInfoData out;
	const char *end;

	initStringInfo(&out);
	for (const char *p = text; *p != '\0'; p = end)
	{
		end = link_sql_token_end(p);
		if (end == NULL)
			end = p + strlen(p);
		if (*p == '@' && is_variable(text, p))
		{
			end = link_sql_token_end(p + 1);
			appendStringInfo(&out, "\"@%s\"", downcase_identifier(p + 1, end - p - 1, false, false));
			continue;
		}
		if (link_sql_begins_word(*p) && (p == text || p[-1] != '.'))
		{
			const char *call = empty_arguments(end);
			int			i = 0;

			while (call && i < lengthof(sources) && !link_sql_is_word(p, end, sources[i].function))
				i++;
			if (call && i < lengthof(sources))
			{
				appendStringInfo(&out, "\"%s\"", sources[i].column);
				end = call;
				continue;
			}
		}
		appendBinaryStringInfo(&out, p, end - p);
	}
	return out.data;
}

/*
 * Parsing.
 */

/* What core's parser is told before each clause, so that it reads one of that kind. */
#define SET_PREFIX "UPDATE rows SET "
#define WHERE_WORD " WHERE "
#define CONFLICT_PREFIX "INSERT INTO rows DEFAULT VALUES ON CONFLICT "
#define CONFLICT_WORD " ON CONFLICT "

LINK_NORETURN static void
not_one(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("%s must be exactly one clause", what)));
}

static Node *
one_statement(const char *text, const char *what)
{
	List	   *parsed = raw_parser(text, RAW_PARSE_DEFAULT);

	if (list_length(parsed) != 1)
		not_one(what);
	return linitial_node(RawStmt, parsed)->stmt;
}

/* 'text' is SET_PREFIX and the clause. */
static List *
parse_set(const char *text)
{
	UpdateStmt *update = (UpdateStmt *) one_statement(text, "SET");
	UpdateStmt *bare = makeNode(UpdateStmt);
	ListCell   *lc;
	ListCell   *lc2;

	if (!IsA(update, UpdateStmt))
		not_one("SET");
	bare->relation = update->relation;
	bare->targetList = update->targetList;
	if (!equal(update, bare))
		not_one("SET");
	foreach(lc, update->targetList)
	{
		ResTarget  *target = lfirst_node(ResTarget, lc);

		if (target->indirection != NIL || IsA(target->val, MultiAssignRef))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_UNSUPPORTED),
					 errmsg("SET of a pipeline takes whole columns, one by one"),
					 errposition(target->location + 1)));
		for_each_cell(lc2, update->targetList, lnext(update->targetList, lc))
			if (strcmp(lfirst_node(ResTarget, lc2)->name, target->name) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_SYNTAX_ERROR),
						 errmsg("column \"%s\" is set more than once", target->name)));
	}
	return update->targetList;
}

/* 'text' is blanks, CONFLICT_PREFIX and the clause. */
static OnConflictClause *
parse_on_conflict(const char *text)
{
	InsertStmt *insert = (InsertStmt *) one_statement(text, "ON CONFLICT");
	InsertStmt *bare = makeNode(InsertStmt);

	if (!IsA(insert, InsertStmt))
		not_one("ON CONFLICT");
	bare->relation = insert->relation;
	bare->onConflictClause = insert->onConflictClause;
	if (!equal(insert, bare) || insert->onConflictClause == NULL)
		not_one("ON CONFLICT");
	return insert->onConflictClause;
}

/* The text with 'prefix' right before it, at the place that it has in the whole. */
static char *
at_place(const char *prefix, const char *clause, int place)
{
	return psprintf("%*s%s", place, prefix, clause);
}

static void
parse_clauses(const LinkPipeline *pipeline, Clauses *clauses)
{
	const char *set = pipeline->set_clause ? with_columns(pipeline->set_clause) : NULL;
	const char *where = pipeline->where_clause ? with_columns(pipeline->where_clause) : NULL;
	ErrorContextCallback position = {error_context_stack, link_verb_text_position};
	StringInfoData text;
	int			where_at;
	int			conflict_at;

	/* all of them, for errors to point into */
	memset(clauses, 0, sizeof(*clauses));
	initStringInfo(&text);
	if (set)
		appendStringInfo(&text, "%s%s", SET_PREFIX, set);
	if (where)
		appendStringInfoString(&text, WHERE_WORD);
	where_at = text.len;
	appendStringInfoString(&text, where ? where : "");
	if (pipeline->on_conflict)
	{
		appendStringInfo(&text, "%*s", (int) Max(0, (int) strlen(CONFLICT_PREFIX) - text.len), "");
		appendStringInfoString(&text, CONFLICT_WORD);
	}
	conflict_at = text.len;
	appendStringInfoString(&text, pipeline->on_conflict ? pipeline->on_conflict : "");
	clauses->text = text.data;

	position.arg = text.data;
	error_context_stack = &position;
	if (set)
		clauses->set = parse_set(psprintf("%s%s", SET_PREFIX, set));
	if (where)
		clauses->where = link_where_parse(at_place("", where, where_at));
	if (pipeline->on_conflict)
		clauses->on_conflict = parse_on_conflict(at_place(CONFLICT_PREFIX, pipeline->on_conflict, conflict_at));
	error_context_stack = position.previous;
}

/*
 * Columns.
 */

bool
link_pipeline_is_plain(const LinkPipeline *pipeline)
{
	ListCell   *lc;

	if (pipeline->set_clause || pipeline->where_clause || pipeline->on_conflict || pipeline->signature)
		return false;
	foreach(lc, link_fields_from_json(pipeline->fields))
	{
		LinkPipelineField *field = lfirst(lc);

		if (link_field_is_variable(field) || field->path != NIL)
			return false;
	}
	return true;
}

List *
link_pipeline_columns(const LinkPipeline *pipeline, TupleDesc target)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, link_fields_from_json(pipeline->fields))
		names = lappend(names, makeString(((LinkPipelineField *) lfirst(lc))->name));
	for (int i = 0; pipeline->fields == NULL && i < target->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(target, i);

		if (!column->attisdropped && column->attgenerated == '\0')
			names = lappend(names, makeString(pstrdup(NameStr(column->attname))));
	}
	return names;
}

static Form_pg_attribute
find_column(Relation target, const char *name)
{
	TupleDesc	desc = RelationGetDescr(target);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped || strcmp(NameStr(column->attname), name) != 0)
			continue;
		if (column->attgenerated != '\0')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
					 errmsg("column \"%s\" is a generated column", name)));
		return column;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist", name, RelationGetRelationName(target))));
}

TupleDesc
link_pipeline_row_desc(const LinkPipeline *pipeline, Relation target)
{
	List	   *names = link_pipeline_columns(pipeline, target ? RelationGetDescr(target) : NULL);
	TupleDesc	desc = CreateTemplateTupleDesc(list_length(names) + LINK_SOURCE_COLUMNS);
	ListCell   *lc;
	int			n = 0;

	foreach(lc, names)
	{
		const char *name = strVal(lfirst(lc));
		Form_pg_attribute column = target && name[0] != '@' ? find_column(target, name) : NULL;

		for (int i = 0; i < n; i++)
			if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("field \"%s\" is given more than once", name)));
		n++;
		TupleDescInitEntry(desc, n, name, column ? column->atttypid : TEXTOID,
						   column ? column->atttypmod : -1, 0);
		if (column)
			TupleDescInitEntryCollation(desc, n, column->attcollation);
	}
	for (int i = 0; i < LINK_SOURCE_COLUMNS; i++)
		TupleDescInitEntry(desc, ++n, sources[i].column, sources[i].type, -1, 0);
	return desc;
}

/*
 * Statements.
 */

static ResTarget *
target_named(const char *name, Node *value)
{
	ResTarget  *target = makeNode(ResTarget);

	target->name = pstrdup(name);
	target->val = value;
	target->location = -1;
	return target;
}

static Node *
column_ref(const char *name)
{
	ColumnRef  *ref = makeNode(ColumnRef);

	ref->fields = list_make1(makeString(pstrdup(name)));
	ref->location = -1;
	return (Node *) ref;
}

/*
 * What is loaded, by its name: the fields that are no variables, or what SET makes
 * of them, and what else SET gives.  List of ResTarget.
 */
static List *
outputs(const LinkPipeline *pipeline, Relation target, const Clauses *clauses)
{
	List	   *result = NIL;
	List	   *set = list_copy(clauses->set);
	ListCell   *lc;

	foreach(lc, link_pipeline_columns(pipeline, target ? RelationGetDescr(target) : NULL))
	{
		const char *name = strVal(lfirst(lc));
		Node	   *value = NULL;
		ListCell   *cell;

		if (name[0] == '@')
			continue;
		foreach(cell, set)
		{
			ResTarget  *given = lfirst_node(ResTarget, cell);

			if (strcmp(given->name, name) != 0)
				continue;
			value = given->val;
			set = foreach_delete_current(set, cell);
			break;
		}
		result = lappend(result, target_named(name, value ? value : column_ref(name)));
	}
	foreach(lc, set)
		result = lappend(result, target_named(lfirst_node(ResTarget, lc)->name, lfirst_node(ResTarget, lc)->val));
	return result;
}

List *
link_pipeline_target_columns(const LinkPipeline *pipeline, Relation target)
{
	Clauses		clauses;
	List	   *names = NIL;
	ListCell   *lc;

	parse_clauses(pipeline, &clauses);
	foreach(lc, outputs(pipeline, target, &clauses))
		names = lappend(names, makeString(lfirst_node(ResTarget, lc)->name));
	return names;
}

/* Its columns may be named with the target's name before them. */
static SelectStmt *
select_outputs(List *targets, const char *rows, const char *alias, Node *where)
{
	SelectStmt *select = makeNode(SelectStmt);
	RangeVar   *from = makeRangeVar(NULL, pstrdup(rows), -1);

	from->alias = makeAlias(alias, NIL);
	select->targetList = targets;
	select->fromClause = list_make1(from);
	select->whereClause = where;
	return select;
}

static void
set_path(const char *path)
{
	(void) set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

static Query *
analyze(const LinkPipeline *pipeline, Node *statement, const Clauses *clauses, QueryEnvironment *environment)
{
	int			guc_level = NewGUCNestLevel();
	ErrorContextCallback position = {error_context_stack, link_verb_text_position, clauses->text};
	ParseState *pstate = make_parsestate(NULL);
	RawStmt    *raw = makeNode(RawStmt);
	Query	   *query;

	set_path(pipeline->clause_path ? pipeline->clause_path : pipeline->search_path);
	raw->stmt = statement;
	pstate->p_sourcetext = clauses->text;
	pstate->p_queryEnv = environment;
	error_context_stack = &position;
	query = transformTopLevelStmt(pstate, raw);
	error_context_stack = position.previous;
	free_parsestate(pstate);
	AtEOXact_GUC(false, guc_level);
	return query;
}

/* What they put in its place may be no INSERT, or of another table. */
static void
refuse_rules(Relation target)
{
	for (int i = 0; target->rd_rules && i < target->rd_rules->numLocks; i++)
		if (target->rd_rules->rules[i]->event == CMD_INSERT)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_UNSUPPORTED),
					 errmsg("a pipeline with clauses cannot load into table \"%s\", which has a rule on INSERT",
							RelationGetRelationName(target)),
					 errhint("Use a trigger.")));
}

Query *
link_pipeline_insert_query(const LinkPipeline *pipeline, Relation target,
						   const char *rows, QueryEnvironment *environment)
{
	InsertStmt *insert = makeNode(InsertStmt);
	Clauses		clauses;
	List	   *targets;
	ListCell   *lc;

	refuse_rules(target);
	parse_clauses(pipeline, &clauses);
	targets = outputs(pipeline, target, &clauses);
	insert->relation = makeRangeVar(get_namespace_name(RelationGetNamespace(target)),
									pstrdup(RelationGetRelationName(target)), -1);
	foreach(lc, targets)
	{
		const char *name = lfirst_node(ResTarget, lc)->name;

		(void) find_column(target, name);
		insert->cols = lappend(insert->cols, target_named(name, NULL));
	}
	insert->selectStmt = (Node *) select_outputs(targets, rows, RelationGetRelationName(target), clauses.where);
	insert->onConflictClause = clauses.on_conflict;
	/* as COPY does */
	insert->override = OVERRIDING_SYSTEM_VALUE;
	return analyze(pipeline, (Node *) insert, &clauses, environment);
}

Query *
link_pipeline_select_query(const LinkPipeline *pipeline, const char *rows,
						   QueryEnvironment *environment)
{
	Clauses		clauses;
	List	   *targets;

	parse_clauses(pipeline, &clauses);
	targets = outputs(pipeline, NULL, &clauses);
	return analyze(pipeline, (Node *) select_outputs(targets, rows, rows, clauses.where), &clauses, environment);
}

void
link_pipeline_set_path(const LinkPipeline *pipeline)
{
	set_path(pipeline->search_path);
}
