/*-------------------------------------------------------------------------
 *
 * s3_request.c
 *	  One request to S3: its URL, its headers, its signature.
 *
 * Signed anew for each attempt, since a signature is good for 15 minutes and
 * credentials may have been renewed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/base64.h"
#include "common/md5.h"
#include "utils/memutils.h"

#include "bounds.h"
#include "errors.h"
#include "provider/s3/s3.h"

/*
 * Over TLS the payload is protected already; hashing it would only cost time.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
 */
#define UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

void
link_s3_check_path(const LinkS3Session *session, const char *path)
{
	const char *slash = strchr(path, '/');

	if (slash == NULL || slash == path || slash[1] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("path \"%s\" names no object of link %s", path, session->base.link_name),
				 errhint("Paths of %s links have the form %s.",
						 session->base.provider->type, session->base.provider->path_syntax)));
}

LinkS3Request *
link_s3_request(LinkS3Session *session, const char *method, const char *path, const char *action)
{
	MemoryContext context = AllocSetContextCreate(session->base.context, "link S3 request",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkS3Request *request = palloc0(sizeof(LinkS3Request));
	const char *slash = strchr(path, '/');
	char	   *bucket = pnstrdup(path, strcspn(path, "/"));
	LinkUrl		host = session->endpoint;
	StringInfoData encoded;

	initStringInfo(&encoded);
	appendStringInfoString(&encoded, host.path);
	if (!session->path_style && link_is_dns_label(bucket))
		host.host = psprintf("%s.%s", bucket, host.host);
	else if (bucket[0] != '\0')
	{
		appendStringInfoChar(&encoded, '/');
		link_url_encode(&encoded, bucket, false);
	}
	if (slash)
		link_url_encode(&encoded, slash, true);
	if (encoded.len == 0)
		appendStringInfoChar(&encoded, '/');

	request->session = session;
	request->context = context;
	request->in_bucket = bucket[0] != '\0';
	request->authority = link_url_authority(&host);
	request->encoded_path = encoded.data;
	strlcpy(request->payload_hash, LINK_SHA256_EMPTY, sizeof(request->payload_hash));

	request->http.method = pstrdup(method);
	request->http.what = path[0] == '\0' ? psprintf("could not %s", action) :
		psprintf("could not %s \"%s\"", action, path);
	request->http.idempotent = true;
	request->http.answer_limit = LINK_MAX_SMALL_ANSWER;
	request->http.attempt = link_s3_attempt;

	MemoryContextSwitchTo(caller);
	return request;
}

void
link_s3_query(LinkS3Request *request, const char *name, const char *value)
{
	Assert(request->n_query < LINK_S3_MAX_QUERY);
	request->query[request->n_query].name = name;
	request->query[request->n_query++].value = value;
}

void
link_s3_header(LinkS3Request *request, const char *name, const char *value)
{
	Assert(request->n_headers < LINK_S3_MAX_HEADERS);
	request->headers[request->n_headers].name = name;
	request->headers[request->n_headers++].value = value;
}

void
link_s3_body(LinkS3Request *request, const void *body, Size length, const char *content_type)
{
	request->http.body = body;
	request->http.body_length = length;
	if (content_type)
		link_s3_header(request, "content-type", content_type);
	if (request->session->endpoint.tls)
		strlcpy(request->payload_hash, UNSIGNED_PAYLOAD, sizeof(request->payload_hash));
	else if (request->session->dialect->sign == NULL && !link_sha256_hex(body, length, request->payload_hash))
		elog(ERROR, "could not compute SHA-256");
}

void
link_s3_object_headers(LinkS3Request *request)
{
	/* option, header */
	static const char *const names[][2] = {
		{"storage_class", "x-amz-storage-class"},
		{"x-amz-server-side-encryption", "x-amz-server-side-encryption"},
		{"x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-aws-kms-key-id"},
	};

	if (request->session->dialect->object_headers)
	{
		request->session->dialect->object_headers(request);
		return;
	}
	for (int i = 0; i < lengthof(names); i++)
	{
		const char *value = link_option_string(request->session->base.options, names[i][0], NULL);

		if (value)
			link_s3_header(request, names[i][1], value);
	}
	link_s3_customer_key(request);
}

/* The vendor wants the MD5 of the key beside it, against damage on the way. */
static char *
key_md5(LinkS3Request *request, const char *key)
{
	uint8		bytes[64];
	uint8		md5[MD5_DIGEST_LENGTH];
	const char *problem = NULL;
	char	   *text = MemoryContextAllocZero(request->context, pg_b64_enc_len(MD5_DIGEST_LENGTH) + 1);
	int			len = pg_b64_decode(key, (int) strlen(key), (void *) bytes, sizeof(bytes));
	bool		done = len > 0 && pg_md5_binary(bytes, len, md5, &problem);

	explicit_bzero(bytes, sizeof(bytes));
	if (!done || pg_b64_encode((void *) md5, sizeof(md5), text, pg_b64_enc_len(MD5_DIGEST_LENGTH)) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("could not compute the MD5 of \"x-amz-server-side-encryption-customer-key\""),
				 errhint("Give it as \"x-amz-server-side-encryption-customer-key-MD5\" in CONFIG.")));
	return text;
}

