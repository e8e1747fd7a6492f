/*-------------------------------------------------------------------------
 *
 * options_value.c
 *	  One value of one key: what its type takes, and what text stands for it.
 *
 * Nothing here prints a value, be it secret or not: who only uses a link may
 * meet the error of a value too, and may not know it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "bounds.h"
#include "catalog/options_internal.h"
#include "errors.h"
#include "http/url.h"
#include "provider/provider.h"

/* Digits of an int32, with its sign. */
#define MAX_INTEGER_TEXT 11

static const char *
read_text(const LinkOptionDef *def, struct json_object *json, const char **text)
{
	Size		len;

	if (!json_object_is_type(json, json_type_string))
		return "A string is expected.";
	*text = json_object_get_string(json);
	len = json_object_get_string_len(json);

	/* what is meant to be absent is left out; an unset variable of a script is a mistake */
	if (len == 0)
		return "It is empty.";
	if ((def->flags & LINK_OPTION_SECRET) && len > LINK_MAX_SECRET)
		return "It is too long for a secret.";

	/* a zero byte is one too */
	for (Size i = 0; i < len; i++)
	{
		unsigned char c = (*text)[i];

		if ((c < 0x20 || c == 0x7f) &&
			!((def->flags & LINK_OPTION_TEXT) && (c == '\n' || c == '\r' || c == '\t')))
			return "It holds a control character.";
	}
	return NULL;
}

/* Also a boolean in a string, as SET ... ::key = 'true' gives it. */
static bool
read_boolean(struct json_object *json, bool *value)
{
	if (json_object_is_type(json, json_type_boolean))
	{
		*value = json_object_get_boolean(json);
		return true;
	}
	return json_object_is_type(json, json_type_string) &&
		strlen(json_object_get_string(json)) == json_object_get_string_len(json) &&
		parse_bool(json_object_get_string(json), value);
}

/* -?(0|[1-9][0-9]*) that fits, and nothing else. */
static bool
parse_integer(const char *text, Size len, int64 *value)
{
	Size		start = text[0] == '-' ? 1 : 0;

	if (len <= start || len > MAX_INTEGER_TEXT ||
		(text[start] == '0' && len > 1))
		return false;
	*value = 0;
	for (Size i = start; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		*value = *value * 10 + (text[i] - '0');
	}
	if (start == 1)
		*value = -*value;
	return true;
}

/* Also an integer in a string. */
static const char *
read_integer(const LinkOptionDef *def, struct json_object *json, int *value)
{
	int64		number = 0;
	bool		ok;

	if (json_object_is_type(json, json_type_int))
	{
		number = json_object_get_int64(json);	/* the nearest, if it does not fit */
		ok = true;
	}
	else
		ok = json_object_is_type(json, json_type_string) &&
			parse_integer(json_object_get_string(json), json_object_get_string_len(json), &number);

	if (!ok || number < def->min || number > def->max)
		return def->max == PG_INT32_MAX ?
			psprintf("An integer of at least %d is expected.", def->min) :
			psprintf("An integer from %d to %d is expected.", def->min, def->max);
	*value = (int) number;
	return NULL;
}

static const char *
url_problem(const char *text)
{
	LinkUrl		url;
	const char *reason;

	return link_url_parse(text, &url, &reason) ? NULL : reason;
}

/*
 * The rules of paths for a prefix, which may end in '/', and may begin with it
 * where a type's paths do; that is the caller's to know.
 */
static bool
is_prefix(const char *text)
{
	char	   *prefix = pstrdup(text[0] == '/' ? text + 1 : text);
	Size		len = strlen(prefix);

	if (len > 0 && prefix[len - 1] == '/')
		prefix[len - 1] = '\0';
	return link_path_usable(prefix);
}

/* host or host:port, by the rules of URLs. */
static bool
is_host(const char *text)
{
	return strchr(text, '/') == NULL && url_problem(psprintf("http://%s", text)) == NULL;
}

static const char *
element_problem(const LinkOptionDef *def, const char *text)
{
	if (def->type == LINK_OPTION_URLS)
		return url_problem(text);
	if (strcmp(def->name, "path_prefixes") == 0 && !is_prefix(text))
		return "A prefix is a path, which may end in \"/\": it has no component that is empty, \".\" or \"..\", no backslash, no control character, and at most 1024 bytes.";
	if (strcmp(def->name, "hosts") == 0 && !is_host(text))
		return "The name or address of a host is expected, with a colon and a port if only that one is meant.";
	return NULL;
}

