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
	const char *format;			/* "csv": of format.h */
	bool		json;			/* it is "json", which 'copy' does not tell */
	const struct LinkCodec *codec;	/* NULL: bytes as they are */
	int			level;			/* of the codec */
	bool		detect;			/* load: each object's codec is told by its path, or its first bytes */
	bool		overwrite;		/* export */
	int64		file_size;		/* export: bytes at which an object ends with its row, 0: never */
	List	   *partition_by;	/* export: String, columns that become folders */
	bool		manifest;		/* export */
	int			parallel;		/* export: processes at most, -1: not given */
	bool		apart;			/* export, set by it: the codec has a process of its own */
	struct LinkDigest *digest;	/* export, set by it: takes the bytes of its one object; or NULL */
	const char *key;			/* export to a stream: column that gives the key of a message, or NULL */
	bool		header;			/* a header line was asked for */
	int64		skip;			/* load: physical lines to leave out at the start of each object */
	const char *where;			/* load: SQL expression, or NULL */
} LinkTransferOptions;

/*
 * Sort out a list as transfer.h describes it.  Throws 22023 or 42601 for what
 * is wrong or unknown (closest match as hint), given twice, or given in the
 * wrong direction; 0A000 for what this build cannot do.
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
