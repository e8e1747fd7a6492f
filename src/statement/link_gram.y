%code top {
/*-------------------------------------------------------------------------
 *
 * link_gram.y
 *	  Grammar of the statements that link.execute takes.
 *
 * Actions only build a LinkStatement; execute.c runs it.  The query of SELECT
 * ... INTO LINK is not parsed here: query.c finds its end, and the grammar
 * begins at INTO.  What is parsed is told by a first token that stands for it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"

#include "catalog/links.h"
#include "errors.h"
#include "statement/parse.h"

/* A syntax error jumps out of the parser: its memory must be PostgreSQL's. */
#define YYMALLOC palloc
#define YYFREE   pfree

/* The location of a rule is that of its first token. */
#define YYLLOC_DEFAULT(Current, Rhs, N) \
	((Current) = (N) ? YYRHSLOC(Rhs, 1) : YYRHSLOC(Rhs, 0))
}

%code {
static void link_yyerror(LINK_YYLTYPE *location, LinkStatement **result, yyscan_t yyscanner,
						 const char *message);
}

%define api.pure full
%define api.prefix {link_yy}
%define api.location.type {int}
/* Errors are found before anything is reduced, so that the words expected there can be told. */
%define parse.error custom
%define lr.default-reduction consistent
%locations
%parse-param {LinkStatement **result}
%parse-param {yyscan_t yyscanner}
%lex-param {yyscan_t yyscanner}
%expect 0

%union
{
	char	   *str;
	bool		boolean;
	Node	   *node;
	List	   *list;
	DefElem    *clause;
	LinkWord	word;
	LinkWord   *role;
	LinkName	link;
	LinkCreateArgs *create;
	LinkAlterArgs *alter;
	LinkClauseChange change;
	struct
	{
		LinkName	link;
		bool		conditional;
	}			target;
	struct
	{
		LinkStatementScope scope;
		LinkName	link;
	}			on;
	LinkStatement *statement;
	LinkPipelineStatement *pipeline;
	LinkPipelineSettings *settings;
	LinkPipelineField *field;
	RangeVar   *table;
	int64		count;
}

/* What the scanner is told to give first. */
%token BEGIN_STATEMENT BEGIN_INTO_LINK

%token <str> WORD STRING DOUBLE_QUOTED BACK_QUOTED NUMBER BARE_KEY SQL_CLAUSE
%token COLONS

%token <str>
	K_ALL "ALL" K_ALTER "ALTER" K_AS "AS" K_BACKUP "BACKUP" K_BATCHES "BATCHES"
	K_BATCH_INTERVAL "BATCH_INTERVAL" K_BY "BY" K_CASCADE "CASCADE" K_CHECK "CHECK"
	K_CLEAR "CLEAR" K_COLUMNS "COLUMNS" K_COMPRESSION "COMPRESSION" K_CONFIG "CONFIG"
	K_CONFLICT "CONFLICT" K_CONSTRAINT "CONSTRAINT" K_CREATE "CREATE" K_CREDENTIALS "CREDENTIALS"
	K_DATA "DATA" K_DATABASE "DATABASE" K_DESCRIPTION "DESCRIPTION" K_DIFFERENTIAL "DIFFERENTIAL"
	K_DROP "DROP" K_DUPLICATE "DUPLICATE"
	K_EARLIEST "EARLIEST" K_ENCLOSED "ENCLOSED" K_ERRORS "ERRORS" K_ESCAPED "ESCAPED"
	K_EXISTS "EXISTS" K_FIELDS "FIELDS" K_FILE "FILE" K_FILES "FILES" K_FOR "FOR" K_FORCE "FORCE"
	K_FOREGROUND "FOREGROUND" K_FORMAT "FORMAT" K_FROM "FROM" K_FULL "FULL" K_GRANT "GRANT"
	K_GRANTS "GRANTS" K_GZIP "GZIP" K_IDENTIFIED "IDENTIFIED" K_IF "IF" K_IGNORE "IGNORE"
	K_INIT "INIT" K_INTO "INTO" K_KAFKA "KAFKA" K_KEY "KEY" K_LATEST "LATEST" K_LIMIT "LIMIT" K_LINES "LINES"
	K_LINK "LINK" K_LINKS "LINKS" K_LIST "LIST" K_LOAD "LOAD" K_LZ4 "LZ4"
	K_MAX_OFFSETS_PER_BATCH_PARTITION "MAX_OFFSETS_PER_BATCH_PARTITION"
	K_MAX_PARTITIONS_PER_BATCH "MAX_PARTITIONS_PER_BATCH"
	K_MAX_RETRIES_PER_BATCH_PARTITION "MAX_RETRIES_PER_BATCH_PARTITION" K_NOT "NOT" K_NULL "NULL"
	K_OFF "OFF" K_OFFSETS "OFFSETS" K_ON "ON" K_OPTION "OPTION" K_OPTIONALLY "OPTIONALLY"
	K_OR "OR" K_ORPHAN "ORPHAN" K_OWNER "OWNER" K_PARSER "PARSER" K_PARTITION "PARTITION"
	K_PIPELINE "PIPELINE" K_PIPELINES "PIPELINES" K_PROCEDURE "PROCEDURE" K_RENAME "RENAME"
	K_REPLACE "REPLACE" K_REQUIRE "REQUIRE" K_RESTORE "RESTORE" K_RESTRICT "RESTRICT"
	K_REVOKE "REVOKE" K_ROLE "ROLE" K_RUNNING "RUNNING" K_SCHEMA "SCHEMA" K_SET "SET"
	K_SHOW "SHOW" K_SKIP "SKIP" K_START "START" K_STARTING "STARTING" K_STOP "STOP"
	K_STOP_ON_ERROR "STOP_ON_ERROR" K_TABLE "TABLE" K_TERMINATED "TERMINATED" K_TEST "TEST"
	K_TO "TO" K_USE "USE" K_WHERE "WHERE" K_WITH "WITH" K_ZSTD "ZSTD"

