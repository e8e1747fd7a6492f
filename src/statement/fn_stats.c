/*-------------------------------------------------------------------------
 *
 * fn_stats.c
 *	  SQL functions about the use of links.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "catalog/show.h"
#include "catalog/stats.h"
#include "errors.h"

PG_FUNCTION_INFO_V1(link_fn_visible_stat_links);
PG_FUNCTION_INFO_V1(link_fn_reset_stat_links);

/* Every link that may be seen, zeros for those that were not used. */
Datum
link_fn_visible_stat_links(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_visible_rows(NULL))
	{
		LinkRow    *row = lfirst(lc);
		LinkStats	stats = {0};
		bool		used = link_stats_read(row->id, &stats);
		Datum		values[12];
		bool		nulls[12] = {0};

		nulls[0] = !OidIsValid(get_namespace_oid(row->namespace, true));
		values[0] = CStringGetTextDatum(row->namespace);
		values[1] = CStringGetTextDatum(row->name);
		values[2] = Int64GetDatum(stats.uses);
		values[3] = Int64GetDatum(stats.rows);
		values[4] = Int64GetDatum(stats.bytes);
		values[5] = Int64GetDatum(stats.requests);
		values[6] = Int64GetDatum(stats.retries);
		values[7] = Int64GetDatum(stats.errors);
		nulls[8] = nulls[11] = !used;
		values[8] = TimestampTzGetDatum(stats.last_use);
		nulls[9] = stats.last_error[0] == '\0';
		values[9] = CStringGetTextDatum(stats.last_error);
		nulls[10] = stats.last_sqlstate == 0;
		values[10] = CStringGetTextDatum(unpack_sql_state(stats.last_sqlstate));
		values[11] = TimestampTzGetDatum(stats.since);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
link_fn_reset_stat_links(PG_FUNCTION_ARGS)
{
	link_stats_reset();
	PG_RETURN_VOID();
}
