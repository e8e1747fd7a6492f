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
	bool		making;			/* a datanode may still make the file */
	const char *query;			/* of the request for the piece under way */
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

/* Throws for what may not be written: a directory, and a file if it may not be there.  Is there one? */
static bool
check_name(LinkHdfsSession *session, const char *path, bool file)
{
	LinkHdfsStatus status;

	if (!link_hdfs_status(session, path, "write", &status))
		return false;
	if (status.is_directory || !file)
		ereport(ERROR,
				(errcode(status.is_directory ? ERRCODE_WRONG_OBJECT_TYPE : ERRCODE_LINK_OBJECT_EXISTS),
				 errmsg("could not write \"%s\" through link %s: %s", path, session->base.link_name,
						status.is_directory ? "it is a directory" : "the file already exists"),
				 status.is_directory ? 0 : errhint("Use another path, or overwrite.")));
	return true;
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
		(void) check_name((LinkHdfsSession *) session, path, false);
	writer->piece = MemoryContextAllocHuge(context, PIECE_SIZE);
	MemoryContextSwitchTo(caller);
	return &writer->base;
}

/* Bytes that the hidden file has; -1: there is none. */
static int64
written(LinkHdfsWriter *writer)
{
	LinkHdfsStatus now;

	return link_hdfs_status((LinkHdfsSession *) writer->base.session, writer->temporary, "write", &now) ?
		now.length : -1;
}

/*
 * To where the namenode says now.  Another attempt comes only after an answer, or
 * if nothing was sent: a datanode that never answered may still be at it.
 */
static void
piece_attempt(LinkHttpRequest *http, void *arg)
{
	LinkHdfsWriter *writer = arg;
	LinkHdfsSession *session = (LinkHdfsSession *) writer->base.session;

	if (http->attempts > 0 && writer->sent > 0)
	{
		int64		now = written(writer);

		/* nothing is appended to what is there already */
		http->body_length = now == writer->sent ? writer->filled : 0;
		if (now != writer->sent && now != writer->sent + (int64) writer->filled)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_FAILED),
					 errmsg("%s through link %s: a datanode failed in the middle",
							http->what, session->base.link_name)));
	}
	http->url = link_hdfs_locate(session, http->method, writer->temporary, writer->query, "write");
	link_http_header(http, "content-type", "application/octet-stream");
	writer->making = writer->sent == 0;
}

static void
send_piece(LinkHdfsWriter *writer)
{
	LinkHdfsSession *session = (LinkHdfsSession *) writer->base.session;
	const LinkOptions *options = session->base.options;
	int			replication = link_option_integer(options, "replication", 0);
	int			block_size = link_option_integer(options, "block_size", 0);
	LinkUrl    *node = linitial(session->namenodes);
	MemoryContext context = AllocSetContextCreate(writer->base.context, "link HDFS piece", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkHttpRequest http = {0};
	StringInfoData query;

	initStringInfo(&query);
	if (writer->created)
	{
		http.method = "POST";
		appendStringInfoString(&query, "op=APPEND");
	}
	else
	{
		http.method = "PUT";
		appendStringInfoString(&query, "op=CREATE&overwrite=true");
		if (replication > 0)
			appendStringInfo(&query, "&replication=%d", replication);
		if (block_size > 0)
			appendStringInfo(&query, "&blocksize=%d", block_size);
		link_upload_begin(&writer->base, writer->temporary);
		writer->created = true;
	}
	writer->query = query.data;
	http.url = psprintf("%s://%s/", node->tls ? "https" : "http", link_url_authority(node));
	http.what = psprintf("could not write \"%s\"", writer->base.path);
	http.body = writer->piece;
	http.body_length = writer->filled;
	http.attempt = piece_attempt;
	http.arg = writer;
	link_http_perform(session->data, &http);
	if (http.state == LINK_HTTP_DONE || http.sendings == 0)
		writer->making = false;
	if (http.state == LINK_HTTP_DONE && http.status / 100 != 2 && http.status < 500)
		link_hdfs_raise(session, http.what, http.status, pnstrdup(http.answer.data, http.answer.len));

	/* without an answer: all of it, or too little */
	if ((http.state == LINK_HTTP_FAILED || http.status / 100 != 2) &&
		written(writer) != writer->sent + (int64) writer->filled)
	{
		if (http.state == LINK_HTTP_FAILED)
			link_http_raise(session->data, &http);
		link_hdfs_raise(session, http.what, http.status, pnstrdup(http.answer.data, http.answer.len));
	}
	link_http_finish(session->data, &http);
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

/* The token is the hidden name, a line end, and the file's version, which it keeps when it is renamed. */
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
	appendStringInfo(token, "%s\n%s", writer->temporary, link_hdfs_version(&status));
	pfree(writer->piece);
	writer->piece = NULL;
}

/* The hidden name of a token; '*version' behind it, or NULL. */
static char *
take_token(const char *token, Size token_size, char **version)
{
	char	   *temporary = pnstrdup(token, token_size);

	*version = strchr(temporary, '\n');
	if (*version)
		*(*version)++ = '\0';
	return temporary;
}

char *
link_hdfs_publish(LinkSession *session, const char *path, bool overwrite,
				  const char *token, Size token_size)
{
	LinkHdfsSession *hdfs = (LinkHdfsSession *) session;
	char	   *version;
	char	   *temporary = take_token(token, token_size, &version);
	LinkHdfsRequest *request;
	StringInfoData query;
	long		status;
	char	   *answer;
	bool		gone;			/* is the hidden name? */

	if (!is_beside(temporary, path))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("token of link %s names no unfinished file", session->link_name)));

	/* with an option it never moves the file into a directory of that name */
	initStringInfo(&query);
	appendStringInfo(&query, "op=RENAME&renameoptions=%s&destination=", overwrite ? "OVERWRITE" : "NONE");
	link_url_encode(&query, path, false);
	request = link_hdfs_request(hdfs, "PUT", temporary, query.data, "write");
	status = link_hdfs_perform(request);
	answer = pnstrdup(request->http.answer.data, request->http.answer.len);

	/* it has nothing to say then, or a word: HttpFS, which knows no options */
	if (status / 100 == 2 && (answer[0] == '\0' || link_hdfs_boolean(answer) == 1))
	{
		link_hdfs_free(request);
		return version;
	}

	/* one whose first answer was lost, says no to the second */
	if (status / 100 == 2)
		gone = !check_name(hdfs, temporary, true);
	else
		gone = Max(request->http.attempts, request->http.sendings) > 1 &&
			strcmp(link_hdfs_exception(answer), "FileNotFoundException") == 0;
	if (check_name(hdfs, path, overwrite || gone) && gone)
	{
		link_hdfs_free(request);
		return version;
	}
	if (status / 100 != 2)
		link_hdfs_raise(hdfs, psprintf("could not write \"%s\"", path), status, answer);
	ereport(ERROR,
			(errcode(ERRCODE_LINK_FAILED),
			 errmsg("could not write \"%s\" through link %s: the file could not be given its name",
					path, session->link_name)));
}

