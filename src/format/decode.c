/*-------------------------------------------------------------------------
 *
 * decode.c
 *	  Values of common types, read from their most common notation.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "datatype/timestamp.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "format/decode.h"

/* As many digits fit an int64, whatever they are. */
#define MAX_DIGITS 18

/* Of a numeric: its fraction has to fit an int64 in whole groups of four digits. */
#define MAX_SCALE 15
#define GROUP 10000
#define GROUP_DIGITS 4
#define MAX_GROUPS ((MAX_DIGITS + 3) / GROUP_DIGITS + (MAX_SCALE + 3) / GROUP_DIGITS)

/* Headers of a numeric as numeric.c stores a short one. */
#define NUMERIC_SHORT 0x8000
#define NUMERIC_SHORT_NEGATIVE 0x2000
#define NUMERIC_SHORT_SCALE_SHIFT 7
#define NUMERIC_SHORT_WEIGHT 0x007F

static const struct
{
	Oid			function;
	LinkDecoding decoding;
}			decodings[] = {
	{F_BOOLIN, DECODE_BOOL},
	{F_INT2IN, DECODE_INT2},
	{F_INT4IN, DECODE_INT4},
	{F_INT8IN, DECODE_INT8},
	{F_OIDIN, DECODE_OID},
	{F_NUMERIC_IN, DECODE_NUMERIC},
	{F_DATE_IN, DECODE_DATE},
	{F_TIMESTAMP_IN, DECODE_TIMESTAMP},
	{F_TEXTIN, DECODE_TEXT},
	{F_VARCHARIN, DECODE_VARCHAR},
	{F_BPCHARIN, DECODE_BPCHAR},
};

static const uint64 powers[MAX_DIGITS + 1] = {
	UINT64CONST(1), UINT64CONST(10), UINT64CONST(100), UINT64CONST(1000), UINT64CONST(10000),
	UINT64CONST(100000), UINT64CONST(1000000), UINT64CONST(10000000), UINT64CONST(100000000),
	UINT64CONST(1000000000), UINT64CONST(10000000000), UINT64CONST(100000000000),
	UINT64CONST(1000000000000), UINT64CONST(10000000000000), UINT64CONST(100000000000000),
	UINT64CONST(1000000000000000), UINT64CONST(10000000000000000),
	UINT64CONST(100000000000000000), UINT64CONST(1000000000000000000)
};

/* As numeric.c packs them: numeric(p,s). */
static inline int
typmod_precision(int32 typmod)
{
	return ((typmod - VARHDRSZ) >> 16) & 0xFFFF;
}

static inline int
typmod_scale(int32 typmod)
{
	return (((typmod - VARHDRSZ) & 0x7FF) ^ 1024) - 1024;
}

LinkDecoding
link_decoding(Oid input_function, int32 typmod)
{
	LinkDecoding found = DECODE_NOTHING;

	for (int i = 0; i < lengthof(decodings); i++)
		if (decodings[i].function == input_function)
			found = decodings[i].decoding;
	if (found == DECODE_NUMERIC && typmod >= VARHDRSZ &&
		(typmod_scale(typmod) < 0 || typmod_scale(typmod) > MAX_SCALE ||
		 typmod_precision(typmod) < typmod_scale(typmod)))
		return DECODE_NOTHING;
	if (found == DECODE_TIMESTAMP && typmod >= 0)
		return DECODE_NOTHING;
	return found;
}

/* ---- numbers ---- */

/* Digits and nothing else. */
static inline bool
read_digits(const char *text, int len, uint64 *number)
{
	uint64		result = 0;

	for (int i = 0; i < len; i++)
	{
		unsigned	digit = (unsigned char) text[i] - '0';

		if (digit > 9)
			return false;
		result = result * 10 + digit;
	}
	*number = result;
	return true;
}

static bool
read_integer(const char *text, int len, int64 min, int64 max, int64 *out)
{
	bool		negative = len > 0 && text[0] == '-';
	uint64		number;

	text += negative;
	len -= negative;
	if (len < 1 || len > MAX_DIGITS || !read_digits(text, len, &number))
		return false;
	*out = negative ? -(int64) number : (int64) number;
	return *out >= min && *out <= max;
}

