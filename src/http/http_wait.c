/*-------------------------------------------------------------------------
 *
 * http_wait.c
 *	  Moving transfers: libcurl says which sockets it waits for and until when;
 *	  all of them are collected in one epoll descriptor, so that a backend waits
 *	  for its latch and a single descriptor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"

#include "compat.h"
#include "errors.h"
#include "http/http_internal.h"

/* Sockets served in one turn; there are seldom more than four. */
#define MAX_EVENTS 16

/* ms between two turns; more means that the caller was busy elsewhere. */
#define ABSENCE 1000

int64
link_http_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
}

void
link_http_block_signals(sigset_t *saved)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
}

void
link_http_unblock_signals(const sigset_t *saved)
{
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/* CURLMOPT_SOCKETFUNCTION */
static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	LinkHttp   *http = arg;
	struct epoll_event event = {0};

	if (what == CURL_POLL_REMOVE)
	{
		/* fails if the socket is closed already, which is as good */
		(void) epoll_ctl(http->epoll_fd, EPOLL_CTL_DEL, fd, &event);
		return 0;
	}
	event.data.fd = fd;
	if (what != CURL_POLL_OUT)
		event.events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		event.events |= EPOLLOUT;
	if (epoll_ctl(http->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0 ||
		(errno == ENOENT && epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0))
		return 0;
	return -1;
}

/* CURLMOPT_TIMERFUNCTION */
static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	LinkHttp   *http = arg;

	http->timer = timeout_ms < 0 ? 0 : link_http_now() + timeout_ms;
	return 0;
}

#define CHECK_MSETOPT(multi, option, value) \
	do { \
		CURLMcode	code_ = curl_multi_setopt(multi, option, value); \
		if (code_ != CURLM_OK) \
			elog(ERROR, "could not set %s of libcurl: %s", #option, curl_multi_strerror(code_)); \
	} while (0)

void
link_http_open_multi(LinkHttp *http)
{
	sigset_t	saved;

	http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (http->epoll_fd < 0)
		ereport(ERROR,
				(errcode_for_socket_access(),
				 errmsg("could not create an epoll descriptor: %m")));
	link_http_block_signals(&saved);
	http->multi = curl_multi_init();
	link_http_unblock_signals(&saved);
	if (http->multi == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not start libcurl")));
	link_http_watch(http);
}

void
link_http_watch(LinkHttp *http)
{
	CHECK_MSETOPT(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	CHECK_MSETOPT(http->multi, CURLMOPT_SOCKETDATA, http);
	CHECK_MSETOPT(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	CHECK_MSETOPT(http->multi, CURLMOPT_TIMERDATA, http);
}

/* Note which attempts have ended. */
static void
read_messages(LinkHttp *http)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(http->multi, &left)) != NULL)
	{
		char	   *private = NULL;
		LinkHttpExchange *exchange;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		exchange = (LinkHttpExchange *) private;
		exchange->ended = true;
		exchange->result = message->data.result;
	}
}

/*
 * A query may keep us from our transfers for minutes.  The time-outs that libcurl
 * then reports are our own doing, so that time does not count against the budget
 * for other attempts.
 */
static void
excuse_absence(LinkHttp *http)
{
	int64		now = link_http_now();
	int64		away = now - http->served;
	dlist_iter	iter;

	http->served = now;
	if (away < ABSENCE)
		return;
	dlist_foreach(iter, &http->exchanges)
	{
		LinkHttpExchange *exchange = dlist_container(LinkHttpExchange, node, iter.cur);

		exchange->attempt_started = Min(exchange->attempt_started + away, now);
		exchange->moved = Min(exchange->moved + away, now);
		if (exchange->budget_end != 0)
			exchange->budget_end += away;
	}
}

/* Headers and body, both ways. */
static int64
bytes_moved(CURL *easy)
{
	long		request = 0;
	long		headers = 0;
	curl_off_t	up = 0;
	curl_off_t	down = 0;

	(void) curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request);
	(void) curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &headers);
	(void) curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &up);
	(void) curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	return (int64) request + headers + up + down;
}

/*
 * End attempts that have stood still for request_timeout.  libcurl's own watch
 * goes by the average speed of some seconds, so it sees a transfer that stops
 * only long after; it is left to end those that crawl.
 */
static void
end_hung(LinkHttp *http)
{
	int64		now = link_http_now();
	dlist_iter	iter;

	dlist_foreach(iter, &http->exchanges)
	{
		LinkHttpExchange *exchange = dlist_container(LinkHttpExchange, node, iter.cur);
		int64		bytes;

		if (!exchange->in_multi || exchange->ended)
			continue;
		bytes = bytes_moved(exchange->easy);
		if (bytes != exchange->moved_bytes || bytes == 0 || exchange->paused)
		{
			exchange->moved = now;
			exchange->moved_bytes = bytes;
		}
		else if (now - exchange->moved >= http->request_timeout)
		{
			exchange->ended = true;
			exchange->result = CURLE_OPERATION_TIMEDOUT;
			snprintf(exchange->error, sizeof(exchange->error),
					 "nothing was sent or received for %d ms", http->request_timeout);
		}
	}
}

