/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  One transaction of a pipeline: work is taken, its rows are inserted, and the
 *	  work is marked as done.
 *
 * Three roles are at work (SECURITY 28).  The link is read as the pipeline's owner,
 * who is the session user.  Whatever SQL there is (the target's triggers, defaults
 * and constraints, the pipeline's own expressions) runs as the target's owner, in a
 * security-restricted operation, deferred triggers included: the transaction ends
 * within it.  Our own tables are written as the bootstrap superuser.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/sysattr.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "catalog/privileges.h"
#include "catalog/use.h"
#include "errors.h"
#include "guc.h"
#include "pipeline/clauses.h"
#include "pipeline/engine.h"
#include "pipeline/rows.h"
#include "transfer/listed.h"

/*
 * Rights.
 */

static void
refuse(const LinkPipeline *pipeline, Oid role, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("pipeline \"%s\" may not load into \"%s\"", pipeline->name, get_rel_name(pipeline->table)),
			 errdetail("Its owner \"%s\" %s.", GetUserNameFromId(role, true), what)));
}

static Oid
table_owner(const LinkPipeline *pipeline)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(pipeline->table));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of pipeline \"%s\" does not exist", pipeline->name)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* May the pipeline's owner insert into the columns that it loads? */
static bool
may_insert(const LinkPipeline *pipeline, List *columns)
{
	ListCell   *lc;

	if (pg_class_aclcheck(pipeline->table, pipeline->owner, ACL_INSERT) == ACLCHECK_OK)
		return true;
	if (columns == NIL)
		return pg_attribute_aclcheck_all(pipeline->table, pipeline->owner, ACL_INSERT, ACLMASK_ALL) == ACLCHECK_OK;
	foreach(lc, columns)
	{
		AttrNumber	column = get_attnum(pipeline->table, lfirst(lc));

		/* what is not there is said by whoever loads */
		if (column != InvalidAttrNumber &&
			pg_attribute_aclcheck(pipeline->table, column, pipeline->owner, ACL_INSERT) != ACLCHECK_OK)
			return false;
	}
	return true;
}

static void
check_rights(const LinkPipeline *pipeline, List *columns)
{
	Oid			owner = table_owner(pipeline);

	if (superuser_arg(pipeline->owner) && !superuser_arg(owner))
		refuse(pipeline, pipeline->owner, "is a superuser, and the owner of the table is none");
	link_check_can_set_role(pipeline->owner, owner);
	if (!may_insert(pipeline, columns))
		refuse(pipeline, pipeline->owner, "does not hold INSERT");
	if (check_enable_rls(pipeline->table, pipeline->owner, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("pipelines do not support row-level security")));
}

void
link_batch_check_target(const LinkPipeline *pipeline)
{
	check_rights(pipeline, NIL);
}

/*
 * Loading.
 */

/* Columns that are loaded, as char *; NIL: all. */
static List *
loaded_columns(const LinkPipeline *pipeline)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, link_fields_from_json(pipeline->fields))
	{
		LinkPipelineField *field = lfirst(lc);

		if (!link_field_is_variable(field))
			columns = lappend(columns, field->name);
	}
	return columns;
}

/* What waits for the end of the transaction is done now, where it has no more rights than its table's owner. */
static void
fire_deferred_triggers(void)
{
	ConstraintsSetStmt *all = makeNode(ConstraintsSetStmt);

	AfterTriggerSetState(all);
}

/* As the target's owner, who is so from now on. */
static uint64
load(const LinkPipeline *pipeline, LinkWork *work, LinkSession *session, List *columns, uint64 *bytes)
{
	LinkListed	listed = {pipeline->path, pipeline->table, columns, NIL, &work->at, &work->line};
	int			guc_level = NewGUCNestLevel();
	List	   *results;
	ListCell   *lc;
	uint64		read = 0;
	uint64		inserted = PG_UINT64_MAX;

	link_pipeline_set_path(pipeline);
	listed.options = link_format_options_from_json(pipeline->options);
	if (link_pipeline_is_plain(pipeline) && pipeline->skip == 0)
		results = link_import_listed(session, work->objects, &listed);
	else
		results = link_rows_load(pipeline, work->objects, session, &listed, &inserted);
	fire_deferred_triggers();

	/* also what user code has set meanwhile */
	AtEOXact_GUC(false, guc_level);
	*bytes = 0;
	foreach(lc, results)
	{
		read += ((LinkObjectResult *) lfirst(lc))->rows;
		*bytes += ((LinkObjectResult *) lfirst(lc))->bytes;
	}
	return Min(read, inserted);
}

