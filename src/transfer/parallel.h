/*-------------------------------------------------------------------------
 *
 * parallel.h
 *	  An export by several processes.
 *
 * Each process formats rows, compresses them and sends them to objects of its
 * own; the leader takes part, and publishes what all of them have prepared.  A
 * scan of a table, or of the partitions of one, is shared out: each process reads
 * blocks of its own.  The rows of another query come from the leader, who deals
 * them out (deal.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PARALLEL_H
#define LINK_PARALLEL_H

#include "postgres.h"

#include "executor/execdesc.h"
#include "port/atomics.h"

#include "catalog/links.h"
#include "format/format.h"
#include "transfer/deliver.h"
#include "transfer/select.h"

typedef struct LinkParallel LinkParallel;

/*
 * How many workers, besides the leader, an export is worth: 'wanted' processes
 * (-1: by the size of what is read, as for core's parallel scans, and none for
 * other queries), none if workers may not see what the query sees, or not write
 * its values in this format.  *deal: the leader runs the query; else the plan is
 * prepared for being shared.
 */
extern int link_parallel_workers(LinkSelect *select, const LinkFormat *format, int wanted, bool *deal);

/* All that a worker is told. */
typedef struct LinkParallelTask
{
	const LinkRow *row;			/* of the link */
	const char *path;
	List	   *options;		/* as transfer.h describes them */
	const char *query;			/* text */
	PlannedStmt *plan;
	bool		deal;			/* the leader runs it */
} LinkParallelTask;

/*
 * Start workers for a query that has been started and not run.  NULL if there
 * are none to be had.  From here to link_parallel_end() or _undo() the backend
 * is in parallel mode.
 */
extern LinkParallel *link_parallel_begin(int workers, QueryDesc *desc, const LinkParallelTask *task);

/*
 * The leader is to deal: what takes the query's rows, and gives those that the
 * workers are too busy for to 'own'.  Else 'own' itself.
 */
extern DestReceiver *link_parallel_receiver(LinkParallel *parallel, DestReceiver *own);

/* Has it started none? */
extern bool link_parallel_alone(const LinkParallel *parallel);

/* The number of the next object, shared by all. */
extern pg_atomic_uint32 *link_parallel_next(LinkParallel *parallel);

/* When the leader has done its share: takes over what the workers have prepared, and waits for them. */
extern void link_parallel_collect(LinkParallel *parallel, LinkObjectSet *set);

/* After the executor's end. */
extern void link_parallel_end(LinkParallel *parallel);

/*
 * For PG_CATCH.  First: the workers undo what they have begun, and end.  After
 * link_objects_undo() of 'set' (which may be NULL), and also when
 * link_parallel_end() was before ('parallel' is NULL): what the workers had
 * prepared and the set does not have is undone; what there is no time for is
 * left to others.
 */
extern void link_parallel_stop(LinkParallel *parallel);
extern void link_parallel_undo(LinkParallel *parallel, LinkObjectSet *set);

#endif							/* LINK_PARALLEL_H */
