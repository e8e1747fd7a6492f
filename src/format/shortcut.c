/*-------------------------------------------------------------------------
 *
 * shortcut.c
 *	  Lines of COPY's text and CSV formats, made short before core reads them.
 *
 * Core's COPY is begun with the options of the file, and what it is given is of
 * that format: it detects the line ends, takes the header, counts lines, and is
 * given lines as they came whenever they are not plain.  A plain one has an end
 * like those before, a field for each column, no byte that needs interpretation
 * but delimiters and quotes around whole fields, and is valid in its encoding.
 *
 * When values are ready core has read the line that stands for another; then
 * line_buf gets the true one, for error messages and because its length counts
 * for when COPY flushes its rows.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "commands/copyfrom_internal.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "port/pg_bitutils.h"
#include "utils/rel.h"

#include "format/decode.h"
#include "format/shortcut.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Of the file, read at once; a line that is longer goes to core as it comes. */
#define BUFFER_SIZE (256 * 1024)

/* Bytes that are looked at together. */
#define BLOCK 16

typedef struct Column
{
	LinkShortcut *shortcut;
	FmgrInfo	original;
	LinkDecoding decoding;		/* DECODE_NOTHING: core reads the field */
	int32		typmod;

	/* of this line */
	bool		ready;
	LinkDecoded value;
} Column;

typedef struct Field
{
	const char *start;			/* as it is in the line */
	const char *end;
	bool		quoted;
	bool		doubled;		/* and there are quotes inside */
} Field;

struct LinkShortcut
{
	CopyFromState cstate;
	LinkShortcutRead read;
	void	   *arg;

	bool		csv;
	char		delimiter;
	char		quote;			/* text: the backslash */
	char		escape;
	const char *null;
	int			null_len;
	char		token;			/* stands for a value */

	int			ncolumns;
	Column	   *columns;
	Field	   *fields;

	/* bytes read: those of 'start' to 'end' are not used yet */
	char	   *buffer;
	Size		start;
	Size		end;

	/* what core is being given */
	StringInfoData standin;
	int			given;			/* of 'standin' */
	bool		stands;			/* core's line is, or was last, a stand-in for: */
	const char *line;
	int			line_len;
	bool		line_restored;
};

/* ---- input functions ---- */

static void
restore_line(LinkShortcut *shortcut)
{
	StringInfo	line = &shortcut->cstate->line_buf;

	shortcut->line_restored = true;
	resetStringInfo(line);
	appendBinaryStringInfo(line, shortcut->line, shortcut->line_len);
}

/* In place of a type's input function. */
static Datum
input_value(PG_FUNCTION_ARGS)
{
	FmgrInfo   *replaced = fcinfo->flinfo;
	Column	   *column = replaced->fn_extra;
	LinkShortcut *shortcut = column->shortcut;
	Datum		result;

	if (shortcut->stands && column->ready)
	{
		if (!shortcut->line_restored)
			restore_line(shortcut);
		return link_decoded_datum(column->decoding, column->typmod, &column->value);
	}
	fcinfo->flinfo = &column->original;
	result = FunctionCallInvoke(fcinfo);
	fcinfo->flinfo = replaced;
	return result;
}

static void
replace_input_function(LinkShortcut *shortcut, Column *column, FmgrInfo *function)
{
	column->original = *function;
	function->fn_addr = input_value;
	function->fn_extra = column;
}

/* ---- beginning ---- */

static bool
is_plain_byte(char byte)
{
	return byte != '\\' && byte != '\r' && byte != '\n' && byte != '\0' && !IS_HIGHBIT_SET(byte);
}

