/*-------------------------------------------------------------------------
 *
 * http_retry.c
 *	  What became of an attempt, and what follows: an answer, a failure, or
 *	  another attempt.  Nobody else retries.
 *
 * The time budget (link.retry_timeout) runs from the moment at which the first
 * attempt that failed had last got on, so that a long upload that breaks near
 * its end is tried again, and one that hangs is not tried for ever.  A stream
 * that has got on by LINK_MIN_PROGRESS begins anew.
 *
 * A name that cannot be resolved is not tried again unless the server has
 * answered before: it is misspelt far more often than name servers fail.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "utils/memutils.h"

#include "bounds.h"
#include "errors.h"
#include "guc.h"
#include "http/count.h"
#include "http/http_internal.h"

/* ms; the nth wait is a random part of FIRST_WAIT * 2^n, at most MAX_WAIT. */
#define FIRST_WAIT 100
#define MAX_WAIT 5000

/* What went wrong in an attempt. */
typedef struct Cause
{
	const char *text;			/* printable */
	const char *hint;			/* or NULL */
	int			sqlstate;
	bool		again;			/* another attempt may go better */
} Cause;

bool
link_http_retryable(long status)
{
	return status == 408 || status == 429 || status == 500 ||
		status == 502 || status == 503 || status == 504;
}

/*
 * An answer may ask for another attempt.  429 and 503 say that nothing was
 * done; the others leave that open.
 */
static bool
answer_asks_again(LinkHttpExchange *exchange)
{
	LinkHttpRequest *request = exchange->request;

	if (link_http_retryable(exchange->status))
		return request->idempotent || exchange->status == 429 || exchange->status == 503;
	return exchange->http->retry_hook &&
		!(request->streamed && exchange->status / 100 == 2) &&
		exchange->http->retry_hook(request);
}

/*
 * Causes.
 */

static void
cause_from_trouble(LinkHttpExchange *exchange, Cause *cause)
{
	cause->again = false;
	cause->sqlstate = ERRCODE_LINK_PROTOCOL;
	switch (exchange->trouble)
	{
		case TROUBLE_MEMORY:
			cause->sqlstate = ERRCODE_OUT_OF_MEMORY;
			cause->text = "out of memory";
			break;
		case TROUBLE_HEADERS:
			cause->text = psprintf("the headers of the answer are larger than %d bytes", LINK_MAX_HEADERS);
			break;
		case TROUBLE_ANSWER:
			cause->text = psprintf("the answer is larger than %zu bytes",
								   exchange->request->answer_limit > 0 ?
								   exchange->request->answer_limit : LINK_MAX_SMALL_ANSWER);
			break;
		case TROUBLE_CHANGED:
			cause->sqlstate = ERRCODE_LINK_CORRUPT;
			cause->text = "it was changed while it was read";
			break;
		case TROUBLE_REST:
			cause->sqlstate = ERRCODE_LINK_CORRUPT;
			cause->text = psprintf("the connection broke after " UINT64_FORMAT " bytes, and the server does not send the rest",
								   exchange->request->received);
			break;
		case TROUBLE_NONE:
			Assert(false);
			break;
	}
}

/* No request left us: it may be sent again, whatever it was. */
static bool
nothing_sent(LinkHttpExchange *exchange)
{
	long		size = 0;

	return curl_easy_getinfo(exchange->easy, CURLINFO_REQUEST_SIZE, &size) == CURLE_OK && size == 0;
}

