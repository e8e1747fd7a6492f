/*-------------------------------------------------------------------------
 *
 * s3.h
 *	  Inside the S3 provider.
 *
 * A request is made by link_s3_request(), gets its query, headers and body, is
 * performed (or started and waited for), read, and freed.  Each has a memory
 * context of its own below its session's, so that an error at any point leaves
 * nothing behind that outlives the session.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_S3_H
#define LINK_S3_H

#include "compat.h"

#include "http/http.h"
#include "http/sigv4.h"
#include "http/url.h"
#include "provider/provider.h"

extern const LinkProvider link_s3_provider;

/* Who signs.  The texts belong to the session's options, which wipe them. */
typedef struct LinkS3Credentials
{
	const char *access_key_id;	/* NULL: anonymous, nothing is signed */
	const char *secret_access_key;
	const char *session_token;	/* or NULL */
} LinkS3Credentials;

typedef struct LinkS3Session
{
	LinkSession base;
	LinkHttp   *http;
	LinkUrl		endpoint;
	bool		path_style;		/* for every bucket, not only those no host can name */
	const char *region;
	bool		unconditional;	/* the server has said that it knows no conditional writes */
	TimestampTz abort_until;	/* end of the time for aborts; 0 before the first */
} LinkS3Session;

/* Enough for the requests we make. */
#define LINK_S3_MAX_QUERY 6
#define LINK_S3_MAX_HEADERS 8

typedef struct LinkS3Request
{
	LinkHttpRequest http;		/* first, so that the engine's callbacks find us */
	LinkS3Session *session;
	MemoryContext context;		/* holds this and all it points to */
	char	   *authority;
	char	   *encoded_path;
	LinkSigV4Pair query[LINK_S3_MAX_QUERY];
	int			n_query;
	LinkSigV4Pair headers[LINK_S3_MAX_HEADERS];
	int			n_headers;
	char		payload_hash[LINK_SHA256_HEX_LENGTH + 1];
	bool		unsigned_request;	/* as anonymous, whatever the credentials */
} LinkS3Request;

/* ---- s3.c ---- */

/* The credentials to sign with at this moment. */
extern void link_s3_credentials(const LinkS3Session *session, LinkS3Credentials *credentials);

/* ---- s3_request.c ---- */

/* Throws 22023 unless 'path' names a bucket and an object in it. */
extern void link_s3_check_path(const LinkS3Session *session, const char *path);

/*
 * A request for "bucket/key", "bucket", or "" for the service itself.
 * 'action' completes "could not ...", as in "read".
 */
extern LinkS3Request *link_s3_request(LinkS3Session *session, const char *method,
									  const char *path, const char *action);

/* Values are not copied, and stay until the request is freed. */
extern void link_s3_query(LinkS3Request *request, const char *name, const char *value);
extern void link_s3_header(LinkS3Request *request, const char *name, const char *value);
extern void link_s3_body(LinkS3Request *request, const void *body, Size length,
						 const char *content_type);

/* Headers of requests that make an object: storage class and encryption. */
extern void link_s3_object_headers(LinkS3Request *request);

/* Headers and signature of one attempt: what LinkHttpRequest.attempt is set to. */
extern void link_s3_attempt(LinkHttpRequest *http_request, void *arg);

/* The URL, now that path and query are complete; link_s3_start() does it too. */
extern void link_s3_compose(LinkS3Request *request);

extern void link_s3_start(LinkS3Request *request);

/* The status of the answer; throws if there was none. */
extern long link_s3_wait(LinkS3Request *request);
extern long link_s3_perform(LinkS3Request *request);
extern void link_s3_free(LinkS3Request *request);

/* ---- s3_error.c ---- */

/* What an answer that is no success says; texts are palloc'd, "" if not given. */
typedef struct LinkS3Error
{
	char	   *code;			/* "NoSuchKey" */
	char	   *message;
	char	   *request_id;
	char	   *region;			/* where the bucket is */
} LinkS3Error;

/* False if the answer holds no error document; the texts are set all the same. */
extern bool link_s3_read_error(LinkS3Request *request, LinkS3Error *error);

/* True if the answer holds an error document with this code. */
extern bool link_s3_error_is(LinkS3Request *request, const char *code);

/* The SQLSTATE that link_s3_raise() would use. */
extern int	link_s3_sqlstate(LinkS3Request *request);

/* What the answer says, as a sentence: status, the server's code and words; palloc'd. */
extern char *link_s3_answer_text(LinkS3Request *request);

/* Raise what the answer says. */
LINK_NORETURN extern void link_s3_raise(LinkS3Request *request);

/* Raise that an answer is not what S3 would send (08P01); a sentence says why. */
LINK_NORETURN extern void link_s3_raise_protocol(LinkS3Request *request, const char *problem);

/* Answers that ask for another try although their status does not say so. */
extern bool link_s3_retry_hook(LinkHttpRequest *request);

/* ---- s3_object.c ---- */

/*
 * Is there such an object?  'known' (may be NULL) is set to false when the
 * credentials do not allow to ask; without it that is an error.
 */
extern bool link_s3_exists(LinkS3Session *session, const char *path, const char *action,
						   bool *known, LinkObject *object);

/* Throws 58P02 if the object is there, as far as the credentials allow to see. */
extern void link_s3_check_absent(LinkS3Session *session, const char *path);

extern bool link_s3_stat(LinkSession *session, const char *path, LinkObject *object);
extern void link_s3_remove(LinkSession *session, const char *path);

/* An ETag without its quotes, printable, palloc'd; NULL for NULL. */
extern char *link_s3_unquote(const char *etag);

/* ---- s3_read.c ---- */

extern LinkReader *link_s3_open_reader(LinkSession *session, const char *path, int64 offset, int64 length);
extern Size link_s3_read(LinkReader *reader, void *to, Size size);
extern void link_s3_close_reader(LinkReader *reader);

/* ---- s3_write.c ---- */

extern LinkWriter *link_s3_open_writer(LinkSession *session, const char *path, bool overwrite);
extern void link_s3_write(LinkWriter *writer, const void *data, Size size);
extern void link_s3_prepare(LinkWriter *writer, StringInfo token);
extern bool link_s3_abort(LinkWriter *writer);

/* ---- s3_publish.c ---- */

/*
 * A token is the letter of its kind, then the bytes of a small object, or the
 * upload id and the ETag of each part in order, each ended by a newline.
 */
#define LINK_S3_TOKEN_BYTES 'B'
#define LINK_S3_TOKEN_PARTS 'P'

extern void link_s3_publish(LinkSession *session, const char *path, bool overwrite,
							const char *token, Size token_size);
extern bool link_s3_discard(LinkSession *session, const char *path,
							const char *token, Size token_size);

/* ---- s3_reap.c ---- */

/*
 * One bounded attempt to have the server forget an upload of an aborting
 * session; does not throw.  True if it has.
 */
extern bool link_s3_abort_upload(LinkS3Session *session, const char *path, const char *upload_id);

extern LinkReapOutcome link_s3_reap(LinkSession *session, LinkReap *reap);

/* ---- s3_list.c ---- */

/*
 * In place; a '+' is a space, as in forms.  False if it is not encoded well.  A
 * NUL becomes the end of the key, and *has_nul is set.
 */
extern bool link_s3_decode_key(char *key, bool *has_nul);

/* Of "2009-10-12T17:50:30.000Z"; DT_NOBEGIN if it is none. */
extern TimestampTz link_s3_time(const char *text);

extern void link_s3_list(LinkSession *session, const char *prefix,
						 LinkObjectCallback callback, void *arg);

#endif							/* LINK_S3_H */