/* Is all that the options of this COPY may mean known here? */
static bool
knows_options(CopyFromState cstate)
{
	const CopyFormatOptions *opts = &cstate->opts;

	if (opts->binary || link_copy_has_default_marker(opts) || link_copy_forces_nulls(opts))
		return false;
	/* each byte of a multibyte character has its high bit set in any server's encoding */
	if (cstate->need_transcoding || cstate->file_encoding != GetDatabaseEncoding())
		return false;
	if (!is_plain_byte(opts->delim[0]))
		return false;
	if (opts->csv_mode)
		return is_plain_byte(opts->quote[0]) &&
			(is_plain_byte(opts->escape[0]) || opts->escape[0] == '\\');
	return strcmp(opts->null_print, "\\N") == 0 || strchr(opts->null_print, '\\') == NULL;
}

/* A byte that is nothing but data. */
static char
choose_token(const LinkShortcut *shortcut)
{
	for (const char *token = "0123456789"; *token; token++)
		if (*token != shortcut->delimiter && *token != shortcut->quote &&
			*token != shortcut->escape &&
			!(shortcut->null_len == 1 && shortcut->null[0] == *token))
			return *token;
	pg_unreachable();			/* there are four that it must not be */
}

LinkShortcut *
link_shortcut_begin(CopyFromState cstate, LinkShortcutRead read, void *arg)
{
	TupleDesc	desc = RelationGetDescr(cstate->rel);
	LinkShortcut *shortcut;
	ListCell   *cell;
	int			known = 0;

	if (!knows_options(cstate))
		return NULL;
	foreach(cell, cstate->attnumlist)
	{
		int			m = lfirst_int(cell) - 1;

		if (link_decoding(cstate->in_functions[m].fn_oid, TupleDescAttr(desc, m)->atttypmod))
			known++;
	}
	if (known == 0)
		return NULL;

	shortcut = palloc0(sizeof(LinkShortcut));
	shortcut->cstate = cstate;
	shortcut->read = read;
	shortcut->arg = arg;
	shortcut->csv = cstate->opts.csv_mode;
	shortcut->delimiter = cstate->opts.delim[0];
	shortcut->quote = shortcut->csv ? cstate->opts.quote[0] : '\\';
	shortcut->escape = shortcut->csv ? cstate->opts.escape[0] : '\\';
	shortcut->null = cstate->opts.null_print;
	shortcut->null_len = cstate->opts.null_print_len;
	shortcut->token = choose_token(shortcut);
	shortcut->ncolumns = list_length(cstate->attnumlist);
	shortcut->columns = palloc0(sizeof(Column) * shortcut->ncolumns);
	shortcut->fields = palloc0(sizeof(Field) * shortcut->ncolumns);
	shortcut->buffer = palloc(BUFFER_SIZE + BLOCK);
	initStringInfo(&shortcut->standin);
	foreach(cell, cstate->attnumlist)
	{
		Column	   *column = &shortcut->columns[foreach_current_index(cell)];
		int			m = lfirst_int(cell) - 1;

		column->shortcut = shortcut;
		column->typmod = TupleDescAttr(desc, m)->atttypmod;
		column->decoding = link_decoding(cstate->in_functions[m].fn_oid, column->typmod);
		if (column->decoding != DECODE_NOTHING)
			replace_input_function(shortcut, column, &cstate->in_functions[m]);
	}
	return shortcut;
}

/* ---- fields of a line ---- */

/* One bit for each of the bytes of a block that a plain line may not have just anywhere. */
static inline uint32
special_bytes(const LinkShortcut *shortcut, const char *block, uint32 *high)
{
#ifdef __SSE2__
	__m128i		bytes = _mm_loadu_si128((const __m128i *) block);
	__m128i		hit = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(shortcut->delimiter));

	hit = _mm_or_si128(hit, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(shortcut->quote)));
	hit = _mm_or_si128(hit, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(shortcut->escape)));
	hit = _mm_or_si128(hit, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')));
	hit = _mm_or_si128(hit, _mm_cmpeq_epi8(bytes, _mm_setzero_si128()));
	*high |= (uint32) _mm_movemask_epi8(bytes);
	return (uint32) _mm_movemask_epi8(hit);
#else
	uint32		hits = 0;

	for (int i = 0; i < BLOCK; i++)
	{
		char		c = block[i];

		if (c == shortcut->delimiter || c == shortcut->quote || c == shortcut->escape ||
			c == '\r' || c == '\0')
			hits |= (uint32) 1 << i;
		*high |= IS_HIGHBIT_SET(c);
	}
	return hits;
#endif
}

