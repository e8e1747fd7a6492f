/*-------------------------------------------------------------------------
 *
 * rows.h
 *	  Rows that COPY cannot load by itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PIPELINE_ROWS_H
#define LINK_PIPELINE_ROWS_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "catalog/pipelines.h"
#include "provider/provider.h"
#include "transfer/listed.h"

/*
 * As the target's owner, with the pipeline's search_path: read the objects and
 * insert what the pipeline makes of their rows, or give it to its procedure; there
 * are '*inserted'.
 * List of LinkObjectResult *.
 */
extern List *link_rows_load(const LinkPipeline *pipeline, List *objects, LinkSession *session,
							const LinkListed *listed, uint64 *inserted);

/* The same without inserting: at most 'limit' rows, texts of JSON objects. */
extern List *link_rows_test(const LinkPipeline *pipeline, List *objects, LinkSession *session,
							const LinkListed *listed, int64 limit);

#endif							/* LINK_PIPELINE_ROWS_H */
