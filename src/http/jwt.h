/*-------------------------------------------------------------------------
 *
 * jwt.h
 *	  JSON Web Tokens signed with RSA (RFC 7515, 7519; RS256).
 *
 * Pure, and also built as frontend code by test/unit, where the published
 * examples run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_JWT_H
#define LINK_JWT_H

#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include <time.h>

#include "lib/stringinfo.h"

/* Append base64url without padding (RFC 7515, appendix C). */
extern void link_base64url(StringInfo out, const void *data, Size len);

/*
 * Append header.claims.signature: both texts are JSON, the key is a private RSA
 * key as PEM.  False with a static text in *problem if the key is none or
 * libcrypto fails.
 */
extern bool link_jwt_rs256(StringInfo out, const char *header, const char *claims,
						   const char *private_key, const char **problem);

/* By which a service account asks for a token. */
typedef struct LinkJwtAssertion
{
	const char *key_id;			/* or NULL */
	const char *issuer;			/* the account */
	const char *scope;
	const char *audience;		/* who is asked */
	time_t		now;
} LinkJwtAssertion;

/*
 * Append the assertion (RFC 7523), good for an hour from 'now', signed as by
 * link_jwt_rs256().
 */
extern bool link_jwt_assertion(StringInfo out, const LinkJwtAssertion *assertion,
							   const char *private_key, const char **problem);

#endif							/* LINK_JWT_H */
