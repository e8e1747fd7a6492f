/*-------------------------------------------------------------------------
 *
 * state.c
 *	  Statements on the tables of pipelines.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_authid.h"
#include "commands/tablespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "catalog/tables.h"
#include "pipeline/engine.h"

void
link_elevate(LinkElevated *saved)
{
	/* to the end of the transaction: the superuser may use tablespaces that temp_tablespaces of others may not */
	PrepareTempTablespaces();
	GetUserIdAndSecContext(&saved->user, &saved->context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, saved->context | SECURITY_LOCAL_USERID_CHANGE);
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);

	/* plans are kept, also of tables that were small then, and are the same for few and many */
	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("plan_cache_mode", "force_generic_plan", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
link_unelevate(const LinkElevated *saved)
{
	AtEOXact_GUC(true, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}

/*
 * Of the statements below, which are constant texts: the same pointer is the same
 * statement.
 */
static SPIPlanPtr
prepared(const char *sql, int n, Oid *types)
{
	static struct
	{
		const char *sql;
		SPIPlanPtr	plan;
	}			kept[32];
	int			i = 0;

	while (i < lengthof(kept) && kept[i].sql && kept[i].sql != sql)
		i++;
	if (i == lengthof(kept))
		elog(ERROR, "too many statements on the tables of pipelines");
	if (kept[i].sql == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(sql, n, types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare a statement on the tables of pipelines");
		kept[i].plan = plan;
		kept[i].sql = sql;
	}
	return kept[i].plan;
}

/* One of them; 'nulls' as SPI has them. */
uint64
link_state_run(const char *sql, int expected, int n, Oid *types, Datum *values, const char *nulls)
{
	if (SPI_execute_plan(prepared(sql, n, types), values, nulls, false, 0) != expected)
		elog(ERROR, "unexpected result of a statement on the tables of pipelines");
	return SPI_processed;
}

void
link_state_begin(LinkElevated *saved)
{
	if (!link_tables_hold())
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the extension \"link\" is not installed in this database")));
	link_elevate(saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
link_state_end(const LinkElevated *saved)
{
	SPI_finish();
	link_unelevate(saved);
}
