/*-------------------------------------------------------------------------
 *
 * backup.h
 *	  BACKUP and RESTORE: what the functions and link.execute call.
 *
 * Rights are checked here, for the current user (SECURITY 8, 29, 30).  None of
 * these may run within a transaction block, nor after the transaction has
 * written: pg_dump would wait for what it has locked.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_BACKUP_H
#define LINK_BACKUP_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "catalog/links.h"

typedef struct LinkBackupArgs
{
	List	   *schemas;		/* String; NIL: all of the database */
	LinkName	link;
	char	   *path;
	bool		differential;
	char	   *compression;	/* of tables: name of a codec, or "none" */
	int			processes;		/* -1: as many as core takes for its maintenance */
} LinkBackupArgs;

/* The id of the backup. */
extern int64 link_backup(const LinkBackupArgs *args);

typedef struct LinkRestoreArgs
{
	LinkName	link;
	char	   *path;
	const char *of;				/* the database or schema that the backup has to be of; NULL: any */
	char	   *name;			/* that the database or schema is to have; NULL: that of the backup */
	int64		id;				/* 0: the newest */
	int			processes;
	bool		keep_partial;	/* what could be restored stays if something fails */
} LinkRestoreArgs;

/* The id of the backup that was restored. */
extern int64 link_restore(const LinkRestoreArgs *args);

typedef enum LinkVerifyLevel
{
	LINK_VERIFY_SENTINEL,
	LINK_VERIFY_CHECKSUMS,
	LINK_VERIFY_RESTORE
} LinkVerifyLevel;

/* Throws what is wrong.  Gives the id: that of the newest for 0. */
extern int64 link_verify_backup(const LinkName *link, const char *path, int64 id, LinkVerifyLevel level, int processes);

/* What is at a path, LinkBackupListed *, newest first. */
typedef struct LinkBackupListed
{
	int64		id;
	char	   *database;		/* NULL, as all below, where it cannot be read */
	List	   *schemas;		/* char *; NIL: all of the database */
	char	   *mode;
	int64		base;			/* 0: none */
	char	   *started;
	char	   *finished;
	int64		objects;
	int64		bytes;
	char	   *error;			/* NULL: none */
} LinkBackupListed;
extern List *link_list_backups(const LinkName *link, const char *path);

/* Refuses one that others build on. */
extern void link_drop_backup(const LinkName *link, const char *path, int64 id);

#endif							/* LINK_BACKUP_H */
