/*-------------------------------------------------------------------------
 *
 * seal.c
 *	  Credentials at rest: AES-256-GCM under a key of the ring; and memory that
 *	  is wiped when its context goes.
 *
 * The nonce is random.  NIST SP 800-38D, 8.3, allows 2^32 values under one key
 * so; a value is sealed when somebody types credentials or rotates the key.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "bounds.h"
#include "catalog/seal.h"
#include "errors.h"

#define SEAL_VERSION 1

/* What EVP_aes_256_gcm() takes unless told otherwise, and SP 800-38D recommends. */
#define NONCE_LENGTH 12
#define TAG_LENGTH 16
#define SHA256_LENGTH 32

/* The parts of a sealed value; the pointers go into it. */
typedef struct Sealed
{
	char		key_id[LINK_KEY_ID_LENGTH + 1];
	const uint8 *nonce;
	const uint8 *ciphertext;
	Size		len;			/* of the ciphertext, and so of the text */
	const uint8 *tag;
} Sealed;

typedef struct Wipe
{
	MemoryContextCallback callback;
	void	   *ptr;
	Size		size;
} Wipe;

/*
 * Memory.
 */

static void
wipe(void *arg)
{
	Wipe	   *w = arg;

	explicit_bzero(w->ptr, w->size);
}

void
link_wipe_with_context(MemoryContext context, void *ptr, Size size)
{
	Wipe	   *w = MemoryContextAlloc(context, sizeof(Wipe));

	w->callback.func = wipe;
	w->callback.arg = w;
	w->ptr = ptr;
	w->size = size;
	MemoryContextRegisterResetCallback(context, &w->callback);
}

void *
link_secret_alloc(Size size)
{
	void	   *ptr = palloc(size);

	link_wipe_with_context(CurrentMemoryContext, ptr, size);
	return ptr;
}

char *
link_secret_strdup(const char *text)
{
	Size		size = strlen(text) + 1;

	return memcpy(link_secret_alloc(size), text, size);
}

/*
 * Sealing.
 */

/*
 * What the value is bound to.  Every part that can vary in length has its length
 * before it, so that no two bindings have the same bytes.
 */
static void
append_binding(StringInfo out, const char *key_id, int64 link_id, const char *type,
			   const char *origin)
{
	Size		key_id_len = strlen(key_id);
	Size		type_len = strlen(type);
	uint8		digest[SHA256_LENGTH];

	if (type_len > PG_UINT8_MAX)
		elog(ERROR, "link type is too long");
	if (EVP_Digest(origin, strlen(origin), digest, NULL, EVP_sha256(), NULL) != 1)
	{
		ERR_clear_error();
		elog(ERROR, "could not compute SHA-256");
	}

	appendStringInfoChar(out, SEAL_VERSION);
	appendStringInfoChar(out, (char) key_id_len);
	appendBinaryStringInfo(out, key_id, (int) key_id_len);
	for (int shift = 56; shift >= 0; shift -= 8)
		appendStringInfoChar(out, (char) ((uint64) link_id >> shift & 0xff));
	appendStringInfoChar(out, (char) type_len);
	appendBinaryStringInfo(out, type, (int) type_len);
	appendBinaryStringInfo(out, (const char *) digest, sizeof(digest));
}

/*
 * Both directions.  'tag' is written when sealing, and demanded when opening:
 * then false also says that the value is not what was sealed.  Throws nothing.
 */
static bool
gcm(bool seal, const uint8 *key, const uint8 *nonce, const StringInfoData *binding,
	const uint8 *in, int len, uint8 *out, uint8 *tag)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int			n;
	int			written = 0;
	bool		ok;

	ok = ctx != NULL &&
		EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seal) == 1 &&
		EVP_CipherUpdate(ctx, NULL, &n, (const uint8 *) binding->data, binding->len) == 1 &&
		EVP_CipherUpdate(ctx, out, &written, in, len) == 1 &&
		written == len &&
		(seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LENGTH, tag) == 1) &&
		EVP_CipherFinal_ex(ctx, out + written, &n) == 1 &&
		(!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LENGTH, tag) == 1);
	EVP_CIPHER_CTX_free(ctx);

	/* what lies in OpenSSL's queue would be taken for an error of the client's connection */
	if (!ok)
		ERR_clear_error();
	return ok;
}

