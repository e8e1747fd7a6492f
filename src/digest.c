/*-------------------------------------------------------------------------
 *
 * digest.c
 *	  SHA-256 and HMAC-SHA256, by OpenSSL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "digest.h"

struct LinkDigest
{
	MemoryContextCallback callback;
	EVP_MD_CTX *context;
};

LINK_NORETURN static void
failed(void)
{
	elog(ERROR, "could not compute a SHA-256");
}

static void
release(void *arg)
{
	LinkDigest *digest = arg;

	EVP_MD_CTX_free(digest->context);
	digest->context = NULL;
}

LinkDigest *
link_digest_begin(void)
{
	LinkDigest *digest = palloc0(sizeof(LinkDigest));

	digest->callback.func = release;
	digest->callback.arg = digest;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &digest->callback);
	digest->context = EVP_MD_CTX_new();
	if (digest->context == NULL || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1)
		failed();
	return digest;
}

void
link_digest_add(LinkDigest *digest, const void *data, Size size)
{
	if (EVP_DigestUpdate(digest->context, data, size) != 1)
		failed();
}

void
link_digest_end(LinkDigest *digest, uint8 out[LINK_DIGEST_LENGTH])
{
	if (EVP_DigestFinal_ex(digest->context, out, NULL) != 1)
		failed();
}

void
link_digest(const void *data, Size size, uint8 out[LINK_DIGEST_LENGTH])
{
	if (EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL) != 1)
		failed();
}

void
link_hmac(const uint8 *key, Size key_size, const void *data, Size size, uint8 out[LINK_DIGEST_LENGTH])
{
	if (HMAC(EVP_sha256(), key, (int) key_size, data, size, out, NULL) == NULL)
		failed();
}

bool
link_digest_equal(const uint8 *a, const uint8 *b)
{
	return CRYPTO_memcmp(a, b, LINK_DIGEST_LENGTH) == 0;
}

char *
link_digest_text(const uint8 digest[LINK_DIGEST_LENGTH])
{
	char	   *text = palloc(LINK_DIGEST_LENGTH * 2 + 1);

	text[hex_encode((const char *) digest, LINK_DIGEST_LENGTH, text)] = '\0';
	return text;
}

bool
link_digest_from_text(const char *text, uint8 out[LINK_DIGEST_LENGTH])
{
	if (strlen(text) != LINK_DIGEST_LENGTH * 2 || strspn(text, "0123456789abcdef") != LINK_DIGEST_LENGTH * 2)
		return false;
	(void) hex_decode(text, LINK_DIGEST_LENGTH * 2, (char *) out);
	return true;
}