%type <statement> statement create_link alter_link drop_link grant revoke show look
%type <statement> use export load
%type <statement> create_pipeline alter_pipeline pipeline_change some_settings drop_pipeline
%type <statement> run_pipeline show_pipeline backup restore
%type <pipeline> pipeline_source pipeline_formats
%type <settings> pipeline_settings pipeline_setting
%type <field> field
%type <str> number_setting offsets pipeline_name opt_where opt_on_conflict opt_set_clause
%type <target> new_pipeline old_pipeline idle_pipeline running_pipeline
%type <table> table_name
%type <create> create_clauses
%type <alter> alter_clauses alter_clause
%type <change> change
%type <boolean> opt_or_replace opt_full opt_cascade opt_grant_option opt_force table_or_procedure
%type <boolean> opt_backup_mode
%type <count> skip_kind on_or_off opt_limit foreground opt_file
%type <str> link_type string opt_string text_or_null key unreserved_word any_word privilege
%type <str> link_word name opt_on_schema format_string codec value database opt_as_name
%type <word> word role_word role role_name opt_for_role
%type <role> grantee
%type <link> link_name
%type <target> new_link old_link
%type <on> scope
%type <list> privileges grantees names columns fields json_path opt_json_path
%type <list> export_clauses load_clauses format_clause field_clauses line_clauses
%type <list> options values
%type <clause> field_clause line_clause option
%type <node> option_value number

%%

start:
			BEGIN_STATEMENT statement opt_semicolon
				{
					*result = $2;
					(void) yynerrs;		/* bison only counts it, gcc 16 minds */
				}
			| BEGIN_INTO_LINK export opt_semicolon
				{ *result = $2; }
		;

opt_semicolon:
			%empty
			| ';'
		;

statement:
			create_link
			| alter_link
			| drop_link
			| grant
			| revoke
			| show
			| look
			| use
			| load
			| create_pipeline
			| alter_pipeline
			| drop_pipeline
			| run_pipeline
			| show_pipeline
			| backup
			| restore
		;

/* ---- links ---- */

create_link:
			K_CREATE opt_or_replace K_LINK new_link K_AS link_type create_clauses
				{
					if ($2 && $4.conditional)
						ereport(ERROR,
								(errcode(ERRCODE_SYNTAX_ERROR),
								 errmsg("OR REPLACE and IF NOT EXISTS exclude each other"),
								 link_scanner_errposition(yyscanner, @4)));
					$$ = link_make_statement(LINK_STMT_CREATE, &$4.link);
					$$->u.create = *$7;
					$$->u.create.name = $4.link;
					$$->u.create.type = $6;
					$$->u.create.or_replace = $2;
					$$->u.create.if_not_exists = $4.conditional;
				}
		;

new_link:
			link_name						{ $$.link = $1; $$.conditional = false; }
			| K_IF K_NOT K_EXISTS link_name	{ $$.link = $4; $$.conditional = true; }
		;

link_type:
			word					{ $$ = $1.text; }
			| STRING
		;

opt_or_replace:
			%empty					{ $$ = false; }
			| K_OR K_REPLACE		{ $$ = true; }
		;

create_clauses:
			%empty
				{ $$ = palloc0(sizeof(LinkCreateArgs)); }
			| create_clauses K_CREDENTIALS string
				{
					link_set_once(&$1->credentials, $3, "CREDENTIALS", @2, yyscanner);
					$$ = $1;
				}
			| create_clauses K_CONFIG string
				{
					link_set_once(&$1->config, $3, "CONFIG", @2, yyscanner);
					$$ = $1;
				}
			| create_clauses K_DESCRIPTION string
				{
					link_set_once(&$1->description, $3, "DESCRIPTION", @2, yyscanner);
					$$ = $1;
				}
		;