/*
 * Acknowledge at once what was received.  A server that sends the headers of an
 * answer by themselves, and waits with the next bytes for them to be acknowledged
 * (Nagle's algorithm; radosgw does), would otherwise have every small answer last
 * the 40 ms that the kernel delays that.  It may fail: the socket may be closed.
 */
static void
acknowledge(int fd)
{
	int			on = 1;

	(void) setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

bool
link_http_pump(LinkHttp *http, const char **problem)
{
	struct epoll_event events[MAX_EVENTS];
	int			n = epoll_wait(http->epoll_fd, events, MAX_EVENTS, 0);
	bool		timer_due = http->timer != 0 && http->timer <= link_http_now();
	CURLMcode	code = CURLM_OK;
	sigset_t	saved;
	int			running;

	excuse_absence(http);
	if (n <= 0 && !timer_due)
	{
		end_hung(http);
		return true;
	}

	link_http_block_signals(&saved);
	for (int i = 0; i < n && code == CURLM_OK; i++)
	{
		int			mask = 0;

		if (events[i].events & EPOLLIN)
			mask |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			mask |= CURL_CSELECT_OUT;
		/* an answer may have arrived before the reset: let it be read */
		if (events[i].events & (EPOLLERR | EPOLLHUP))
			mask |= CURL_CSELECT_IN | CURL_CSELECT_OUT;
		code = curl_multi_socket_action(http->multi, events[i].data.fd, mask, &running);
		if (events[i].events & EPOLLIN)
			acknowledge(events[i].data.fd);
	}
	if (timer_due && code == CURLM_OK)
	{
		http->timer = 0;
		code = curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	link_http_unblock_signals(&saved);
	read_messages(http);
	end_hung(http);

	*problem = code == CURLM_OK ? NULL : curl_multi_strerror(code);
	return code == CURLM_OK;
}

/* An exchange that has a step to take, or NULL. */
static LinkHttpExchange *
next_due(LinkHttp *http)
{
	dlist_iter	iter;

	dlist_foreach(iter, &http->exchanges)
	{
		LinkHttpExchange *exchange = dlist_container(LinkHttpExchange, node, iter.cur);

		if (exchange->request->state == LINK_HTTP_RUNNING ? exchange->ended :
			exchange->request->state == LINK_HTTP_WAITING &&
			exchange->next_attempt <= link_http_now())
			return exchange;
	}
	return NULL;
}

/*
 * The list is searched anew after each step: a step calls back into the
 * provider, which may need a request of its own (to renew credentials).
 */
void
link_http_move(LinkHttp *http)
{
	LinkHttpExchange *exchange;
	const char *problem;

	if (!link_http_pump(http, &problem))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_FAILED),
				 errmsg("libcurl failed: %s", problem)));
	while ((exchange = next_due(http)) != NULL)
	{
		if (exchange->request->state == LINK_HTTP_RUNNING)
			link_http_settle(exchange);
		else
			link_http_attempt_begin(exchange);
	}
}

/*
 * ms until libcurl's timer, the end of a transfer that stands still, or the next
 * attempt if asked for; -1: nothing is set.
 */
static int64
next_timeout(LinkHttp *http, bool attempts)
{
	int64		at = http->timer;
	dlist_iter	iter;

	dlist_foreach(iter, &http->exchanges)
	{
		LinkHttpExchange *exchange = dlist_container(LinkHttpExchange, node, iter.cur);
		int64		due = 0;

		if (attempts && exchange->request->state == LINK_HTTP_WAITING)
			due = exchange->next_attempt;
		else if (exchange->in_multi && !exchange->paused && exchange->moved_bytes > 0)
			due = exchange->moved + http->request_timeout;
		if (due != 0 && (at == 0 || due < at))
			at = due;
	}
	return at == 0 ? -1 : Max(at - link_http_now(), 0);
}

void
link_http_sleep(LinkHttp *http)
{
	static uint32 wait_event = 0;
	int64		timeout = next_timeout(http, true);
	int			events = WL_LATCH_SET | WL_SOCKET_READABLE | WL_EXIT_ON_PM_DEATH;

	if (wait_event == 0)
		wait_event = link_wait_event("LinkHttp");
	if (timeout >= 0)
		events |= WL_TIMEOUT;
	if (WaitLatchOrSocket(MyLatch, events, http->epoll_fd, timeout, wait_event) & WL_LATCH_SET)
		ResetLatch(MyLatch);
	http->served = link_http_now();
	CHECK_FOR_INTERRUPTS();
}

void
link_http_sleep_quietly(LinkHttp *http, int64 deadline)
{
	struct epoll_event event;
	int64		timeout = next_timeout(http, false);
	int64		left = Max(deadline - link_http_now(), 0);

	if (timeout < 0 || timeout > left)
		timeout = left;

	/* a signal ends it early, which does no harm */
	(void) epoll_wait(http->epoll_fd, &event, 1, (int) timeout);
}
