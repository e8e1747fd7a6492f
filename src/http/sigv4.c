/*-------------------------------------------------------------------------
 *
 * sigv4.c
 *	  AWS Signature Version 4, as S3 wants it: the path is signed as it is on
 *	  the wire, neither normalised nor encoded once more.
 *
 *-------------------------------------------------------------------------
 */
#include "http/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "http/url.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SHA256_LENGTH 32

bool
link_sha256_hex(const void *data, size_t len, char out[LINK_SHA256_HEX_LENGTH + 1])
{
	uint8		digest[SHA256_LENGTH];

	if (EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) != 1)
		return false;
	link_hex_encode(digest, sizeof(digest), out);
	return true;
}

static bool
hmac(const void *key, size_t key_len, const char *text, uint8 out[SHA256_LENGTH])
{
	return HMAC(EVP_sha256(), key, (int) key_len, (const uint8 *) text, strlen(text), out, NULL) != NULL;
}

void
link_sigv4_date(time_t now, char out[17])
{
	struct tm	utc;

	gmtime_r(&now, &utc);
	strftime(out, 17, "%Y%m%dT%H%M%SZ", &utc);
}

/* "yyyymmdd/region/service/aws4_request" */
static void
append_scope(const LinkSigV4Request *request, StringInfo out)
{
	char		date[17];

	link_sigv4_date(request->now, date);
	appendStringInfo(out, "%.8s/%s/%s/aws4_request", date, request->region, request->service);
}

/*
 * Canonical forms.
 */

/* Equal names keep the order in which they were given, which is that in memory. */
static int
compare_headers(const void *a, const void *b)
{
	const LinkSigV4Pair *x = *(const LinkSigV4Pair *const *) a;
	const LinkSigV4Pair *y = *(const LinkSigV4Pair *const *) b;
	int			order = strcmp(x->name, y->name);

	return order != 0 ? order : (x < y ? -1 : x > y);
}

static const LinkSigV4Pair **
sorted_headers(const LinkSigV4Request *request)
{
	const LinkSigV4Pair **sorted = palloc(sizeof(LinkSigV4Pair *) * Max(request->n_headers, 1));

	for (int i = 0; i < request->n_headers; i++)
		sorted[i] = &request->headers[i];
	qsort(sorted, request->n_headers, sizeof(LinkSigV4Pair *), compare_headers);
	return sorted;
}

