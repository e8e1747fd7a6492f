/*-------------------------------------------------------------------------
 *
 * hygiene.h
 *	  Keeping typed credentials out of the server log and of
 *	  pg_stat_activity (SECURITY 19, INTERNALS B1).
 *
 * Works on texts alone, in every process that loads the library: a statement is
 * sensitive if it names one of our functions or statements that take
 * credentials, or a secret key of some type, mistyped statements included.
 *
 * Of errors in such a statement, ours keep message, detail and hint: they hold
 * no credential by construction (errors.h), and are known by their message
 * domain.  All other texts are blanked, for the log and the client alike.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_HYGIENE_H
#define LINK_HYGIENE_H

#include "postgres.h"

/* Install the hooks; called once from _PG_init. */
extern void link_hygiene_init(void);

/*
 * Does the text hold a marker of credentials?  No allocation, no catalog, may
 * be called anywhere; NULL is not sensitive.
 */
extern bool link_text_is_sensitive(const char *text);

/*
 * Every verb that is given credentials calls this first: without preload it
 * warns once a session, or throws 55000 under link.require_hygiene.
 */
extern void link_hygiene_require(void);

/* "shared", "session" or "no": how the library was loaded, for link.status(). */
extern const char *link_hygiene_preload(void);

#endif							/* LINK_HYGIENE_H */
