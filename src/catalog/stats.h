/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  Figures about the use of each link, behind the view link.stat_links.
 *
 * In shared memory when the library is in shared_preload_libraries, in each
 * session for itself elsewhere; never on disk.  There is room for
 * LINK_STATS_MAX links of all databases together: a further one takes the place
 * of the one whose last use is the longest ago, whose figures are lost.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_STATS_H
#define LINK_STATS_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* About 1.5 MB, and more links than anybody watches. */
#define LINK_STATS_MAX 4096

/* The beginning of a message is what tells one error from another. */
#define LINK_STATS_ERROR_SIZE 256

typedef struct LinkStats
{
	uint64		uses;			/* failed ones too */
	uint64		rows;
	uint64		bytes;
	uint64		requests;
	uint64		retries;
	uint64		errors;			/* uses that failed, whatever the reason */
	TimestampTz last_use;
	int			last_sqlstate;	/* of the last that failed; 0: none has */
	char		last_error[LINK_STATS_ERROR_SIZE];	/* its message; "" if it is not ours to show */
	TimestampTz since;			/* first use that is counted in here */
} LinkStats;

/* Ask for shared memory, if it is the time for that; called once from _PG_init. */
extern void link_stats_init(void);

extern bool link_stats_shared(void);

/* Add what one use took to the figures of a link of this database. */
extern void link_stats_add(int64 link_id, const LinkStats *use);

/* False if there are none. */
extern bool link_stats_read(int64 link_id, LinkStats *stats);

/* Forget the figures of all links of this database. */
extern void link_stats_reset(void);

#endif							/* LINK_STATS_H */
