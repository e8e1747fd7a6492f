/*-------------------------------------------------------------------------
 *
 * s3_publish.c
 *	  Making a prepared object visible, or forgetting it.
 *
 * Without overwrite the write is made on condition that there is no object of
 * the name (If-None-Match: *).  Servers that do not know the condition ignore
 * it, or refuse it as not implemented: so we also look before, which leaves
 * those servers a moment in which another writer's object can be replaced.
 *
 * A conditional write whose answer was lost is sent again (also by libcurl
 * itself) and then fails, by its own doing; so does the completion of an upload,
 * which is gone.  Whether it was that is told by the object's ETag, where it was
 * sent more than once: otherwise it is another writer's, of the same bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/md5.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "bounds.h"
#include "errors.h"
#include "provider/s3/s3.h"
#include "provider/s3/s3_xml.h"

#define ETAG_SIZE (MD5_DIGEST_LENGTH * 2 + 16)

typedef struct Upload
{
	char	   *id;
	List	   *etags;			/* char *, of each part */
} Upload;

/* Our own token, though it may come from another process. */
static void
parse_parts(const char *token, Size token_size, Upload *upload)
{
	const char *line = token + 1;
	const char *end = token + token_size;

	memset(upload, 0, sizeof(*upload));
	while (line < end)
	{
		const char *newline = memchr(line, '\n', end - line);
		char	   *text;

		if (newline == NULL)
			elog(ERROR, "malformed token of an S3 upload");
		text = pnstrdup(line, newline - line);
		if (upload->id == NULL)
			upload->id = text;
		else
			upload->etags = lappend(upload->etags, text);
		line = newline + 1;
	}
	if (upload->id == NULL || upload->etags == NIL)
		elog(ERROR, "malformed token of an S3 upload");
}

/*
 * The ETag of an object that was put in one piece, in hexadecimal; false if it
 * cannot be told (no MD5 in FIPS mode).
 */
static bool
etag_of_bytes(const char *bytes, Size size, char out[ETAG_SIZE])
{
	const char *reason;

	return pg_md5_hash(bytes, size, out, &reason);
}

/* The same of an upload: the MD5 of its parts' MD5s, and their number. */
static bool
etag_of_parts(const Upload *upload, char out[ETAG_SIZE])
{
	StringInfoData digests;
	ListCell   *cell;

	initStringInfo(&digests);
	foreach(cell, upload->etags)
	{
		char	   *etag = link_s3_unquote(lfirst(cell));

		/* an encrypted part's is no MD5 */
		if (strlen(etag) != MD5_DIGEST_LENGTH * 2 ||
			strspn(etag, "0123456789abcdefABCDEF") != MD5_DIGEST_LENGTH * 2)
			return false;
		enlargeStringInfo(&digests, MD5_DIGEST_LENGTH);
		hex_decode(etag, MD5_DIGEST_LENGTH * 2, digests.data + digests.len);
		digests.len += MD5_DIGEST_LENGTH;
	}
	if (!etag_of_bytes(digests.data, digests.len, out))
		return false;
	snprintf(out + MD5_DIGEST_LENGTH * 2, ETAG_SIZE - MD5_DIGEST_LENGTH * 2, "-%d",
			 list_length(upload->etags));
	return true;
}

/* Was the object that is there, of ETag 'etag', made by this request?  Then '*version' is what the server calls it. */
static bool
was_made(LinkS3Request *request, const char *path, const char *etag, char **version)
{
	LinkObject	object = {0};
	bool		known;

	if (request->http.sendings <= 1 ||
		!link_s3_exists(request->session, path, "write", &known, &object) ||
		object.etag == NULL || pg_strcasecmp(object.etag, etag) != 0)
		return false;
	*version = object.etag;
	return true;
}

typedef LinkS3Request *(*MakeRequest) (LinkS3Session *s3, const char *path, const void *arg);

/*
 * Perform the request that makes the object visible, if 'conditional' on
 * condition that there is none.  The caller reads the outcome.
 */
static LinkS3Request *
perform_publish(LinkS3Session *s3, MakeRequest make, const char *path, bool conditional,
				const void *arg)
{
	LinkS3Request *request = make(s3, path, arg);

	if (conditional)
		link_s3_header(request, s3->dialect->absent_header, s3->dialect->absent_value);
	if (link_s3_perform(request) == 501 && conditional)
	{
		s3->unconditional = true;
		link_s3_free(request);
		request = make(s3, path, arg);
		link_s3_perform(request);
	}
	return request;
}

typedef struct Bytes
{
	const char *data;
	Size		size;
} Bytes;

static LinkS3Request *
make_put(LinkS3Session *s3, const char *path, const void *arg)
{
	const Bytes *bytes = arg;
	LinkS3Request *request = link_s3_request(s3, "PUT", path, "write");

	link_s3_body(request, bytes->data, bytes->size, "application/octet-stream");
	link_s3_object_headers(request);
	return request;
}