/* One bounded attempt to remove the hidden name, 'stoppable' as in http.h; does not throw. */
static LinkReapOutcome
remove_temporary(LinkHdfsSession *session, const char *temporary, int timeout, bool stoppable,
				 const char **detail)
{
	LinkHdfsRequest *request = link_hdfs_request(session, "DELETE", temporary, "op=DELETE&recursive=false", "abort");
	LinkReapOutcome outcome = LINK_REAP_FAILED;

	*detail = "the namenode gave no answer";
	session->quiet = true;
	if (link_http_attempt_once(session->names, &request->http, timeout, stoppable))
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
	session->quiet = false;
	link_hdfs_free(request);
	return outcome;
}

/* All aborts of a session share LINK_ABORT_TIMEOUT. */
static bool
abort_temporary(LinkHdfsSession *session, const char *temporary)
{
	TimestampTz now = GetCurrentTimestamp();
	const char *detail;

	if (session->abort_until == 0)
		session->abort_until = TimestampTzPlusMilliseconds(now, LINK_ABORT_TIMEOUT);
	if (now >= session->abort_until)
		return false;
	return remove_temporary(session, temporary,
							(int) TimestampDifferenceMilliseconds(now, session->abort_until),
							false, &detail) != LINK_REAP_FAILED;
}

bool
link_hdfs_abort(LinkWriter *base)
{
	LinkHdfsWriter *writer = (LinkHdfsWriter *) base;

	return !writer->created ||
		(abort_temporary((LinkHdfsSession *) base->session, writer->temporary) && !writer->making);
}

bool
link_hdfs_discard(LinkSession *session, const char *path, const char *token, Size token_size)
{
	char	   *version;
	char	   *temporary = take_token(token, token_size, &version);

	return is_beside(temporary, path) && abort_temporary((LinkHdfsSession *) session, temporary);
}

LinkReapOutcome
link_hdfs_reap(LinkSession *session, LinkReap *reap)
{
	LinkHdfsSession *hdfs = (LinkHdfsSession *) session;
	LinkReapOutcome outcome;

	if (reap->upload == NULL || !is_beside(reap->upload, reap->path))
	{
		reap->detail = "it names no unfinished file";
		return LINK_REAP_FAILED;
	}
	if (link_option_string(session->options, "kerberos_keytab", NULL))
		link_hdfs_need_ticket(hdfs, ((LinkUrl *) list_nth(hdfs->namenodes, hdfs->active))->host, reap->timeout);
	outcome = remove_temporary(hdfs, reap->upload, reap->timeout, true, &reap->detail);
	if (outcome == LINK_REAP_NOTHING && GetCurrentTimestamp() < reap->latest)
	{
		reap->detail = "nothing is there yet, but a datanode may still be about to make it";
		outcome = LINK_REAP_FAILED;
	}
	return outcome;
}
