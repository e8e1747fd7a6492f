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
 * Here is what all statements share; the Makefile puts their rules, which are in
 * grammar/, one file for what they are about, behind those of this file.
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
