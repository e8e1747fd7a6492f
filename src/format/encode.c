/*-------------------------------------------------------------------------
 *
 * encode.c
 *	  Values as text, for the formats that are made of text.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <float.h>
#include <sys/socket.h>

#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/inet.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "format/encode.h"
#include "format/encode_internal.h"

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
	{F_JSONB_OUT, LINK_ENCODE_JSONB, NULL},
	{F_ENUM_OUT, LINK_ENCODE_ENUM, NULL},
	{F_ARRAY_OUT, LINK_ENCODE_ARRAY, NULL},
	{F_INT2OUT, LINK_ENCODE_INT2, "0123456789-"},
	{F_INT4OUT, LINK_ENCODE_INT4, "0123456789-"},
	{F_INT8OUT, LINK_ENCODE_INT8, "0123456789-"},
	{F_OIDOUT, LINK_ENCODE_OID, "0123456789"},
	{F_BOOLOUT, LINK_ENCODE_BOOL, "tf"},
	{F_FLOAT4OUT, LINK_ENCODE_FLOAT4, "0123456789-+.eNaInfity"},
	{F_FLOAT8OUT, LINK_ENCODE_FLOAT8, "0123456789-+.eNaInfity"},
	{F_NUMERIC_OUT, LINK_ENCODE_NUMERIC, "0123456789-.NaInfity"},
	{F_UUID_OUT, LINK_ENCODE_UUID, "0123456789abcdef-"},
	{F_BYTEAOUT, LINK_ENCODE_BYTEA, "0123456789abcdefx\\"},
	{F_INET_OUT, LINK_ENCODE_INET, "0123456789abcdef.:/"},
	{F_CIDR_OUT, LINK_ENCODE_CIDR, "0123456789abcdef.:/"},
	{F_TIME_OUT, LINK_ENCODE_TIME, "0123456789:."},
	{F_TIMETZ_OUT, LINK_ENCODE_TIMETZ, "0123456789:.-+"},
	{F_INTERVAL_OUT, LINK_ENCODE_INTERVAL, "0123456789:.-+ @PYMDTHSacdefghimnorstuy"},
	{F_DATE_OUT, LINK_ENCODE_DATE, "0123456789- BCinfty"},
	{F_TIMESTAMP_OUT, LINK_ENCODE_TIMESTAMP, "0123456789-:. BCinfty"},
	{F_TIMESTAMPTZ_OUT, LINK_ENCODE_TIMESTAMPTZ, "0123456789-+:. BCinfty"},
};

const char link_digit_pairs[] =
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
is_plain(const char *bytes, const bool *special, const char *null_print, bool escapes_backslash)
{
	for (const char *p = bytes; *p; p++)
		if (special[(unsigned char) *p] && !(*p == '\\' && escapes_backslash))
			return false;

	/* None of them can equal the null marker if that holds another byte. */
	return null_print == NULL || *null_print == '\0' ||
		strspn(null_print, bytes) < strlen(null_print);
}

static const char *
init_column(LinkColumn *column, Oid type)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(type, &output, &is_varlena);
	fmgr_info(output, &column->output);
	column->type = type;
	column->encoding = LINK_ENCODE_OUTPUT;
	column->direct = false;
	for (int e = 0; e < lengthof(encodings); e++)
	{
		if (encodings[e].output != output)
			continue;
		column->encoding = encodings[e].encoding;
		return encodings[e].bytes;
	}
	return NULL;
}

void
link_column_init(LinkColumn *column, Oid type)
{
	(void) init_column(column, type);
}

LinkColumn *
link_columns(TupleDesc desc, const bool *special, const char *null_print, bool escapes_backslash)
{
	LinkColumn *columns = palloc0(sizeof(LinkColumn) * Max(desc->natts, 1));

	for (int i = 0; i < desc->natts; i++)
	{
		const char *bytes = init_column(&columns[i], TupleDescAttr(desc, i)->atttypid);

		columns[i].escapes_backslash = escapes_backslash;
		columns[i].direct = bytes != NULL &&
			is_plain(bytes, special, null_print, escapes_backslash);
	}
	return columns;
}

struct varlena *
link_detoast(LinkRowWriter *writer, Datum value)
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

/* More than this is given back: few rows need it. */
#define MAX_KEPT_SCRATCH (1024 * 1024)

StringInfo
link_scratch(LinkRowWriter *writer, bool element)
{
	StringInfo *scratch = &writer->scratch[element ? 1 : 0];

	if (*scratch && (*scratch)->maxlen > MAX_KEPT_SCRATCH)
	{
		pfree((*scratch)->data);
		pfree(*scratch);
		*scratch = NULL;
	}
	if (*scratch == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(writer->context);

		*scratch = makeStringInfo();
		MemoryContextSwitchTo(caller);
	}
	resetStringInfo(*scratch);
	return *scratch;
}