static void
cause_from_curl(LinkHttpExchange *exchange, Cause *cause)
{
	LinkHttpRequest *request = exchange->request;
	bool		unsent = nothing_sent(exchange);

	cause->text = exchange->error[0] ? link_printable(exchange->error, strlen(exchange->error)) :
		curl_easy_strerror(exchange->result);
	cause->sqlstate = unsent ? ERRCODE_LINK_UNREACHABLE : ERRCODE_LINK_FAILED;
	cause->again = unsent || (request->streamed && request->received > 0 ?
							  request->resumable : request->idempotent);

	switch (exchange->result)
	{
		case CURLE_COULDNT_RESOLVE_PROXY:
		case CURLE_COULDNT_RESOLVE_HOST:
			cause->sqlstate = ERRCODE_LINK_UNREACHABLE;
			cause->again = exchange->http->answered;
			break;
		case CURLE_COULDNT_CONNECT:
		case CURLE_SSL_CONNECT_ERROR:
			cause->sqlstate = ERRCODE_LINK_UNREACHABLE;
			break;
		case CURLE_OPERATION_TIMEDOUT:
		case CURLE_SEND_ERROR:
		case CURLE_RECV_ERROR:
		case CURLE_GOT_NOTHING:
		case CURLE_SEND_FAIL_REWIND:
			break;
		case CURLE_PARTIAL_FILE:
			if (request->streamed)
				cause->sqlstate = ERRCODE_LINK_CORRUPT;
			break;
#if LIBCURL_VERSION_NUM >= 0x080600
		case CURLE_TOO_LARGE:
#endif
		case CURLE_OUT_OF_MEMORY:
			cause->sqlstate = ERRCODE_OUT_OF_MEMORY;
			cause->again = false;

			/* so libcurl calls a line longer than the 100 kB that it takes */
			if (!unsent && !exchange->headers_done)
			{
				cause->sqlstate = ERRCODE_LINK_PROTOCOL;
				cause->text = "a line of the answer's headers is too long";
			}
			break;
		case CURLE_PEER_FAILED_VERIFICATION:
			cause->sqlstate = ERRCODE_LINK_UNREACHABLE;
			cause->hint = "If an authority of your own signed the server's certificate, give its certificate as ca_certificate in CONFIG.";
			cause->again = false;
			break;
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_BAD_CONTENT_ENCODING:
		case CURLE_WRITE_ERROR:
			cause->sqlstate = ERRCODE_LINK_PROTOCOL;
			cause->again = false;
			break;
		default:
			/* whatever else there is, a second time is the same */
			cause->again = false;
			break;
	}

	if (exchange->refused && !exchange->opened)
	{
		cause->text = exchange->refusal.problem;
		cause->hint = MemoryContextStrdup(exchange->context,
										  psprintf("Add \"%s\" to link.allowed_hosts.",
												   exchange->refusal.entry));
		cause->sqlstate = ERRCODE_LINK_UNREACHABLE;
		cause->again = false;
	}
}

/* An answer to the request for the rest of a stream that is not the rest. */
static void
cause_from_status(LinkHttpExchange *exchange, Cause *cause)
{
	cause->again = link_http_retryable(exchange->status);
	if (exchange->status == 412 || exchange->status == 416 || exchange->status == 404)
	{
		cause->sqlstate = ERRCODE_LINK_CORRUPT;
		cause->text = "it was changed while it was read";
	}
	else
	{
		cause->sqlstate = ERRCODE_LINK_FAILED;
		cause->text = psprintf("HTTP %ld to the request for the rest after " UINT64_FORMAT " bytes",
							   exchange->status, exchange->request->received);
	}
}

/*
 * What follows.
 */

/* What the server calls this request, for whoever looks for it in the server's log. */
static void
keep_request_id(LinkHttpExchange *exchange)
{
	LinkHttp   *http = exchange->http;
	const char *value = NULL;
	size_t		len = 0;
	MemoryContext caller;
	char	   *id;

	link_http_counts.request_id[0] = '\0';
	if (http->request_id_header)
		value = link_http_find_header(exchange, http->request_id_header, &len);
	if (value == NULL || len >= LINK_REQUEST_ID_SIZE)
		return;
	caller = MemoryContextSwitchTo(exchange->context);
	id = pnstrdup(value, len);
	if (http->options)
		id = link_options_scrub(http->options, id);
	strlcpy(link_http_counts.request_id, id, LINK_REQUEST_ID_SIZE);
	MemoryContextSwitchTo(caller);
}

