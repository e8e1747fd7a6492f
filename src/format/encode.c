/*-------------------------------------------------------------------------
 *
 * encode.c
 *	  Values as text, for the formats that are made of text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <float.h>

#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "format/encode.h"

/* Room for any direct value but a numeric: core's own bounds are smaller. */
#define DIRECT_ROOM MAXDATELEN

/*
 * Types are known by their output function, so that domains and types that
 * share one are covered.  The bytes are all that its texts are made of; NULL for
 * texts that may hold anything.
 */
static const struct
{
	Oid			output;
	LinkEncoding encoding;
	const char *bytes;
}			encodings[] = {
	{F_TEXTOUT, LINK_ENCODE_VARLENA, NULL},
	{F_VARCHAROUT, LINK_ENCODE_VARLENA, NULL},
	{F_BPCHAROUT, LINK_ENCODE_VARLENA, NULL},
	{F_JSON_OUT, LINK_ENCODE_VARLENA, NULL},
	{F_NAMEOUT, LINK_ENCODE_NAME, NULL},
	{F_INT2OUT, LINK_ENCODE_INT2, "0123456789-"},
	{F_INT4OUT, LINK_ENCODE_INT4, "0123456789-"},
	{F_INT8OUT, LINK_ENCODE_INT8, "0123456789-"},
	{F_OIDOUT, LINK_ENCODE_OID, "0123456789"},
	{F_BOOLOUT, LINK_ENCODE_BOOL, "tf"},
	{F_FLOAT4OUT, LINK_ENCODE_FLOAT4, "0123456789-+.eNaInfity"},
	{F_FLOAT8OUT, LINK_ENCODE_FLOAT8, "0123456789-+.eNaInfity"},
	{F_NUMERIC_OUT, LINK_ENCODE_NUMERIC, "0123456789-.NaInfity"},
	{F_UUID_OUT, LINK_ENCODE_UUID, "0123456789abcdef-"},
	{F_DATE_OUT, LINK_ENCODE_DATE, "0123456789- BCinfty"},
	{F_TIMESTAMP_OUT, LINK_ENCODE_TIMESTAMP, "0123456789-:. BCinfty"},
	{F_TIMESTAMPTZ_OUT, LINK_ENCODE_TIMESTAMPTZ, "0123456789-+:. BCinfty"},
};

static const char digit_pairs[] =
"00010203040506070809101112131415161718192021222324"
"25262728293031323334353637383940414243444546474849"
"50515253545556575859606162636465666768697071727374"
"75767778798081828384858687888990919293949596979899";

void
link_byteset_init(LinkByteSet *set, unsigned char low, unsigned char high,
				  unsigned char a, unsigned char b, unsigned char c)
{
	memset(set->member, 0, sizeof(set->member));
	for (int i = low; i <= high; i++)
		set->member[i] = true;
	set->member[a] = set->member[b] = set->member[c] = true;
	set->low = low;
	set->span = high - low;
	set->other[0] = a;
	set->other[1] = b;
	set->other[2] = c;
}

/* Can the texts that are made of 'bytes' do without escapes and quotes? */
static bool
is_plain(const char *bytes, const bool *special, const char *null_print)
{
	for (const char *p = bytes; *p; p++)
		if (special[(unsigned char) *p])
			return false;

	/* None of them can equal the null marker if that holds another byte. */
	return null_print == NULL || *null_print == '\0' ||
		strspn(null_print, bytes) < strlen(null_print);
}

LinkColumn *
link_columns(TupleDesc desc, const bool *special, const char *null_print)
{
	LinkColumn *columns = palloc0(sizeof(LinkColumn) * Max(desc->natts, 1));

	for (int i = 0; i < desc->natts; i++)
	{
		LinkColumn *column = &columns[i];
		Oid			output;
		bool		is_varlena;

		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &output, &is_varlena);
		fmgr_info(output, &column->output);
		column->encoding = LINK_ENCODE_OUTPUT;
		for (int e = 0; e < lengthof(encodings); e++)
		{
			if (encodings[e].output != output)
				continue;
			column->encoding = encodings[e].encoding;
			column->direct = encodings[e].bytes != NULL &&
				is_plain(encodings[e].bytes, special, null_print);
			break;
		}
	}
	return columns;
}