/* text: at a backslash, which may only be that of the null marker */
static bool
is_null_marker(const LinkShortcut *shortcut, const char *at, const char *start, const char *end)
{
	return at == start && shortcut->null[0] == '\\' && end - at >= 2 && at[1] == 'N' &&
		(end - at == 2 || at[2] == shortcut->delimiter);
}

/*
 * Into as many fields as there are columns; false if it has others, or is not
 * plain.  'high' becomes true if there may be other bytes than ASCII.
 */
static bool
split_line(LinkShortcut *shortcut, const char *line, const char *end, bool *high)
{
	Field	   *field = shortcut->fields;
	Field	   *last = field + shortcut->ncolumns - 1;
	const char *closed = NULL;	/* a quote that may have been the last of its field */
	bool		open = false;	/* within quotes */
	uint32		high_bits = 0;

	field->start = line;
	field->quoted = field->doubled = false;
	for (const char *block = line; block < end; block += BLOCK)
	{
		uint32		hits = special_bytes(shortcut, block, &high_bits);

		if (end - block < BLOCK)
			hits &= ((uint32) 1 << (end - block)) - 1;
		for (; hits; hits &= hits - 1)
		{
			const char *at = block + pg_rightmost_one_pos32(hits);

			if (*at == shortcut->delimiter)
			{
				if (open)
					continue;
				if (field == last || (field->quoted && closed != at - 1))
					return false;
				field->end = at;
				field++;
				field->start = at + 1;
				field->quoted = field->doubled = false;
			}
			else if (!shortcut->csv)
			{
				if (!is_null_marker(shortcut, at, field->start, end))
					return false;
			}
			else if (*at != shortcut->quote)
				return false;
			else if (open)
			{
				open = false;
				closed = at;
			}
			else if (at == field->start)
				open = field->quoted = true;
			else if (field->quoted && closed == at - 1 && shortcut->escape == shortcut->quote)
				open = field->doubled = true;
			else
				return false;
		}
	}
	if (open || field != last || (field->quoted && closed != end - 1))
		return false;
	field->end = end;
	*high = high_bits != 0;
	return true;
}

/* ---- the line that stands for another ---- */

static bool
read_field(LinkShortcut *shortcut, Column *column, const Field *field)
{
	int			len = field->end - field->start;

	if (field->quoted)
		return !field->doubled &&
			link_decode(column->decoding, column->typmod, field->start + 1, len - 2, &column->value);
	if (len == shortcut->null_len && memcmp(field->start, shortcut->null, len) == 0)
		return false;
	return link_decode(column->decoding, column->typmod, field->start, len, &column->value);
}

/* From the line 'line' to 'end', without the bytes that end it; false if core shall have that. */
static bool
make_standin(LinkShortcut *shortcut, const char *line, const char *end)
{
	StringInfo	out = &shortcut->standin;
	bool		high;
	bool		any = false;
	char	   *to;

	/* 15 to 17 look for an end marker there, in CSV too */
	if (line < end && *line == '\\' && shortcut->csv)
		return false;
	if (!split_line(shortcut, line, end, &high))
		return false;
	if (high &&
		pg_encoding_verifymbstr(shortcut->cstate->file_encoding, line, end - line) != end - line)
		return false;

	resetStringInfo(out);
	enlargeStringInfo(out, (end - line) + shortcut->ncolumns + 2);
	to = out->data;
	for (int i = 0; i < shortcut->ncolumns; i++)
	{
		Column	   *column = &shortcut->columns[i];
		const Field *field = &shortcut->fields[i];

		if (i > 0)
			*to++ = shortcut->delimiter;
		column->ready = read_field(shortcut, column, field);
		if (column->ready)
		{
			*to++ = shortcut->token;
			any = true;
		}
		else
		{
			memcpy(to, field->start, field->end - field->start);
			to += field->end - field->start;
		}
	}
	if (shortcut->cstate->eol_type == EOL_CRNL)
		*to++ = '\r';
	*to++ = '\n';
	out->len = to - out->data;
	return any;
}

