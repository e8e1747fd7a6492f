/*-------------------------------------------------------------------------
 *
 * json_nested.h
 *	  JSON values for columns of array and composite types, as texts of these.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_JSON_NESTED_H
#define LINK_JSON_NESTED_H

#include "postgres.h"

typedef struct LinkNested LinkNested;

/* Belongs to the current memory context; each of the columns has to be told. */
extern LinkNested *link_nested_begin(int ncolumns);
extern void link_nested_column(LinkNested *nested, int column, const char *name, Oid type, int32 typmod);

/* A row: its values, of which those not given are NULL, all of them converted, their texts. */
extern void link_nested_row(LinkNested *nested);
extern void link_nested_give(LinkNested *nested, int column, const char *json, Size len);

/*
 * As json_populate_record() does it, in the current memory context, in which the
 * texts will be.  With 'soft', what cannot be converted is left as it was given.
 */
extern void link_nested_convert(LinkNested *nested, bool soft);

/* NULL: it is NULL. */
extern const char *link_nested_text(const LinkNested *nested, int column);

#endif							/* LINK_JSON_NESTED_H */
