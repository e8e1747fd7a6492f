/*-------------------------------------------------------------------------
 *
 * hdfs_write.c
 *	  Writing a file: into a hidden name beside it, in pieces that are appended;
 *	  renamed at the end.
 *
 * A piece that may have arrived and may not is not sent again blindly: the
 * file's length tells.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "provider/hdfs/hdfs.h"

/* Large enough that two round trips a piece cost nothing; a retry has to have it whole. */
#define PIECE_SIZE (16 * 1024 * 1024)

typedef struct LinkHdfsWriter
{
	LinkWriter	base;
	char	   *temporary;		/* path of the hidden name */
	bool		created;
	char	   *piece;
	Size		filled;
	int64		sent;			/* bytes that the file has */
} LinkHdfsWriter;

/* The hidden name in the same directory, so that a rename moves no bytes. */
static char *
temporary_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	uint64		random[2];

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	return psprintf("%.*s.link-%016llx%016llx.tmp", (int) (slash + 1 - path), path,
					(unsigned long long) random[0], (unsigned long long) random[1]);
}

/* Tokens and journals come from outside: does 'name' name a hidden name beside the path? */
static bool
is_beside(const char *name, const char *path)
{
	size_t		directory = strrchr(path, '/') + 1 - path;

	return strncmp(name, path, directory) == 0 && strchr(name + directory, '/') == NULL &&
		link_hdfs_is_temporary(name + directory);
}

static void
check_absent(LinkHdfsSession *session, const char *path)
{
	LinkHdfsStatus status;

	if (link_hdfs_status(session, path, "write", &status))
		ereport(ERROR,
				(errcode(status.is_directory ? ERRCODE_WRONG_OBJECT_TYPE : ERRCODE_LINK_OBJECT_EXISTS),
				 errmsg("could not write \"%s\" through link %s: %s", path, session->base.link_name,
						status.is_directory ? "it is a directory" : "the file already exists"),
				 status.is_directory ? 0 : errhint("Use another path, or overwrite.")));
}

LinkWriter *
link_hdfs_open_writer(LinkSession *session, const char *path, bool overwrite)
{
	MemoryContext context = AllocSetContextCreate(session->context, "link HDFS writer", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkHdfsWriter *writer = palloc0(sizeof(LinkHdfsWriter));

	writer->base.context = context;
	writer->base.session = session;
	writer->base.path = pstrdup(path);
	writer->base.overwrite = overwrite;
	writer->temporary = temporary_name(path);
	if (!overwrite)
		check_absent((LinkHdfsSession *) session, path);
	writer->piece = MemoryContextAllocHuge(context, PIECE_SIZE);
	MemoryContextSwitchTo(caller);
	return &writer->base;
}

typedef struct Piece
{
	LinkHdfsWriter *writer;
	const char *method;
	const char *query;
	bool		arrived;		/* in an earlier attempt, as the length says */
} Piece;

/* To where the namenode says now. */
static void
piece_attempt(LinkHttpRequest *http, void *arg)
{
	Piece	   *piece = arg;
	LinkHdfsWriter *writer = piece->writer;

	http->url = link_hdfs_locate((LinkHdfsSession *) writer->base.session, piece->method,
								 writer->temporary, piece->query, "write");
	link_http_header(http, "content-type", "application/octet-stream");
}

/* One attempt; false if it is not known whether the bytes arrived. */
static bool
send_once(LinkHdfsWriter *writer, Piece *piece)
{
	LinkHdfsSession *session = (LinkHdfsSession *) writer->base.session;
	LinkUrl    *node = linitial(session->namenodes);
	LinkHttpRequest http = {0};
	long		status;
	bool		known;

	http.method = piece->method;
	http.url = psprintf("%s://%s/", node->tls ? "https" : "http", link_url_authority(node));
	http.what = psprintf("could not write \"%s\"", writer->base.path);
	http.body = writer->piece;
	http.body_length = writer->filled;
	http.attempt = piece_attempt;
	http.arg = piece;
	link_http_perform(session->data, &http);
	status = http.status;
	known = http.state == LINK_HTTP_DONE && status / 100 == 2;
	if (!known && http.state == LINK_HTTP_DONE && status < 500)
		link_hdfs_raise(session, http.what, status, pnstrdup(http.answer.data, http.answer.len));
	if (!known)
	{
		LinkHdfsStatus now;

		/* all of it, or none */
		if (!link_hdfs_status(session, writer->temporary, "write", &now))
			now.length = -1;
		if (now.length == writer->sent + (int64) writer->filled)
			known = true;
		else if (http.state == LINK_HTTP_FAILED)
			link_http_raise(session->data, &http);
		else
			link_hdfs_raise(session, http.what, status, pnstrdup(http.answer.data, http.answer.len));
	}
	link_http_finish(session->data, &http);
	return known;
}

static void
send_piece(LinkHdfsWriter *writer)
{
	LinkHdfsSession *session = (LinkHdfsSession *) writer->base.session;
	const LinkOptions *options = session->base.options;
	int			replication = link_option_integer(options, "replication", 0);
	int			block_size = link_option_integer(options, "block_size", 0);
	MemoryContext context = AllocSetContextCreate(writer->base.context, "link HDFS piece", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Piece		piece = {writer};
	StringInfoData query;

	initStringInfo(&query);
	if (writer->created)
	{
		piece.method = "POST";
		appendStringInfoString(&query, "op=APPEND");
	}
	else
	{
		piece.method = "PUT";
		appendStringInfoString(&query, "op=CREATE&overwrite=true");
		if (replication > 0)
			appendStringInfo(&query, "&replication=%d", replication);
		if (block_size > 0)
			appendStringInfo(&query, "&blocksize=%d", block_size);
	}
	piece.query = query.data;
	if (!writer->created)
		link_upload_begin(&writer->base, writer->temporary);
	writer->created = true;
	(void) send_once(writer, &piece);
	writer->sent += writer->filled;
	writer->filled = 0;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

void
link_hdfs_write(LinkWriter *base, const void *data, Size size)
{
	LinkHdfsWriter *writer = (LinkHdfsWriter *) base;
	const char *from = data;

	while (size > 0)
	{
		Size		n = Min(size, PIECE_SIZE - writer->filled);

		memcpy(writer->piece + writer->filled, from, n);
		writer->filled += n;
		from += n;
		size -= n;
		if (writer->filled == PIECE_SIZE)
			send_piece(writer);
	}
}

/* The token is the hidden name. */
void
link_hdfs_prepare(LinkWriter *base, StringInfo token)
{
	LinkHdfsWriter *writer = (LinkHdfsWriter *) base;
	LinkHdfsStatus status;

	if (writer->filled > 0 || !writer->created)
		send_piece(writer);

	/* whoever took the pieces may not have been a datanode */
	if (!link_hdfs_status((LinkHdfsSession *) base->session, writer->temporary, "write", &status) ||
		status.is_directory || status.length != writer->sent)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("could not write \"%s\" through link %s: the file does not hold what was sent",
						base->path, base->session->link_name),
				 errdetail("%lld bytes were sent.", (long long) writer->sent)));
	appendStringInfoString(token, writer->temporary);
	pfree(writer->piece);
	writer->piece = NULL;
}

void
link_hdfs_publish(LinkSession *session, const char *path, bool overwrite,
				  const char *token, Size token_size)
{
	LinkHdfsSession *hdfs = (LinkHdfsSession *) session;
	char	   *temporary = pnstrdup(token, token_size);
	StringInfoData query;
	char	   *answer;
	LinkHdfsStatus status;
	bool		left;

	if (!is_beside(temporary, path))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("token of link %s names no unfinished file", session->link_name)));
	initStringInfo(&query);
	appendStringInfoString(&query, "op=RENAME&destination=");
	link_url_encode(&query, path, false);
	if (overwrite)
		appendStringInfoString(&query, "&renameoptions=OVERWRITE");
	answer = link_hdfs_ask(hdfs, "PUT", temporary, query.data, "write");

	/* plain RENAME tells by a word, the other one by having nothing to say */
	if (link_hdfs_boolean(answer) == 1 || (overwrite && answer[0] == '\0'))
		return;

	/* a repeated one, whose first answer was lost, says no */
	left = link_hdfs_status(hdfs, temporary, "write", &status);
	if (left && !overwrite)
		check_absent(hdfs, path);
	if (left || !link_hdfs_status(hdfs, path, "write", &status) || status.is_directory)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_FAILED),
				 errmsg("could not write \"%s\" through link %s: the file could not be given its name",
						path, session->link_name)));
}