/* A varlena's bytes can be read in place unless they are compressed or elsewhere. */
static struct varlena *
detoast(LinkRowWriter *writer, Datum value)
{
	struct varlena *data = (struct varlena *) DatumGetPointer(value);

	if (VARATT_IS_COMPRESSED(data) || VARATT_IS_EXTERNAL(data))
	{
		MemoryContext caller = MemoryContextSwitchTo(writer->row_context);

		data = pg_detoast_datum_packed(data);
		MemoryContextSwitchTo(caller);
		writer->row_context_used = true;
	}
	return data;
}

/* ---- straight into the output ---- */

static inline char *
put_pair(char *to, uint32 value)
{
	memcpy(to, digit_pairs + 2 * value, 2);
	return to + 2;
}

/* One digit of a numeric, base 10000: all four, or without leading zeroes. */
static inline char *
put_group(char *to, uint32 digit)
{
	return put_pair(put_pair(to, digit / 100), digit % 100);
}

static inline char *
put_first_group(char *to, uint32 digit)
{
	if (digit >= 1000)
		return put_group(to, digit);
	if (digit >= 100)
	{
		*to++ = '0' + digit / 100;
		return put_pair(to, digit % 100);
	}
	if (digit >= 10)
		return put_pair(to, digit);
	*to++ = '0' + digit;
	return to;
}

/*
 * A numeric as stored: a 16-bit header whose two top bits tell short form, long
 * form and specials apart, a second one with the weight in the long form, then
 * digits in base 10000, all in the machine's byte order and, in a tuple, at any
 * address.  The masks are those of numeric.c.
 */
static uint16
numeric_word(const char *from, int i)
{
	uint16		word;

	memcpy(&word, from + i * sizeof(uint16), sizeof(uint16));
	return word;
}

static void
put_numeric(LinkRowWriter *writer, Datum value)
{
	LinkOutput *out = writer->out;
	struct varlena *data = detoast(writer, value);
	const char *words = VARDATA_ANY(data);
	int			nwords = VARSIZE_ANY_EXHDR(data) / sizeof(uint16);
	uint16		header = numeric_word(words, 0);
	int			weight;
	int			scale;
	int			ndigits;
	bool		negative;
	int			d;
	char	   *to;
	char	   *end;

	if ((header & 0xC000) == 0xC000)
	{
		const char *name = (header & 0xF000) == 0xC000 ? "NaN" :
			(header & 0xF000) == 0xD000 ? "Infinity" : "-Infinity";

		link_output_bytes(out, name, strlen(name));
		return;
	}
	if (header & 0x8000)
	{
		negative = (header & 0x2000) != 0;
		scale = (header & 0x1F80) >> 7;
		weight = (header & 0x003F) - (header & 0x0040);
		words += sizeof(uint16);
		ndigits = nwords - 1;
	}
	else
	{
		negative = (header & 0x4000) != 0;
		scale = header & 0x3FFF;
		weight = (int16) numeric_word(words, 1);
		words += 2 * sizeof(uint16);
		ndigits = nwords - 2;
	}

	/* Sign, whole groups on both sides, point. */
	link_output_reserve(out, 4 * (Max(weight, 0) + 1) + scale + 4 + 2);
	to = out->next;
	if (negative)
		*to++ = '-';
	d = 0;
	if (weight < 0)
	{
		*to++ = '0';
		d = weight + 1;
	}
	else
	{
		to = put_first_group(to, ndigits > 0 ? numeric_word(words, 0) : 0);
		for (d = 1; d <= weight; d++)
			to = put_group(to, d < ndigits ? numeric_word(words, d) : 0);
	}
	if (scale > 0)
	{
		*to++ = '.';
		end = to + scale;
		for (; to < end; d++)
			to = put_group(to, d >= 0 && d < ndigits ? numeric_word(words, d) : 0);
		to = end;
	}
	out->next = to;
}

