/*-------------------------------------------------------------------------
 *
 * http.h
 *	  HTTP for providers: one libcurl multi handle a session, one waiting loop
 *	  (on the latch, so that cancel and terminate work within a second), one
 *	  retry loop (time budget, exponential back-off with jitter).
 *
 * Life of a request: fill a LinkHttpRequest, link_http_start() it, later
 * link_http_wait() for it; several may be in flight at once.  What the engine
 * fills in stays until link_http_finish(), which must come before the request's
 * memory goes, unless the LinkHttp goes along with it.  Before each attempt the
 * engine calls request->attempt(), which sets the headers (and so signs: a retry
 * is signed anew).  Whether an outcome is retried is decided by one function
 * (link_http_retryable) plus request->idempotent.
 *
 * No callback of ours throws, allocates with palloc or touches backend state
 * while libcurl is on the stack; what they find is stored in the request and
 * raised after curl_multi_perform has returned.  Everything lives in the memory
 * context given to link_http_create(), whose reset closes sockets and frees
 * handles without touching the network.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_HTTP_H
#define LINK_HTTP_H

#include "compat.h"

#include <curl/curl.h>

#include "lib/stringinfo.h"

#include "catalog/options.h"

typedef struct LinkHttp LinkHttp;
typedef struct LinkHttpRequest LinkHttpRequest;

typedef struct LinkHttpHeader
{
	char	   *name;			/* lower case */
	char	   *value;
} LinkHttpHeader;

typedef enum LinkHttpState
{
	LINK_HTTP_IDLE,				/* not started */
	LINK_HTTP_RUNNING,			/* attempt on the wire */
	LINK_HTTP_WAITING,			/* before the next attempt */
	LINK_HTTP_DONE,				/* an answer arrived: see status */
	LINK_HTTP_FAILED			/* no answer within the budget: see failure */
} LinkHttpState;

struct LinkHttpRequest
{
	/* ---- filled by the caller, zeroed first ---- */
	const char *method;			/* "GET", "PUT", ... */
	char	   *url;			/* whole, encoded */
	const char *what;			/* for errors: "could not write \"x\"" without the cause */
	const void *body;			/* must stay as it is until the request is finished */
	Size		body_length;
	bool		idempotent;		/* may be sent again after it may have reached the server */
	bool		probe;			/* somebody waits to hear whether the server works: one retry
								 * at most */
	int			patience;		/* ms that the answer may take as long as there is any
								 * progress; 0: until it is slower than LINK_LOW_SPEED */
	Size		answer_limit;	/* bytes of a buffered answer; more is an error (08P01);
								 * 0 for LINK_MAX_SMALL_ANSWER */

	/*
	 * A streamed answer (2xx only; other answers are buffered): the body goes
	 * through a buffer of stream_size bytes that link_http_read() empties; the
	 * transfer pauses while it is full.  A break in mid-body is retried by
	 * calling attempt() again with request->received bytes already delivered,
	 * if 'resumable'; attempt() must then ask for the rest (Range, If-Match),
	 * and the engine takes 206 only, from that byte and of the same ETag.
	 */
	bool		streamed;
	bool		resumable;
	Size		stream_size;

	bool		from_received;	/* a resumed attempt is answered with 200, and begins at the
								 * byte that its URL names: there is no range to check */
	int64		rest;			/* then: bytes that the attempt under way asks for */

	/*
	 * Set headers by link_http_header(), and, if this attempt goes elsewhere,
	 * another url; a body may be made shorter.  Called in normal backend code
	 * before each attempt; may throw.
	 */
	void		(*attempt) (LinkHttpRequest *request, void *arg);
	void	   *arg;

	/* ---- filled by the engine ---- */
	LinkHttpState state;
	long		status;			/* of the last answer; 0 if none */
	StringInfoData answer;		/* buffered body */
	uint64		received;		/* streamed bytes put into the buffer so far */
	int			attempts;
	int			sendings;		/* how often it may have reached the server: attempts, and
								 * what libcurl sends anew by itself */
	char	   *failure;		/* FAILED: what went wrong, printable, unscrubbed */
	int			failure_sqlstate;	/* FAILED: 08001, 58030, 08P01, ... */

