/*-------------------------------------------------------------------------
 *
 * encode.h
 *	  Values as text, for the formats that are made of text.
 *
 * Two ways for a value.  Types whose text is made of a few known bytes are
 * encoded straight into the output, when none of these bytes has a meaning in
 * the format.  All others give a LinkText, which the format escapes; strings are
 * then read where they lie in the tuple.  Either way the bytes are those of the
 * type's output function.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_ENCODE_H
#define LINK_ENCODE_H

#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "format/format.h"
#include "utils/bytea.h"
#include "utils/datetime.h"

#ifdef __SSE2__
#include <emmintrin.h>
#include "port/pg_bitutils.h"
#endif

/* ---- sets of bytes that need a look ---- */

/*
 * A run of adjacent bytes and up to three others: what one pass over 16 bytes
 * can test for.  'member' says the same byte by byte.
 */
typedef struct LinkByteSet
{
	bool		member[256];
	unsigned char low;
	unsigned char span;			/* the run is low .. low + span */
	unsigned char other[3];
} LinkByteSet;

extern void link_byteset_init(LinkByteSet *set, unsigned char low, unsigned char high,
							  unsigned char a, unsigned char b, unsigned char c);

#ifdef __SSE2__
/* One bit for each of the 16 bytes that is in the set. */
static inline uint32
link_byteset_match(__m128i bytes, const LinkByteSet *set)
{
	__m128i		from_low = _mm_sub_epi8(bytes, _mm_set1_epi8((char) set->low));
	__m128i		hit = _mm_cmpeq_epi8(_mm_min_epu8(from_low, _mm_set1_epi8((char) set->span)),
									 from_low);

	hit = _mm_or_si128(hit, _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char) set->other[0])));
	hit = _mm_or_si128(hit, _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char) set->other[1])));
	hit = _mm_or_si128(hit, _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char) set->other[2])));
	return (uint32) _mm_movemask_epi8(hit);
}
#endif

/*
 * Copy bytes up to the first that is in the set, or all n of them; returns how
 * many.  Bytes of 'to' after that, within n, may be overwritten.  With 'to'
 * NULL it only looks.
 */
static inline Size
link_copy_until(char *to, const char *from, Size n, const LinkByteSet *set)
{
	Size		i = 0;

#ifdef __SSE2__
	if (n >= sizeof(__m128i))
	{
		for (;;)
		{
			__m128i		bytes = _mm_loadu_si128((const __m128i *) (from + i));
			uint32		hits = link_byteset_match(bytes, set);

			if (to)
				_mm_storeu_si128((__m128i *) (to + i), bytes);
			if (hits)
				return i + pg_rightmost_one_pos32(hits);
			i += sizeof(__m128i);
			if (i == n)
				return n;
			/* The last step reads some bytes a second time, never past the end. */
			if (n - i < sizeof(__m128i))
				i = n - sizeof(__m128i);
		}
	}
	if (n >= 8)
	{
		for (;;)
		{
			__m128i		bytes = _mm_loadl_epi64((const __m128i *) (from + i));
			uint32		hits = link_byteset_match(bytes, set) & 0xFF;

			if (to)
				_mm_storel_epi64((__m128i *) (to + i), bytes);
			if (hits)
				return i + pg_rightmost_one_pos32(hits);
			if (i + 8 == n)
				return n;
			i = n - 8;
		}
	}
#endif
	for (; i < n && !set->member[(unsigned char) from[i]]; i++)
		if (to)
			to[i] = from[i];
	return i;
}

/* ---- columns ---- */

/*
 * How a type's values become text; what is not listed goes to its output
 * function.  The order matters to the macros below.
 */
typedef enum LinkEncoding
{
	LINK_ENCODE_OUTPUT,
	LINK_ENCODE_VARLENA,		/* text and its like: the bytes are the text */
	LINK_ENCODE_NAME,
	LINK_ENCODE_JSONB,
	LINK_ENCODE_ENUM,
	LINK_ENCODE_ARRAY,
	LINK_ENCODE_NUMERIC,		/* from here on: texts of a few known bytes */
	LINK_ENCODE_BYTEA,			/* when bytea_output is hex */
	LINK_ENCODE_INT2,			/* from here on: no longer than LINK_SHORT_VALUE */
	LINK_ENCODE_INT4,
	LINK_ENCODE_INT8,
	LINK_ENCODE_OID,
	LINK_ENCODE_BOOL,
	LINK_ENCODE_FLOAT4,
	LINK_ENCODE_FLOAT8,
	LINK_ENCODE_UUID,
	LINK_ENCODE_INET,
	LINK_ENCODE_CIDR,
	LINK_ENCODE_TIME,
	LINK_ENCODE_TIMETZ,
	LINK_ENCODE_INTERVAL,
	LINK_ENCODE_DATE,			/* from here on: only when DateStyle is ISO */
	LINK_ENCODE_TIMESTAMP,
	LINK_ENCODE_TIMESTAMPTZ
} LinkEncoding;

