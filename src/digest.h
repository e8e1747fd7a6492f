/*-------------------------------------------------------------------------
 *
 * digest.h
 *	  SHA-256 of bytes that come one after the other, and HMAC-SHA256.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_DIGEST_H
#define LINK_DIGEST_H

#include "postgres.h"

#define LINK_DIGEST_LENGTH 32

typedef struct LinkDigest LinkDigest;

/* Belongs to the current memory context. */
extern LinkDigest *link_digest_begin(void);
extern void link_digest_add(LinkDigest *digest, const void *data, Size size);
extern void link_digest_end(LinkDigest *digest, uint8 out[LINK_DIGEST_LENGTH]);

/* Of one piece. */
extern void link_digest(const void *data, Size size, uint8 out[LINK_DIGEST_LENGTH]);
extern void link_hmac(const uint8 *key, Size key_size, const void *data, Size size, uint8 out[LINK_DIGEST_LENGTH]);

/* Equal, in a time that does not tell where they differ? */
extern bool link_digest_equal(const uint8 *a, const uint8 *b);

/* Lower case, palloc'd; and back: false for any other text. */
extern char *link_digest_text(const uint8 digest[LINK_DIGEST_LENGTH]);
extern bool link_digest_from_text(const char *text, uint8 out[LINK_DIGEST_LENGTH]);

#endif							/* LINK_DIGEST_H */
