/*-------------------------------------------------------------------------
 *
 * shared_key.c
 *	  Azure's Shared Key signatures of requests to blobs.
 *
 *-------------------------------------------------------------------------
 */
#include "http/shared_key.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base64.h"

#define MAX_KEY 256

static const char *
header_value(const LinkSharedKeyRequest *request, const char *name)
{
	for (int i = 0; i < request->n_headers; i++)
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return "";
}

static int
compare_pairs(const void *a, const void *b)
{
	const LinkSigV4Pair *x = a;
	const LinkSigV4Pair *y = b;
	int			order = strcmp(x->name, y->name);

	return order != 0 ? order : strcmp(x->value, y->value);
}

static LinkSigV4Pair *
sorted(const LinkSigV4Pair *pairs, int n)
{
	LinkSigV4Pair *copy = palloc(sizeof(LinkSigV4Pair) * Max(n, 1));

	if (n > 0)
		memcpy(copy, pairs, sizeof(LinkSigV4Pair) * n);
	qsort(copy, n, sizeof(LinkSigV4Pair), compare_pairs);
	return copy;
}

void
link_shared_key_string_to_sign(const LinkSharedKeyRequest *request, StringInfo out)
{
	/* NULL is the place of Content-Length, which we do not set ourselves */
	static const char *const standard[] = {"content-encoding", "content-language", NULL, "content-md5",
	"content-type", "date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"};
	LinkSigV4Pair *headers = sorted(request->headers, request->n_headers);
	LinkSigV4Pair *query = sorted(request->query, request->n_query);

	appendStringInfo(out, "%s\n", request->method);
	for (int i = 0; i < lengthof(standard); i++)
	{
		if (standard[i])
			appendStringInfo(out, "%s\n", header_value(request, standard[i]));
		else if (request->body_length > 0)
			appendStringInfo(out, "%zu\n", request->body_length);
		else
			appendStringInfoChar(out, '\n');
	}
	for (int i = 0; i < request->n_headers; i++)
		if (strncmp(headers[i].name, "x-ms-", 5) == 0)
			appendStringInfo(out, "%s:%s\n", headers[i].name, headers[i].value);
	appendStringInfo(out, "/%s%s", request->account, request->encoded_path);
	for (int i = 0; i < request->n_query; i++)
	{
		if (i > 0 && strcmp(query[i].name, query[i - 1].name) == 0)
			appendStringInfo(out, ",%s", query[i].value);
		else
			appendStringInfo(out, "\n%s:%s", query[i].name, query[i].value);
	}
	pfree(headers);
	pfree(query);
}

bool
link_shared_key_authorization(const LinkSharedKeyRequest *request, const char *key,
							  StringInfo out, const char **problem)
{
	StringInfoData text;
	uint8		bytes[MAX_KEY];
	uint8		mac[EVP_MAX_MD_SIZE];
	unsigned int mac_len;
	char		signature[EVP_MAX_MD_SIZE * 2];
	int			key_len = strlen(key) < MAX_KEY ? pg_b64_decode(key, (int) strlen(key), (void *) bytes, sizeof(bytes)) : -1;
	int			len;

	*problem = "It is not base64.";
	if (key_len <= 0)
		return false;
	*problem = "libcrypto could not sign with it.";
	initStringInfo(&text);
	link_shared_key_string_to_sign(request, &text);
	if (HMAC(EVP_sha256(), bytes, key_len, (const unsigned char *) text.data, text.len, mac, &mac_len) == NULL)
		mac_len = 0;
	explicit_bzero(bytes, sizeof(bytes));
	pfree(text.data);
	len = mac_len > 0 ? pg_b64_encode((void *) mac, mac_len, signature, sizeof(signature)) : -1;
	if (len < 0)
		return false;
	appendStringInfo(out, "SharedKey %s:%.*s", request->account, len, signature);
	return true;
}
