/*-------------------------------------------------------------------------
 *
 * s3_write.c
 *	  Writing an object: parts of an upload that nobody sees before it is
 *	  published (s3_publish.c).
 *
 * Bytes are gathered in part buffers.  A full one is sent while the next is
 * filled; when memory is used up, the writer waits for one to be through.  An
 * object of at most SINGLE_SIZE bytes never becomes an upload: its bytes are the
 * token, and publishing is one PUT.
 *
 * How large an object will be is not known before its end, an upload has at
 * most 10,000 parts, and each part is in memory until it is through, because it
 * may have to be sent again.  So parts follow a fixed schedule: 8 MiB each for
 * the first GiB, then 16 MiB each, of which three fit into MEMORY; 155 GiB in
 * all.  multipart_chunk_size_mb gives all parts one size instead (some servers
 * want that): more reach for more memory, at most twice that size where it is
 * above half of MEMORY.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "bounds.h"
#include "errors.h"
#include "provider/s3/s3.h"
#include "provider/s3/s3_xml.h"

#define MB ((Size) 1024 * 1024)

#define MAX_PARTS 10000			/* S3's */
#define SMALL_PART (8 * MB)
#define LARGE_PART (16 * MB)
#define SMALL_PARTS 128			/* of the schedule */
#define SINGLE_SIZE SMALL_PART	/* largest object that is not an upload */
#define MEMORY (48 * MB)		/* of all buffers of a writer */
#define MAX_SENDING 3			/* parts in flight */

/* Bytes of write() after which transfers in flight get their turn. */
#define POLL_AFTER (64 * 1024)

/* 10,000 ETags have to fit into a token; they have 34 bytes, or some more with encryption. */
#define MAX_ETAG 90

typedef struct Part
{
	int			number;			/* from 1, given when it is sent */
	char		number_text[16];
	Size		capacity;
	Size		length;
	char	   *data;
	LinkS3Request *request;		/* NULL unless it is in flight */
} Part;

typedef struct LinkS3Writer
{
	LinkWriter	base;
	MemoryContext buffers;		/* holds the parts */
	Size		fixed_size;		/* of each part; 0: by the schedule */
	Part	   *filling;		/* or NULL */
	List	   *sending;		/* Part *, oldest first */
	List	   *idle;			/* Part * */
	Size		memory;			/* of all of these */
	Size		unpolled;
	LinkS3Request *beginning;	/* asks for an upload; NULL: not at this moment */
	char	   *upload_id;		/* NULL: nothing was sent yet */
	int			n_parts;		/* sent or in flight */
	char	  **etags;			/* of each part, MAX_PARTS of them once there is an upload */
} LinkS3Writer;

LinkWriter *
link_s3_open_writer(LinkSession *session, const char *path, bool overwrite)
{
	LinkS3Session *s3 = (LinkS3Session *) session;
	MemoryContext context;
	LinkS3Writer *writer;

	link_s3_check_path(s3, path);
	if (!overwrite)
		link_s3_check_absent(s3, path);

	context = AllocSetContextCreate(session->context, "link S3 writer", ALLOCSET_SMALL_SIZES);
	writer = MemoryContextAllocZero(context, sizeof(LinkS3Writer));
	writer->base.session = session;
	writer->base.path = MemoryContextStrdup(context, path);
	writer->base.overwrite = overwrite;
	writer->base.context = context;
	writer->buffers = AllocSetContextCreate(context, "link S3 parts", ALLOCSET_SMALL_SIZES);
	writer->fixed_size = link_option_integer(session->options, "multipart_chunk_size_mb", 0) * MB;
	return &writer->base;
}

/*
 * Uploads.
 */

/* Text that our record and our token can hold. */
static bool
usable_id(const char *id)
{
	if (id == NULL || *id == '\0' || strlen(id) > LINK_MAX_TOKEN)
		return false;
	for (; *id != '\0'; id++)
		if ((unsigned char) *id < 0x20 || *id == 0x7f)
			return false;
	return true;
}

/*
 * An upload whose answer is lost is begun again: an empty one stays behind,
 * which costs nothing and falls to the bucket's lifecycle rule.
 */
