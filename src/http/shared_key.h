/*-------------------------------------------------------------------------
 *
 * shared_key.h
 *	  Azure's Shared Key signatures of requests to blobs.
 *
 * https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key
 * As versions of the service from 2016-05-31 on want it.  Pure, and also built as
 * frontend code by test/unit, where the published examples run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_SHARED_KEY_H
#define LINK_SHARED_KEY_H

#include "http/sigv4.h"

typedef struct LinkSharedKeyRequest
{
	const char *account;
	const char *method;
	const char *encoded_path;	/* as on the wire, begins with '/' */
	size_t		body_length;
	const LinkSigV4Pair *query; /* names in lower case; any order */
	int			n_query;
	const LinkSigV4Pair *headers;	/* all that are sent, each once; any order */
	int			n_headers;
} LinkSharedKeyRequest;

/*
 * Append the value of the Authorization header.  'key' is base64, as the vendor
 * hands it out.  False with a static text in *problem if it is not, or if
 * libcrypto fails.
 */
extern bool link_shared_key_authorization(const LinkSharedKeyRequest *request, const char *key,
										  StringInfo out, const char **problem);

/* The text that is signed, for the published examples. */
extern void link_shared_key_string_to_sign(const LinkSharedKeyRequest *request, StringInfo out);

#endif							/* LINK_SHARED_KEY_H */