/* One bounded attempt to remove the hidden name; does not throw. */
static LinkReapOutcome
remove_temporary(LinkHdfsSession *session, const char *temporary, int timeout, const char **detail)
{
	LinkHdfsRequest *request = link_hdfs_request(session, "DELETE", temporary, "op=DELETE&recursive=false", "abort");
	LinkReapOutcome outcome = LINK_REAP_FAILED;

	*detail = "the namenode gave no answer";
	if (link_http_attempt_once(session->names, &request->http, timeout))
	{
		*detail = psprintf("the namenode answered HTTP %ld", request->http.status);
		if (request->http.status / 100 == 2)
			switch (link_hdfs_boolean(request->http.answer.data))
			{
				case 1:
					outcome = LINK_REAP_ABORTED;
					break;
				case 0:
					outcome = LINK_REAP_NOTHING;
					break;
				default:
					*detail = "the namenode does not say whether the file is removed";
			}
	}
	link_hdfs_free(request);
	return outcome;
}

/* All aborts of a session share LINK_ABORT_TIMEOUT. */
static bool
abort_temporary(LinkHdfsSession *session, const char *temporary)
{
	TimestampTz now = GetCurrentTimestamp();
	const char *detail;
	bool		gone;

	if (session->abort_until == 0)
		session->abort_until = TimestampTzPlusMilliseconds(now, LINK_ABORT_TIMEOUT);
	if (now >= session->abort_until)
		return false;
	session->quiet = true;
	gone = remove_temporary(session, temporary,
							(int) TimestampDifferenceMilliseconds(now, session->abort_until),
							&detail) != LINK_REAP_FAILED;
	session->quiet = false;
	return gone;
}

bool
link_hdfs_abort(LinkWriter *base)
{
	LinkHdfsWriter *writer = (LinkHdfsWriter *) base;

	return !writer->created || abort_temporary((LinkHdfsSession *) base->session, writer->temporary);
}

bool
link_hdfs_discard(LinkSession *session, const char *path, const char *token, Size token_size)
{
	char	   *temporary = pnstrdup(token, token_size);

	return is_beside(temporary, path) && abort_temporary((LinkHdfsSession *) session, temporary);
}

LinkReapOutcome
link_hdfs_reap(LinkSession *session, LinkReap *reap)
{
	if (reap->upload == NULL || !is_beside(reap->upload, reap->path))
	{
		reap->detail = "it names no unfinished file";
		return LINK_REAP_FAILED;
	}
	return remove_temporary((LinkHdfsSession *) session, reap->upload, reap->timeout, &reap->detail);
}
