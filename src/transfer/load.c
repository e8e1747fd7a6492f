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
#include "postgres.h"

#include "utils/memutils.h"

#include "catalog/use.h"
#include "errors.h"
#include "transfer/load.h"
#include "transfer/progress.h"
#include "transfer/source.h"

static LinkSource *current = NULL;

static int
read_current(void *to, int at_least, int at_most)
{
	return (int) link_source_read(current, to, at_most);
}

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
load_object(LinkSession *session, const LinkLoad *load, LinkObjectResult *result)
{
	Place		place = {session->link_name, result->path, load->options->skip};
	ErrorContextCallback context = {error_context_stack, say_place, &place};
	LinkSource *outer = current;
	LinkSource *source;

	error_context_stack = &context;
	source = link_source_open(session, result->path);
	if (load->options->codec)
		link_source_decompress(source, load->options->codec);
	else if (load->options->detect && (session->provider->features & LINK_IS_STREAM) == 0)
		link_source_detect(source);
	link_source_skip(source, load->options->skip);
	current = source;
	PG_TRY();
	{
		CopyFromState cstate = BeginCopyFrom(load->pstate, load->rel, load->where,
											 NULL, false, read_current,
											 load->columns, load->options->copy);

		if (link_source_size(source) >= 0)
			link_progress_bytes_total(link_source_size(source));
		load->take_rows(cstate, result, load->arg);
		EndCopyFrom(cstate);
	}
	PG_FINALLY();
	{
		current = outer;
	}
	PG_END_TRY();
	result->bytes = link_source_bytes(source);
	link_source_close(source);
	error_context_stack = context.previous;
}

List *
link_load_objects(const LinkRow *row, const char *path, const LinkLoad *load)
{
	List	   *results = NIL;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "link load", ALLOCSET_DEFAULT_SIZES);
	MemoryContext object_context = AllocSetContextCreate(context, "link load object",
														 ALLOCSET_DEFAULT_SIZES);
	LinkSession *session;
	List	   *paths;
	ListCell   *cell;

	MemoryContextSwitchTo(context);
	session = link_open(row);
	paths = link_source_paths(session, path);

	foreach(cell, paths)
	{
		LinkObjectResult *result;

		MemoryContextSwitchTo(caller);
		result = palloc0(sizeof(LinkObjectResult));
		result->path = pstrdup(lfirst(cell));
		results = lappend(results, result);

		/* CopyFrom leaves memory behind, and there may be thousands of objects */
		MemoryContextSwitchTo(object_context);
		load_object(session, load, result);
		link_use_moved(result->rows, result->bytes);
		MemoryContextReset(object_context);
	}

	link_close(session);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return results;
}
