/*-------------------------------------------------------------------------
 *
 * seal.c
 *	  Fuzz target: sealed values, hostile and damaged.
 *
 * The first byte says what the others are.  Hostile: a value as it is stored.
 * Damaged: how to damage, five bytes, and a text that is sealed first; then only
 * what is not damaged opens.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/keyring.h"
#include "catalog/seal.h"
#include "errors.h"

#include "backend.h"

/* The first byte. */
#define DAMAGED			0x01
#define SHORT_HEADER	0x02	/* as values of up to 126 bytes are stored */
#define OTHER_LINK		0x04
#define OTHER_TYPE		0x08
#define OTHER_ORIGIN	0x10
#define OTHER_KEY		0x20
#define NO_KEY			0x40

#define LINK_ID INT64CONST(0x0102030405060708)
#define ORIGIN "CONFIG.region=9:us-east-1\n"

typedef struct Opening
{
	const bytea *value;
	char	   *plain;
	Size		len;
} Opening;

static int	flags;

void
fuzz_setup(void)
{
}

static void
make_key(const char *id, int filling, LinkKey *key)
{
	strlcpy(key->id, id, sizeof(key->id));
	memset(key->key, filling, sizeof(key->key));
}

/*
 * The ring has every key whose id begins with k.  Nothing was ever sealed by the
 * key for hostile values, or the fuzzer would give what it has seen before.
 */
bool
link_keyring_find(const char *id, LinkKey *key)
{
	if (id[0] != 'k' || (flags & NO_KEY))
		return false;
	make_key(id, (flags & DAMAGED) == 0 ? 3 : flags & OTHER_KEY ? 2 : 1, key);
	return true;
}

static void
open_value(void *arg)
{
	Opening    *o = arg;

	o->plain = link_unseal(o->value, LINK_ID + (flags & OTHER_LINK ? 1 : 0),
						   flags & OTHER_TYPE ? "AZURE" : "S3",
						   flags & OTHER_ORIGIN ? "" : ORIGIN, "public.l", &o->len);
}

/* As it lies in a tuple. */
static bytea *
store(const char *bytes, Size len)
{
	bool		is_short = (flags & SHORT_HEADER) && len + VARHDRSZ_SHORT <= VARATT_SHORT_MAX;
	Size		header = is_short ? VARHDRSZ_SHORT : VARHDRSZ;
	bytea	   *value = palloc(header + len);

	if (is_short)
		SET_VARSIZE_SHORT(value, header + len);
	else
		SET_VARSIZE(value, header + len);
	memcpy((char *) value + header, bytes, len);
	return value;
}

static void
try_to_open(const char *bytes, Size len, bool expected, const char *plain, Size plain_len)
{
	Opening		opening = {store(bytes, len)};
	char	   *id = link_sealed_key_id(opening.value);

	if (fuzz_try(open_value, &opening))
	{
		fuzz_expect(expected && id != NULL);
		fuzz_expect(opening.len == plain_len && memcmp(opening.plain, plain, plain_len) == 0);
		fuzz_expect(opening.plain[plain_len] == '\0');
	}
	else
	{
		fuzz_expect(!expected);
		fuzz_expect(fuzz_error.sqlstate == (id && (id[0] != 'k' || (flags & NO_KEY)) ?
											ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE : ERRCODE_LINK_CORRUPT));
	}
}

void
fuzz_one(const char *data, Size size)
{
	LinkKey		key;
	bytea	   *sealed;
	const unsigned char *how = (const unsigned char *) data + 1;
	const char *plain = data + 6;
	char	   *bytes;
	Size		len;
	Size		left;
	bool		same;

	if (size < 1)
		return;
	flags = data[0];
	if ((flags & DAMAGED) == 0)
	{
		try_to_open(data + 1, size - 1, false, NULL, 0);
		return;
	}
	if (size < 6)
		return;

	size -= 6;
	fuzz_hide(true);
	make_key("k1", 1, &key);
	sealed = link_seal(&key, LINK_ID, "S3", ORIGIN, plain, size);
	len = VARSIZE_ANY_EXHDR(sealed);

	/* one byte changed, some cut off, some added */
	left = how[3] < len ? len - how[3] : 0;
	bytes = palloc0(left + how[4]);
	memcpy(bytes, VARDATA_ANY(sealed), left);
	if (left > 0)
		bytes[(how[0] << 8 | how[1]) % left] ^= how[2];
	len = left + how[4];
	same = len == VARSIZE_ANY_EXHDR(sealed) && memcmp(bytes, VARDATA_ANY(sealed), len) == 0;
	try_to_open(bytes, len,
				same && (flags & (OTHER_LINK | OTHER_TYPE | OTHER_ORIGIN | OTHER_KEY | NO_KEY)) == 0,
				plain, size);
}
