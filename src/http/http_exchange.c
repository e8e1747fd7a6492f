/*-------------------------------------------------------------------------
 *
 * http_exchange.c
 *	  One request's handle: the options it is given (SECURITY 22), its headers,
 *	  its life.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/memutils.h"

#include "bounds.h"
#include "errors.h"
#include "guc.h"
#include "http/count.h"
#include "http/http_internal.h"
#include "http/url.h"

/*
 * What one send() or recv() moves at most.  Beyond these sizes nothing is
 * gained, and they count against the memory of a transfer.
 */
#define SEND_BUFFER (512 * 1024)
#define RECEIVE_BUFFER (256 * 1024)

/* libcurl gives up to CURL_MAX_WRITE_SIZE bytes at a time, which have to fit. */
#define MIN_RING (4 * CURL_MAX_WRITE_SIZE)

#define USER_AGENT "link/1.0 (PostgreSQL " PG_MAJORVERSION ")"

/* Seconds of silence before TCP asks whether the other side is still there, and between questions. */
#define KEEPALIVE 30L

/* "http" and "https" as a set; names instead of bits came with 7.85. */
#if LIBCURL_VERSION_NUM >= 0x075500
#define OPTION_PROTOCOLS CURLOPT_PROTOCOLS_STR
#define OPTION_REDIR_PROTOCOLS CURLOPT_REDIR_PROTOCOLS_STR
#define PROTOCOLS "http,https"
#else
#define OPTION_PROTOCOLS CURLOPT_PROTOCOLS
#define OPTION_REDIR_PROTOCOLS CURLOPT_REDIR_PROTOCOLS
#define PROTOCOLS (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS)
#endif

LinkHttpCounts link_http_counts = {0};

