/*-------------------------------------------------------------------------
 *
 * policy.h
 *	  link.allowed_hosts: who may be connected to (SECURITY 21).
 *
 * Entries, separated by commas or white space: host[:port], .suffix[:port],
 * address[:port] ([v6]:port), CIDR; each with http:// in front where clear text
 * is wanted.  An entry without http:// allows TLS only; an entry with it allows
 * clear text and TLS.  No port means any port.
 *
 * Private, loopback, link-local, CGNAT, ULA, multicast, unspecified and
 * metadata addresses (also IPv4-mapped and NAT64) are connected to only if an
 * entry names that address, that exact host, or a CIDR that holds it; a
 * .suffix entry never allows them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_POLICY_H
#define LINK_POLICY_H

#include "postgres.h"

#include <sys/socket.h>

/* The value link.allowed_hosts has out of the box: the vendors' own domains, TLS. */
extern const char link_default_allowed_hosts[];

/* Syntax check for the GUC; false with a static sentence in *reason. */
extern bool link_policy_valid(const char *entries, const char **reason);

/*
 * Before a connection is tried.  Throws 08001 with a hint that gives the entry
 * to add, unless some entry may allow it (a CIDR entry is decided later, on the
 * address).  Through a proxy, which finds the address itself, only an entry for
 * the name will do.
 */
extern void link_policy_check_host(const char *host, int port, bool tls, bool proxied);

/* Why an address was refused, for a message and its hint. */
typedef struct LinkPolicyRefusal
{
	char		problem[160];	/* "address 10.0.0.5 (private) is not allowed" */
	char		entry[288];		/* what to add to link.allowed_hosts */
} LinkPolicyRefusal;

/*
 * On the socket address, from a foreign frame: no palloc, no ereport, no
 * CHECK_FOR_INTERRUPTS, and in any thread: 'entries' is link_allowed_hosts, or a
 * copy for those that run beside us.  'host' is what the user named.  False: refused, and
 * *refusal is filled.
 */
extern bool link_policy_allows_address(const char *entries, const char *host, int port, bool tls,
									   const struct sockaddr *address,
									   LinkPolicyRefusal *refusal);

/*
 * Throws 08001 while SSLKEYLOGFILE is set: with it, TLS libraries write the keys
 * of all connections into a file.
 */
extern void link_policy_check_key_log(void);

#endif							/* LINK_POLICY_H */