/* Without blanks at its ends, each run of blanks inside as one. */
static void
append_header_value(StringInfo out, const char *value)
{
	int			start = out->len;

	for (; *value; value++)
		if (*value != ' ' || (out->len > start && out->data[out->len - 1] != ' '))
			appendStringInfoChar(out, *value);
	while (out->len > start && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

static void
append_signed_names(const LinkSigV4Request *request, StringInfo out)
{
	const LinkSigV4Pair **sorted = sorted_headers(request);

	for (int i = 0; i < request->n_headers; i++)
		if (i == 0 || strcmp(sorted[i]->name, sorted[i - 1]->name) != 0)
			appendStringInfo(out, "%s%s", i == 0 ? "" : ";", sorted[i]->name);
	pfree(sorted);
}

typedef struct EncodedPair
{
	char	   *name;
	char	   *value;
} EncodedPair;

static int
compare_encoded(const void *a, const void *b)
{
	const EncodedPair *x = a;
	const EncodedPair *y = b;
	int			order = strcmp(x->name, y->name);

	return order != 0 ? order : strcmp(x->value, y->value);
}

static char *
encoded(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	link_url_encode(&out, text, false);
	return out.data;
}

static void
append_query(const LinkSigV4Request *request, StringInfo out)
{
	EncodedPair *pairs = palloc(sizeof(EncodedPair) * Max(request->n_query, 1));

	for (int i = 0; i < request->n_query; i++)
	{
		pairs[i].name = encoded(request->query[i].name);
		pairs[i].value = encoded(request->query[i].value);
	}
	qsort(pairs, request->n_query, sizeof(EncodedPair), compare_encoded);
	for (int i = 0; i < request->n_query; i++)
	{
		appendStringInfo(out, "%s%s=%s", i == 0 ? "" : "&", pairs[i].name, pairs[i].value);
		pfree(pairs[i].name);
		pfree(pairs[i].value);
	}
	pfree(pairs);
}

void
link_sigv4_canonical_request(const LinkSigV4Request *request, StringInfo out)
{
	const LinkSigV4Pair **sorted = sorted_headers(request);

	appendStringInfo(out, "%s\n%s\n", request->method, request->encoded_path);
	append_query(request, out);
	for (int i = 0; i < request->n_headers; i++)
	{
		if (i > 0 && strcmp(sorted[i]->name, sorted[i - 1]->name) == 0)
			appendStringInfoChar(out, ',');
		else
			appendStringInfo(out, "\n%s:", sorted[i]->name);
		append_header_value(out, sorted[i]->value);
	}
	appendStringInfoString(out, "\n\n");
	append_signed_names(request, out);
	appendStringInfo(out, "\n%s", request->payload_hash);
	pfree(sorted);
}

/* No fewer bytes than the canonical request has; encoding makes three of one. */
static int
canonical_bound(const LinkSigV4Request *request)
{
	size_t		bound = strlen(request->method) + strlen(request->encoded_path) + 128;

	for (int i = 0; i < request->n_query; i++)
		bound += 3 * (strlen(request->query[i].name) + strlen(request->query[i].value)) + 2;
	for (int i = 0; i < request->n_headers; i++)
		bound += 2 * strlen(request->headers[i].name) + strlen(request->headers[i].value) + 3;
	return (int) bound;
}

/*
 * The canonical request may hold a session token, so it is wiped, and does not
 * move while it grows.
 */
bool
link_sigv4_string_to_sign(const LinkSigV4Request *request, StringInfo out)
{
	StringInfoData canonical;
	char		date[17];
	char		hash[LINK_SHA256_HEX_LENGTH + 1];
	bool		ok;

	initStringInfo(&canonical);
	enlargeStringInfo(&canonical, canonical_bound(request));
	link_sigv4_canonical_request(request, &canonical);
	ok = link_sha256_hex(canonical.data, canonical.len, hash);
	explicit_bzero(canonical.data, canonical.len);
	pfree(canonical.data);
	if (!ok)
		return false;

	link_sigv4_date(request->now, date);
	appendStringInfo(out, "%s\n%s\n", ALGORITHM, date);
	append_scope(request, out);
	appendStringInfo(out, "\n%s", hash);
	return true;
}

/* The secret, hashed with date, region and service, one after the other. */
static bool
signing_key(const LinkSigV4Request *request, uint8 key[SHA256_LENGTH])
{
	size_t		size = strlen(request->secret_access_key) + 5;
	char	   *secret = palloc(size);
	char		date[17];
	bool		ok;

	link_sigv4_date(request->now, date);
	date[8] = '\0';
	snprintf(secret, size, "AWS4%s", request->secret_access_key);
	ok = hmac(secret, size - 1, date, key) &&
		hmac(key, SHA256_LENGTH, request->region, key) &&
		hmac(key, SHA256_LENGTH, request->service, key) &&
		hmac(key, SHA256_LENGTH, "aws4_request", key);
	explicit_bzero(secret, size);
	pfree(secret);
	return ok;
}

bool
link_sigv4_authorization(const LinkSigV4Request *request, StringInfo out)
{
	StringInfoData to_sign;
	uint8		key[SHA256_LENGTH];
	uint8		signature[SHA256_LENGTH];
	char		hex[LINK_SHA256_HEX_LENGTH + 1];
	bool		ok;

	initStringInfo(&to_sign);
	ok = link_sigv4_string_to_sign(request, &to_sign) &&
		signing_key(request, key) &&
		hmac(key, sizeof(key), to_sign.data, signature);
	explicit_bzero(key, sizeof(key));
	pfree(to_sign.data);
	if (!ok)
		return false;

	link_hex_encode(signature, sizeof(signature), hex);
	appendStringInfo(out, "%s Credential=%s/", ALGORITHM, request->access_key_id);
	append_scope(request, out);
	appendStringInfoString(out, ",SignedHeaders=");
	append_signed_names(request, out);
	appendStringInfo(out, ",Signature=%s", hex);
	return true;
}
