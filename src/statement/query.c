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

#include "errors.h"
#include "lexis.h"
#include "statement/statement.h"

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
			end = link_sql_line_end(p);
		else if (*p != '\0' && (link_sql_is_space(p) || link_sql_is_comment(p)))
			end = link_sql_token_end(p);
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
	end = link_sql_begins_word(*text) ? link_sql_token_end(text) : text;
	for (int i = 0; i < lengthof(words); i++)
		if (link_sql_is_word(text, end, words[i]))
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
		end = link_sql_token_end(p);
		if (end == NULL)
		{
			/* What follows INTO LINK has other rules: its scanner will say. */
			if (found)
				break;
			report_unterminated(text, p);
		}
		if (link_sql_is_space(p) || link_sql_is_comment(p))
			continue;
		if (into && link_sql_is_word(p, end, "link"))
			found = into;
		into = depth == 0 && link_sql_is_word(p, end, "into") ? p : NULL;
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
