/*-------------------------------------------------------------------------
 *
 * scheduler.c
 *	  One process of a database in which pipelines run: it looks for their work and
 *	  starts workers.
 *
 * A look at a pipeline's source comes at each of its intervals; then, and when
 * something that has failed is due again, workers are started.  A worker that finds
 * nothing ends, so in between there is none.
 *
 * Whoever changes a pipeline starts another scheduler when it commits.  That one
 * finds that there is one already, and has it look at the pipelines again, or takes
 * its place.  One that ends looks once more after it has given up that place, so
 * no wake-up is lost.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <limits.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "catalog/tables.h"
#include "errors.h"
#include "guc.h"
#include "pipeline/engine.h"

/* ms until a look that has failed is tried again at first, and at last */
#define FIRST_RETRY 1000
#define LAST_RETRY 60000

/*
 * ms that a look waits for a provider that does not answer, so that all other pipelines
 * have their turn; the look comes again instead.
 */
#define LOOK_RETRY_TIMEOUT 5000
#define LOOK_CONNECT_TIMEOUT 2000
#define LOOK_REQUEST_TIMEOUT 10000

/* ms between two looks at least, and between two times that old history goes */
#define SHORTEST_INTERVAL 10
#define TRIM_INTERVAL 60000

typedef struct Plan
{
	int64		pipeline;
	Oid			owner;
	uint64		version;
	bool		running;		/* seen at the last look at the table */
	TimestampTz look_at;		/* when its source is looked at */
	TimestampTz start_at;		/* when workers are to be started, DT_NOEND: not */
	TimestampTz trim_at;		/* when old history goes */
	int			failures;		/* of looks, one after the other */
	TimestampTz failing_since;	/* when the first of them began */
	LinkLook	look;			/* what these have come to */
	List	   *workers;		/* BackgroundWorkerHandle * */
} Plan;

static List *plans = NIL;

/* ms that a provider may be away at one attempt: link.retry_timeout as it is for all others */
static int	patience;

/*
 * What there is to do.
 */

static Plan *
plan_of(const LinkPipeline *pipeline)
{
	ListCell   *lc;
	Plan	   *plan;

	foreach(lc, plans)
		if (((Plan *) lfirst(lc))->pipeline == pipeline->id)
			return lfirst(lc);
	plan = MemoryContextAllocZero(TopMemoryContext, sizeof(Plan));
	plan->pipeline = pipeline->id;
	return plan;
}

static void
end_workers(Plan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->workers)
		TerminateBackgroundWorker(lfirst(lc));
}

/* Pipelines that run, as they are now.  In a transaction. */
static List *
running_pipelines(void)
{
	List	   *running = NIL;
	ListCell   *lc;

	if (!link_pipelines_enabled || !link_tables_hold())
		return NIL;
	foreach(lc, link_pipelines(0, InvalidOid))
		if (link_pipeline_runs(lfirst(lc)))
			running = lappend(running, lfirst(lc));
	return running;
}

/* What was started or changed is looked at at once; workers of what does not run are ended. */
static void
read_pipelines(void)
{
	List	   *running;
	ListCell   *lc;

	foreach(lc, plans)
		((Plan *) lfirst(lc))->running = false;
	StartTransactionCommand();
	running = running_pipelines();
	foreach(lc, running)
	{
		const LinkPipeline *pipeline = lfirst(lc);
		Plan	   *plan = plan_of(pipeline);
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		if (plan->version == 0)
			plans = lappend(plans, plan);
		MemoryContextSwitchTo(caller);
		if (plan->version != pipeline->version)
		{
			if (plan->owner != pipeline->owner)
				end_workers(plan);
			plan->version = pipeline->version;
			plan->owner = pipeline->owner;
			plan->look_at = GetCurrentTimestamp();
			plan->start_at = DT_NOEND;
			plan->failures = 0;
			link_look_reset(&plan->look);
		}
		plan->running = true;
	}
	CommitTransactionCommand();
}

