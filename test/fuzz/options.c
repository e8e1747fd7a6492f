/*-------------------------------------------------------------------------
 *
 * options.c
 *	  Fuzz target: CREDENTIALS and CONFIG of a link of any type.
 *
 * An input is paragraphs: the type, CREDENTIALS, CONFIG, a text (to scrub, and
 * as the value of SET ... ::key).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include "nodes/pg_list.h"

#include "catalog/options_internal.h"
#include "provider/provider.h"

#include "backend.h"

typedef struct Clause
{
	LinkClause	clause;
	const char *text;
	struct json_object *object; /* NULL if it is not well-formed */
	bool		usable;
} Clause;

typedef struct Input
{
	const LinkProvider *provider;
	Clause		credentials;
	Clause		config;
	const char *text;
	LinkOptions *options;
} Input;

void
fuzz_setup(void)
{
}

static const char *
name_of(const Clause *clause)
{
	return clause->clause == LINK_CREDENTIALS ? "CREDENTIALS" : "CONFIG";
}

static void
parse(void *arg)
{
	Clause	   *clause = arg;

	clause->object = link_json_parse(name_of(clause), clause->text, strlen(clause->text));
}

/* What we write can be read, and says the same. */
static void
check_text(struct json_object *object)
{
	Clause		again = {LINK_CONFIG, link_json_text(object)};

	if (!fuzz_try(parse, &again))
		fuzz_bug("our own JSON cannot be read: %s: %s", fuzz_error.detail, again.text);
	fuzz_expect(json_object_equal(object, again.object));
}

/* A key may be told, and so may not be what is hidden. */
static bool
keys_are_public(struct json_object *object)
{
	if (object)
	{
		json_object_object_foreach(object, key, value)
		{
			(void) value;
			if (strstr(key, FUZZ_SECRET))
				return false;
		}
	}
	return true;
}

static void
check_credentials(void *arg)
{
	Input	   *input = arg;

	link_options_check(input->provider->type, input->provider->options,
					   LINK_CREDENTIALS, input->credentials.object);
}

static void
check_config(void *arg)
{
	Input	   *input = arg;

	link_options_check(input->provider->type, input->provider->options,
					   LINK_CONFIG, input->config.object);
}

/* The root of an FS link would be opened. */
static void
validate(void *arg)
{
	Input	   *input = arg;

	link_options_check_required(input->provider->type, input->provider->options,
								input->credentials.object, input->config.object);
	if (input->provider->validate && strcmp(input->provider->type, "FS") != 0)
		input->provider->validate(input->credentials.object, input->config.object);
}

/* Also of what no check has let through: rows may be restored. */
static void
compare(Input *input)
{
	const LinkOptionDef *defs = input->provider->options;
	struct json_object *credentials = input->credentials.object;
	struct json_object *config = input->config.object;
	const char *key = NULL;

	if (link_options_ambient(defs, LINK_CREDENTIALS, credentials, &key) ||
		link_options_ambient(defs, LINK_CONFIG, config, &key))
		fuzz_expect(link_option_find(defs, key) != NULL);
	if (link_options_differ(defs, LINK_CONFIG, PG_UINT32_MAX, config, credentials, &key))
		fuzz_expect(link_option_find(defs, key)->flags != 0);
	fuzz_expect(!link_options_differ(defs, LINK_CREDENTIALS, PG_UINT32_MAX, credentials, credentials, NULL));
	fuzz_touch(link_options_origin(defs, credentials, config));
	fuzz_touch(link_options_origin(defs, NULL, config));
}

static void
create(void *arg)
{
	Input	   *input = arg;

	input->options = link_options_create(input->provider->options, input->credentials.object,
										 input->config.object);
}

/* Could what replaces a secret, or follows where a text was cut, be a part of this one? */
static bool
is_like_replacement(const char *secret)
{
	return strpbrk(secret, "<redacted>.") != NULL;
}

static void
read_all(Input *input, const LinkOptionDef *def)
{
	ListCell   *cell;

	for (; def->name; def++)
		switch (def->type)
		{
			case LINK_OPTION_BOOLEAN:
				(void) link_option_boolean(input->options, def->name, false);
				break;
			case LINK_OPTION_INTEGER:
				{
					int			value = link_option_integer(input->options, def->name, def->min);

					fuzz_expect(value >= def->min && value <= def->max);
				}
				break;
			case LINK_OPTION_STRINGS:
			case LINK_OPTION_URLS:
				foreach(cell, link_option_strings(input->options, def->name))
					fuzz_expect(*(char *) lfirst(cell) != '\0');
				break;
			default:
				{
					const char *value = link_option_string(input->options, def->name, NULL);

					fuzz_expect(value == NULL || *value != '\0');
					if (value && (def->flags & LINK_OPTION_SECRET) && strlen(value) >= 4 && !is_like_replacement(value))
						fuzz_expect(strstr(link_options_scrub(input->options, input->text), value) == NULL);
				}
		}
}

static void
set_from_text(Input *input, const LinkOptionDef *def)
{
	struct json_object *value = link_option_from_text(def, input->text);
	LinkOptionValue read;

	/* what is not checked yet may hold what we never write */
	if (link_option_read(def, value, &read) != NULL ||
		json_object_object_add(input->config.object, def->name, value) != 0)
		json_object_put(value);
}

static void
set_all(void *arg)
{
	Input	   *input = arg;

	for (const LinkOptionDef *def = link_common_options; def->name; def++)
		set_from_text(input, def);
	for (const LinkOptionDef *def = input->provider->options; def->name; def++)
		set_from_text(input, def);
}

void
fuzz_one(const char *data, Size size)
{
	char	   *rest = fuzz_text(data, size);
	Input		input = {NULL};

	fuzz_use_encoding_of(rest);
	input.provider = link_provider_find(fuzz_cut(&rest, "\n\n"));
	if (input.provider == NULL)
		return;
	input.credentials = (Clause) {LINK_CREDENTIALS, fuzz_cut(&rest, "\n\n")};
	input.config = (Clause) {LINK_CONFIG, fuzz_cut(&rest, "\n\n")};
	input.text = rest;

	/* the text of malformed JSON is not told at all */
	fuzz_hide(true);
	fuzz_try(parse, &input.credentials);
	fuzz_try(parse, &input.config);
	fuzz_hide(keys_are_public(input.credentials.object) && keys_are_public(input.config.object));

	if (input.credentials.object)
	{
		check_text(input.credentials.object);
		input.credentials.usable = fuzz_try(check_credentials, &input);
	}
	if (input.config.object)
	{
		check_text(input.config.object);
		input.config.usable = fuzz_try(check_config, &input);
	}
	compare(&input);
	if ((input.credentials.usable || input.credentials.object == NULL) &&
		(input.config.usable || input.config.object == NULL))
	{
		fuzz_try(validate, &input);
		if (fuzz_try(create, &input))
		{
			read_all(&input, link_common_options);
			read_all(&input, input.provider->options);
		}
	}
	else
		fuzz_try(create, &input);

	if (input.config.object)
	{
		if (fuzz_try(set_all, &input))
			check_text(input.config.object);
		fuzz_try(check_config, &input);
		compare(&input);
	}
}
