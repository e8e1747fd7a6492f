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

/*
 * Mark the error being raised as ours, so that its message and hint, which
 * hold no credential by construction, reach client and log: use it as one of
 * the fields of an ereport() whose texts quote nothing of a sensitive
 * statement.  Returns 0 as errmsg() does.
 */
extern int	link_errsafe(void);

#endif							/* LINK_HYGIENE_H */
