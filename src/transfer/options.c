/*-------------------------------------------------------------------------
 *
 * options.c
 *	  The options of export and load, told apart: those of core's COPY, and
 *	  ours.
 *
 * COPY's own are only passed on, so that what is wrong with a value is said in
 * core's words.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "utils/formatting.h"

#include "errors.h"
#include "format/format.h"
#include "transfer/options.h"

typedef enum OptionUse
{
	USE_EXPORT = 1,
	USE_LOAD = 2,
	USE_BOTH = USE_EXPORT | USE_LOAD
} OptionUse;

/* What becomes of an option. */
typedef void (*OptionHandler) (DefElem *option, LinkTransferOptions *out);

typedef struct OptionRule
{
	const char *name;
	OptionUse	use;
	OptionHandler handler;
} OptionRule;

static void pass_on(DefElem *option, LinkTransferOptions *out);
static void pass_on_columns(DefElem *option, LinkTransferOptions *out);
static void set_format(DefElem *option, LinkTransferOptions *out);
static void set_compression(DefElem *option, LinkTransferOptions *out);
static void set_overwrite(DefElem *option, LinkTransferOptions *out);
static void set_key(DefElem *option, LinkTransferOptions *out);
static void set_header(DefElem *option, LinkTransferOptions *out);
static void set_skip(DefElem *option, LinkTransferOptions *out);
static void set_where(DefElem *option, LinkTransferOptions *out);
static void set_on_error(DefElem *option, LinkTransferOptions *out);
static void set_reject_limit(DefElem *option, LinkTransferOptions *out);
static void check_parallel(DefElem *option, LinkTransferOptions *out);
static void check_manifest(DefElem *option, LinkTransferOptions *out);
static void check_line_end(DefElem *option, LinkTransferOptions *out);
static void check_line_start(DefElem *option, LinkTransferOptions *out);
static void refuse(DefElem *option, LinkTransferOptions *out);

static const OptionRule rules[] = {
	{"format", USE_BOTH, set_format},
	{"compression", USE_BOTH, set_compression},
	{"header", USE_BOTH, set_header},
	{"freeze", USE_BOTH, pass_on},
	{"delimiter", USE_BOTH, pass_on},
	{"null", USE_BOTH, pass_on},
	{"quote", USE_BOTH, pass_on},
	{"escape", USE_BOTH, pass_on},
	{"encoding", USE_BOTH, pass_on},
	{"default", USE_LOAD, pass_on},
	{"force_quote", USE_EXPORT, pass_on_columns},
	{"force_not_null", USE_LOAD, pass_on_columns},
	{"force_null", USE_LOAD, pass_on_columns},
	{"overwrite", USE_EXPORT, set_overwrite},
	{"file_size", USE_EXPORT, refuse},
	{"partition_by", USE_EXPORT, refuse},
	{"key", USE_EXPORT, set_key},
	{"manifest", USE_EXPORT, check_manifest},
	{"parallel", USE_EXPORT, check_parallel},
	{"skip", USE_LOAD, set_skip},
	{"where", USE_LOAD, set_where},
	{"on_error", USE_LOAD, set_on_error},
	{"reject_limit", USE_LOAD, set_reject_limit},
	{"log_verbosity", USE_LOAD, pass_on},
	{"lines_terminated_by", USE_BOTH, check_line_end},
	{"lines_starting_by", USE_BOTH, check_line_start},
};

static const OptionRule *
find_rule(const char *name, bool load)
{
	const char *names[lengthof(rules) + 1];
	const char *closest;
	int			n = 0;
	OptionUse	use = load ? USE_LOAD : USE_EXPORT;

	for (int i = 0; i < lengthof(rules); i++)
	{
		if (strcmp(rules[i].name, name) == 0)
		{
			if (rules[i].use & use)
				return &rules[i];
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 load ? errmsg("option \"%s\" is for writing only", name)
					 : errmsg("option \"%s\" is for reading only", name)));
		}
		if (rules[i].use & use)
			names[n++] = rules[i].name;
	}
	names[n] = NULL;
	closest = link_closest_match(name, names);
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("option \"%s\" not recognized", name),
			 closest ? errhint("Perhaps you meant the option \"%s\".", closest) : 0));
	return NULL;				/* keep compiler quiet */
}

/* The codec that a path's ending asks for under compression 'auto'. */
static void
check_path_codec(const char *path)
{
	static const char *const endings[] = {".gz", ".zst", ".lz4"};
	Size		len = strlen(path);

	for (int i = 0; i < lengthof(endings); i++)
	{
		Size		ending = strlen(endings[i]);

		if (len > ending && pg_strcasecmp(path + len - ending, endings[i]) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_UNSUPPORTED),
					 errmsg("compression is not supported by this build"),
					 errdetail("The path ends in \"%s\", which asks for it.", endings[i]),
					 errhint("Use compression \"none\" to transfer the bytes as they are.")));
	}
}

/* The option that is looked at, and where its text is. */
typedef struct OptionPlace
{
	ParseState *pstate;
	const DefElem *option;
} OptionPlace;

static void
point_to_option(void *arg)
{
	const OptionPlace *place = arg;

	if (geterrposition() <= 0)
		parser_errposition(place->pstate, place->option->location);
}

