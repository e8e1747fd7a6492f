/*-------------------------------------------------------------------------
 *
 * engine.h
 *	  Inside the engine of pipelines.
 *
 * launcher -> scheduler -> worker are processes; a worker does batches (batch.c);
 * find.c and work.c have what was found, claimed and done in tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PIPELINE_ENGINE_H
#define LINK_PIPELINE_ENGINE_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "postmaster/bgworker.h"
#include "storage/itemptr.h"
#include "storage/latch.h"
#include "utils/elog.h"
#include "utils/timestamp.h"

#include "catalog/pipelines.h"
#include "provider/provider.h"
#include "transfer/transfer.h"

/* ---- state.c ---- */

/* The current user is the bootstrap superuser from the one to the other, with a safe search_path. */
typedef struct LinkElevated
{
	Oid			user;
	int			context;
	int			guc_level;
} LinkElevated;
extern void link_elevate(LinkElevated *saved);
extern void link_unelevate(const LinkElevated *saved);

/* The same with SPI. */
extern void link_state_begin(LinkElevated *saved);
extern void link_state_end(const LinkElevated *saved);

/*
 * A statement, in between: 'sql' is a constant text, whose plan is kept, 'nulls' as
 * SPI has them.  Gives SPI_processed; 'expected' is what SPI has to say.
 */
extern uint64 link_state_run(const char *sql, int expected, int n, Oid *types, Datum *values, const char *nulls);

/* ---- find.c, work.c ---- */

/* What one transaction loads: objects, or a range of one partition. */
typedef struct LinkWork
{
	bool		stream;
	List	   *objects;		/* of LinkObject: path and size */
	ItemPointer rows;			/* where the state of each of these is, once they are taken */
	int32		partition;		/* of a stream */
	int64		from;			/* of a stream: its cursor, ... */
	int64		to;				/* ... once this is loaded */
	int			at;				/* the object that is in work; -1: all of several */
	uint64		line;			/* of it, where something failed */
} LinkWork;

/* How much is to be done: what any worker may take now, up to some number. */
typedef struct LinkWorkLeft
{
	int			pieces;
	TimestampTz retry_at;		/* DT_NOEND, or when more may be taken */
} LinkWorkLeft;

/* All of these write below 'link' as the bootstrap superuser, whoever calls. */

/*
 * What the looks at a pipeline's objects have come to, from one to the next.  Zeroed:
 * nothing yet, and the first one is a full listing.
 */
typedef struct LinkLook
{
	char	   *largest;		/* of all names that were found; NULL: none */
	TimestampTz full_at;		/* when a full listing is due again */
	int			rest;			/* so many times as long as it took */
	int			names;			/* that the next look finds at most */

	/* a full listing that is under way */
	bool		full;
	char	   *at;				/* how far it is; NULL: at the beginning */
	char	   *known;			/* 'largest' when it began */
	bool		late;			/* it found a smaller name that was new */
	int64		cost;			/* us that it took until now */
} LinkLook;

/*
 * Look at the provider, with the rights of the pipeline's owner; true: and again, since
 * there is more.  'look' counts only if the transaction commits; NULL: find all at once.
 */
extern bool link_work_find(const LinkPipeline *pipeline, LinkLook *look);
extern void link_look_reset(LinkLook *look);
extern LinkWorkLeft link_work_left(const LinkPipeline *pipeline);

/*
 * Take what nobody else has, at most so many objects, until the end of the
 * transaction; false if there is none.  'work' is in the current memory context.
 */
extern bool link_work_claim(const LinkPipeline *pipeline, int objects, LinkWork *work);

/* The most objects that one transaction loads. */
#define LINK_WORK_OBJECTS 500

/* What is to be taken next, a few of it, and not taken: for a test. */
extern void link_work_peek(const LinkPipeline *pipeline, LinkWork *work, int objects);

/* In the transaction that holds the rows. */
extern void link_work_done(const LinkPipeline *pipeline, const LinkWork *work, uint64 rows, uint64 bytes,
						   TimestampTz started);

