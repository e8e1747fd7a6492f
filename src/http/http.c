/*-------------------------------------------------------------------------
 *
 * http.c
 *	  Sessions of the HTTP engine, and what http.h promises.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "errors.h"
#include "guc.h"
#include "http/http_internal.h"

/* Descriptors of a session besides its connections: epoll, and libcurl's wake-up pair. */
#define SESSION_FDS 3

/* libcurl closes and frees nothing by itself when the process exits. */
static dlist_head sessions = DLIST_STATIC_INIT(sessions);

/*
 * Sessions.
 */

/* Close everything; the memory stays.  Twice does no harm. */
static void
close_session(LinkHttp *http)
{
	dlist_mutable_iter iter;
	sigset_t	saved;

	if (http->node.next == NULL)
		return;
	dlist_foreach_modify(iter, &http->exchanges)
		link_http_exchange_close(dlist_container(LinkHttpExchange, node, iter.cur));
	if (http->multi)
	{
		link_http_block_signals(&saved);
		(void) curl_multi_cleanup(http->multi);
		link_http_unblock_signals(&saved);
		http->multi = NULL;
	}
	if (http->epoll_fd >= 0)
		close(http->epoll_fd);
	http->epoll_fd = -1;
	for (; http->reserved_fds > 0; http->reserved_fds--)
		ReleaseExternalFD();
	dlist_delete(&http->node);
	http->node.next = NULL;
}

/* MemoryContextCallback */
static void
release_session(void *arg)
{
	close_session(arg);
}

/* before_shmem_exit: contexts below TopMemoryContext run no callbacks at exit */
static void
close_all_sessions(int code, Datum arg)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &sessions)
		close_session(dlist_container(LinkHttp, node, iter.cur));
	link_http_pool_clear();
}

void
link_http_global_init(void)
{
	static bool done = false;
	CURLcode	code;
	sigset_t	saved;

	if (done)
		return;
	link_http_block_signals(&saved);
	code = curl_global_init(CURL_GLOBAL_ALL);
	link_http_unblock_signals(&saved);
	if (code != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_FAILED),
				 errmsg("could not start libcurl: %s", curl_easy_strerror(code))));
	before_shmem_exit(close_all_sessions, (Datum) 0);
	done = true;
}

/* Have this many descriptors to our name. */
static void
reserve_fds(LinkHttp *http, int n)
{
	for (; http->reserved_fds < n; http->reserved_fds++)
		if (!AcquireExternalFD())
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("could not open a connection"),
					 errdetail("There are too many open files on the local server."),
					 errhint("Raise the server's max_files_per_process and/or \"ulimit -n\" limits.")));
}

LinkHttp *
link_http_create(const LinkHttpConfig *config)
{
	LinkHttp   *http;

	link_policy_check_key_log();
	link_http_global_init();

	http = palloc0(sizeof(LinkHttp));
	http->context = CurrentMemoryContext;
	http->epoll_fd = -1;
	http->ca_certificate = config->ca_certificate ? pstrdup(config->ca_certificate) : NULL;
	http->connect_timeout = config->connect_timeout > 0 ? config->connect_timeout : link_connect_timeout;
	http->request_timeout = config->request_timeout > 0 ? config->request_timeout : link_request_timeout;
	http->max_retries = config->max_retries;
	http->options = config->options;
	http->link_name = config->link_name;
	http->request_id_header = config->request_id_header;
	http->link_id = config->link_id;
	http->link_version = config->link_version;
	http->direct = config->direct;
	dlist_init(&http->exchanges);
	dlist_push_tail(&sessions, &http->node);
	http->callback.func = release_session;
	http->callback.arg = http;
	MemoryContextRegisterResetCallback(http->context, &http->callback);

	if (http->link_id != 0 && link_http_pool_take(http))
		link_http_watch(http);
	else
	{
		reserve_fds(http, SESSION_FDS);
		link_http_open_multi(http);
	}
	return http;
}

