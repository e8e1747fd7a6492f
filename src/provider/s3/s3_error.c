/*-------------------------------------------------------------------------
 *
 * s3_error.c
 *	  What S3 says when it says no, in PostgreSQL's terms.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 *
 * The message says what was tried and, for what we know, why it failed; the
 * detail gives the server's own code and words; the hint what can be done.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bounds.h"
#include "errors.h"
#include "provider/s3/s3.h"
#include "provider/s3/s3_xml.h"

#define CREDENTIALS_HINT "Set valid credentials with ALTER LINK ... SET CREDENTIALS."
#define DENIED_HINT "Have the policy of the key or of the bucket allow it.  Some servers also answer so to a wrong secret key."
#define REGION_HINT "Set \"region\" or \"endpoint_url\" in the CONFIG of the link to those of the bucket."

static const LinkS3Meaning code_meanings[] = {
	{"NoSuchKey", ERRCODE_LINK_NO_OBJECT, "the object does not exist", NULL},
	{"NoSuchBucket", ERRCODE_LINK_NO_OBJECT, "the bucket does not exist", NULL},
	{"NoSuchUpload", ERRCODE_LINK_FAILED, "the upload is gone",
	"Somebody has aborted it, perhaps a lifecycle rule of the bucket."},
	{"PreconditionFailed", ERRCODE_LINK_OBJECT_EXISTS, "the object already exists", NULL},
	{"ConditionalRequestConflict", ERRCODE_LINK_OBJECT_EXISTS, "another writer is making the object", NULL},

	{"InvalidAccessKeyId", ERRCODE_LINK_BAD_CREDENTIALS, "the credentials were refused", CREDENTIALS_HINT},
	{"SignatureDoesNotMatch", ERRCODE_LINK_BAD_CREDENTIALS, "the credentials were refused", CREDENTIALS_HINT},
	{"InvalidToken", ERRCODE_LINK_BAD_CREDENTIALS, "the session token was refused", CREDENTIALS_HINT},
	{"ExpiredToken", ERRCODE_LINK_BAD_CREDENTIALS, "the session token has expired", CREDENTIALS_HINT},
	{"TokenRefreshRequired", ERRCODE_LINK_BAD_CREDENTIALS, "the session token has expired", CREDENTIALS_HINT},
	{"RequestTimeTooSkewed", ERRCODE_LINK_BAD_CREDENTIALS, "the clocks of this server and the provider differ",
	"Have the clock of this server set by NTP."},
	{"AuthorizationHeaderMalformed", ERRCODE_LINK_BAD_CREDENTIALS, "the signature was refused", REGION_HINT},
	{"AccessDenied", ERRCODE_LINK_NO_PRIVILEGE, "access denied", DENIED_HINT},
	{"AllAccessDisabled", ERRCODE_LINK_NO_PRIVILEGE, "access denied", DENIED_HINT},

	{"PermanentRedirect", ERRCODE_LINK_BAD_OPTION, "the bucket is elsewhere", REGION_HINT},
	{"TemporaryRedirect", ERRCODE_LINK_BAD_OPTION, "the bucket is elsewhere", REGION_HINT},
	{"IllegalLocationConstraintException", ERRCODE_LINK_BAD_OPTION, "the bucket is elsewhere", REGION_HINT},
	{"InvalidBucketName", ERRCODE_LINK_BAD_OPTION, "the name of the bucket is not valid", NULL},
	{"InvalidObjectName", ERRCODE_LINK_BAD_OPTION, "the name of the object is not valid", NULL},
	{"KeyTooLongError", ERRCODE_LINK_BAD_OPTION, "the name of the object is too long", NULL},

	{"InvalidStorageClass", ERRCODE_LINK_BAD_OPTION, "the server does not know the storage class", NULL},

	{"EntityTooLarge", ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the object is too large for the server", NULL},
	{"QuotaExceeded", ERRCODE_DISK_FULL, "the quota is used up", NULL},
	{"StorageQuotaExceeded", ERRCODE_DISK_FULL, "the quota is used up", NULL},
	{"InsufficientStorage", ERRCODE_DISK_FULL, "the server has no space left", NULL},
	{"InvalidObjectState", ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "the object is archived",
	"Restore the object from the archive first."},
	{"BadDigest", ERRCODE_LINK_CORRUPT, "the bytes were damaged on the way", NULL},
	{"XAmzContentSHA256Mismatch", ERRCODE_LINK_CORRUPT, "the bytes were damaged on the way", NULL},
	{"InternalError", ERRCODE_LINK_FAILED, "the server failed", NULL},
	{"SlowDown", ERRCODE_LINK_FAILED, "the server is overloaded", NULL},
	{"ServiceUnavailable", ERRCODE_LINK_FAILED, "the server is overloaded", NULL},
	{"NotImplemented", ERRCODE_LINK_UNSUPPORTED, "the server does not support it", NULL},
	{NULL}
};

/* For answers without a document (to HEAD) and codes not named above. */
static const LinkS3Meaning *
status_meaning(long status)
{
	static const LinkS3Meaning elsewhere = {NULL, ERRCODE_LINK_BAD_OPTION, "the bucket is elsewhere", REGION_HINT};
	static const LinkS3Meaning refused = {NULL, ERRCODE_LINK_BAD_CREDENTIALS, "the credentials were refused", CREDENTIALS_HINT};
	static const LinkS3Meaning denied = {NULL, ERRCODE_LINK_NO_PRIVILEGE, "access denied", DENIED_HINT};
	static const LinkS3Meaning missing = {NULL, ERRCODE_LINK_NO_OBJECT, "the bucket or object does not exist", NULL};
	static const LinkS3Meaning full = {NULL, ERRCODE_DISK_FULL, "the server has no space left", NULL};
	static const LinkS3Meaning precondition = {NULL, ERRCODE_LINK_OBJECT_EXISTS, "the object already exists", NULL};
	static const LinkS3Meaning too_large = {NULL, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the object is too large for the server", NULL};
	static const LinkS3Meaning broken = {NULL, ERRCODE_LINK_FAILED, "the server failed", NULL};
	static const LinkS3Meaning other = {NULL, ERRCODE_LINK_FAILED, "the server refused the request", NULL};

	switch (status)
	{
		case 301:
		case 302:
		case 307:
		case 308:
			return &elsewhere;
		case 401:
			return &refused;
		case 403:
			return &denied;
		case 404:
			return &missing;
		case 412:
			return &precondition;
		case 413:
			return &too_large;
		case 507:
			return &full;
		default:
			return status >= 500 ? &broken : &other;
	}
}

static const LinkS3Meaning *
meaning_of(const LinkS3Request *request, const char *code)
{
	static const LinkS3Meaning replaced = {NULL, ERRCODE_LINK_CORRUPT, "the object was replaced while it was read",
	"Read it again."};
	long		status = request->http.status;

	/* a read has the condition that the object stays, a write that there is none */
	if (status == 412 && strcmp(request->http.method, "GET") == 0)
		return &replaced;
	for (const LinkS3Meaning *m = request->session->dialect->meanings; m && m->code; m++)
		if (strcmp(code, m->code) == 0)
			return m;
	for (int i = 0; code_meanings[i].code; i++)
		if (strcmp(code, code_meanings[i].code) == 0)
			return &code_meanings[i];
	return status_meaning(status);
}

bool
link_s3_read_error(LinkS3Request *request, LinkS3Error *error)
{
	LinkHttpRequest *http = &request->http;
	const char *id = link_http_answer_header(http, request->session->dialect->request_id_header);
	const char *region = link_http_answer_header(http, "x-amz-bucket-region");
	LinkS3Error found = {"", "", pstrdup(id ? id : ""), pstrdup(region ? region : "")};
	LinkS3XmlEvent event = LINK_S3_XML_MALFORMED;
	bool		is_error = false;

	if (http->answer.data && http->answer.len > 0)
	{
		LinkS3Xml  *xml = link_s3_xml_open(http->answer.data, http->answer.len);

		while ((event = link_s3_xml_next(xml)) == LINK_S3_XML_ELEMENT)
		{
			const char *path = link_s3_xml_path(xml);

			if (strcmp(path, "Error/Code") == 0)
				found.code = pstrdup(link_s3_xml_text(xml));
			else if (strcmp(path, "Error/Message") == 0)
				found.message = pstrdup(link_s3_xml_text(xml));
			else if (strcmp(path, "Error/RequestId") == 0)
				found.request_id = pstrdup(link_s3_xml_text(xml));
			else if (strcmp(path, "Error/Region") == 0)
				found.region = pstrdup(link_s3_xml_text(xml));
			else if (strcmp(path, "Error") == 0)
				is_error = true;
		}
		link_s3_xml_close(xml);
	}
	*error = found;
	return is_error && event == LINK_S3_XML_END;
}

bool
link_s3_error_is(LinkS3Request *request, const char *code)
{
	LinkS3Error error;

	return link_s3_read_error(request, &error) && strcmp(error.code, code) == 0;
}

int
link_s3_sqlstate(LinkS3Request *request)
{
	LinkS3Error error;

	link_s3_read_error(request, &error);
	return meaning_of(request, error.code)->sqlstate;
}

/*
 * Text of the server for a message of ours (SECURITY 20).  Secrets go first: one
 * that is cut short or escaped would not be found any more.
 */
static char *
presentable(const LinkS3Request *request, const char *text)
{
	char	   *scrubbed = link_options_scrub(request->session->base.options, text);

	return link_printable(scrubbed, strlen(scrubbed));
}

char *
link_s3_answer_text(LinkS3Request *request)
{
	LinkS3Error error;
	StringInfoData text;

	link_s3_read_error(request, &error);
	initStringInfo(&text);
	appendStringInfo(&text, "The server answered HTTP %ld", request->http.status);
	if (error.code[0] != '\0')
		appendStringInfo(&text, ", %s", presentable(request, error.code));
	if (error.message[0] != '\0')
		appendStringInfo(&text, ": %s", presentable(request, error.message));
	if (error.request_id[0] != '\0')
		appendStringInfo(&text, " (request id %s)", presentable(request, error.request_id));
	appendStringInfoChar(&text, '.');
	return text.data;
}

void
link_s3_raise(LinkS3Request *request)
{
	LinkS3Error error;
	const LinkS3Meaning *meaning;
	const char *hint;

	link_s3_read_error(request, &error);
	meaning = meaning_of(request, error.code);
	hint = meaning->hint;

	/* only a region that could be one is worth repeating */
	if (hint && strcmp(hint, REGION_HINT) == 0 && link_is_dns_label(error.region) &&
		strcmp(error.region, request->session->region) != 0)
		hint = psprintf("Set \"region\" in the CONFIG of the link to \"%s\".",
						presentable(request, error.region));

	ereport(ERROR,
			(errcode(meaning->sqlstate),
			 errmsg("%s through link %s: %s", request->http.what,
					request->session->base.link_name, meaning->cause),
			 errdetail_internal("%s", link_s3_answer_text(request)),
			 hint ? errhint("%s", hint) : 0));
}

void
link_s3_raise_protocol(LinkS3Request *request, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_PROTOCOL),
			 errmsg("%s through link %s: the server does not answer as one of %s does",
					request->http.what, request->session->base.link_name,
					request->session->base.provider->type),
			 errdetail("%s", problem)));
}

/*
 * CompleteMultipartUpload may fail after its 200, and S3 counts a client that
 * stalled as a bad request.  A token may end before its time.
 */
bool
link_s3_retry_hook(LinkHttpRequest *http_request)
{
	static const char *const codes[] = {
		"InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown",
	};
	LinkS3Request *request = (LinkS3Request *) http_request;
	LinkS3Error error;

	if (!http_request->idempotent)
		return false;
	if (http_request->status == 401 ||
		(http_request->status == 400 && link_s3_error_is(request, "ExpiredToken")))
		return link_s3_renew(request);
	if (http_request->status != 200 && http_request->status != 400 && http_request->status != 409)
		return false;
	if (http_request->answer_limit > LINK_MAX_SMALL_ANSWER ||
		!link_s3_read_error(request, &error))
		return false;
	for (int i = 0; i < lengthof(codes); i++)
		if (strcmp(error.code, codes[i]) == 0)
			return true;
	return false;
}
