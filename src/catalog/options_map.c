/*-------------------------------------------------------------------------
 *
 * options_map.c
 *	  The options of a link in use: a map from key to value, and its secrets
 *	  kept out of errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include "common/base64.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "catalog/options_internal.h"
#include "catalog/seal.h"
#include "errors.h"
#include "http/url.h"

/*
 * Shorter secrets are not looked for: they are found in any text, so that what
 * is replaced would tell them, and everybody can guess them.
 */
#define MIN_SCRUBBED 4

/*
 * More of a text is not looked at, and left out: an error takes
 * LINK_MAX_PROVIDER_TEXT of it, after secrets that may have been longer than
 * what replaces them.
 */
#define MAX_SCRUBBED (16 * LINK_MAX_PROVIDER_TEXT)

#define REDACTED "<redacted>"

typedef struct Entry
{
	const LinkOptionDef *def;
	const char *string;
	bool		boolean;
	int			integer;
	List	   *strings;		/* of char * */
} Entry;

/* Derived secrets of a session: of the latest tokens, and what led to them. */
#define MAX_CONCEALED 16

struct LinkOptions
{
	char	   *concealed[MAX_CONCEALED];	/* NULL from the first free place on */
	Size		concealed_size[MAX_CONCEALED];
	int			next_concealed; /* the place to use; the oldest goes */
	int			n;
	Entry		entries[FLEXIBLE_ARRAY_MEMBER];
};

/* Copies, for the JSON goes; all that is in CREDENTIALS is wiped, not the secrets alone. */
static void
add_entries(LinkOptions *options, const LinkOptionDef *defs, LinkClause clause,
			struct json_object *object)
{
	struct json_object_iter iter;

	if (object == NULL)
		return;
	json_object_object_foreachC(object, iter)
	{
		Entry	   *entry = &options->entries[options->n++];
		LinkOptionValue value;

		entry->def = link_option_find(defs, iter.key);
		if (link_option_read(entry->def, iter.val, &value) != NULL)
			elog(ERROR, "link option was not checked");
		entry->boolean = value.boolean;
		entry->integer = value.integer;
		if (value.string)
			entry->string = clause == LINK_CREDENTIALS ? link_secret_strdup(value.string) :
				pstrdup(value.string);
		for (int i = 0; i < value.n; i++)
			entry->strings = lappend(entry->strings, clause == LINK_CREDENTIALS ?
									 link_secret_strdup(value.strings[i]) :
									 pstrdup(value.strings[i]));
	}
}

LinkOptions *
link_options_create(const LinkOptionDef *defs, struct json_object *credentials,
					struct json_object *config)
{
	LinkOptions *options;
	int			n = 0;

	if (credentials)
	{
		link_options_check(NULL, defs, LINK_CREDENTIALS, credentials);
		n += json_object_object_length(credentials);
	}
	if (config)
	{
		link_options_check(NULL, defs, LINK_CONFIG, config);
		n += json_object_object_length(config);
	}
	options = palloc0(offsetof(LinkOptions, entries) + n * sizeof(Entry));
	add_entries(options, defs, LINK_CREDENTIALS, credentials);
	add_entries(options, defs, LINK_CONFIG, config);
	return options;
}

static const Entry *
find(const LinkOptions *options, const char *name)
{
	for (int i = 0; i < options->n; i++)
		if (strcmp(options->entries[i].def->name, name) == 0)
			return &options->entries[i];
	return NULL;
}

const char *
link_option_string(const LinkOptions *options, const char *name, const char *fallback)
{
	const Entry *entry = find(options, name);

	Assert(entry == NULL || entry->string != NULL);
	return entry ? entry->string : fallback;
}

bool
link_option_boolean(const LinkOptions *options, const char *name, bool fallback)
{
	const Entry *entry = find(options, name);

	Assert(entry == NULL || entry->def->type == LINK_OPTION_BOOLEAN);
	return entry ? entry->boolean : fallback;
}

