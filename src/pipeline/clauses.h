/*-------------------------------------------------------------------------
 *
 * clauses.h
 *	  What a pipeline does with what it reads, from texts to parse trees: format
 *	  options, list of fields, SET, WHERE, ON CONFLICT.
 *
 * The texts are stored as typed and parsed anew at each use.  A text never
 * becomes part of another: core's parser reads each, and it is checked that it
 * was exactly one expression or one clause (SECURITY 28).
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_CLAUSES_H
#define LINK_CLAUSES_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"

#include "catalog/pipelines.h"

/* One of what each line, message or object has. */
typedef struct LinkPipelineField
{
	char	   *name;			/* a column, or with the "@" before it a variable */
	List	   *path;			/* of char *: keys down to it in a JSON object; NIL: the one of its name */
} LinkPipelineField;

#define link_field_is_variable(field) ((field)->name[0] == '@')

/* List of LinkPipelineField *, to and from the stored form; NIL and NULL: the table's columns. */
extern List *link_fields_from_json(const char *json);
extern char *link_fields_to_json(List *fields);

/* One, as written in the list: "a", "@a", "a <- b::c".  Throws 42601. */
extern LinkPipelineField *link_field_parse(const char *text);
extern char *link_field_text(const LinkPipelineField *field);

/* What is found in the JSON by keys (char *), or NULL: nothing, or null.  'root' is memory for it. */
extern JsonbValue *link_field_find(Jsonb *json, List *path, JsonbValue *root);

/* Options as transfer.h has them, to and from the stored form. */
extern List *link_format_options_from_json(const char *json);
extern char *link_format_options_to_json(List *options);

/*
 * Of where a row comes from, for SET and WHERE.  These follow the columns of the
 * fields in the rows that the statement below reads, in this order.
 */
typedef enum LinkPipelineSource
{
	LINK_SOURCE_FILE,			/* text: pipeline_source_file() */
	LINK_SOURCE_KEY,			/* bytea: pipeline_kafka_key() */
	LINK_SOURCE_PARTITION,		/* int4: pipeline_kafka_partition() */
	LINK_SOURCE_OFFSET,			/* int8: pipeline_kafka_offset() */
	LINK_SOURCE_TIMESTAMP		/* timestamptz: pipeline_kafka_timestamp() */
} LinkPipelineSource;
#define LINK_SOURCE_COLUMNS (LINK_SOURCE_TIMESTAMP + 1)

/* The tables' columns that are loaded one for one, so that COPY FROM can do it all: no SET, WHERE ... */
extern bool link_pipeline_is_plain(const LinkPipeline *pipeline);

/* Names (String) of the fields; without a list the columns that COPY FROM takes by default. */
extern List *link_pipeline_columns(const LinkPipeline *pipeline, TupleDesc target);

/* Names (String) of the table's columns that are written. */
extern List *link_pipeline_target_columns(const LinkPipeline *pipeline, Relation target);

/*
 * Of the rows that are read: a column for each field, of the type of the table's
 * column or text for a variable (and for all where there is no table), then those
 * of LinkPipelineSource.  42703 for what is no column, 42701 for one named twice.
 */
extern TupleDesc link_pipeline_row_desc(const LinkPipeline *pipeline, Relation target);

/*
 * INSERT INTO target (...) SELECT ... FROM rows WHERE ... ON CONFLICT ..., analyzed
 * along the pipeline's clause_path and not rewritten yet: it stays one INSERT into
 * this table.  'rows' is the name of an ephemeral relation with row_desc, in the
 * environment.  The caller has locked the table.
 */
extern Query *link_pipeline_insert_query(const LinkPipeline *pipeline, Relation target,
										 const char *rows, QueryEnvironment *environment);

/*
 * For a procedure: SELECT of the fields, with SET and WHERE, in the order of the
 * fields, then what SET adds.
 */
extern Query *link_pipeline_select_query(const LinkPipeline *pipeline, const char *rows,
										 QueryEnvironment *environment);

/* SET search_path = the pipeline's, to the end of the current nest level of GUCs (NewGUCNestLevel). */
extern void link_pipeline_set_path(const LinkPipeline *pipeline);

#endif							/* LINK_CLAUSES_H */
