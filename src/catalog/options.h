/*-------------------------------------------------------------------------
 *
 * options.h
 *	  The keys of CREDENTIALS and CONFIG: described by tables, checked,
 *	  canonicalised and read in one place.
 *
 * Each provider has a table of LinkOptionDef (provider.h); the keys every type
 * takes are in options.c (link_common_options).  The tables exist whether or
 * not the provider is in this build.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_OPTIONS_H
#define LINK_OPTIONS_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* json-c's; see json.h for why its header is not included here */
struct json_object;

typedef enum LinkClause
{
	LINK_CREDENTIALS,
	LINK_CONFIG
} LinkClause;

typedef enum LinkOptionType
{
	LINK_OPTION_STRING,
	LINK_OPTION_BOOLEAN,
	LINK_OPTION_INTEGER,
	LINK_OPTION_STRINGS,		/* array of strings */
	LINK_OPTION_URL,			/* scheme, host, port, path; nothing else (SECURITY 17) */
	LINK_OPTION_URLS,			/* one URL or an array of them */
	LINK_OPTION_DNS_LABEL,		/* becomes part of a host name (SECURITY 17) */
	LINK_OPTION_DIRECTORY		/* absolute path of the server */
} LinkOptionType;

/* LinkOptionDef.flags */
#define LINK_OPTION_SECRET		(1 << 0)	/* never shown, scrubbed from errors */
#define LINK_OPTION_ORIGIN		(1 << 1)	/* decides where bytes go: sealed to (SECURITY 14) */
#define LINK_OPTION_AMBIENT		(1 << 2)	/* needs AMBIENT LINK (SECURITY 10) */
#define LINK_OPTION_LIMIT		(1 << 3)	/* changed by owner or superuser only (SECURITY 9) */
#define LINK_OPTION_REQUIRED	(1 << 4)
#define LINK_OPTION_TEXT		(1 << 5)	/* STRING: may hold line ends and tabs (PEM) */

typedef struct LinkOptionDef
{
	const char *name;			/* as typed; NULL ends a table */
	LinkClause	clause;
	LinkOptionType type;
	uint32		flags;
	int			min;			/* INTEGER: bounds, inclusive */
	int			max;
	const char *const *values;	/* STRING: the only values, NULL-terminated; or NULL */
	const char *const *ambient_values;	/* those of 'values' that need AMBIENT LINK, or NULL */
	const char *const *unsupported_values;	/* those known but not in this build, or NULL */
} LinkOptionDef;

/*
 * Keys of every type, in CONFIG.  hosts is an ORIGIN key besides a LIMIT: a path
 * that names a host sends the credentials there (SECURITY 15).
 */
extern const LinkOptionDef link_common_options[];

/*
 * One link's checked options, ready for use: an opaque map from key to value.
 * Lives in the memory context that was current when it was made; secrets in it
 * are wiped when that context is reset.
 */
typedef struct LinkOptions LinkOptions;

/*
 * Check one clause of a link of the type whose table is 'defs' (common options
 * are added).  'object' comes from link_json_parse().  Throws 22023 with a hint
 * for an unknown key (closest match), a key of the other clause, a wrong JSON
 * type, a value out of range; 0A000 for values of a later build.  Never prints
 * a value of LINK_CREDENTIALS.
 */
extern void link_options_check(const char *type, const LinkOptionDef *defs,
							   LinkClause clause, struct json_object *object);

/* Throws 22023 if a REQUIRED key of either clause is missing.  NULL counts as {}. */
extern void link_options_check_required(const char *type, const LinkOptionDef *defs,
										struct json_object *credentials,
										struct json_object *config);

/* True if some key or value of the clause needs AMBIENT LINK; names it in *key if not NULL. */
extern bool link_options_ambient(const LinkOptionDef *defs, LinkClause clause,
								 struct json_object *object, const char **key);

/* Definition of 'name' for a type, own keys before common ones, or NULL. */
extern const LinkOptionDef *link_option_find(const LinkOptionDef *defs, const char *name);

/*
 * The JSON value that 'text' stands for in SET clause ::key = 'text': a number
 * or boolean where the key takes one and the text is one, an array where the key
 * takes one (the text is a JSON array, or its only element), else a string.
 * Not checked, but 22023 for what is no UTF-8.  Add it at once to an object of
 * link_json_parse(), which then wipes and frees it.
 */
extern struct json_object *link_option_from_text(const LinkOptionDef *def, const char *text);

/*
 * The canonical text of what credentials are sealed to: every ORIGIN key of
 * both clauses that is there, with its value, in order of names (SECURITY 14).
 * Seal and unseal with the same arguments: credentials NULL, as what is inside
 * the seal needs no binding to it.
 */
extern char *link_options_origin(const LinkOptionDef *defs,
								 struct json_object *credentials,
								 struct json_object *config);

/* True if a and b differ in the value of a key with any of 'flags'. */
extern bool link_options_differ(const LinkOptionDef *defs, LinkClause clause, uint32 flags,
								struct json_object *a, struct json_object *b,
								const char **key);

/*
 * Make the map a provider reads from.  Either object may be NULL.  Checks both
 * clauses again, for a row that was restored was never checked.
 */
extern LinkOptions *link_options_create(const LinkOptionDef *defs,
										struct json_object *credentials,
										struct json_object *config);

/* Values, or the fallback if the key is absent.  The text belongs to the map. */
extern const char *link_option_string(const LinkOptions *options, const char *name,
									  const char *fallback);
extern bool link_option_boolean(const LinkOptions *options, const char *name, bool fallback);
extern int	link_option_integer(const LinkOptions *options, const char *name, int fallback);
/* Any of these as text, palloc'd unless it is a string; NULL if absent. */
extern const char *link_option_text(const LinkOptions *options, const char *name);
extern List *link_option_strings(const LinkOptions *options, const char *name); /* of char *; NIL if absent */

/*
 * A copy of 'text' in which every secret value of the map, and its base64 and
 * URL-encoded forms, reads <redacted> (SECURITY 20).  Call it on every text of
 * a provider before it enters an error.
 */
extern char *link_options_scrub(const LinkOptions *options, const char *text);

/*
 * Scrub this too: a token, or what else was derived from the secrets of the map.
 * It is copied, in memory that is wiped with the map; NULL is none.  The latest
 * few are known.
 */
extern void link_options_conceal(LinkOptions *options, const char *secret);

#endif							/* LINK_OPTIONS_H */
