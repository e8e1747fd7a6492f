/*-------------------------------------------------------------------------
 *
 * lexis.c
 *	  SQL's lexical rules, as far as they tell where something ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "parser/parser.h"
#include "parser/scansup.h"

#include "lexis.h"

bool
link_sql_begins_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || IS_HIGHBIT_SET(c);
}

bool
link_sql_continues_word(char c)
{
	return link_sql_begins_word(c) || (c >= '0' && c <= '9') || c == '$';
}

static const char *
word_end(const char *p)
{
	while (link_sql_continues_word(*p))
		p++;
	return p;
}

bool
link_sql_is_word(const char *from, const char *to, const char *word)
{
	return to - from == strlen(word) && pg_strncasecmp(from, word, to - from) == 0;
}

const char *
link_sql_line_end(const char *p)
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
			p = link_sql_line_end(p);
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

	if (link_sql_begins_word(*body))
		while (link_sql_continues_word(*body) && *body != '$')
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

bool
link_sql_is_comment(const char *p)
{
	return (p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '*');
}

bool
link_sql_is_space(const char *p)
{
	return scanner_isspace(*p) || *p == '\v';
}

/* End of the token (or space, or comment) at 'p'; NULL if the text ends within it. */
const char *
link_sql_token_end(const char *p)
{
	if (link_sql_is_space(p))
		return space_end(p);
	if (link_sql_is_comment(p))
		return *p == '-' ? link_sql_line_end(p) : comment_end(p);
	if (*p == '\'')
		return quoted_end(p, !standard_conforming_strings);
	if (*p == '"')
		return quoted_end(p, false);
	if (*p == '$')
		return dollar_end(p);
	if ((*p == 'e' || *p == 'E') && p[1] == '\'')
		return quoted_end(p + 1, true);
	if (link_sql_begins_word(*p))
		return word_end(p);
	return p + 1;
}

const char *
link_sql_clause_end(const char *p, const char *const *stops)
{
	int			depth = 0;

	while (*p != '\0')
	{
		const char *end = link_sql_token_end(p);

		/* what is not closed is the parser's to refuse */
		if (end == NULL)
			return p + strlen(p);
		if (depth == 0 && *p == ';')
			return p;
		for (int i = 0; depth == 0 && stops[i] != NULL; i++)
			if (link_sql_is_word(p, end, stops[i]))
				return p;
		if (*p == '(')
			depth++;
		else if (*p == ')')
			depth--;
		p = end;
	}
	return p;
}
