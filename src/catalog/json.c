/*-------------------------------------------------------------------------
 *
 * json.c
 *	  json-c, made strict and wipeable.
 *
 * json-c accepts more than JSON, differently in each of its versions, keeps the
 * last of several equal keys without a word, and cannot say where an error is
 * in all cases.  So a validator of our own reads the text first and raises
 * every error; json-c then only builds the tree.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/json.h"

#include "mb/pg_wchar.h"

#include "bounds.h"
#include "catalog/seal.h"
#include "errors.h"

typedef struct JsonKey
{
	Size		start;			/* of its opening quote */
	Size		len;			/* with both quotes */
} JsonKey;

typedef struct JsonScan
{
	const char *what;
	int			sqlstate;		/* of errors */
	const char *text;
	Size		len;
	Size		pos;
	int			depth;
	Size		tree;			/* bytes that json-c will need, at most */
	Size		largest_tree;
	JsonKey    *keys;			/* of the top level, in text order */
	int			nkeys;
	int			keys_size;
} JsonScan;

/* What the reset callback owns. */
typedef struct JsonOwner
{
	MemoryContextCallback callback;
	struct json_object *object;
} JsonOwner;

static void scan_value(JsonScan *scan);

LINK_NORETURN static void
bad_json(const JsonScan *scan, Size pos, const char *detail)
{
	ereport(ERROR,
			(errcode(scan->sqlstate),
			 errmsg("%s is not a valid JSON object", scan->what),
			 errdetail("At byte %zu: %s.", pos + 1, detail)));
}

/*
 * What json-c allocates for each thing, measured with its version 0.16 and rounded
 * up: an object begins with a table of 16 keys, whatever it holds.
 */
#define COST_OBJECT 800
#define COST_ARRAY 160
#define COST_KEY 128			/* with its share of a table that has grown */
#define COST_SCALAR 112			/* and the bytes of a string */

/* Three bytes of text may become 800 of tree. */
static void
count_cost(JsonScan *scan, Size cost)
{
	scan->tree += cost;
	if (scan->tree > scan->largest_tree)
		bad_json(scan, scan->pos, "it has too many values");
}

/* The next byte, or -1 at the end. */
static int
peek(const JsonScan *scan)
{
	return scan->pos < scan->len ? (unsigned char) scan->text[scan->pos] : -1;
}

