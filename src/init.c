/*-------------------------------------------------------------------------
 *
 * init.c
 *	  Start of the library, in whichever process loads it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "catalog/events.h"
#include "catalog/stats.h"
#include "compat.h"
#include "guc.h"
#include "hygiene.h"
#include "pipeline/pipeline.h"

LINK_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	link_guc_init();
	link_events_init();
	link_hygiene_init();
	link_stats_init();
	link_pipeline_init();
}