alter_link:
			K_ALTER K_LINK link_name alter_clauses
				{
					$$ = link_make_statement(LINK_STMT_ALTER, &$3);
					$$->u.alter = *$4;
					$$->u.alter.name = $3;
				}
			| K_ALTER K_LINK link_name K_RENAME K_TO link_word
				{
					$$ = link_make_statement(LINK_STMT_RENAME, &$3);
					$$->u.new_name = $6;
				}
			| K_ALTER K_LINK link_name K_SET K_SCHEMA name
				{
					$$ = link_make_statement(LINK_STMT_SET_SCHEMA, &$3);
					$$->u.new_name = $6;
				}
			| K_ALTER K_LINK link_name K_OWNER K_TO role
				{
					$$ = link_make_statement(LINK_STMT_SET_OWNER, &$3);
					$$->u.role = $6;
				}
		;

alter_clauses:
			alter_clause
			| alter_clauses alter_clause	{ $$ = link_merge_alter($1, $2, @2, yyscanner); }
		;

alter_clause:
			K_SET K_CONFIG change
				{
					$$ = palloc0(sizeof(LinkAlterArgs));
					$$->config = $3;
				}
			| K_SET K_CREDENTIALS change
				{
					$$ = palloc0(sizeof(LinkAlterArgs));
					$$->credentials = $3;
				}
			| K_SET K_DESCRIPTION text_or_null
				{
					$$ = palloc0(sizeof(LinkAlterArgs));
					$$->description_given = true;
					$$->description = $3;
				}
		;

change:
			string
				{
					memset(&$$, 0, sizeof($$));
					$$.given = true;
					$$.json = $1;
				}
			| key '=' text_or_null
				{
					memset(&$$, 0, sizeof($$));
					$$.given = true;
					$$.key = $1;
					$$.value = $3;
				}
		;

/* Keys are compared as they are typed, like those in JSON. */
key:
			BARE_KEY
			| COLONS word			{ $$ = $2.text; }
			| COLONS STRING			{ $$ = $2; }
		;

drop_link:
			K_DROP K_LINK old_link opt_cascade
				{
					$$ = link_make_statement(LINK_STMT_DROP, &$3.link);
					$$->u.drop.if_exists = $3.conditional;
					$$->u.drop.cascade = $4;
				}
		;

old_link:
			link_name					{ $$.link = $1; $$.conditional = false; }
			| K_IF K_EXISTS link_name	{ $$.link = $3; $$.conditional = true; }
		;

opt_cascade:
			%empty					{ $$ = false; }
			| K_RESTRICT			{ $$ = false; }
			| K_CASCADE				{ $$ = true; }
		;

/* ---- privileges ---- */

grant:
			K_GRANT privileges K_ON scope K_TO grantees opt_grant_option
				{
					$$ = link_make_statement(LINK_STMT_GRANT, &$4.link);
					$$->u.grant.privileges = $2;
					$$->u.grant.scope = $4.scope;
					$$->u.grant.grantees = $6;
					$$->u.grant.grant_option = $7;
				}
		;

revoke:
			K_REVOKE privileges K_ON scope K_FROM grantees opt_cascade
				{
					$$ = link_make_statement(LINK_STMT_REVOKE, &$4.link);
					$$->u.grant.privileges = $2;
					$$->u.grant.scope = $4.scope;
					$$->u.grant.grantees = $6;
					$$->u.grant.cascade = $7;
				}
			| K_REVOKE K_GRANT K_OPTION K_FOR privileges K_ON scope K_FROM grantees opt_cascade
				{
					$$ = link_make_statement(LINK_STMT_REVOKE, &$7.link);
					$$->u.grant.privileges = $5;
					$$->u.grant.scope = $7.scope;
					$$->u.grant.grantees = $9;
					$$->u.grant.grant_option = true;
					$$->u.grant.cascade = $10;
				}
		;

privileges:
			privilege					{ $$ = list_make1($1); }
			| privileges ',' privilege	{ $$ = lappend($1, $3); }
		;

/* Any words, so that the catalog says which of them are none of its privileges. */
privilege:
			any_word
			| privilege any_word		{ $$ = psprintf("%s %s", $1, $2); }
		;

scope:
			'*' '.' '*'
				{ memset(&$$, 0, sizeof($$)); }
			| '*'
				{
					memset(&$$, 0, sizeof($$));
					$$.scope.current_schema = true;
				}
			| name '.' '*'
				{
					memset(&$$, 0, sizeof($$));
					$$.scope.namespace = $1;
				}
			| K_LINK link_name
				{
					memset(&$$, 0, sizeof($$));
					$$.scope.on_link = true;
					$$.link = $2;
				}
			| name
				{ link_refuse_scope(@1, yyscanner); }
			| name '.' link_word
				{ link_refuse_scope(@1, yyscanner); }
		;

grantees:
			grantee						{ $$ = list_make1($1); }
			| grantees ',' grantee		{ $$ = lappend($1, $3); }
		;

grantee:
			role
				{
					$$ = palloc(sizeof(LinkWord));
					*$$ = $1;
				}
			| role K_IDENTIFIED
				{ link_refuse_account("IDENTIFIED BY"); }
			| role K_REQUIRE
				{ link_refuse_account("REQUIRE"); }
		;

