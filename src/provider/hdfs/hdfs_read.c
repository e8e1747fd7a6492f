/*-------------------------------------------------------------------------
 *
 * hdfs_read.c
 *	  Reading a file, or a range of it, as a stream from datanodes.
 *
 * A transfer that breaks goes on at the byte where it broke, at the datanode that
 * the namenode then names, on condition that the file is still the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "errors.h"
#include "provider/hdfs/hdfs.h"

/* What a datanode sends while we parse the rows before. */
#define STREAM_SIZE (4 * 1024 * 1024)

typedef struct LinkHdfsReader
{
	LinkReader	base;
	MemoryContext context;		/* holds this */
	LinkHttpRequest http;
	bool		started;
	int64		offset;
	int64		length;			/* of the range: never -1 */
	int64		delivered;
	LinkHdfsStatus status;		/* at the start */
} LinkHdfsReader;

static void
reader_attempt(LinkHttpRequest *http, void *arg)
{
	LinkHdfsReader *reader = arg;
	LinkHdfsSession *session = (LinkHdfsSession *) reader->base.session;
	MemoryContext caller = MemoryContextSwitchTo(reader->context);
	LinkHdfsStatus now;
	char	   *query;

	if (http->received > 0 &&
		(!link_hdfs_status(session, reader->base.path, "read", &now) ||
		 now.modified != reader->status.modified || now.length != reader->status.length ||
		 now.id != reader->status.id))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("could not read \"%s\" through link %s: it was changed while it was read",
						reader->base.path, session->base.link_name)));
	http->rest = reader->length - (int64) http->received;
	query = psprintf("op=OPEN&offset=" INT64_FORMAT "&length=" INT64_FORMAT,
					 reader->offset + (int64) http->received, http->rest);
	http->url = link_hdfs_locate(session, "GET", reader->base.path, query, "read");
	MemoryContextSwitchTo(caller);
}

LinkReader *
link_hdfs_open_reader(LinkSession *session, const char *path, int64 offset, int64 length)
{
	LinkHdfsSession *hdfs = (LinkHdfsSession *) session;
	MemoryContext context = AllocSetContextCreate(session->context, "link HDFS reader", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkHdfsReader *reader = palloc0(sizeof(LinkHdfsReader));
	LinkUrl    *node = linitial(hdfs->namenodes);

	reader->context = context;
	reader->base.session = session;
	reader->base.path = pstrdup(path);
	if (!link_hdfs_status(hdfs, path, "read", &reader->status) || reader->status.is_directory)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_OBJECT),
				 errmsg("could not read \"%s\" through link %s: the file does not exist",
						path, session->link_name)));
	reader->base.size = reader->status.length;
	reader->offset = Min(offset, reader->status.length);
	reader->length = reader->status.length - reader->offset;
	if (length >= 0)
		reader->length = Min(reader->length, length);

	reader->http.method = "GET";
	reader->http.url = psprintf("%s://%s/", node->tls ? "https" : "http", link_url_authority(node));
	reader->http.what = psprintf("could not read \"%s\"", path);
	reader->http.idempotent = true;
	reader->http.streamed = true;
	reader->http.resumable = true;
	reader->http.from_received = true;
	reader->http.stream_size = STREAM_SIZE;
	reader->http.attempt = reader_attempt;
	reader->http.arg = reader;
	MemoryContextSwitchTo(caller);
	return &reader->base;
}

/* A page of somebody on the way is no file, though it is long enough. */
static void
check_length(LinkHdfsReader *reader)
{
	const char *length = link_http_answer_header(&reader->http, "content-length");

	if (length && strtoi64(length, NULL, 10) != reader->length)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_PROTOCOL),
				 errmsg("could not read \"%s\" through link %s: the datanode does not send what was asked for",
						reader->base.path, reader->base.session->link_name),
				 errdetail("It announces another number of bytes than the %lld that were asked for.",
						   (long long) reader->length)));
}

Size
link_hdfs_read(LinkReader *base, void *to, Size size)
{
	LinkHdfsReader *reader = (LinkHdfsReader *) base;
	LinkHdfsSession *hdfs = (LinkHdfsSession *) base->session;
	Size		got;

	if (reader->delivered == reader->length)
		return 0;
	if (!reader->started)
	{
		reader->started = true;
		link_http_start(hdfs->data, &reader->http);
		link_http_wait_headers(hdfs->data, &reader->http);
		if (reader->http.state == LINK_HTTP_FAILED)
			link_http_raise(hdfs->data, &reader->http);
		if (reader->http.status != 200)
			link_hdfs_raise(hdfs, reader->http.what, reader->http.status,
							pnstrdup(reader->http.answer.data, reader->http.answer.len));
		check_length(reader);
	}
	got = link_http_read(hdfs->data, &reader->http, to, Min(size, (Size) (reader->length - reader->delivered)));
	if (got == 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("could not read \"%s\" through link %s: the file is cut off",
						base->path, hdfs->base.link_name),
				 errdetail("%lld of %lld bytes arrived.", (long long) reader->delivered,
						   (long long) reader->length)));
	reader->delivered += got;
	return got;
}

void
link_hdfs_close_reader(LinkReader *base)
{
	LinkHdfsReader *reader = (LinkHdfsReader *) base;

	link_http_finish(((LinkHdfsSession *) base->session)->data, &reader->http);
	MemoryContextDelete(reader->context);
}
