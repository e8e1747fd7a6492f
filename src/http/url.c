/*-------------------------------------------------------------------------
 *
 * url.c
 *	  Percent-encoding and the parts of a URL.
 *
 * What is accepted is less than RFC 3986 allows: a URL in CONFIG names a server
 * and a folder on it, and whatever else could be hidden in one is refused
 * (SECURITY 17).
 *
 *-------------------------------------------------------------------------
 */
#include "http/url.h"

#include <arpa/inet.h>

/* RFC 1035, 2.3.4: the longest name, as text without the final dot. */
#define MAX_HOST 253

#define MAX_LABEL 63

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
is_unreserved(char c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Labels of letters, digits, '-' and '_', with single dots between them. */
static bool
is_host_name(const char *host, size_t len)
{
	if (len == 0 || len > MAX_HOST)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		bool		label_begins = i == 0 || host[i - 1] == '.';

		if (host[i] == '.' ? label_begins || i == len - 1 :
			!is_alnum(host[i]) && host[i] != '_' && (host[i] != '-' || label_begins))
			return false;
	}
	return true;
}

static bool
is_ipv6(const char *host, size_t len)
{
	char		text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* Characters of RFC 3986, and no "." or ".." between slashes. */
static bool
is_path(const char *path)
{
	const char *segment = path;

	for (const char *p = path;; p++)
	{
		if (*p == '/' || *p == '\0')
		{
			size_t		len = p - segment;

			if ((len == 1 && segment[0] == '.') || (len == 2 && segment[0] == '.' && segment[1] == '.'))
				return false;
			segment = p + 1;
			if (*p == '\0')
				return true;
		}
		else if (*p == '%')
		{
			if (!is_hex(p[1]) || !is_hex(p[2]))
				return false;
		}
		else if (!is_unreserved(*p) && strchr("!$&'()*+,;=:@", *p) == NULL)
			return false;
	}
}

static bool
parse_port(const char *text, size_t len, int *port)
{
	*port = 0;
	for (size_t i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		*port = *port * 10 + (text[i] - '0');
		if (*port > 65535)
			return false;
	}
	return *port > 0;
}

bool
link_url_parse(const char *text, LinkUrl *url, const char **reason)
{
	const char *host;
	const char *host_end;
	const char *end;
	size_t		path_len;

	if (pg_strncasecmp(text, "https://", 8) == 0)
		url->tls = true;
	else if (pg_strncasecmp(text, "http://", 7) == 0)
		url->tls = false;
	else
	{
		*reason = "The URL must begin with http:// or https://.";
		return false;
	}
	host = text + (url->tls ? 8 : 7);
	end = host + strcspn(host, "/?#");
	if (memchr(host, '@', end - host) != NULL)
	{
		*reason = "The URL must not hold a user name or password.";
		return false;
	}
	if (strpbrk(host, "?#") != NULL)
	{
		*reason = "The URL must not hold a query or fragment.";
		return false;
	}

	if (*host == '[')
	{
		host++;
		host_end = memchr(host, ']', end - host);
		if (host_end == NULL || !is_ipv6(host, host_end - host))
			host_end = NULL;
	}
	else
	{
		host_end = memchr(host, ':', end - host);
		if (host_end == NULL)
			host_end = end;
		if (!is_host_name(host, host_end - host))
			host_end = NULL;
	}
	if (host_end == NULL)
	{
		*reason = "The URL must name a host.";
		return false;
	}

	text = host_end + (host[-1] == '[' ? 1 : 0);
	url->port = url->tls ? 443 : 80;
	if (text != end && (*text != ':' || !parse_port(text + 1, end - text - 1, &url->port)))
	{
		*reason = "The port of the URL must be a number from 1 to 65535.";
		return false;
	}
	if (!is_path(end))
	{
		*reason = "The path of the URL has characters or components that are not allowed.";
		return false;
	}

	path_len = strlen(end);
	while (path_len > 0 && end[path_len - 1] == '/')
		path_len--;
	url->path = pnstrdup(end, path_len);
	url->host = pnstrdup(host, host_end - host);
	for (char *p = url->host; *p; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	return true;
}

char *
link_url_authority(const LinkUrl *url)
{
	bool		ipv6 = strchr(url->host, ':') != NULL;
	const char *open = ipv6 ? "[" : "";
	const char *close = ipv6 ? "]" : "";

	if (url->port == (url->tls ? 443 : 80))
		return psprintf("%s%s%s", open, url->host, close);
	return psprintf("%s%s%s:%d", open, url->host, close, url->port);
}

void
link_url_encode(StringInfo out, const char *text, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const unsigned char *p = (const unsigned char *) text; *p; p++)
	{
		if (is_unreserved((char) *p) || (*p == '/' && keep_slash))
			appendStringInfoChar(out, (char) *p);
		else
		{
			appendStringInfoChar(out, '%');
			appendStringInfoChar(out, digits[*p >> 4]);
			appendStringInfoChar(out, digits[*p & 15]);
		}
	}
}

bool
link_is_dns_label(const char *text)
{
	size_t		len = strlen(text);

	if (len == 0 || len > MAX_LABEL || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= '0' && text[i] <= '9') && text[i] != '-')
			return false;
	return true;
}

void
link_hex_encode(const uint8 *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++)
	{
		*out++ = digits[data[i] >> 4];
		*out++ = digits[data[i] & 15];
	}
	*out = '\0';
}
