/*-------------------------------------------------------------------------
 *
 * encode_time.c
 *	  Dates, times and intervals as text.
 *
 * Years 1 to 9999 are written here; what is left (BC, infinities, five digits)
 * goes through core's functions, whose bytes these are.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "miscadmin.h"
#include "pgtime.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "format/encode.h"
#include "format/encode_internal.h"

/* ---- the offset of the session's time zone ---- */

/*
 * Most of the time a zone keeps its offset for months, so offsets are kept for
 * spans of 2^22 seconds (48 days); a span in which the offset changes is marked
 * and its times are looked up one by one.
 */
#define SPAN_SHIFT 22
#define SPANS 64

typedef struct ZoneSpan
{
	bool		known;
	bool		constant;
	pg_time_t	number;			/* its times are number << SPAN_SHIFT and on */
	long int	offset;			/* seconds east */
} ZoneSpan;

static struct
{
	const pg_tz *zone;
	ZoneSpan	spans[SPANS];
}			zone_cache;

static void
learn_span(ZoneSpan *span, pg_time_t number)
{
	pg_time_t	start = number << SPAN_SHIFT;
	pg_time_t	boundary;
	long int	before;
	long int	after;
	int			before_isdst;
	int			after_isdst;
	struct pg_tm *tm = pg_localtime(&start, session_timezone);
	int			found = pg_next_dst_boundary(&start, &before, &before_isdst, &boundary,
											 &after, &after_isdst, session_timezone);

	span->known = true;
	span->number = number;
	span->constant = tm != NULL &&
		(found == 0 || (found > 0 && boundary >= start + (INT64CONST(1) << SPAN_SHIFT)));
	span->offset = tm ? tm->tm_gmtoff : 0;
}

/* False: ask core. */
static inline bool
zone_offset(pg_time_t time, long int *offset)
{
	pg_time_t	number = time >> SPAN_SHIFT;
	ZoneSpan   *span = &zone_cache.spans[number & (SPANS - 1)];

	if (unlikely(zone_cache.zone != session_timezone))
	{
		memset(&zone_cache, 0, sizeof(zone_cache));
		zone_cache.zone = session_timezone;
	}
	if (unlikely(!span->known || span->number != number))
		learn_span(span, number);
	*offset = span->offset;
	return span->constant;
}

/* ---- parts ---- */

static inline char *
put_time_of_day(char *to, int64 time)
{
	int			seconds = (int) (time / USECS_PER_SEC);
	int			fraction = (int) (time % USECS_PER_SEC);
	int			minutes = seconds / SECS_PER_MINUTE;

	to = link_put_pair(to, minutes / MINS_PER_HOUR);
	*to++ = ':';
	to = link_put_pair(to, minutes % MINS_PER_HOUR);
	*to++ = ':';
	to = link_put_pair(to, seconds % SECS_PER_MINUTE);
	if (fraction == 0)
		return to;
	*to++ = '.';
	to = link_put_pair(to, fraction / 10000);
	to = link_put_pair(to, fraction / 100 % 100);
	to = link_put_pair(to, fraction % 100);
	while (to[-1] == '0')
		to--;
	return to;
}

/* 'seconds' east; minutes only where there are some, unless 'minutes_always'. */
static char *
put_zone(char *to, int seconds, bool minutes_always)
{
	int			size = abs(seconds);
	int			minutes = size / SECS_PER_MINUTE % MINS_PER_HOUR;

	*to++ = seconds < 0 ? '-' : '+';
	to = link_put_pair(to, size / SECS_PER_HOUR);
	size %= SECS_PER_MINUTE;
	if (minutes == 0 && size == 0 && !minutes_always)
		return to;
	*to++ = ':';
	to = link_put_pair(to, minutes);
	if (size == 0)
		return to;
	*to++ = ':';
	return link_put_pair(to, size);
}

/* Of 0000-03-01 and of 10000-01-01. */
#define FIRST_DAY 1721120
#define END_DAY 5373485

/*
 * A Julian day of the years 0001 to 9999.  Years begin in March here, so that a
 * leap day is their last; the multiplications stand for divisions by 1461 and
 * 153 (C. Neri and L. Schneider, "Euclidean affine functions and their
 * application to calendar algorithms", 2022, section 6).
 */
