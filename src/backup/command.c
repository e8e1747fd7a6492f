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

void
link_backup_check_path(const char *path)
{
	link_path_check(path, true);
	if (link_path_is_glob(path))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("the path of a backup must not be a pattern: \"%s\"", path)));
}

void
link_backup_check_link(const LinkRow *row)
{
	if (row->provider && (row->provider->features & LINK_IS_STREAM) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("links of type %s hold no backups", row->type)));
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
