/*-------------------------------------------------------------------------
 *
 * jwt.h
 *	  JSON Web Tokens signed with RSA (RFC 7515, 7519; RS256).
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_JWT_H
#define LINK_JWT_H

#include "postgres.h"

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

#endif							/* LINK_JWT_H */