/* SingleStore's accounts are of a host; a role is of all of them. */
role:
			role_name
			| K_ROLE role_name			{ $$ = $2; }
			| role_name '@' STRING
				{
					if (strcmp($3, "%") != 0)
						link_refuse_host(@3, yyscanner);
					$$ = $1;
				}
			| role_name '@' word
				{
					if (strcmp($3.text, "%") != 0)
						link_refuse_host(@3, yyscanner);
					$$ = $1;
				}
		;

role_name:
			role_word
				{
					link_check_identifier(&$1, @1, yyscanner);
					$$ = $1;
				}
		;

/* No bare ROLE: the word after it could be a role or a clause. */
role_word:
			WORD				{ $$.text = $1; $$.quoted = false; }
			| unreserved_word	{ $$.text = $1; $$.quoted = false; }
			| DOUBLE_QUOTED		{ $$.text = $1; $$.quoted = true; }
			| BACK_QUOTED		{ $$.text = $1; $$.quoted = true; }
			| STRING			{ $$.text = $1; $$.quoted = true; }
		;

opt_grant_option:
			%empty						{ $$ = false; }
			| K_WITH K_GRANT K_OPTION	{ $$ = true; }
		;

/* ---- looking ---- */

show:
			K_SHOW opt_full K_LINKS opt_on_schema
				{
					$$ = link_make_statement(LINK_STMT_SHOW_LINKS, NULL);
					$$->u.show.full = $2;
					$$->u.show.namespace = $4;
				}
			| K_SHOW K_CREATE K_LINK link_name
				{ $$ = link_make_statement(LINK_STMT_SHOW_CREATE, &$4); }
			| K_SHOW K_GRANTS opt_for_role
				{
					$$ = link_make_statement(LINK_STMT_SHOW_GRANTS, NULL);
					$$->u.role = $3;
				}
		;

opt_full:
			%empty					{ $$ = false; }
			| K_FULL				{ $$ = true; }
		;

opt_on_schema:
			%empty					{ $$ = NULL; }
			| K_ON '*'				{ $$ = NULL; }
			| K_ON name				{ $$ = $2; }
		;

opt_for_role:
			%empty					{ $$.text = NULL; $$.quoted = false; }
			| K_FOR role			{ $$ = $2; }
		;

look:
			K_CHECK K_LINK link_name opt_string
				{
					$$ = link_make_statement(LINK_STMT_CHECK, &$3);
					$$->u.path = $4;
				}
			| K_LIST K_LINK link_name string
				{
					$$ = link_make_statement(LINK_STMT_LIST, &$3);
					$$->u.path = $4;
				}
		;

use:
			K_USE name
				{
					$$ = link_make_statement(LINK_STMT_USE, NULL);
					$$->u.schema = $2;
				}
		;

/* ---- moving rows ---- */

export:
			K_INTO K_LINK link_name string export_clauses
				{
					$$ = link_make_statement(LINK_STMT_EXPORT, &$3);
					$$->u.transfer.path = $4;
					$$->u.transfer.clauses = $5;
				}
		;

load:
			K_LOAD K_DATA K_LINK link_name string K_INTO K_TABLE table_name load_clauses
				{
					$$ = link_make_statement(LINK_STMT_LOAD, &$4);
					$$->u.transfer.path = $5;
					$$->u.transfer.table = $8;
					$$->u.transfer.clauses = $9;
				}
		;

table_name:
			name					{ $$ = makeRangeVar(NULL, $1, @1); }
			| name '.' name			{ $$ = makeRangeVar($1, $3, @1); }
		;

export_clauses:
			%empty
				{ $$ = NIL; }
			| export_clauses format_clause
				{ $$ = link_add_clauses($1, $2, yyscanner); }
			| export_clauses K_KAFKA K_KEY name
				{ $$ = link_add_clause($1, link_string_clause(LINK_CLAUSE_KEY, $4, @2), yyscanner); }
		;

load_clauses:
			%empty
				{ $$ = NIL; }
			| load_clauses format_clause
				{ $$ = link_add_clauses($1, $2, yyscanner); }
			| load_clauses K_IGNORE NUMBER K_LINES
				{ $$ = link_add_clause($1, makeDefElem(LINK_CLAUSE_IGNORE, link_make_number($3), @2), yyscanner); }
			| load_clauses columns
				{ $$ = link_add_clause($1, makeDefElem(LINK_CLAUSE_COLUMNS, (Node *) $2, @2), yyscanner); }
		;

columns:
			'(' names ')'			{ $$ = $2; }
		;

names:
			name					{ $$ = list_make1(makeString($1)); }
			| names ',' name		{ $$ = lappend($1, makeString($3)); }
		;

