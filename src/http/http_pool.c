/*-------------------------------------------------------------------------
 *
 * http_pool.c
 *	  Connections that wait for the next session of their link.
 *
 * A connection costs several round trips, most of all with TLS, and small
 * transfers come one after the other.  What waits here holds no credential:
 * requests are signed one by one.  It is handed out only for the same version
 * of the same link's row under the same network policy, after the caller has
 * checked rights (SECURITY 13), and given up after a while, on DISCARD ALL, and
 * when any link is changed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "storage/fd.h"

#include "guc.h"
#include "http/http_internal.h"

/* Sessions of as many links as a backend uses in turn; each may hold some sockets. */
#define MAX_IDLE 4

/* ms: providers close idle connections after one minute or more (S3: about 20 s to 1 min) */
#define MAX_IDLE_TIME 30000

typedef struct IdleTransport
{
	CURLM	   *multi;			/* NULL: the place is free */
	int			epoll_fd;
	int			reserved_fds;
	int64		link_id;
	uint64		link_version;
	char	   *allowed_hosts;	/* strdup'd, as they were at the start */
	char	   *http_proxy;
	int64		since;			/* ms */
} IdleTransport;

static IdleTransport idle[MAX_IDLE];
static bool stale = false;

static void
drop(IdleTransport *transport)
{
	sigset_t	saved;

	if (transport->multi == NULL)
		return;
	link_http_block_signals(&saved);
	(void) curl_multi_cleanup(transport->multi);
	link_http_unblock_signals(&saved);
	transport->multi = NULL;
	close(transport->epoll_fd);
	for (; transport->reserved_fds > 0; transport->reserved_fds--)
		ReleaseExternalFD();
	free(transport->allowed_hosts);
	free(transport->http_proxy);
}

void
link_http_pool_clear(void)
{
	for (int i = 0; i < MAX_IDLE; i++)
		drop(&idle[i]);
	stale = false;
}

void
link_http_pool_invalidate(void)
{
	stale = true;
}

bool
link_http_pool_take(LinkHttp *http)
{
	bool		found = false;

	if (stale)
		link_http_pool_clear();
	for (int i = 0; i < MAX_IDLE; i++)
	{
		IdleTransport *transport = &idle[i];

		if (transport->multi == NULL)
			continue;
		if (link_http_now() - transport->since > MAX_IDLE_TIME ||
			strcmp(transport->allowed_hosts, link_allowed_hosts) != 0 ||
			strcmp(transport->http_proxy, link_http_proxy) != 0)
		{
			drop(transport);
			continue;
		}
		if (found || transport->link_id != http->link_id)
			continue;
		if (transport->link_version != http->link_version)
		{
			drop(transport);
			continue;
		}
		http->multi = transport->multi;
		http->epoll_fd = transport->epoll_fd;
		http->reserved_fds = transport->reserved_fds;
		transport->multi = NULL;
		free(transport->allowed_hosts);
		free(transport->http_proxy);
		found = true;
	}
	return found;
}

void
link_http_pool_give(LinkHttp *http)
{
	IdleTransport *place = &idle[0];
	char	   *allowed_hosts = strdup(link_allowed_hosts);
	char	   *http_proxy = strdup(link_http_proxy);

	/* a free place, or that of the one that waits longest */
	for (int i = 1; i < MAX_IDLE && place->multi != NULL; i++)
		if (idle[i].multi == NULL || idle[i].since < place->since)
			place = &idle[i];
	drop(place);
	if (allowed_hosts == NULL || http_proxy == NULL)
	{
		free(allowed_hosts);
		free(http_proxy);
		return;
	}
	place->multi = http->multi;
	place->epoll_fd = http->epoll_fd;
	place->reserved_fds = http->reserved_fds;
	place->link_id = http->link_id;
	place->link_version = http->link_version;
	place->allowed_hosts = allowed_hosts;
	place->http_proxy = http_proxy;
	place->since = link_http_now();
	http->multi = NULL;
	http->epoll_fd = -1;
	http->reserved_fds = 0;
}
