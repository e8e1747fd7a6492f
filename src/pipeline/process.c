/*-------------------------------------------------------------------------
 *
 * process.c
 *	  How the processes of pipelines are made, found and ended.
 *
 * No shared memory is needed, so it works without preload: each process holds a
 * lock in the space of advisory locks, in a class that no SQL function reaches,
 * and core's table of locks tells who.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/syscache.h"

#include "guc.h"
#include "locks.h"
#include "pipeline/engine.h"
#include "pipeline/pipeline.h"

/* field 2 of the lock of whoever needs a database without our processes; kinds of these are below it */
#define HOLD 1000

/* ms that one that has just started waits for that lock, and how often */
#define HOLD_WAIT 50
#define HOLD_TRIES 10

/* ms to wait for the processes of a database to end, less than core waits for it to be free */
#define END_TIMEOUT 4000

static const struct
{
	const char *name;
	const char *function;
}			kinds[] = {
	[LINK_PROCESS_LAUNCHER] = {"link launcher", "link_launcher_main"},
	[LINK_PROCESS_SCHEDULER] = {"link scheduler", "link_scheduler_main"},
	[LINK_PROCESS_WORKER] = {"link worker", "link_worker_main"},
};

static ProcessUtility_hook_type next_process_utility = NULL;

/*
 * Making them.
 */

static void
describe(LinkProcessKind kind, const LinkProcessTask *task, BackgroundWorker *worker)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, "link", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, kinds[kind].function, sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_name, kinds[kind].name, sizeof(worker->bgw_name));
	strlcpy(worker->bgw_type, kinds[kind].name, sizeof(worker->bgw_type));
	if (task)
		memcpy(worker->bgw_extra, task, sizeof(*task));
}

bool
link_process_start(LinkProcessKind kind, const LinkProcessTask *task, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	StaticAssertStmt(sizeof(LinkProcessTask) <= BGW_EXTRALEN, "a task does not fit");
	describe(kind, task, &worker);

	/* whoever has no use for the handle may be committing: it has no use for signals either */
	worker.bgw_notify_pid = handle ? MyProcPid : 0;
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

/*
 * Their beginning.
 */

/* ALTER ROLE and ALTER DATABASE have a say in the settings of a session: not in these. */
static void
pin_settings(void)
{
	static const char *const settings[][2] = {
		{"role", "none"},
		{"search_path", "pg_catalog, pg_temp"},
		{"session_replication_role", "origin"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{"row_security", "on"},
		{"statement_timeout", "0"},
		{"lock_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"link.max_objects", "2147483647"},
	};

	for (int i = 0; i < lengthof(settings); i++)
		SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
}

LinkProcessTask
link_process_begin(LinkProcessKind kind)
{
	LinkProcessTask task;

	memcpy(&task, MyBgworkerEntry->bgw_extra, sizeof(task));
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	if (kind == LINK_PROCESS_LAUNCHER)
		BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	else
		BackgroundWorkerInitializeConnectionByOid(task.database, task.owner,
												  kind == LINK_PROCESS_WORKER ? LINK_BGW_BYPASS_LOGIN : 0);
	pin_settings();
	pgstat_report_activity(STATE_IDLE, NULL);
	return task;
}

void
link_process_sleep(long ms, const char *event)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (ms >= 0 ? WL_TIMEOUT : 0), ms,
					 link_wait_event(event));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/*
 * Finding them.
 */

static void
lock_tag(LinkProcessKind kind, LOCKTAG *tag)
{
	SET_LOCKTAG_ADVISORY(*tag, kind == LINK_PROCESS_LAUNCHER ? InvalidOid : MyDatabaseId, (uint32) kind,
						 kind == LINK_PROCESS_WORKER ? (uint32) MyProcPid : 0, LINK_LOCK_PROCESS);
}

bool
link_process_take_lock(LinkProcessKind kind)
{
	LOCKTAG		tag;

	lock_tag(kind, &tag);
	return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
link_process_release_lock(LinkProcessKind kind)
{
	LOCKTAG		tag;

	lock_tag(kind, &tag);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

static bool
is_ours(const LockInstanceData *lock, Oid database)
{
	return lock->holdMask != 0 && lock->locktag.locktag_field2 < HOLD && lock->locktag.locktag_type == LOCKTAG_ADVISORY &&
		lock->locktag.locktag_field4 == LINK_LOCK_PROCESS && lock->locktag.locktag_field1 == database;
}

List *
link_process_pids(Oid database)
{
	LockData   *locks = GetLockStatusData();
	List	   *pids = NIL;

	for (int i = 0; i < locks->nelements; i++)
		if (is_ours(&locks->locks[i], database))
			pids = lappend_int(pids, locks->locks[i].pid);
	return pids;
}

Latch *
link_process_latch(LinkProcessKind kind, Oid database)
{
	LockData   *locks = GetLockStatusData();

	for (int i = 0; i < locks->nelements; i++)
		if (is_ours(&locks->locks[i], database) && locks->locks[i].locktag.locktag_field2 == (uint32) kind)
		{
			PGPROC	   *proc = BackendPidGetProc(locks->locks[i].pid);

			return proc ? &proc->procLatch : NULL;
		}
	return NULL;
}

/*
 * Ending them.
 */

bool
link_pipeline_end_processes(Oid database)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), END_TIMEOUT);
	bool		found = false;
	List	   *pids;

	while ((pids = link_process_pids(database)) != NIL && GetCurrentTimestamp() < deadline)
	{
		ListCell   *lc;

		found = true;
		foreach(lc, pids)
			if (BackendPidGetProc(lfirst_int(lc)))
				(void) kill(lfirst_int(lc), SIGTERM);
		CHECK_FOR_INTERRUPTS();
		pg_usleep(20000L);
	}
	return found;
}

/* To the end of the transaction: those that start meanwhile go at once. */
static void
hold(Oid database)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, database, HOLD, 0, LINK_LOCK_PROCESS);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

