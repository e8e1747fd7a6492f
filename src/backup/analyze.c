/*-------------------------------------------------------------------------
 *
 * analyze.c
 *	  ANALYZE of one relation, without those that inherit from it.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "commands/vacuum.h"
#include "nodes/makefuncs.h"
#include "storage/bufmgr.h"

#include "backup/loader.h"

void
link_analyze(Oid relation)
{
	VacuumParams params = {0};

	params.options = VACOPT_ANALYZE | VACOPT_SKIP_LOCKED;
	params.freeze_min_age = params.freeze_table_age = -1;
	params.multixact_freeze_min_age = params.multixact_freeze_table_age = -1;
	params.log_min_duration = -1;
	link_vacuum(list_make1(makeVacuumRelation(NULL, relation, NIL)), &params);
}
