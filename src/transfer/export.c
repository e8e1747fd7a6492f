/*-------------------------------------------------------------------------
 *
 * export.c
 *	  Rows of a query, or bytes of a value, into objects of a link.
 *
 * The query is prepared as COPY (query) TO does it, and its rows go from the
 * executor through a format and a codec into the link's writer, in constant
 * memory.  Nothing is visible at the provider before the publish, which is the
 * very last step that can fail.  An export writes nothing in the database, so it
 * is allowed in read-only transactions and on a standby.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "commands/copy.h"
#include "executor/executor.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "parser/parse_node.h"
#include "utils/memutils.h"

#include "catalog/privileges.h"
#include "catalog/use.h"
#include "errors.h"
#include "provider/provider.h"
#include "transfer/copy_to.h"
#include "transfer/deliver.h"
#include "transfer/object.h"
#include "transfer/objects.h"
#include "transfer/options.h"
#include "transfer/parallel.h"
#include "transfer/progress.h"
#include "transfer/select.h"
#include "transfer/transfer.h"
#include "transfer/verb.h"

/* ---- the ways of an export; 'desc' has been started ---- */

static List *
to_objects(QueryDesc *desc, LinkDelivery *delivery, LinkSession *session, int workers,
		   const LinkParallelTask *task, const LinkTransferOptions *wanted)
{
	pg_atomic_uint32 next;
	LinkParallel *volatile parallel = NULL;
	LinkObjectSet *volatile set = NULL;
	List	   *results = NIL;

	pg_atomic_init_u32(&next, 0);
	link_reap_first(session);
	if (workers > 0)
		parallel = link_parallel_begin(workers, desc, task);
	PG_TRY();
	{
		set = link_objects_begin(session, task->path, wanted->file_size > 0 || (parallel && !link_parallel_alone(parallel)),
								 parallel ? link_parallel_next(parallel) : &next, wanted);
		link_delivery_to_objects(delivery, desc->tupDesc, set);
		if (parallel)
			desc->dest = link_parallel_receiver(parallel, desc->dest);
		link_executor_run(desc);
		link_delivery_end(delivery, parallel == NULL);
		if (parallel)
		{
			link_parallel_collect(parallel, set);
			if (link_objects_count(set) == 0)
				link_delivery_end(delivery, true);
		}
		link_select_end(desc);
		if (parallel)
			link_parallel_end(parallel);
		parallel = NULL;
		results = link_objects_publish(set);
	}
	PG_CATCH();
	{
		if (parallel)
			link_parallel_stop(parallel);
		if (set)
			link_objects_undo(set);
		if (workers > 0)
			link_parallel_undo(parallel, set);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return results;
}

static List *
to_stream(QueryDesc *desc, LinkDelivery *delivery, LinkSession *session, const char *path,
		  const LinkTransferOptions *wanted)
{
	LinkObjectResult *result = palloc0(sizeof(LinkObjectResult));
	LinkWriter *writer = link_open_writer(session, path, wanted->overwrite);
	StringInfoData token;

	initStringInfo(&token);
	PG_TRY();
	{
		link_delivery_to_stream(delivery, desc->tupDesc, writer);
		link_executor_run(desc);
		link_delivery_end(delivery, false);
		link_select_end(desc);
		link_prepare(writer, &token);
		link_publish(session, writer->path, writer->overwrite, token.data, token.len);
	}
	PG_CATCH();
	{
		link_undo_writer(writer, &token);
		PG_RE_THROW();
	}
	PG_END_TRY();
	result->path = pstrdup(path);
	result->rows = link_delivery_rows(delivery);
	result->bytes = link_delivery_bytes(delivery);
	return list_make1(result);
}

/* In the current memory context, and for the use's record. */
static List *
copy_results(List *results)
{
	List	   *copies = NIL;
	ListCell   *cell;

	foreach(cell, results)
	{
		LinkObjectResult *copy = palloc(sizeof(LinkObjectResult));

		*copy = *(LinkObjectResult *) lfirst(cell);
		copy->path = pstrdup(copy->path);
		copies = lappend(copies, copy);
		link_use_moved(copy->rows, copy->bytes);
	}
	return copies;
}

/* The query, which came as a value and has its own positions of errors. */
static LinkSelect
plan_text(const char *query, List *partition_by)
{
	ErrorContextCallback position = {error_context_stack, link_verb_text_position, unconstify(char *, query)};
	RawStmt    *statement;
	LinkSelect	select;

	error_context_stack = &position;
	statement = link_select_parse(query);
	if (partition_by != NIL)
		statement = link_select_partition(statement, query, partition_by);
	select = link_select_plan(link_select_analyze(statement, query), query);
	error_context_stack = position.previous;
	return select;
}

/*
 * Is one process to format and another one to compress?  Not where several
 * format, nor for many small objects.  Unless it was asked for, the rows have to
 * be as many as are worth a parallel scan to core.
 */
static bool
compress_apart(const LinkSelect *select, const LinkTransferOptions *wanted, int workers)
{
	double		worth = (double) min_parallel_table_scan_size * BLCKSZ;
	const Plan *top = select->plan->planTree;

	if (wanted->codec == NULL || workers > 0 || wanted->parallel == 0 || wanted->parallel == 1 ||
		wanted->partition_by != NIL || (wanted->file_size > 0 && wanted->file_size < worth))
		return false;
	return wanted->parallel > 1 ||
		(max_parallel_workers_per_gather > 0 && top->plan_rows * top->plan_width >= worth);
}

static List *
export(const LinkCopy *copy, const char *query, const LinkName *link, const char *path, List *options)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link export",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkTransferOptions wanted;
	CopyFormatOptions format = {0};
	ParseState *pstate = make_parsestate(NULL);
	LinkDelivery *delivery;
	LinkRow    *row;
	LinkSelect	select;
	int			workers = 0;
	bool		deal = false;
	LinkParallelTask task;
	QueryDesc  *desc;
	LinkSession *session;
	List	   *results;

	link_verb_require_allowed(copy ? "COPY TO" : "SELECT INTO LINK");
	pstate->p_sourcetext = copy ? query : NULL;
	link_transfer_options(pstate, options, false, path, &wanted);
	ProcessCopyOptions(pstate, &format, false, wanted.copy);
	row = link_lookup_name(link, LINK_ACL_WRITE);

	select = copy ? link_copy_to_plan(copy, &wanted) : plan_text(query, wanted.partition_by);
	delivery = link_delivery_begin(&wanted, &format);

	/* who has not asked for several objects gets the one that is named, however large the table is */
	if (row->provider && (row->provider->features & LINK_IS_STREAM) == 0 && wanted.partition_by == NIL &&
		(wanted.parallel >= 0 || wanted.file_size > 0))
		workers = link_parallel_workers(&select, link_format_find(wanted.format), wanted.parallel, &deal);
	wanted.apart = compress_apart(&select, &wanted, workers);
	desc = link_select_start(select.plan, query, link_delivery_receiver(delivery));
	session = link_open(row);
	task = (LinkParallelTask) {row, path, options, query, select.plan, deal};
	link_progress_begin(false, InvalidOid);
	if (session->provider->features & LINK_IS_STREAM)
		results = to_stream(desc, delivery, session, path, &wanted);
	else
		results = to_objects(desc, delivery, session, workers, &task, &wanted);
	link_progress_end();
	link_close(session);

	MemoryContextSwitchTo(caller);
	results = copy_results(results);
	MemoryContextDelete(context);
	return results;
}

