/*-------------------------------------------------------------------------
 *
 * seal.h
 *	  Credentials at rest: AES-256-GCM under a key of the ring.
 *
 * Sealed value: version (1 byte, 1) | key id length (1) | key id | nonce (12)
 * | ciphertext | tag (16).  Associated data: version, key id, link id (8 bytes,
 * big endian), type, SHA-256 of the origin text, so that a sealed value in a
 * moved or edited row does not open (SECURITY 14).
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_SEAL_H
#define LINK_SEAL_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "catalog/keyring.h"

/* Seal 'plain' (len bytes) for the link; the result is palloc'd. */
extern bytea *link_seal(const LinkKey *key, int64 link_id, const char *type, const char *origin,
						const char *plain, Size len);

/*
 * Open a sealed value into a NUL-terminated text in the current memory context,
 * which wipes it on reset.  Errors: 55000 naming the key id when the ring lacks
 * it, XX001 when the value does not open (edited row, damaged bytes).
 * 'link_name' is for messages.
 */
extern char *link_unseal(const bytea *sealed, int64 link_id, const char *type, const char *origin,
						 const char *link_name, Size *len);

/* The key id a sealed value names, palloc'd; NULL if it is not a sealed value. */
extern char *link_sealed_key_id(const bytea *sealed);

/*
 * palloc'd memory that is wiped when the current memory context is reset or
 * deleted.  For every copy of a secret.  Never pfree or repalloc it.
 */
extern void *link_secret_alloc(Size size);
extern char *link_secret_strdup(const char *text);

/* Wipe 'ptr' (size bytes) when 'context' is reset or deleted. */
extern void link_wipe_with_context(MemoryContext context, void *ptr, Size size);

#endif							/* LINK_SEAL_H */
