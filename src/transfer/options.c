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
#include "common/string.h"
#include "nodes/makefuncs.h"
#include "postmaster/bgworker_internals.h"
#include "utils/formatting.h"

#include "codec/codec.h"
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
static void set_parallel(DefElem *option, LinkTransferOptions *out);
static void set_manifest(DefElem *option, LinkTransferOptions *out);
static void set_file_size(DefElem *option, LinkTransferOptions *out);
static void set_partition_by(DefElem *option, LinkTransferOptions *out);
static void check_line_end(DefElem *option, LinkTransferOptions *out);
static void check_line_start(DefElem *option, LinkTransferOptions *out);

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
	{"force_quote", USE_BOTH, pass_on_columns},
	{"force_not_null", USE_BOTH, pass_on_columns},
	{"force_null", USE_BOTH, pass_on_columns},
	{"overwrite", USE_EXPORT, set_overwrite},
	{"file_size", USE_EXPORT, set_file_size},
	{"partition_by", USE_EXPORT, set_partition_by},
	{"key", USE_EXPORT, set_key},
	{"manifest", USE_EXPORT, set_manifest},
	{"parallel", USE_EXPORT, set_parallel},
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

/* Options for lines and columns where there are none, in COPY's words. */
static void
check_format_options(ParseState *pstate, List *options, const LinkTransferOptions *out)
{
	static const char *const of_text[] = {
		"header", "delimiter", "null", "quote", "escape", "force_quote", "force_not_null", "force_null"
	};
	bool		binary = strcmp(out->format, "binary") == 0;
	ListCell   *cell;

	if (!out->json && !binary)
		return;
	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);
		const char *name = option->defname;
		bool		refused = binary && out->skip > 0 && strcmp(name, "skip") == 0;

		for (int i = 0; i < lengthof(of_text); i++)
			refused |= strcmp(name, of_text[i]) == 0 && (i > 0 || out->header);
		if (refused)
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("cannot specify %s in %s mode", asc_toupper(name, strlen(name)),
							binary ? "BINARY" : "JSON"),
					 parser_errposition(pstate, option->location)));
	}
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
	out->detect = true;
	out->parallel = -1;
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
	check_format_options(pstate, options, out);
	if (!load && out->detect && (out->codec = link_codec_of_path(path)) != NULL)
		out->level = out->codec->default_level;
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
	out->json = format->ops == &link_format_json;

	/* one that COPY does not have; its options are like those of text */
	if (out->json)
		return;
	pass_on(makeDefElem("format", (Node *) makeString(name), option->location), out);
}

/* "auto", "none", or a codec, with a level perhaps: "zstd:9". */
static void
set_compression(DefElem *option, LinkTransferOptions *out)
{
	char	   *name = pstrdup(defGetString(option));
	char	   *level = strchr(name, ':');
	const char *closest;
	char	   *end;

	if (pg_strcasecmp(name, "auto") == 0)
		return;
	out->detect = false;
	if (pg_strcasecmp(name, "none") == 0)
		return;
	if (level)
		*level++ = '\0';
	out->codec = link_codec_find(name);
	if (out->codec == NULL)
	{
		closest = link_closest_match(name, link_codec_names());
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("compression \"%s\" not recognized", name),
				 closest ? errhint("Perhaps you meant \"%s\".", closest) : 0));
	}
	out->level = out->codec->default_level;
	if (level == NULL)
		return;
	errno = 0;
	out->level = strtoint(level, &end, 10);
	if (errno != 0 || end == level || *end != '\0' ||
		out->level < out->codec->min_level || out->level > out->codec->max_level)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("compression level \"%s\" is not one of %s", level, out->codec->name),
				 errdetail("Its levels are %d to %d.", out->codec->min_level, out->codec->max_level)));
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

/* COPY's own, with all the words that it takes; which it does not, it says. */
static void
set_header(DefElem *option, LinkTransferOptions *out)
{
	static const char *const none[] = {"false", "off", "0"};

	out->header = true;
	for (int i = 0; option->arg && i < lengthof(none); i++)
		if (pg_strcasecmp(defGetString(option), none[i]) == 0)
			out->header = false;
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

/* An upper bound: with no or one process the backend does all by itself. */
static void
set_parallel(DefElem *option, LinkTransferOptions *out)
{
	out->parallel = (int) Min(non_negative(option), MAX_PARALLEL_WORKER_LIMIT);
}

static void
set_manifest(DefElem *option, LinkTransferOptions *out)
{
	out->manifest = defGetBoolean(option);
}

static void
set_file_size(DefElem *option, LinkTransferOptions *out)
{
	out->file_size = non_negative(option);
	if (out->file_size == 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("option \"%s\" must be greater than zero", option->defname)));
}

/* A list of names, or one name. */
static void
set_partition_by(DefElem *option, LinkTransferOptions *out)
{
	if (option->arg && IsA(option->arg, List))
		out->partition_by = (List *) option->arg;
	else
		out->partition_by = list_make1(makeString(defGetString(option)));
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
