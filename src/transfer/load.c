/*-------------------------------------------------------------------------
 *
 * load.c
 *	  Every object that a path names, through core's COPY FROM.
 *
 * Each object is a COPY of its own: its statement triggers fire, its header is
 * expected, its rows are counted, its row of pg_stat_progress_copy begins anew.
 *
 * COPY's callback is given no argument, so the object that is being read is in
 * a static variable.  A load may run within another (a trigger that loads, an
 * input function that reads a link), and may fail there and be caught: each
 * puts back what it found, on every way out.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "commands/copyfrom_internal.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "utils/memutils.h"

#include "catalog/use.h"
#include "errors.h"
#include "format/format.h"
#include "format/json_lines.h"
#include "format/shortcut.h"
#include "transfer/load.h"
#include "transfer/progress.h"
#include "transfer/source.h"

/*
 * Objects that are on their way at a time, and the bytes that their beginnings may
 * take together.
 */
#define AHEAD 8
#define AHEAD_BYTES (3 * LINK_PIECE_SIZE)

typedef struct Reading
{
	LinkSource *source;
	CopyFromState cstate;
	ErrorContextCallback *context;	/* without what COPY adds */

	/* format json: COPY is given what this makes of the lines */
	LinkJsonLines *json;
	const char *rest;			/* of the line that was made last */
	Size		rest_len;

	LinkShortcut *shortcut;		/* text and csv, or NULL: COPY is given the bytes */
} Reading;

static Reading *current = NULL;

static Size
read_source(void *arg, void *to, Size size)
{
	return link_source_read(arg, to, size);
}

/*
 * COPY gets one line at a time, which is that of the object: so it counts as the
 * object does, and what it says of a line is true.
 */
static int
read_json(Reading *reading, void *to, int at_most)
{
	int			part;

	if (reading->rest_len == 0)
	{
		ErrorContextCallback *context = error_context_stack;

		error_context_stack = reading->context;
		reading->rest = link_json_lines_next(reading->json, &reading->rest_len);
		error_context_stack = context;
		if (reading->rest == NULL)
			return 0;
		reading->cstate->cur_lineno = link_json_lines_number(reading->json);
	}
	part = Min(reading->rest_len, at_most);
	memcpy(to, reading->rest, part);
	reading->rest += part;
	reading->rest_len -= part;
	return part;
}

static int
read_current(void *to, int at_least, int at_most)
{
	if (current->json)
		return read_json(current, to, at_most);
	if (current->shortcut)
		return link_shortcut_read(current->shortcut, to, at_most);
	return (int) link_source_read(current->source, to, at_most);
}

/* ---- format json ---- */

static bool
ignores_errors(List *options)
{
	ListCell   *cell;

	foreach(cell, options)
		if (strcmp(lfirst_node(DefElem, cell)->defname, "on_error") == 0)
			return true;
	return false;
}

/* The lines that COPY gets are in the server's encoding. */
static List *
copy_options_for_json(List *options)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, options)
		if (strcmp(lfirst_node(DefElem, cell)->defname, "encoding") != 0)
			result = lappend(result, lfirst(cell));
	return lappend(result, makeDefElem("encoding",
									   (Node *) makeString(pstrdup(GetDatabaseEncodingName())), -1));
}

static LinkJsonLines *
json_lines(const LinkLoad *load, LinkSource *source)
{
	TupleDesc	desc = RelationGetDescr(load->rel);
	int			encoding = load->checked->file_encoding;

	return link_json_lines_begin(desc, CopyGetAttnums(desc, load->rel, load->columns),
								 encoding >= 0 ? encoding : pg_get_client_encoding(),
								 ignores_errors(load->options->copy), read_source, source);
}

/* ---- objects ---- */

/* For the lines of context: COPY counts lines from where we let it begin. */
typedef struct Place
{
	const char *link;
	const char *path;
	int64		skip;
} Place;

static void
say_place(void *arg)
{
	const Place *place = arg;

	if (place->skip > 0)
		errcontext("link %s, path \"%s\", below its first %lld lines",
				   place->link, place->path, (long long) place->skip);
	else
		errcontext("link %s, path \"%s\"", place->link, place->path);
}

