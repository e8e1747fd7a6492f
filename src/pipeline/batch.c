/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  One transaction of a pipeline: work is taken, its rows are inserted, and the
 *	  work is marked as done.
 *
 * Three roles are at work (SECURITY 28).  The link is read as the pipeline's owner,
 * who is the session user.  Whatever SQL there is (the target's triggers, defaults
 * and constraints, the pipeline's own expressions) runs as the target's owner, in a
 * security-restricted operation, deferred triggers included: the transaction ends
 * within it.  Our own tables are written as the bootstrap superuser.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "catalog/privileges.h"
#include "catalog/tables.h"
#include "catalog/use.h"
#include "errors.h"
#include "guc.h"
#include "pipeline/clauses.h"
#include "pipeline/ddl.h"
#include "pipeline/engine.h"
#include "pipeline/pipeline.h"
#include "pipeline/rows.h"
#include "transfer/listed.h"

/* A test reads no more than these. */
#define TEST_OBJECTS 10

/* Whose code runs. */
static Oid
target_owner(const LinkPipeline *pipeline)
{
	int			cache = pipeline->signature ? PROCOID : RELOID;
	HeapTuple	tuple = SearchSysCache1(cache, ObjectIdGetDatum(pipeline->signature ? pipeline->procedure : pipeline->table));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "the target of a pipeline is gone");
	owner = pipeline->signature ? ((Form_pg_proc) GETSTRUCT(tuple))->proowner :
		((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Of a plain pipeline, as char *; NIL: all columns. */
static List *
plain_columns(const LinkPipeline *pipeline)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, link_fields_from_json(pipeline->fields))
		columns = lappend(columns, ((LinkPipelineField *) lfirst(lc))->name);
	return columns;
}

/*
 * Deferred triggers and constraints fire at the end of each statement.  Whatever
 * user code wants to put off again, core refuses in a security-restricted operation.
 */
static void
defer_nothing(void)
{
	ConstraintsSetStmt *all = makeNode(ConstraintsSetStmt);

	AfterTriggerSetState(all);
}

/* As the target's owner, who is so from now on. */
static uint64
load(const LinkPipeline *pipeline, LinkWork *work, LinkSession *session, uint64 *bytes)
{
	LinkListed	listed = {pipeline->path, pipeline->table, NIL, NIL, &work->at, &work->line};
	int			guc_level = NewGUCNestLevel();
	List	   *results;
	ListCell   *lc;
	uint64		read = 0;
	uint64		inserted = PG_UINT64_MAX;

	link_pipeline_set_path(pipeline);
	defer_nothing();
	listed.options = link_format_options_from_json(pipeline->options);
	listed.as_it_is = pipeline->skip != 0;
	if (link_pipeline_is_plain(pipeline) && pipeline->skip == 0)
	{
		listed.columns = plain_columns(pipeline);
		results = link_import_listed(session, work->objects, &listed);
	}
	else
		results = link_rows_load(pipeline, work->objects, session, &listed, &inserted);

	/* what fails from here on may be of any of them */
	if (list_length(work->objects) > 1)
		work->at = -1;

	/* also what user code has set meanwhile */
	AtEOXact_GUC(false, guc_level);
	*bytes = 0;
	foreach(lc, results)
	{
		read += ((LinkObjectResult *) lfirst(lc))->rows;
		*bytes += ((LinkObjectResult *) lfirst(lc))->bytes;
	}
	return Min(read, inserted);
}

/* For tests: the rows are there, and nothing is committed. */
static void
pause_if_told(const LinkPipeline *pipeline)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_pipeline_pause);

	if (link_pipeline_pause == 0)
		return;
	pgstat_report_activity(STATE_RUNNING, "pause before commit");
	while (GetCurrentTimestamp() < end)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 100, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* The batch in work is given up without a word; code of users can raise any SQLSTATE. */
static bool unwanted = false;

/* Is it still to be done?  The lock keeps it so until the end of the transaction. */
static void
look_again(const LinkPipeline *pipeline, bool foreground)
{
	LinkPipeline *now = link_lock_pipeline_shared(pipeline->id) ? link_pipeline_by_id(pipeline->id) : NULL;

	unwanted = now == NULL || (!foreground && !link_pipeline_runs(now));
	if (unwanted)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("pipeline \"%s\" is being stopped or changed", pipeline->name)));
}

