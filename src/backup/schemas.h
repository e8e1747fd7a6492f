/*-------------------------------------------------------------------------
 *
 * schemas.h
 *	  RESTORE of schemas into the current database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_SCHEMAS_H
#define LINK_SCHEMAS_H

#include "postgres.h"

#include "storage/fd.h"

#include "backup/manifest.h"
#include "provider/provider.h"

/*
 * Restore the schemas of a backup, with the current user's rights and in its
 * transaction.  'name': what the one schema is to be called; NULL: as it was.
 * 42P06 for one that exists.
 */
extern void link_restore_schemas(LinkSession *session, const char *path, const LinkManifest *manifest, const char *name);

/* The same, of which nothing stays. */
extern void link_restore_schemas_for_proof(LinkSession *session, const char *path, const LinkManifest *manifest);

/* An archive of a backup, verified, in a temporary file (restore.c). */
extern File link_restore_fetch(LinkSession *session, const char *path, const LinkBackupObject *archive);

#endif							/* LINK_SCHEMAS_H */
