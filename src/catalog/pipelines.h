/*-------------------------------------------------------------------------
 *
 * pipelines.h
 *	  Rows of link.pipeline: found by index scan, written below the executor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PIPELINES_H
#define LINK_PIPELINES_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"

typedef enum LinkPipelineState
{
	LINK_PIPELINE_STOPPED,
	LINK_PIPELINE_RUNNING,
	LINK_PIPELINE_ERROR
} LinkPipelineState;

/* Which errors of single rows are recorded and left out (SKIP ... ERRORS). */
#define LINK_SKIP_PARSER		(1 << 0)
#define LINK_SKIP_CONSTRAINT	(1 << 1)
#define LINK_SKIP_DUPLICATE_KEY (1 << 2)
#define LINK_SKIP_ALL			(LINK_SKIP_PARSER | LINK_SKIP_CONSTRAINT | LINK_SKIP_DUPLICATE_KEY)

/* One row.  All memory belongs to the context that was current at the lookup. */
typedef struct LinkPipeline
{
	int64		id;
	char	   *name;			/* as typed at creation */
	Oid			owner;
	int64		link_id;
	char	   *path;
	Oid			table;			/* the target is this; LINK_UNKNOWN_TABLE if it was missing at restore */
	Oid			procedure;		/* or this; InvalidOid if it is gone */
	char	   *signature;		/* of the procedure, all names qualified; NULL: it is a table */
	char	   *options;		/* JSON: format options by the names of link.load_data() */

	/*
	 * JSON, or NULL: the table's columns.  A list of "column", "@variable", or
	 * {"name": one of these, "path": ["a", "b"]} for "name <- a::b".
	 */
	char	   *fields;
	char	   *set_clause;		/* as typed, or NULL */
	char	   *where_clause;
	char	   *on_conflict;
	char	   *search_path;	/* of the creation: for what runs */
	char	   *clause_path;	/* for names in the clauses; NULL: the same */
	int			batch_interval; /* ms */
	int			max_partitions; /* 0: any number */
	int			max_retries;
	int64		max_offsets;	/* of a partition in a batch; 0: any number */
	int			skip;			/* LINK_SKIP_... */
	bool		stop_on_error;
	LinkPipelineState state;	/* as stored: see link_pipeline_runs() */
	char	   *error;			/* or NULL */
	uint64		system_identifier;	/* where it was last started */
	Oid			database;
	TimestampTz created_at;
	TimestampTz altered_at;
	ItemPointerData tid;		/* for the writer only */
	uint64		version;		/* differs between any two versions of the row */
} LinkPipeline;

/* NULL if there is none.  Sees the newest committed rows and our own; no rights are checked. */
extern LinkPipeline *link_pipeline_by_id(int64 id);
extern LinkPipeline *link_pipeline_by_name(const char *name);

/* All of the database, or of a link or an owner (0: any), in order of creation. */
extern List *link_pipelines(int64 link_id, Oid owner);

/* The tuple's columns, copied into the current memory context. */
extern LinkPipeline *link_pipeline_from_tuple(HeapTuple tuple, TupleDesc desc);

/*
 * Stored as running, and here: a dump restored elsewhere, a clone and a standby
 * run nothing (SECURITY 28).
 */
extern bool link_pipeline_runs(const LinkPipeline *pipeline);

/* Of the target, for messages: "table public.t"; "a table that is gone". */
extern char *link_pipeline_target(const LinkPipeline *pipeline);

/* 'Running', 'Stopped', 'Error', as stored and shown. */
extern const char *link_pipeline_state_name(LinkPipelineState state);

/* Fills id, created_at and altered_at.  The name is free, under link_lock_name("", folded). */
extern void link_pipeline_insert(LinkPipeline *pipeline);

/* All columns but the id and created_at. */
extern void link_pipeline_update(LinkPipeline *pipeline);

/* With all that belongs to it. */
extern void link_pipeline_delete(const LinkPipeline *pipeline);

/* The state alone, and for RUNNING where it runs: for the engine too.  Nothing if it is gone. */
extern void link_pipeline_set_state(int64 id, LinkPipelineState state, const char *error);

/*
 * Held to the end of the transaction by whoever changes a pipeline, so also by
 * STOP; and, shared, by the processes from before they look for the last time
 * whether the pipeline still is there and runs.  They do not wait for it for long
 * (false): they have rows locked that the other may come to want.
 */
extern void link_lock_pipeline(int64 id);
extern bool link_lock_pipeline_shared(int64 id);

#endif							/* LINK_PIPELINES_H */
