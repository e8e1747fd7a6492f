/*-------------------------------------------------------------------------
 *
 * errors.c
 *	  Helpers for messages: foreign text made printable, the nearest name for
 *	  a hint; and errors that are not to end the statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/varlena.h"

#include "errors.h"

/* As core's ClosestMatch: farther than this is not a typing error. */
#define MAX_DISTANCE 4

/* Longer words are no misspelt names, and the distance takes quadratic time. */
#define MAX_WORD 255

/*
 * Bytes of the printable character at 'text', or 0 if its first byte has to be
 * escaped: a control character (C1 too, which terminals obey), or no valid
 * character of the database encoding.
 */
static int
printable_length(const unsigned char *text, Size len)
{
	int			n;

	if (*text < 0x20 || *text == 0x7f)
		return 0;
	if (!IS_HIGHBIT_SET(*text))
		return 1;

	/* What a high byte shows as is unknown in SQL_ASCII; 0x80 to 0x9f are controls in ISO 8859. */
	if (GetDatabaseEncoding() == PG_SQL_ASCII ||
		(pg_database_encoding_max_length() == 1 && *text < 0xa0))
		return 0;
	n = pg_encoding_verifymbchar(GetDatabaseEncoding(), (const char *) text,
								 (int) Min(len, MAX_MULTIBYTE_CHAR_LEN));
	if (n < 1)
		return 0;
	if (GetDatabaseEncoding() == PG_UTF8 && text[0] == 0xc2 && text[1] < 0xa0)
		return 0;
	return n;
}

char *
link_printable(const char *text, Size len)
{
	const unsigned char *p = (const unsigned char *) text;
	const unsigned char *end = p + len;
	StringInfoData out;

	initStringInfo(&out);
	while (p < end)
	{
		int			n = printable_length(p, end - p);

		if (out.len + (n ? n : 4) > LINK_MAX_PROVIDER_TEXT)
			break;
		if (n)
			appendBinaryStringInfo(&out, (const char *) p, n);
		else
			appendStringInfo(&out, "\\x%02x", *p);
		p += n ? n : 1;
	}
	return out.data;
}

bool
link_error_is_ours(const ErrorData *error)
{
	return error->domain && strcmp(error->domain, LINK_TEXTDOMAIN) == 0;
}

const char *
link_closest_match(const char *word, const char *const *names)
{
	int			len = strlen(word);
	int			limit = Min(MAX_DISTANCE, len / 2);
	const char *best = NULL;

	if (len > MAX_WORD)
		return NULL;
	for (; *names; names++)
	{
		int			distance;

		if (pg_strcasecmp(word, *names) == 0)
			return *names;
		distance = varstr_levenshtein_less_equal(word, len, *names, strlen(*names),
												 1, 1, 1, limit, true);
		if (distance > limit || distance >= len)
			continue;
		best = *names;
		limit = distance - 1;
	}
	return best;
}

ErrorData *
link_attempt(void (*step) (void *arg), void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		step(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return error;
}
