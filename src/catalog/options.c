/*-------------------------------------------------------------------------
 *
 * options.c
 *	  The keys of CREDENTIALS and CONFIG: what may be given, what needs more
 *	  than the right to alter, and what credentials are bound to.
 *
 * Messages name keys and what is expected, never a value of either clause.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/json.h"

#include "lib/stringinfo.h"

#include "catalog/options_internal.h"
#include "errors.h"
#include "provider/provider.h"

/*
 * A key that is longer than any of ours is not printed: it may be a value that
 * slipped into its place.
 */
#define MAX_PRINTED_KEY 64

const LinkOptionDef link_common_options[] = {
	{"path_prefixes", LINK_CONFIG, LINK_OPTION_STRINGS, LINK_OPTION_LIMIT},
	{"append_only", LINK_CONFIG, LINK_OPTION_BOOLEAN, LINK_OPTION_LIMIT},
	{"hosts", LINK_CONFIG, LINK_OPTION_STRINGS, LINK_OPTION_LIMIT | LINK_OPTION_ORIGIN},

	/* ms; link.retry_timeout bounds the retries whatever their number */
	{"connect_timeout", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = PG_INT32_MAX},
	{"request_timeout", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = PG_INT32_MAX},
	{"max_retries", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 0, .max = PG_INT32_MAX},

	/* who is trusted to be the provider */
	{"ca_certificate", LINK_CONFIG, LINK_OPTION_STRING, LINK_OPTION_ORIGIN | LINK_OPTION_TEXT},
	{"suffixes", LINK_CONFIG, LINK_OPTION_STRINGS},

	/* of objects whose codec is found out, gzip goes through as it is */
	{"disable_gunzip", LINK_CONFIG, LINK_OPTION_BOOLEAN},
	{NULL}
};

static const char *
clause_name(LinkClause clause)
{
	return clause == LINK_CREDENTIALS ? "CREDENTIALS" : "CONFIG";
}

/*
 * The next definition of a type's own keys and then the common ones: begin with
 * 'def' NULL; NULL at the end.
 */
static const LinkOptionDef *
next_def(const LinkOptionDef *defs, const LinkOptionDef *def)
{
	bool		common = def >= link_common_options &&
		def < link_common_options + lengthof(link_common_options);

	def = def ? def + 1 : defs;
	if (def->name == NULL && !common)
		def = link_common_options;
	return def->name ? def : NULL;
}

#define foreach_def(def, defs) \
	for (const LinkOptionDef *def = next_def(defs, NULL); def; def = next_def(defs, def))

const LinkOptionDef *
link_option_find(const LinkOptionDef *defs, const char *name)
{
	foreach_def(def, defs)
		if (strcmp(def->name, name) == 0)
			return def;
	return NULL;
}

/* The value of a key, NULL if it is not there. */
static struct json_object *
member(struct json_object *object, const char *name)
{
	struct json_object *value;

	return object && json_object_object_get_ex(object, name, &value) ? value : NULL;
}

/* "\"a\", \"b\"" */
static char *
quoted_list(const char *const *names)
{
	StringInfoData list;

	initStringInfo(&list);
	for (; *names; names++)
		appendStringInfo(&list, "%s\"%s\"", list.len > 0 ? ", " : "", *names);
	return list.data;
}

static bool
in_list(const char *text, const char *const *list)
{
	for (; list && *list; list++)
		if (strcmp(text, *list) == 0)
			return true;
	return false;
}

/* As link_closest_match(), which splits words by the encoding of the database; ours are ASCII. */
static const char *
closest(const char *word, const char *const *names)
{
	for (const char *p = word; *p; p++)
		if (IS_HIGHBIT_SET(*p))
			return NULL;
	return link_closest_match(word, names);
}

/*
 * Checks.
 */

/* Names of the keys of a clause, or of both; NULL-terminated. */
static const char **
names_of(const LinkOptionDef *defs, bool both, LinkClause clause)
{
	const char **names;
	int			n = 0;

	foreach_def(def, defs)
		n++;
	names = palloc0((n + 1) * sizeof(char *));
	n = 0;
	foreach_def(def, defs)
		if (both || def->clause == clause)
			names[n++] = def->name;
	return names;
}