	struct LinkHttpExchange *exchange;	/* the engine's own */
};

/*
 * A session's transport.  'ca_certificate' (PEM text) replaces the system
 * store, NULL for the system's.  'connect_timeout' and 'request_timeout' in ms,
 * 0 for the GUC's.  max_retries < 0: the time budget alone decides.
 */
typedef struct LinkHttpConfig
{
	const char *ca_certificate;
	int			connect_timeout;
	int			request_timeout;
	int			max_retries;
	const LinkOptions *options; /* secrets to scrub from what it raises */
	const char *link_name;		/* for errors */
	const char *request_id_header;	/* of answers: see count.h; or NULL */
	int64		link_id;		/* of whose connections may be used again; 0: of none */
	uint64		link_version;	/* of its row */
	bool		direct;			/* never through link.http_proxy: metadata services (SECURITY 22) */
} LinkHttpConfig;

extern LinkHttp *link_http_create(const LinkHttpConfig *config);

/*
 * The session ends well: its connections wait for the next session of the same
 * version of the link.  Nothing else may be called afterwards.
 */
extern void link_http_end(LinkHttp *http);

/* The secrets to scrub are these from now on. */
extern void link_http_use_options(LinkHttp *http, const LinkOptions *options);

/* Close all connections that wait. */
extern void link_http_pool_clear(void);

/* The same, at the next link_http_create(): for invalidation callbacks. */
extern void link_http_pool_invalidate(void);

/* Add a header to the attempt under way (copied).  Only from attempt(). */
extern void link_http_header(LinkHttpRequest *request, const char *name, const char *value);

/* Put the request into flight; returns at once.  08001 if its host is not allowed. */
extern void link_http_start(LinkHttp *http, LinkHttpRequest *request);

/* Let transfers move without waiting.  Call it now and then between writes. */
extern void link_http_poll(LinkHttp *http);

/* Drive all requests until this one is DONE or FAILED.  Does not throw for those. */
extern void link_http_wait(LinkHttp *http, LinkHttpRequest *request);

/* start + wait. */
extern void link_http_perform(LinkHttp *http, LinkHttpRequest *request);

/*
 * Streamed answer: drive until bytes are there, copy at most 'size' to 'to',
 * return how many; 0 at the end of the body.  Throws when the transfer fails
 * or the answer ends before its Content-Length (XX001 after retries).
 */
extern Size link_http_read(LinkHttp *http, LinkHttpRequest *request, void *to, Size size);

/*
 * Drive until the headers of a final answer are known (status is set).  A
 * non-2xx answer is then DONE with its body buffered.
 */
extern void link_http_wait_headers(LinkHttp *http, LinkHttpRequest *request);

/* Value of an answer header, or NULL; case-insensitive. */
extern const char *link_http_answer_header(LinkHttpRequest *request, const char *name);

/* Take the request out of flight and free what it holds; harmless when finished. */
extern void link_http_finish(LinkHttp *http, LinkHttpRequest *request);

/*
 * One bounded attempt without retry, interrupts or throw, for abort paths
 * (INTERNALS A7): at most 'timeout_ms' in total.  True if an answer arrived.  Off
 * these paths it may be 'stoppable': a cancel ends it, for the caller to look for.
 */
extern bool link_http_attempt_once(LinkHttp *http, LinkHttpRequest *request, int timeout_ms,
								   bool stoppable);

/* Raise what FAILED holds, scrubbed, with what was tried and the link's name. */
LINK_NORETURN extern void link_http_raise(LinkHttp *http, LinkHttpRequest *request);

/* Which answers are worth another try: 408, 429, 500, 502, 503, 504. */
extern bool link_http_retryable(long status);

/*
 * Let a provider's own reading of an error answer ask for a retry (S3's 200
 * with an error body, RequestTimeout in a 400): called for every buffered
 * final answer if set, also of a request that is not idempotent.
 */
typedef bool (*LinkHttpRetryHook) (LinkHttpRequest *request);
extern void link_http_set_retry_hook(LinkHttp *http, LinkHttpRetryHook hook);

/* curl_global_init once a process, with signals blocked; registers exit cleanup. */
extern void link_http_global_init(void);

#endif							/* LINK_HTTP_H */
