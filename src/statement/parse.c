/*-------------------------------------------------------------------------
 *
 * parse.c
 *	  From text to LinkStatement: the entry, and what the grammar's actions call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "parser/scansup.h"

#include "errors.h"
#include "statement/parse.h"

/* It needs the types of the headers above. */
#include "link_gram.h"

const char *const link_until_where[] = {"where", "on", NULL};
const char *const link_until_on[] = {"on", NULL};
const char *const link_until_end[] = {NULL};

LinkStatement *
link_parse_statement(const char *text)
{
	LinkStatement *statement = NULL;
	int			start = link_query_start(text);
	bool		query = link_query_begins(text + start);
	int			offset = query ? link_query_end(text, start) : 0;
	yyscan_t	yyscanner;

	yyscanner = link_scanner_begin(text, offset, query ? BEGIN_INTO_LINK : BEGIN_STATEMENT);
	if (link_yyparse(&statement, yyscanner) != 0)
		elog(ERROR, "link_yyparse() failed without an error");
	link_scanner_end(yyscanner);

	if (query)
	{
		statement->u.transfer.query = pnstrdup(text + start, offset - start);
		statement->u.transfer.query_offset = start;
	}
	return statement;
}

LinkStatement *
link_make_statement(LinkStatementKind kind, const LinkName *link)
{
	LinkStatement *statement = palloc0(sizeof(LinkStatement));

	statement->kind = kind;
	if (link)
		statement->link = *link;
	return statement;
}

LinkStatement *
link_make_pipeline(LinkStatementKind kind, const char *name, const char *text)
{
	LinkStatement *statement = link_make_statement(kind, NULL);

	statement->u.pipeline.name = name;
	statement->u.pipeline.text = text;
	return statement;
}

LinkPipelineSettings *
link_make_setting(const char *name, int64 value)
{
	LinkPipelineSettings *settings = palloc0(sizeof(LinkPipelineSettings));

	if (pg_strcasecmp(name, "BATCH_INTERVAL") == 0)
	{
		settings->batch_interval_given = true;
		settings->batch_interval = value;
	}
	else if (pg_strcasecmp(name, "MAX_PARTITIONS_PER_BATCH") == 0)
	{
		settings->max_partitions_given = true;
		settings->max_partitions = value;
	}
	else if (pg_strcasecmp(name, "MAX_RETRIES_PER_BATCH_PARTITION") == 0)
	{
		settings->max_retries_given = true;
		settings->max_retries = value;
	}
	else if (pg_strcasecmp(name, "MAX_OFFSETS_PER_BATCH_PARTITION") == 0)
	{
		settings->max_offsets_given = true;
		settings->max_offsets = value;
	}
	else if (pg_strcasecmp(name, "SKIP") == 0)
	{
		settings->skip_given = true;
		settings->skip = (int) value;
	}
	else
	{
		settings->stop_on_error_given = true;
		settings->stop_on_error = value != 0;
	}
	return settings;
}

void
link_refuse_repeated(const char *name, int location, yyscan_t yyscanner)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("%s is given more than once", name),
			 link_scanner_errposition(yyscanner, location)));
}

void
link_set_once(const char **clause, const char *value, const char *name,
			  int location, yyscan_t yyscanner)
{
	if (*clause != NULL)
		link_refuse_repeated(name, location, yyscanner);
	*clause = value;
}

LinkAlterArgs *
link_merge_alter(LinkAlterArgs *args, const LinkAlterArgs *more, int location, yyscan_t yyscanner)
{
	if (args->config.given && more->config.given)
		link_refuse_repeated("CONFIG", location, yyscanner);
	if (args->credentials.given && more->credentials.given)
		link_refuse_repeated("CREDENTIALS", location, yyscanner);
	if (args->description_given && more->description_given)
		link_refuse_repeated("DESCRIPTION", location, yyscanner);
	if (more->config.given)
		args->config = more->config;
	if (more->credentials.given)
		args->credentials = more->credentials;
	if (more->description_given)
	{
		args->description_given = true;
		args->description = more->description;
	}
	return args;
}

LinkPipelineSettings *
link_merge_settings(LinkPipelineSettings *settings, const LinkPipelineSettings *more,
					int location, yyscan_t yyscanner)
{
#define MERGE(member, name) \
	do { \
		if (more->member##_given) \
		{ \
			if (settings->member##_given) \
				link_refuse_repeated(name, location, yyscanner); \
			settings->member##_given = true; \
			settings->member = more->member; \
		} \
	} while (0)

	MERGE(batch_interval, "BATCH_INTERVAL");
	MERGE(max_partitions, "MAX_PARTITIONS_PER_BATCH");
	MERGE(max_retries, "MAX_RETRIES_PER_BATCH_PARTITION");
	MERGE(max_offsets, "MAX_OFFSETS_PER_BATCH_PARTITION");
	MERGE(stop_on_error, "STOP_ON_ERROR");
#undef MERGE
	if (more->skip_given)
	{
		settings->skip_given = true;
		settings->skip |= more->skip;
	}
	return settings;
}

int64
link_make_count(const char *digits, int location, yyscan_t yyscanner)
{
	char	   *end;
	int64		value;

	errno = 0;
	value = strtoi64(digits, &end, 10);
	if (errno != 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number is too large"),
				 link_scanner_errposition(yyscanner, location)));
	return value;
}

LinkPipelineField *
link_make_field(const LinkWord *word, bool variable, List *path, int location, yyscan_t yyscanner)
{
	LinkPipelineField *field = palloc(sizeof(LinkPipelineField));

	link_check_identifier(word, location, yyscanner);
	field->name = link_fold_word(word);
	if (variable)
		field->name = psprintf("@%s", field->name);
	if (strlen(field->name) >= NAMEDATALEN || (!variable && field->name[0] == '@'))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name of a field"),
				 link_scanner_errposition(yyscanner, location)));
	field->path = path;
	return field;
}