LINK_NORETURN static void
unknown_key(const LinkOptionDef *defs, LinkClause clause, const char *name)
{
	const char *match;
	const char *hint;

	if (strlen(name) > MAX_PRINTED_KEY)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("unknown key in %s", clause_name(clause)),
				 errdetail("It has more than %d bytes.", MAX_PRINTED_KEY)));

	match = closest(name, names_of(defs, true, clause));
	if (match && link_option_find(defs, match)->clause != clause)
		hint = psprintf("Perhaps you meant \"%s\", which belongs in %s.", match,
						clause_name(link_option_find(defs, match)->clause));
	else if (match)
		hint = psprintf("Perhaps you meant \"%s\".", match);
	else
	{
		const char **names = names_of(defs, false, clause);

		hint = names[0] ? psprintf("Valid keys are %s.", quoted_list(names)) :
			"Links of this type take none.";
	}
	ereport(ERROR,
			(errcode(ERRCODE_LINK_BAD_OPTION),
			 errmsg("unknown key \"%s\" in %s", link_printable(name, strlen(name)), clause_name(clause)),
			 errhint("%s", hint)));
}

LINK_NORETURN static void
wrong_clause(const LinkOptionDef *def, LinkClause clause)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_BAD_OPTION),
			 errmsg("key \"%s\" belongs in %s, not in %s", def->name,
					clause_name(def->clause), clause_name(clause)),
			 (def->flags & LINK_OPTION_SECRET) ?
			 errdetail("CONFIG is visible; secrets belong in CREDENTIALS, which nobody can read.") : 0));
}

LINK_NORETURN static void
bad_value(const LinkOptionDef *def, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_BAD_OPTION),
			 errmsg("invalid value of \"%s\" in %s", def->name, clause_name(def->clause)),
			 errdetail("%s", detail),
			 hint ? errhint("%s", hint) : 0));
}

static void
check_listed(const LinkOptionDef *def, const char *text)
{
	const char *match;

	if (in_list(text, def->values))
	{
		/* 'text' is now known to be one of our own words */
		if (in_list(text, def->unsupported_values))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_UNSUPPORTED),
					 errmsg("\"%s\" \"%s\" is not yet supported by this build", def->name, text)));
		return;
	}
	match = closest(text, def->values);
	bad_value(def, psprintf("It is one of %s.", quoted_list(def->values)),
			  match ? psprintf("Perhaps you meant \"%s\".", match) : NULL);
}

static void
check_value(const LinkProvider *provider, const LinkOptionDef *def, struct json_object *json)
{
	LinkOptionValue value;
	const char *problem;

	if (json == NULL)
		bad_value(def, "It is null.", "Leave the key out.");
	problem = link_option_read(def, json, &value);
	if (problem)
		bad_value(def, problem, NULL);
	if (def->values)
		check_listed(def, value.string);

	/* it would match nothing where paths do not begin so */
	if (provider && provider->path_syntax[0] != '/' && strcmp(def->name, "path_prefixes") == 0)
		for (int i = 0; i < value.n; i++)
			if (value.strings[i][0] == '/')
				bad_value(def, psprintf("Element %d: A path does not begin with \"/\".", i + 1), NULL);
}

/* 'type' is NULL for a row that was checked when it was made, if it was. */
void
link_options_check(const char *type, const LinkOptionDef *defs, LinkClause clause,
				   struct json_object *object)
{
	const LinkProvider *provider = type ? link_provider_find(type) : NULL;
	struct json_object_iter iter;

	json_object_object_foreachC(object, iter)
	{
		const LinkOptionDef *def = link_option_find(defs, iter.key);

		if (def == NULL)
			unknown_key(defs, clause, iter.key);
		if (def->clause != clause)
			wrong_clause(def, clause);
		check_value(provider, def, iter.val);
	}
}

void
link_options_check_required(const char *type, const LinkOptionDef *defs,
							struct json_object *credentials, struct json_object *config)
{
	foreach_def(def, defs)
	{
		if ((def->flags & LINK_OPTION_REQUIRED) &&
			member(def->clause == LINK_CREDENTIALS ? credentials : config, def->name) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("\"%s\" is missing in %s", def->name, clause_name(def->clause)),
					 errdetail("Links of type %s need it.", type)));
	}
}