static void
begin_upload(LinkS3Writer *writer)
{
	LinkS3Session *s3 = (LinkS3Session *) writer->base.session;
	LinkS3Request *request;
	LinkS3Xml  *xml;
	LinkS3XmlEvent event;
	char	   *upload_id = NULL;

	writer->etags = MemoryContextAllocZero(writer->base.context, MAX_PARTS * sizeof(char *));
	if (s3->dialect->upload_id)
	{
		writer->upload_id = MemoryContextStrdup(writer->base.context, s3->dialect->upload_id());
		return;
	}
	link_upload_begin(&writer->base, NULL);
	request = link_s3_request(s3, "POST", writer->base.path, "write");
	writer->beginning = request;
	link_s3_query(request, "uploads", "");
	link_s3_body(request, "", 0, "application/octet-stream");
	link_s3_object_headers(request);
	if (link_s3_perform(request) != 200)
		link_s3_raise(request);

	xml = link_s3_xml_open(request->http.answer.data, request->http.answer.len);
	while ((event = link_s3_xml_next(xml)) == LINK_S3_XML_ELEMENT)
		if (strcmp(link_s3_xml_path(xml), "InitiateMultipartUploadResult/UploadId") == 0)
			upload_id = MemoryContextStrdup(writer->base.context, link_s3_xml_text(xml));
	if (event != LINK_S3_XML_END || !usable_id(upload_id))
		link_s3_raise_protocol(request, "It gives no usable upload id.");
	link_s3_xml_close(xml);

	writer->upload_id = upload_id;
	writer->beginning = NULL;
	link_s3_free(request);
	link_upload_known(&writer->base, upload_id);
}

static void
send_part(LinkS3Writer *writer)
{
	Part	   *part = writer->filling;
	MemoryContext caller;

	if (writer->upload_id == NULL)
		begin_upload(writer);

	part->number = writer->n_parts + 1;
	snprintf(part->number_text, sizeof(part->number_text), "%d", part->number);
	part->request = link_s3_request((LinkS3Session *) writer->base.session, "PUT",
									writer->base.path, "write");
	if (part->request->session->dialect->part_query)
		part->request->session->dialect->part_query(part->request, writer->upload_id, part->number);
	else
	{
		link_s3_query(part->request, "partNumber", part->number_text);
		link_s3_query(part->request, "uploadId", writer->upload_id);
	}
	link_s3_body(part->request, part->data, part->length, NULL);
	link_s3_customer_key(part->request);

	caller = MemoryContextSwitchTo(writer->base.context);
	writer->sending = lappend(writer->sending, part);
	MemoryContextSwitchTo(caller);
	writer->filling = NULL;
	writer->n_parts = part->number;
	link_s3_start(part->request);
}

/* Wait until a part is through, and have its buffer again. */
static void
finish_part(LinkS3Writer *writer, Part *part)
{
	LinkS3Request *request = part->request;
	const char *etag;
	MemoryContext caller;

	if (link_s3_wait(request) / 100 != 2)
		link_s3_raise(request);

	/* blocks have no ETag, but Azure says of each that it was created */
	if (request->session->dialect->part_query && request->http.status != 201)
		link_s3_raise_protocol(request, "It does not say that the block was taken.");
	etag = request->session->dialect->part_query ? "-" : link_http_answer_header(&request->http, "etag");
	if (etag == NULL || etag[0] == '\0' || strlen(etag) > MAX_ETAG)
		link_s3_raise_protocol(request, "It gives no usable ETag for a part.");

	caller = MemoryContextSwitchTo(writer->base.context);
	writer->etags[part->number - 1] = pstrdup(etag);
	writer->sending = list_delete_ptr(writer->sending, part);
	writer->idle = lappend(writer->idle, part);
	MemoryContextSwitchTo(caller);

	part->request = NULL;
	link_s3_free(request);
}

/* A part that is through already, or else the oldest. */
static Part *
next_to_finish(LinkS3Writer *writer)
{
	ListCell   *cell;

	foreach(cell, writer->sending)
	{
		Part	   *part = lfirst(cell);
		LinkHttpState state = part->request->http.state;

		if (state == LINK_HTTP_DONE || state == LINK_HTTP_FAILED)
			return part;
	}
	return linitial(writer->sending);
}

/*
 * Buffers.
 */

static Size
next_part_size(const LinkS3Writer *writer)
{
	if (writer->fixed_size > 0)
		return writer->fixed_size;
	return writer->n_parts < SMALL_PARTS ? SMALL_PART : LARGE_PART;
}

/* An idle buffer of this size; those of other sizes are from earlier in the schedule. */
static Part *
reuse_part(LinkS3Writer *writer, Size size)
{
	while (writer->idle != NIL)
	{
		Part	   *part = llast(writer->idle);

		writer->idle = list_delete_last(writer->idle);
		if (part->capacity == size)
			return part;
		writer->memory -= part->capacity;
		pfree(part->data);
		pfree(part);
	}
	return NULL;
}