void
link_http_end(LinkHttp *http)
{
	if (http->link_id != 0 && http->multi != NULL && dlist_is_empty(&http->exchanges))
		link_http_pool_give(http);
	close_session(http);
}

void
link_http_use_options(LinkHttp *http, const LinkOptions *options)
{
	http->options = options;
}

void
link_http_set_retry_hook(LinkHttp *http, LinkHttpRetryHook hook)
{
	http->retry_hook = hook;
}

/*
 * Requests.
 */

/*
 * A connection stays with the session after its transfer, so there are as many
 * as transfers were ever in flight at once.
 */
static LinkHttpExchange *
open_exchange(LinkHttp *http, LinkHttpRequest *request)
{
	LinkHttpExchange *exchange;
	dlist_iter	iter;
	int			n = 1;

	link_http_finish(http, request);
	request->state = LINK_HTTP_IDLE;
	request->status = 0;
	request->received = 0;
	request->attempts = request->sendings = 0;

	dlist_foreach(iter, &http->exchanges)
		n++;
	if (http->reserved_fds < SESSION_FDS + n)
	{
		reserve_fds(http, SESSION_FDS + n);
		(void) curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long) n);
	}
	exchange = link_http_exchange_create(http, request);
	exchange->started = link_http_now();
	return exchange;
}

void
link_http_start(LinkHttp *http, LinkHttpRequest *request)
{
	link_policy_check_key_log();
	link_http_attempt_begin(open_exchange(http, request));
}

void
link_http_poll(LinkHttp *http)
{
	if (!dlist_is_empty(&http->exchanges))
		link_http_move(http);
	CHECK_FOR_INTERRUPTS();
}

static bool
is_over(const LinkHttpRequest *request)
{
	return request->state == LINK_HTTP_DONE || request->state == LINK_HTTP_FAILED;
}

void
link_http_wait(LinkHttp *http, LinkHttpRequest *request)
{
	Assert(request->exchange != NULL);
	for (;;)
	{
		link_http_move(http);
		if (is_over(request))
			break;
		link_http_sleep(http);
	}
}

void
link_http_perform(LinkHttp *http, LinkHttpRequest *request)
{
	link_http_start(http, request);
	link_http_wait(http, request);
}

void
link_http_wait_headers(LinkHttp *http, LinkHttpRequest *request)
{
	LinkHttpExchange *exchange = request->exchange;

	for (;;)
	{
		link_http_move(http);
		if (is_over(request))
			break;
		if (request->state == LINK_HTTP_RUNNING && request->streamed && exchange->headers_done &&
			exchange->trouble == TROUBLE_NONE && exchange->status / 100 == 2)
		{
			request->status = exchange->status;
			break;
		}
		link_http_sleep(http);
	}
	exchange->delivering = request->streamed && request->status / 100 == 2;
}

Size
link_http_read(LinkHttp *http, LinkHttpRequest *request, void *to, Size size)
{
	LinkHttpExchange *exchange = request->exchange;

	if (!exchange->delivering)
	{
		link_http_wait_headers(http, request);
		if (request->state == LINK_HTTP_FAILED)
			link_http_raise(http, request);
		if (!exchange->delivering)
			elog(ERROR, "answer with HTTP status %ld is no stream", request->status);
	}
	for (;;)
	{
		/* also when all of it is here: others are on their way */
		link_http_move(http);
		if (exchange->ring_used > 0)
			return link_http_ring_get(exchange, to, size);
		if (request->state == LINK_HTTP_DONE)
			return 0;
		if (request->state == LINK_HTTP_FAILED)
			link_http_raise(http, request);
		link_http_sleep(http);
	}
}

const char *
link_http_answer_header(LinkHttpRequest *request, const char *name)
{
	LinkHttpExchange *exchange = request->exchange;
	size_t		len;
	const char *value;
	char	   *copy;

	value = exchange ? link_http_find_header(exchange, name, &len) : NULL;
	if (value == NULL)
		return NULL;
	copy = MemoryContextAlloc(exchange->context, len + 1);
	memcpy(copy, value, len);
	copy[len] = '\0';
	return copy;
}