bool
link_process_is_welcome(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, HOLD, 0, LINK_LOCK_PROCESS);
	for (int i = 0; i < HOLD_TRIES; i++)
	{
		if (LockAcquire(&tag, ShareLock, true, true) != LOCKACQUIRE_NOT_AVAIL)
		{
			(void) LockRelease(&tag, ShareLock, true);
			return true;
		}
		pg_usleep(HOLD_WAIT * 1000L);
	}
	return false;
}

/*
 * The database that a command needs for itself; it is rid of our processes, and the
 * answer is its Oid, if there were any.  Core decides who may do it; nobody else is
 * to stop pipelines by trying.
 */
static Oid
free_database(const char *name, bool template)
{
	Oid			database = get_database_oid(name, true);
	HeapTuple	tuple;
	bool		may;

	if (!OidIsValid(database) || database == MyDatabaseId)
		return InvalidOid;
	may = link_database_ownercheck(database, GetUserId());
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	if (HeapTupleIsValid(tuple))
	{
		if (template && ((Form_pg_database) GETSTRUCT(tuple))->datistemplate)
			may = may || have_createdb_privilege();
		ReleaseSysCache(tuple);
	}
	if (!may)
		return InvalidOid;
	hold(database);
	return link_pipeline_end_processes(database) ? database : InvalidOid;
}

static Oid
free_template(const CreatedbStmt *create)
{
	ListCell   *lc;

	foreach(lc, create->options)
	{
		const DefElem *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, "template") == 0 && option->arg && IsA(option->arg, String))
			return free_database(strVal(option->arg), true);
	}
	return InvalidOid;
}

/* Does it drop this extension, by one who may? */
static bool
drops_us(const DropStmt *drop)
{
	Oid			extension = get_extension_oid("link", true);
	ListCell   *lc;

	if (drop->removeType != OBJECT_EXTENSION || !OidIsValid(extension))
		return false;
	foreach(lc, drop->objects)
		if (strcmp(strVal(lfirst(lc)), "link") == 0)
			return link_extension_ownercheck(extension, GetUserId());
	return false;
}

/*
 * Core refuses a database that is used, and knows no way to ask our processes to
 * go.  What the command leaves gets its scheduler back, which waits for the end of
 * this transaction if it has to.
 */
static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	Node	   *statement = pstmt->utilityStmt;
	LinkProcessTask task = {0};
	volatile bool drops = false;

	if (IsA(statement, DropdbStmt))
	{
		task.database = free_database(((DropdbStmt *) statement)->dbname, false);
		drops = true;
	}
	else if (IsA(statement, RenameStmt) && ((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
		task.database = free_database(((RenameStmt *) statement)->subname, false);
	else if (IsA(statement, CreatedbStmt))
		task.database = free_template((CreatedbStmt *) statement);
	else if (IsA(statement, DropStmt) && drops_us((DropStmt *) statement) &&
			 link_pipeline_end_processes(MyDatabaseId))
	{
		task.database = MyDatabaseId;
		drops = true;
	}

	PG_TRY();
	{
		if (next_process_utility)
			next_process_utility(pstmt, query, read_only_tree, context, params, environment, dest, completion);
		else
			standard_ProcessUtility(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	}
	PG_CATCH();
	{
		if (OidIsValid(task.database))
			(void) link_process_start(LINK_PROCESS_SCHEDULER, &task, NULL);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (OidIsValid(task.database) && !drops)
		(void) link_process_start(LINK_PROCESS_SCHEDULER, &task, NULL);
}

void
link_pipeline_init(void)
{
	BackgroundWorker launcher;

	next_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	if (!process_shared_preload_libraries_in_progress)
		return;
	describe(LINK_PROCESS_LAUNCHER, NULL, &launcher);
	launcher.bgw_restart_time = 1;
	RegisterBackgroundWorker(&launcher);
}
