/*-------------------------------------------------------------------------
 *
 * jwt.c
 *	  JSON Web Tokens signed with RSA.
 *
 *-------------------------------------------------------------------------
 */
#include "http/jwt.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

/* Enough for RSA keys of 16,384 bits. */
#define MAX_SIGNATURE 2048

/* The longest that Google takes. */
#define ASSERTION_LIFETIME 3600

void
link_base64url(StringInfo out, const void *data, Size len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *p = data;

	for (Size i = 0; i < len; i += 3)
	{
		uint32		bits = p[i] << 16;
		Size		n = Min(len - i, 3);

		if (n > 1)
			bits |= p[i + 1] << 8;
		if (n > 2)
			bits |= p[i + 2];
		for (Size j = 0; j <= n; j++)
			appendStringInfoChar(out, digits[(bits >> (18 - 6 * j)) & 63]);
	}
}

/* No passphrase is asked for at the server's terminal. */
static int
no_passphrase(char *to, int size, int writing, void *arg)
{
	return 0;
}

bool
link_jwt_rs256(StringInfo out, const char *header, const char *claims,
			   const char *private_key, const char **problem)
{
	BIO		   *bio = BIO_new_mem_buf(private_key, -1);
	EVP_PKEY   *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	EVP_MD_CTX *context = NULL;
	unsigned char signature[MAX_SIGNATURE];
	size_t		len = sizeof(signature);
	int			start = out->len;
	bool		done = false;

	*problem = "It is not a private RSA key in PEM form.";
	if (key && EVP_PKEY_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_size(key) <= MAX_SIGNATURE)
	{
		*problem = "libcrypto could not sign with it.";
		context = EVP_MD_CTX_new();
	}
	if (bio)
		BIO_free_all(bio);

	/* nothing may throw while these are held: make room first */
	enlargeStringInfo(out, (int) (2 * (strlen(header) + strlen(claims)) + 2 * MAX_SIGNATURE));
	link_base64url(out, header, strlen(header));
	appendStringInfoChar(out, '.');
	link_base64url(out, claims, strlen(claims));
	if (context &&
		EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestSign(context, signature, &len, (unsigned char *) out->data + start, out->len - start) == 1)
	{
		appendStringInfoChar(out, '.');
		link_base64url(out, signature, len);
		done = true;
	}
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return done;
}

/* "name":"text", escaped (RFC 8259, section 7) */
static void
append_member(StringInfo out, const char *name, const char *text)
{
	appendStringInfo(out, "\"%s\":\"", name);
	for (; *text; text++)
	{
		if (*text == '"' || *text == '\\')
			appendStringInfo(out, "\\%c", *text);
		else if ((unsigned char) *text < ' ')
			appendStringInfo(out, "\\u%04x", *text);
		else
			appendStringInfoChar(out, *text);
	}
	appendStringInfoChar(out, '"');
}

/* https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests */
bool
link_jwt_assertion(StringInfo out, const LinkJwtAssertion *assertion,
				   const char *private_key, const char **problem)
{
	StringInfoData header;
	StringInfoData claims;

	initStringInfo(&header);
	appendStringInfoString(&header, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
	if (assertion->key_id)
	{
		appendStringInfoChar(&header, ',');
		append_member(&header, "kid", assertion->key_id);
	}
	appendStringInfoChar(&header, '}');

	initStringInfo(&claims);
	appendStringInfoChar(&claims, '{');
	append_member(&claims, "iss", assertion->issuer);
	appendStringInfoChar(&claims, ',');
	append_member(&claims, "scope", assertion->scope);
	appendStringInfoChar(&claims, ',');
	append_member(&claims, "aud", assertion->audience);
	appendStringInfo(&claims, ",\"exp\":%lld,\"iat\":%lld}",
					 (long long) assertion->now + ASSERTION_LIFETIME, (long long) assertion->now);
	return link_jwt_rs256(out, header.data, claims.data, private_key, problem);
}
