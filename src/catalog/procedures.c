/*-------------------------------------------------------------------------
 *
 * procedures.c
 *	  Pipelines follow the procedures that they call: event triggers around
 *	  commands that give one another name.
 *
 * A row has the procedure's name and arguments, since pg_upgrade gives it another
 * oid.  So before such a command we look which procedure each pipeline means, and
 * after it what that one is called.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "commands/event_trigger.h"
#include "utils/memutils.h"
#include "utils/regproc.h"

#include "catalog/events.h"
#include "catalog/pipelines.h"
#include "errors.h"

typedef struct Meant
{
	int64		pipeline;
	Oid			procedure;
} Meant;

/* Of this transaction, in its memory. */
static List *meant = NIL;

static void
forget(void *arg)
{
	meant = NIL;
}

static Meant *
meant_by(int64 pipeline)
{
	ListCell   *lc;

	foreach(lc, meant)
		if (((Meant *) lfirst(lc))->pipeline == pipeline)
			return lfirst(lc);
	return NULL;
}

void
link_procedures_remember(void)
{
	ListCell   *lc;

	foreach(lc, link_pipelines(0, InvalidOid))
	{
		LinkPipeline *pipeline = lfirst(lc);
		Meant	   *one = meant_by(pipeline->id);
		MemoryContext caller;

		/* what does not resolve may be that of a command that is not over */
		if (!OidIsValid(pipeline->procedure))
			continue;
		caller = MemoryContextSwitchTo(TopTransactionContext);
		if (meant == NIL)
		{
			MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

			callback->func = forget;
			MemoryContextRegisterResetCallback(TopTransactionContext, callback);
		}
		if (one == NULL)
		{
			one = palloc0(sizeof(Meant));
			one->pipeline = pipeline->id;
			meant = lappend(meant, one);
		}
		one->procedure = pipeline->procedure;
		MemoryContextSwitchTo(caller);
	}
}

void
link_procedures_follow(void)
{
	ListCell   *lc;

	foreach(lc, link_pipelines(0, InvalidOid))
	{
		LinkPipeline *pipeline = lfirst(lc);
		Meant	   *one = meant_by(pipeline->id);
		char	   *signature = one ? format_procedure_extended(one->procedure, FORMAT_PROC_FORCE_QUALIFY | FORMAT_PROC_INVALID_AS_NULL) : NULL;

		if (signature == NULL || pipeline->signature == NULL || strcmp(signature, pipeline->signature) == 0)
			continue;
		pipeline->signature = signature;
		pipeline->procedure = one->procedure;
		link_pipeline_update(pipeline);
	}
}
