/*-------------------------------------------------------------------------
 *
 * http_internal.h
 *	  Inside the HTTP engine.
 *
 *	http.c			 sessions, and what http.h promises
 *	http_wait.c		 moving transfers: sockets, timers, the latch
 *	http_exchange.c	 one request's handle: its options, headers, life
 *	http_callbacks.c what libcurl calls
 *	http_retry.c	 what became of an attempt, and what follows
 *	http_pool.c		 connections that wait for the next session of their link
 *
 * Memory: a LinkHttp and its exchanges have a context each, with a callback that
 * frees what libcurl and malloc gave.  Whatever a callback of libcurl touches is
 * malloc'd, or was allocated before the transfer began.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_HTTP_INTERNAL_H
#define LINK_HTTP_INTERNAL_H

#include "postgres.h"

#include <signal.h>

#include "lib/ilist.h"

#include "http/http.h"
#include "http/policy.h"

struct LinkHttp
{
	MemoryContextCallback callback;
	MemoryContext context;
	dlist_node	node;			/* in the list of sessions to close at exit */
	dlist_head	exchanges;		/* all that are not finished with */
	CURLM	   *multi;			/* NULL once closed */
	int			epoll_fd;		/* holds libcurl's sockets; -1 if none */
	int			reserved_fds;	/* taken by AcquireExternalFD() */
	int64		timer;			/* libcurl wants to be called at this ms; 0: no */
	int64		served;			/* ms when transfers were last looked after */

	char	   *ca_certificate; /* or NULL */
	int			connect_timeout;	/* ms */
	int			request_timeout;	/* ms */
	int			max_retries;	/* < 0: any number */
	const LinkOptions *options;
	const char *link_name;
	int64		link_id;
	uint64		link_version;
	const char *request_id_header;	/* or NULL */
	bool		direct;			/* past the proxy */
	LinkHttpRetryHook retry_hook;
	bool		answered;		/* the server has, at least once */
};

/* What a callback of libcurl found and could not raise. */
typedef enum Trouble
{
	TROUBLE_NONE,
	TROUBLE_MEMORY,
	TROUBLE_HEADERS,			/* more than LINK_MAX_HEADERS */
	TROUBLE_ANSWER,				/* more than answer_limit */
	TROUBLE_CHANGED,			/* another version of what was being streamed */
	TROUBLE_REST				/* not the rest of it */
} Trouble;

/* Bytes in malloc'd memory. */
typedef struct Bytes
{
	char	   *data;
	size_t		length;
	size_t		size;
} Bytes;

typedef struct LinkHttpExchange
{
	MemoryContextCallback callback;
	MemoryContext context;		/* holds this and what the request gets */
	dlist_node	node;
	LinkHttp   *http;
	LinkHttpRequest *request;

	/* whom to ask */
	const char *url;			/* request->url, as of 'host' */
	char	   *host;
	int			port;
	bool		tls;
	bool		proxied;

	/* one attempt */
	CURL	   *easy;
	bool		in_multi;
	struct curl_slist *headers; /* holds credentials */
	size_t		sent;			/* of request->body */
	long		status;			/* of the answer that is arriving */
	bool		headers_done;
	Bytes		answer_headers;
	size_t		header_bytes;	/* with those of interim answers */
	Bytes		answer;
	Trouble		trouble;
	bool		opened;			/* a socket was allowed */
	bool		refused;		/* one was not: see refusal */
	LinkPolicyRefusal refusal;
	bool		ended;			/* the attempt is over: see result */
	CURLcode	result;
	char		error[CURL_ERROR_SIZE];

	/* a streamed answer */
	char	   *ring;
	Size		ring_size;
	Size		ring_start;
	Size		ring_used;
	bool		paused;
	bool		delivering;		/* the caller knows the headers */
	int64		first_byte;		/* of the first answer; -1 if it did not say */
	char		etag[128];		/* of the first answer; "" if none, or longer */

	/* all attempts */
	int64		started;		/* ms */
	int64		attempt_started;
	int64		moved;			/* ms when it last got on, or was not to blame for standing still */
	int64		moved_bytes;	/* to and fro until then, 0 while it connects */
	int64		budget_end;		/* no attempt begins after it; 0: none has failed */
	int64		next_attempt;	/* WAITING: ms */
	uint64		received;		/* request->received at the last failure */
	int			failures;		/* since there was progress */
	const char *hint;			/* FAILED: a sentence, or NULL */
} LinkHttpExchange;