static char *
put_uuid(char *to, const pg_uuid_t *uuid)
{
	static const char hex[] = "0123456789abcdef";

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = hex[uuid->data[i] >> 4];
		*to++ = hex[uuid->data[i] & 0xF];
	}
	return to;
}

static char *
put_date(char *to, DateADT date)
{
	struct pg_tm tm;

	if (DATE_NOT_FINITE(date))
		EncodeSpecialDate(date, to);
	else
	{
		j2date(date + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		if (likely(tm.tm_year > 0 && tm.tm_year <= 9999))
		{
			to = put_group(to, tm.tm_year);
			*to++ = '-';
			to = put_pair(to, tm.tm_mon);
			*to++ = '-';
			return put_pair(to, tm.tm_mday);
		}
		EncodeDateOnly(&tm, USE_ISO_DATES, to);
	}
	return to + strlen(to);
}

static char *
put_timestamp(char *to, Timestamp timestamp, bool with_zone)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			zone = 0;
	const char *zone_name = NULL;

	if (TIMESTAMP_NOT_FINITE(timestamp))
		EncodeSpecialTimestamp(timestamp, to);
	else
	{
		if (timestamp2tm(timestamp, with_zone ? &zone : NULL, &tm, &fsec,
						 with_zone ? &zone_name : NULL, NULL) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("timestamp out of range")));
		EncodeDateTime(&tm, fsec, with_zone, zone, zone_name, USE_ISO_DATES, to);
	}
	return to + strlen(to);
}

/* As float4out and float8out do it. */
static char *
put_float4(char *to, float4 value)
{
	if (extra_float_digits > 0)
		return to + float_to_shortest_decimal_bufn(value, to);
	return to + pg_strfromd(to, DIRECT_ROOM, Max(FLT_DIG + extra_float_digits, 1), value);
}

static char *
put_float8(char *to, float8 value)
{
	if (extra_float_digits > 0)
		return to + double_to_shortest_decimal_bufn(value, to);
	return to + pg_strfromd(to, DIRECT_ROOM, Max(DBL_DIG + extra_float_digits, 1), value);
}

void
link_encode(LinkRowWriter *writer, LinkColumn *column, Datum value)
{
	LinkOutput *out = writer->out;
	char	   *to;

	link_output_reserve(out, DIRECT_ROOM);
	to = out->next;
	switch (column->encoding)
	{
		case LINK_ENCODE_INT2:
			to += pg_itoa(DatumGetInt16(value), to);
			break;
		case LINK_ENCODE_INT4:
			to += pg_ltoa(DatumGetInt32(value), to);
			break;
		case LINK_ENCODE_INT8:
			to += pg_lltoa(DatumGetInt64(value), to);
			break;
		case LINK_ENCODE_OID:
			to += pg_ultoa_n(DatumGetObjectId(value), to);
			break;
		case LINK_ENCODE_BOOL:
			*to++ = DatumGetBool(value) ? 't' : 'f';
			break;
		case LINK_ENCODE_FLOAT4:
			to = put_float4(to, DatumGetFloat4(value));
			break;
		case LINK_ENCODE_FLOAT8:
			to = put_float8(to, DatumGetFloat8(value));
			break;
		case LINK_ENCODE_NUMERIC:
			put_numeric(writer, value);
			return;
		case LINK_ENCODE_UUID:
			to = put_uuid(to, DatumGetUUIDP(value));
			break;
		case LINK_ENCODE_DATE:
			to = put_date(to, DatumGetDateADT(value));
			break;
		case LINK_ENCODE_TIMESTAMP:
			to = put_timestamp(to, DatumGetTimestamp(value), false);
			break;
		case LINK_ENCODE_TIMESTAMPTZ:
			to = put_timestamp(to, DatumGetTimestampTz(value), true);
			break;
		case LINK_ENCODE_OUTPUT:
		case LINK_ENCODE_VARLENA:
		case LINK_ENCODE_NAME:
			elog(ERROR, "type has no direct encoding");
	}
	out->next = to;
}

/* ---- texts that are escaped ---- */

