/*-------------------------------------------------------------------------
 *
 * decode.h
 *	  Values of common types, read from their most common notation.
 *
 * Only where the result is certain to be that of the type's input function,
 * whatever the parameters of the session are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_DECODE_H
#define LINK_DECODE_H

#include "postgres.h"

typedef enum LinkDecoding
{
	DECODE_NOTHING,
	DECODE_BOOL,
	DECODE_INT2,
	DECODE_INT4,
	DECODE_INT8,
	DECODE_OID,
	DECODE_NUMERIC,
	DECODE_DATE,
	DECODE_TIMESTAMP,
	DECODE_TEXT,
	DECODE_VARCHAR,
	DECODE_BPCHAR
} LinkDecoding;

/* A value that was read, and is not in memory of its own yet. */
typedef struct LinkDecoded
{
	Datum		datum;			/* of types that are passed by value */
	const char *text;			/* of texts: of the caller */
	int			len;
	uint64		number;			/* of a numeric: its digits, */
	int			scale;			/* and how many of these are behind the point */
	bool		negative;
} LinkDecoded;

/* What can be read for this input function and type modifier. */
extern LinkDecoding link_decoding(Oid input_function, int32 typmod);

/* false: it is for the input function to read. */
extern bool link_decode(LinkDecoding decoding, int32 typmod, const char *text, int len,
						LinkDecoded *out);

/* The value, in the current memory context. */
extern Datum link_decoded_datum(LinkDecoding decoding, int32 typmod, const LinkDecoded *value);

#endif							/* LINK_DECODE_H */
