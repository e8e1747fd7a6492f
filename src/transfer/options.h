/*-------------------------------------------------------------------------
 *
 * options.h
 *	  The options of export and load, told apart: those of core's COPY, and
 *	  ours.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_TRANSFER_OPTIONS_H
#define LINK_TRANSFER_OPTIONS_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "parser/parse_node.h"

typedef struct LinkTransferOptions
{
	List	   *copy;			/* DefElem *, checked by core as COPY's own */
	const char *format;			/* "text" or "csv" */
	bool		raw;			/* compression "none": bytes as they are, whatever the path says */
	bool		overwrite;		/* export */
	const char *key;			/* export to a stream: column that gives the key of a message, or NULL */
	bool		header;			/* a header line was asked for */
	int64		skip;			/* load: physical lines to leave out at the start of each object */
	const char *where;			/* load: SQL expression, or NULL */
} LinkTransferOptions;

/*
 * Sort out a list as transfer.h describes it.  Throws 22023 or 42601 for what
 * is wrong or unknown (closest match as hint), given twice, or given in the
 * wrong direction; 0A000 for what this version cannot do: formats json, binary,
 * parquet, any compression (also one that 'auto' finds from the path's ending
 * .gz, .zst, .lz4), file_size, partition_by, manifest, key.  'parallel' is an
 * upper bound and may be any non-negative number.
 *
 * Errors point to the option where 'pstate', which may be NULL, has the text that
 * it is in.
 *
 * Numbers come as Integer or Float nodes (as COPY's grammar makes them), lists
 * of columns as a List of String; an option without a value is true.  Options
 * that were not given (NULL arguments) are not in the list.
 */
extern void link_transfer_options(ParseState *pstate, List *options, bool load, const char *path,
								  LinkTransferOptions *out);

#endif							/* LINK_TRANSFER_OPTIONS_H */
