/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  Fuzz target: any text as a statement of link.execute.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/parsenodes.h"
#include "parser/parser.h"

#include "hygiene.h"
#include "hygiene_text.h"
#include "statement/statement.h"

#include "backend.h"

typedef struct Parse
{
	const char *text;
	LinkStatement *statement;
} Parse;

void
fuzz_setup(void)
{
	link_markers_init();
}

static void
parse(void *arg)
{
	Parse	   *p = arg;

	p->statement = link_parse_statement(p->text);
}

static void
look_at_name(const LinkName *name)
{
	fuzz_expect(name->name[0] != '\0' && strlen(name->name) < NAMEDATALEN);
	fuzz_expect(name->namespace == NULL ||
				(name->namespace[0] != '\0' && strlen(name->namespace) < NAMEDATALEN));
}

static void
look_at_node(Node *node)
{
	ListCell   *cell;

	if (node == NULL)
		return;
	switch (nodeTag(node))
	{
		case T_String:
			fuzz_touch(strVal(node));
			break;
		case T_Integer:
			break;
		case T_Float:
			fuzz_touch(castNode(Float, node)->fval);
			break;
		case T_List:
			fuzz_expect(list_length((List *) node) > 0);
			foreach(cell, (List *) node)
				look_at_node(lfirst(cell));
			break;
		case T_DefElem:
			fuzz_touch(castNode(DefElem, node)->defnamespace);
			fuzz_expect(castNode(DefElem, node)->defname != NULL);
			fuzz_touch(castNode(DefElem, node)->defname);
			look_at_node(castNode(DefElem, node)->arg);
			break;
		default:
			fuzz_bug("node %d in a list of clauses", (int) nodeTag(node));
	}
}

static void
look_at_change(const LinkClauseChange *change)
{
	if (!change->given)
		return;
	fuzz_expect((change->json == NULL) != (change->key == NULL));
	fuzz_touch(change->json);
	fuzz_touch(change->key);
	fuzz_touch(change->value);
}

static void
look_at_field(const LinkPipelineField *field)
{
	ListCell   *cell;

	fuzz_expect(strlen(field->name) > link_field_is_variable(field) && strlen(field->name) < NAMEDATALEN);
	foreach(cell, field->path)
		fuzz_touch(lfirst(cell));
}

/* It is a part of the statement, as it is. */
static void
look_at_clause(const char *clause, const char *text)
{
	fuzz_expect(clause == NULL || strstr(text, clause) != NULL);
}

