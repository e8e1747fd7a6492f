/*-------------------------------------------------------------------------
 *
 * sigv4.h
 *	  AWS Signature Version 4, as S3 wants it.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * Pure: no clock, no network, no palloc'd secrets left behind.  Also built as
 * frontend code by test/unit, where AWS's published vectors run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_SIGV4_H
#define LINK_SIGV4_H

#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include <time.h>

#include "lib/stringinfo.h"

/* SHA-256 of nothing, in hex. */
#define LINK_SHA256_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define LINK_SHA256_HEX_LENGTH 64

typedef struct LinkSigV4Pair
{
	const char *name;			/* header: lower case; query: decoded */
	const char *value;			/* header: as sent; query: decoded, "" if none */
} LinkSigV4Pair;

typedef struct LinkSigV4Request
{
	const char *access_key_id;
	const char *secret_access_key;
	const char *region;
	const char *service;		/* "s3", "sts" */
	time_t		now;
	const char *method;
	const char *encoded_path;	/* as on the wire, begins with '/' */
	const LinkSigV4Pair *query; /* any order */
	int			n_query;
	const LinkSigV4Pair *headers;	/* all that are signed: host, x-amz-*, ... ; any order */
	int			n_headers;
	const char *payload_hash;	/* hex SHA-256, or "UNSIGNED-PAYLOAD" */
} LinkSigV4Request;

/* yyyymmddThhmmssZ (17 bytes with NUL) for x-amz-date. */
extern void link_sigv4_date(time_t now, char out[17]);

/*
 * Append the value of the Authorization header.  The headers given must hold
 * host and x-amz-date.  False only if libcrypto fails.
 */
extern bool link_sigv4_authorization(const LinkSigV4Request *request, StringInfo out);

/* The two intermediate texts, for the published vectors. */
extern void link_sigv4_canonical_request(const LinkSigV4Request *request, StringInfo out);
extern bool link_sigv4_string_to_sign(const LinkSigV4Request *request, StringInfo out);

/* Hex SHA-256 of a payload into out.  False only if libcrypto fails. */
extern bool link_sha256_hex(const void *data, size_t len, char out[LINK_SHA256_HEX_LENGTH + 1]);

#endif							/* LINK_SIGV4_H */