/*
 * In a transaction of its own, after that of the work is gone: count the attempt,
 * and decide what becomes of the object or the range, or of the pipeline.  'work'
 * NULL: no work was the reason.
 */
extern void link_work_failed(const LinkPipeline *pipeline, const LinkWork *work, const ErrorData *error,
							 TimestampTz started);

/* Errors that no other attempt can do better: of rights, names, statements. */
extern bool link_work_hopeless(int sqlstate);

/*
 * Errors that are not about what is loaded: the provider cannot be reached, the disk
 * is full, a deadlock.  Nothing is ever skipped for these.
 */
extern bool link_work_outside(int sqlstate);

/* The pipeline ends in state Error; a row of pipeline_error and a line of the log say why. */
extern void link_work_stop(const LinkPipeline *pipeline, const ErrorData *error);

/* Topics: to the first message, or behind the last. */
extern void link_work_seek(const LinkPipeline *pipeline, bool latest);

/* Forget old history. */
extern void link_work_trim(const LinkPipeline *pipeline);

/* Rows of pipeline_error. */
typedef struct LinkWorkError
{
	const char *kind;
	int64		batch;			/* 0: none */
	const char *source;			/* or NULL */
	int64		position;		/* 0: unknown */
	const char *raw;			/* or NULL */
} LinkWorkError;
extern void link_work_record(const LinkPipeline *pipeline, const LinkWorkError *where, const ErrorData *error);

/* ---- batch.c ---- */

typedef enum LinkBatchOutcome
{
	LINK_BATCH_NONE,			/* there was no work, or the pipeline does not run any more */
	LINK_BATCH_DONE,
	LINK_BATCH_FAILED,			/* which is recorded */
	LINK_BATCH_SPLIT			/* it failed with several objects, of which nobody knows which: nothing is recorded */
} LinkBatchOutcome;

/*
 * One transaction that takes work, at most so many objects, and does it.  Called
 * outside of any; does not throw what the batch does.
 */
extern LinkBatchOutcome link_batch(int64 pipeline_id, bool foreground, int objects);

/* ---- process.c ---- */

typedef enum LinkProcessKind
{
	LINK_PROCESS_LAUNCHER,
	LINK_PROCESS_SCHEDULER,
	LINK_PROCESS_WORKER
} LinkProcessKind;

/* What a process is told when it is made: bgw_extra. */
typedef struct LinkProcessTask
{
	Oid			database;
	Oid			owner;			/* of a worker's pipeline */
	int64		pipeline;
	int64		limit;			/* of batches; 0: none */
	bool		foreground;
} LinkProcessTask;

/* False if there are too many processes.  Never throws. */
extern bool link_process_start(LinkProcessKind kind, const LinkProcessTask *task, BackgroundWorkerHandle **handle);

/* For the processes themselves: signals, the connection, settings that no user has a say in. */
extern LinkProcessTask link_process_begin(LinkProcessKind kind);

/*
 * Each process of ours holds a lock by which it is found.  Of the launcher and of a
 * database's scheduler there is one: false if there is one already.
 */
extern bool link_process_take_lock(LinkProcessKind kind);
extern void link_process_release_lock(LinkProcessKind kind);

/* False if a command needs the database for itself: then the process has to go. */
extern bool link_process_is_welcome(void);

/* Pids of the processes of a database that hold such a lock. */
extern List *link_process_pids(Oid database);

/*
 * The latch of the one launcher (InvalidOid), or scheduler of a database; NULL: there
 * is none.  It may come to be another process's, which setting it does no harm.
 */
extern Latch *link_process_latch(LinkProcessKind kind, Oid database);

/* Sleep until the latch is set, or 'ms' have passed (-1: never mind).  Reads changed parameters. */
extern void link_process_sleep(long ms, const char *event);

extern PGDLLEXPORT void link_launcher_main(Datum arg);
extern PGDLLEXPORT void link_scheduler_main(Datum arg);
extern PGDLLEXPORT void link_worker_main(Datum arg);

#endif							/* LINK_PIPELINE_ENGINE_H */