/* ---- http_wait.c ---- */

/* Monotonic milliseconds, never 0. */
extern int64 link_http_now(void);

/*
 * libcurl may start a thread (to resolve names) in nearly any call, and a thread
 * inherits the signal mask: signals are for the backend's own thread alone.
 */
extern void link_http_block_signals(sigset_t *saved);
extern void link_http_unblock_signals(const sigset_t *saved);

/* Make epoll_fd and multi; throws. */
extern void link_http_open_multi(LinkHttp *http);

/*
 * Serve the sockets and timers that are due, and note which attempts have ended.
 * False with a static text in *problem if libcurl fails as a whole.
 */
extern bool link_http_pump(LinkHttp *http, const char **problem);

/* Pump, then let every exchange whose attempt is over or due take its next step. */
extern void link_http_move(LinkHttp *http);

/* Until something may have happened; interruptible. */
extern void link_http_sleep(LinkHttp *http);

/* The same without latch and interrupts, until 'deadline' at most. */
extern void link_http_sleep_quietly(LinkHttp *http, int64 deadline);

/* Make libcurl call us for this session. */
extern void link_http_watch(LinkHttp *http);

/* ---- http_pool.c ---- */

/* Take waiting connections of the link over; false if there are none. */
extern bool link_http_pool_take(LinkHttp *http);

/* Let them wait.  No transfer is in flight; 'http' has no handles afterwards. */
extern void link_http_pool_give(LinkHttp *http);

/* ---- http_exchange.c ---- */

/* Throws 08001 if the host is not allowed. */
extern LinkHttpExchange *link_http_exchange_create(LinkHttp *http, LinkHttpRequest *request);

/* Takes the handle away and wipes; the memory stays. */
extern void link_http_exchange_close(LinkHttpExchange *exchange);

/* Ask the caller for headers, and put the handle into flight. */
extern void link_http_attempt_begin(LinkHttpExchange *exchange);

/* Out of flight, headers wiped; what arrived stays. */
extern void link_http_attempt_end(LinkHttpExchange *exchange);

/* Copy what was buffered to request->answer; false if there is no memory. */
extern bool link_http_keep_answer(LinkHttpExchange *exchange);

/* ---- http_callbacks.c ---- */

/* Options of libcurl that are functions; the last argument is the exchange. */
extern size_t link_http_take_header(char *data, size_t one, size_t n, void *arg);
extern size_t link_http_take_body(char *data, size_t one, size_t n, void *arg);
extern size_t link_http_give_body(char *to, size_t one, size_t n, void *arg);
extern int	link_http_seek_body(void *arg, curl_off_t offset, int origin);
extern int	link_http_count_sending(void *arg, char *server_ip, char *local_ip,
									int server_port, int local_port);
extern curl_socket_t link_http_open_socket(void *arg, curlsocktype purpose,
										   struct curl_sockaddr *address);

extern void link_http_bytes_free(Bytes *bytes);

/* Value of an answer header, not NUL-terminated, or NULL. */
extern const char *link_http_find_header(const LinkHttpExchange *exchange,
										 const char *name, size_t *len);

extern Size link_http_ring_get(LinkHttpExchange *exchange, void *to, Size size);

/* ---- http_retry.c ---- */

/* The attempt has ended: the request becomes DONE, FAILED or WAITING. */
extern void link_http_settle(LinkHttpExchange *exchange);

#endif							/* LINK_HTTP_INTERNAL_H */