static void
begin_part(LinkS3Writer *writer)
{
	Size		size = next_part_size(writer);
	Size		most = Max(MEMORY, 2 * size);
	Part	   *part;

	if (writer->n_parts == MAX_PARTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("could not write \"%s\" through link %s: the object is too large",
						writer->base.path, writer->base.session->link_name),
				 errdetail("Its upload has %d parts, of at most %zu MB; S3 takes no more parts.",
						   MAX_PARTS, size / MB),
				 errhint("Write several objects, or raise \"multipart_chunk_size_mb\" in the CONFIG of the link, which takes up to twice that memory.")));

	while ((part = reuse_part(writer, size)) == NULL &&
		   (writer->memory + size > most || list_length(writer->sending) > MAX_SENDING))
		finish_part(writer, next_to_finish(writer));

	if (part == NULL)
	{
		part = MemoryContextAlloc(writer->buffers, sizeof(Part));
		part->data = MemoryContextAlloc(writer->buffers, size);
		part->capacity = size;
		writer->memory += size;
	}
	part->length = 0;
	part->request = NULL;
	writer->filling = part;
}

void
link_s3_write(LinkWriter *base, const void *data, Size size)
{
	LinkS3Writer *writer = (LinkS3Writer *) base;
	const char *from = data;

	while (size > 0)
	{
		Part	   *part = writer->filling;
		Size		n;

		if (part && part->length == part->capacity)
		{
			send_part(writer);
			part = NULL;
		}
		if (part == NULL)
		{
			begin_part(writer);
			part = writer->filling;
		}
		n = Min(size, part->capacity - part->length);
		memcpy(part->data + part->length, from, n);
		part->length += n;
		from += n;
		size -= n;
		writer->unpolled += n;
	}

	if (writer->unpolled >= POLL_AFTER && writer->sending != NIL)
	{
		link_http_poll(((LinkS3Session *) base->session)->http);
		writer->unpolled = 0;
	}
}

/*
 * The end.
 */

/* The buffers go; the writer itself stays until its session ends. */
static void
drop_parts(LinkS3Writer *writer)
{
	writer->filling = NULL;
	writer->sending = NIL;
	writer->idle = NIL;
	MemoryContextReset(writer->buffers);
}

void
link_s3_prepare(LinkWriter *base, StringInfo token)
{
	LinkS3Writer *writer = (LinkS3Writer *) base;
	Part	   *part = writer->filling;

	if (writer->upload_id == NULL && (part == NULL || part->length <= SINGLE_SIZE))
	{
		appendStringInfoChar(token, LINK_S3_TOKEN_BYTES);
		if (part)
			appendBinaryStringInfo(token, part->data, part->length);
		drop_parts(writer);
		return;
	}

	if (part && part->length > 0)
		send_part(writer);
	while (writer->sending != NIL)
		finish_part(writer, next_to_finish(writer));

	appendStringInfo(token, "%c%s\n", LINK_S3_TOKEN_PARTS, writer->upload_id);
	for (int i = 0; i < writer->n_parts; i++)
		appendStringInfo(token, "%s\n", writer->etags[i]);
	drop_parts(writer);
}

/* Could the server hold an upload of ours whose id we were not told? */
static bool
may_have_begun(const LinkS3Writer *writer)
{
	const LinkHttpRequest *http = writer->beginning ? &writer->beginning->http : NULL;

	/* a refusal tells nothing of what was sent before it, and had another answer or none */
	return http != NULL && http->sendings > 0 &&
		!(http->sendings == 1 && http->state == LINK_HTTP_DONE && http->status / 100 == 4);
}

bool
link_s3_abort(LinkWriter *base)
{
	LinkS3Writer *writer = (LinkS3Writer *) base;
	LinkS3Session *s3 = (LinkS3Session *) base->session;
	const char *upload_id = writer->upload_id;
	bool		unanswered = false;
	ListCell   *cell;

	/* parts first, or they could arrive after the end of their upload */
	foreach(cell, writer->sending)
	{
		Part	   *part = lfirst(cell);
		LinkHttpRequest *http = &part->request->http;

		if (http->state != LINK_HTTP_DONE && http->sendings > 0)
			unanswered = true;
		link_http_finish(s3->http, http);
	}
	drop_parts(writer);

	writer->upload_id = NULL;

	/* what the server is still at may come after all, and the upload has to be aborted again */
	if (upload_id)
		return link_s3_abort_upload(s3, base->path, upload_id) && !unanswered;
	return !may_have_begun(writer);
}
