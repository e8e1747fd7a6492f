/*-------------------------------------------------------------------------
 *
 * draw.h
 *	  A table drawn as psql draws it: aligned format, border 1, ASCII lines.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_DRAW_H
#define LINK_DRAW_H

#include "postgres.h"

#include "nodes/pg_list.h"

typedef struct LinkDrawColumn
{
	const char *name;			/* one line */
	bool		right;			/* numbers stand at the right */
} LinkDrawColumn;

/*
 * 'rows' is a list of char **, each an array of n_columns texts, NULL for
 * nothing.  Gives the lines without their newlines, a list of char *: header,
 * rule, rows (several lines where a text holds newlines), "(N rows)".
 */
extern List *link_draw_table(int n_columns, const LinkDrawColumn *columns, List *rows);

#endif							/* LINK_DRAW_H */