/* For tests: the rows are there, and nothing is committed. */
static void
pause_if_told(const LinkPipeline *pipeline)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_pipeline_pause);

	if (link_pipeline_pause == 0)
		return;
	pgstat_report_activity(STATE_RUNNING, "pause before commit");
	while (GetCurrentTimestamp() < end)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 100, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Is it still to be done?  The lock keeps it so until the end of the transaction. */
static void
look_again(const LinkPipeline *pipeline, bool foreground)
{
	LinkPipeline *now;

	link_lock_pipeline_shared(pipeline->id);
	now = link_pipeline_by_id(pipeline->id);
	if (now == NULL || (!foreground && !link_pipeline_runs(now)))
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("pipeline \"%s\" was stopped", pipeline->name)));
}

static uint64
do_work(const LinkPipeline *pipeline, LinkWork *work, bool foreground, TimestampTz started)
{
	List	   *columns = loaded_columns(pipeline);
	LinkRow    *link = link_lookup_id(pipeline->link_id, LINK_ACL_READ);
	LinkSession *session;
	uint64		rows;
	uint64		bytes;
	Oid			user;
	int			context;

	check_rights(pipeline, columns);
	session = link_open(link);
	session->whole_ranges = true;
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(table_owner(pipeline),
						   context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	rows = load(pipeline, work, session, columns, &bytes);
	link_close(session);
	link_work_done(pipeline, work, rows, bytes, started);
	pause_if_told(pipeline);
	look_again(pipeline, foreground);
	return rows;
}

/*
 * The transaction.
 */

static LinkPipeline *
runnable(int64 id, bool foreground)
{
	LinkPipeline *pipeline = link_pipelines_enabled ? link_pipeline_by_id(id) : NULL;

	if (pipeline == NULL || (!foreground && !link_pipeline_runs(pipeline)))
		return NULL;

	/* another owner has workers of another session */
	return pipeline->owner == GetSessionUserId() ? pipeline : NULL;
}

/* The batch failed, and its transaction is still there. */
static LinkBatchOutcome
give_up(const LinkPipeline *pipeline, const LinkWork *work, MemoryContext context, TimestampTz started)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || pipeline == NULL)
		return LINK_BATCH_NONE;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
	link_work_failed(pipeline, work, error, started);
	PopActiveSnapshot();
	CommitTransactionCommand();
	return LINK_BATCH_FAILED;
}

LinkBatchOutcome
link_batch(int64 pipeline_id, bool foreground, uint64 *rows)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "link pipeline batch", ALLOCSET_DEFAULT_SIZES);
	TimestampTz started = GetCurrentTimestamp();
	LinkPipeline *volatile pipeline = NULL;
	LinkWork   *work = MemoryContextAllocZero(context, sizeof(LinkWork));
	volatile LinkBatchOutcome outcome = LINK_BATCH_NONE;
	Oid			user;
	int			sec_context;

	GetUserIdAndSecContext(&user, &sec_context);
	*rows = 0;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(context);
		pipeline = runnable(pipeline_id, foreground);
		if (pipeline && link_work_claim(pipeline, work))
		{
			outcome = LINK_BATCH_DONE;
			LINK_USE_BEGIN(LINK_VERB_LOAD_DATA, pipeline->path);
			{
				*rows = do_work(pipeline, work, foreground, started);
			}
			LINK_USE_END();
		}
		PopActiveSnapshot();
		CommitTransactionCommand();
		SetUserIdAndSecContext(user, sec_context);
	}
	PG_CATCH();
	{
		outcome = give_up(pipeline, work, context, started);
		*rows = 0;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return outcome;
}
