/*-------------------------------------------------------------------------
 *
 * command.h
 *	  What BACKUP, RESTORE and their kin have in common before they begin.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_BACKUP_COMMAND_H
#define LINK_BACKUP_COMMAND_H

#include "postgres.h"

#include "catalog/links.h"
#include "catalog/privileges.h"
#include "provider/provider.h"

/* How long a table is waited for that somebody changes. */
#define LINK_BACKUP_LOCK_TIMEOUT "30s"

/*
 * 25001 within a transaction block, a subtransaction or a function that has
 * written: another process of the same command would wait for what it has locked.
 */
extern void link_backup_require_alone(const char *command);

/*
 * The link, as link_lookup_name(), once the path is one that can be a folder
 * (else 22023); 0A000 for one to streams.
 */
extern LinkRow *link_backup_look_up(const LinkName *link, const char *path, LinkAcl needed);

/* What was asked for, or -1: as many as core takes for its maintenance, the leader among them. */
extern int	link_backup_processes(int wanted);

/*
 * In this process, and in parallel workers by core's inheritance: what is written
 * is read back the same.  Gives the level at which AtEOXact_GUC() ends it.
 */
extern int	link_backup_pin_settings(void);

/* Restore it, and leave nothing of it. */
extern void link_restore_for_proof(const LinkName *link, const char *path, int64 id, int processes);

#endif							/* LINK_BACKUP_COMMAND_H */