/* ---- what core is given ---- */

/* More bytes behind those that are there; false if there is no room, or at the end. */
static bool
read_more(LinkShortcut *shortcut)
{
	Size		got;

	if (shortcut->start > 0)
	{
		shortcut->end -= shortcut->start;
		memmove(shortcut->buffer, shortcut->buffer + shortcut->start, shortcut->end);
		shortcut->start = 0;
	}
	if (shortcut->end == BUFFER_SIZE)
		return false;
	got = shortcut->read(shortcut->arg, shortcut->buffer + shortcut->end,
						 BUFFER_SIZE - shortcut->end);
	shortcut->end += got;

	/* a block may be looked at that begins before the end: of a small object the rest is never touched */
	memset(shortcut->buffer + shortcut->end, 0, BLOCK);
	return got > 0;
}

/* Behind the next newline; NULL if there is none in what the buffer can hold. */
static const char *
find_line_end(LinkShortcut *shortcut)
{
	Size		looked = 0;

	for (;;)
	{
		const char *from = shortcut->buffer + shortcut->start + looked;
		const char *newline = memchr(from, '\n', shortcut->end - shortcut->start - looked);

		if (newline)
			return newline + 1;
		looked = shortcut->end - shortcut->start;
		if (!read_more(shortcut))
			return NULL;
	}
}

/* Has core nothing of the line to come, and knows how lines end? */
static bool
at_start_of_line(CopyFromState cstate)
{
	return cstate->line_buf.len == 0 &&
		cstate->input_buf_index == cstate->input_buf_len &&
		cstate->raw_buf_index == cstate->raw_buf_len &&
		(cstate->eol_type == EOL_NL || cstate->eol_type == EOL_CRNL);
}

/* The next line, if it is a plain one; its bytes are used then. */
static bool
next_standin(LinkShortcut *shortcut)
{
	const char *end = find_line_end(shortcut);
	const char *line = shortcut->buffer + shortcut->start;
	const char *next = end;

	if (end == NULL)
		return false;
	end--;
	if (shortcut->cstate->eol_type == EOL_CRNL)
	{
		if (end == line || end[-1] != '\r')
			return false;
		end--;
	}
	if (!make_standin(shortcut, line, end))
		return false;
	shortcut->start = next - shortcut->buffer;
	shortcut->line = line;
	shortcut->line_len = end - line;
	shortcut->line_restored = false;
	shortcut->given = 0;
	/* the bytes of the file are what counts as progress */
	shortcut->cstate->bytes_processed += (next - line) - shortcut->standin.len;
	return true;
}

/* As they are, up to a newline: what follows may be a plain line. */
static int
give_raw(LinkShortcut *shortcut, void *to, int at_most)
{
	const char *from;
	const char *newline;
	Size		part;

	if (shortcut->start == shortcut->end && !read_more(shortcut))
		return 0;
	from = shortcut->buffer + shortcut->start;
	part = Min(shortcut->end - shortcut->start, at_most);
	newline = memchr(from, '\n', part);
	if (newline)
		part = newline + 1 - from;
	memcpy(to, from, part);
	shortcut->start += part;
	return (int) part;
}

int
link_shortcut_read(LinkShortcut *shortcut, void *to, int at_most)
{
	int			part;

	if (!shortcut->stands || shortcut->given == shortcut->standin.len)
	{
		if (at_start_of_line(shortcut->cstate))
			shortcut->stands = next_standin(shortcut);
		else
			shortcut->stands = false;
		if (!shortcut->stands)
			return give_raw(shortcut, to, at_most);
	}
	part = Min(shortcut->standin.len - shortcut->given, at_most);
	memcpy(to, shortcut->standin.data + shortcut->given, part);
	shortcut->given += part;
	return part;
}
