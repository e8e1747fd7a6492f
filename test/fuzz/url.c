/*-------------------------------------------------------------------------
 *
 * url.c
 *	  Fuzz target: URLs, and who may be connected to.
 *
 * An input is link.allowed_hosts in its first line, then a URL; the addresses that
 * its host has are in the rest, in hexadecimal.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/policy.h"
#include "http/url.h"

#include "backend.h"

char	   *link_allowed_hosts;

typedef struct Question
{
	const char *text;
	LinkUrl		url;
} Question;

void
fuzz_setup(void)
{
	const char *reason;

	fuzz_expect(link_policy_valid(link_default_allowed_hosts, &reason));
}

static void
check_url(const Question *question)
{
	const LinkUrl *url = &question->url;
	const char *reason;
	char	   *again;
	LinkUrl		parsed;

	fuzz_expect(url->host[0] != '\0' && strlen(url->host) <= 253);
	fuzz_expect(url->host[strspn(url->host, "abcdefghijklmnopqrstuvwxyz0123456789-_.:")] == '\0');
	fuzz_expect(url->port >= 1 && url->port <= 65535);
	fuzz_expect(url->path[0] == '\0' || (url->path[0] == '/' && url->path[strlen(url->path) - 1] != '/'));
	fuzz_expect(strpbrk(url->path, "?#@ \\\r\n") == NULL || strchr(url->path, '@') != NULL);
	fuzz_expect(strstr(url->path, "/../") == NULL);

	/* put together it is the same */
	again = psprintf("%s://%s%s", url->tls ? "https" : "http", link_url_authority(url), url->path);
	fuzz_expect(link_url_parse(again, &parsed, &reason));
	fuzz_expect(strcmp(parsed.host, url->host) == 0 && parsed.port == url->port && strcmp(parsed.path, url->path) == 0);
}

static void
ask(void *arg)
{
	Question   *question = arg;

	link_policy_check_host(question->url.host, question->url.port, question->url.tls, false);
	link_policy_check_host(question->url.host, question->url.port, question->url.tls, true);
}

/* Where nothing but the vendors is allowed, what is special is not. */
static void
check_address(const Question *question, const uint8 *bytes, Size size)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	const struct sockaddr *address = size == 4 ? (struct sockaddr *) &four : (struct sockaddr *) &six;
	LinkPolicyRefusal refusal = {{0}};
	bool		special = size == 4 ? bytes[0] == 127 || bytes[0] == 10 || bytes[0] >= 224 || (bytes[0] == 169 && bytes[1] == 254) :
		(bytes[0] & 0xfe) == 0xfc || bytes[0] == 0xff;
	const char *reason;

	memcpy(size == 4 ? (void *) &four.sin_addr : (void *) &six.sin6_addr, bytes, size);
	if (!link_policy_allows_address(link_allowed_hosts, question->url.host, question->url.port, question->url.tls, address, &refusal))
	{
		fuzz_touch(refusal.problem);
		fuzz_expect(link_policy_valid(refusal.entry, &reason));

		/* the entry that is proposed helps; a host that is an address has no other one */
		if (link_policy_valid(link_allowed_hosts, &reason) && strchr(question->url.host, ':') == NULL &&
			inet_pton(AF_INET, question->url.host, &four.sin_addr) != 1)
			fuzz_expect(link_policy_allows_address(psprintf("%s %s", refusal.entry, link_allowed_hosts), question->url.host,
												   question->url.port, question->url.tls, address, &refusal));
	}
	fuzz_expect(!link_policy_allows_address("", question->url.host, question->url.port, question->url.tls, address, &refusal));
	fuzz_expect(!special || !link_policy_allows_address(link_default_allowed_hosts, question->url.host, question->url.port,
														question->url.tls, address, &refusal));
}

void
fuzz_one(const char *data, Size size)
{
	char	   *rest = fuzz_text(data, size);
	const char *reason = NULL;
	StringInfoData encoded;
	Question	question = {NULL};
	uint8		bytes[16];

	link_allowed_hosts = fuzz_cut(&rest, "\n");
	question.text = fuzz_cut(&rest, "\n");
	if (!link_policy_valid(link_allowed_hosts, &reason))
		fuzz_touch(reason);

	/* no part of the text in what is said of it */
	if (!link_url_parse(question.text, &question.url, &reason))
	{
		fuzz_touch(reason);
		return;
	}
	check_url(&question);
	initStringInfo(&encoded);
	link_url_encode(&encoded, question.text, false);
	fuzz_expect(strpbrk(encoded.data, "/?#&= ") == NULL);
	(void) link_is_dns_label(question.url.host);

	fuzz_try(ask, &question);
	for (Size n = 4; n <= 16; n += 12)
	{
		char	   *hex = fuzz_cut(&rest, "\n");

		memset(bytes, 0, sizeof(bytes));
		for (Size i = 0; i < n; i++)
		{
			unsigned int value = 0;

			if (strlen(hex) >= 2 * i + 2 && sscanf(hex + 2 * i, "%2x", &value) == 1)
				bytes[i] = (uint8) value;
		}
		check_address(&question, bytes, n);
	}
}
