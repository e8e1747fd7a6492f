/*-------------------------------------------------------------------------
 *
 * path.c
 *	  Which paths may be used, which prefixes allow them, and what a glob
 *	  matches (SECURITY 27).
 *
 * A path is the bytes that go on the wire, decoded: a literal "%2e%2e" is the
 * name "%2e%2e" and nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"

#include "bounds.h"
#include "errors.h"
#include "provider/provider.h"

#define GLOB_WILDCARDS "*?[{"

/* Why a path may not be used, as a sentence; NULL if it may. */
static const char *
path_problem(const char *path, bool trailing_slash)
{
	size_t		len = strlen(path);
	const char *component = path;

	if (len == 0)
		return "A path is not empty.";
	if (len > LINK_MAX_PATH)
		return "A path has at most 1024 bytes.";
	StaticAssertStmt(LINK_MAX_PATH == 1024, "the message above names the bound");
	if (path[0] == '/')
		return "A path does not begin with \"/\".";

	for (const char *p = path;; p++)
	{
		if (*p == '\\')
			return "A path holds no backslash.";
		if ((*p > 0 && *p < 0x20) || *p == 0x7f)
			return "A path holds no control characters.";
		if (*p != '/' && *p != '\0')
			continue;

		if (p == component && !(*p == '\0' && trailing_slash))
			return *p == '\0' ? "The path does not end in \"/\" here: it names one object." :
				"A path has no empty component (\"//\").";
		if ((p - component == 1 && component[0] == '.') ||
			(p - component == 2 && component[0] == '.' && component[1] == '.'))
			return "A path has no component \".\" or \"..\".";
		if (*p == '\0')
			break;
		component = p + 1;
	}

	if (!pg_verifymbstr(path, len, true))
		return "The path is not valid in the encoding of the database.";
	return NULL;
}

void
link_path_check(const char *path, bool trailing_slash)
{
	const char *problem = path_problem(path, trailing_slash);

	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("invalid path: \"%s\"", link_printable(path, strlen(path))),
				 errdetail("%s", problem)));
}

bool
link_path_usable(const char *path)
{
	return path_problem(path, false) == NULL;
}

bool
link_path_allowed(const char *path, List *prefixes)
{
	ListCell   *cell;

	if (prefixes == NIL)
		return true;
	foreach(cell, prefixes)
	{
		const char *prefix = lfirst(cell);
		size_t		len = strlen(prefix);

		/* an empty prefix, which no CONFIG should hold, allows nothing */
		if (len == 0 || strncmp(path, prefix, len) != 0)
			continue;
		if (prefix[len - 1] == '/' || path[len] == '/' || path[len] == '\0')
			return true;
	}
	return false;
}

bool
link_path_is_glob(const char *pattern)
{
	return strpbrk(pattern, GLOB_WILDCARDS) != NULL;
}

char *
link_glob_prefix(const char *pattern)
{
	return pnstrdup(pattern, strcspn(pattern, GLOB_WILDCARDS));
}

/*
 * Globs.
 *
 * A pattern is its own automaton: a state is an offset into it, and every move
 * that takes no character goes to a higher offset.  So one pass over the
 * pattern for each character of the text, lower offsets first, follows all
 * alternatives at once, and no pattern can take longer.
 */
typedef struct Glob
{
	const char *pattern;
	int			length;

	/* offset of the ']' or '}' that ends what stands at an offset, where that is needed */
	int16		end[LINK_MAX_PATH + 1];
} Glob;

static void
bad_glob(const char *pattern, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_BAD_OPTION),
			 errmsg("invalid pattern: \"%s\"", link_printable(pattern, strlen(pattern))),
			 errdetail("%s", problem),
			 errhint("Write \"[*]\", \"[?]\", \"[[]\" or \"[{]\" for a character that would be a wildcard.")));
}

/* The character at *p as a number that orders as its bytes do; steps over it. */
static uint32
next_char(const char **p)
{
	int			len = pg_encoding_mblen(GetDatabaseEncoding(), *p);
	uint32		result = 0;

	while (len-- > 0 && **p != '\0')
		result = result << 8 | (unsigned char) *(*p)++;
	return result;
}