bytea *
link_seal(const LinkKey *key, int64 link_id, const char *type, const char *origin,
		  const char *plain, Size len)
{
	Size		key_id_len = strlen(key->id);
	Size		size;
	StringInfoData binding;
	bytea	   *result;
	uint8	   *p;
	bool		ok;

	if (!link_key_id_usable(key->id, key_id_len) || len > LINK_MAX_OPTIONS)
		elog(ERROR, "value cannot be sealed");
	initStringInfo(&binding);
	append_binding(&binding, key->id, link_id, type, origin);

	size = VARHDRSZ + 2 + key_id_len + NONCE_LENGTH + len + TAG_LENGTH;
	result = palloc(size);
	SET_VARSIZE(result, size);
	p = (uint8 *) VARDATA(result);
	*p++ = SEAL_VERSION;
	*p++ = (uint8) key_id_len;
	memcpy(p, key->id, key_id_len);
	p += key_id_len;

	ok = pg_strong_random(p, NONCE_LENGTH) &&
		gcm(true, key->key, p, &binding, (const uint8 *) plain, (int) len,
			p + NONCE_LENGTH, p + NONCE_LENGTH + len);
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not seal credentials")));
	pfree(binding.data);
	return result;
}

/* False if the bytes do not have the form of a sealed value. */
static bool
split(const bytea *value, Sealed *sealed)
{
	const uint8 *p = (const uint8 *) VARDATA_ANY(value);
	Size		left = VARSIZE_ANY_EXHDR(value);
	Size		key_id_len;

	if (left < 2 || p[0] != SEAL_VERSION)
		return false;
	key_id_len = p[1];
	p += 2;
	left -= 2;
	if (left < key_id_len + NONCE_LENGTH + TAG_LENGTH ||
		!link_key_id_usable((const char *) p, key_id_len))
		return false;
	memcpy(sealed->key_id, p, key_id_len);
	sealed->key_id[key_id_len] = '\0';
	sealed->nonce = p + key_id_len;
	sealed->ciphertext = sealed->nonce + NONCE_LENGTH;
	sealed->len = left - key_id_len - NONCE_LENGTH - TAG_LENGTH;
	sealed->tag = sealed->ciphertext + sealed->len;
	return sealed->len <= LINK_MAX_OPTIONS;
}

char *
link_sealed_key_id(const bytea *value)
{
	Sealed		sealed;

	return split(value, &sealed) ? pstrdup(sealed.key_id) : NULL;
}

LINK_NORETURN static void
does_not_open(const char *link_name, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_CORRUPT),
			 errmsg("credentials of link %s do not open", link_name),
			 errdetail("%s", detail),
			 errhint("Give the credentials anew with ALTER LINK ... SET CREDENTIALS.")));
}

char *
link_unseal(const bytea *value, int64 link_id, const char *type, const char *origin,
			const char *link_name, Size *len)
{
	Sealed		sealed;
	StringInfoData binding;
	LinkKey		key;
	uint8		tag[TAG_LENGTH];
	char	   *plain;
	bool		ok;

	if (!split(value, &sealed))
		does_not_open(link_name, "The stored bytes are not a sealed value of this version.");
	initStringInfo(&binding);
	append_binding(&binding, sealed.key_id, link_id, type, origin);
	memcpy(tag, sealed.tag, TAG_LENGTH);
	plain = link_secret_alloc(sealed.len + 1);

	if (!link_keyring_find(sealed.key_id, &key))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("credentials of link %s cannot be opened: the master key ring has no key \"%s\"",
						link_name, sealed.key_id),
				 errhint("Put the key back into the ring, or give the credentials anew with ALTER LINK ... SET CREDENTIALS.")));

	/* nothing throws while the key is on the stack */
	ok = gcm(false, key.key, sealed.nonce, &binding, sealed.ciphertext, (int) sealed.len,
			 (uint8 *) plain, tag);
	explicit_bzero(&key, sizeof(key));
	if (!ok)
	{
		/* these bytes are what an attacker made of them */
		explicit_bzero(plain, sealed.len);
		does_not_open(link_name,
					  "The row was edited or moved from another link, the bytes are damaged, or the ring has another key of that id.");
	}
	pfree(binding.data);
	plain[sealed.len] = '\0';
	*len = sealed.len;
	return plain;
}
