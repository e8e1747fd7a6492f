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
 * What stands in for a text.  Its first words are a marker themselves, so that
 * what was left out once is known as sensitive ever after: in a parallel worker,
 * in a prepared statement.  pg_stat_statements cuts pieces out of it and sends
 * them through core's lexer, so it must have no quote and no comment.
 */
#define LINK_LEFT_OUT_MARKER "statement with credentials"
#define LINK_LEFT_OUT LINK_LEFT_OUT_MARKER " left out by link"

/* Collect the markers; to be called once, before any text is looked at. */
extern void link_markers_init(void);

/*
 * Does the text EXECUTE a prepared statement that is sensitive?  Like
 * link_text_is_sensitive(), may be called anywhere.
 */
extern bool link_text_executes_sensitive(const char *text);

#endif							/* LINK_HYGIENE_TEXT_H */
