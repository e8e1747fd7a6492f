/*-------------------------------------------------------------------------
 *
 * s3_read.c
 *	  Reading an object, or a range of it, as a stream.
 *
 * A transfer that breaks goes on at the byte where it broke, on condition that
 * the object is still the one of the first answer (If-Match).  Ranges that are to
 * be of one version with another's have that condition from the beginning.
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
	bool		all_will_do;	/* where a range is not known */
	bool		conditional;	/* if_match was given */
	int64		first;			/* byte that the latest attempt asked for */
	int64		expected;		/* bytes that will come in all, -1 if unknown */
	int64		delivered;
	char	   *if_match;		/* given, or the first answer's ETag: NULL before it and if it had none */
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

/* What the first answer says: is this all of the object, and which version of it? */
static void
learn(LinkS3Reader *reader)
{
	const char *etag = link_http_answer_header(&reader->request->http, "etag");

	if (reader->all_will_do && reader->request->http.status == 200)
		reader->length = -1;
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
	if (http_request->received > 0)
		learn(reader);
	reader->first = first;
	if (reader->length >= 0)
		snprintf(range, sizeof(range), "bytes=" INT64_FORMAT "-" INT64_FORMAT,
				 first, reader->offset + reader->length - 1);
	else
		snprintf(range, sizeof(range), "bytes=" INT64_FORMAT "-", first);
	if (first > 0 || reader->length >= 0)
		link_s3_header(request, "range", range);

	if (http_request->received > 0 && reader->if_match == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_FAILED),
				 errmsg("%s through link %s: the connection broke in the middle",
						http_request->what, request->session->base.link_name),
				 errdetail("The server gave the object no ETag, by which the rest could be asked for.")));
	if (http_request->received > 0 || reader->conditional)
		link_s3_header(request, "if-match", reader->if_match);
	link_s3_customer_key(request);
	link_s3_attempt(http_request, arg);
	request->n_headers = 0;		/* they are copied; 'range' is ours */
}

LINK_NORETURN static void
raise_changed(LinkS3Reader *reader)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_CORRUPT),
			 errmsg("%s through link %s: it was changed while it was read",
					reader->request->http.what, reader->base.session->link_name)));
}

/* What the answer says of the object; it may have broken and gone on already. */
static void
read_headers(LinkS3Reader *reader)
{
	LinkS3Request *request = reader->request;
	const char *length = link_http_answer_header(&request->http, "content-length");
	const char *etag = link_http_answer_header(&request->http, "etag");
	int64		first = 0;
	int64		last;

	/* a server may not know the condition */
	if (reader->conditional && (etag == NULL || strcmp(etag, reader->if_match) != 0))
		raise_changed(reader);
	learn(reader);

	/* no condition takes a weak one (RFC 9110) */
	if (reader->if_match && reader->if_match[0] && strncmp(reader->if_match, "W/", 2) != 0)
		reader->base.etag = reader->if_match;
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
	if (reader->conditional && reader->expected < reader->length)
		link_s3_raise_protocol(request, "It sends fewer bytes than were asked for.");
}

static LinkReader *
begin(LinkSession *session, const char *path, int64 offset, int64 length, const char *etag,
	  bool all_will_do)
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
	reader->all_will_do = all_will_do;
	reader->conditional = etag != NULL;
	reader->if_match = etag ? pstrdup(etag) : NULL;

	request = link_s3_request(s3, "GET", path, "read");
	request->http.streamed = true;
	request->http.resumable = true;
	request->http.stream_size = length > 0 && length <= LINK_PIECE_SIZE ? (Size) length : STREAM_SIZE;
	request->http.attempt = reader_attempt;
	request->http.arg = reader;
	reader->request = request;

	link_s3_start(request);
	MemoryContextSwitchTo(caller);
	return &reader->base;
}

LinkReader *
link_s3_begin_reader(LinkSession *session, const char *path, int64 offset, int64 length, const char *etag)
{
	return begin(session, path, offset, length, etag, etag == NULL && offset == 0 && length > 0);
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

	if (reader->conditional && (request->http.status == 404 || request->http.status == 416))
		raise_changed(reader);
	else if (request->http.status == 416 && (reader->offset > 0 || reader->length >= 0))
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
	base->end = reader->expected < 0 ? -1 : reader->offset + reader->expected;

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
	LinkReader *reader = begin(session, path, offset, length, NULL, false);

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
