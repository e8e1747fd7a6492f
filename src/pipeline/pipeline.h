/*-------------------------------------------------------------------------
 *
 * pipeline.h
 *	  Running pipelines: what statements ask of the engine.
 *
 * A database has one "link scheduler" while one of its pipelines runs.  It looks
 * for work (new objects, new messages) at each pipeline's interval, and has "link
 * worker"s do it, which are connected as the pipeline's owner.  With the library
 * preloaded a "link launcher" starts the schedulers when the server starts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PIPELINE_H
#define LINK_PIPELINE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "catalog/pipelines.h"

/*
 * For whoever starts, stops, alters or drops a pipeline: once this transaction has
 * committed, the scheduler looks at all of them again, and is started if there is
 * none.  Any number of times in a transaction; never throws.
 */
extern void link_pipeline_wake(void);

/* Is the launcher there, so that what was started goes on after a restart?  For a NOTICE. */
extern bool link_pipeline_survives_restart(void);

/*
 * START ... FOREGROUND: look for work once and do it, at most 'limit' batches (0:
 * all that there is), and wait for it.  A worker does it, with its own rights and
 * transactions, whatever the stored state is: so the pipeline has to be committed,
 * and the caller has checked that it does not run.  Throws what the batch failed
 * with; batches before it stay.  Gives the rows.
 */
extern uint64 link_pipeline_run_foreground(int64 id, int64 limit);

/*
 * TEST: what would be inserted next, at most 'limit' rows, as the texts of JSON
 * objects with a member a column (List of char *).  Nothing is loaded and nothing
 * moves; the link is read with the rights of the pipeline's owner.
 */
extern List *link_pipeline_test(const LinkPipeline *pipeline, int64 limit);

/*
 * Topics: all cursors to the first message, or behind the last one.  The pipeline
 * is locked and does not run.
 */
extern void link_pipeline_seek(const LinkPipeline *pipeline, bool latest);

/* ---- the processes ---- */

/* Once, at library start. */
extern void link_pipeline_init(void);

/*
 * Have the processes of a database end, and wait for it a little: before DROP
 * DATABASE and its like, which refuse a database that is used, and DROP EXTENSION.
 * False if there were none.
 */
extern bool link_pipeline_end_processes(Oid database);

#endif							/* LINK_PIPELINE_H */