int
link_option_integer(const LinkOptions *options, const char *name, int fallback)
{
	const Entry *entry = find(options, name);

	Assert(entry == NULL || entry->def->type == LINK_OPTION_INTEGER);
	return entry ? entry->integer : fallback;
}

const char *
link_option_text(const LinkOptions *options, const char *name)
{
	const Entry *entry = find(options, name);

	if (entry == NULL)
		return NULL;
	switch (entry->def->type)
	{
		case LINK_OPTION_BOOLEAN:
			return entry->boolean ? "true" : "false";
		case LINK_OPTION_INTEGER:
			return psprintf("%d", entry->integer);
		default:
			return entry->string;
	}
}

List *
link_option_strings(const LinkOptions *options, const char *name)
{
	const Entry *entry = find(options, name);

	Assert(entry == NULL || entry->strings != NIL);
	return entry ? entry->strings : NIL;
}

/*
 * Scrubbing.
 *
 * Every form of every secret is looked for at every place of the text, longest
 * first.  Only whole forms: if parts counted, whoever can choose what an error
 * quotes (a path) could find a secret out, a byte at a time, by watching what is
 * replaced.  Where a text was cut, here or by link_printable(), its last bytes
 * could begin a form, so they are left out whatever they are.
 *
 * The work is bounded by LINK_MAX_SECRET and MAX_SCRUBBED: of a secret that is
 * longer than the text, only as much as the text could hold is turned into forms.
 */

typedef struct Form
{
	const char *text;
	Size		len;
} Form;

static List *
add_form(List *forms, const char *text, Size len)
{
	Form	   *form;

	if (len < MIN_SCRUBBED)
		return forms;
	form = palloc(sizeof(Form));
	form->text = text;
	form->len = len;
	return lappend(forms, form);
}

/*
 * Base64 of a text that holds the secret, where 'before' bytes of its group of
 * three come before it: without the characters that other bytes have a share in;
 * and as far as to the end of the text, if the secret ends it.
 */