/* Forget workers that have ended, and pipelines that do not run and have none. */
static void
forget(void)
{
	ListCell   *lc;

	foreach(lc, plans)
	{
		Plan	   *plan = lfirst(lc);
		ListCell   *worker;

		foreach(worker, plan->workers)
		{
			pid_t		pid;

			if (GetBackgroundWorkerPid(lfirst(worker), &pid) == BGWH_STOPPED)
			{
				pfree(lfirst(worker));
				plan->workers = foreach_delete_current(plan->workers, worker);
			}
		}
		if (!plan->running)
			end_workers(plan);
		if (!plan->running && plan->workers == NIL)
		{
			link_look_reset(&plan->look);
			pfree(plan);
			plans = foreach_delete_current(plans, lc);
		}
	}
}

/*
 * A look.
 */

/* What would end each worker at its start is said here. */
static void
check_owner(const LinkPipeline *pipeline)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(pipeline->owner));
	bool		can_login;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of pipeline \"%s\" does not exist", pipeline->name)));
	can_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	if (!can_login && LINK_BGW_BYPASS_LOGIN == 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("the owner of pipeline \"%s\" may not log in", pipeline->name),
				 errdetail("Before PostgreSQL 17 the owner of a running pipeline needs LOGIN.")));
	if (link_database_aclcheck(MyDatabaseId, pipeline->owner, ACL_CONNECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("the owner of pipeline \"%s\" may not connect to this database", pipeline->name)));
}

/* A provider that is away is given as long as if each look had been patient. */
static bool
may_come_back(const Plan *plan, const LinkPipeline *pipeline, int sqlstate)
{
	return link_work_outside(sqlstate) &&
		(!pipeline->stop_on_error ||
		 !TimestampDifferenceExceeds(plan->failing_since, GetCurrentTimestamp(),
									 (int) Min((int64) patience * (pipeline->max_retries + 1), INT_MAX)));
}

/* The look failed: another time, or never. */
static void
look_failed(Plan *plan, const LinkPipeline *pipeline, const ErrorData *error, TimestampTz begun)
{
	int			delay = FIRST_RETRY;

	if (plan->failures++ == 0)
		plan->failing_since = begun;
	for (int i = 1; i < plan->failures && delay < LAST_RETRY; i++)
		delay *= 2;
	plan->look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Min(delay, LAST_RETRY));
	if (pipeline == NULL || error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		return;
	if (link_work_hopeless(error->sqlerrcode) || error->sqlerrcode == ERRCODE_LINK_CORRUPT ||
		(plan->failures > pipeline->max_retries && !may_come_back(plan, pipeline, error->sqlerrcode)))
		link_work_stop(pipeline, error);
	else
		link_work_failed(pipeline, NULL, error, GetCurrentTimestamp());
}

static void
trim(Plan *plan, const LinkPipeline *pipeline)
{
	if (plan->trim_at > GetCurrentTimestamp())
		return;
	link_work_trim(pipeline);
	plan->trim_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TRIM_INTERVAL);
}

/* Find work of a pipeline, or none; what is wrong is recorded. */
static void
look(Plan *plan)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "link pipeline look", ALLOCSET_DEFAULT_SIZES);
	LinkPipeline *volatile pipeline = NULL;
	TimestampTz begun = GetCurrentTimestamp();
	volatile bool more = false;

	pgstat_report_activity(STATE_RUNNING, "looking for work");
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(context);
		pipeline = link_tables_hold() ? link_pipeline_by_id(plan->pipeline) : NULL;
		if (pipeline && link_pipeline_runs(pipeline))
		{
			plan->look_at = TimestampTzPlusMilliseconds(begun, Max(pipeline->batch_interval, SHORTEST_INTERVAL));
			check_owner(pipeline);
			more = link_work_find(pipeline, &plan->look);
			trim(plan, pipeline);
		}
		PopActiveSnapshot();
		CommitTransactionCommand();
		plan->failures = 0;
		plan->start_at = GetCurrentTimestamp();

		/* who lists for long does not do it all the time */
		plan->look_at = more ? GetCurrentTimestamp() :
			Max(plan->look_at, GetCurrentTimestamp() + (GetCurrentTimestamp() - begun));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		link_look_reset(&plan->look);
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(context);
		look_failed(plan, pipeline, error, begun);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	PG_END_TRY();
	MemoryContextDelete(context);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * Workers.
 */

static int
count_workers(void)
{
	ListCell   *lc;
	int			n = 0;

	foreach(lc, plans)
		n += list_length(((Plan *) lfirst(lc))->workers);
	return n;
}

