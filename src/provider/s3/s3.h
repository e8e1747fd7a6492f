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

struct LinkS3Session;
struct LinkS3Request;
struct LinkS3Page;

/* Who asks.  The texts belong to the session, whose context wipes them. */
typedef struct LinkS3Credentials
{
	const char *access_key_id;	/* NULL: nothing is signed */
	const char *secret_access_key;
	const char *session_token;	/* or NULL */
	const char *bearer;			/* OAuth token instead of a signature, or NULL */
} LinkS3Credentials;

/* What a code of the provider's errors means. */
typedef struct LinkS3Meaning
{
	const char *code;			/* NULL ends a list */
	int			sqlstate;
	const char *cause;
	const char *hint;			/* or NULL */
} LinkS3Meaning;

/*
 * What differs between those that speak S3's protocol, or one that is like it:
 * objects in buckets, GET, HEAD, PUT and DELETE, parts that are put together,
 * errors as XML.  What is NULL from 'sign' on is as in S3.
 */
typedef struct LinkS3Dialect
{
	/* URL where CONFIG gives no endpoint_url; palloc'd or constant. */
	const char *(*endpoint) (const struct LinkS3Session *session);
	const char *default_region;

	/*
	 * The credentials to use at this moment.  Called for each attempt of a
	 * request, so that those that expire can be renewed in mid-transfer; may
	 * throw, and ask elsewhere, except while session->aborting.
	 */
	void		(*credentials) (struct LinkS3Session *session, LinkS3Credentials *credentials);

	/* The header by which a write demands that there is no object; NULL if there is none. */
	const char *absent_header;
	const char *absent_value;
	bool		absent_put_only;	/* the completion of an upload does not take it */

	/*
	 * The header by which a removal demands that the object is still the one for
	 * which HEAD gave this value of another header; NULL if there is none.
	 */
	const char *same_header;
	const char *same_value_header;

	/* The answer header with the request's id. */
	const char *request_id_header;

	/* Looked through before S3's own. */
	const LinkS3Meaning *meanings;

	/* Add the headers that authenticate an attempt; all others are in the request. */
	void		(*sign) (struct LinkS3Request *request, const LinkS3Credentials *credentials);

	/* Text that ends every URL's query ("sv=...&sig=..."), or NULL. */
	const char *(*query_suffix) (const struct LinkS3Session *session);

	/* Headers of requests that make an object, or the upload of one. */
	void		(*object_headers) (struct LinkS3Request *request);

	/*
	 * Uploads: an id without asking (then nothing has to be begun, and what is
	 * never put together goes away by itself), the query of a part, and the
	 * request that puts 'n_parts' of them together.
	 */
	char	   *(*upload_id) (void);
	void		(*part_query) (struct LinkS3Request *request, const char *upload_id, int number);
	struct LinkS3Request *(*complete) (struct LinkS3Session *session, const char *path,
									   const char *upload_id, int n_parts);

	/* Listing: the query of a page that begins at 'token' (or NULL), and its answer. */
	void		(*list_query) (struct LinkS3Request *request, const char *prefix, const char *token);
	void		(*read_page) (struct LinkS3Request *request, struct LinkS3Page *page);
} LinkS3Dialect;

typedef struct LinkS3Session
{
	LinkSession base;
	const LinkS3Dialect *dialect;
	LinkHttp   *http;
	LinkUrl		endpoint;
	bool		path_style;		/* for every bucket, not only those no host can name */
	const char *region;
	bool		unconditional;	/* the server has said that it knows no conditional writes */
	TimestampTz abort_until;	/* end of the time for aborts; 0 before the first */
	bool		aborting;		/* no token may be fetched now */
	MemoryContext identity;		/* holds 'derived' */
	LinkS3Credentials derived;	/* temporary ones, as of the latest look */
	TimestampTz derived_until;	/* look again after it; 0 before the first */
	const char *derived_kind;	/* as which they are kept; NULL before the first */
} LinkS3Session;

/* Enough for the requests we make. */
#define LINK_S3_MAX_QUERY 6
#define LINK_S3_MAX_HEADERS 10

typedef struct LinkS3Request
{
	LinkHttpRequest http;		/* first, so that the engine's callbacks find us */
	LinkS3Session *session;
	MemoryContext context;		/* holds this and all it points to */
	bool		in_bucket;		/* not of the service as a whole */
	char	   *authority;
	char	   *encoded_path;
	LinkSigV4Pair query[LINK_S3_MAX_QUERY];
	int			n_query;
	LinkSigV4Pair headers[LINK_S3_MAX_HEADERS];
	int			n_headers;
	char		payload_hash[LINK_SHA256_HEX_LENGTH + 1];
	bool		unsigned_request;	/* as anonymous, whatever the credentials */
	bool		renewed;		/* it was refused, and has had other temporary credentials since */
} LinkS3Request;

/* ---- s3.c ---- */

/* LinkProviderOps.start of whoever speaks the protocol. */
extern void link_s3_start_session(LinkSession *session, const LinkS3Dialect *dialect);

/* Operations that need no more than that. */
extern void link_s3_connect(LinkSession *session);
extern void link_s3_authenticate(LinkSession *session);
extern void link_s3_end(LinkSession *session);
extern void link_s3_refresh(LinkSession *session);

/* ---- s3_identity.c ---- */

/*
 * Temporary credentials, which 'derive' makes: a text that is kept as a token of
 * that kind (token.h), and which 'read' takes apart in place.  While the session
 * is aborting those at hand, whatever they are still good for.
 */
extern void link_s3_derived(LinkS3Session *s3, const char *kind,
							char *(*derive) (LinkS3Session *s3, TimestampTz *expires),
							void (*read) (char *text, LinkS3Credentials *credentials),
							LinkS3Credentials *credentials);

/*
 * The server refused them, before they expire: true if others can be had, at the
 * next attempt of the request; once for each.
 */
extern bool link_s3_renew(LinkS3Request *request);

/* The credentials of an S3 link (LinkS3Dialect.credentials). */
extern void link_s3_credentials(LinkS3Session *session, LinkS3Credentials *credentials);

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

/* The customer's key (SSE-C), for every request that reads or writes an object's bytes. */
extern void link_s3_customer_key(LinkS3Request *request);

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
extern bool link_s3_remove(LinkSession *session, const char *path, const char *version);

/* An ETag without its quotes, printable, palloc'd; NULL for NULL. */
extern char *link_s3_unquote(const char *etag);

/* ---- s3_read.c ---- */

extern LinkReader *link_s3_open_reader(LinkSession *session, const char *path, int64 offset, int64 length);
extern LinkReader *link_s3_begin_reader(LinkSession *session, const char *path, int64 offset, int64 length,
										const char *etag);
extern void link_s3_await_reader(LinkReader *reader);
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

extern char *link_s3_publish(LinkSession *session, const char *path, bool overwrite,
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

/* Of "Mon, 12 Oct 2009 17:50:30 GMT" in a header (RFC 9110), or NULL; the same if it is none. */
extern TimestampTz link_s3_date(const char *text);

/* One page of a listing. */
typedef struct LinkS3Page
{
	List	   *objects;		/* LinkObject *; 'path' is the key */
	bool		truncated;
	char	   *token;			/* of the next page, or NULL */
} LinkS3Page;

extern void link_s3_list(LinkSession *session, const char *prefix, const char *after,
						 LinkObjectCallback callback, void *arg);

/* "a", "b": as it stands in a path.  Size as text; -1 if it is none. */
extern int64 link_s3_size(const char *text);

#endif							/* LINK_S3_H */
