/*-------------------------------------------------------------------------
 *
 * guc.h
 *	  Every configuration parameter of the extension; defined in guc.c and
 *	  described in the README.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_GUC_H
#define LINK_GUC_H

#include "postgres.h"

typedef enum LinkLogUse
{
	LINK_LOG_USE_NONE,
	LINK_LOG_USE_DDL,
	LINK_LOG_USE_WRITE,
	LINK_LOG_USE_ALL
} LinkLogUse;

extern char *link_allowed_hosts;	/* PGC_SIGHUP: who may be connected to */
extern char *link_http_proxy;	/* PGC_SIGHUP: URL of a proxy, or empty */
extern char *link_fs_roots;		/* PGC_SUSET: directories below which FS roots may lie */
extern char *link_file_roots;	/* PGC_SUSET: the same for keytab and certificate files */
extern char *link_master_key_command;	/* PGC_SIGHUP: prints the key ring */
extern char *link_master_key_file;	/* PGC_SIGHUP: holds the key ring */
extern int	link_master_key_ttl;	/* PGC_SIGHUP: seconds a ring is cached */
extern int	link_master_key_timeout;	/* PGC_SIGHUP: ms the command may take */
extern int	link_connect_timeout;	/* PGC_USERSET: ms */
extern int	link_request_timeout;	/* PGC_USERSET: ms without progress */
extern int	link_retry_timeout; /* PGC_USERSET: ms of the time budget of one request with its retries */
extern int	link_max_objects;	/* PGC_USERSET: objects one statement may touch */
extern bool link_require_hygiene;	/* PGC_SUSET: refuse credentials when texts would be logged */
extern int	link_log_use;		/* PGC_SUSET: LinkLogUse */
extern char *link_backup_conninfo;	/* PGC_SIGHUP: how programs and sessions of backups connect to this server */
extern int	link_backup_rate;	/* PGC_USERSET: kB a second, of all processes of a backup */
extern int	link_pipeline_history;	/* PGC_SIGHUP: batches and errors kept of a pipeline */
extern int	link_pipeline_pause;	/* PGC_SIGHUP: ms between insert and commit, for tests */
extern int	link_pipeline_workers;	/* PGC_SIGHUP: workers of a database */
extern bool link_pipelines_enabled;		/* PGC_SIGHUP: pipelines may run */

/* Define all of them; called once from _PG_init. */
extern void link_guc_init(void);

#endif							/* LINK_GUC_H */