List *
link_add_clause(List *clauses, DefElem *clause, yyscan_t yyscanner)
{
	ListCell   *cell;

	foreach(cell, clauses)
		if (strcmp(lfirst_node(DefElem, cell)->defname, clause->defname) == 0)
			link_refuse_repeated(clause->defname, clause->location, yyscanner);
	return lappend(clauses, clause);
}

List *
link_add_clauses(List *clauses, List *more, yyscan_t yyscanner)
{
	ListCell   *cell;

	foreach(cell, more)
		clauses = link_add_clause(clauses, lfirst(cell), yyscanner);
	return clauses;
}

DefElem *
link_string_clause(const char *name, char *value, int location)
{
	return makeDefElem(unconstify(char *, name), (Node *) makeString(value), location);
}

char *
link_fold_word(const LinkWord *word)
{
	return word->quoted ? word->text :
		downcase_identifier(word->text, strlen(word->text), false, false);
}

/* Not cut as core cuts them: nothing of this length exists. */
void
link_check_identifier(const LinkWord *word, int location, yyscan_t yyscanner)
{
	if (word->text[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("zero-length quoted identifier"),
				 link_scanner_errposition(yyscanner, location)));
	if (strlen(word->text) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("identifier is too long"),
				 errdetail("A name has at most %d bytes.", NAMEDATALEN - 1),
				 link_scanner_errposition(yyscanner, location)));
}

/* SingleStore's escapes.  A backslash alone is what ESCAPED BY '\' of others means. */
char *
link_unescape(const char *string, int location, yyscan_t yyscanner)
{
	StringInfoData out;

	if (strcmp(string, "\\") == 0)
		return pstrdup(string);
	initStringInfo(&out);
	for (const char *p = string; *p != '\0'; p++)
	{
		if (*p != '\\')
		{
			appendStringInfoChar(&out, *p);
			continue;
		}
		switch (*++p)
		{
			case 't':
				appendStringInfoChar(&out, '\t');
				break;
			case 'n':
				appendStringInfoChar(&out, '\n');
				break;
			case 'r':
				appendStringInfoChar(&out, '\r');
				break;
			case '\\':
				appendStringInfoChar(&out, '\\');
				break;
			case '0':
				ereport(ERROR,
						(errcode(ERRCODE_LINK_UNSUPPORTED),
						 errmsg("a zero byte cannot separate, enclose or escape"),
						 link_scanner_errposition(yyscanner, location)));
				break;
			default:
				ereport(ERROR,
						(errcode(ERRCODE_SYNTAX_ERROR),
						 errmsg("invalid escape sequence in a format clause"),
						 errhint("Escape sequences are \\t, \\n, \\r, \\0 and \\\\; a quote is doubled."),
						 link_scanner_errposition(yyscanner, location)));
		}
	}
	return out.data;
}

/* As core's scanner does it. */
Node *
link_make_number(char *digits)
{
	char	   *end;
	long		value;

	errno = 0;
	value = strtol(digits, &end, 10);
	if (errno != 0 || value != (int) value)
		return (Node *) makeFloat(digits);
	return (Node *) makeInteger((int) value);
}

void
link_refuse_duplicate_key(int location, yyscan_t yyscanner)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_UNSUPPORTED),
			 errmsg("ON DUPLICATE KEY UPDATE is not supported"),
			 errhint("Write ON CONFLICT (key) DO UPDATE SET column = excluded.column."),
			 link_scanner_errposition(yyscanner, location)));
}

void
link_refuse_host(int location, yyscan_t yyscanner)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_UNSUPPORTED),
			 errmsg("privileges of one host only are not supported"),
			 errhint("Leave the host out or write '%%'.  Which hosts a role may connect from is decided in pg_hba.conf."),
			 link_scanner_errposition(yyscanner, location)));
}

void
link_refuse_account(const char *clause)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_UNSUPPORTED),
			 errmsg("%s is not supported in GRANT", clause),
			 errhint("Roles and how they log in are defined by CREATE ROLE, ALTER ROLE and pg_hba.conf.")));
}

/* No word of the statement is told: it could be a sensitive one. */
void
link_refuse_scope(int location, yyscan_t yyscanner)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("privileges are granted on *.*, schema.* or LINK schema.name"),
			 errhint("Write LINK schema.name for one link, or schema.* for all links of the schema."),
			 link_scanner_errposition(yyscanner, location)));
}
