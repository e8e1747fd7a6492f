/*-------------------------------------------------------------------------
 *
 * pipeline.c
 *	  What statements ask of the engine.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "errors.h"
#include "pipeline/engine.h"
#include "pipeline/pipeline.h"

/*
 * Waking.
 */

static bool wake_at_commit = false;

/*
 * After the commit nothing may fail, so who may be there is looked up before.  If
 * there cannot be another process, the scheduler that there is has to do, or the
 * launcher, which waits until there can be one.
 */
static void
at_end(XactEvent event, void *arg)
{
	static Latch *latches[2];
	LinkProcessTask task = {MyDatabaseId};

	if (event == XACT_EVENT_PRE_COMMIT && wake_at_commit)
	{
		latches[0] = link_process_latch(LINK_PROCESS_SCHEDULER, MyDatabaseId);
		latches[1] = link_process_latch(LINK_PROCESS_LAUNCHER, InvalidOid);
	}
	if (event == XACT_EVENT_COMMIT && wake_at_commit &&
		!link_process_start(LINK_PROCESS_SCHEDULER, &task, NULL))
	{
		for (int i = 0; i < lengthof(latches); i++)
			if (latches[i])
				SetLatch(latches[i]);
		if (latches[0] == NULL)
			ereport(WARNING,
					(errmsg("there is no process for the pipelines of this database"),
					 errhint("You might need to increase max_worker_processes.")));
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		wake_at_commit = false;
}

void
link_pipeline_wake(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(at_end, NULL);
	registered = true;
	wake_at_commit = true;
}

bool
link_pipeline_survives_restart(void)
{
	return link_process_pids(InvalidOid) != NIL;
}

/*
 * In the foreground.
 */

/* The last rows that the pipeline has in pipeline_batch and pipeline_error, and the sum of rows since. */
static void
history(int64 pipeline, int64 *batch, int64 *error, uint64 *rows)
{
	static const char sql[] =
		"SELECT (SELECT pg_catalog.max(id) FROM link.pipeline_batch WHERE pipeline_id = $1), "
		"(SELECT pg_catalog.max(id) FROM link.pipeline_error WHERE pipeline_id = $1 AND kind = 'Load'), "
		"(SELECT pg_catalog.sum(rows)::pg_catalog.int8 FROM link.pipeline_batch WHERE pipeline_id = $1 AND id > $2)";
	Oid			types[] = {INT8OID, INT8OID};
	Datum		values[] = {Int64GetDatum(pipeline), Int64GetDatum(*batch)};
	LinkElevated saved;
	bool		isnull;

	link_state_begin(&saved);
	(void) link_state_run(sql, SPI_OK_SELECT, 2, types, values, NULL);
	*batch = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	*error = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	*rows = (uint64) DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
	link_state_end(&saved);
}

/* What the worker has recorded, thrown here. */
static void
rethrow(int64 id)
{
	static const char sql[] =
		"SELECT sqlstate, message, detail FROM link.pipeline_error WHERE id = $1";
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(id)};
	const char *state;
	const char *detail;
	LinkElevated saved;

	link_state_begin(&saved);
	if (link_state_run(sql, SPI_OK_SELECT, 1, types, values, NULL) != 1)
		elog(ERROR, "the error of a pipeline is gone");
	state = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	detail = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3);
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
			 errmsg_internal("%s", SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2)),
			 detail ? errdetail_internal("%s", detail) : 0));
}

/* It goes when we do. */
static void
wait_for(BackgroundWorkerHandle *handle)
{
	PG_TRY();
	{
		if (WaitForBackgroundWorkerShutdown(handle) != BGWH_STOPPED)
			ereport(ERROR,
					(errcode(ERRCODE_ADMIN_SHUTDOWN),
					 errmsg("the server ends")));
	}
	PG_CATCH();
	{
		TerminateBackgroundWorker(handle);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

uint64
link_pipeline_run_foreground(int64 id, int64 limit)
{
	LinkPipeline *pipeline = link_pipeline_by_id(id);
	LinkProcessTask task = {MyDatabaseId, pipeline->owner, id, limit, true};
	BackgroundWorkerHandle *handle;
	int64		batch = 0;
	int64		last_batch;
	int64		error = 0;
	int64		last_error;
	uint64		rows;

	PreventCommandIfReadOnly("START PIPELINE");
	history(id, &batch, &error, &rows);
	if (!link_process_start(LINK_PROCESS_WORKER, &task, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start a process for the pipeline"),
				 errhint("You might need to increase max_worker_processes.")));
	wait_for(handle);
	last_batch = batch;
	history(id, &last_batch, &last_error, &rows);
	if (last_error > error)
		rethrow(last_error);
	return rows;
}

void
link_pipeline_seek(const LinkPipeline *pipeline, bool latest)
{
	link_work_seek(pipeline, latest);
}