/* Everything execute.c will read. */
static void
look_at(const LinkStatement *s, const char *text)
{
	ListCell   *cell;

	if (s->link.name)
		look_at_name(&s->link);
	switch (s->kind)
	{
		case LINK_STMT_CREATE:
			look_at_name(&s->u.create.name);
			fuzz_expect(s->u.create.type != NULL);
			fuzz_touch(s->u.create.type);
			fuzz_touch(s->u.create.credentials);
			fuzz_touch(s->u.create.config);
			fuzz_touch(s->u.create.description);
			fuzz_expect(!s->u.create.or_replace || !s->u.create.if_not_exists);
			break;
		case LINK_STMT_ALTER:
			look_at_name(&s->u.alter.name);
			look_at_change(&s->u.alter.config);
			look_at_change(&s->u.alter.credentials);
			fuzz_touch(s->u.alter.description);
			fuzz_expect(s->u.alter.config.given || s->u.alter.credentials.given ||
						s->u.alter.description_given);
			break;
		case LINK_STMT_RENAME:
		case LINK_STMT_SET_SCHEMA:
			fuzz_expect(s->link.name && s->u.new_name[0] != '\0');
			break;
		case LINK_STMT_SET_OWNER:
			fuzz_expect(s->link.name && s->u.role.text[0] != '\0');
			break;
		case LINK_STMT_SHOW_GRANTS:
			fuzz_touch(s->u.role.text);
			break;
		case LINK_STMT_DROP:
		case LINK_STMT_SHOW_CREATE:
			fuzz_expect(s->link.name);
			break;
		case LINK_STMT_GRANT:
		case LINK_STMT_REVOKE:
			fuzz_expect(s->u.grant.privileges != NIL && s->u.grant.grantees != NIL);
			fuzz_expect(!s->u.grant.scope.on_link || s->link.name);
			foreach(cell, s->u.grant.privileges)
				fuzz_touch(lfirst(cell));
			foreach(cell, s->u.grant.grantees)
				fuzz_expect(((LinkWord *) lfirst(cell))->text[0] != '\0');
			fuzz_touch(s->u.grant.scope.namespace);
			break;
		case LINK_STMT_SHOW_LINKS:
			fuzz_touch(s->u.show.namespace);
			break;
		case LINK_STMT_CHECK:
		case LINK_STMT_LIST:
			fuzz_expect(s->link.name && (s->u.path || s->kind == LINK_STMT_CHECK));
			fuzz_touch(s->u.path);
			break;
		case LINK_STMT_USE:
			fuzz_expect(s->u.schema[0] != '\0');
			break;
		case LINK_STMT_EXPORT:
			fuzz_expect(s->link.name && s->u.transfer.path);
			fuzz_expect(strncmp(text + s->u.transfer.query_offset, s->u.transfer.query,
								strlen(s->u.transfer.query)) == 0);
			fuzz_touch(s->u.transfer.path);
			look_at_node((Node *) s->u.transfer.clauses);
			break;
		case LINK_STMT_LOAD:
			fuzz_expect(s->link.name && s->u.transfer.path && s->u.transfer.table->relname[0] != '\0');
			fuzz_touch(s->u.transfer.table->schemaname);
			fuzz_touch(s->u.transfer.path);
			look_at_node((Node *) s->u.transfer.clauses);
			break;
		case LINK_STMT_CREATE_PIPELINE:
			fuzz_expect(s->link.name && s->u.pipeline.name[0] != '\0' && s->u.pipeline.path &&
						s->u.pipeline.target->relname[0] != '\0');
			fuzz_expect(!s->u.pipeline.or_replace || !s->u.pipeline.conditional);
			fuzz_touch(s->u.pipeline.target->schemaname);
			fuzz_touch(s->u.pipeline.path);
			look_at_node((Node *) s->u.pipeline.clauses);
			foreach(cell, s->u.pipeline.fields)
				look_at_field(lfirst(cell));
			look_at_clause(s->u.pipeline.set_clause, text);
			look_at_clause(s->u.pipeline.where_clause, text);
			look_at_clause(s->u.pipeline.on_conflict, text);
			break;
		case LINK_STMT_ALTER_PIPELINE:
			fuzz_expect(s->u.pipeline.name[0] != '\0');
			fuzz_expect(s->u.pipeline.settings.batch_interval_given || s->u.pipeline.settings.max_partitions_given ||
						s->u.pipeline.settings.max_retries_given || s->u.pipeline.settings.max_offsets_given ||
						s->u.pipeline.settings.skip_given || s->u.pipeline.settings.stop_on_error_given);
			break;
		case LINK_STMT_SET_PIPELINE_OWNER:
			fuzz_expect(s->u.pipeline.name[0] != '\0' && s->u.pipeline.role.text[0] != '\0');
			break;
		case LINK_STMT_RENAME_PIPELINE:
		case LINK_STMT_SET_PIPELINE_OFFSETS:
		case LINK_STMT_DROP_PIPELINE_FILE:
		case LINK_STMT_DROP_PIPELINE_PARTITION:
			fuzz_expect(s->u.pipeline.name[0] != '\0' && s->u.pipeline.text);
			fuzz_touch(s->u.pipeline.text);
			break;
		case LINK_STMT_DROP_ORPHAN_FILES:
		case LINK_STMT_CLEAR_PIPELINE_ERRORS:
		case LINK_STMT_DROP_PIPELINE:
		case LINK_STMT_TEST_PIPELINE:
		case LINK_STMT_SHOW_CREATE_PIPELINE:
			fuzz_expect(s->u.pipeline.name[0] != '\0');
			break;
		case LINK_STMT_START_PIPELINE:
		case LINK_STMT_STOP_PIPELINE:
		case LINK_STMT_SHOW_PIPELINES:
			fuzz_touch(s->u.pipeline.name);
			break;
	}
}

void
fuzz_one(const char *data, Size size)
{
	Parse		p = {fuzz_text(data, size), NULL};

	fuzz_use_encoding_of(p.text);
	fuzz_hide(link_text_is_sensitive(p.text));
	for (int i = 0; i < 2; i++)
	{
		standard_conforming_strings = i == 0;
		if (fuzz_try(parse, &p))
			look_at(p.statement, p.text);
		if (strchr(p.text, '\\') == NULL)
			break;
	}
}