format_clause:
			K_FIELDS field_clauses
				{ $$ = $2; }
			| K_COLUMNS field_clauses
				{ $$ = $2; }
			| K_LINES line_clauses
				{ $$ = $2; }
			| K_FORMAT word
				{ $$ = list_make1(link_string_clause(LINK_CLAUSE_FORMAT, $2.text, @1)); }
			| K_FORMAT STRING
				{ $$ = list_make1(link_string_clause(LINK_CLAUSE_FORMAT, $2, @1)); }
			| K_WITH K_COMPRESSION codec
				{ $$ = list_make1(link_string_clause(LINK_CLAUSE_COMPRESSION, $3, @1)); }
			| K_WITH '(' options ')'
				{ $$ = list_make1(makeDefElem(LINK_CLAUSE_OPTIONS, (Node *) $3, @1)); }
		;

field_clauses:
			field_clause					{ $$ = list_make1($1); }
			| field_clauses field_clause	{ $$ = link_add_clause($1, $2, yyscanner); }
		;

field_clause:
			K_TERMINATED K_BY format_string
				{ $$ = link_string_clause(LINK_CLAUSE_TERMINATED, $3, @1); }
			| K_ENCLOSED K_BY format_string
				{ $$ = link_string_clause(LINK_CLAUSE_ENCLOSED, $3, @1); }
			| K_OPTIONALLY K_ENCLOSED K_BY format_string
				{
					$$ = link_string_clause(LINK_CLAUSE_ENCLOSED, $4, @1);
					$$->defnamespace = "OPTIONALLY";
				}
			| K_ESCAPED K_BY format_string
				{ $$ = link_string_clause(LINK_CLAUSE_ESCAPED, $3, @1); }
		;

line_clauses:
			line_clause						{ $$ = list_make1($1); }
			| line_clauses line_clause		{ $$ = link_add_clause($1, $2, yyscanner); }
		;

line_clause:
			K_STARTING K_BY format_string
				{ $$ = link_string_clause(LINK_CLAUSE_LINE_START, $3, @1); }
			| K_TERMINATED K_BY format_string
				{ $$ = link_string_clause(LINK_CLAUSE_LINE_END, $3, @1); }
		;

/* SingleStore's own choice is gzip. */
codec:
			%empty					{ $$ = "gzip"; }
			| K_GZIP				{ $$ = "gzip"; }
			| K_ZSTD				{ $$ = "zstd"; }
			| K_LZ4					{ $$ = "lz4"; }
		;

options:
			option					{ $$ = list_make1($1); }
			| options ',' option	{ $$ = lappend($1, $3); }
		;

/* As in COPY the equals sign may be left out, and a bare name is true. */
option:
			name
				{ $$ = makeDefElem($1, NULL, @1); }
			| name option_value
				{ $$ = makeDefElem($1, $2, @1); }
			| name '=' option_value
				{ $$ = makeDefElem($1, $3, @1); }
		;

option_value:
			value					{ $$ = (Node *) makeString($1); }
			| number
			| '(' values ')'		{ $$ = (Node *) $2; }
			| '*'					{ $$ = (Node *) list_make1(makeString("*")); }
		;

/* Strings all, as users of the options expect of a list. */
values:
			value					{ $$ = list_make1(makeString($1)); }
			| values ',' value		{ $$ = lappend($1, makeString($3)); }
			| '*'					{ $$ = list_make1(makeString("*")); }
		;

value:
			word					{ $$ = link_fold_word(&$1); }
			| STRING
		;

number:
			NUMBER					{ $$ = link_make_number($1); }
			| '+' NUMBER			{ $$ = link_make_number($2); }
			| '-' NUMBER			{ $$ = link_make_number(psprintf("-%s", $2)); }
		;

/* ---- pipelines ---- */

create_pipeline:
			K_CREATE opt_or_replace K_PIPELINE new_pipeline opt_force
			K_AS K_LOAD K_DATA K_LINK link_name pipeline_source
			opt_set_clause opt_where opt_on_conflict
				{
					if ($2 && $4.conditional)
						ereport(ERROR,
								(errcode(ERRCODE_SYNTAX_ERROR),
								 errmsg("OR REPLACE and IF NOT EXISTS exclude each other"),
								 link_scanner_errposition(yyscanner, @4)));
					$$ = link_make_statement(LINK_STMT_CREATE_PIPELINE, &$10);
					$$->u.pipeline = *$11;
					$$->u.pipeline.name = $4.link.name;
					$$->u.pipeline.or_replace = $2;
					$$->u.pipeline.conditional = $4.conditional;
					$$->u.pipeline.force = $5;
					$$->u.pipeline.set_clause = $12;
					$$->u.pipeline.where_clause = $13;
					$$->u.pipeline.on_conflict = $14;
				}
		;

opt_force:
			%empty					{ $$ = false; }
			| K_FORCE				{ $$ = true; }
		;

pipeline_source:
			string pipeline_settings K_INTO pipeline_formats
				{
					$$ = $4;
					$$->path = $1;
					$$->settings = *$2;
				}
		;

pipeline_settings:
			%empty
				{ $$ = palloc0(sizeof(LinkPipelineSettings)); }
			| pipeline_settings pipeline_setting
				{ $$ = link_merge_settings($1, $2, @2, yyscanner); }
		;