List *
link_export(const char *query, const LinkName *link, const char *path, List *options)
{
	List	   *results = NIL;

	LINK_USE_BEGIN(LINK_VERB_SELECT_INTO, path);
	{
		results = export(NULL, query, link, path, options);
	}
	LINK_USE_END();
	return results;
}

List *
link_export_copy(const LinkCopy *copy, const LinkName *link, const char *path)
{
	List	   *results = NIL;

	LINK_USE_BEGIN(LINK_VERB_SELECT_INTO, path);
	{
		results = export(copy, copy->text, link, path, copy->statement->options);
	}
	LINK_USE_END();
	return results;
}

LinkObjectResult *
link_export_opened(struct LinkSession *session, const char *query, const char *path, List *options, LinkDigest *digest)
{
	LinkTransferOptions wanted;
	CopyFormatOptions format = {0};
	LinkDelivery *delivery;
	LinkSelect	select;
	LinkParallelTask task = {.path = path};
	QueryDesc  *desc;

	link_transfer_options(NULL, options, false, path, &wanted);
	ProcessCopyOptions(NULL, &format, false, wanted.copy);
	wanted.digest = digest;
	select = plan_text(query, NIL);
	delivery = link_delivery_begin(&wanted, &format);
	desc = link_select_start(select.plan, query, link_delivery_receiver(delivery));
	return linitial(to_objects(desc, delivery, session, 0, &task, &wanted));
}

static void
write_whole(const LinkName *link, const char *path,
			const void *data, Size size, bool overwrite)
{
	LinkRow    *row;
	LinkSession *session;
	LinkWriter *writer;
	StringInfoData token;

	link_verb_require_allowed("link.write_file");
	row = link_lookup_name(link, LINK_ACL_WRITE);
	session = link_open(row);
	writer = link_open_writer(session, path, overwrite);
	initStringInfo(&token);
	PG_TRY();
	{
		link_write(writer, data, size);
		link_prepare(writer, &token);
		link_publish(session, writer->path, writer->overwrite, token.data, token.len);
	}
	PG_CATCH();
	{
		link_undo_writer(writer, &token);
		PG_RE_THROW();
	}
	PG_END_TRY();
	link_close(session);
	link_use_moved(0, size);
}

void
link_write_whole(const LinkName *link, const char *path,
				 const void *data, Size size, bool overwrite)
{
	LINK_USE_BEGIN(LINK_VERB_WRITE_FILE, path);
	{
		write_whole(link, path, data, size, overwrite);
	}
	LINK_USE_END();
}
