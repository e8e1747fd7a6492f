/*-------------------------------------------------------------------------
 *
 * http_callbacks.c
 *	  The callbacks by which libcurl takes and gives the bytes of a request.
 *
 * They neither throw nor palloc: they note what they find in the exchange, and
 * http_retry.c makes an outcome of it after libcurl has returned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "bounds.h"
#include "guc.h"
#include "http/http_internal.h"

/*
 * Bytes.
 */

static bool
bytes_append(Bytes *bytes, const char *data, size_t n)
{
	if (bytes->size - bytes->length < n)
	{
		size_t		size = Max(Max(bytes->size * 2, bytes->length + n), 1024);
		char	   *bigger = realloc(bytes->data, size);

		if (bigger == NULL)
			return false;
		bytes->data = bigger;
		bytes->size = size;
	}
	memcpy(bytes->data + bytes->length, data, n);
	bytes->length += n;
	return true;
}

void
link_http_bytes_free(Bytes *bytes)
{
	free(bytes->data);
	memset(bytes, 0, sizeof(*bytes));
}

const char *
link_http_find_header(const LinkHttpExchange *exchange, const char *name, size_t *len)
{
	const char *p = exchange->answer_headers.data;
	const char *end = p + exchange->answer_headers.length;
	size_t		name_len = strlen(name);

	while (p < end)
	{
		const char *newline = memchr(p, '\n', end - p);
		const char *line_end = newline ? newline : end;

		if (line_end - p > name_len && p[name_len] == ':' && pg_strncasecmp(p, name, name_len) == 0)
		{
			p += name_len + 1;
			while (p < line_end && (*p == ' ' || *p == '\t'))
				p++;
			while (line_end > p && (line_end[-1] == ' ' || line_end[-1] == '\t' || line_end[-1] == '\r'))
				line_end--;
			*len = line_end - p;
			return p;
		}
		p = line_end + 1;
	}
	return NULL;
}

/*
 * The ring.
 */

static void
ring_put(LinkHttpExchange *exchange, const char *data, Size n)
{
	Size		at = (exchange->ring_start + exchange->ring_used) % exchange->ring_size;
	Size		first = Min(n, exchange->ring_size - at);

	memcpy(exchange->ring + at, data, first);
	memcpy(exchange->ring, data + first, n - first);
	exchange->ring_used += n;
}

/* A transfer that was paused goes on when half of the ring is free. */
Size
link_http_ring_get(LinkHttpExchange *exchange, void *to, Size size)
{
	Size		n = Min(size, exchange->ring_used);
	Size		first = Min(n, exchange->ring_size - exchange->ring_start);

	memcpy(to, exchange->ring + exchange->ring_start, first);
	memcpy((char *) to + first, exchange->ring, n - first);
	exchange->ring_start = (exchange->ring_start + n) % exchange->ring_size;
	exchange->ring_used -= n;

	if (exchange->paused && exchange->in_multi && exchange->ring_used <= exchange->ring_size / 2)
	{
		sigset_t	saved;

		/* it may call the write callback, which may pause it again */
		exchange->paused = false;
		link_http_block_signals(&saved);
		(void) curl_easy_pause(exchange->easy, CURLPAUSE_CONT);
		link_http_unblock_signals(&saved);
	}
	return n;
}

/*
 * The callbacks.
 */

/* First byte of an answer that is a range; -1 if it does not say. */
static int64
first_of_range(const LinkHttpExchange *exchange)
{
	size_t		len;
	const char *range = link_http_find_header(exchange, "content-range", &len);
	int64		first = 0;
	size_t		i;

	if (range == NULL || len < 8 || strncmp(range, "bytes ", 6) != 0)
		return -1;
	for (i = 6; i < len && range[i] >= '0' && range[i] <= '9' && i < 6 + 18; i++)
		first = first * 10 + (range[i] - '0');
	return i > 6 && i < len && range[i] == '-' ? first : -1;
}

/* Has the answer as many bytes as were asked for, as far as it says? */
static bool
announces_rest(const LinkHttpExchange *exchange)
{
	size_t		len;
	const char *length = link_http_find_header(exchange, "content-length", &len);
	char		text[24];

	snprintf(text, sizeof(text), INT64_FORMAT, exchange->request->rest);
	return length == NULL || (len == strlen(text) && memcmp(length, text, len) == 0);
}

static bool
is_stream(const LinkHttpExchange *exchange)
{
	return exchange->request->streamed && exchange->status / 100 == 2;
}

/*
 * All parts of a stream have to be of one version, and each has to begin where
 * the one before ended.
 */