static bool
read_numeric(int32 typmod, const char *text, int len, LinkDecoded *out)
{
	uint64		number = 0;
	int			digits = 0;
	int			point = -1;		/* digits before it */

	out->negative = len > 0 && text[0] == '-';
	for (int i = out->negative; i < len; i++)
	{
		unsigned	digit = (unsigned char) text[i] - '0';

		if (digit <= 9 && digits < MAX_DIGITS)
		{
			number = number * 10 + digit;
			digits++;
		}
		else if (text[i] == '.' && point < 0 && digits > 0)
			point = digits;
		else
			return false;
	}
	if (digits == 0 || point == digits)
		return false;
	out->number = number;
	out->scale = point < 0 ? 0 : digits - point;
	if (out->scale > MAX_SCALE)
		return false;
	if (typmod >= VARHDRSZ)
	{
		int			scale = typmod_scale(typmod);
		int			whole = typmod_precision(typmod) - scale;

		/* what has to be rounded, or refused, is not for us */
		if (out->scale > scale ||
			(whole < MAX_DIGITS && number / powers[out->scale] >= powers[whole]))
			return false;
	}
	return true;
}

static Datum
numeric_datum(int32 typmod, const LinkDecoded *value)
{
	int			scale = value->scale;
	int			fraction_groups = (scale + GROUP_DIGITS - 1) / GROUP_DIGITS;
	uint64		whole = value->number / powers[scale];
	uint64		fraction = value->number % powers[scale] *
		powers[fraction_groups * GROUP_DIGITS - scale];
	uint16		groups[MAX_GROUPS];
	int			first = MAX_GROUPS - fraction_groups;
	int			last = MAX_GROUPS;
	int			weight;
	uint16		header;
	int			size;
	struct varlena *result;

	if (typmod >= VARHDRSZ)
		scale = typmod_scale(typmod);
	for (int i = MAX_GROUPS - 1; i >= first; i--)
	{
		groups[i] = fraction % GROUP;
		fraction /= GROUP;
	}
	weight = -1;
	for (; whole > 0; whole /= GROUP)
	{
		groups[--first] = whole % GROUP;
		weight++;
	}
	while (first < last && groups[first] == 0)
	{
		first++;
		weight--;
	}
	while (first < last && groups[last - 1] == 0)
		last--;
	if (first == last)
		weight = 0;

	header = NUMERIC_SHORT | (scale << NUMERIC_SHORT_SCALE_SHIFT) | (weight & NUMERIC_SHORT_WEIGHT);
	if (value->negative && first < last)
		header |= NUMERIC_SHORT_NEGATIVE;
	size = VARHDRSZ + sizeof(header) + (last - first) * sizeof(uint16);
	result = palloc(size);
	SET_VARSIZE(result, size);
	memcpy(VARDATA(result), &header, sizeof(header));
	memcpy(VARDATA(result) + sizeof(header), groups + first, (last - first) * sizeof(uint16));
	return PointerGetDatum(result);
}

/* ---- dates ---- */

static inline bool
read_part(const char *text, int len, int max, int *out)
{
	uint64		number;

	if (!read_digits(text, len, &number) || number > max)
		return false;
	*out = (int) number;
	return true;
}

