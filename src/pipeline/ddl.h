/*-------------------------------------------------------------------------
 *
 * ddl.h
 *	  The commands on pipelines, as both the SQL functions and link.execute call
 *	  them.  Every one checks its rights itself, for the current user, and takes
 *	  the pipeline's lock.
 *
 *	define.c	CREATE, ALTER, RENAME, OWNER, DROP
 *	control.c	START, STOP, TEST; positions and errors
 *	rights.c	what the owner must be allowed to
 *	show.c		SHOW CREATE, and the rows of the views
 *	clauses.h	what is done with what is read
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PIPELINE_DDL_H
#define LINK_PIPELINE_DDL_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"

#include "catalog/links.h"
#include "catalog/pipelines.h"

/* What ALTER can change too; each with whether it was given. */
typedef struct LinkPipelineSettings
{
	bool		batch_interval_given;
	bool		max_partitions_given;
	bool		max_retries_given;
	bool		max_offsets_given;
	bool		skip_given;
	bool		stop_on_error_given;
	int64		batch_interval; /* ms */
	int64		max_partitions;
	int64		max_retries;
	int64		max_offsets;
	int			skip;			/* LINK_SKIP_... */
	bool		stop_on_error;
} LinkPipelineSettings;

typedef struct LinkCreatePipelineArgs
{
	const char *name;
	LinkName	link;
	const char *path;
	Oid			table;			/* InvalidOid: a procedure */
	Oid			procedure;
	List	   *fields;			/* LinkPipelineField *; NIL: the table's columns */
	List	   *options;		/* DefElem *, as link_import() takes them, without "where" */
	const char *set_clause;		/* without the word SET; each may be NULL */
	const char *where_clause;
	const char *on_conflict;	/* without ON CONFLICT */
	LinkPipelineSettings settings;
	bool		or_replace;
	bool		if_not_exists;
	bool		force;			/* whether the link and the path can be reached is not tried */
} LinkCreatePipelineArgs;

extern void link_create_pipeline(const LinkCreatePipelineArgs *args);
extern void link_alter_pipeline(const char *name, const LinkPipelineSettings *settings);
extern void link_rename_pipeline(const char *name, const char *new_name);
extern void link_set_pipeline_owner(const char *name, Oid role);
extern void link_drop_pipeline(const char *name, bool if_exists);

/* 55000 if it runs already, or not at all, unless that does not matter ('missing_ok'). */
extern void link_start_pipeline(const char *name, bool missing_ok);
extern void link_stop_pipeline(const char *name, bool missing_ok);

/* Of those that the current user owns; a superuser: all. */
extern void link_start_all_pipelines(void);
extern void link_stop_all_pipelines(void);

/* In this statement, at most 'limit' batches (0: all that there is); gives the rows. */
extern uint64 link_run_pipeline(const char *name, int64 limit);

/* Rows that would be loaded next, JSON objects as char *. */
extern List *link_test_pipeline(const char *name, int64 limit);

/* 'offsets': "EARLIEST", "LATEST" in any case, or JSON: {"0": 100}, {"bucket/key": 1}.  It must not run. */
extern void link_set_pipeline_offsets(const char *name, const char *offsets);

/* Forget an object, so that it is loaded if it is there: 42704 if it is not known. */
extern void link_drop_pipeline_file(const char *name, const char *path);
extern void link_drop_pipeline_partition(const char *name, int partition);

/* Forget objects that are not there any more; how many. */
extern uint64 link_drop_orphan_files(const char *name);
extern void link_clear_pipeline_errors(const char *name);

/* Find it for its owner or a superuser, or 42704, 42501. */
extern LinkPipeline *link_own_pipeline(const char *name);

/* The same, locked against other changes to the end of the transaction. */
extern LinkPipeline *link_lock_own_pipeline(const char *name);

/*
 * The engine looks again, once this has committed, at a pipeline that runs, or ran
 * as this struct has it: for others it would start processes for nothing.
 */
extern void link_wake_for(const LinkPipeline *pipeline);

/* ---- rights.c ---- */

/*
 * To the end of the transaction the target is not dropped, nor does it come to belong
 * to somebody else.  Before anything of the pipeline is locked: who drops the target
 * has that locked first, and the pipeline after it.
 */
extern void link_pipeline_lock_target(const LinkPipeline *pipeline);

/*
 * Throws unless the pipeline's owner may do all that it does (SECURITY 28), or
 * 42704, 42P01, 42883 for a link or target that is gone.  Gives the link.
 */
extern LinkRow *link_pipeline_check_rights(const LinkPipeline *pipeline);

/* ---- show.c ---- */

extern char *link_show_create_pipeline(const char *name);

/* Pipelines that the current user may see: his own; superusers see all.  List of LinkPipeline *. */
extern List *link_visible_pipelines(void);

/* "Running", "Stopped", "Error", "Stopped (moved)", "Stopped (standby)" */
extern const char *link_pipeline_shown_state(const LinkPipeline *pipeline);

/* Objects not loaded yet, or messages; -1 where there are none of that kind. */
extern int64 link_pipeline_pending_files(const LinkPipeline *pipeline);
extern int64 link_pipeline_lag(const LinkPipeline *pipeline);

#endif							/* LINK_PIPELINE_DDL_H */
