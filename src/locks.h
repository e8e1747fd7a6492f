/*-------------------------------------------------------------------------
 *
 * locks.h
 *	  Classes of our advisory locks: the fourth field of their tags.
 *
 * Those of pg_advisory_lock() have 1 or 2 there, so nobody else can take ours.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_LOCKS_H
#define LINK_LOCKS_H

#define LINK_LOCK_TRANSACTION_SLOT	32766	/* kafka_transaction.c: a name for transactions of the broker */
#define LINK_LOCK_PROCESS	32765	/* process.c: launcher, scheduler and workers of pipelines */
#define LINK_LOCK_RESTORE	32763	/* database.c: the number of a database that is being restored */
#define LINK_LOCK_BASE		32762	/* base.c: a backup that another is building on */
#define LINK_LOCK_HISTORY	32761	/* history.c: a backup that is being made */
#define LINK_LOCK_PROGRESS	32760	/* progress.c: where to look how far a command has come */

#endif							/* LINK_LOCKS_H */
