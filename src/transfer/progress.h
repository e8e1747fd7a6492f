/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  Export and load in pg_stat_progress_copy.
 *
 * One row a backend.  An error ends it (core does so at abort).  A nested
 * transfer takes the row over, as a nested COPY does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PROGRESS_H
#define LINK_PROGRESS_H

#include "postgres.h"

#include "port/atomics.h"

/* 'target' is the table that is loaded, InvalidOid for an export. */
extern void link_progress_begin(bool load, Oid target);

/* Absolute figures since begin, not increments. */
extern void link_progress_rows(uint64 rows);
extern void link_progress_bytes(uint64 bytes);
extern void link_progress_bytes_total(uint64 bytes);

/* Figures of an export by several processes, in memory of all of them. */
typedef struct LinkProgressShared
{
	pg_atomic_uint64 rows;
	pg_atomic_uint64 bytes;
} LinkProgressShared;

extern void link_progress_share_init(LinkProgressShared *shared);

/*
 * From here on this process adds its figures to those, now and then; the leader
 * shows their sums.  NULL: no more.
 */
extern void link_progress_share(LinkProgressShared *shared, bool leader);

/* Add, and show, what is not yet. */
extern void link_progress_tell(void);

extern void link_progress_end(void);

/*
 * Told of all bytes of objects that this process has moved, as stored, right then;
 * NULL: nobody wants to know.  It may sleep.
 */
extern void (*link_progress_moved) (Size bytes);

#endif							/* LINK_PROGRESS_H */