#define CHECK_SETOPT(easy, option, value) \
	do { \
		CURLcode	code_ = curl_easy_setopt(easy, option, value); \
		if (code_ != CURLE_OK) \
			setopt_failed(#option, code_); \
	} while (0)

LINK_NORETURN static void
setopt_failed(const char *option, CURLcode code)
{
	ereport(ERROR,
			(errcode(code == CURLE_OUT_OF_MEMORY ? ERRCODE_OUT_OF_MEMORY : ERRCODE_LINK_UNSUPPORTED),
			 errmsg("could not set %s of libcurl: %s", option, curl_easy_strerror(code))));
}

/*
 * Options.
 */

/* What is the same for every handle. */
static void
set_common_options(CURL *easy)
{
	CHECK_SETOPT(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* a cancel does not wait for a name server */
	CHECK_SETOPT(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	CHECK_SETOPT(easy, OPTION_PROTOCOLS, PROTOCOLS);
	CHECK_SETOPT(easy, OPTION_REDIR_PROTOCOLS, PROTOCOLS);
	CHECK_SETOPT(easy, CURLOPT_FOLLOWLOCATION, 0L);
	CHECK_SETOPT(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	CHECK_SETOPT(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	CHECK_SETOPT(easy, CURLOPT_PATH_AS_IS, 1L);
	CHECK_SETOPT(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	CHECK_SETOPT(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	CHECK_SETOPT(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	CHECK_SETOPT(easy, CURLOPT_USERAGENT, USER_AGENT);
	CHECK_SETOPT(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	CHECK_SETOPT(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE);
	CHECK_SETOPT(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE);
	CHECK_SETOPT(easy, CURLOPT_BUFFERSIZE, (long) RECEIVE_BUFFER);
	CHECK_SETOPT(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long) SEND_BUFFER);
	CHECK_SETOPT(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	CHECK_SETOPT(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	CHECK_SETOPT(easy, CURLOPT_SSL_VERIFYHOST, 2L);

	CHECK_SETOPT(easy, CURLOPT_NOPROXY, "");
	CHECK_SETOPT(easy, CURLOPT_HEADEROPT, (long) CURLHEADER_SEPARATE);
	CHECK_SETOPT(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

/* What comes from the link. */
static void
set_session_options(CURL *easy, const LinkHttp *http)
{
	CHECK_SETOPT(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) http->connect_timeout);
	CHECK_SETOPT(easy, CURLOPT_LOW_SPEED_LIMIT, (long) LINK_LOW_SPEED);
	CHECK_SETOPT(easy, CURLOPT_LOW_SPEED_TIME, (long) (http->request_timeout - 1) / 1000 + 1);

	if (http->ca_certificate)
	{
#if LIBCURL_VERSION_NUM >= 0x074d00
		struct curl_blob blob;

		blob.data = http->ca_certificate;
		blob.len = strlen(http->ca_certificate);
		blob.flags = CURL_BLOB_NOCOPY;
		CHECK_SETOPT(easy, CURLOPT_CAINFO, NULL);
		CHECK_SETOPT(easy, CURLOPT_CAPATH, NULL);
		CHECK_SETOPT(easy, CURLOPT_CAINFO_BLOB, &blob);
#else
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("ca_certificate needs libcurl 7.77 or newer")));
#endif
	}
}

static void
set_request_options(CURL *easy, LinkHttpExchange *exchange)
{
	LinkHttpRequest *request = exchange->request;
	bool		upload = request->body_length > 0 ||
		strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0;

	CHECK_SETOPT(easy, CURLOPT_PRIVATE, exchange);
	CHECK_SETOPT(easy, CURLOPT_ERRORBUFFER, exchange->error);
	CHECK_SETOPT(easy, CURLOPT_OPENSOCKETFUNCTION, link_http_open_socket);
	CHECK_SETOPT(easy, CURLOPT_OPENSOCKETDATA, exchange);
#if LIBCURL_VERSION_NUM >= 0x075000
	CHECK_SETOPT(easy, CURLOPT_PREREQFUNCTION, link_http_count_sending);
	CHECK_SETOPT(easy, CURLOPT_PREREQDATA, exchange);
#else
	request->sendings = 2;		/* cannot be told */
#endif
	CHECK_SETOPT(easy, CURLOPT_HEADERFUNCTION, link_http_take_header);
	CHECK_SETOPT(easy, CURLOPT_HEADERDATA, exchange);
	CHECK_SETOPT(easy, CURLOPT_WRITEFUNCTION, link_http_take_body);
	CHECK_SETOPT(easy, CURLOPT_WRITEDATA, exchange);

	if (request->patience > 0)
	{
		CHECK_SETOPT(easy, CURLOPT_LOW_SPEED_TIME, 0L);
		CHECK_SETOPT(easy, CURLOPT_TIMEOUT_MS, (long) request->patience);
	}

	if (strcmp(request->method, "HEAD") == 0)
		CHECK_SETOPT(easy, CURLOPT_NOBODY, 1L);
	else if (upload)
	{
		CHECK_SETOPT(easy, CURLOPT_UPLOAD, 1L);
		CHECK_SETOPT(easy, CURLOPT_READFUNCTION, link_http_give_body);
		CHECK_SETOPT(easy, CURLOPT_READDATA, exchange);
		CHECK_SETOPT(easy, CURLOPT_SEEKFUNCTION, link_http_seek_body);
		CHECK_SETOPT(easy, CURLOPT_SEEKDATA, exchange);
	}
	else
		CHECK_SETOPT(easy, CURLOPT_HTTPGET, 1L);
	if (strcmp(request->method, "HEAD") != 0)
		CHECK_SETOPT(easy, CURLOPT_CUSTOMREQUEST, request->method);

	/* on a connection that turns out to be dead, libcurl sends anew by itself */
	if (!request->idempotent)
		CHECK_SETOPT(easy, CURLOPT_FRESH_CONNECT, 1L);
}

/* Scheme, host and port of the request's URL, which may have a query. */
static void
find_host(LinkHttpExchange *exchange)
{
	const char *text = exchange->request->url;
	const char *slashes = strstr(text, "://");
	char	   *origin = pnstrdup(text, slashes ? slashes + 3 - text + strcspn(slashes + 3, "/?#") : 0);
	const char *reason;
	LinkUrl		url;

	if (!link_url_parse(origin, &url, &reason))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("malformed URL"),
				 errdetail("%s", reason)));
	exchange->url = exchange->request->url;
	exchange->host = url.host;
	exchange->port = url.port;
	exchange->tls = url.tls;
	exchange->proxied = !exchange->http->direct && link_http_proxy && link_http_proxy[0];
}

/*
 * Life.
 */

/* MemoryContextCallback */
static void
release_exchange(void *arg)
{
	link_http_exchange_close(arg);
}

LinkHttpExchange *
link_http_exchange_create(LinkHttp *http, LinkHttpRequest *request)
{
	MemoryContext context = AllocSetContextCreate(http->context, "link HTTP exchange",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkHttpExchange *exchange = palloc0(sizeof(LinkHttpExchange));

	exchange->context = context;
	exchange->http = http;
	exchange->request = request;
	exchange->first_byte = -1;
	dlist_push_tail(&http->exchanges, &exchange->node);
	exchange->callback.func = release_exchange;
	exchange->callback.arg = exchange;
	MemoryContextRegisterResetCallback(context, &exchange->callback);
	request->exchange = exchange;

	find_host(exchange);
	link_policy_check_host(exchange->host, exchange->port, exchange->tls, exchange->proxied);
	if (request->streamed)
	{
		exchange->ring_size = Max(request->stream_size, MIN_RING);
		exchange->ring = MemoryContextAllocHuge(context, exchange->ring_size);
	}

	exchange->easy = curl_easy_init();
	if (exchange->easy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not start a request of libcurl")));
	set_common_options(exchange->easy);
	set_session_options(exchange->easy, http);
	set_request_options(exchange->easy, exchange);

	MemoryContextSwitchTo(caller);
	return exchange;
}

static void
wipe_headers(LinkHttpExchange *exchange)
{
	for (struct curl_slist *h = exchange->headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(exchange->headers);
	exchange->headers = NULL;
}

void
link_http_exchange_close(LinkHttpExchange *exchange)
{
	sigset_t	saved;

	if (exchange->http == NULL)
		return;
	link_http_attempt_end(exchange);
	if (exchange->easy)
	{
		link_http_block_signals(&saved);
		curl_easy_cleanup(exchange->easy);
		link_http_unblock_signals(&saved);
		exchange->easy = NULL;
	}
	link_http_bytes_free(&exchange->answer_headers);
	link_http_bytes_free(&exchange->answer);
	dlist_delete(&exchange->node);
	exchange->http = NULL;
}

static void
add_header_line(LinkHttpExchange *exchange, const char *line)
{
	struct curl_slist *longer = curl_slist_append(exchange->headers, line);

	if (longer == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	exchange->headers = longer;
}

void
link_http_header(LinkHttpRequest *request, const char *name, const char *value)
{
	size_t		size = strlen(name) + strlen(value) + 3;
	char	   *line;

	if (strpbrk(value, "\r\n") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("value of header \"%s\" holds a line break", name)));

	/* to libcurl "name:" means no such header, and "name;" one without a value */
	line = palloc(size);
	if (value[0])
		snprintf(line, size, "%s: %s", name, value);
	else
		snprintf(line, size, "%s;", name);
	add_header_line(request->exchange, line);
	explicit_bzero(line, size);
	pfree(line);
}

/* Where the attempt goes: as at the start, or where the caller says by now. */
static void
set_destination(LinkHttpExchange *exchange)
{
	if (exchange->request->url != exchange->url)
	{
		MemoryContext caller = MemoryContextSwitchTo(exchange->context);

		find_host(exchange);
		MemoryContextSwitchTo(caller);
		link_policy_check_host(exchange->host, exchange->port, exchange->tls, exchange->proxied);
	}
	CHECK_SETOPT(exchange->easy, CURLOPT_URL, exchange->url);

	/* an empty name also overrides what the environment says */
	CHECK_SETOPT(exchange->easy, CURLOPT_PROXY, exchange->proxied ? link_http_proxy : "");
}

/*
 * If the caller's attempt() throws, the request is FAILED for whoever looks at
 * it afterwards.
 */
void
link_http_attempt_begin(LinkHttpExchange *exchange)
{
	LinkHttpRequest *request = exchange->request;
	CURLMcode	code;
	sigset_t	saved;

	request->state = LINK_HTTP_FAILED;
	request->failure = MemoryContextStrdup(exchange->context, "the request was not sent");
	request->failure_sqlstate = ERRCODE_LINK_FAILED;

	exchange->sent = 0;
	exchange->status = 0;
	exchange->headers_done = false;
	exchange->answer.length = 0;
	exchange->header_bytes = 0;
	exchange->trouble = TROUBLE_NONE;
	exchange->opened = exchange->refused = exchange->ended = exchange->paused = false;
	exchange->error[0] = '\0';
	exchange->attempt_started = exchange->moved = link_http_now();
	exchange->moved_bytes = 0;

	/* the caller may want to look at the headers of the answer that broke */
	wipe_headers(exchange);
	add_header_line(exchange, "Expect:");
	if (request->attempt)
		request->attempt(request, request->arg);
	exchange->answer_headers.length = 0;
	set_destination(exchange);
	CHECK_SETOPT(exchange->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) request->body_length);
	CHECK_SETOPT(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers);

	link_http_block_signals(&saved);
	code = curl_multi_add_handle(exchange->http->multi, exchange->easy);
	link_http_unblock_signals(&saved);
	if (code != CURLM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_FAILED),
				 errmsg("could not start a request: %s", curl_multi_strerror(code))));
	exchange->in_multi = true;
	link_http_counts.requests++;
	if (request->attempts++ > 0)
		link_http_counts.retries++;
	request->failure = NULL;
	request->failure_sqlstate = 0;
	request->state = LINK_HTTP_RUNNING;
}

void
link_http_attempt_end(LinkHttpExchange *exchange)
{
	sigset_t	saved;

	if (exchange->in_multi)
	{
		link_http_block_signals(&saved);
		(void) curl_multi_remove_handle(exchange->http->multi, exchange->easy);
		(void) curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, NULL);
		link_http_unblock_signals(&saved);
		exchange->in_multi = false;
	}
	wipe_headers(exchange);
}

bool
link_http_keep_answer(LinkHttpExchange *exchange)
{
	StringInfo	answer = &exchange->request->answer;
	size_t		n = exchange->answer.length;

	if (answer->data)
		pfree(answer->data);
	answer->data = MemoryContextAllocExtended(exchange->context, n + 1,
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	answer->len = answer->cursor = 0;
	if (answer->data == NULL)
		return false;
	if (n > 0)
		memcpy(answer->data, exchange->answer.data, n);
	answer->data[n] = '\0';
	answer->len = (int) n;
	answer->maxlen = (int) n + 1;
	link_http_bytes_free(&exchange->answer);
	return true;
}