static void
skip_space(JsonScan *scan)
{
	int			c;

	while ((c = peek(scan)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		scan->pos++;
}

static void
expect(JsonScan *scan, char c, const char *detail)
{
	skip_space(scan);
	if (peek(scan) != c)
		bad_json(scan, scan->pos, peek(scan) < 0 ? "the text ends too early" : detail);
	scan->pos++;
}

/* Four hexadecimal digits from pos on, which is left behind them. */
static unsigned int
scan_hex(JsonScan *scan)
{
	unsigned int value = 0;

	for (int i = 0; i < 4; i++, scan->pos++)
	{
		int			c = peek(scan);

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			bad_json(scan, scan->pos, "\\u must be followed by four hexadecimal digits");
	}
	return value;
}

/* The part of an escape that follows the backslash at 'start'. */
static void
scan_escape(JsonScan *scan, Size start)
{
	unsigned int code;

	switch (peek(scan))
	{
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't':
			scan->pos++;
			return;
		case 'u':
			scan->pos++;
			break;
		default:
			bad_json(scan, start, "unknown escape sequence");
	}
	code = scan_hex(scan);
	if (code == 0)
		bad_json(scan, start, "\\u0000 is not allowed");
	if (code >= 0xdc00 && code <= 0xdfff)
		bad_json(scan, start, "low surrogate without a high one before it");
	if (code >= 0xd800 && code <= 0xdbff)
	{
		if (scan->len - scan->pos < 2 || memcmp(scan->text + scan->pos, "\\u", 2) != 0)
			bad_json(scan, start, "high surrogate without a low one behind it");
		scan->pos += 2;
		code = scan_hex(scan);
		if (code < 0xdc00 || code > 0xdfff)
			bad_json(scan, start, "high surrogate without a low one behind it");
	}
}

static void
scan_string(JsonScan *scan)
{
	expect(scan, '"', "a string in double quotes is expected");
	for (;;)
	{
		int			c = peek(scan);

		if (c < 0)
			bad_json(scan, scan->pos, "the text ends inside a string");
		if (c < 0x20)
			bad_json(scan, scan->pos, "control character in a string");
		scan->pos++;
		if (c == '"')
			return;
		if (c == '\\')
			scan_escape(scan, scan->pos - 1);
	}
}

static void
scan_digits(JsonScan *scan)
{
	if (peek(scan) < '0' || peek(scan) > '9')
		bad_json(scan, scan->pos, "a digit is expected");
	while (peek(scan) >= '0' && peek(scan) <= '9')
		scan->pos++;
}

static void
scan_number(JsonScan *scan)
{
	if (peek(scan) == '-')
		scan->pos++;
	if (peek(scan) == '0')
		scan->pos++;
	else
		scan_digits(scan);
	if (peek(scan) == '.')
	{
		scan->pos++;
		scan_digits(scan);
	}
	if (peek(scan) == 'e' || peek(scan) == 'E')
	{
		scan->pos++;
		if (peek(scan) == '+' || peek(scan) == '-')
			scan->pos++;
		scan_digits(scan);
	}
}

static void
remember_key(JsonScan *scan, Size start)
{
	if (scan->nkeys == scan->keys_size)
	{
		scan->keys_size = scan->keys ? scan->keys_size * 2 : 16;
		scan->keys = scan->keys ?
			repalloc(scan->keys, scan->keys_size * sizeof(JsonKey)) :
			palloc(scan->keys_size * sizeof(JsonKey));
	}
	scan->keys[scan->nkeys].start = start;
	scan->keys[scan->nkeys].len = scan->pos - start;
	scan->nkeys++;
}

/* An object or an array, from its opening bracket on. */
static void
scan_container(JsonScan *scan, char close)
{
	if (++scan->depth > LINK_MAX_JSON_DEPTH)
		bad_json(scan, scan->pos, "it is nested too deeply");
	count_cost(scan, close == '}' ? COST_OBJECT : COST_ARRAY);
	scan->pos++;
	skip_space(scan);
	if (peek(scan) == close)
		scan->pos++;
	else
		for (;;)
		{
			if (close == '}')
			{
				Size		start;

				skip_space(scan);
				start = scan->pos;
				scan_string(scan);
				count_cost(scan, COST_KEY + (scan->pos - start));
				if (scan->depth == 1)
					remember_key(scan, start);
				expect(scan, ':', "a colon is expected");
			}
			scan_value(scan);
			skip_space(scan);
			if (peek(scan) == close)
			{
				scan->pos++;
				break;
			}
			expect(scan, ',', close == '}' ? "a comma or } is expected" : "a comma or ] is expected");
		}
	scan->depth--;
}

static void
scan_value(JsonScan *scan)
{
	static const char *const words[] = {"true", "false", "null"};
	Size		start;
	int			c;

	skip_space(scan);
	start = scan->pos;
	c = peek(scan);
	if (c == '{')
		scan_container(scan, '}');
	else if (c == '[')
		scan_container(scan, ']');
	else if (c == '"' || c == '-' || (c >= '0' && c <= '9'))
	{
		if (c == '"')
			scan_string(scan);
		else
			scan_number(scan);
		count_cost(scan, COST_SCALAR + (scan->pos - start));
	}
	else
	{
		for (int i = 0; i < lengthof(words); i++)
		{
			Size		n = strlen(words[i]);

			if (scan->len - scan->pos >= n && memcmp(scan->text + scan->pos, words[i], n) == 0)
			{
				scan->pos += n;
				count_cost(scan, COST_SCALAR);
				return;
			}
		}
		bad_json(scan, scan->pos, c < 0 ? "the text ends too early" : "a value is expected");
	}
}

/* Raises every error there can be in the text but that of equal keys. */
static void
scan_text(JsonScan *scan, Size longest)
{
	Size		valid;

	if (scan->len > longest)
		ereport(ERROR,
				(errcode(scan->sqlstate),
				 errmsg("%s is too long", scan->what),
				 errdetail("It has %zu bytes; at most %zu are allowed.",
						   scan->len, longest)));
	valid = pg_encoding_verifymbstr(PG_UTF8, scan->text, (int) scan->len);
	if (valid < scan->len)
		bad_json(scan, valid, "invalid UTF-8 or a zero byte");
	skip_space(scan);
	if (scan->pos == scan->len)
		bad_json(scan, scan->pos, "the text is empty");
	if (peek(scan) != '{')
		bad_json(scan, scan->pos, "an object in braces is expected");
	scan_container(scan, '}');
	skip_space(scan);
	if (scan->pos < scan->len)
		bad_json(scan, scan->pos, "something follows the object");
}

/*
 * Let json-c read valid JSON.  NULL only when out of memory.  Nothing in here
 * throws.  Not with its JSON_TOKENER_STRICT: 0.18 takes bytes above 0x7f for
 * control characters then.  The tokener's buffer is made large enough at once for any string of
 * the text, so that it is never moved and can be wiped whole.
 */
static struct json_object *
build(const char *text, Size len)
{
	struct json_tokener *tokener = json_tokener_new_ex(LINK_MAX_JSON_DEPTH + 2);
	struct json_object *object = NULL;

	if (tokener == NULL)
		return NULL;
	if (printbuf_memset(tokener->pb, 0, 0, (int) len + 1) >= 0)
		object = json_tokener_parse_ex(tokener, text, (int) len);
	explicit_bzero(tokener->pb->buf, tokener->pb->size);
	json_tokener_free(tokener);
	return object;
}

/*
 * json-c's count of the keys is too small: find the first key that repeats an
 * earlier one, as decoded ("a" and "\u0061" are the same key).
 */
LINK_NORETURN static void
report_duplicate(const JsonScan *scan)
{
	struct json_object *seen = json_object_new_object();
	Size		pos = scan->pos;

	for (int i = 0; seen && i < scan->nkeys; i++)
	{
		struct json_object *key = build(scan->text + scan->keys[i].start, scan->keys[i].len);
		bool		found;

		if (key == NULL)
			break;
		found = json_object_object_get_ex(seen, json_object_get_string(key), NULL);
		if (!found)
			json_object_object_add(seen, json_object_get_string(key), NULL);
		json_object_put(key);
		if (found)
		{
			pos = scan->keys[i].start;
			break;
		}
	}
	json_object_put(seen);
	bad_json(scan, pos, "a key is given twice");
}

static void
release(void *arg)
{
	JsonOwner  *owner = arg;

	if (owner->object == NULL)
		return;
	link_json_wipe(owner->object);
	json_object_put(owner->object);
	owner->object = NULL;
}

static JsonOwner *
create_owner(void)
{
	JsonOwner  *owner = palloc0(sizeof(JsonOwner));

	owner->callback.func = release;
	owner->callback.arg = owner;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &owner->callback);
	return owner;
}

static struct json_object *
parse(const char *what, int sqlstate, const char *text, Size len, Size longest, Size largest_tree)
{
	JsonScan	scan = {.what = what,.sqlstate = sqlstate,.text = text,.len = len,.largest_tree = largest_tree};
	JsonOwner  *owner;

	scan_text(&scan, longest);
	owner = create_owner();
	owner->object = build(text, len);
	if (owner->object == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	if (json_object_object_length(owner->object) != scan.nkeys)
		report_duplicate(&scan);
	if (scan.keys)
		pfree(scan.keys);
	return owner->object;
}

struct json_object *
link_json_parse(const char *what, const char *text, Size len)
{
	return parse(what, ERRCODE_LINK_BAD_OPTION, text, len, LINK_MAX_OPTIONS, LINK_MAX_JSON_TREE);
}

struct json_object *
link_json_parse_answer(const char *what, const char *text, Size len)
{
	return parse(what, ERRCODE_LINK_PROTOCOL, text, len, LINK_MAX_LIST_PAGE, LINK_MAX_JSON_TREE);
}

struct json_object *
link_json_parse_own(const char *what, const char *text, Size len)
{
	return parse(what, ERRCODE_LINK_CORRUPT, text, len, LINK_MAX_READ_FILE, SIZE_MAX);
}

struct json_object *
link_json_try(const char *text, Size len)
{
	JsonOwner  *owner;

	if (len > LINK_MAX_REFUSAL)
		return NULL;
	owner = create_owner();
	owner->object = build(text, len);
	return json_object_is_type(owner->object, json_type_object) ? owner->object : NULL;
}

void
link_json_wipe(struct json_object *obj)
{
	switch (json_object_get_type(obj))
	{
		case json_type_string:
			/* of a string this is the value itself, not a serialised copy */
			explicit_bzero((char *) json_object_get_string(obj), json_object_get_string_len(obj));
			break;
		case json_type_array:
			for (size_t i = 0; i < json_object_array_length(obj); i++)
				link_json_wipe(json_object_array_get_idx(obj, i));
			break;
		case json_type_object:
			{
				json_object_object_foreach(obj, key, value)
				{
					(void) key;
					link_json_wipe(value);
				}
				break;
			}
		default:
			break;
	}
}

/*
 * Text.  Strings are written by us: json-c's own printing would leave copies of
 * them behind in freed memory.  Two passes, so that no buffer is ever moved.
 */

static Size
put(char *to, Size at, const char *text, Size len)
{
	if (to)
		memcpy(to + at, text, len);
	return at + len;
}

static Size
put_string(char *to, Size at, const char *text, Size len)
{
	at = put(to, at, "\"", 1);
	for (Size i = 0; i < len; i++)
	{
		unsigned char c = text[i];

		if (c == '"' || c == '\\')
		{
			at = put(to, at, "\\", 1);
			at = put(to, at, text + i, 1);
		}
		else if (c < 0x20)
		{
			static const char digits[] = "0123456789abcdef";
			char		escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

			at = put(to, at, escape, sizeof(escape));
		}
		else
			at = put(to, at, text + i, 1);
	}
	return put(to, at, "\"", 1);
}

/* Write at 'at', or only count where 'to' is NULL; gives the offset after it. */
static Size
put_value(char *to, Size at, struct json_object *obj)
{
	const char *text;
	bool		first = true;

	switch (json_object_get_type(obj))
	{
		case json_type_string:
			return put_string(to, at, json_object_get_string(obj), json_object_get_string_len(obj));
		case json_type_array:
			at = put(to, at, "[", 1);
			for (size_t i = 0; i < json_object_array_length(obj); i++)
			{
				if (i > 0)
					at = put(to, at, ", ", 2);
				at = put_value(to, at, json_object_array_get_idx(obj, i));
			}
			return put(to, at, "]", 1);
		case json_type_object:
			at = put(to, at, "{", 1);
			{
				json_object_object_foreach(obj, key, value)
				{
					if (!first)
						at = put(to, at, ", ", 2);
					first = false;
					at = put_string(to, at, key, strlen(key));
					at = put(to, at, ": ", 2);
					at = put_value(to, at, value);
				}
			}
			return put(to, at, "}", 1);
		default:
			text = json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN);
			return put(to, at, text, strlen(text));
	}
}

char *
link_json_text(struct json_object *obj)
{
	Size		len = put_value(NULL, 0, obj);
	char	   *text = link_secret_alloc(len + 1);

	put_value(text, 0, obj);
	text[len] = '\0';
	return text;
}