void
link_http_finish(LinkHttp *http, LinkHttpRequest *request)
{
	LinkHttpExchange *exchange = request->exchange;

	if (exchange == NULL)
		return;
	request->exchange = NULL;
	request->failure = NULL;
	memset(&request->answer, 0, sizeof(request->answer));
	MemoryContextDelete(exchange->context);
}

void
link_http_raise(LinkHttp *http, LinkHttpRequest *request)
{
	LinkHttpExchange *exchange = request->exchange;
	const char *failure = request->failure ? request->failure : "the request failed";

	if (http->options)
		failure = link_options_scrub(http->options, failure);
	ereport(ERROR,
			(errcode(request->failure_sqlstate ? request->failure_sqlstate : ERRCODE_LINK_FAILED),
			 http->link_name ?
			 errmsg("%s through link %s: %s", request->what, http->link_name, failure) :
			 errmsg("%s: %s", request->what, failure),
			 exchange && exchange->hint ? errhint("%s", exchange->hint) : 0));
}

/*
 * Abort paths.
 */

/*
 * Put the request into flight, and let nothing that is thrown meanwhile come
 * out.  The caller is about to rethrow an error, which has to be on top of the
 * error stack afterwards as it was before: so it is copied, and raised again
 * into a handler that does nothing.
 */
static bool
begin_quietly(LinkHttp *http, LinkHttpRequest *request, int timeout_ms)
{
	MemoryContext caller = CurrentMemoryContext;
	uint32		holdoff = InterruptHoldoffCount;
	ErrorData  *volatile handled = NULL;
	volatile bool begun = false;
	volatile bool lost = false;

	MemoryContextSwitchTo(http->context);
	PG_TRY();
	{
		/* throws if there is no error to copy; none is kept when the process ends, and none can be caught */
		if (!proc_exit_inprogress)
			handled = CopyErrorData();
	}
	PG_CATCH();
	{
		FlushErrorState();
	}
	PG_END_TRY();

	MemoryContextSwitchTo(http->context);
	PG_TRY();
	{
		LinkHttpExchange *exchange = open_exchange(http, request);

		if (curl_easy_setopt(exchange->easy, CURLOPT_TIMEOUT_MS, (long) timeout_ms) == CURLE_OK)
		{
			link_http_attempt_begin(exchange);
			begun = true;
		}
	}
	PG_CATCH();
	{
		FlushErrorState();
		lost = true;
	}
	PG_END_TRY();

	if (lost && handled)
	{
		PG_TRY();
		{
			ReThrowError(handled);
		}
		PG_CATCH();
		{
		}
		PG_END_TRY();
	}

	InterruptHoldoffCount = holdoff;
	MemoryContextSwitchTo(caller);
	if (handled)
		FreeErrorData(handled);
	return begun;
}

bool
link_http_attempt_once(LinkHttp *http, LinkHttpRequest *request, int timeout_ms, bool stoppable)
{
	int64		deadline = link_http_now() + timeout_ms;
	LinkHttpExchange *exchange;
	const char *problem;
	bool		answered;

	if (http->multi == NULL || getenv("SSLKEYLOGFILE") != NULL ||
		!begin_quietly(http, request, timeout_ms))
		return false;
	exchange = request->exchange;
	while (link_http_pump(http, &problem) && !exchange->ended && link_http_now() < deadline &&
		   !(stoppable && (QueryCancelPending || ProcDiePending)))
		link_http_sleep_quietly(http, deadline);

	answered = exchange->ended && exchange->result == CURLE_OK &&
		exchange->trouble == TROUBLE_NONE && link_http_keep_answer(exchange);
	link_http_attempt_end(exchange);
	request->status = answered ? exchange->status : 0;
	request->state = answered ? LINK_HTTP_DONE : LINK_HTTP_FAILED;
	request->failure_sqlstate = answered ? 0 : ERRCODE_LINK_FAILED;
	return answered;
}
