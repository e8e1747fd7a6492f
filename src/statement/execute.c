/*-------------------------------------------------------------------------
 *
 * execute.c
 *	  link.execute: runs one statement of the statement language.
 *
 * The statements are other words for what the SQL functions do, so each is
 * mapped to the same calls, which check rights themselves.  What comes back is
 * lines of text: the command tag, or a table as psql draws it.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "commands/defrem.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/scansup.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "catalog/ddl.h"
#include "catalog/privileges.h"
#include "catalog/roles.h"
#include "catalog/show.h"
#include "errors.h"
#include "provider/provider.h"
#include "statement/draw.h"
#include "statement/execute.h"
#include "statement/function.h"
#include "statement/statement.h"
#include "transfer/look.h"
#include "transfer/transfer.h"

PG_FUNCTION_INFO_V1(link_fn_execute);

List *
link_one_line(const char *line)
{
	return list_make1(pstrdup(line));
}

/*
 * Privileges.
 */

Oid
link_role_of_word(const LinkWord *role)
{
	char	   *name;

	if (role->quoted)
		return get_role_oid(role->text, false);
	name = downcase_identifier(role->text, strlen(role->text), false, false);
	if (strcmp(name, "current_user") == 0 || strcmp(name, "current_role") == 0)
		return GetUserId();
	if (strcmp(name, "session_user") == 0)
		return GetSessionUserId();
	return get_role_oid(name, false);
}

/* No role can have this name, so quotes make no difference: as in core's GRANT. */
static bool
is_public(const LinkWord *role)
{
	return role->quoted ? strcmp(role->text, "public") == 0
		: pg_strcasecmp(role->text, "public") == 0;
}

static List *
run_grant(const LinkStatement *statement)
{
	const LinkStatementScope *named = &statement->u.grant.scope;
	LinkScope	scope = {0};
	List	   *grantees = NIL;
	ListCell   *cell;

	if (named->on_link)
		scope.link = &statement->link;
	else
		scope.namespace = named->current_schema ? link_current_schema() : named->namespace;
	foreach(cell, statement->u.grant.grantees)
	{
		LinkWord   *role = lfirst(cell);

		grantees = list_append_unique_oid(grantees, is_public(role) ? InvalidOid : link_role_of_word(role));
	}

	if (statement->kind == LINK_STMT_GRANT)
	{
		link_grant(statement->u.grant.privileges, &scope, grantees, statement->u.grant.grant_option);
		return link_one_line("GRANT");
	}
	link_revoke(statement->u.grant.privileges, &scope, grantees,
				statement->u.grant.grant_option, statement->u.grant.cascade);
	return link_one_line("REVOKE");
}

/*
 * Showing.
 */

static List *
run_show_links(const LinkStatement *statement)
{
	static const LinkDrawColumn columns[] = {{"Link"}, {"Type"}, {"Description"}, {"Config"}};
	const char *namespace = statement->u.show.namespace;
	List	   *rows = NIL;
	ListCell   *cell;

	if (namespace == NULL)
		namespace = link_current_schema();
	get_namespace_oid(namespace, false);
	foreach(cell, link_visible_rows(namespace))
	{
		LinkRow    *link = lfirst(cell);
		char	  **row = palloc(sizeof(char *) * lengthof(columns));

		row[0] = link->name;
		row[1] = link->type;
		row[2] = link->description;
		row[3] = link->config;
		rows = lappend(rows, row);
	}
	return link_draw_table(statement->u.show.full ? 4 : 3, columns, rows);
}

static List *
run_show_create(const LinkStatement *statement)
{
	static const LinkDrawColumn columns[] = {{"Link"}, {"Create Link"}};
	char	  **row = palloc(sizeof(char *) * lengthof(columns));

	row[0] = link_lookup_name(&statement->link, LINK_ACL_VIEW)->name;
	row[1] = link_show_create(&statement->link);
	return link_draw_table(lengthof(columns), columns, list_make1(row));
}

