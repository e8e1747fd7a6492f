/*-------------------------------------------------------------------------
 *
 * database.h
 *	  The database that RESTORE makes: created, given its name and properties, dropped.
 *
 * It is made under a name of its own, "link_restore_<number>", and renamed at last,
 * so nothing half-made ever has the name that was asked for.  Until then nobody but
 * superusers can connect to it.  Whoever restores holds a lock of that number; a
 * database of such a name whose lock is free was left by a server that went down.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_BACKUP_DATABASE_H
#define LINK_BACKUP_DATABASE_H

#include "postgres.h"

#include "backup/client.h"
#include "backup/manifest.h"

/* Drop those of a server that went down. */
extern void link_database_drop_leftovers(LinkClient *client);

/* A name for the next one, which is ours until the end of the transaction. */
extern char *link_database_temporary_name(void);

extern void link_database_create(LinkClient *client, const char *temporary, const LinkBackupDatabase *database);

/*
 * Its settings, and then all at once its name, connection limit, comment and
 * privileges; others that are connected to it are no more.  Roles that do not exist
 * get none, and what this server does not take is no setting.
 */
extern void link_database_finish(LinkClient *client, const char *temporary, const LinkBackupDatabase *database,
								 const char *name);

/* If it is there, whatever was restored into it. */
extern void link_database_drop(LinkClient *client, const char *temporary);

/* As it is, under the name that it has: no RESTORE drops it. */
extern void link_database_keep(LinkClient *client, const char *temporary);

#endif							/* LINK_BACKUP_DATABASE_H */
