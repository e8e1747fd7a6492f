/*-------------------------------------------------------------------------
 *
 * crew.c
 *	  Several processes that do the tasks of a backup.
 *
 * The tasks lie in shared memory as texts, and the next one's number in an atomic
 * counter.  No secret is there: each process opens the link by itself.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "backup/changed.h"
#include "backup/crew.h"
#include "backup/progress.h"
#include "catalog/privileges.h"
#include "codec/codec.h"
#include "errors.h"
#include "provider/journal.h"
#include "provider/provider.h"
#include "transfer/source.h"
#include "transfer/transfer.h"

#define KEY_SHARED UINT64CONST(0xB000000000000101)
#define KEY_TASKS UINT64CONST(0xB000000000000102)

/* Bytes that are read at a time. */
#define READ_BYTES (256 * 1024)

typedef struct TaskResult
{
	uint64		rows;
	uint64		bytes;
	uint64		text_bytes;
	uint8		sha256[LINK_DIGEST_LENGTH];
	bool		changed;
} TaskResult;

typedef struct Shared
{
	pg_atomic_uint32 next;		/* task */
	int64		link_id;
	bool		writes;
	dsm_handle	progress;
	char		owner[LINK_JOURNAL_OWNER_SIZE];
	int			ntasks;
	TaskResult		results[FLEXIBLE_ARRAY_MEMBER];
} Shared;

/* As it lies in shared memory: this, and the two texts. */
typedef struct Packed
{
	LinkTaskKind kind;
	uint64		bytes;
	uint8		sha256[LINK_DIGEST_LENGTH];
	uint32		path;			/* where its text begins, from the beginning of all */
	uint32		sql;
	uint32		compression;
	int			table_number;
	Oid			table;
	BlockNumber from;
	BlockNumber to;
	XLogRecPtr	baseline;
	int			first;
} Packed;

extern PGDLLEXPORT void link_crew_worker_main(dsm_segment *segment, shm_toc *toc);

/*
 * One task.
 */

static DefElem *
option(const char *name, const char *value)
{
	return makeDefElem(pstrdup(name), (Node *) makeString(pstrdup(value)), -1);
}

static void
export_rows(LinkSession *session, const char *path, const char *sql, const char *compression, TaskResult *result)
{
	LinkDigest *digest = link_digest_begin();
	LinkObjectResult *written = link_export_opened(session, sql, path,
												   list_make3(option("format", "text"), option("compression", compression),
															  option("encoding", GetDatabaseEncodingName())), digest);

	link_digest_end(digest, result->sha256);
	result->rows = written->rows;
	result->bytes = written->bytes;
	result->text_bytes = written->text_bytes;
}

/* All of the object, which has to be what it was. */
static void
check_object(LinkSession *session, const char *path, const Packed *task)
{
	LinkObject	object = {.path = unconstify(char *, path),.size = (int64) task->bytes,.sha256 = task->sha256};
	LinkSource *source = link_source_begin(session, &object);
	char	   *buffer = palloc(READ_BYTES);

	link_source_await(source);
	while (link_source_read(source, buffer, READ_BYTES) > 0)
		;
	link_source_close(source);
	pfree(buffer);
}

/* Says of which object an error is that does not name it. */
static void
context_of_object(void *arg)
{
	errcontext("backup object \"%s\"", (const char *) arg);
}

static void
context_of_pages(void *arg)
{
	errcontext("looking for changed pages of table %s", (const char *) arg);
}