/* ---- straight into the output ---- */

/* One digit of a numeric, base 10000: all four, or without leading zeroes. */
static inline char *
put_group(char *to, uint32 digit)
{
	return link_put_pair(link_put_pair(to, digit / 100), digit % 100);
}

static inline char *
put_first_group(char *to, uint32 digit)
{
	if (digit >= 1000)
		return put_group(to, digit);
	if (digit >= 100)
	{
		*to++ = '0' + digit / 100;
		return link_put_pair(to, digit % 100);
	}
	if (digit >= 10)
		return link_put_pair(to, digit);
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

void
link_numeric_parts(const struct varlena *data, LinkNumeric *parts)
{
	const char *words = VARDATA_ANY(data);
	int			nwords = VARSIZE_ANY_EXHDR(data) / sizeof(uint16);
	uint16		header = numeric_word(words, 0);

	parts->special = NULL;
	if ((header & 0xC000) == 0xC000)
		parts->special = (header & 0xF000) == 0xC000 ? "NaN" :
			(header & 0xF000) == 0xD000 ? "Infinity" : "-Infinity";
	else if (header & 0x8000)
	{
		parts->negative = (header & 0x2000) != 0;
		parts->scale = (header & 0x1F80) >> 7;
		parts->weight = (header & 0x003F) - (header & 0x0040);
		parts->digits = words + sizeof(uint16);
		parts->ndigits = nwords - 1;
	}
	else
	{
		parts->negative = (header & 0x4000) != 0;
		parts->scale = header & 0x3FFF;
		parts->weight = (int16) numeric_word(words, 1);
		parts->digits = words + 2 * sizeof(uint16);
		parts->ndigits = nwords - 2;
	}
}

Size
link_numeric_room(const LinkNumeric *parts)
{
	if (parts->special)
		return LINK_SHORT_VALUE;

	/* Sign, whole groups on both sides, point. */
	return 4 * (Max(parts->weight, 0) + 1) + parts->scale + 4 + 2;
}

char *
link_put_numeric(char *to, const LinkNumeric *parts)
{
	const char *words = parts->digits;
	int			weight = parts->weight;
	int			ndigits = parts->ndigits;
	int			d;
	char	   *end;

	if (parts->special)
	{
		strcpy(to, parts->special);
		return to + strlen(to);
	}
	if (parts->negative)
		*to++ = '-';
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
	if (parts->scale > 0)
	{
		*to++ = '.';
		end = to + parts->scale;
		for (; to < end; d++)
			to = put_group(to, d >= 0 && d < ndigits ? numeric_word(words, d) : 0);
		to = end;
	}
	return to;
}

static const char hex_digits[] = "0123456789abcdef";

static char *
put_uuid(char *to, const pg_uuid_t *uuid)
{
	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = hex_digits[uuid->data[i] >> 4];
		*to++ = hex_digits[uuid->data[i] & 0xF];
	}
	return to;
}

/* As inet_out and cidr_out do it. */
static char *
put_inet(char *to, inet *address, bool is_cidr)
{
	const unsigned char *bytes = ip_addr(address);
	int			bits = ip_bits(address);

	if (ip_family(address) != PGSQL_AF_INET)
	{
		char		text[sizeof("xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:255.255.255.255/128")];

		if (pg_inet_net_ntop(ip_family(address), bytes, bits, text, sizeof(text)) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("could not format inet value: %m")));
		strcpy(to, text);
		if (is_cidr && strchr(text, '/') == NULL)
			sprintf(to + strlen(to), "/%d", bits);
		return to + strlen(to);
	}
	for (int i = 0; i < 4; i++)
	{
		if (i > 0)
			*to++ = '.';
		to += pg_ultoa_n(bytes[i], to);
	}
	if (is_cidr || bits != 32)
	{
		*to++ = '/';
		to += pg_ultoa_n(bits, to);
	}
	return to;
}

/* As float4out and float8out do it. */
static char *
put_float4(char *to, float4 value)
{
	if (extra_float_digits > 0)
		return to + float_to_shortest_decimal_bufn(value, to);
	return to + pg_strfromd(to, LINK_SHORT_VALUE, Max(FLT_DIG + extra_float_digits, 1), value);
}

static char *
put_float8(char *to, float8 value)
{
	if (extra_float_digits > 0)
		return to + double_to_shortest_decimal_bufn(value, to);
	return to + pg_strfromd(to, LINK_SHORT_VALUE, Max(DBL_DIG + extra_float_digits, 1), value);
}