void
link_s3_customer_key(LinkS3Request *request)
{
	const LinkOptions *options = request->session->base.options;
	const char *key = link_option_string(options, "x-amz-server-side-encryption-customer-key", NULL);
	const char *md5 = link_option_string(options, "x-amz-server-side-encryption-customer-key-MD5", NULL);

	if (key == NULL)
		return;
	link_s3_header(request, "x-amz-server-side-encryption-customer-algorithm",
				   link_option_string(options, "x-amz-server-side-encryption-customer-algorithm", "AES256"));
	link_s3_header(request, "x-amz-server-side-encryption-customer-key", key);
	link_s3_header(request, "x-amz-server-side-encryption-customer-key-md5",
				   md5 ? md5 : key_md5(request, key));
}

/*
 * Every header that we set is signed.
 */
void
link_s3_attempt(LinkHttpRequest *http_request, void *arg)
{
	LinkS3Request *request = (LinkS3Request *) http_request;
	LinkS3Session *session = request->session;
	const char *payer = link_option_string(session->base.options, "request_payer", NULL);
	LinkSigV4Pair headers[LINK_S3_MAX_HEADERS + 5];
	LinkSigV4Request to_sign = {0};
	LinkS3Credentials credentials = {0};
	StringInfoData authorization;
	char		date[17];
	int			n = 0;

	if (!request->unsigned_request)
		session->dialect->credentials(session, &credentials);

	if (session->dialect->sign)
	{
		for (int i = 0; i < request->n_headers; i++)
			link_http_header(http_request, request->headers[i].name, request->headers[i].value);
		session->dialect->sign(request, &credentials);
		return;
	}

	to_sign.now = time(NULL);
	link_sigv4_date(to_sign.now, date);

	for (; n < request->n_headers; n++)
		headers[n] = request->headers[n];
	headers[n++] = (LinkSigV4Pair) {"host", request->authority};
	if (payer && request->in_bucket)
		headers[n++] = (LinkSigV4Pair) {"x-amz-request-payer", payer};
	if (credentials.access_key_id)
	{
		headers[n++] = (LinkSigV4Pair) {"x-amz-date", date};
		headers[n++] = (LinkSigV4Pair) {"x-amz-content-sha256", request->payload_hash};
		if (credentials.session_token)
			headers[n++] = (LinkSigV4Pair) {"x-amz-security-token", credentials.session_token};
	}
	for (int i = 0; i < n; i++)
		link_http_header(http_request, headers[i].name, headers[i].value);
	if (credentials.bearer)
	{
		char	   *value = psprintf("Bearer %s", credentials.bearer);

		link_http_header(http_request, "authorization", value);
		explicit_bzero(value, strlen(value));
		pfree(value);
	}
	if (credentials.access_key_id == NULL)
		return;

	to_sign.access_key_id = credentials.access_key_id;
	to_sign.secret_access_key = credentials.secret_access_key;
	to_sign.region = session->region;
	to_sign.service = "s3";
	to_sign.method = http_request->method;
	to_sign.encoded_path = request->encoded_path;
	to_sign.query = request->query;
	to_sign.n_query = request->n_query;
	to_sign.headers = headers;
	to_sign.n_headers = n;
	to_sign.payload_hash = request->payload_hash;

	initStringInfo(&authorization);
	if (!link_sigv4_authorization(&to_sign, &authorization))
		elog(ERROR, "could not sign a request");
	link_http_header(http_request, "authorization", authorization.data);
	pfree(authorization.data);
}

void
link_s3_compose(LinkS3Request *request)
{
	MemoryContext caller = MemoryContextSwitchTo(request->context);
	StringInfoData url;
	const char *suffix;

	initStringInfo(&url);
	appendStringInfo(&url, "%s://%s%s", request->session->endpoint.tls ? "https" : "http",
					 request->authority, request->encoded_path);
	for (int i = 0; i < request->n_query; i++)
	{
		appendStringInfoChar(&url, i == 0 ? '?' : '&');
		link_url_encode(&url, request->query[i].name, false);
		appendStringInfoChar(&url, '=');
		link_url_encode(&url, request->query[i].value, false);
	}
	suffix = request->session->dialect->query_suffix && !request->unsigned_request ?
		request->session->dialect->query_suffix(request->session) : NULL;
	if (suffix)
		appendStringInfo(&url, "%c%s", request->n_query == 0 ? '?' : '&', suffix);
	request->http.url = url.data;
	MemoryContextSwitchTo(caller);
}

void
link_s3_start(LinkS3Request *request)
{
	link_s3_compose(request);
	link_http_start(request->session->http, &request->http);
}

long
link_s3_wait(LinkS3Request *request)
{
	link_http_wait(request->session->http, &request->http);
	if (request->http.state == LINK_HTTP_FAILED)
		link_http_raise(request->session->http, &request->http);
	return request->http.status;
}

long
link_s3_perform(LinkS3Request *request)
{
	link_s3_start(request);
	return link_s3_wait(request);
}

void
link_s3_free(LinkS3Request *request)
{
	link_http_finish(request->session->http, &request->http);
	MemoryContextDelete(request->context);
}
