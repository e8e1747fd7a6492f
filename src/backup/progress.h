/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  How far a BACKUP or RESTORE has come, for other sessions to see, and how
 *	  fast it may go (link.backup_rate).
 *
 * Both in shared memory of the leader, which its workers and whoever looks attach
 * to; so it needs no preload.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_BACKUP_PROGRESS_H
#define LINK_BACKUP_PROGRESS_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "storage/dsm.h"

typedef enum LinkBackupPhase
{
	LINK_PHASE_STARTING,
	LINK_PHASE_DEFINITIONS,
	LINK_PHASE_LARGE_OBJECTS,
	LINK_PHASE_COMPARING,
	LINK_PHASE_TABLES,
	LINK_PHASE_INDEXES,
	LINK_PHASE_ANALYZING,
	LINK_PHASE_FINISHING
} LinkBackupPhase;

/*
 * The leader's; an error ends it.  What is told while none has begun, by it or by
 * link_backup_progress_join(), is told to nobody.
 */
extern void link_backup_progress_begin(const char *command, int64 id);
extern void link_backup_progress_phase(LinkBackupPhase phase);
extern void link_backup_progress_end(void);

/* The tables, LinkBackupTable *, with their parts; bytes_known: of these. */
extern void link_backup_progress_tables(List *tables, int64 id, bool bytes_known);

/* For workers to join. */
extern dsm_handle link_backup_progress_handle(void);
extern void link_backup_progress_join(dsm_handle handle);
extern void link_backup_progress_leave(void);

/* What this process moves from here on is of that table, by its number in the list; -1: of none. */
extern void link_backup_progress_table(int number);

/* A part of that table is done. */
extern void link_backup_progress_part(void);

typedef struct LinkBackupProgressRow
{
	int			pid;
	const char *command;
	int64		id;
	const char *phase;
	char	   *table;			/* NULL: all of it */
	int			parts_done;
	int			parts_total;
	int64		bytes;			/* as stored, so far */
	int64		bytes_total;	/* -1: not known */
} LinkBackupProgressRow;

/* LinkBackupProgressRow *, of all that runs in this database and the current user may see. */
extern List *link_backup_progress_visible(void);

#endif							/* LINK_BACKUP_PROGRESS_H */