char *
link_encode_short(char *to, LinkEncoding encoding, Datum value)
{
	switch (encoding)
	{
		case LINK_ENCODE_INT2:
			return to + pg_itoa(DatumGetInt16(value), to);
		case LINK_ENCODE_INT4:
			return to + pg_ltoa(DatumGetInt32(value), to);
		case LINK_ENCODE_INT8:
			return to + pg_lltoa(DatumGetInt64(value), to);
		case LINK_ENCODE_OID:
			return to + pg_ultoa_n(DatumGetObjectId(value), to);
		case LINK_ENCODE_BOOL:
			*to++ = DatumGetBool(value) ? 't' : 'f';
			return to;
		case LINK_ENCODE_FLOAT4:
			return put_float4(to, DatumGetFloat4(value));
		case LINK_ENCODE_FLOAT8:
			return put_float8(to, DatumGetFloat8(value));
		case LINK_ENCODE_UUID:
			return put_uuid(to, DatumGetUUIDP(value));
		case LINK_ENCODE_INET:
			return put_inet(to, (inet *) DatumGetPointer(value), false);
		case LINK_ENCODE_CIDR:
			return put_inet(to, (inet *) DatumGetPointer(value), true);
		default:
			return link_encode_time(to, encoding, value, USE_ISO_DATES);
	}
}

/* As byteaout does it when bytea_output is hex. */
char *
link_put_hex(char *to, const unsigned char *from, Size n)
{
	Size		i = 0;

#ifdef __SSE2__
	const __m128i low = _mm_set1_epi8(0x0F);
	const __m128i nine = _mm_set1_epi8(9);
	const __m128i zero = _mm_set1_epi8('0');
	const __m128i to_letter = _mm_set1_epi8('a' - '0' - 10);

	for (; i + 16 <= n; i += 16, to += 32)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) (from + i));
		__m128i		first = _mm_and_si128(_mm_srli_epi16(bytes, 4), low);
		__m128i		second = _mm_and_si128(bytes, low);

		first = _mm_add_epi8(_mm_add_epi8(first, zero),
							 _mm_and_si128(_mm_cmpgt_epi8(first, nine), to_letter));
		second = _mm_add_epi8(_mm_add_epi8(second, zero),
							  _mm_and_si128(_mm_cmpgt_epi8(second, nine), to_letter));
		_mm_storeu_si128((__m128i *) to, _mm_unpacklo_epi8(first, second));
		_mm_storeu_si128((__m128i *) (to + 16), _mm_unpackhi_epi8(first, second));
	}
#endif
	for (; i < n; i++)
	{
		*to++ = hex_digits[from[i] >> 4];
		*to++ = hex_digits[from[i] & 0xF];
	}
	return to;
}

static void
put_bytea(LinkRowWriter *writer, Datum value, bool escapes_backslash)
{
	LinkOutput *out = writer->out;
	struct varlena *data = link_detoast(writer, value);
	const unsigned char *from = (unsigned char *) VARDATA_ANY(data);
	Size		left = VARSIZE_ANY_EXHDR(data);

	link_output_bytes(out, escapes_backslash ? "\\\\x" : "\\x", escapes_backslash ? 3 : 2);
	while (left > 0)
	{
		Size		piece = Min(left, LINK_SHORT_TEXT);

		link_output_reserve(out, 2 * piece);
		out->next = link_put_hex(out->next, from, piece);
		from += piece;
		left -= piece;
	}
}

static void
put_numeric(LinkRowWriter *writer, Datum value)
{
	LinkNumeric parts;

	link_numeric_parts(link_detoast(writer, value), &parts);
	link_output_reserve(writer->out, link_numeric_room(&parts));
	writer->out->next = link_put_numeric(writer->out->next, &parts);
}

void
link_encode(LinkRowWriter *writer, LinkColumn *column, Datum value)
{
	LinkOutput *out = writer->out;

	if (column->encoding == LINK_ENCODE_NUMERIC)
		put_numeric(writer, value);
	else if (column->encoding == LINK_ENCODE_BYTEA)
		put_bytea(writer, value, column->escapes_backslash);
	else
	{
		link_output_reserve(out, LINK_SHORT_VALUE);
		out->next = link_encode_short(out->next, column->encoding, value);
	}
}

/* ---- texts that are escaped ---- */

/* ---- labels of enums ---- */

/* By the low bits of their oids, which follow one another where a type is made at once. */
#define LABELS 256

struct LinkEnumLabels
{
	struct
	{
		Oid			oid;
		uint8		len;
		char		label[NAMEDATALEN];
	}			slot[LABELS];
};

