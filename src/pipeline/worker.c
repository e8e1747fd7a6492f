/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  A process that loads for one pipeline until there is nothing left.
 *
 * It is connected as the pipeline's owner.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog/tables.h"
#include "pipeline/engine.h"

/* ms after which it makes room for others; the scheduler has it come back */
#define TURN 60000

/* In the foreground there is no scheduler that has looked.  False if that failed, which is recorded. */
static bool
look(int64 id)
{
	MemoryContext context = CurrentMemoryContext;
	LinkPipeline *volatile pipeline = NULL;
	volatile bool succeeded = true;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(context);
		pipeline = link_tables_hold() ? link_pipeline_by_id(id) : NULL;
		if (pipeline)
			(void) link_work_find(pipeline, NULL);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(context);
		if (pipeline)
			link_work_failed(pipeline, NULL, error, GetCurrentTimestamp());
		PopActiveSnapshot();
		CommitTransactionCommand();
		succeeded = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	return succeeded;
}

void
link_worker_main(Datum arg)
{
	LinkProcessTask task = link_process_begin(LINK_PROCESS_WORKER);
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "link worker", ALLOCSET_DEFAULT_SIZES);
	TimestampTz started = GetCurrentTimestamp();
	int64		batches = 0;
	int			single = 0;		/* so many objects are taken one by one */

	StartTransactionCommand();
	(void) link_process_take_lock(LINK_PROCESS_WORKER);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	if (task.foreground && !look(task.pipeline))
		proc_exit(0);
	for (;;)
	{
		LinkBatchOutcome outcome;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		MemoryContextSwitchTo(context);
		MemoryContextReset(context);
		pgstat_report_activity(STATE_RUNNING, "pipeline");
		outcome = link_batch(task.pipeline, task.foreground, single > 0 ? 1 : LINK_WORK_OBJECTS);
		pgstat_report_stat(false);
		pgstat_report_activity(STATE_IDLE, NULL);
		if (outcome == LINK_BATCH_SPLIT)
		{
			single = LINK_WORK_OBJECTS;
			continue;
		}
		single = Max(single - 1, 0);
		if (outcome == LINK_BATCH_NONE || (task.foreground && outcome == LINK_BATCH_FAILED))
			break;
		if (++batches == task.limit ||
			(!task.foreground && TimestampDifferenceExceeds(started, GetCurrentTimestamp(), TURN)))
			break;
	}
	proc_exit(0);
}
