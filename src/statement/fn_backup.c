/*-------------------------------------------------------------------------
 *
 * fn_backup.c
 *	  SQL functions of backups.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "funcapi.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "backup/backup.h"
#include "backup/history.h"
#include "backup/progress.h"
#include "catalog/roles.h"
#include "errors.h"
#include "statement/function.h"

PG_FUNCTION_INFO_V1(link_fn_backup_database);
PG_FUNCTION_INFO_V1(link_fn_restore_database);
PG_FUNCTION_INFO_V1(link_fn_verify_backup);
PG_FUNCTION_INFO_V1(link_fn_list_backups);
PG_FUNCTION_INFO_V1(link_fn_drop_backup);
PG_FUNCTION_INFO_V1(link_fn_visible_backups);
PG_FUNCTION_INFO_V1(link_fn_visible_backup_progress);

Datum
link_fn_backup_database(PG_FUNCTION_ARGS)
{
	LinkBackupArgs args = {0};
	char	   *mode = link_arg_text(fcinfo, 2, "mode");

	args.link = link_arg_name(fcinfo, 0, "link");
	args.path = link_arg_text(fcinfo, 1, "path");
	args.differential = pg_strcasecmp(mode, "differential") == 0;
	if (!args.differential && pg_strcasecmp(mode, "full") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("unrecognized mode of a backup: \"%s\"", mode),
				 errhint("Modes are full and differential.")));
	args.processes = PG_ARGISNULL(3) ? -1 : PG_GETARG_INT32(3);
	args.compression = link_arg_text(fcinfo, 4, "compression");
	if (!PG_ARGISNULL(5))
	{
		args.schemas = link_arg_names(fcinfo, 5, "schemas");
		if (args.schemas == NIL)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("option \"schemas\" must not be empty"),
					 errhint("NULL stands for all of the database.")));
	}
	PG_RETURN_INT64(link_backup(&args));
}

Datum
link_fn_restore_database(PG_FUNCTION_ARGS)
{
	LinkRestoreArgs args = {0};

	args.link = link_arg_name(fcinfo, 0, "link");
	args.path = link_arg_text(fcinfo, 1, "path");
	args.name = link_arg_text_or_null(fcinfo, 2);
	args.id = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT64(3);
	args.processes = PG_ARGISNULL(4) ? -1 : PG_GETARG_INT32(4);
	args.keep_partial = link_arg_bool(fcinfo, 5, "keep_partial");
	PG_RETURN_INT64(link_restore(&args));
}

static LinkVerifyLevel
level_named(const char *name)
{
	if (pg_strcasecmp(name, "sentinel") == 0)
		return LINK_VERIFY_SENTINEL;
	if (pg_strcasecmp(name, "checksums") == 0)
		return LINK_VERIFY_CHECKSUMS;
	if (pg_strcasecmp(name, "restore") == 0)
		return LINK_VERIFY_RESTORE;
	ereport(ERROR,
			(errcode(ERRCODE_LINK_BAD_OPTION),
			 errmsg("unrecognized level of verification: \"%s\"", name),
			 errhint("Levels are sentinel, checksums and restore.")));
}

Datum
link_fn_verify_backup(PG_FUNCTION_ARGS)
{
	LinkName	link = link_arg_name(fcinfo, 0, "link");

	PG_RETURN_INT64(link_verify_backup(&link, link_arg_text(fcinfo, 1, "path"),
									   PG_ARGISNULL(2) ? 0 : PG_GETARG_INT64(2),
									   level_named(link_arg_text(fcinfo, 3, "level")),
									   PG_ARGISNULL(4) ? -1 : PG_GETARG_INT32(4)));
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

static Datum
texts_or_null(List *texts, bool *isnull)
{
	ArrayBuildState *array = NULL;
	ListCell   *lc;

	foreach(lc, texts)
		array = accumArrayResult(array, CStringGetTextDatum(lfirst(lc)), false, TEXTOID, CurrentMemoryContext);
	*isnull = array == NULL;
	return array ? makeArrayResult(array, CurrentMemoryContext) : (Datum) 0;
}

/* Times of ours have no zone: they are UTC. */
static Datum
time_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? DirectFunctionCall3(timestamptz_in, CStringGetDatum(psprintf("%s+00", text)),
									  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)) : (Datum) 0;
}

Datum
link_fn_list_backups(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LinkName	link = link_arg_name(fcinfo, 0, "link");
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_list_backups(&link, link_arg_text(fcinfo, 1, "path")))
	{
		LinkBackupListed *listed = lfirst(lc);
		Datum		values[10];
		bool		nulls[10] = {0};

		values[0] = Int64GetDatum(listed->id);
		values[1] = text_or_null(listed->database, &nulls[1]);
		values[2] = texts_or_null(listed->schemas, &nulls[2]);
		values[3] = text_or_null(listed->mode, &nulls[3]);
		nulls[4] = listed->base == 0;
		values[4] = Int64GetDatum(listed->base);
		values[5] = time_or_null(listed->started, &nulls[5]);
		values[6] = time_or_null(listed->finished, &nulls[6]);
		nulls[7] = nulls[8] = listed->database == NULL;
		values[7] = Int64GetDatum(listed->objects);
		values[8] = Int64GetDatum(listed->bytes);
		values[9] = text_or_null(listed->error, &nulls[9]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
link_fn_drop_backup(PG_FUNCTION_ARGS)
{
	LinkName	link = link_arg_name(fcinfo, 0, "link");

	link_drop_backup(&link, link_arg_text(fcinfo, 1, "path"), PG_GETARG_INT64(2));
	PG_RETURN_VOID();
}

static Datum
count_or_null(int64 n, int64 none, bool *isnull)
{
	*isnull = n == none;
	return Int64GetDatum(n);
}

Datum
link_fn_visible_backups(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_history_visible())
	{
		LinkHistoryRow *row = lfirst(lc);
		Datum		values[15];
		bool		nulls[15] = {0};

		values[0] = Int64GetDatum(row->id);
		values[1] = CStringGetTextDatum(row->database);
		values[2] = row->schemas;
		nulls[2] = row->schemas == 0;
		values[3] = CStringGetTextDatum(row->link);
		values[4] = CStringGetTextDatum(row->path);
		values[5] = CStringGetTextDatum(link_role_name(row->role));
		values[6] = CStringGetTextDatum(row->mode);
		values[7] = count_or_null(row->base, 0, &nulls[7]);
		values[8] = row->started;
		values[9] = row->finished;
		nulls[9] = row->finished == 0;
		values[10] = count_or_null(row->objects, -1, &nulls[10]);
		values[11] = count_or_null(row->bytes, -1, &nulls[11]);
		values[12] = text_or_null(row->checksum, &nulls[12]);
		values[13] = CStringGetTextDatum(row->status);
		values[14] = text_or_null(row->error, &nulls[14]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
link_fn_visible_backup_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_backup_progress_visible())
	{
		LinkBackupProgressRow *row = lfirst(lc);
		Datum		values[9];
		bool		nulls[9] = {0};

		values[0] = Int32GetDatum(row->pid);
		values[1] = CStringGetTextDatum(row->command);
		values[2] = Int64GetDatum(row->id);
		values[3] = CStringGetTextDatum(row->phase);
		values[4] = text_or_null(row->table, &nulls[4]);
		values[5] = Int32GetDatum(row->parts_done);
		values[6] = Int32GetDatum(row->parts_total);
		values[7] = Int64GetDatum(row->bytes);
		values[8] = count_or_null(row->bytes_total, -1, &nulls[8]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