/* Each grant is a statement that makes it again. */
static List *
run_show_grants(const LinkStatement *statement)
{
	const LinkWord *role = &statement->u.role;
	bool		public = role->text != NULL && is_public(role);
	Oid			grantee = role->text != NULL && !public ? link_role_of_word(role) : InvalidOid;
	LinkDrawColumn column = {"Grants"};
	char	   *last = NULL;
	List	   *rows = NIL;
	ListCell   *cell;

	if (role->text != NULL)
		column.name = psprintf("Grants for %s", link_role_name(grantee));
	foreach(cell, link_visible_grants(grantee))
	{
		LinkGrant  *grant = lfirst(cell);
		char	  **row;
		char	   *line;

		if (public && OidIsValid(grant->grantee))
			continue;
		line = psprintf("GRANT %s LINK ON %s TO %s%s", grant->privilege->name,
						link_grant_scope_text(grant), link_role_name(grant->grantee),
						grant->grantable ? " WITH GRANT OPTION" : "");

		/* Two roles may have granted the same. */
		if (last && strcmp(line, last) == 0)
			continue;
		row = palloc(sizeof(char *));
		row[0] = last = line;
		rows = lappend(rows, row);
	}
	return link_draw_table(1, &column, rows);
}

static List *
run_check(const LinkStatement *statement)
{
	static const LinkDrawColumn columns[] = {{"step"}, {"ok"}, {"elapsed_ms", true}, {"detail"}};
	List	   *rows = NIL;
	ListCell   *cell;

	foreach(cell, link_check(&statement->link, statement->u.path))
	{
		LinkCheckStep *step = lfirst(cell);
		char	  **row = palloc(sizeof(char *) * lengthof(columns));

		row[0] = pstrdup(step->step);
		row[1] = step->ok ? "t" : "f";
		row[2] = psprintf("%.3f", step->elapsed_ms);
		row[3] = step->detail;
		rows = lappend(rows, row);
	}
	return link_draw_table(lengthof(columns), columns, rows);
}

static List *
run_list(const LinkStatement *statement)
{
	static const LinkDrawColumn columns[] = {{"path"}, {"size", true}, {"last_modified"}, {"etag"}};
	List	   *rows = NIL;
	ListCell   *cell;

	foreach(cell, link_list_objects(&statement->link, statement->u.path))
	{
		LinkObject *object = lfirst(cell);
		char	  **row = palloc(sizeof(char *) * lengthof(columns));

		row[0] = object->path;
		row[1] = psprintf(INT64_FORMAT, object->size);
		row[2] = TIMESTAMP_IS_NOBEGIN(object->last_modified) ? NULL
			: DatumGetCString(DirectFunctionCall1(timestamptz_out,
												  TimestampTzGetDatum(object->last_modified)));
		row[3] = object->etag;
		rows = lappend(rows, row);
	}
	return link_draw_table(lengthof(columns), columns, rows);
}

/*
 * USE.
 */

/*
 * Core passes over a schema that the user may not use, and what follows would
 * go to the next one of the path: so that is an error here.
 */
static List *
run_use(const LinkStatement *statement)
{
	const char *schema = statement->u.schema;
	Oid			oid = get_namespace_oid(schema, false);
	AclResult	allowed = link_namespace_aclcheck(oid, GetUserId(), ACL_USAGE);
	StringInfoData path;
	List	   *names;
	ListCell   *cell;

	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_SCHEMA, schema);

	initStringInfo(&path);
	appendStringInfoString(&path, quote_identifier(schema));
	if (!SplitIdentifierString(pstrdup(namespace_search_path), ',', &names))
		elog(ERROR, "invalid list syntax in search_path");
	foreach(cell, names)
	{
		const char *name = lfirst(cell);

		if (*name != '\0' && strcmp(name, schema) != 0)
			appendStringInfo(&path, ", %s", quote_identifier(name));
	}
	SetConfigOption("search_path", path.data, PGC_USERSET, PGC_S_SESSION);
	return link_one_line("USE");
}

