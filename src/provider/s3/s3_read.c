/*-------------------------------------------------------------------------
 *
 * s3_read.c
 *	  Reading an object, or a range of it, as a stream.
 *
 * A transfer that breaks goes on at the byte where it broke, on condition that
 * the object is still the one of the first answer (If-Match).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "errors.h"
#include "provider/s3/s3.h"

/* What a server sends while we parse the rows before. */
#define STREAM_SIZE (4 * 1024 * 1024)

typedef struct LinkS3Reader
{
	LinkReader	base;
	MemoryContext context;		/* holds this */
	LinkS3Request *request;		/* NULL: nothing to read */
	int64		offset;
	int64		length;			/* -1: to the end */
	bool		nothing;		/* no byte is wanted */
	int64		first;			/* byte that the latest attempt asked for */
	int64		expected;		/* bytes that will come in all, -1 if unknown */
	int64		delivered;
	char	   *if_match;		/* the first answer's ETag, NULL before it and if it had none */
} LinkS3Reader;

/* "bytes 5-9/20" of an answer to a range, "bytes * /20" if there is no such range. */
static bool
parse_content_range(const char *text, int64 *first, int64 *last, int64 *size)
{
	char	   *end;

	if (text == NULL || strncmp(text, "bytes ", 6) != 0)
		return false;
	text += 6;
	if (*text == '*')
		*first = *last = -1, end = unconstify(char *, text + 1);
	else
	{
		*first = strtoi64(text, &end, 10);
		if (end == text || *end != '-')
			return false;
		text = end + 1;
		*last = strtoi64(text, &end, 10);
		if (end == text || *last < *first)
			return false;
	}
	if (*end != '/')
		return false;
	text = end + 1;
	*size = strtoi64(text, &end, 10);
	return end != text && *end == '\0' && *size > *last;
}

/* Which version of the object this is, from the first answer that says it. */
static void
learn_etag(LinkS3Reader *reader)
{
	const char *etag = link_http_answer_header(&reader->request->http, "etag");

	if (reader->if_match || etag == NULL)
		return;
	reader->if_match = MemoryContextStrdup(reader->context, etag);
}

static void
reader_attempt(LinkHttpRequest *http_request, void *arg)
{
	LinkS3Request *request = (LinkS3Request *) http_request;
	LinkS3Reader *reader = arg;
	int64		first = reader->offset + (int64) http_request->received;
	char		range[64];

	request->n_headers = 0;
	reader->first = first;
	if (reader->length >= 0)
		snprintf(range, sizeof(range), "bytes=" INT64_FORMAT "-" INT64_FORMAT,
				 first, reader->offset + reader->length - 1);
	else
		snprintf(range, sizeof(range), "bytes=" INT64_FORMAT "-", first);
	if (first > 0 || reader->length >= 0)
		link_s3_header(request, "range", range);

	if (http_request->received > 0)
	{
		learn_etag(reader);
		if (reader->if_match == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_FAILED),
					 errmsg("%s through link %s: the connection broke in the middle",
							http_request->what, request->session->base.link_name),
					 errdetail("The server gave the object no ETag, by which the rest could be asked for.")));
		link_s3_header(request, "if-match", reader->if_match);
	}
	link_s3_customer_key(request);
	link_s3_attempt(http_request, arg);
	request->n_headers = 0;		/* they are copied; 'range' is ours */
}

