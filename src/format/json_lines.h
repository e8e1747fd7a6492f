/*-------------------------------------------------------------------------
 *
 * json_lines.h
 *	  JSON objects, one a line, as lines of COPY's text format.
 *
 * So core's COPY FROM loads them, with all that it does.  Keys are columns:
 * what json_populate_record() makes of the object on a row of NULLs.  A key that
 * is absent is a NULL, one that no column has is ignored, of two the last
 * counts.  Lines of nothing but white space are passed over.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_JSON_LINES_H
#define LINK_JSON_LINES_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "nodes/pg_list.h"

typedef struct LinkJsonLines LinkJsonLines;

/* At most 'size' of the next bytes; 0 at the end. */
typedef Size (*LinkJsonRead) (void *arg, void *to, Size size);

/*
 * The columns are 'attnums' of 'desc', in that order; 'encoding' is that of the
 * bytes.  With 'soft', a value that cannot become one of an array or a composite
 * type is handed on as it stands, for COPY to refuse it.  Belongs to the current
 * memory context.
 */
extern LinkJsonLines *link_json_lines_begin(TupleDesc desc, List *attnums, int encoding, bool soft,
											LinkJsonRead read, void *arg);

/*
 * The next object: a line in the server's encoding with its newline, for COPY's
 * text format with its default delimiter and null.  Lives until the next call.
 * NULL at the end.  22P02, with line and column, for what is no JSON object.
 */
extern const char *link_json_lines_next(LinkJsonLines *lines, Size *len);

/* Number of the line that the last object came from, from 1. */
extern uint64 link_json_lines_number(const LinkJsonLines *lines);

#endif							/* LINK_JSON_LINES_H */