/*
 * Moving rows.
 */

static DefElem *
find_element(List *list, const char *name)
{
	ListCell   *cell;

	foreach(cell, list)
	{
		DefElem    *element = lfirst_node(DefElem, cell);

		if (strcmp(element->defname, name) == 0)
			return element;
	}
	return NULL;
}

/* Value of a clause that is one string; NULL if it is not there. */
static char *
clause_text(List *clauses, const char *name)
{
	DefElem    *clause = find_element(clauses, name);

	return clause ? strVal(clause->arg) : NULL;
}

static void
add_option(List **options, const char *name, Node *value)
{
	*options = lappend(*options, makeDefElem(unconstify(char *, name), value, -1));
}

static void
add_text_option(List **options, const char *name, char *value)
{
	if (value)
		add_option(options, name, (Node *) makeString(value));
}

/*
 * ENCLOSED BY and ESCAPED BY.  SingleStore has one format with both; of ours,
 * text has no enclosing and always escapes with a backslash, and csv encloses
 * and can escape within that.  A clause that the format cannot do is refused
 * rather than left out.
 */
static void
add_quoting(List **options, List *clauses, bool csv, bool export)
{
	DefElem    *enclosed = find_element(clauses, LINK_CLAUSE_ENCLOSED);
	char	   *quote = enclosed ? strVal(enclosed->arg) : NULL;
	char	   *escape = clause_text(clauses, LINK_CLAUSE_ESCAPED);

	if (quote && *quote != '\0')
	{
		add_text_option(options, "quote", quote);

		/* Without OPTIONALLY every field is enclosed, not only where it must be. */
		if (export && csv && enclosed->defnamespace == NULL &&
			!find_element(*options, "force_quote"))
			add_option(options, "force_quote", (Node *) list_make1(makeString("*")));
	}
	else if (quote && csv)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("format csv needs a character to enclose fields with"),
				 errhint("Use FORMAT TEXT, or leave ENCLOSED BY out.")));

	/* In csv a quote is doubled where nothing else is said. */
	if (csv && escape && *escape != '\0')
		add_text_option(options, "escape", escape);
	else if (!csv && escape && strcmp(escape, "\\") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("fields that are not enclosed can be escaped with a backslash only"),
				 errhint("Leave ESCAPED BY out, or use ENCLOSED BY or FORMAT CSV.")));
}

/*
 * The clauses as options of transfer.h.  ENCLOSED BY without a format means
 * csv, but fields are still separated by a tab if nothing is said.
 */
List *
link_clause_options(List *clauses, bool export)
{
	DefElem    *with = find_element(clauses, LINK_CLAUSE_OPTIONS);
	List	   *options = with ? list_copy((List *) with->arg) : NIL;
	DefElem    *ignore = find_element(clauses, LINK_CLAUSE_IGNORE);
	char	   *format = clause_text(clauses, LINK_CLAUSE_FORMAT);
	char	   *enclosed = clause_text(clauses, LINK_CLAUSE_ENCLOSED);
	DefElem    *given = find_element(options, "format");
	bool		csv;

	add_text_option(&options, "format", format);
	add_text_option(&options, "delimiter", clause_text(clauses, LINK_CLAUSE_TERMINATED));
	if (given && given->arg)
		format = defGetString(given);
	if (format == NULL && !given && enclosed && *enclosed != '\0')
	{
		format = "csv";
		add_text_option(&options, "format", format);
		if (!find_element(options, "delimiter"))
			add_text_option(&options, "delimiter", "\t");
	}
	csv = format && pg_strcasecmp(format, "csv") == 0;
	add_quoting(&options, clauses, csv, export);

	add_text_option(&options, "lines_starting_by", clause_text(clauses, LINK_CLAUSE_LINE_START));
	add_text_option(&options, "lines_terminated_by", clause_text(clauses, LINK_CLAUSE_LINE_END));
	add_text_option(&options, "compression", clause_text(clauses, LINK_CLAUSE_COMPRESSION));
	add_text_option(&options, "key", clause_text(clauses, LINK_CLAUSE_KEY));
	if (ignore)
		add_option(&options, "skip", ignore->arg);
	return options;
}

