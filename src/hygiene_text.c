/*-------------------------------------------------------------------------
 *
 * hygiene_text.c
 *	  Which texts may hold credentials.
 *
 * A statement is judged by its text alone, because the text has to be hidden
 * also where it does not even parse: it is sensitive if it holds a marker, that
 * is the name of a function that takes credentials, the name of a secret key, or
 * LINK followed by CREDENTIALS.  Case does not matter, and a marker counts
 * wherever it stands: in a string, in a comment, in a longer word.
 *
 * Everything here but link_markers_init() may run in any process and at any
 * time: one pass, no allocation, no catalog, no error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/prepare.h"

#include "catalog/options.h"
#include "errors.h"
#include "hygiene.h"
#include "hygiene_text.h"
#include "provider/provider.h"

/* Bytes of white space and comments that may stand between EXECUTE and a name. */
#define MAX_GAP 256

/*
 * Besides the names of secret keys.  Some are only the characteristic part of a
 * longer name, so that a typing error in the rest of it does no harm.
 */
static const char *const fixed_markers[] = {
	"create_link",
	"alter_link",
	"link_credential",			/* set_link_credential */
	"aws_secret",
	"secret_access",
	LINK_LEFT_OUT,
	LINK_LEFT_OUT_WORD
};

/* Those with the same first two letters are chained; 0, which is not used, ends a chain. */
typedef struct Marker
{
	const char *text;			/* in lower case */
	uint8		next;
} Marker;

static Marker markers[64];
static int	marker_count = 1;

/*
 * The chain for two bytes of either case.  Few places of a text begin a marker,
 * so that texts of megabytes cost little.
 */
static uint8 chains[256][256];

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_word_char(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '$' || IS_HIGHBIT_SET(c);
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline unsigned char
lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* 'with' is in lower case. */
static inline bool
begins_with(const char *text, const char *with)
{
	while (*with)
		if (lower(*text++) != (unsigned char) *with++)
			return false;
	return true;
}

/* LINK as the keyword of a statement of ours, not as the name of a schema or a column. */
static bool
is_link_keyword(const char *text, const char *p)
{
	return begins_with(p, "link") &&
		(p == text || !(is_word_char(p[-1]) || p[-1] == '.')) &&
		(is_space(p[4]) || p[4] == '"' || p[4] == '`' || p[4] == '/' || p[4] == '-');
}

/* CREDENTIALS and what it may be mistyped as, but not the column credential_keys. */
static bool
is_credentials_keyword(const char *text, const char *p)
{
	if (!begins_with(p, "creden") || (p > text && is_word_char(p[-1])))
		return false;
	while (is_letter(*p))
		p++;
	return !is_word_char(*p);
}

bool
link_text_is_sensitive(const char *text)
{
	bool		link_seen = false;

	if (text == NULL)
		return false;
	for (const char *p = text; *p; p++)
	{
		int			i = chains[(unsigned char) p[0]][(unsigned char) p[1]];

		if (i == 0)
			continue;
		for (; i != 0; i = markers[i].next)
			if (begins_with(p, markers[i].text))
				return true;
		if (!link_seen)
			link_seen = is_link_keyword(text, p);
		else if (is_credentials_keyword(text, p))
			return true;
	}
	return false;
}

/* Where the white space and comments at 'p' end, if they are no longer than MAX_GAP. */
static const char *
skip_gap(const char *p)
{
	const char *limit = p + strnlen(p, MAX_GAP);

	while (p < limit)
	{
		if (is_space(*p))
			p++;
		else if (p[0] == '-' && p[1] == '-')
		{
			while (p < limit && *p != '\n')
				p++;
		}
		else if (p[0] == '/' && p[1] == '*')
		{
			for (p += 2; p < limit && !(p[0] == '*' && p[1] == '/'); p++)
				;
			if (p < limit)
				p += 2;
		}
		else
			break;
	}
	return p;
}

/* The identifier at 'p' as core would read it; empty if there is none. */
static void
read_identifier(const char *p, char name[NAMEDATALEN])
{
	int			len = 0;

	if (*p == '"')
	{
		for (p++; *p && len < NAMEDATALEN - 1; p++)
		{
			if (*p == '"' && *++p != '"')
				break;
			name[len++] = *p;
		}
	}
	else
	{
		for (; is_word_char(*p) && len < NAMEDATALEN - 1; p++)
			name[len++] = lower(*p);
	}
	name[len] = '\0';
}

bool
link_text_executes_sensitive(const char *text)
{
	for (const char *p = text; p && *p; p++)
	{
		char		name[NAMEDATALEN];
		PreparedStatement *prepared;

		if ((*p != 'e' && *p != 'E') || !begins_with(p, "execute") ||
			is_word_char(p[7]) || (p > text && is_word_char(p[-1])))
			continue;
		read_identifier(skip_gap(p + 7), name);
		/* a look into this process's memory: neither allocates nor throws */
		prepared = FetchPreparedStatement(name, false);
		if (prepared && link_text_is_sensitive(prepared->plansource->query_string))
			return true;
	}
	return false;
}

static void
add_marker(const char *text)
{
	unsigned char a = text[0];
	unsigned char b = text[1];
	int			i = marker_count++;

	if (i >= lengthof(markers))
		elog(ERROR, "too many markers of credentials");
	markers[i].text = text;
	markers[i].next = chains[a][b];
	chains[a][b] = i;
	chains[a][pg_ascii_toupper(b)] = i;
	chains[pg_ascii_toupper(a)][b] = i;
	chains[pg_ascii_toupper(a)][pg_ascii_toupper(b)] = i;
}

static void
add_secret_keys(const LinkOptionDef *defs)
{
	for (; defs && defs->name; defs++)
		if (defs->flags & LINK_OPTION_SECRET)
			add_marker(defs->name);
}

/*
 * Keys of all types count, those of a later build too: a secret is typed before
 * it is found out that it is of no use.
 */
void
link_markers_init(void)
{
	const LinkProvider *provider;

	for (int i = 0; i < lengthof(fixed_markers); i++)
		add_marker(fixed_markers[i]);
	add_secret_keys(link_common_options);
	for (int i = 0; (provider = link_provider_nth(i)) != NULL; i++)
		add_secret_keys(provider->options);
	/* LINK and CREDENTIALS are looked for where a marker could begin */
	Assert(chains['l']['i'] != 0 && chains['c']['r'] != 0);
}