LinkText
link_column_text(LinkRowWriter *writer, LinkColumn *column, Datum value)
{
	LinkText	text = {NULL};

	if (column->encoding == LINK_ENCODE_VARLENA)
	{
		struct varlena *data = detoast(writer, value);

		text.data = VARDATA_ANY(data);
		text.len = VARSIZE_ANY_EXHDR(data);
	}
	else if (column->encoding == LINK_ENCODE_NAME)
	{
		text.data = NameStr(*DatumGetName(value));
		text.len = strlen(text.data);
	}
	else
	{
		MemoryContext caller = MemoryContextSwitchTo(writer->row_context);

		text.data = OutputFunctionCall(&column->output, value);
		text.len = strlen(text.data);
		MemoryContextSwitchTo(caller);
		writer->row_context_used = true;
	}
	return text;
}

static bool
is_ascii(const char *data, Size len)
{
	uint64		word;
	uint64		bits = 0;
	Size		i = 0;

	for (; i + sizeof(word) <= len; i += sizeof(word))
	{
		memcpy(&word, data + i, sizeof(word));
		bits |= word;
	}
	for (; i < len; i++)
		bits |= (unsigned char) data[i];
	return (bits & UINT64CONST(0x8080808080808080)) == 0;
}

/* ASCII is the same in every encoding that the server knows. */
void
link_text_convert(LinkRowWriter *writer, LinkText *text)
{
	MemoryContext caller;
	char	   *converted;

	if (!writer->transcode || is_ascii(text->data, text->len))
		return;
	caller = MemoryContextSwitchTo(writer->row_context);
	converted = pg_server_to_any(text->data, text->len, writer->encoding);
	MemoryContextSwitchTo(caller);
	writer->row_context_used = true;
	if (converted != text->data)
		text->len = strlen(converted);
	text->data = converted;
	text->embeds_ascii = writer->embeds_ascii;
}

/* Bytes of the character at text->data + at. */
static int
char_len(LinkRowWriter *writer, const LinkText *text, Size at)
{
	int			len = 1;

	if (IS_HIGHBIT_SET(text->data[at]))
		len = pg_encoding_mblen(writer->encoding, text->data + at);
	return Min(len, text->len - at);
}

bool
link_text_has(LinkRowWriter *writer, const LinkText *text, const LinkByteSet *set)
{
	if (!text->embeds_ascii)
		return link_copy_until(NULL, text->data, text->len, set) < text->len;
	for (Size at = 0; at < text->len; at += char_len(writer, text, at))
		if (set->member[(unsigned char) text->data[at]])
			return true;
	return false;
}

static inline void
put_escape(LinkOutput *out, const LinkEscapes *escapes, char c)
{
	*out->next++ = escapes->prefix;
	*out->next++ = escapes->letter[(unsigned char) c];
}

static void
put_escaped_chars(LinkRowWriter *writer, const LinkText *text, const LinkEscapes *escapes)
{
	LinkOutput *out = writer->out;
	int			len;

	for (Size at = 0; at < text->len; at += len)
	{
		link_output_reserve(out, MAX_MULTIBYTE_CHAR_LEN + 2);
		if (escapes->set.member[(unsigned char) text->data[at]])
		{
			put_escape(out, escapes, text->data[at]);
			len = 1;
		}
		else
		{
			len = char_len(writer, text, at);
			memcpy(out->next, text->data + at, len);
			out->next += len;
		}
	}
}

void
link_put_escaped(LinkRowWriter *writer, const LinkText *text, const LinkEscapes *escapes)
{
	LinkOutput *out = writer->out;
	Size		at = 0;

	if (text->embeds_ascii)
	{
		put_escaped_chars(writer, text, escapes);
		return;
	}
	while (at < text->len)
	{
		Size		piece = Min(text->len - at, LINK_SHORT_TEXT);
		Size		run;

		link_output_reserve(out, piece + 2);
		run = link_copy_until(out->next, text->data + at, piece, &escapes->set);
		out->next += run;
		at += run;
		if (run < piece)
			put_escape(out, escapes, text->data[at++]);
	}
}