static void
take_tasks(Shared *shared, const char *tasks, LinkSession *session)
{
	const Packed *packed = (const Packed *) tasks;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link backup task", ALLOCSET_DEFAULT_SIZES);
	uint32		n;

	while ((n = pg_atomic_fetch_add_u32(&shared->next, 1)) < (uint32) shared->ntasks)
	{
		MemoryContext caller = MemoryContextSwitchTo(context);
		const Packed *task = &packed[n];
		const char *path = tasks + task->path;
		ErrorContextCallback callback = {error_context_stack, context_of_object, unconstify(char *, path)};

		CHECK_FOR_INTERRUPTS();
		if (task->kind == LINK_TASK_PAGES)
			callback.callback = context_of_pages;
		error_context_stack = &callback;
		switch (task->kind)
		{
			case LINK_TASK_EXPORT:
				link_backup_progress_table(task->table_number);
				export_rows(session, path, tasks + task->sql, tasks + task->compression, &shared->results[n]);
				link_backup_progress_part();
				link_backup_progress_table(-1);
				break;
			case LINK_TASK_CHECK:
				check_object(session, path, task);
				break;
			case LINK_TASK_PAGES:
				link_changed_pages(task->table, task->from, task->to, task->baseline, &shared->results[task->first].changed);
				break;
		}
		error_context_stack = callback.previous;
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
}

/*
 * The workers.
 */

void
link_crew_worker_main(dsm_segment *segment, shm_toc *toc)
{
	Shared	   *shared = shm_toc_lookup(toc, KEY_SHARED, false);
	const char *tasks = shm_toc_lookup(toc, KEY_TASKS, false);
	LinkSession *session;

	link_journal_write_for(shared->owner);
	link_backup_progress_join(shared->progress);
	session = link_open(link_lookup_id(shared->link_id, shared->writes ? LINK_ACL_WRITE : LINK_ACL_READ));
	take_tasks(shared, tasks, session);
	link_close(session);
	link_backup_progress_leave();
}

/*
 * The leader.
 */

static StringInfoData
pack(List *tasks)
{
	StringInfoData packed;
	Size		size = list_length(tasks) * sizeof(Packed);

	initStringInfo(&packed);
	enlargeStringInfo(&packed, size);
	memset(packed.data, 0, size);
	packed.len = size;
	for (int i = 0; i < list_length(tasks); i++)
	{
		LinkTask   *task = list_nth(tasks, i);
		Packed		one = {task->kind};

		one.table_number = task->table_number;
		one.table = task->table;
		one.from = task->from;
		one.to = task->to;
		one.baseline = task->baseline;
		one.first = task->first;
		if (task->kind == LINK_TASK_CHECK)
		{
			one.bytes = task->object->bytes;
			memcpy(one.sha256, task->object->sha256, LINK_DIGEST_LENGTH);
		}
		one.path = packed.len;
		appendBinaryStringInfo(&packed, task->path, strlen(task->path) + 1);
		one.sql = packed.len;
		appendBinaryStringInfo(&packed, task->sql, strlen(task->sql) + 1);
		one.compression = packed.len;
		if (task->compression)
			appendBinaryStringInfo(&packed, task->compression, strlen(task->compression) + 1);
		memcpy(packed.data + i * sizeof(Packed), &one, sizeof(one));
	}
	return packed;
}

static void
take_results(const Shared *shared, List *tasks)
{
	for (int i = 0; i < list_length(tasks); i++)
	{
		LinkTask   *task = list_nth(tasks, i);
		const TaskResult *result = &shared->results[i];

		task->changed = result->changed;
		if (task->kind != LINK_TASK_EXPORT)
			continue;
		task->object->rows = result->rows;
		task->object->bytes = result->bytes;
		task->object->text_bytes = result->text_bytes;
		memcpy(task->object->sha256, result->sha256, LINK_DIGEST_LENGTH);
	}
}

static Shared *
share(ParallelContext *context, const LinkRow *row, List *tasks, const StringInfoData *packed)
{
	Shared	   *shared = shm_toc_allocate(context->toc, offsetof(Shared, results) + list_length(tasks) * sizeof(TaskResult));
	char	   *copy = shm_toc_allocate(context->toc, packed->len);

	memset(shared, 0, offsetof(Shared, results) + list_length(tasks) * sizeof(TaskResult));
	pg_atomic_init_u32(&shared->next, 0);
	shared->link_id = row->id;
	shared->writes = ((LinkTask *) linitial(tasks))->kind != LINK_TASK_CHECK;
	shared->progress = link_backup_progress_handle();
	strlcpy(shared->owner, link_journal_owner(), sizeof(shared->owner));
	shared->ntasks = list_length(tasks);
	memcpy(copy, packed->data, packed->len);
	shm_toc_insert(context->toc, KEY_SHARED, shared);
	shm_toc_insert(context->toc, KEY_TASKS, copy);
	return shared;
}

void
link_crew_run(const LinkRow *row, List *tasks, int processes)
{
	int			workers = Min(processes, list_length(tasks)) - 1;
	StringInfoData packed = pack(tasks);
	LinkSession *session;
	ParallelContext *volatile context = NULL;

	if (tasks == NIL)
		return;
	session = link_open(row);
	link_reap_first(session);
	EnterParallelMode();
	context = CreateParallelContext("link", "link_crew_worker_main", Max(workers, 0));
	shm_toc_estimate_chunk(&context->estimator, offsetof(Shared, results) + list_length(tasks) * sizeof(TaskResult));
	shm_toc_estimate_chunk(&context->estimator, packed.len);
	shm_toc_estimate_keys(&context->estimator, 2);
	InitializeParallelDSM(context);
	PG_TRY();
	{
		Shared	   *shared = share(context, row, tasks, &packed);
		const char *copy = shm_toc_lookup(context->toc, KEY_TASKS, false);

		LaunchParallelWorkers(context);
		take_tasks(shared, copy, session);
		WaitForParallelWorkersToFinish(context);
		take_results(shared, tasks);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		DestroyParallelContext(context);
		ExitParallelMode();
		RESUME_INTERRUPTS();
		link_journal_leave_strays(0);
		PG_RE_THROW();
	}
	PG_END_TRY();
	DestroyParallelContext(context);
	ExitParallelMode();
	link_close(session);
}
