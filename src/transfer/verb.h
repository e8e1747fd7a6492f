/*-------------------------------------------------------------------------
 *
 * verb.h
 *	  What all transfers have in common before they begin.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_VERB_H
#define LINK_VERB_H

#include "postgres.h"

/*
 * Throws where nothing may reach out of the server: in a security-restricted
 * operation (42501, SECURITY 6) or in parallel mode.  'verb' is for messages.
 */
extern void link_verb_require_allowed(const char *verb);

/*
 * An error context callback for the time in which 'arg', SQL text that came as
 * a value, is parsed and analyzed.  Positions are within that text, which is
 * not what the client sent: they are handed on as those of an internal query,
 * as functions in SQL do.  The text is left out when it may hold a credential.
 */
extern void link_verb_text_position(void *arg);

#endif							/* LINK_VERB_H */
