/*-------------------------------------------------------------------------
 *
 * options_internal.h
 *	  One value of one key, read by its definition; for options*.c only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_OPTIONS_INTERNAL_H
#define LINK_OPTIONS_INTERNAL_H

#include "postgres.h"

#include "catalog/options.h"

/* Texts point into the JSON value; the array is palloc'd. */
typedef struct LinkOptionValue
{
	const char *string;			/* STRING, URL, DNS_LABEL, DIRECTORY */
	bool		boolean;
	int			integer;
	const char **strings;		/* STRINGS, URLS */
	int			n;
} LinkOptionValue;

/*
 * NULL, or what is wrong with the value, as a sentence that holds no part of it.
 * 'values' of the definition are not looked at.
 */
extern const char *link_option_read(const LinkOptionDef *def, struct json_object *json,
									LinkOptionValue *value);

#endif							/* LINK_OPTIONS_INTERNAL_H */
