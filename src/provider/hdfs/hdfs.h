/*-------------------------------------------------------------------------
 *
 * hdfs.h
 *	  Inside the HDFS provider: WebHDFS.
 *
 * https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html
 *
 * Namenodes answer questions; bytes come from and go to datanodes, to which a
 * namenode redirects.  We follow such a redirect by hand (SECURITY 23).
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_HDFS_H
#define LINK_HDFS_H

#include "postgres.h"
#include "compat.h"

#include "datatype/timestamp.h"

#include "http/http.h"
#include "http/url.h"
#include "provider/provider.h"

typedef struct LinkHdfsSession
{
	LinkSession base;
	LinkHttp   *names;			/* to namenodes */
	LinkHttp   *data;			/* to datanodes */
	List	   *namenodes;		/* of LinkUrl * */
	int			active;			/* the one that answered last */
	TimestampTz abort_until;	/* end of the time for aborts; 0 before the first */
	bool		quiet;			/* nothing may be thrown: the KDC may not be asked */
} LinkHdfsSession;

/* Where a namenode redirects to; longer is an error. */
#define LINK_HDFS_MAX_URL 8192

/* ---- hdfs_request.c ---- */

/* A request to the namenodes: the first that is not on standby answers. */
typedef struct LinkHdfsRequest
{
	LinkHttpRequest http;		/* first, so that the engine's callbacks find us */
	LinkHdfsSession *session;
	MemoryContext context;		/* holds this */
	const char *path;			/* "/dir/file" */
	const char *query;			/* "op=OPEN&offset=5": encoded, without the user's part */
} LinkHdfsRequest;

/* 'action' completes "could not ...".  Nothing is copied. */
extern LinkHdfsRequest *link_hdfs_request(LinkHdfsSession *session, const char *method,
										  const char *path, const char *query, const char *action);

/* The status; throws if no answer arrives. */
extern long link_hdfs_perform(LinkHdfsRequest *request);
extern void link_hdfs_free(LinkHdfsRequest *request);

/* Perform, and throw unless the status is 2xx; the answer is palloc'd JSON text. */
extern char *link_hdfs_ask(LinkHdfsSession *session, const char *method, const char *path,
						   const char *query, const char *action);

/*
 * Perform, and give where the namenode redirects to, checked, palloc'd.  Throws
 * for any other answer.
 */
extern char *link_hdfs_locate(LinkHdfsSession *session, const char *method, const char *path,
							  const char *query, const char *action);

/* The exception's name in an answer ("FileNotFoundException"), "" if there is none; palloc'd. */
extern char *link_hdfs_exception(const char *answer);

/* What {"boolean": true} says: 1 or 0; -1 if it is no such answer. */
extern int	link_hdfs_boolean(const char *answer);

/* Throw what an answer that is no success says. */
LINK_NORETURN extern void link_hdfs_raise(LinkHdfsSession *session, const char *what, long status,
							const char *answer);

/* The path below "/webhdfs/v1", percent-encoded. */
extern char *link_hdfs_encode(const char *path);

/* Another try may go better; for both kinds of servers. */
extern bool link_hdfs_retry_hook(LinkHttpRequest *request);

/* ---- hdfs_status.c ---- */

typedef struct LinkHdfsStatus
{
	bool		is_directory;
	int64		length;
	int64		modified;		/* ms since 1970 */
	int64		id;				/* of the inode; 0 if not told */
} LinkHdfsStatus;

/* False if there is nothing. */
extern bool link_hdfs_status(LinkHdfsSession *session, const char *path, const char *action,
							 LinkHdfsStatus *status);
extern bool link_hdfs_stat(LinkSession *session, const char *path, LinkObject *object);
extern bool link_hdfs_remove(LinkSession *session, const char *path, const char *version);

/* What tells a version of a file from others: its ETag; palloc'd. */
extern char *link_hdfs_version(const LinkHdfsStatus *status);
extern void link_hdfs_list(LinkSession *session, const char *prefix, const char *after,
						 LinkObjectCallback callback, void *arg);

/* True if a name has the form of the hidden names of unfinished files. */
extern bool link_hdfs_is_temporary(const char *name);

/* ---- hdfs_read.c ---- */

extern LinkReader *link_hdfs_open_reader(LinkSession *session, const char *path, int64 offset, int64 length);
extern Size link_hdfs_read(LinkReader *reader, void *to, Size size);
extern void link_hdfs_close_reader(LinkReader *reader);

/* ---- hdfs_write.c ---- */

extern LinkWriter *link_hdfs_open_writer(LinkSession *session, const char *path, bool overwrite);
extern void link_hdfs_write(LinkWriter *writer, const void *data, Size size);
extern void link_hdfs_prepare(LinkWriter *writer, StringInfo token);
extern char *link_hdfs_publish(LinkSession *session, const char *path, bool overwrite,
							   const char *token, Size token_size);
extern bool link_hdfs_abort(LinkWriter *writer);
extern bool link_hdfs_discard(LinkSession *session, const char *path,
							  const char *token, Size token_size);

extern LinkReapOutcome link_hdfs_reap(LinkSession *session, LinkReap *reap);

/* ---- hdfs_spnego.c ---- */

/*
 * Have a ticket for the host at hand; the KDC may take 'timeout' ms, 0: as long as
 * a connection.  Throws 08004, and 08001 if no KDC answers.
 */
extern void link_hdfs_need_ticket(LinkHdfsSession *session, const char *host, int timeout);

/*
 * Add the header by which the keytab's principal proves itself to the host
 * (RFC 4559).  Throws as the function before.
 */
extern void link_hdfs_negotiate(LinkHdfsSession *session, LinkHttpRequest *request, const char *host);

#endif							/* LINK_HDFS_H */