bool
link_options_ambient(const LinkOptionDef *defs, LinkClause clause, struct json_object *object,
					 const char **key)
{
	foreach_def(def, defs)
	{
		struct json_object *json = def->clause == clause ? member(object, def->name) : NULL;

		if (json == NULL)
			continue;
		if ((def->flags & LINK_OPTION_AMBIENT) ||
			(json_object_is_type(json, json_type_string) &&
			 in_list(json_object_get_string(json), def->ambient_values)))
		{
			if (key)
				*key = def->name;
			return true;
		}
	}
	return false;
}

/*
 * Comparison.
 */

/* With its length before each text, so that no two values have the same form. */
static void
append_text(StringInfo out, const char *text)
{
	appendStringInfo(out, "%zu:%s", strlen(text), text);
}

static void
append_value(StringInfo out, const LinkOptionDef *def, const LinkOptionValue *value)
{
	switch (def->type)
	{
		case LINK_OPTION_BOOLEAN:
			appendStringInfoString(out, value->boolean ? "true" : "false");
			break;
		case LINK_OPTION_INTEGER:
			appendStringInfo(out, "%d", value->integer);
			break;
		case LINK_OPTION_STRINGS:
		case LINK_OPTION_URLS:
			appendStringInfo(out, "%d:", value->n);
			for (int i = 0; i < value->n; i++)
				append_text(out, value->strings[i]);
			break;
		default:
			append_text(out, value->string);
			break;
	}
}

static int
compare_lines(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * A line for each key that is there.  Absent keys have none and the lines are
 * sorted, so that a later version can add, move and reorder definitions and
 * sealed rows still open.  The form itself must never change.
 */
char *
link_options_origin(const LinkOptionDef *defs, struct json_object *credentials,
					struct json_object *config)
{
	StringInfoData origin;
	List	   *lines = NIL;
	ListCell   *cell;

	foreach_def(def, defs)
	{
		struct json_object *json = member(def->clause == LINK_CREDENTIALS ? credentials : config,
										  def->name);
		LinkOptionValue value;
		StringInfoData line;

		if (json == NULL || (def->flags & LINK_OPTION_ORIGIN) == 0)
			continue;
		initStringInfo(&line);
		appendStringInfo(&line, "%s.%s=", clause_name(def->clause), def->name);

		/* a value that no check lets through was never sealed to */
		if (link_option_read(def, json, &value) == NULL)
			append_value(&line, def, &value);
		lines = lappend(lines, line.data);
	}
	list_sort(lines, compare_lines);

	initStringInfo(&origin);
	foreach(cell, lines)
		appendStringInfo(&origin, "%s\n", (char *) lfirst(cell));
	return origin.data;
}

/* Without making texts of them: they may be secrets. */
static bool
equal_values(const LinkOptionDef *def, struct json_object *a, struct json_object *b)
{
	LinkOptionValue x;
	LinkOptionValue y;

	if (a == NULL || b == NULL)
		return a == b;
	if (link_option_read(def, a, &x) != NULL || link_option_read(def, b, &y) != NULL)
		return json_object_equal(a, b);
	switch (def->type)
	{
		case LINK_OPTION_BOOLEAN:
			return x.boolean == y.boolean;
		case LINK_OPTION_INTEGER:
			return x.integer == y.integer;
		case LINK_OPTION_STRINGS:
		case LINK_OPTION_URLS:
			if (x.n != y.n)
				return false;
			for (int i = 0; i < x.n; i++)
				if (strcmp(x.strings[i], y.strings[i]) != 0)
					return false;
			return true;
		default:
			return strcmp(x.string, y.string) == 0;
	}
}

bool
link_options_differ(const LinkOptionDef *defs, LinkClause clause, uint32 flags,
					struct json_object *a, struct json_object *b, const char **key)
{
	foreach_def(def, defs)
	{
		if (def->clause != clause || (def->flags & flags) == 0 ||
			equal_values(def, member(a, def->name), member(b, def->name)))
			continue;
		if (key)
			*key = def->name;
		return true;
	}
	return false;
}
