/*-------------------------------------------------------------------------
 *
 * json.h
 *	  json-c, made strict and wipeable: what we parse may hold credentials.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_JSON_H
#define LINK_JSON_H

#include "postgres.h"

/*
 * Core declares an SQL function that has the name of json-c's main type, so this
 * header must come before any other that brings utils/fmgrprotos.h (such as
 * utils/builtins.h).
 */
#define json_object core_json_object
#include "utils/fmgrprotos.h"
#undef json_object

#include <json-c/json.h>

/*
 * Parse 'text' (len bytes, server encoding UTF-8 or ASCII), which must be one
 * JSON object with unique keys at its top level, no deeper than
 * LINK_MAX_JSON_DEPTH, no larger than LINK_MAX_OPTIONS, with no \u0000, and its
 * tree no larger than LINK_MAX_JSON_TREE.
 *
 * 'what' names the text in errors ("CREDENTIALS", "CONFIG", "key ring").
 * Errors are 22023 and say the byte position and what is wrong, never any part
 * of the text.
 *
 * The object belongs to the current memory context: a reset callback wipes
 * every string of it and releases it, so no json_object_put by the caller.
 */
extern struct json_object *link_json_parse(const char *what, const char *text, Size len);

/* The same for what a provider has answered: up to LINK_MAX_LIST_PAGE; errors are 08P01. */
extern struct json_object *link_json_parse_answer(const char *what, const char *text, Size len);

/* The same for what we have written ourselves, and know to be unchanged: up to LINK_MAX_READ_FILE; errors are XX001. */
extern struct json_object *link_json_parse_own(const char *what, const char *text, Size len);

/*
 * What an answer that is no success says, for the text of an error: the object,
 * which belongs to the current memory context, or NULL if it is none, or longer
 * than LINK_MAX_REFUSAL.  Does not throw what link_json_parse() does.
 */
extern struct json_object *link_json_try(const char *text, Size len);

/*
 * Overwrite every string below 'obj' with zeroes, in place.  For objects the
 * caller made; those of link_json_parse() are wiped with their context.
 */
extern void link_json_wipe(struct json_object *obj);

/*
 * The object as JSON text, in memory that is wiped with the current context.
 * Values are strings, numbers, booleans, null, and arrays and objects of these.
 */
extern char *link_json_text(struct json_object *obj);

#endif							/* LINK_JSON_H */