static void
load_object(LinkSession *session, const LinkLoad *load, LinkSource *source, LinkObjectResult *result)
{
	Place		place = {session->link_name, result->path, load->options->skip};
	ErrorContextCallback context = {error_context_stack, say_place, &place};
	Reading    *outer = current;
	Reading		reading = {NULL, NULL, &context};
	List	   *copy_options = load->options->json ?
		copy_options_for_json(load->options->copy) : load->options->copy;

	error_context_stack = &context;
	link_source_await(source);
	if (load->options->codec)
		link_source_decompress(source, load->options->codec);
	else if (load->options->detect && (session->provider->features & LINK_IS_STREAM) == 0)
		link_source_detect(source);
	link_source_skip(source, load->options->skip);
	reading.source = source;
	if (load->options->json)
		reading.json = json_lines(load, source);
	current = &reading;
	PG_TRY();
	{
		CopyFromState cstate = BeginCopyFrom(load->pstate, load->rel, load->where,
											 NULL, false, read_current,
											 load->columns, copy_options);

		reading.cstate = cstate;
		if (!load->options->json && !load->as_it_is)
			reading.shortcut = link_shortcut_begin(cstate, read_source, source);
		if (link_source_size(source) >= 0)
			link_progress_bytes_total(link_source_size(source));
		load->take_rows(cstate, result, load->arg);
		EndCopyFrom(cstate);
	}
	PG_CATCH();
	{
		current = outer;
		if (load->line && reading.cstate)
			*load->line = reading.cstate->cur_lineno + Max(load->options->skip, 0);
		PG_RE_THROW();
	}
	PG_END_TRY();
	current = outer;
	result->bytes = link_source_bytes(source);
	link_source_close(source);
	error_context_stack = context.previous;
}

/* What a source holds of an object before its turn. */
static int64
beginning(const LinkObject *object)
{
	return object->size < 0 ? LINK_PIECE_SIZE : Min(object->size, LINK_PIECE_SIZE);
}

List *
link_load_listed(LinkSession *session, List *objects, const LinkLoad *load)
{
	List	   *results = NIL;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "link load", ALLOCSET_DEFAULT_SIZES);
	MemoryContext object_context = AllocSetContextCreate(context, "link load object",
														 ALLOCSET_DEFAULT_SIZES);
	LinkSource *sources[AHEAD];	/* of object n at n modulo AHEAD */
	int			begun = 0;
	int64		beginnings = 0;	/* of those begun and not loaded yet */

	if (session->provider->features & LINK_IS_STREAM)
		link_format_check_messages(link_format_find(load->options->format));

	for (int i = 0; i < list_length(objects); i++)
	{
		LinkObject *object = list_nth(objects, i);
		LinkObjectResult *result;

		MemoryContextSwitchTo(context);
		for (; begun < list_length(objects) && begun < i + AHEAD; begun++)
		{
			LinkObject *next = list_nth(objects, begun);

			if (begun > i && beginnings + beginning(next) > AHEAD_BYTES)
				break;
			sources[begun % AHEAD] = link_source_begin(session, next);
			beginnings += beginning(next);
		}

		MemoryContextSwitchTo(caller);
		if (load->at)
			*load->at = i;
		result = palloc0(sizeof(LinkObjectResult));
		result->path = pstrdup(object->path);
		results = lappend(results, result);

		/* CopyFrom leaves memory behind, and there may be thousands of objects */
		MemoryContextSwitchTo(object_context);
		load_object(session, load, sources[i % AHEAD], result);
		link_use_moved(result->rows, result->bytes);
		beginnings -= beginning(object);
		MemoryContextReset(object_context);
	}

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return results;
}

List *
link_load_objects(const LinkRow *row, const char *path, const LinkLoad *load)
{
	LinkSession *session = link_open(row);
	List	   *objects;
	List	   *results;

	if (session->provider->features & LINK_IS_STREAM)
		link_format_check_messages(link_format_find(load->options->format));
	objects = link_source_objects(session, path);
	results = link_load_listed(session, objects, load);
	link_close(session);
	return results;
}