void
link_transfer_options(ParseState *pstate, List *options, bool load, const char *path,
					  LinkTransferOptions *out)
{
	bool		seen[lengthof(rules)] = {false};
	OptionPlace place = {pstate};
	ErrorContextCallback position = {error_context_stack, point_to_option, &place};
	ListCell   *cell;

	memset(out, 0, sizeof(*out));
	error_context_stack = &position;
	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);
		const OptionRule *rule;

		place.option = option;
		rule = find_rule(option->defname, load);
		if (seen[rule - rules])
			errorConflictingDefElem(option, pstate);
		seen[rule - rules] = true;
		rule->handler(option, out);
	}
	error_context_stack = position.previous;
	if (out->format == NULL)
		set_format(makeDefElem("format", (Node *) makeString(pstrdup("text")), -1), out);
	if (!out->raw)
		check_path_codec(path);
}

static void
pass_on(DefElem *option, LinkTransferOptions *out)
{
	out->copy = lappend(out->copy, option);
}

/* In a list of names, a lone * stands for all columns, as FORCE_QUOTE * does. */
static void
pass_on_columns(DefElem *option, LinkTransferOptions *out)
{
	DefElem    *copy = copyObject(option);

	if (copy->arg && IsA(copy->arg, List))
	{
		List	   *columns = (List *) copy->arg;

		if (list_length(columns) == 1 && strcmp(strVal(linitial(columns)), "*") == 0)
			copy->arg = (Node *) makeNode(A_Star);
	}
	pass_on(copy, out);
}

static void
set_format(DefElem *option, LinkTransferOptions *out)
{
	char	   *word = defGetString(option);
	char	   *name = asc_tolower(word, strlen(word));
	const LinkFormat *format = link_format_find(name);
	const char *closest;

	if (format == NULL)
	{
		closest = link_closest_match(name, link_format_names());
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("format \"%s\" not recognized", name),
				 closest ? errhint("Perhaps you meant \"%s\".", closest) : 0));
	}
	if (format->ops == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("format \"%s\" is not supported by this build", name)));
	out->format = format->name;
	pass_on(makeDefElem("format", (Node *) makeString(name), option->location), out);
}

static void
set_compression(DefElem *option, LinkTransferOptions *out)
{
	static const char *const codecs[] = {"auto", "none", "gzip", "zstd", "lz4", NULL};
	const char *name = defGetString(option);
	const char *closest;

	if (pg_strcasecmp(name, "auto") == 0)
		return;
	if (pg_strcasecmp(name, "none") == 0)
	{
		out->raw = true;
		return;
	}
	for (int i = 2; codecs[i]; i++)
		if (pg_strcasecmp(name, codecs[i]) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_UNSUPPORTED),
					 errmsg("compression \"%s\" is not supported by this build", codecs[i])));
	closest = link_closest_match(name, codecs);
	ereport(ERROR,
			(errcode(ERRCODE_LINK_BAD_OPTION),
			 errmsg("compression \"%s\" not recognized", name),
			 closest ? errhint("Perhaps you meant \"%s\".", closest) : 0));
}

static void
set_overwrite(DefElem *option, LinkTransferOptions *out)
{
	out->overwrite = defGetBoolean(option);
}

static void
set_key(DefElem *option, LinkTransferOptions *out)
{
	out->key = defGetString(option);
}

/* COPY's own; what a load makes of it is its own business too. */
static void
set_header(DefElem *option, LinkTransferOptions *out)
{
	out->header = option->arg == NULL || pg_strcasecmp(defGetString(option), "false") != 0;
	pass_on(option, out);
}

static int64
non_negative(DefElem *option)
{
	int64		value = defGetInt64(option);

	if (value < 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("option \"%s\" must not be negative", option->defname)));
	return value;
}

static void
set_skip(DefElem *option, LinkTransferOptions *out)
{
	out->skip = non_negative(option);
}

static void
set_where(DefElem *option, LinkTransferOptions *out)
{
	out->where = defGetString(option);
}

static void
set_on_error(DefElem *option, LinkTransferOptions *out)
{
	const char *choice = defGetString(option);

	if (pg_strcasecmp(choice, "stop") == 0)
		return;
	if (pg_strcasecmp(choice, "ignore") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("on_error \"%s\" not recognized", choice),
				 errhint("It is \"stop\" or \"ignore\".")));
	if (!LINK_COPY_HAS_ON_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("on_error \"ignore\" is not supported by this server"),
				 errdetail("It needs PostgreSQL 17 or newer.")));
	pass_on(option, out);
}

static void
set_reject_limit(DefElem *option, LinkTransferOptions *out)
{
	if (!LINK_COPY_HAS_REJECT_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("reject_limit is not supported by this server"),
				 errdetail("It needs PostgreSQL 18 or newer.")));
	pass_on(option, out);
}

/* An upper bound: one process is always within it. */
static void
check_parallel(DefElem *option, LinkTransferOptions *out)
{
	(void) non_negative(option);
}

static void
check_manifest(DefElem *option, LinkTransferOptions *out)
{
	if (defGetBoolean(option))
		refuse(option, out);
}

/* COPY writes newlines, and finds out by itself which line end it reads. */
static void
check_line_end(DefElem *option, LinkTransferOptions *out)
{
	const char *end = defGetString(option);

	if (strcmp(end, "\n") == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_LINK_UNSUPPORTED),
			 errmsg("lines can be terminated by a newline only"),
			 errhint("When loading, leave the clause out: carriage return and newline are recognized by themselves.")));
}

static void
check_line_start(DefElem *option, LinkTransferOptions *out)
{
	if (*defGetString(option) != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("a prefix of lines is not supported by this build")));
}

static void
refuse(DefElem *option, LinkTransferOptions *out)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_UNSUPPORTED),
			 errmsg("option \"%s\" is not supported by this build", option->defname)));
}