static List *
transfer_tag(const char *tag, List *results)
{
	uint64		rows = 0;
	ListCell   *cell;

	foreach(cell, results)
		rows += ((LinkObjectResult *) lfirst(cell))->rows;
	return list_make1(psprintf("%s " UINT64_FORMAT, tag, rows));
}

static List *
run_export(const LinkStatement *statement)
{
	List	   *options = link_clause_options(statement->u.transfer.clauses, true);

	return transfer_tag("SELECT",
						link_export(statement->u.transfer.query,
									&statement->link, statement->u.transfer.path, options));
}

static List *
run_load(const LinkStatement *statement)
{
	List	   *options = link_clause_options(statement->u.transfer.clauses, false);
	DefElem    *named = find_element(statement->u.transfer.clauses, LINK_CLAUSE_COLUMNS);
	Oid			target = RangeVarGetRelid(statement->u.transfer.table, NoLock, false);
	List	   *columns = NIL;
	ListCell   *cell;

	if (named)
		foreach(cell, (List *) named->arg)
			columns = lappend(columns, strVal(lfirst(cell)));
	return transfer_tag("LOAD DATA",
						link_import(&statement->link, statement->u.transfer.path, target,
									columns, options));
}

/*
 * All of them.
 */

static List *
run_statement(const LinkStatement *statement)
{
	switch (statement->kind)
	{
		case LINK_STMT_CREATE:
			link_create(&statement->u.create);
			return link_one_line("CREATE LINK");
		case LINK_STMT_ALTER:
			link_alter(&statement->u.alter);
			return link_one_line("ALTER LINK");
		case LINK_STMT_RENAME:
			link_rename(&statement->link, statement->u.new_name);
			return link_one_line("ALTER LINK");
		case LINK_STMT_SET_SCHEMA:
			link_set_schema(&statement->link, statement->u.new_name);
			return link_one_line("ALTER LINK");
		case LINK_STMT_SET_OWNER:
			link_set_owner(&statement->link, link_role_of_word(&statement->u.role));
			return link_one_line("ALTER LINK");
		case LINK_STMT_DROP:
			link_drop(&statement->link, statement->u.drop.if_exists, statement->u.drop.cascade);
			return link_one_line("DROP LINK");
		case LINK_STMT_GRANT:
		case LINK_STMT_REVOKE:
			return run_grant(statement);
		case LINK_STMT_SHOW_LINKS:
			return run_show_links(statement);
		case LINK_STMT_SHOW_CREATE:
			return run_show_create(statement);
		case LINK_STMT_SHOW_GRANTS:
			return run_show_grants(statement);
		case LINK_STMT_CHECK:
			return run_check(statement);
		case LINK_STMT_LIST:
			return run_list(statement);
		case LINK_STMT_USE:
			return run_use(statement);
		case LINK_STMT_EXPORT:
			return run_export(statement);
		case LINK_STMT_LOAD:
			return run_load(statement);
		case LINK_STMT_BACKUP:
		case LINK_STMT_RESTORE:
			return link_run_backup_statement(statement);
		default:
			return link_run_pipeline_statement(statement);
	}
}

Datum
link_fn_execute(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *text = link_arg_secret(fcinfo, 0);
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	foreach(cell, run_statement(link_parse_statement(text)))
	{
		Datum		value = CStringGetTextDatum((char *) lfirst(cell));
		bool		isnull = false;

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
	}
	return (Datum) 0;
}