/* 1999-12-31, which is the same in each DateStyle; a year below 1000 might not be. */
static bool
read_date(const char *text, DateADT *out)
{
	int			year;
	int			month;
	int			day;

	if (text[4] != '-' || text[7] != '-' ||
		!read_part(text, 4, 9999, &year) || year < 1000 ||
		!read_part(text + 5, 2, MONTHS_PER_YEAR, &month) || month < 1 ||
		!read_part(text + 8, 2, 31, &day) || day < 1 ||
		day > day_tab[isleap(year)][month - 1])
		return false;
	*out = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

#define DATE_LEN 10
#define SECOND_LEN 19			/* 1999-12-31 23:59:59 */
#define FRACTION_DIGITS 6

static bool
read_timestamp(const char *text, int len, Timestamp *out)
{
	DateADT		date;
	int			hour;
	int			minute;
	int			second;
	uint64		fraction = 0;
	int			digits = len - SECOND_LEN - 1;

	if (text[10] != ' ' || text[13] != ':' || text[16] != ':' || !read_date(text, &date) ||
		!read_part(text + 11, 2, HOURS_PER_DAY - 1, &hour) ||
		!read_part(text + 14, 2, MINS_PER_HOUR - 1, &minute) ||
		!read_part(text + 17, 2, SECS_PER_MINUTE - 1, &second))
		return false;
	if (len > SECOND_LEN)
	{
		if (text[SECOND_LEN] != '.' || digits < 1 || digits > FRACTION_DIGITS ||
			!read_digits(text + SECOND_LEN + 1, digits, &fraction))
			return false;
		fraction *= powers[FRACTION_DIGITS - digits];
	}
	*out = date * USECS_PER_DAY + hour * USECS_PER_HOUR + minute * USECS_PER_MINUTE +
		second * USECS_PER_SEC + (int64) fraction;
	return true;
}

/* ---- texts ---- */

static bool
is_ascii(const char *text, int len)
{
	char		all = 0;

	for (int i = 0; i < len; i++)
		all |= text[i];
	return !IS_HIGHBIT_SET(all);
}

static Datum
text_datum(const LinkDecoded *value, int len)
{
	struct varlena *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), value->text, value->len);
	memset(VARDATA(result) + value->len, ' ', len - value->len);
	return PointerGetDatum(result);
}

/* ---- all ---- */

bool
link_decode(LinkDecoding decoding, int32 typmod, const char *text, int len, LinkDecoded *out)
{
	int64		integer;
	DateADT		date;
	Timestamp	timestamp;

	switch (decoding)
	{
		case DECODE_NOTHING:
			return false;
		case DECODE_BOOL:
			if (len != 1 || (*text != 't' && *text != 'f'))
				return false;
			out->datum = BoolGetDatum(*text == 't');
			return true;
		case DECODE_INT2:
			if (!read_integer(text, len, PG_INT16_MIN, PG_INT16_MAX, &integer))
				return false;
			out->datum = Int16GetDatum((int16) integer);
			return true;
		case DECODE_INT4:
			if (!read_integer(text, len, PG_INT32_MIN, PG_INT32_MAX, &integer))
				return false;
			out->datum = Int32GetDatum((int32) integer);
			return true;
		case DECODE_INT8:
			if (!read_integer(text, len, PG_INT64_MIN, PG_INT64_MAX, &integer))
				return false;
			out->datum = Int64GetDatum(integer);
			return true;
		case DECODE_OID:
			if (!read_integer(text, len, 0, PG_UINT32_MAX, &integer))
				return false;
			out->datum = ObjectIdGetDatum((Oid) integer);
			return true;
		case DECODE_NUMERIC:
			return read_numeric(typmod, text, len, out);
		case DECODE_DATE:
			if (len != DATE_LEN || !read_date(text, &date))
				return false;
			out->datum = DateADTGetDatum(date);
			return true;
		case DECODE_TIMESTAMP:
			if (len < SECOND_LEN || !read_timestamp(text, len, &timestamp))
				return false;
			out->datum = TimestampGetDatum(timestamp);
			return true;
		case DECODE_BPCHAR:
			/* it is filled up with spaces, to a number of characters */
			if (typmod >= VARHDRSZ && (len > typmod - VARHDRSZ || !is_ascii(text, len)))
				return false;
			break;
		case DECODE_VARCHAR:
			if (typmod >= VARHDRSZ && len > typmod - VARHDRSZ)
				return false;
			break;
		case DECODE_TEXT:
			break;
	}
	out->text = text;
	out->len = len;
	return true;
}

Datum
link_decoded_datum(LinkDecoding decoding, int32 typmod, const LinkDecoded *value)
{
	switch (decoding)
	{
		case DECODE_NUMERIC:
			return numeric_datum(typmod, value);
		case DECODE_BPCHAR:
			return text_datum(value, typmod >= VARHDRSZ ? typmod - VARHDRSZ : value->len);
		case DECODE_TEXT:
		case DECODE_VARCHAR:
			return text_datum(value, value->len);
		default:
			return value->datum;
	}
}
