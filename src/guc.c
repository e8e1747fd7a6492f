/*-------------------------------------------------------------------------
 *
 * guc.c
 *	  Every configuration parameter of the extension, in alphabetical order.
 *
 * What decides where bytes go or where keys come from is for superusers alone:
 * PGC_SIGHUP ones can be set in the configuration only, PGC_SUSET ones also by
 * ALTER DATABASE or SET of a superuser.  Those that name keys or directories
 * are GUC_SUPERUSER_ONLY to read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "backup/client.h"
#include "guc.h"
#include "http/policy.h"

char	   *link_allowed_hosts = NULL;
char	   *link_backup_conninfo = NULL;
int			link_backup_rate = 0;
char	   *link_http_proxy = NULL;
char	   *link_fs_roots = NULL;
char	   *link_file_roots = NULL;
char	   *link_master_key_command = NULL;
char	   *link_master_key_file = NULL;
int			link_master_key_ttl = 300;
int			link_master_key_timeout = 10000;
int			link_connect_timeout = 10000;
int			link_request_timeout = 60000;
int			link_retry_timeout = 60000;
int			link_max_objects = 10000;
bool		link_require_hygiene = false;
int			link_log_use = LINK_LOG_USE_DDL;
int			link_pipeline_history = 1000;
int			link_pipeline_pause = 0;
int			link_pipeline_workers = 2;
bool		link_pipelines_enabled = true;

static const struct config_enum_entry log_use_values[] = {
	{"none", LINK_LOG_USE_NONE, false},
	{"ddl", LINK_LOG_USE_DDL, false},
	{"write", LINK_LOG_USE_WRITE, false},
	{"all", LINK_LOG_USE_ALL, false},
	{NULL, 0, false}
};

static bool
check_allowed_hosts(char **newval, void **extra, GucSource source)
{
	const char *reason = NULL;

	if (link_policy_valid(*newval, &reason))
		return true;
	GUC_check_errdetail("%s", reason);
	return false;
}

static bool
check_backup_conninfo(char **newval, void **extra, GucSource source)
{
	const char *problem = link_client_conninfo_problem(*newval);

	if (problem == NULL)
		return true;
	GUC_check_errdetail("%s", problem);
	return false;
}

void
link_guc_init(void)
{
	DefineCustomStringVariable("link.allowed_hosts",
							   "Hosts and addresses that links may connect to.",
							   "host[:port], .suffix, address or CIDR, each with http:// in front where clear text is wanted.",
							   &link_allowed_hosts, link_default_allowed_hosts,
							   PGC_SIGHUP, 0,
							   check_allowed_hosts, NULL, NULL);
	DefineCustomStringVariable("link.backup_conninfo",
							   "How backups and restores connect to this server.",
							   "Empty for the Unix socket, as the user that the server runs as.",
							   &link_backup_conninfo, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   check_backup_conninfo, NULL, NULL);
	DefineCustomIntVariable("link.backup_rate",
							"Most bytes a second that a backup or restore moves, all of its processes together.",
							"0 for as many as it can.", &link_backup_rate, 0, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("link.connect_timeout",
							"Longest time to connect to a provider.",
							NULL, &link_connect_timeout, 10000, 1, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomStringVariable("link.file_roots",
							   "Directories below which keytab and certificate files of links may lie.",
							   "Comma-separated absolute paths; empty allows none but to superusers' links.",
							   &link_file_roots, "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("link.fs_roots",
							   "Directories below which the root of an FS link may lie.",
							   "Comma-separated absolute paths; empty allows FS links to superusers only.",
							   &link_fs_roots, "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("link.http_proxy",
							   "URL of the proxy that requests of links go through.",
							   "Empty for none; proxies named in the environment are never used.",
							   &link_http_proxy, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomEnumVariable("link.log_use",
							 "Which uses of links are logged.",
							 NULL, &link_log_use, LINK_LOG_USE_DDL, log_use_values,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("link.master_key_command",
							   "Shell command that prints the master key ring.",
							   NULL, &link_master_key_command, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("link.master_key_file",
							   "File that holds the master key ring.",
							   "Empty for link_master.key in the data directory.",
							   &link_master_key_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("link.master_key_timeout",
							"Longest time that link.master_key_command may take.",
							NULL, &link_master_key_timeout, 10000, 1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("link.master_key_ttl",
							"How long a session keeps the master key ring in memory.",
							NULL, &link_master_key_ttl, 300, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("link.max_objects",
							"Most objects that one statement may touch.",
							NULL, &link_max_objects, 10000, 1, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("link.pipeline_history",
							"Batches and errors that are kept of each pipeline.",
							NULL, &link_pipeline_history, 1000, 0, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("link.pipeline_pause",
							"How long pipelines wait between inserting and committing, for tests.",
							NULL, &link_pipeline_pause, 0, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS | GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL, NULL, NULL, NULL);
	DefineCustomIntVariable("link.pipeline_workers",
							"Processes of a database that load for its pipelines.",
							NULL, &link_pipeline_workers, 2, 1, 1000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("link.pipelines",
							 "Lets pipelines run.",
							 "For clones of a server: off keeps all pipelines quiet.",
							 &link_pipelines_enabled, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("link.request_timeout",
							"Longest time that a request may go without progress.",
							NULL, &link_request_timeout, 60000, 1, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomBoolVariable("link.require_hygiene",
							 "Refuses credentials in statements while the library is not preloaded.",
							 "Without preload the server log may show the statement.",
							 &link_require_hygiene, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("link.retry_timeout",
							"Longest time that a request is tried again after failures.",
							NULL, &link_retry_timeout, 60000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	MarkGUCPrefixReserved("link");
}
