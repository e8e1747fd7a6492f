/*-------------------------------------------------------------------------
 *
 * policy.c
 *	  link.allowed_hosts: who may be connected to.
 *
 * The setting is read anew for each question, entry by entry, into a struct on
 * the stack: it is short, questions are as rare as connections, and the address
 * is asked about from within libcurl, where nothing may be allocated.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "errors.h"
#include "guc.h"
#include "http/policy.h"

/* RFC 1035, 2.3.4: the longest name, as text without the final dot. */
#define MAX_HOST 253

/* [http://] host or [v6]/128 [:port] */
#define MAX_ENTRY (MAX_HOST + 32)

#define CLEAR_TEXT "http://"

/* S3, STS; GCS, OAuth; Azure Blob Storage, Entra ID and their national clouds. */
const char link_default_allowed_hosts[] =
	".amazonaws.com, .amazonaws.com.cn, "
	"storage.googleapis.com, oauth2.googleapis.com, "
	".blob.core.windows.net, .blob.core.chinacloudapi.cn, .blob.core.usgovcloudapi.net, "
	"login.microsoftonline.com, login.partner.microsoftonline.cn, login.microsoftonline.us";

typedef struct Address
{
	int			len;			/* 4 or 16 */
	uint8		bytes[16];
} Address;

typedef enum EntryKind
{
	ENTRY_HOST,
	ENTRY_SUFFIX,				/* host begins with '.' */
	ENTRY_NETWORK
} EntryKind;

typedef struct Entry
{
	EntryKind	kind;
	bool		clear_text;		/* besides TLS */
	int			port;			/* 0: any */
	char		host[MAX_HOST + 1];
	Address		network;
	int			bits;
} Entry;

/*
 * What must be named to be connected to.  The first that holds an address gives
 * the word for it.  Registries: IANA's IPv4 and IPv6 special-purpose addresses;
 * metadata services as their vendors document them.
 */
static const struct
{
	const char *network;
	int			bits;
	const char *word;
}			special[] =
{
	{"169.254.0.0", 16, "link-local or metadata"},
	{"168.63.129.16", 32, "metadata"},
	{"100.100.100.200", 32, "metadata"},
	{"127.0.0.0", 8, "loopback"},
	{"10.0.0.0", 8, "private"},
	{"172.16.0.0", 12, "private"},
	{"192.168.0.0", 16, "private"},
	{"100.64.0.0", 10, "shared"},
	{"0.0.0.0", 8, "unspecified"},
	{"192.0.0.0", 24, "reserved"},
	{"198.18.0.0", 15, "reserved"},
	{"224.0.0.0", 4, "multicast"},
	{"240.0.0.0", 4, "reserved"},
	{"fd00:ec2::", 32, "metadata"},
	{"::1", 128, "loopback"},
	{"::", 96, "unspecified"},
	{"fe80::", 10, "link-local"},
	{"fec0::", 10, "private"},
	{"fc00::", 7, "private"},
	{"ff00::", 8, "multicast"},
	/* IPv4 in other clothes, where a gateway of the network decides what it means */
	{"64:ff9b:1::", 48, "translated"},
	{"::ffff:0:0:0", 96, "translated"},
	{"2001::", 32, "translated"},
	{"2002::", 16, "translated"},
};

/* IPv4-mapped addresses (RFC 4291), and those of NAT64 (RFC 6052). */
static const uint8 mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};
static const uint8 nat64_prefix[12] = {0x00, 0x64, 0xff, 0x9b};