/* What the answer says of the object; it may have broken and gone on already. */
static void
read_headers(LinkS3Reader *reader)
{
	LinkS3Request *request = reader->request;
	const char *length = link_http_answer_header(&request->http, "content-length");
	int64		first = 0;
	int64		last;

	learn_etag(reader);
	reader->base.etag = link_s3_unquote(reader->if_match);
	if (reader->first == 0 && reader->length < 0)
	{
		char	   *end;

		if (request->http.status != 200)
			link_s3_raise_protocol(request, "It sends a part of the object although all of it was asked for.");

		/* where it ends only with the connection, a break would be its end */
		if (length == NULL && link_http_answer_header(&request->http, "transfer-encoding") == NULL)
			link_s3_raise_protocol(request, "It does not say how long the object is.");
		reader->base.size = length ? strtoi64(length, &end, 10) : -1;
		if (length && (end == length || *end != '\0' || reader->base.size < 0))
			link_s3_raise_protocol(request, "The Content-Length is not a number.");
		reader->expected = reader->base.size;
		return;
	}

	if (request->http.status != 206 ||
		!parse_content_range(link_http_answer_header(&request->http, "content-range"),
							 &first, &last, &reader->base.size) ||
		first != reader->first)
		link_s3_raise_protocol(request, "It does not send the range of bytes that was asked for.");
	reader->expected = last - reader->offset + 1;
	if (reader->length >= 0 && reader->expected > reader->length)
		link_s3_raise_protocol(request, "It sends more bytes than were asked for.");
}

LinkReader *
link_s3_begin_reader(LinkSession *session, const char *path, int64 offset, int64 length)
{
	LinkS3Session *s3 = (LinkS3Session *) session;
	MemoryContext context = AllocSetContextCreate(session->context, "link S3 reader",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkS3Reader *reader = palloc0(sizeof(LinkS3Reader));
	LinkS3Request *request;

	link_s3_check_path(s3, path);
	reader->base.session = session;
	reader->base.path = pstrdup(path);
	reader->context = context;
	reader->offset = offset;

	/* no range says "no bytes": ask for one, and leave it */
	reader->nothing = length == 0;
	reader->length = length == 0 ? 1 : length;

	request = link_s3_request(s3, "GET", path, "read");
	request->http.streamed = true;
	request->http.resumable = true;
	request->http.stream_size = STREAM_SIZE;
	request->http.attempt = reader_attempt;
	request->http.arg = reader;
	reader->request = request;

	link_s3_start(request);
	MemoryContextSwitchTo(caller);
	return &reader->base;
}

void
link_s3_await_reader(LinkReader *base)
{
	LinkS3Reader *reader = (LinkS3Reader *) base;
	LinkS3Session *s3 = (LinkS3Session *) base->session;
	LinkS3Request *request = reader->request;
	MemoryContext caller = MemoryContextSwitchTo(reader->context);
	int64		nowhere;

	link_http_wait_headers(s3->http, &request->http);
	if (request->http.state == LINK_HTTP_FAILED)
		link_http_raise(s3->http, &request->http);

	if (request->http.status == 416)
	{
		/* at or behind the end */
		if (!parse_content_range(link_http_answer_header(&request->http, "content-range"),
								 &nowhere, &nowhere, &reader->base.size))
			reader->base.size = -1;
		reader->expected = 0;
	}
	else if (request->http.status / 100 != 2)
		link_s3_raise(request);
	else
		read_headers(reader);

	if (reader->nothing || reader->expected == 0)
	{
		link_s3_free(request);
		reader->request = NULL;
	}
	MemoryContextSwitchTo(caller);
}

LinkReader *
link_s3_open_reader(LinkSession *session, const char *path, int64 offset, int64 length)
{
	LinkReader *reader = link_s3_begin_reader(session, path, offset, length);

	link_s3_await_reader(reader);
	return reader;
}

Size
link_s3_read(LinkReader *base, void *to, Size size)
{
	LinkS3Reader *reader = (LinkS3Reader *) base;
	Size		got;

	if (reader->request == NULL)
		return 0;
	got = link_http_read(reader->request->session->http, &reader->request->http, to, size);
	reader->delivered += got;
	if (reader->expected >= 0 &&
		(got == 0 ? reader->delivered < reader->expected : reader->delivered > reader->expected))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("%s through link %s: the server sent " INT64_FORMAT " bytes, not the " INT64_FORMAT " it announced",
						reader->request->http.what, base->session->link_name,
						reader->delivered, reader->expected)));
	return got;
}

void
link_s3_close_reader(LinkReader *base)
{
	LinkS3Reader *reader = (LinkS3Reader *) base;

	if (reader->request)
		link_s3_free(reader->request);
	MemoryContextDelete(reader->context);
}
