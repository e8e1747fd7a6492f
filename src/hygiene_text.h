/*-------------------------------------------------------------------------
 *
 * hygiene_text.h
 *	  Which texts are sensitive: what hygiene.c needs besides hygiene.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_HYGIENE_TEXT_H
#define LINK_HYGIENE_TEXT_H

#include "postgres.h"

/*
 * What stands in for a text that is shown, and for one that is handed on.  Both
 * are markers themselves, so that what was left out once is known as sensitive
 * ever after: in a parallel worker, in a prepared statement.
 *
 * The second is one word, for pg_stat_statements looks for the constants of the
 * statement in it with core's lexer.  It copes with finding none, but not with
 * words that end where there was a constant.
 */
#define LINK_LEFT_OUT "statement with credentials left out by link"
#define LINK_LEFT_OUT_WORD "statement_with_credentials_left_out_by_link"

/* Collect the markers; to be called once, before any text is looked at. */
extern void link_markers_init(void);

/*
 * Does the text EXECUTE a prepared statement that is sensitive?  Like
 * link_text_is_sensitive(), may be called anywhere.
 */
extern bool link_text_executes_sensitive(const char *text);

#endif							/* LINK_HYGIENE_TEXT_H */