/* Offset of the ']' of the class at 'start'; the first member may be ']' itself. */
static int
class_end(const char *pattern, int start)
{
	const char *p = pattern + start + 1;
	const char *members;

	if (*p == '!')
		p++;
	members = p;
	while (*p != '\0' && (*p != ']' || p == members))
	{
		uint32		low = next_char(&p);

		if (p[0] == '-' && p[1] != ']' && p[1] != '\0')
		{
			p++;
			if (next_char(&p) < low)
				bad_glob(pattern, "A range of a class ends before it begins.");
		}
	}
	if (*p == '\0')
		bad_glob(pattern, "A \"[\" has no \"]\".");
	return p - pattern;
}

static bool
class_matches(const char *pattern, int start, int end, uint32 character)
{
	const char *p = pattern + start + 1;
	bool		negated = *p == '!';
	bool		found = false;

	if (negated)
		p++;
	while (p < pattern + end)
	{
		uint32		low = next_char(&p);
		uint32		high = low;

		if (p[0] == '-' && p + 1 < pattern + end)
		{
			p++;
			high = next_char(&p);
		}
		if (character >= low && character <= high)
			found = true;
	}
	return found != negated;
}

/* Check the pattern and find the ends of its classes and braces. */
static void
glob_prepare(Glob *glob, const char *pattern)
{
	int			brace = -1;		/* of the group we are in */
	int			i;

	if (strlen(pattern) > LINK_MAX_PATH)
		bad_glob(pattern, "A pattern has at most 1024 bytes.");
	glob->pattern = pattern;
	glob->length = strlen(pattern);

	/*
	 * An offset with end 0 stands for itself: a '}' or ',' outside of braces
	 * is an ordinary character.
	 */
	memset(glob->end, 0, sizeof(int16) * (glob->length + 1));
	for (i = 0; i < glob->length; i++)
	{
		switch (pattern[i])
		{
			case '[':
				glob->end[i] = class_end(pattern, i);
				i = glob->end[i];
				break;
			case '{':
				if (brace >= 0)
					bad_glob(pattern, "Braces do not nest.");
				brace = i;
				break;
			case '}':
				if (brace < 0)
					break;
				/* the '{', each ',' and the '}' itself now know the end */
				for (int j = brace; j < i; j++)
				{
					if (pattern[j] == '[')
						j = glob->end[j];
					else if (pattern[j] == '{' || pattern[j] == ',')
						glob->end[j] = i;
				}
				glob->end[i] = i;
				brace = -1;
				break;
		}
	}
	if (brace >= 0)
		bad_glob(pattern, "A \"{\" has no \"}\".");
}

/*
 * Follow the moves that take no character from every state that is set, and,
 * given a character (0 for none), set the states after it in 'next'.
 */
static void
glob_step(const Glob *glob, bool *states, uint32 character, bool *next)
{
	const char *pattern = glob->pattern;

	for (int i = 0; i < glob->length; i++)
	{
		const char *p = pattern + i;
		int			end = glob->end[i];

		if (!states[i])
			continue;
		if (*p == '*')
		{
			bool		any = p[1] == '*';

			states[i + (any ? 2 : 1)] = true;
			if (character != 0 && (any || character != '/'))
				next[i] = true;
		}
		else if (*p == '[')
		{
			if (character != 0 && character != '/' && class_matches(pattern, i, end, character))
				next[end + 1] = true;
		}
		else if (*p == '{')
		{
			states[i + 1] = true;
			for (int j = i + 1; j < end; j++)
			{
				if (pattern[j] == '[')
					j = glob->end[j];
				else if (pattern[j] == ',')
					states[j + 1] = true;
			}
		}
		else if (end != 0)
			states[end + 1] = true; /* an alternative is through */
		else
		{
			uint32		expected = next_char(&p);

			if (character != 0 &&
				(expected == character || (expected == '?' && character != '/')))
				next[p - pattern] = true;
		}
	}
}

bool
link_glob_match(const char *pattern, const char *path)
{
	Glob		glob;
	bool		buffers[2][LINK_MAX_PATH + 2];
	bool	   *states = buffers[0];
	bool	   *next = buffers[1];

	glob_prepare(&glob, pattern);
	memset(states, 0, glob.length + 1);
	states[0] = true;
	while (*path != '\0')
	{
		bool	   *swap = states;

		memset(next, 0, glob.length + 1);
		glob_step(&glob, states, next_char(&path), next);
		states = next;
		next = swap;
	}
	glob_step(&glob, states, 0, next);
	return states[glob.length];
}