static List *
add_base64(List *forms, const char *secret, Size len, int before, bool for_urls)
{
	int			size = pg_b64_enc_len((int) len + before);
	char	   *text = link_secret_alloc(len + before);
	char	   *out = link_secret_alloc(size + 1);
	const void *bytes = text;	/* the signature of pg_b64_encode() differs between versions */
	int			start = before ? before + 1 : 0;
	int			n;

	memset(text, 0, before);
	memcpy(text + before, secret, len);
	n = pg_b64_encode(bytes, (int) len + before, out, size);
	if (n < 0)
		elog(ERROR, "could not encode as base64");
	out[n] = '\0';

	/* RFC 4648 section 5; the "=" are often left out */
	for (int i = 0; for_urls && i < n; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	forms = add_form(forms, out + start, n - start);
	forms = add_form(forms, out + start, strcspn(out, "=") - start);
	return add_form(forms, out + start, (len + before) / 3 * 4 - start);
}

/* %2F or, of the many who write them so, %2f */
static char *
url_encoded(const char *text, bool keep_slash, bool lower)
{
	StringInfoData out;

	/* three bytes for each and never moved, so that no copy is left behind */
	out.maxlen = (int) (3 * strlen(text) + 2);
	out.data = link_secret_alloc(out.maxlen);
	resetStringInfo(&out);
	link_url_encode(&out, text, keep_slash);
	for (char *p = out.data; lower && *p; p++)
		if (*p == '%')
		{
			p[1] = pg_ascii_tolower((unsigned char) p[1]);
			p[2] = pg_ascii_tolower((unsigned char) p[2]);
			p += 2;
		}
	return out.data;
}

static List *
add_secret(List *forms, const char *secret, Size text_len)
{
	Size		len = strlen(secret);

	if (len < MIN_SCRUBBED)
		return forms;
	if (len > text_len)
	{
		/* whole groups, so that the forms are the beginnings of the secret's own */
		Size		most = (text_len / 3 + 1) * 3;

		if (len > most)
		{
			char	   *clipped = link_secret_alloc(most + 1);

			strlcpy(clipped, secret, most + 1);
			secret = clipped;
			len = most;
		}
	}
	forms = add_form(forms, secret, len);
	for (int i = 0; i < 4; i++)
	{
		char	   *encoded = url_encoded(secret, (i & 1) != 0, (i & 2) != 0);

		forms = add_form(forms, encoded, strlen(encoded));
	}

	for (int i = 0; i < 6; i++)
		forms = add_base64(forms, secret, len, i % 3, i >= 3);
	return forms;
}

/* Of a text of several lines also each line, as it may be quoted with other line ends. */
static List *
add_lines(List *forms, const char *secret)
{
	while (*secret != '\0')
	{
		Size		len = strcspn(secret, "\r\n");

		forms = add_form(forms, secret, len);
		secret += len;
		secret += strspn(secret, "\r\n");
	}
	return forms;
}

static int
longer_first(const ListCell *a, const ListCell *b)
{
	Size		x = ((const Form *) lfirst(a))->len;
	Size		y = ((const Form *) lfirst(b))->len;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Length of the form that 'text' (left bytes) begins with, or 0. */
static Size
match(List *forms, const char *text, Size left)
{
	ListCell   *cell;

	foreach(cell, forms)
	{
		const Form *form = lfirst(cell);

		if (form->len <= left && form->text[0] == text[0] && memcmp(form->text, text, form->len) == 0)
			return form->len;
	}
	return 0;
}

void
link_options_conceal(LinkOptions *options, const char *secret)
{
	MemoryContext caller;
	int			place;
	Size		size;

	if (secret == NULL)
		return;
	for (int i = 0; i < MAX_CONCEALED && options->concealed[i]; i++)
		if (strcmp(options->concealed[i], secret) == 0)
			return;
	place = options->next_concealed;
	options->next_concealed = (place + 1) % MAX_CONCEALED;

	/* such memory is freed with the map only; tokens of one kind are about as long, so it serves again */
	size = strlen(secret) + 1;
	if (size > options->concealed_size[place])
	{
		caller = MemoryContextSwitchTo(GetMemoryChunkContext(options));
		options->concealed_size[place] = size + size / 8;
		options->concealed[place] = link_secret_alloc(options->concealed_size[place]);
		MemoryContextSwitchTo(caller);
	}
	strlcpy(options->concealed[place], secret, options->concealed_size[place]);
}

char *
link_options_scrub(const LinkOptions *options, const char *text)
{
	MemoryContext context;
	MemoryContext caller;
	StringInfoData out;
	List	   *forms = NIL;
	Size		left = strnlen(text, MAX_SCRUBBED);
	bool		cut = text[left] != '\0' || (left <= LINK_MAX_PROVIDER_TEXT &&
										 left + MAX_MULTIBYTE_CHAR_LEN > LINK_MAX_PROVIDER_TEXT);
	Size		doubtful;

	initStringInfo(&out);
	context = AllocSetContextCreate(CurrentMemoryContext, "link scrub", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	for (int i = 0; options && i < options->n; i++)
	{
		const Entry *entry = &options->entries[i];

		if ((entry->def->flags & LINK_OPTION_SECRET) == 0 || entry->string == NULL)
			continue;
		forms = add_secret(forms, entry->string, left);
		if (entry->def->flags & LINK_OPTION_TEXT)
			forms = add_lines(forms, entry->string);
	}
	for (int i = 0; options && i < MAX_CONCEALED && options->concealed[i]; i++)
		forms = add_secret(forms, options->concealed[i], left);
	list_sort(forms, longer_first);
	doubtful = cut && forms != NIL ? ((Form *) linitial(forms))->len - 1 : 0;

	MemoryContextSwitchTo(caller);
	while (left > 0)
	{
		Size		len = match(forms, text, left);

		if (len > 0)
			appendStringInfoString(&out, REDACTED);
		else if (left <= doubtful)
		{
			out.len = pg_mbcliplen(out.data, out.len, out.len);
			appendStringInfoString(&out, "...");
			break;
		}
		else
		{
			len = 1;
			appendStringInfoChar(&out, *text);
		}
		text += len;
		left -= len;
	}
	MemoryContextDelete(context);
	return out.data;
}