static bool
holds(const Address *network, int bits, const Address *address)
{
	int			whole = bits / 8;
	int			rest = bits % 8;

	return network->len == address->len &&
		memcmp(network->bytes, address->bytes, whole) == 0 &&
		(rest == 0 || (network->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0);
}

static bool
address_from_text(const char *text, Address *address)
{
	address->len = strchr(text, ':') ? 16 : 4;
	return inet_pton(address->len == 16 ? AF_INET6 : AF_INET, text, address->bytes) == 1;
}

/* 'prefix' has 12 bytes: IPv4 that is written as IPv6 behind it becomes IPv4. */
static void
unwrap_ipv4(Address *address, const uint8 *prefix)
{
	if (address->len == 16 && memcmp(address->bytes, prefix, 12) == 0)
	{
		memmove(address->bytes, address->bytes + 12, 4);
		address->len = 4;
	}
}

/* Why the address must be named, or NULL if it need not be. */
static const char *
special_word(const Address *address)
{
	for (int i = 0; i < lengthof(special); i++)
	{
		Address		network;

		if (address_from_text(special[i].network, &network) &&
			holds(&network, special[i].bits, address))
			return special[i].word;
	}
	return NULL;
}

/*
 * Entries.
 */

static bool
is_separator(char c)
{
	return c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* All digits, at most 'max'; -1 otherwise. */
static int
parse_number(const char *text, int max)
{
	int			number = 0;

	if (*text == '\0')
		return -1;
	for (; *text; text++)
	{
		if (*text < '0' || *text > '9')
			return -1;
		number = number * 10 + (*text - '0');
		if (number > max)
			return -1;
	}
	return number;
}

static bool
parse_network(const char *text, const char *bits, Entry *entry)
{
	int			len;

	if (!address_from_text(text, &entry->network))
		return false;
	len = entry->network.len;
	entry->bits = bits ? parse_number(bits, len * 8) : len * 8;
	if (entry->bits < 0)
		return false;

	/* a network of mapped addresses is one of IPv4 */
	if (entry->bits >= 96)
	{
		unwrap_ipv4(&entry->network, mapped_prefix);
		entry->bits -= (len - entry->network.len) * 8;
	}
	entry->kind = ENTRY_NETWORK;
	return true;
}

static bool
is_host(const char *host)
{
	if (*host == '.')
		host++;
	if (*host == '\0')
		return false;
	for (const char *p = host; *p; p++)
	{
		if (*p == '.' ? p[1] == '.' || p[1] == '\0' || p == host :
			!isalnum((unsigned char) *p) && *p != '-' && *p != '_')
			return false;
	}
	return true;
}

/* Takes 'text' apart, in place. */
static bool
parse_entry(char *text, Entry *entry, const char **reason)
{
	char	   *port = NULL;
	char	   *bits;

	entry->clear_text = pg_strncasecmp(text, CLEAR_TEXT, strlen(CLEAR_TEXT)) == 0;
	if (entry->clear_text)
		text += strlen(CLEAR_TEXT);
	else if (strstr(text, "://"))
	{
		*reason = "An entry begins with a host, or with http:// where clear text is wanted.";
		return false;
	}

	if (*text == '[')
	{
		char	   *end = strchr(text, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
		{
			*reason = "An IPv6 address in brackets may be followed by a colon and a port only.";
			return false;
		}
		port = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
		text++;
	}
	else
	{
		char	   *colon = strchr(text, ':');

		if (colon && strchr(colon + 1, ':') == NULL)
		{
			port = colon + 1;
			*colon = '\0';
		}
	}

	entry->port = port ? parse_number(port, 65535) : 0;
	if (port && entry->port <= 0)
	{
		*reason = "A port is a number from 1 to 65535.";
		return false;
	}

	bits = strchr(text, '/');
	if (bits)
		*bits++ = '\0';
	if (parse_network(text, bits, entry))
		return true;
	if (bits)
	{
		*reason = "A network is an address, a slash and the number of its bits.";
		return false;
	}
	if (strlen(text) > MAX_HOST || !is_host(text))
	{
		*reason = "An entry names a host, a domain with a dot in front, an address or a network.";
		return false;
	}
	entry->kind = *text == '.' ? ENTRY_SUFFIX : ENTRY_HOST;
	strlcpy(entry->host, text, sizeof(entry->host));
	return true;
}

/*
 * The next entry from *cursor on, which moves behind it.  False at the end; then
 * *reason is set if a malformed entry ended it.
 */
static bool
next_entry(const char **cursor, Entry *entry, const char **reason)
{
	const char *p = *cursor;
	char		text[MAX_ENTRY + 1];
	size_t		len = 0;

	*reason = NULL;
	if (p == NULL)
		return false;
	while (is_separator(*p))
		p++;
	while (p[len] && !is_separator(p[len]))
		len++;
	if (len == 0)
		return false;
	if (len > MAX_ENTRY)
	{
		*reason = "An entry is too long.";
		return false;
	}
	memcpy(text, p, len);
	text[len] = '\0';
	*cursor = p + len;
	return parse_entry(text, entry, reason);
}

bool
link_policy_valid(const char *entries, const char **reason)
{
	Entry		entry;

	while (next_entry(&entries, &entry, reason))
		;
	return *reason == NULL;
}

static bool
names_host(const Entry *entry, const char *host)
{
	size_t		len = strlen(host);
	size_t		suffix = strlen(entry->host);

	if (entry->kind == ENTRY_HOST)
		return pg_strcasecmp(entry->host, host) == 0;
	return entry->kind == ENTRY_SUFFIX && len > suffix &&
		pg_strcasecmp(entry->host, host + len - suffix) == 0;
}

/* Port and protection; who it is for is another question. */
static bool
entry_applies(const Entry *entry, int port, bool tls)
{
	return (entry->port == 0 || entry->port == port) && (tls || entry->clear_text);
}

/*
 * The entry to add names as little as helps: a special address itself, else the
 * host.
 */
static void
refuse(LinkPolicyRefusal *refusal, const char *host, int port, bool tls,
	   const Address *address, const char *word)
{
	char		text[INET6_ADDRSTRLEN] = "";
	const char *name = host;
	bool		ipv6;

	if (address)
	{
		inet_ntop(address->len == 16 ? AF_INET6 : AF_INET, address->bytes, text, sizeof(text));
		snprintf(refusal->problem, sizeof(refusal->problem), "%s address %s is not allowed",
				 word ? word : "the", text);
		if (word)
			name = text;
	}
	else
		strlcpy(refusal->problem, "this host is not allowed", sizeof(refusal->problem));
	ipv6 = strchr(name, ':') != NULL;
	snprintf(refusal->entry, sizeof(refusal->entry), "%s%s%s%s:%d",
			 tls ? "" : CLEAR_TEXT, ipv6 ? "[" : "", name, ipv6 ? "]" : "", port);
}

/*
 * An entry that names exactly the host or the address allows it, whatever it
 * is; one for a domain does not vouch for the addresses its names have.
 */
static bool
allows(const char *entries, const char *host, int port, bool tls, const Address *raw,
	   LinkPolicyRefusal *refusal)
{
	const char *cursor = entries;
	const char *reason;
	const char *word;
	Address		address = *raw;
	Entry		entry;

	unwrap_ipv4(&address, mapped_prefix);
	unwrap_ipv4(&address, nat64_prefix);
	word = special_word(&address);
	while (next_entry(&cursor, &entry, &reason))
	{
		if (!entry_applies(&entry, port, tls))
			continue;
		if (entry.kind == ENTRY_NETWORK ?
			holds(&entry.network, entry.bits, &address) || holds(&entry.network, entry.bits, raw) :
			names_host(&entry, host) && (word == NULL || entry.kind == ENTRY_HOST))
			return true;
	}
	refuse(refusal, host, port, tls, &address, word);
	return false;
}

bool
link_policy_allows_address(const char *entries, const char *host, int port, bool tls,
						   const struct sockaddr *address, LinkPolicyRefusal *refusal)
{
	Address		raw;

	if (address->sa_family == AF_INET)
	{
		raw.len = 4;
		memcpy(raw.bytes, &((const struct sockaddr_in *) address)->sin_addr, 4);
	}
	else if (address->sa_family == AF_INET6)
	{
		raw.len = 16;
		memcpy(raw.bytes, &((const struct sockaddr_in6 *) address)->sin6_addr, 16);
	}
	else
	{
		refuse(refusal, host, port, tls, NULL, NULL);
		return false;
	}
	return allows(entries, host, port, tls, &raw, refusal);
}

/* Might some entry allow the host, before its address is known?  One of 'networks' might. */
static bool
may_allow(const char *host, int port, bool tls, bool networks)
{
	const char *cursor = link_allowed_hosts;
	const char *reason;
	Entry		entry;

	while (next_entry(&cursor, &entry, &reason))
		if (entry_applies(&entry, port, tls) &&
			(entry.kind == ENTRY_NETWORK ? networks : names_host(&entry, host)))
			return true;
	return false;
}

void
link_policy_check_host(const char *host, int port, bool tls, bool proxied)
{
	LinkPolicyRefusal refusal;
	LinkPolicyRefusal unused;
	Address		literal;
	bool		is_literal = address_from_text(host, &literal);

	if (is_literal)
	{
		if (allows(link_allowed_hosts, host, port, tls, &literal, &refusal))
			return;
	}
	else if (may_allow(host, port, tls, !proxied))
		return;
	else
		refuse(&refusal, host, port, tls, NULL, NULL);

	ereport(ERROR,
			(errcode(ERRCODE_LINK_UNREACHABLE),
			 errmsg("connection to %s is not allowed", refusal.entry),
			 !tls && (is_literal ? allows(link_allowed_hosts, host, port, true, &literal, &unused) :
					  may_allow(host, port, true, false)) ?
			 errdetail("The host is allowed over TLS only.") : 0,
			 errhint("Add \"%s\" to link.allowed_hosts.", refusal.entry)));
}

void
link_policy_check_key_log(void)
{
	if (getenv("SSLKEYLOGFILE") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNREACHABLE),
				 errmsg("connections are refused while SSLKEYLOGFILE is set"),
				 errhint("Start the server without this environment variable.")));
}
