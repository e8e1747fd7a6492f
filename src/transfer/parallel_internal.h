/*-------------------------------------------------------------------------
 *
 * parallel_internal.h
 *	  What leader and workers of an export share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PARALLEL_INTERNAL_H
#define LINK_PARALLEL_INTERNAL_H

#include "postgres.h"

#include "port/atomics.h"

#include "provider/journal.h"
#include "transfer/progress.h"

/* Beyond those of plan nodes, which are their numbers, and below core's own. */
#define LINK_PARALLEL_KEY_SHARED	UINT64CONST(0xB000000000000001)
#define LINK_PARALLEL_KEY_PATH		UINT64CONST(0xB000000000000002)
#define LINK_PARALLEL_KEY_OPTIONS	UINT64CONST(0xB000000000000003)
#define LINK_PARALLEL_KEY_QUERY		UINT64CONST(0xB000000000000004)
#define LINK_PARALLEL_KEY_PLAN		UINT64CONST(0xB000000000000005) /* if rows are dealt: a target list */
#define LINK_PARALLEL_KEY_QUEUES	UINT64CONST(0xB000000000000006)
#define LINK_PARALLEL_KEY_ROWS		UINT64CONST(0xB000000000000007)

/* Bytes of a queue, through which a worker tells what it has prepared. */
#define LINK_PARALLEL_QUEUE 65536

/* And of one through which it is given rows; as of core's Gather. */
#define LINK_PARALLEL_ROWS 65536

/* No secret is here: a worker finds the link by its id, and opens it by itself (INTERNALS B11). */
typedef struct LinkParallelShared
{
	pg_atomic_uint32 next;		/* number of the next object */
	int64		link_id;
	char		owner[LINK_JOURNAL_OWNER_SIZE];	/* of all records of uploads */
	bool		deal;			/* rows come from the leader */
	LinkProgressShared progress;
	pg_atomic_uint64 requests;	/* of workers that have ended: see count.h */
	pg_atomic_uint64 retries;
} LinkParallelShared;

#endif							/* LINK_PARALLEL_INTERNAL_H */
