/*-------------------------------------------------------------------------
 *
 * command.c
 *	  What BACKUP, RESTORE and their kin have in common before they begin.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/tables.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "storage/proc.h"
#include "utils/guc.h"

#include "backup/command.h"
#include "errors.h"
#include "transfer/verb.h"

void
link_backup_require_alone(const char *command)
{
	link_verb_require_allowed(command);
	link_prevent_write(command);
	if (IsTransactionBlock() || IsSubTransaction() || TransactionIdIsValid(GetTopTransactionIdIfAny()))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", command),
				 errhint("Run it as a statement of its own.")));
}

LinkRow *
link_backup_look_up(const LinkName *link, const char *path, LinkAcl needed)
{
	LinkRow    *row;

	link_path_check(path, true);
	if (link_path_is_glob(path))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("the path of a backup must not be a pattern: \"%s\"", path)));
	row = link_lookup_name(link, needed);
	if (row->provider && (row->provider->features & LINK_IS_STREAM) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("links of type %s hold no backups", row->type)));
	return row;
}

int
link_backup_processes(int wanted)
{
	if (wanted == 0 || wanted < -1)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("option \"parallel\" must be at least 1")));
	return wanted > 0 ? wanted : Max(1, max_parallel_maintenance_workers);
}

int
link_backup_pin_settings(void)
{
	static const char *const settings[][2] = {
		{"datestyle", "ISO"},
		{"intervalstyle", "postgres"},
		{"extra_float_digits", "3"},
		{"bytea_output", "hex"},
		{"xmloption", "content"},
		{"lc_monetary", "C"},
		{"timezone", "UTC"},
		{"row_security", "off"},
		{"search_path", "pg_catalog"},
		{"statement_timeout", "0"},
		{"synchronize_seqscans", "off"},
		/* estimates of queries of the catalogs have it compile for longer than they run */
		{"jit", "off"},
	};
	int			level = NewGUCNestLevel();

	if (LockTimeout == 0)
		(void) set_config_option("lock_timeout", LINK_BACKUP_LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return level;
}