/* Another attempt, if the budget allows it: after which wait.  -1: no more. */
static int64
wait_before_next(LinkHttpExchange *exchange)
{
	LinkHttp   *http = exchange->http;
	LinkHttpRequest *request = exchange->request;
	int64		now = link_http_now();
	int64		longest;
	int64		wait;
	curl_off_t	retry_after = 0;
	int			most = http->max_retries;

	if (request->probe && (most < 0 || most > 1))
		most = 1;
	if (exchange->budget_end == 0 || request->received >= exchange->received + LINK_MIN_PROGRESS)
	{
		bool		got_on = request->received > exchange->received || exchange->sent > 0;

		/* a transfer that hung got on last before the time it was left to hang */
		if (exchange->result == CURLE_OPERATION_TIMEDOUT)
			got_on = false;
		exchange->failures = 0;
		exchange->received = request->received;
		exchange->budget_end = (got_on ? now : exchange->attempt_started) + link_retry_timeout;
	}

	longest = Min((int64) FIRST_WAIT << Min(exchange->failures, 10), MAX_WAIT);
	wait = (int64) (longest * pg_prng_double(&pg_global_prng_state));
#if LIBCURL_VERSION_NUM >= 0x074200
	if (curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK)
		wait = Max(wait, Min((int64) retry_after, INT_MAX) * 1000);
#endif
	if ((most >= 0 && exchange->failures >= most) ||
		(request->probe && wait > MAX_WAIT) ||
		now + wait >= exchange->budget_end)
		return -1;
	exchange->failures++;
	return wait;
}

static void
fail(LinkHttpExchange *exchange, const Cause *cause)
{
	LinkHttpRequest *request = exchange->request;
	double		seconds = (link_http_now() - exchange->started) / 1000.0;
	MemoryContext caller = MemoryContextSwitchTo(exchange->context);

	request->failure = request->attempts > 1 ?
		psprintf("after %d attempts in %.1f s: %s", request->attempts, seconds, cause->text) :
		pstrdup(cause->text);
	request->failure_sqlstate = cause->sqlstate;
	exchange->hint = cause->hint;
	request->state = LINK_HTTP_FAILED;
	MemoryContextSwitchTo(caller);
}

void
link_http_settle(LinkHttpExchange *exchange)
{
	LinkHttpRequest *request = exchange->request;
	Cause		cause = {0};
	bool		answered = exchange->trouble == TROUBLE_NONE && exchange->result == CURLE_OK;
	bool		whole = false;
	int64		wait;

	/* out of flight first: what follows may throw */
	link_http_attempt_end(exchange);
	request->state = LINK_HTTP_FAILED;
	request->failure_sqlstate = ERRCODE_LINK_FAILED;
	request->status = exchange->trouble == TROUBLE_NONE && exchange->headers_done ? exchange->status : 0;
	keep_request_id(exchange);
	if (answered)
		exchange->http->answered = true;

	if (exchange->trouble != TROUBLE_NONE)
		cause_from_trouble(exchange, &cause);
	else if (!answered)
		cause_from_curl(exchange, &cause);
	else if (exchange->delivering && exchange->status / 100 != 2)
		cause_from_status(exchange, &cause);
	else
	{
		/* an answer, whatever it says, unless it asks for another attempt */
		whole = true;
		if (!link_http_keep_answer(exchange))
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory")));
		cause.again = answer_asks_again(exchange);
	}

	if (cause.again && (wait = wait_before_next(exchange)) >= 0)
	{
		exchange->next_attempt = link_http_now() + wait;
		request->failure_sqlstate = 0;
		request->state = LINK_HTTP_WAITING;
	}
	else if (whole)
	{
		request->failure_sqlstate = 0;
		request->state = LINK_HTTP_DONE;
	}
	else
		fail(exchange, &cause);
}
