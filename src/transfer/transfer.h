/*-------------------------------------------------------------------------
 *
 * transfer.h
 *	  Moving rows and bytes between the server and a link: what the functions
 *	  and link.execute call.  Rights are checked here (link_lookup), once per
 *	  call, for the current user.
 *
 * Options come as a list of DefElem, as COPY's WITH list: the names and values
 * of the arguments of link.select_into / link.load_data (SQL 3): format,
 * compression, header, delimiter, "null", quote, escape, force_quote,
 * force_not_null, force_null (lists of String), encoding, overwrite, file_size,
 * partition_by, key, manifest, parallel, skip, on_error, reject_limit, "where".
 * Two that only link.execute gives: lines_terminated_by, lines_starting_by.
 * An unknown option is 42601 or 22023, one of a later version 0A000.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_TRANSFER_H
#define LINK_TRANSFER_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

#include "catalog/links.h"
#include "digest.h"

/* What was written or read: one a object. */
typedef struct LinkObjectResult
{
	char	   *path;
	uint64		rows;
	uint64		bytes;			/* as stored */
	uint64		text_bytes;		/* before they were compressed; export only */
	uint64		skipped;		/* load only */
} LinkObjectResult;

/* A COPY whose file is an object of a link; its options are those of above. */
typedef struct LinkCopy
{
	CopyStmt   *statement;		/* is scribbled on */
	const char *text;			/* that the server runs: errors point into it */
	int			location;		/* of the statement in the text */
	int			length;
} LinkCopy;

/*
 * Run one SELECT as the current user at the current snapshot and write its
 * rows to 'path'.  List of LinkObjectResult *.
 */
extern List *link_export(const char *query,
						 const LinkName *link, const char *path, List *options);

/*
 * The same into one object of a link that the caller has opened, and may write;
 * 'digest' takes its bytes.
 */
struct LinkSession;
extern LinkObjectResult *link_export_opened(struct LinkSession *session, const char *query, const char *path,
											List *options, LinkDigest *digest);

/* The same for the table or the query of a COPY TO, with all that core checks for it. */
extern List *link_export_copy(const LinkCopy *copy, const LinkName *link, const char *path);

/*
 * Load the objects that 'path' names into a table.  'columns' is a list of
 * char *, NIL for all.  List of LinkObjectResult *.
 */
extern List *link_import(const LinkName *link, const char *path,
						 Oid target, List *columns, List *options);

/* The same for the table, the columns and the condition of a COPY FROM. */
extern List *link_import_copy(const LinkCopy *copy, const LinkName *link, const char *path);

/*
 * Parse rows of the objects that 'path' names by 'tupdesc' into the tuplestore.
 */
struct Tuplestorestate;
extern void link_import_rows(const LinkName *link, const char *path, List *options,
							 TupleDesc tupdesc, struct Tuplestorestate *store);

extern bytea *link_read_whole(const LinkName *link, const char *path);
extern void link_write_whole(const LinkName *link, const char *path,
							 const void *data, Size size, bool overwrite);

#endif							/* LINK_TRANSFER_H */
