/*-------------------------------------------------------------------------
 *
 * url.h
 *	  Percent-encoding (RFC 3986) and the parts of a URL, as every provider
 *	  needs them.  Also built as frontend code by test/unit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_URL_H
#define LINK_URL_H

#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "lib/stringinfo.h"

/* scheme://host[:port][/path]; no userinfo, query, fragment (SECURITY 17). */
typedef struct LinkUrl
{
	bool		tls;			/* https */
	char	   *host;			/* lower case, without brackets */
	int			port;			/* always set */
	char	   *path;			/* begins with '/', no trailing '/'; "" if none */
} LinkUrl;

/*
 * False if 'text' is not such a URL; then *reason is a static sentence that says
 * why and holds no part of the text.
 */
extern bool link_url_parse(const char *text, LinkUrl *url, const char **reason);

/* Host as it goes into a Host header: brackets round v6, port unless the default. */
extern char *link_url_authority(const LinkUrl *url);

/*
 * Append 'text' percent-encoded: all but A-Z a-z 0-9 - . _ ~ (the unreserved
 * set, as SigV4 demands); '/' too is kept if keep_slash.
 */
extern void link_url_encode(StringInfo out, const char *text, bool keep_slash);

/* A DNS label: 1 to 63 of a-z 0-9 and inner '-'. */
extern bool link_is_dns_label(const char *text);

/* Lower-case hexadecimal of 'len' bytes into out (2 * len + 1 bytes). */
extern void link_hex_encode(const uint8 *data, size_t len, char *out);

#endif							/* LINK_URL_H */