static const char *
read_strings(const LinkOptionDef *def, struct json_object *json, LinkOptionValue *value)
{
	bool		single = def->type == LINK_OPTION_URLS && json_object_is_type(json, json_type_string);
	Size		n;

	if (!single && !json_object_is_type(json, json_type_array))
		return def->type == LINK_OPTION_URLS ? "A URL or an array of URLs is expected." :
			"An array of strings is expected.";
	n = single ? 1 : json_object_array_length(json);

	/* an empty path_prefixes would allow everything, and mean the contrary */
	if (n == 0)
		return "It is empty.";
	value->strings = palloc(n * sizeof(char *));
	value->n = (int) n;
	for (Size i = 0; i < n; i++)
	{
		const char *problem = read_text(def, single ? json : json_object_array_get_idx(json, i),
										&value->strings[i]);

		if (problem == NULL)
			problem = element_problem(def, value->strings[i]);
		if (problem)
			return single ? problem : psprintf("Element %zu: %s", i + 1, problem);
	}
	return NULL;
}

const char *
link_option_read(const LinkOptionDef *def, struct json_object *json, LinkOptionValue *value)
{
	const char *problem;

	memset(value, 0, sizeof(*value));
	switch (def->type)
	{
		case LINK_OPTION_BOOLEAN:
			return read_boolean(json, &value->boolean) ? NULL : "A boolean is expected.";
		case LINK_OPTION_INTEGER:
			return read_integer(def, json, &value->integer);
		case LINK_OPTION_STRINGS:
		case LINK_OPTION_URLS:
			return read_strings(def, json, value);
		default:
			break;
	}

	problem = read_text(def, json, &value->string);
	if (problem)
		return problem;
	switch (def->type)
	{
		case LINK_OPTION_URL:
			return url_problem(value->string);
		case LINK_OPTION_DNS_LABEL:
			return link_is_dns_label(value->string) ? NULL :
				"A DNS label is expected: 1 to 63 of a-z, 0-9 and, not at its ends, hyphens.";
		case LINK_OPTION_DIRECTORY:
			return is_absolute_path(value->string) && strlen(value->string) < MAXPGPATH ? NULL :
				"An absolute path of the server is expected.";
		default:
			return NULL;
	}
}

/*
 * Forms of values.
 */

static struct json_object *
new_string(const char *text)
{
	return json_object_new_string_len(text, (int) strlen(text));
}

/* The only element of an array; NULL when out of memory. */
static struct json_object *
new_array_of(const char *text)
{
	struct json_object *array = json_object_new_array();
	struct json_object *element = new_string(text);

	if (array && element && json_object_array_add(array, element) == 0)
		return array;
	json_object_put(element);
	json_object_put(array);
	return NULL;
}

/* No secret: there are no secret arrays. */
static struct json_object *
parse_array(const LinkOptionDef *def, const char *text)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *array = NULL;

	if (tokener)
	{
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
		array = json_tokener_parse_ex(tokener, text, (int) strlen(text));
		json_tokener_free(tokener);
	}
	if (array == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("invalid value of \"%s\"", def->name),
				 errdetail("It begins like a JSON array but is not one.")));
	return array;
}

struct json_object *
link_option_from_text(const LinkOptionDef *def, const char *text)
{
	struct json_object *json = NULL;
	Size		len = strlen(text);
	bool		boolean;
	int64		integer;

	/* json-c does not look, and what it is stored in could not be read any more */
	if (pg_encoding_verifymbstr(PG_UTF8, text, (int) len) != len)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("invalid value of \"%s\"", def->name),
				 errdetail("It is not valid UTF-8.")));

	if (def->type == LINK_OPTION_BOOLEAN && parse_bool(text, &boolean))
		json = json_object_new_boolean(boolean);
	else if (def->type == LINK_OPTION_INTEGER && parse_integer(text, len, &integer))
		json = json_object_new_int64(integer);
	else if (text[0] == '[' &&
			 (def->type == LINK_OPTION_STRINGS || def->type == LINK_OPTION_URLS))
		json = parse_array(def, text);
	else if (def->type == LINK_OPTION_STRINGS)
		json = new_array_of(text);
	else
		json = new_string(text);
	if (json == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return json;
}