static LinkText
enum_text(LinkRowWriter *writer, LinkColumn *column, Datum value)
{
	Oid			oid = DatumGetObjectId(value);
	int			n = oid % LABELS;
	LinkText	text = {NULL};

	if (column->labels == NULL)
		column->labels = MemoryContextAllocZero(writer->context, sizeof(struct LinkEnumLabels));
	if (column->labels->slot[n].oid != oid)
	{
		MemoryContext caller = MemoryContextSwitchTo(writer->row_context);
		char	   *label = OutputFunctionCall(&column->output, value);

		MemoryContextSwitchTo(caller);
		writer->row_context_used = true;
		column->labels->slot[n].oid = oid;
		column->labels->slot[n].len = strlen(label);
		memcpy(column->labels->slot[n].label, label, column->labels->slot[n].len);
	}
	text.data = column->labels->slot[n].label;
	text.len = column->labels->slot[n].len;
	return text;
}

/* ---- any text ---- */

static LinkText
output_text(LinkRowWriter *writer, LinkColumn *column, Datum value)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->row_context);
	LinkText	text = {NULL};

	text.data = OutputFunctionCall(&column->output, value);
	text.len = strlen(text.data);
	MemoryContextSwitchTo(caller);
	writer->row_context_used = true;
	return text;
}

static LinkText
jsonb_text(LinkRowWriter *writer, LinkColumn *column, Datum value, bool element)
{
	StringInfo	scratch = link_scratch(writer, element);
	MemoryContext caller = MemoryContextSwitchTo(writer->row_context);
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	LinkText	text = {NULL};

	(void) JsonbToCString(scratch, &jsonb->root, VARSIZE(jsonb));
	MemoryContextSwitchTo(caller);
	writer->row_context_used = true;
	text.data = scratch->data;
	text.len = scratch->len;
	return text;
}

LinkText
link_column_text(LinkRowWriter *writer, LinkColumn *column, Datum value)
{
	LinkText	text = {NULL};

	switch (column->encoding)
	{
		case LINK_ENCODE_VARLENA:
			{
				struct varlena *data = link_detoast(writer, value);

				text.data = VARDATA_ANY(data);
				text.len = VARSIZE_ANY_EXHDR(data);
				return text;
			}
		case LINK_ENCODE_NAME:
			text.data = NameStr(*DatumGetName(value));
			text.len = strlen(text.data);
			return text;
		case LINK_ENCODE_JSONB:
			return jsonb_text(writer, column, value, column->is_element);
		case LINK_ENCODE_ENUM:
			return enum_text(writer, column, value);
		case LINK_ENCODE_ARRAY:
			return link_array_text(writer, column, value);
		default:
			return output_text(writer, column, value);
	}
}

bool
link_is_ascii(const char *data, Size len)
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

	if (!writer->transcode || link_is_ascii(text->data, text->len))
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

/* The longest escape: \u00XX. */
#define MAX_ESCAPE 6

static inline char *
put_escape(char *to, const LinkEscapes *escapes, char c)
{
	unsigned char byte = c;

	*to++ = escapes->prefix;
	if (likely(escapes->letter[byte] != 0))
	{
		*to++ = escapes->letter[byte];
		return to;
	}
	memcpy(to, "u00", 3);
	return link_put_hex(to + 3, &byte, 1);
}

static void
put_escaped_chars(LinkRowWriter *writer, const LinkText *text, const LinkEscapes *escapes)
{
	LinkOutput *out = writer->out;
	int			len;

	for (Size at = 0; at < text->len; at += len)
	{
		link_output_reserve(out, MAX_MULTIBYTE_CHAR_LEN + MAX_ESCAPE);
		if (escapes->set.member[(unsigned char) text->data[at]])
		{
			out->next = put_escape(out->next, escapes, text->data[at]);
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
link_append_escaped(StringInfo out, const char *data, Size len, const LinkEscapes *escapes)
{
	while (len > 0)
	{
		Size		piece = Min(len, LINK_SHORT_TEXT);
		Size		run;

		enlargeStringInfo(out, piece + MAX_ESCAPE);
		run = link_copy_until(out->data + out->len, data, piece, &escapes->set);
		out->len += run;
		if (run < piece)
			out->len = put_escape(out->data + out->len, escapes, data[run++]) - out->data;
		data += run;
		len -= run;
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

		link_output_reserve(out, piece + MAX_ESCAPE);
		run = link_copy_until(out->next, text->data + at, piece, &escapes->set);
		out->next += run;
		at += run;
		if (run < piece)
			out->next = put_escape(out->next, escapes, text->data[at++]);
	}
}