static Trouble
check_stream(LinkHttpExchange *exchange)
{
	size_t		len;
	const char *etag = link_http_find_header(exchange, "etag", &len);
	int64		first = exchange->status == 206 ? first_of_range(exchange) : 0;

	if (!exchange->delivering && exchange->request->received == 0)
	{
		exchange->first_byte = first;
		exchange->etag[0] = '\0';
		if (etag && len < sizeof(exchange->etag))
		{
			memcpy(exchange->etag, etag, len);
			exchange->etag[len] = '\0';
		}
		return TROUBLE_NONE;
	}
	if (exchange->etag[0] && etag &&
		(strlen(exchange->etag) != len || memcmp(exchange->etag, etag, len) != 0))
		return TROUBLE_CHANGED;
	if (exchange->request->received > 0 && exchange->request->from_received)
		return announces_rest(exchange) ? TROUBLE_NONE : TROUBLE_REST;
	if (exchange->request->received > 0 &&
		(exchange->status != 206 || first < 0 ||
		 (exchange->first_byte >= 0 &&
		  first != exchange->first_byte + (int64) exchange->request->received)))
		return TROUBLE_REST;
	return TROUBLE_NONE;
}

/* CURLOPT_HEADERFUNCTION: one line at a time; interim answers come before the final one. */
size_t
link_http_take_header(char *data, size_t one, size_t n, void *arg)
{
	LinkHttpExchange *exchange = arg;

	exchange->header_bytes += n;
	if (exchange->header_bytes > LINK_MAX_HEADERS)
	{
		exchange->trouble = TROUBLE_HEADERS;
		return 0;
	}
	if (n > 5 && strncmp(data, "HTTP/", 5) == 0 && !exchange->headers_done)
	{
		const char *space = memchr(data, ' ', n);

		exchange->answer_headers.length = 0;
		exchange->status = 0;
		for (const char *p = space ? space + 1 : data + n; p < data + n && *p >= '0' && *p <= '9' && p < space + 4; p++)
			exchange->status = exchange->status * 10 + (*p - '0');
		return n;
	}
	if (!bytes_append(&exchange->answer_headers, data, n))
		exchange->trouble = TROUBLE_MEMORY;
	else if ((n == 2 || n == 1) && data[n - 1] == '\n' && exchange->status >= 200 &&
			 !exchange->headers_done)
	{
		exchange->headers_done = true;
		if (is_stream(exchange))
			exchange->trouble = check_stream(exchange);
	}
	return exchange->trouble == TROUBLE_NONE ? n : 0;
}

/* CURLOPT_WRITEFUNCTION */
size_t
link_http_take_body(char *data, size_t one, size_t n, void *arg)
{
	LinkHttpExchange *exchange = arg;
	LinkHttpRequest *request = exchange->request;

	if (is_stream(exchange))
	{
		if (exchange->ring_size - exchange->ring_used < n)
		{
			exchange->paused = true;
			return CURL_WRITEFUNC_PAUSE;
		}
		ring_put(exchange, data, n);
		request->received += n;
		return n;
	}
	if (exchange->answer.length + n >
		(request->answer_limit > 0 ? request->answer_limit : LINK_MAX_SMALL_ANSWER))
		exchange->trouble = TROUBLE_ANSWER;
	else if (!bytes_append(&exchange->answer, data, n))
		exchange->trouble = TROUBLE_MEMORY;
	return exchange->trouble == TROUBLE_NONE ? n : 0;
}

/* CURLOPT_READFUNCTION */
size_t
link_http_give_body(char *to, size_t one, size_t n, void *arg)
{
	LinkHttpExchange *exchange = arg;

	n = Min(n * one, exchange->request->body_length - exchange->sent);
	if (n > 0)
		memcpy(to, (const char *) exchange->request->body + exchange->sent, n);
	exchange->sent += n;
	return n;
}

/* CURLOPT_SEEKFUNCTION: libcurl sends anew on a connection that turned out to be dead. */
int
link_http_seek_body(void *arg, curl_off_t offset, int origin)
{
	LinkHttpExchange *exchange = arg;

	if (origin != SEEK_SET || offset < 0 || offset > exchange->request->body_length)
		return CURL_SEEKFUNC_FAIL;
	exchange->sent = offset;
	return CURL_SEEKFUNC_OK;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* CURLOPT_PREREQFUNCTION: the connection is there, the request follows. */
int
link_http_count_sending(void *arg, char *server_ip, char *local_ip, int server_port, int local_port)
{
	LinkHttpExchange *exchange = arg;

	exchange->request->sendings++;
	return CURL_PREREQFUNC_OK;
}
#endif

/*
 * CURLOPT_OPENSOCKETFUNCTION: the policy is about the address that is really
 * connected to.  A proxy is a superuser's choice, and knows itself what it may
 * connect to.
 */
curl_socket_t
link_http_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	LinkHttpExchange *exchange = arg;

	if (!exchange->proxied &&
		!link_policy_allows_address(link_allowed_hosts, exchange->host, exchange->port, exchange->tls,
									&address->addr, &exchange->refusal))
	{
		exchange->refused = true;
		return CURL_SOCKET_BAD;
	}
	exchange->opened = true;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}