static bool
start_worker(Plan *plan)
{
	LinkProcessTask task = {MyDatabaseId, plan->owner, plan->pipeline};
	BackgroundWorkerHandle *handle;
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
	bool		started = link_process_start(LINK_PROCESS_WORKER, &task, &handle);

	if (started)
		plan->workers = lappend(plan->workers, handle);
	MemoryContextSwitchTo(caller);
	return started;
}

/* As many as there is work for, and as may be; every pipeline may have one. */
static void
start_workers(Plan *plan)
{
	LinkPipeline *pipeline;
	int			wanted = 0;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pipeline = link_tables_hold() ? link_pipeline_by_id(plan->pipeline) : NULL;
	plan->start_at = DT_NOEND;
	if (pipeline && link_pipeline_runs(pipeline))
	{
		LinkWorkLeft left = link_work_left(pipeline);

		wanted = left.pieces;
		plan->start_at = left.retry_at;
		if (pipeline->max_partitions > 0)
			wanted = Min(wanted, pipeline->max_partitions);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	while (list_length(plan->workers) < wanted &&
		   (plan->workers == NIL || count_workers() < link_pipeline_workers))
		if (!start_worker(plan))
			break;
}

/*
 * The process.
 */

/* Looks, starts; gives the time of the next. */
static TimestampTz
do_what_is_due(void)
{
	TimestampTz next = DT_NOEND;
	ListCell   *lc;

	foreach(lc, plans)
	{
		Plan	   *plan = lfirst(lc);

		if (plan->running && plan->look_at <= GetCurrentTimestamp())
			look(plan);
		if (plan->running && plan->start_at <= GetCurrentTimestamp())
			start_workers(plan);
		if (plan->running)
			next = Min(next, Min(plan->look_at, plan->start_at));
	}
	return next;
}

/* Is it the one of its database?  The other one is told to look again. */
static bool
become_the_one(void)
{
	bool		taken;

	StartTransactionCommand();
	taken = link_process_take_lock(LINK_PROCESS_SCHEDULER);
	if (!taken)
	{
		Latch	   *latch = link_process_latch(LINK_PROCESS_SCHEDULER, MyDatabaseId);

		if (latch)
			SetLatch(latch);
	}
	CommitTransactionCommand();
	return taken;
}

/* There is nothing to do, and whoever has something will find us gone. */
static bool
may_end(void)
{
	if (plans != NIL || !link_pipelines_enabled)
		return false;
	link_process_release_lock(LINK_PROCESS_SCHEDULER);
	read_pipelines();
	return plans == NIL || !become_the_one();
}

/* It ends, and not because there is nothing to do: the launcher is to start another. */
static void
tell_launcher(int code, Datum arg)
{
	Latch	   *latch;

	if (code == 0)
		return;
	MemoryContextSwitchTo(TopMemoryContext);
	latch = link_process_latch(LINK_PROCESS_LAUNCHER, InvalidOid);
	if (latch)
		SetLatch(latch);
}

static void
limit_parameter(const char *name, int value, int most)
{
	SetConfigOption(name, psprintf("%d", Min(value, most)), PGC_SUSET, PGC_S_OVERRIDE);
}

void
link_scheduler_main(Datum arg)
{
	bool		welcome;

	(void) link_process_begin(LINK_PROCESS_SCHEDULER);
	patience = link_retry_timeout;
	limit_parameter("link.retry_timeout", patience, LOOK_RETRY_TIMEOUT);
	limit_parameter("link.connect_timeout", link_connect_timeout, LOOK_CONNECT_TIMEOUT);
	limit_parameter("link.request_timeout", link_request_timeout, LOOK_REQUEST_TIMEOUT);
	before_shmem_exit(tell_launcher, (Datum) 0);
	StartTransactionCommand();
	welcome = link_process_is_welcome();
	CommitTransactionCommand();
	if (!welcome)
		proc_exit(1);
	if (!become_the_one())
		proc_exit(0);
	for (;;)
	{
		TimestampTz next;

		MemoryContextSwitchTo(TopMemoryContext);
		read_pipelines();
		forget();
		next = do_what_is_due();
		if (may_end())
			break;
		link_process_sleep(next == DT_NOEND ? -1 :
						   Max(1, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next)), "LinkScheduler");
	}
	proc_exit(0);
}
