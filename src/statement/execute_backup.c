/*-------------------------------------------------------------------------
 *
 * execute_backup.c
 *	  link.execute: BACKUP and RESTORE.
 *
 * SingleStore's databases are schemas here, and its cluster is this database: the
 * name of either may be given.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"

#include "backup/backup.h"
#include "errors.h"
#include "statement/execute.h"

/* NIL for the database, which wins over a schema of its name: what is asked for is then within. */
static List *
schemas_named(const char *name)
{
	if (strcmp(name, get_database_name(MyDatabaseId)) == 0)
		return NIL;
	if (!OidIsValid(get_namespace_oid(name, true)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("\"%s\" is neither the current database nor a schema in it", name),
				 errhint("Another database is backed up from a session of its own.")));
	return list_make1(makeString(pstrdup(name)));
}

static int64
run_backup(const LinkStatement *statement)
{
	LinkBackupArgs args = {0};

	args.schemas = schemas_named(statement->u.backup.database);
	args.link = statement->link;
	args.path = pstrdup(statement->u.backup.path);
	args.differential = statement->u.backup.differential;
	args.compression = "zstd";
	args.processes = -1;
	return link_backup(&args);
}

static int64
run_restore(const LinkStatement *statement)
{
	LinkRestoreArgs args = {0};

	args.link = statement->link;
	args.path = pstrdup(statement->u.backup.path);
	args.of = statement->u.backup.database;
	if (statement->u.backup.new_name)
		args.name = pstrdup(statement->u.backup.new_name);
	args.id = statement->u.backup.id;
	args.processes = -1;
	return link_restore(&args);
}

List *
link_run_backup_statement(const LinkStatement *statement)
{
	if (statement->kind == LINK_STMT_BACKUP)
		return list_make1(psprintf("BACKUP " INT64_FORMAT, run_backup(statement)));
	return list_make1(psprintf("RESTORE " INT64_FORMAT, run_restore(statement)));
}
