/*-------------------------------------------------------------------------
 *
 * path.c
 *	  Fuzz target: paths, prefixes and globs.
 *
 * An input is lines: a glob, a path, prefixes.  What a glob matches is compared
 * with a matcher that tries everything, as long as that does not take too long.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"

#include "bounds.h"
#include "provider/provider.h"

#include "backend.h"

#define MAX_STEPS 20000

void
fuzz_setup(void)
{
}

static void
check_object(void *path)
{
	link_path_check(path, false);
}

static void
check_folder(void *path)
{
	link_path_check(path, true);
}

typedef struct Match
{
	const char *pattern;
	const char *path;
	bool		matches;
} Match;

static void
match(void *arg)
{
	Match	   *m = arg;

	m->matches = link_glob_match(m->pattern, m->path);
}

/*
 * The other matcher, for patterns that are well-formed.
 */

static int	steps;

static int
length(const char *p)
{
	return (int) strnlen(p, pg_encoding_mblen(GetDatabaseEncoding(), p));
}

/* Members are compared as bytes of characters: of equal length, or the longer is greater. */
static int
compare(const char *a, const char *b)
{
	int			difference = length(a) - length(b);

	return difference ? difference : memcmp(a, b, length(a));
}

/* Is the character at 't' of the class at 'p'?  *end is what follows the class. */
static bool
in_class(const char *p, const char *t, const char **end)
{
	bool		negated = *++p == '!';
	bool		found = false;

	if (negated)
		p++;
	for (const char *members = p; p == members || *p != ']';)
	{
		const char *low = p;

		p += length(p);
		if (p[0] == '-' && p[1] != ']')
		{
			const char *high = p + 1;

			p = high + length(high);
			found |= compare(t, low) >= 0 && compare(t, high) <= 0;
		}
		else
			found |= compare(t, low) == 0;
	}
	*end = p + 1;
	return found != negated;
}

/* Behind the ',' or '}' that ends the alternative at 'p'. */
static const char *
alternative_end(const char *p)
{
	for (; *p != ',' && *p != '}'; p++)
		if (*p == '[')
		{
			(void) in_class(p, "x", &p);
			p--;
		}
	return p + 1;
}

/* 'after' follows the braces that we are in, if any. */
static bool
matches(const char *p, const char *t, const char *after)
{
	const char *end;

	if (++steps > MAX_STEPS)
		return false;
	if (after && (*p == ',' || *p == '}'))
		return matches(after, t, NULL);
	switch (*p)
	{
		case '\0':
			return *t == '\0';
		case '*':
			{
				bool		any = p[1] == '*';

				for (;; t += length(t))
				{
					if (matches(p + (any ? 2 : 1), t, after))
						return true;
					if (*t == '\0' || (*t == '/' && !any))
						return false;
				}
			}
		case '?':
			return *t != '\0' && *t != '/' && matches(p + 1, t + length(t), after);
		case '[':
			return *t != '\0' && *t != '/' && in_class(p, t, &end) &&
				matches(end, t + length(t), after);
		case '{':
			for (end = p + 1; end[-1] != '}'; end = alternative_end(end))
				;
			for (p++; p[-1] != '}'; p = alternative_end(p))
				if (matches(p, t, end))
					return true;
			return false;
		default:
			return *t != '\0' && compare(p, t) == 0 && matches(p + length(p), t + length(t), after);
	}
}

static void
check_match(Match *m)
{
	char	   *prefix = link_glob_prefix(m->pattern);
	bool		expected;

	if (m->matches)
		fuzz_expect(strncmp(m->path, prefix, strlen(prefix)) == 0);
	if (!link_path_is_glob(m->pattern))
		fuzz_expect(m->matches == (strcmp(m->pattern, m->path) == 0));
	steps = 0;
	expected = matches(m->pattern, m->path, NULL);
	if (steps <= MAX_STEPS && expected != m->matches)
		fuzz_bug("\"%s\" should %smatch \"%s\"", m->pattern, expected ? "" : "not ", m->path);
}

/* What the rules of paths say, once more. */
static bool
usable(const char *path)
{
	StringInfoData framed;

	initStringInfo(&framed);
	appendStringInfo(&framed, "/%s/", path);
	for (const unsigned char *p = (const unsigned char *) path; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return false;
	return strlen(path) <= LINK_MAX_PATH && strchr(path, '\\') == NULL &&
		strstr(framed.data, "//") == NULL && strstr(framed.data, "/./") == NULL &&
		strstr(framed.data, "/../") == NULL && pg_verifymbstr(path, strlen(path), true);
}

static bool
allowed(const char *path, List *prefixes)
{
	ListCell   *cell;

	foreach(cell, prefixes)
	{
		const char *prefix = lfirst(cell);
		Size		len = strlen(prefix);

		if (len > 0 && strncmp(path, prefix, len) == 0 &&
			(path[len] == '\0' || path[len] == '/' || path[len - 1] == '/'))
			return true;
	}
	return prefixes == NIL;
}

void
fuzz_one(const char *data, Size size)
{
	char	   *rest = fuzz_text(data, size);
	Match		m = {NULL};
	List	   *prefixes = NIL;
	bool		object;

	fuzz_use_encoding_of(rest);
	m.pattern = fuzz_cut(&rest, "\n");
	m.path = fuzz_cut(&rest, "\n");
	while (*rest)
		prefixes = lappend(prefixes, fuzz_cut(&rest, "\n"));

	/* what cutting made invalid is no text of the database */
	if (fuzz_try(match, &m) && link_path_usable(m.path) &&
		pg_verifymbstr(m.pattern, strlen(m.pattern), true))
		check_match(&m);

	object = fuzz_try(check_object, unconstify(char *, m.path));
	fuzz_expect(object == link_path_usable(m.path));
	fuzz_expect(object == usable(m.path));
	if (object)
		fuzz_expect(fuzz_try(check_folder, unconstify(char *, m.path)));
	else if (fuzz_try(check_folder, unconstify(char *, m.path)))
	{
		char	   *folder = pnstrdup(m.path, strlen(m.path) - 1);

		fuzz_expect(m.path[strlen(folder)] == '/' && usable(folder));
	}
	fuzz_expect(link_path_allowed(m.path, prefixes) == allowed(m.path, prefixes));
}