#define LINK_SHORT_VALUE MAXDATELEN

struct LinkEnumLabels;

typedef struct LinkColumn
{
	Oid			type;
	LinkEncoding encoding;
	bool		direct;			/* no byte of its text has a meaning in the format */
	bool		force_quote;	/* csv */
	bool		escapes_backslash;	/* bytea */
	bool		is_element;		/* of an array */
	FmgrInfo	output;
	struct LinkEnumLabels *labels;	/* LINK_ENCODE_ENUM */
	struct LinkElement *element;	/* LINK_ENCODE_ARRAY: NULL until the first */
} LinkColumn;

/* Elements of an array column. */
typedef struct LinkElement
{
	LinkColumn	column;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	char		typdelim;
} LinkElement;

/*
 * The columns of a row.  'special' are the bytes with a meaning; 'null_print'
 * is a text that a value must not be equal to without further ado, or NULL.
 * 'escapes_backslash' says that the format writes a backslash as two.
 */
extern LinkColumn *link_columns(TupleDesc desc, const bool *special, const char *null_print,
								bool escapes_backslash);

/* One column of a type, which is not direct. */
extern void link_column_init(LinkColumn *column, Oid type);

/* The elements of an array of that element type in this column; belongs to the writer. */
extern LinkElement *link_element(LinkRowWriter *writer, LinkColumn *column, Oid type);

/* Settings may change while a query runs: a function of the query may do it. */
static inline bool
link_column_is_encoded(const LinkColumn *column)
{
	return column->encoding >= LINK_ENCODE_NUMERIC &&
		(column->encoding < LINK_ENCODE_DATE || DateStyle == USE_ISO_DATES) &&
		(column->encoding != LINK_ENCODE_BYTEA || bytea_output == BYTEA_OUTPUT_HEX);
}

static inline bool
link_column_is_direct(const LinkColumn *column)
{
	return column->direct && link_column_is_encoded(column);
}

/* Write a value of a direct column. */
extern void link_encode(LinkRowWriter *writer, LinkColumn *column, Datum value);

/* ---- texts that are escaped ---- */

/* Up to here a text is copied while it is looked at; longer ones go in pieces. */
#define LINK_SHORT_TEXT (16 * 1024)

typedef struct LinkText
{
	const char *data;			/* not NUL-terminated */
	Size		len;
	bool		embeds_ascii;	/* go by characters, not bytes */
} LinkText;

/* A varlena as it may be read: not compressed, not elsewhere, packed. */
extern struct varlena *link_detoast(LinkRowWriter *writer, Datum value);

/* The text of a value of any column, in the server's encoding; lives as long as the row. */
extern LinkText link_column_text(LinkRowWriter *writer, LinkColumn *column, Datum value);

/*
 * Memory of the writer for a text that lives as long as the row; one is in use
 * at a time, but for that of an array's element while the array is built.
 */
extern StringInfo link_scratch(LinkRowWriter *writer, bool element);

/* Bring it to the file's encoding. */
extern void link_text_convert(LinkRowWriter *writer, LinkText *text);

/* Is there a byte of the set in it? */
extern bool link_text_has(LinkRowWriter *writer, const LinkText *text, const LinkByteSet *set);

/*
 * How a format escapes: each byte of the set becomes the prefix and a letter;
 * where the letter is 0, the prefix and u00XX.
 */
typedef struct LinkEscapes
{
	LinkByteSet set;
	char		prefix;
	char		letter[256];
} LinkEscapes;

/* Those of COPY's text format. */
extern void link_text_escapes(LinkEscapes *escapes, char delimiter);

extern void link_put_escaped(LinkRowWriter *writer, const LinkText *text,
							 const LinkEscapes *escapes);

/* The same for bytes of the server's encoding. */
extern void link_append_escaped(StringInfo out, const char *data, Size len,
								const LinkEscapes *escapes);

extern bool link_is_ascii(const char *data, Size len);

#endif							/* LINK_ENCODE_H */
