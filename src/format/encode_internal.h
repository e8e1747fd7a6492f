/*-------------------------------------------------------------------------
 *
 * encode_internal.h
 *	  What the encode*.c files share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_ENCODE_INTERNAL_H
#define LINK_ENCODE_INTERNAL_H

#include "postgres.h"

#include "utils/array.h"

#include "format/encode.h"

extern const char link_digit_pairs[];

static inline char *
link_put_pair(char *to, uint32 value)
{
	memcpy(to, link_digit_pairs + 2 * value, 2);
	return to + 2;
}

/*
 * A numeric as stored, taken apart: digits in base 10000, in the machine's byte
 * order and at any address.  The first has 'weight' others before the point.
 */
typedef struct LinkNumeric
{
	const char *special;		/* "NaN", and nothing else is set; or NULL */
	bool		negative;
	int			weight;
	int			scale;
	int			ndigits;
	const char *digits;
} LinkNumeric;

extern void link_numeric_parts(const struct varlena *data, LinkNumeric *parts);
extern Size link_numeric_room(const LinkNumeric *parts);
extern char *link_put_numeric(char *to, const LinkNumeric *parts);

/* Two digits a byte. */
extern char *link_put_hex(char *to, const unsigned char *from, Size n);

/* A value of an encoding that needs no more room than LINK_SHORT_VALUE. */
extern char *link_encode_short(char *to, LinkEncoding encoding, Datum value);

/* Those of encode_time.c.  'style' is USE_ISO_DATES or USE_XSD_DATES. */
extern char *link_encode_time(char *to, LinkEncoding encoding, Datum value, int style);

/* ---- arrays ---- */

/* An array's elements, one after the other. */
typedef struct LinkArrayWalk
{
	const LinkElement *element;
	int			ndim;
	const int  *dims;
	int			left;			/* elements not yet given */
	char	   *data;
	bits8	   *nulls;
	int			bit;
	int			at[MAXDIM];
} LinkArrayWalk;

extern void link_array_begin(LinkArrayWalk *walk, ArrayType *array, const LinkElement *element);

/* The next element: true if it is NULL.  Only while some are left. */
extern bool link_array_next(LinkArrayWalk *walk, Datum *value);

/* To be called after each: how many dimensions end with it. */
extern int	link_array_closes(LinkArrayWalk *walk);

/* The cast to json that core's to_json() calls for values of a type, which is no domain; InvalidOid: none. */
extern Oid	link_json_cast(Oid type);

/* Text of an array, in the writer's scratch memory. */
extern LinkText link_array_text(LinkRowWriter *writer, LinkColumn *column, Datum value);

#endif							/* LINK_ENCODE_INTERNAL_H */