pipeline_setting:
			number_setting NUMBER
				{ $$ = link_make_setting($1, link_make_count($2, @2, yyscanner)); }
			| K_SKIP skip_kind K_ERRORS
				{ $$ = link_make_setting($1, $2); }
			| K_STOP_ON_ERROR on_or_off
				{ $$ = link_make_setting($1, $2); }
		;

number_setting:
			K_BATCH_INTERVAL
			| K_MAX_PARTITIONS_PER_BATCH
			| K_MAX_RETRIES_PER_BATCH_PARTITION
			| K_MAX_OFFSETS_PER_BATCH_PARTITION
		;

skip_kind:
			K_ALL					{ $$ = LINK_SKIP_ALL; }
			| K_CONSTRAINT			{ $$ = LINK_SKIP_CONSTRAINT; }
			| K_DUPLICATE K_KEY		{ $$ = LINK_SKIP_DUPLICATE_KEY; }
			| K_PARSER				{ $$ = LINK_SKIP_PARSER; }
		;

on_or_off:
			K_ON					{ $$ = true; }
			| K_OFF					{ $$ = false; }
		;

table_or_procedure:
			K_TABLE					{ $$ = false; }
			| K_PROCEDURE			{ $$ = true; }
		;

pipeline_formats:
			table_or_procedure table_name
				{
					$$ = palloc0(sizeof(LinkPipelineStatement));
					$$->procedure = $1;
					$$->target = $2;
				}
			| pipeline_formats format_clause
				{
					$$ = $1;
					$$->clauses = link_add_clauses($$->clauses, $2, yyscanner);
				}
			| pipeline_formats K_IGNORE NUMBER K_LINES
				{
					$$ = $1;
					$$->clauses = link_add_clause($$->clauses,
												  makeDefElem(LINK_CLAUSE_IGNORE, link_make_number($3), @2),
												  yyscanner);
				}
			| pipeline_formats '(' fields ')'
				{
					$$ = $1;
					if ($$->fields != NIL)
						link_refuse_repeated(LINK_CLAUSE_COLUMNS, @2, yyscanner);
					$$->fields = $3;
				}
		;

fields:
			field					{ $$ = list_make1($1); }
			| fields ',' field		{ $$ = lappend($1, $3); }
		;

field:
			word opt_json_path			{ $$ = link_make_field(&$1, false, $2, @1, yyscanner); }
			| '@' word opt_json_path	{ $$ = link_make_field(&$2, true, $3, @2, yyscanner); }
		;

opt_json_path:
			%empty					{ $$ = NIL; }
			| '<' '-' json_path		{ $$ = $3; }
		;

json_path:
			word					{ $$ = list_make1($1.text); }
			| json_path key			{ $$ = lappend($1, $2); }
		;

/* SQL, which has other rules: the scanner gives it whole. */
opt_set_clause:
			%empty							{ $$ = NULL; }
			| K_SET until_where SQL_CLAUSE	{ $$ = $3; }
		;

until_where:
			%empty					{ link_scanner_take_clause(yyscanner, link_until_where); }
		;

opt_where:
			%empty							{ $$ = NULL; }
			| K_WHERE until_on SQL_CLAUSE	{ $$ = $3; }
		;

until_on:
			%empty					{ link_scanner_take_clause(yyscanner, link_until_on); }
		;

opt_on_conflict:
			%empty										{ $$ = NULL; }
			| K_ON K_CONFLICT until_end SQL_CLAUSE		{ $$ = $4; }
			| K_ON K_DUPLICATE
				{
					link_refuse_duplicate_key(@1, yyscanner);
					$$ = NULL;
				}
		;

until_end:
			%empty					{ link_scanner_take_clause(yyscanner, link_until_end); }
		;

alter_pipeline:
			K_ALTER K_PIPELINE pipeline_name pipeline_change
				{
					$$ = $4;
					$$->u.pipeline.name = $3;
				}
		;

pipeline_change:
			K_SET some_settings
				{ $$ = $2; }
			| some_settings
			| K_SET K_OFFSETS offsets
				{ $$ = link_make_pipeline(LINK_STMT_SET_PIPELINE_OFFSETS, NULL, $3); }
			| K_DROP K_FILE string
				{ $$ = link_make_pipeline(LINK_STMT_DROP_PIPELINE_FILE, NULL, $3); }
			| K_DROP K_ORPHAN K_FILES
				{ $$ = link_make_pipeline(LINK_STMT_DROP_ORPHAN_FILES, NULL, NULL); }
			| K_DROP K_PARTITION string
				{ $$ = link_make_pipeline(LINK_STMT_DROP_PIPELINE_PARTITION, NULL, $3); }
			| K_CLEAR K_ERRORS
				{ $$ = link_make_pipeline(LINK_STMT_CLEAR_PIPELINE_ERRORS, NULL, NULL); }
			| K_RENAME K_TO pipeline_name
				{ $$ = link_make_pipeline(LINK_STMT_RENAME_PIPELINE, NULL, $3); }
			| K_OWNER K_TO role
				{
					$$ = link_make_pipeline(LINK_STMT_SET_PIPELINE_OWNER, NULL, NULL);
					$$->u.pipeline.role = $3;
				}
		;