static LinkS3Request *
make_complete(LinkS3Session *s3, const char *path, const void *arg)
{
	const Upload *upload = arg;
	LinkS3Request *request;
	MemoryContext caller;
	StringInfoData body;
	ListCell   *cell;

	if (s3->dialect->complete)
		return s3->dialect->complete(s3, path, upload->id, list_length(upload->etags));
	request = link_s3_request(s3, "POST", path, "write");
	caller = MemoryContextSwitchTo(request->context);
	initStringInfo(&body);
	appendStringInfoString(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	foreach(cell, upload->etags)
	{
		appendStringInfo(&body, "<Part><PartNumber>%d</PartNumber><ETag>",
						 foreach_current_index(cell) + 1);
		link_s3_xml_escape(&body, lfirst(cell));
		appendStringInfoString(&body, "</ETag></Part>");
	}
	appendStringInfoString(&body, "</CompleteMultipartUpload>");
	MemoryContextSwitchTo(caller);

	link_s3_query(request, "uploadId", upload->id);
	link_s3_body(request, body.data, body.len, "application/xml");
	request->http.patience = LINK_MAX_COMPLETION;
	return request;
}

/* Whoever makes an object tells its ETag; a page of somebody on the way does not. */
static bool
is_made(LinkS3Request *request, char **version)
{
	if (request->http.status / 100 != 2)
		return false;
	*version = link_s3_unquote(link_http_answer_header(&request->http, "etag"));
	if (*version == NULL)
		link_s3_raise_protocol(request, "It does not say that the object was made.");
	return true;
}

/* The answer to a completion is 200 before its outcome is known. */
static bool
is_complete(LinkS3Request *request, char **version)
{
	LinkS3Xml  *xml;
	LinkS3XmlEvent event;
	LinkS3Error error;
	bool		complete = false;

	if (request->session->dialect->complete)
		return is_made(request, version);
	if (request->http.status != 200)
		return false;
	xml = link_s3_xml_open(request->http.answer.data, request->http.answer.len);
	while ((event = link_s3_xml_next(xml)) == LINK_S3_XML_ELEMENT)
	{
		if (strcmp(link_s3_xml_path(xml), "CompleteMultipartUploadResult/ETag") == 0)
			*version = link_s3_unquote(link_s3_xml_text(xml));
		complete = strcmp(link_s3_xml_path(xml), "CompleteMultipartUploadResult") == 0;
	}
	link_s3_xml_close(xml);
	if (complete && event == LINK_S3_XML_END)
		return true;
	if (link_s3_read_error(request, &error))
		return false;
	link_s3_raise_protocol(request, "It does not say whether the upload is complete.");
}

char *
link_s3_publish(LinkSession *session, const char *path, bool overwrite,
				const char *token, Size token_size)
{
	LinkS3Session *s3 = (LinkS3Session *) session;
	LinkS3Request *request;
	bool		conditional = !overwrite && !s3->unconditional;
	char		etag[ETAG_SIZE];
	char	   *version = NULL;
	bool		done;

	link_s3_check_path(s3, path);
	if (!overwrite)
		link_s3_check_absent(s3, path);

	if (token_size > 0 && token[0] == LINK_S3_TOKEN_BYTES)
	{
		Bytes		bytes = {token + 1, token_size - 1};

		request = perform_publish(s3, make_put, path, conditional, &bytes);
		done = is_made(request, &version) ||
			(request->http.status == 412 &&
			 etag_of_bytes(bytes.data, bytes.size, etag) && was_made(request, path, etag, &version));
	}
	else if (token_size > 0 && token[0] == LINK_S3_TOKEN_PARTS)
	{
		Upload		upload;

		parse_parts(token, token_size, &upload);
		request = perform_publish(s3, make_complete, path,
								  conditional && !s3->dialect->absent_put_only, &upload);
		done = is_complete(request, &version) ||
			((request->http.status == 412 || link_s3_error_is(request, "NoSuchUpload")) &&
			 etag_of_parts(&upload, etag) && was_made(request, path, etag, &version));

		/* an element without a text, says Ceph 16 */
		if (done && (version == NULL || *version == '\0'))
			version = etag_of_parts(&upload, etag) ? pstrdup(etag) : NULL;
	}
	else
		elog(ERROR, "malformed token of an S3 upload");

	if (!done)
		link_s3_raise(request);
	link_s3_free(request);
	return version;
}

/* An upload whose completion had no answer may be complete: then it is gone, and its object stays. */
bool
link_s3_discard(LinkSession *session, const char *path, const char *token, Size token_size)
{
	const char *newline;

	if (token_size == 0 || token[0] != LINK_S3_TOKEN_PARTS)
		return true;
	newline = memchr(token, '\n', token_size);
	return newline != NULL &&
		link_s3_abort_upload((LinkS3Session *) session, path,
							 pnstrdup(token + 1, newline - token - 1));
}
