/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  The process that starts a scheduler in each database when the server starts.
 *
 * Which databases have pipelines only a process that is connected to them can
 * tell; a scheduler that finds none ends at once.  Later ones are started by
 * whoever starts a pipeline.  So the launcher sleeps until a scheduler that was
 * ended tells it, or link.pipelines is turned on.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "guc.h"
#include "pipeline/engine.h"

/* ms that it waits for a free process, and before it starts anew what was ended (DROP DATABASE may be under way) */
#define RETRY 1000
#define RESTART 10000

/* Oids of the databases that can be connected to. */
static List *
databases(MemoryContext context)
{
	List	   *result = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext caller = MemoryContextSwitchTo(context);

		if (database->datallowconn)
			result = lappend_oid(result, database->oid);
		MemoryContextSwitchTo(caller);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	return result;
}

/* One after the other, so that they do not take all the processes that there may be. */
static void
start_schedulers(void)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "link launcher", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	ListCell   *lc;

	foreach(lc, databases(context))
	{
		LinkProcessTask task = {lfirst_oid(lc)};
		BackgroundWorkerHandle *handle;
		pid_t		pid;

		while (!link_process_start(LINK_PROCESS_SCHEDULER, &task, &handle))
			link_process_sleep(RETRY, "LinkLauncher");
		(void) WaitForBackgroundWorkerStartup(handle, &pid);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

void
link_launcher_main(Datum arg)
{
	(void) link_process_begin(LINK_PROCESS_LAUNCHER);
	StartTransactionCommand();
	(void) link_process_take_lock(LINK_PROCESS_LAUNCHER);
	CommitTransactionCommand();
	for (;;)
	{
		if (link_pipelines_enabled)
			start_schedulers();
		link_process_sleep(-1, "LinkLauncher");
		link_process_sleep(RESTART, "LinkLauncher");
	}
}