some_settings:
			pipeline_setting pipeline_settings
				{
					$$ = link_make_pipeline(LINK_STMT_ALTER_PIPELINE, NULL, NULL);
					$$->u.pipeline.settings = *link_merge_settings($2, $1, @1, yyscanner);
				}
		;

offsets:
			K_EARLIEST
			| K_LATEST
			| string
		;

drop_pipeline:
			K_DROP K_PIPELINE old_pipeline
				{
					$$ = link_make_pipeline(LINK_STMT_DROP_PIPELINE, $3.link.name, NULL);
					$$->u.pipeline.conditional = $3.conditional;
				}
		;

run_pipeline:
			K_START K_PIPELINE idle_pipeline foreground
				{
					$$ = link_make_pipeline(LINK_STMT_START_PIPELINE, $3.link.name, NULL);
					$$->u.pipeline.conditional = $3.conditional;
					$$->u.pipeline.foreground = $4 >= 0;
					$$->u.pipeline.limit = $4;
				}
			| K_START K_ALL K_PIPELINES
				{ $$ = link_make_pipeline(LINK_STMT_START_PIPELINE, NULL, NULL); }
			| K_STOP K_PIPELINE running_pipeline
				{
					$$ = link_make_pipeline(LINK_STMT_STOP_PIPELINE, $3.link.name, NULL);
					$$->u.pipeline.conditional = $3.conditional;
				}
			| K_STOP K_ALL K_PIPELINES
				{ $$ = link_make_pipeline(LINK_STMT_STOP_PIPELINE, NULL, NULL); }
			| K_TEST K_PIPELINE pipeline_name opt_limit
				{
					$$ = link_make_pipeline(LINK_STMT_TEST_PIPELINE, $3, NULL);
					$$->u.pipeline.limit = $4;
				}
		;

/* How many batches at most, 0: any number; -1: in the background. */
foreground:
			%empty									{ $$ = -1; }
			| K_FOREGROUND							{ $$ = 0; }
			| K_FOREGROUND K_LIMIT NUMBER K_BATCHES	{ $$ = link_make_count($3, @3, yyscanner); }
		;

/* SingleStore shows one row if nothing is said. */
opt_limit:
			%empty					{ $$ = 1; }
			| K_LIMIT NUMBER		{ $$ = link_make_count($2, @2, yyscanner); }
		;

show_pipeline:
			K_SHOW K_PIPELINES
				{ $$ = link_make_pipeline(LINK_STMT_SHOW_PIPELINES, NULL, NULL); }
			| K_SHOW K_CREATE K_PIPELINE pipeline_name
				{ $$ = link_make_pipeline(LINK_STMT_SHOW_CREATE_PIPELINE, $4, NULL); }
		;

pipeline_name:
			word
				{
					link_check_identifier(&$1, @1, yyscanner);
					link_check_plain_name("pipeline", $1.text);
					$$ = $1.text;
				}
		;

new_pipeline:
			pipeline_name						{ $$.link.name = $1; $$.conditional = false; }
			| K_IF K_NOT K_EXISTS pipeline_name	{ $$.link.name = $4; $$.conditional = true; }
		;

old_pipeline:
			pipeline_name						{ $$.link.name = $1; $$.conditional = false; }
			| K_IF K_EXISTS pipeline_name		{ $$.link.name = $3; $$.conditional = true; }
		;

idle_pipeline:
			pipeline_name						{ $$.link.name = $1; $$.conditional = false; }
			| K_IF K_NOT K_RUNNING pipeline_name	{ $$.link.name = $4; $$.conditional = true; }
		;

running_pipeline:
			pipeline_name						{ $$.link.name = $1; $$.conditional = false; }
			| K_IF K_RUNNING pipeline_name		{ $$.link.name = $3; $$.conditional = true; }
		;

/* ---- backups ---- */

backup:
			K_BACKUP database opt_backup_mode K_TO K_LINK link_name string
				{
					$$ = link_make_statement(LINK_STMT_BACKUP, &$6);
					$$->u.backup.database = $2;
					$$->u.backup.differential = $3;
					$$->u.backup.path = $7;
				}
		;

restore:
			K_RESTORE database opt_as_name K_FROM K_LINK link_name string opt_file
				{
					$$ = link_make_statement(LINK_STMT_RESTORE, &$6);
					$$->u.backup.database = $2;
					$$->u.backup.new_name = $3;
					$$->u.backup.path = $7;
					$$->u.backup.id = $8;
				}
		;

/* The word may be a name too: what follows tells. */
database:
			name
			| K_DATABASE name		{ $$ = $2; }
		;