static void
do_work(const LinkPipeline *pipeline, LinkWork *work, bool foreground, TimestampTz started)
{
	LinkRow    *link = link_lookup_id(pipeline->link_id, LINK_ACL_READ);
	LinkSession *session;
	uint64		rows;
	uint64		bytes;
	Oid			user;
	int			context;

	(void) link_pipeline_check_rights(pipeline);
	session = link_open(link);
	session->whole_ranges = true;
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(target_owner(pipeline),
						   context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	rows = load(pipeline, work, session, &bytes);
	link_close(session);
	link_work_done(pipeline, work, rows, bytes, started);
	pause_if_told(pipeline);
	look_again(pipeline, foreground);
}

/*
 * The transaction.
 */

static LinkPipeline *
runnable(int64 id, bool foreground)
{
	LinkPipeline *pipeline = link_pipelines_enabled && link_tables_hold() ? link_pipeline_by_id(id) : NULL;

	if (pipeline == NULL || (!foreground && !link_pipeline_runs(pipeline)))
		return NULL;

	/* another owner has workers of another session */
	return pipeline->owner == GetSessionUserId() ? pipeline : NULL;
}

/* The batch failed, and its transaction is still there. */
static LinkBatchOutcome
give_up(const LinkPipeline *pipeline, const LinkWork *work, MemoryContext context, TimestampTz started)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	AbortOutOfAnyTransaction();	/* it may have been in a subtransaction */
	if (unwanted || pipeline == NULL)
		return LINK_BATCH_NONE;
	if (work->at < 0)
		return LINK_BATCH_SPLIT;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
	link_work_failed(pipeline, work, error, started);
	PopActiveSnapshot();
	CommitTransactionCommand();
	return LINK_BATCH_FAILED;
}

/* The work, as a use of the link that the log has. */
static void
use_link(const LinkPipeline *pipeline, LinkWork *work, bool foreground, TimestampTz started)
{
	LINK_USE_BEGIN(LINK_VERB_LOAD_DATA, pipeline->path);
	{
		do_work(pipeline, work, foreground, started);
	}
	LINK_USE_END();
}

LinkBatchOutcome
link_batch(int64 pipeline_id, bool foreground, int objects)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "link pipeline batch", ALLOCSET_DEFAULT_SIZES);
	TimestampTz started = GetCurrentTimestamp();
	LinkPipeline *volatile pipeline = NULL;
	LinkWork   *work = MemoryContextAllocZero(context, sizeof(LinkWork));
	volatile LinkBatchOutcome outcome = LINK_BATCH_NONE;
	Oid			user;
	int			sec_context;

	GetUserIdAndSecContext(&user, &sec_context);
	unwanted = false;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(context);
		pipeline = runnable(pipeline_id, foreground);
		if (pipeline)
			link_pipeline_lock_target(pipeline);
		if (pipeline && link_work_claim(pipeline, objects, work))
		{
			outcome = LINK_BATCH_DONE;
			use_link(pipeline, work, foreground, started);
		}
		PopActiveSnapshot();
		CommitTransactionCommand();
		SetUserIdAndSecContext(user, sec_context);
	}
	PG_CATCH();
	{
		outcome = give_up(pipeline, work, context, started);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return outcome;
}

/*
 * TEST.
 */

/* What comes next, without taking it. */
static List *
next_objects(const LinkPipeline *pipeline)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	LinkWork	work;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	(void) link_work_find(pipeline, NULL);
	link_work_peek(pipeline, &work, TEST_OBJECTS);
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return work.objects;
}

List *
link_pipeline_test(const LinkPipeline *pipeline, int64 limit)
{
	LinkListed	listed = {pipeline->path, pipeline->table};
	List	   *objects;
	List	   *rows;
	LinkSession *session;
	Oid			user;
	int			context;
	int			guc_level;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(pipeline->owner, context | SECURITY_LOCAL_USERID_CHANGE);
	objects = next_objects(pipeline);
	session = link_open(link_lookup_id(pipeline->link_id, LINK_ACL_READ));
	SetUserIdAndSecContext(target_owner(pipeline),
						   context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	guc_level = NewGUCNestLevel();
	link_pipeline_set_path(pipeline);
	listed.options = link_format_options_from_json(pipeline->options);
	rows = link_rows_test(pipeline, objects, session, &listed, limit);
	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(user, context);
	link_close(session);
	return rows;
}
