/*-------------------------------------------------------------------------
 *
 * keyring_text.c
 *	  The text of a key ring: read strictly, written whole.
 *
 * What is not understood is refused, for a ring that is written again would
 * lose it.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/json.h"

#include "common/base64.h"
#include "lib/stringinfo.h"

#include "bounds.h"
#include "catalog/keyring_internal.h"
#include "catalog/seal.h"
#include "errors.h"

#define RING_VERSION 1

/* Base64 of LINK_KEY_LENGTH bytes. */
#define KEY_TEXT_LENGTH 44

/* What a key takes in the text besides its id and base64, generously. */
#define KEY_FRAME_LENGTH 64

bool
link_key_id_usable(const char *id, Size len)
{
	if (len == 0 || len > LINK_KEY_ID_LENGTH)
		return false;
	for (Size i = 0; i < len; i++)
		if (id[i] <= 0x20 || id[i] >= 0x7f || id[i] == '"' || id[i] == '\\')
			return false;
	return true;
}

/* The text is the administrator's, not a parameter of the user's; and it has a place. */
static void
json_error_context(void *arg)
{
	if (geterrcode() == ERRCODE_LINK_BAD_OPTION)
		errcode(ERRCODE_CONFIG_FILE_ERROR);
	if (arg)
		errcontext("%s", (const char *) arg);
}

static struct json_object *
parse_json(const char *source, const char *text, Size len)
{
	ErrorContextCallback callback;
	struct json_object *object;

	callback.callback = json_error_context;
	callback.arg = link_ring_source_visible() ?
		psprintf("master key ring, %s", source) : NULL;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	object = link_json_parse("master key ring", text, len);
	error_context_stack = callback.previous;
	return object;
}

LINK_NORETURN static void
bad_ring(const char *source, const char *problem)
{
	link_ring_fail(ERRCODE_CONFIG_FILE_ERROR, source,
				   psprintf("master key ring is not valid: %s", problem), NULL);
}

/* The text of a member that has to be a string without zero bytes, or NULL. */
static const char *
string_member(struct json_object *object, const char *name, Size *len)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, name, &value) ||
		!json_object_is_type(value, json_type_string))
		return NULL;
	*len = json_object_get_string_len(value);
	return json_object_get_string(value);
}

static void
parse_key(const char *source, struct json_object *object, LinkRing *ring)
{
	LinkKey    *key = &ring->keys[ring->n];
	const char *id = NULL;
	const char *text = NULL;
	Size		id_len;
	Size		text_len;

	if (json_object_is_type(object, json_type_object) && json_object_object_length(object) == 2)
	{
		id = string_member(object, "id", &id_len);
		text = string_member(object, "key", &text_len);
	}
	if (id == NULL || text == NULL)
		bad_ring(source, "each of \"keys\" is an object of two strings, \"id\" and \"key\"");
	if (!link_key_id_usable(id, id_len))
		bad_ring(source, psprintf("the id of key %d is not 1 to %d visible ASCII characters",
								  ring->n + 1, LINK_KEY_ID_LENGTH));
	memcpy(key->id, id, id_len);
	key->id[id_len] = '\0';
	for (int i = 0; i < ring->n; i++)
		if (strcmp(ring->keys[i].id, key->id) == 0)
			bad_ring(source, psprintf("key %d has the id of key %d", ring->n + 1, i + 1));

	/* void *, since the signature of pg_b64_decode() differs between versions */
	if (text_len != KEY_TEXT_LENGTH ||
		pg_b64_decode(text, (int) text_len, (void *) key->key, LINK_KEY_LENGTH) != LINK_KEY_LENGTH)
		bad_ring(source, psprintf("key %d is not the base64 of %d bytes", ring->n + 1, LINK_KEY_LENGTH));
	ring->n++;
}

LinkRing *
link_ring_parse(const char *source, const char *text, Size len)
{
	struct json_object *object = parse_json(source, text, len);
	struct json_object *version;
	struct json_object *keys;
	LinkRing   *ring;
	Size		n;

	if (json_object_object_length(object) != 2 ||
		!json_object_object_get_ex(object, "link_key_ring", &version) ||
		!json_object_is_type(version, json_type_int) ||
		json_object_get_int64(version) != RING_VERSION ||
		!json_object_object_get_ex(object, "keys", &keys) ||
		!json_object_is_type(keys, json_type_array))
		bad_ring(source, "it has two members, \"link_key_ring\": 1 and the array \"keys\"");
	n = json_object_array_length(keys);
	if (n == 0)
		bad_ring(source, "it has no key");

	ring = link_secret_alloc(LINK_RING_SIZE(n));
	memset(ring, 0, LINK_RING_SIZE(n));
	for (Size i = 0; i < n; i++)
		parse_key(source, json_object_array_get_idx(keys, i), ring);
	return ring;
}

/* The buffer is large enough at once, so no copy of a key is left in freed memory. */
char *
link_ring_text(const LinkRing *ring, Size *len)
{
	Size		size = (ring->n + 2) * (LINK_KEY_ID_LENGTH + KEY_TEXT_LENGTH + KEY_FRAME_LENGTH);
	StringInfoData text;
	char	   *base64 = link_secret_alloc(KEY_TEXT_LENGTH + 1);

	text.data = link_secret_alloc(size);
	text.maxlen = (int) size;
	resetStringInfo(&text);
	appendStringInfo(&text, "{\"link_key_ring\": %d,\n \"keys\": [", RING_VERSION);
	for (int i = 0; i < ring->n; i++)
	{
		const void *key = ring->keys[i].key;

		if (pg_b64_encode(key, LINK_KEY_LENGTH, base64, KEY_TEXT_LENGTH) != KEY_TEXT_LENGTH)
			elog(ERROR, "could not encode a master key");
		base64[KEY_TEXT_LENGTH] = '\0';
		appendStringInfo(&text, "%s\n  {\"id\": \"%s\", \"key\": \"%s\"}", i > 0 ? "," : "",
						 ring->keys[i].id, base64);
	}
	appendStringInfoString(&text, "\n ]}\n");
	Assert(text.maxlen == (int) size);

	if (text.len > LINK_MAX_KEY_RING)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("master key ring would have more than %d bytes", LINK_MAX_KEY_RING),
				 errhint("Retire keys that seal nothing any more.")));
	*len = text.len;
	return text.data;
}