opt_backup_mode:
			%empty					{ $$ = false; }
			| K_WITH K_INIT			{ $$ = false; }
			| K_WITH K_DIFFERENTIAL	{ $$ = true; }
		;

opt_as_name:
			%empty					{ $$ = NULL; }
			| K_AS name				{ $$ = $2; }
		;

/* The id of a backup; 0: the newest. */
opt_file:
			%empty					{ $$ = 0; }
			| K_WITH K_FILE '=' NUMBER
				{
					$$ = link_make_count($4, @4, yyscanner);
					if ($$ <= 0)
						ereport(ERROR,
								(errcode(ERRCODE_LINK_BAD_OPTION),
								 errmsg("a backup id must be positive"),
								 link_scanner_errposition(yyscanner, @4)));
				}
		;

/* ---- names and strings ---- */

link_name:
			link_word
				{
					$$.namespace = NULL;
					$$.name = $1;
				}
			| name '.' link_word
				{
					$$.namespace = $1;
					$$.name = $3;
				}
		;

/* A link's own name is kept as typed. */
link_word:
			word
				{
					LinkName	link = {NULL, $1.text};

					link_check_identifier(&$1, @1, yyscanner);
					link_check_name(&link);
					$$ = $1.text;
				}
		;

/* Others are by SQL's identifier rules. */
name:
			word
				{
					link_check_identifier(&$1, @1, yyscanner);
					$$ = link_fold_word(&$1);
				}
		;

word:
			any_word				{ $$.text = $1; $$.quoted = false; }
			| DOUBLE_QUOTED			{ $$.text = $1; $$.quoted = true; }
			| BACK_QUOTED			{ $$.text = $1; $$.quoted = true; }
		;

string:
			STRING
			| DOUBLE_QUOTED
		;

opt_string:
			%empty					{ $$ = NULL; }
			| string
		;

text_or_null:
			string
			| K_NULL				{ $$ = NULL; }
		;

format_string:
			string					{ $$ = link_unescape($1, @1, yyscanner); }
		;

any_word:
			WORD
			| unreserved_word
			| K_ROLE
		;

/* All keywords but AS, FOR, FROM, GRANT, INTO, ON, ROLE, TABLE, TO, WITH, as in SQL. */
unreserved_word:
			K_ALL | K_ALTER | K_BACKUP | K_BATCHES | K_BATCH_INTERVAL | K_BY | K_CASCADE | K_CHECK
			| K_CLEAR | K_COLUMNS | K_COMPRESSION | K_CONFIG | K_CONFLICT | K_CONSTRAINT | K_CREATE
			| K_CREDENTIALS | K_DATA | K_DATABASE | K_DESCRIPTION | K_DIFFERENTIAL | K_DROP
			| K_DUPLICATE | K_EARLIEST | K_ENCLOSED | K_ERRORS | K_ESCAPED | K_EXISTS | K_FIELDS | K_FILE | K_FILES | K_FORCE
			| K_FOREGROUND | K_FORMAT | K_FULL | K_GRANTS | K_GZIP | K_IDENTIFIED | K_IF | K_IGNORE | K_INIT
			| K_KAFKA | K_KEY | K_LATEST | K_LIMIT | K_LINES | K_LINK | K_LINKS | K_LIST | K_LOAD
			| K_LZ4 | K_MAX_OFFSETS_PER_BATCH_PARTITION | K_MAX_PARTITIONS_PER_BATCH
			| K_MAX_RETRIES_PER_BATCH_PARTITION | K_NOT | K_NULL | K_OFF | K_OFFSETS | K_OPTION
			| K_OPTIONALLY | K_OR | K_ORPHAN | K_OWNER | K_PARSER | K_PARTITION | K_PIPELINE
			| K_PIPELINES | K_PROCEDURE | K_RENAME | K_REPLACE | K_REQUIRE | K_RESTORE | K_RESTRICT
			| K_REVOKE | K_RUNNING | K_SCHEMA | K_SET | K_SHOW | K_SKIP | K_START | K_STARTING
			| K_STOP | K_STOP_ON_ERROR | K_TERMINATED | K_TEST | K_USE | K_WHERE | K_ZSTD
		;

%%

/* Only for what is no syntax error. */
static void
link_yyerror(LINK_YYLTYPE *location, LinkStatement **result, yyscan_t yyscanner,
			 const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
			 errmsg("statement is too complex: %s", message)));
}

static int
yyreport_syntax_error(const yypcontext_t *context, LinkStatement **result, yyscan_t yyscanner)
{
	yysymbol_kind_t kinds[YYNTOKENS];
	const char *expected[YYNTOKENS + 1];
	int			n = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
	int			n_words = 0;

	for (int i = 0; i < n; i++)
	{
		const char *name = yysymbol_name(kinds[i]);

		/* anything is near to a short one */
		if (strlen(name) > 3 && link_scanner_keyword(name, strlen(name)) != 0)
			expected[n_words++] = name;
	}
	expected[n_words] = NULL;
	link_scanner_syntax_error(yyscanner, *yypcontext_location(context), expected);
	return 0;
}