static inline char *
put_day(char *to, uint32 julian_day)
{
	uint32		n = 4 * (julian_day - FIRST_DAY) + 3;
	uint32		century = n / 146097;
	uint32		in_century = n % 146097 / 4;
	uint64		product = UINT64CONST(2939745) * (4 * in_century + 3);
	uint32		year = 100 * century + (uint32) (product >> 32);
	uint32		in_year = (uint32) product / 2939745 / 4;
	uint32		months = 2141 * in_year + 197913;
	uint32		month = months >> 16;

	if (in_year >= 306)
	{
		year++;
		month -= 12;
	}
	to = link_put_pair(to, year / 100);
	to = link_put_pair(to, year % 100);
	*to++ = '-';
	to = link_put_pair(to, month);
	*to++ = '-';
	return link_put_pair(to, (months & 0xFFFF) / 2141 + 1);
}

/* Does its year have four digits, and is it of our era? */
static inline bool
is_usual_day(int64 julian_day)
{
	return julian_day >= FIRST_DAY + 306 && julian_day < END_DAY;
}

/* ---- values ---- */

static char *
put_date(char *to, DateADT date)
{
	struct pg_tm tm;

	if (likely(is_usual_day((int64) date + POSTGRES_EPOCH_JDATE)))
		return put_day(to, date + POSTGRES_EPOCH_JDATE);
	if (DATE_NOT_FINITE(date))
		EncodeSpecialDate(date, to);
	else
	{
		j2date(date + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		EncodeDateOnly(&tm, USE_ISO_DATES, to);
	}
	return to + strlen(to);
}

static char *
put_timestamp_slowly(char *to, Timestamp timestamp, bool with_zone, int style)
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
		EncodeDateTime(&tm, fsec, with_zone, zone, zone_name, style, to);
	}
	return to + strlen(to);
}

/* 'style' is USE_ISO_DATES, or USE_XSD_DATES as JSON has it. */
static char *
put_timestamp(char *to, Timestamp timestamp, bool with_zone, int style)
{
	int64		local = timestamp;
	int64		day;
	long int	offset = 0;
	char	   *end;

	if (!IS_VALID_TIMESTAMP(timestamp))
		return put_timestamp_slowly(to, timestamp, with_zone, style);
	if (with_zone)
	{
		/* seconds since 1970, rounded down */
		int64		seconds = timestamp / USECS_PER_SEC - (timestamp % USECS_PER_SEC < 0);

		seconds += (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
		if (!zone_offset(seconds, &offset))
			return put_timestamp_slowly(to, timestamp, with_zone, style);
		local += offset * USECS_PER_SEC;
	}
	day = local / USECS_PER_DAY - (local % USECS_PER_DAY < 0);
	if (unlikely(!is_usual_day(day + POSTGRES_EPOCH_JDATE)))
		return put_timestamp_slowly(to, timestamp, with_zone, style);
	end = put_day(to, (uint32) (day + POSTGRES_EPOCH_JDATE));
	*end++ = style == USE_XSD_DATES ? 'T' : ' ';
	end = put_time_of_day(end, local - day * USECS_PER_DAY);
	if (with_zone)
		end = put_zone(end, (int) offset, style == USE_XSD_DATES);
	return end;
}

static char *
put_interval(char *to, const Interval *interval)
{
	struct pg_itm itm;

	if (LINK_INTERVAL_NOT_FINITE(interval))
		strcpy(to, LINK_INTERVAL_IS_NOBEGIN(interval) ? EARLY : LATE);
	else
	{
		interval2itm(*interval, &itm);
		EncodeInterval(&itm, IntervalStyle, to);
	}
	return to + strlen(to);
}

char *
link_encode_time(char *to, LinkEncoding encoding, Datum value, int style)
{
	switch (encoding)
	{
		case LINK_ENCODE_DATE:
			return put_date(to, DatumGetDateADT(value));
		case LINK_ENCODE_TIMESTAMP:
			return put_timestamp(to, DatumGetTimestamp(value), false, style);
		case LINK_ENCODE_TIMESTAMPTZ:
			return put_timestamp(to, DatumGetTimestampTz(value), true, style);
		case LINK_ENCODE_TIME:
			return put_time_of_day(to, DatumGetTimeADT(value));
		case LINK_ENCODE_TIMETZ:
			to = put_time_of_day(to, DatumGetTimeTzADTP(value)->time);
			return put_zone(to, -DatumGetTimeTzADTP(value)->zone, false);
		case LINK_ENCODE_INTERVAL:
			return put_interval(to, DatumGetIntervalP(value));
		default:
			elog(ERROR, "no type of dates and times");
	}
	return to;					/* keep compiler quiet */
}
