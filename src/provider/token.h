/*-------------------------------------------------------------------------
 *
 * token.h
 *	  Temporary credentials, derived from what a link holds: fetched from where
 *	  they are handed out, and kept in the backend's memory until shortly before
 *	  they expire.
 *
 * A token belongs to one version of one link's row, and to a kind that its
 * provider names ("sts").  It is wiped when it is dropped: on expiry, when any
 * link is changed, on DISCARD ALL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_TOKEN_H
#define LINK_TOKEN_H

#include "postgres.h"
#include "compat.h"

#include "datatype/timestamp.h"

#include "provider/provider.h"

struct LinkHttpRequest;
struct json_object;

/*
 * A token is not used in its last five minutes: a request that it signs has to
 * arrive before it expires, clocks differ, and providers themselves have a new
 * one ready by then (AWS: "at least five minutes before the expiration").
 */
#define LINK_TOKEN_MARGIN (5 * 60 * 1000)

/*
 * The token that is kept, if it is good for LINK_TOKEN_MARGIN more; else NULL.
 * A copy, in memory that is wiped with the current context.
 */
extern char *link_token_find(const LinkSession *session, const char *kind, TimestampTz *expires);

/* Keep a copy; no longer than 'expires'. */
extern void link_token_keep(const LinkSession *session, const char *kind, const char *text,
							TimestampTz expires);

/* Forget it: the server has refused it. */
extern void link_token_drop(const LinkSession *session, const char *kind);

extern void link_tokens_clear(void);

/* The same, at the next link_token_find(): for invalidation callbacks. */
extern void link_tokens_invalidate(void);

/* A request to where tokens come from. */
typedef struct LinkTokenRequest
{
	const char *method;
	const char *url;
	const char *what;			/* "could not get a token" */
	const char *(*headers)[2];	/* name, value; pairs */
	int			n_headers;
	const char *body;			/* or NULL */
	bool		direct;			/* past any proxy: metadata services */

	/* Called before each attempt to add headers that sign it; may be NULL. */
	void		(*sign) (struct LinkHttpRequest *http, void *arg);
	void	   *arg;
} LinkTokenRequest;

/*
 * Perform it, in a transport of its own; throws if no answer arrives.  Gives the
 * status; the answer is in memory that is wiped with the current context.
 */
extern long link_token_perform(LinkSession *session, const LinkTokenRequest *request, char **answer);

/*
 * Throw that the answer is no success: 08004 for 4xx, else 58030.  Of what the
 * server says, code and message alone (SECURITY 20).
 */
LINK_NORETURN extern void link_token_refused(LinkSession *session, const char *what, long status,
							   const char *answer);

/*
 * The access token of an OAuth 2.0 answer (RFC 6749 section 5.1: access_token,
 * expires_in), in memory that is wiped.  Throws 08P01 if the answer is none.
 */
extern char *link_token_from_oauth(LinkSession *session, const char *answer, TimestampTz *expires);

/* Throw 08P01 unless the text may be a credential: visible characters, not too many. */
extern void link_token_check(LinkSession *session, const char *text);

/* Text of a key of a JSON answer; 08P01 if it is missing or may be no credential. */
extern const char *link_token_member(LinkSession *session, struct json_object *answer, const char *key);

/* "2026-11-25T10:00:00Z" (RFC 3339, UTC) as a time; 08P01 if it is none. */
extern TimestampTz link_token_time(LinkSession *session, const char *text);

#endif							/* LINK_TOKEN_H */
