/*-------------------------------------------------------------------------
 *
 * query.c
 *	  The query of SELECT ... INTO LINK: where it begins and where it ends.
 *
 * A query is any text that core's parser takes, so its own INTO LINK is found
 * by what SQL's lexical rules make of strings, quoted identifiers, comments and
 * parentheses, and by nothing else.  The last one that is in none of those
 * counts: an earlier one is core's to refuse.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "parser/parser.h"
#include "parser/scansup.h"

#include "errors.h"
#include "statement/statement.h"

static bool
begins_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || IS_HIGHBIT_SET(c);
}

static bool
continues_word(char c)
{
	return begins_word(c) || (c >= '0' && c <= '9') || c == '$';
}

static const char *
word_end(const char *p)
{
	while (continues_word(*p))
		p++;
	return p;
}

static bool
is_word(const char *from, const char *to, const char *word)
{
	return to - from == strlen(word) && pg_strncasecmp(from, word, to - from) == 0;
}

static const char *
line_end(const char *p)
{
	while (*p != '\0' && *p != '\n' && *p != '\r')
		p++;
	return p;
}

static const char *
space_end(const char *p)
{
	while (*p != '\0' && (scanner_isspace(*p) || *p == '\v'))
		p++;
	return p;
}

/* Comments nest. */
static const char *
comment_end(const char *p)
{
	int			depth = 0;

	while (*p != '\0')
	{
		if (p[0] == '/' && p[1] == '*')
		{
			depth++;
			p += 2;
		}
		else if (p[0] == '*' && p[1] == '/')
		{
			p += 2;
			if (--depth == 0)
				return p;
		}
		else
			p++;
	}
	return NULL;
}

/*
 * The quote that goes on with a string which ended at 'p': with nothing but
 * space between, and a newline in it.
 */
static const char *
string_continuation(const char *p)
{
	bool		newline = false;

	for (;;)
	{
		if (*p == '\n' || *p == '\r')
			newline = true;
		if (*p != '\0' && (scanner_isspace(*p) || *p == '\v'))
			p++;
		else if (p[0] == '-' && p[1] == '-')
			p = line_end(p);
		else
			return newline && *p == '\'' ? p : NULL;
	}
}

/* 'p' is at the opening quote; a doubled one stands for itself. */
static const char *
quoted_end(const char *p, bool escapes)
{
	char		quote = *p++;
	const char *more;

	while (*p != '\0')
	{
		if (*p == '\\' && escapes)
			p += p[1] != '\0' ? 2 : 1;
		else if (*p != quote)
			p++;
		else if (p[1] == quote)
			p += 2;
		else
		{
			/* Only where backslashes count does it matter that the string goes on. */
			more = escapes ? string_continuation(p + 1) : NULL;
			if (more == NULL)
				return p + 1;
			p = more + 1;
		}
	}
	return NULL;
}

/* A lone dollar is a token of its own. */
static const char *
dollar_end(const char *p)
{
	const char *tag = p + 1;
	const char *body = tag;
	Size		len;

	if (begins_word(*body))
		while (continues_word(*body) && *body != '$')
			body++;
	if (*body != '$')
		return p + 1;
	body++;
	len = body - p;
	for (const char *end = strchr(body, '$'); end != NULL; end = strchr(end + 1, '$'))
		if (strncmp(end, p, len) == 0)
			return end + len;
	return NULL;
}

static bool
is_comment(const char *p)
{
	return (p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '*');
}

static bool
is_space(const char *p)
{
	return scanner_isspace(*p) || *p == '\v';
}

/* End of the token (or space, or comment) at 'p'; NULL if the text ends within it. */
static const char *
token_end(const char *p)
{
	if (is_space(p))
		return space_end(p);
	if (is_comment(p))
		return *p == '-' ? line_end(p) : comment_end(p);
	if (*p == '\'')
		return quoted_end(p, !standard_conforming_strings);
	if (*p == '"')
		return quoted_end(p, false);
	if (*p == '$')
		return dollar_end(p);
	if ((*p == 'e' || *p == 'E') && p[1] == '\'')
		return quoted_end(p + 1, true);
	if (begins_word(*p))
		return word_end(p);
	return p + 1;
}

static void
report_unterminated(const char *text, const char *p)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 *p == '/' ? errmsg("unterminated comment")
			 : *p == '"' ? errmsg("unterminated quoted identifier")
			 : *p == '$' ? errmsg("unterminated dollar-quoted string")
			 : errmsg("unterminated quoted string"),
			 link_statement_errposition(text, p - text)));
}

/* Comments before the statement may be SingleStore's, too. */
int
link_query_start(const char *text)
{
	const char *p = text;

	for (;;)
	{
		const char *end;

		if (*p == '#')
			end = line_end(p);
		else if (*p != '\0' && (is_space(p) || is_comment(p)))
			end = token_end(p);
		else
			break;
		if (end == NULL)
			break;
		p = end;
	}
	return p - text;
}

bool
link_query_begins(const char *text)
{
	static const char *const words[] = {"select", "with", "values", "table"};
	const char *end;

	if (*text == '(')
		return true;
	end = begins_word(*text) ? word_end(text) : text;
	for (int i = 0; i < lengthof(words); i++)
		if (is_word(text, end, words[i]))
			return true;
	return false;
}

int
link_query_end(const char *text, int start)
{
	const char *found = NULL;
	const char *into = NULL;	/* the token before, if it was a fitting INTO */
	const char *end;
	int			depth = 0;

	for (const char *p = text + start; *p != '\0'; p = end)
	{
		end = token_end(p);
		if (end == NULL)
		{
			/* What follows INTO LINK has other rules: its scanner will say. */
			if (found)
				break;
			report_unterminated(text, p);
		}
		if (is_space(p) || is_comment(p))
			continue;
		if (into && is_word(p, end, "link"))
			found = into;
		into = depth == 0 && is_word(p, end, "into") ? p : NULL;
		if (*p == '(')
			depth++;
		else if (*p == ')' && depth > 0)
			depth--;
	}
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the query has no INTO LINK clause"),
				 depth > 0 ? errdetail("A parenthesis is not closed.") : 0,
				 errhint("link.execute() writes the rows of a query to a link.  Run other queries without it."),
				 link_statement_errposition(text, strlen(text))));
	return found - text;
}
