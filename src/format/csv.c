/*-------------------------------------------------------------------------
 *
 * csv.c
 *	  COPY's csv format: values in quotes where they need them.
 *
 * A value is quoted if it holds the delimiter, the quote or a line end, if it
 * equals the null marker (compared before conversion, as COPY does), if it is
 * the end-of-data marker alone on its line, or if the options say so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "format/encode.h"

typedef struct CsvWriter
{
	LinkRowWriter base;
	char		quote;
	const char *null_print;		/* in the server's encoding */
	Size		null_print_len;
	LinkByteSet needs_quotes;
	LinkEscapes escapes;		/* within quotes */
} CsvWriter;

static void csv_begin(LinkRowWriter *writer, TupleDesc desc, const CopyFormatOptions *options);
static void csv_row(LinkRowWriter *writer, TupleTableSlot *slot);

const LinkFormatOps link_format_csv = {
	.writer_size = sizeof(CsvWriter),
	.begin = csv_begin,
	.row = csv_row,
};

static bool
text_equals(const LinkText *text, const char *data, Size len)
{
	return text->len == len && memcmp(text->data, data, len) == 0;
}

static void
put_quoted(CsvWriter *writer, const LinkText *text)
{
	link_output_byte(writer->base.out, writer->quote);
	link_put_escaped(&writer->base, text, &writer->escapes);
	link_output_byte(writer->base.out, writer->quote);
}

static void
put_csv(CsvWriter *writer, LinkText text, bool quoted)
{
	LinkOutput *out = writer->base.out;

	if (!quoted)
		quoted = text_equals(&text, writer->null_print, writer->null_print_len);
	link_text_convert(&writer->base, &text);
	if (!quoted && writer->base.ncolumns == 1)
		quoted = text_equals(&text, "\\.", 2);
	if (quoted)
	{
		put_quoted(writer, &text);
		return;
	}

	/* Copy first; what is found to need quotes is written over. */
	if (text.len <= LINK_SHORT_TEXT && !text.embeds_ascii)
	{
		link_output_reserve(out, text.len);
		if (link_copy_until(out->next, text.data, text.len, &writer->needs_quotes) == text.len)
			out->next += text.len;
		else
			put_quoted(writer, &text);
	}
	else if (link_text_has(&writer->base, &text, &writer->needs_quotes))
		put_quoted(writer, &text);
	else
		link_output_bytes(out, text.data, text.len);
}

static void
csv_begin(LinkRowWriter *base, TupleDesc desc, const CopyFormatOptions *options)
{
	CsvWriter  *writer = (CsvWriter *) base;
	char		escape = options->escape[0];
	bool		special[256];
	ListCell   *cell;

	writer->quote = options->quote[0];
	writer->null_print = options->null_print;
	writer->null_print_len = strlen(options->null_print);
	link_byteset_init(&writer->needs_quotes, '\n', '\n', '\r', base->delimiter, writer->quote);
	link_byteset_init(&writer->escapes.set, writer->quote, writer->quote, escape, escape, escape);
	writer->escapes.prefix = escape;
	for (int c = 0; c < 256; c++)
	{
		writer->escapes.letter[c] = (char) c;
		special[c] = writer->needs_quotes.member[c] || writer->escapes.set.member[c];
	}

	base->columns = link_columns(desc, special, options->null_print, false);
	for (int i = 0; i < base->ncolumns; i++)
		base->columns[i].force_quote = options->force_quote_all;
	if (options->force_quote != NIL)
		foreach(cell, CopyGetAttnums(desc, NULL, options->force_quote))
			base->columns[lfirst_int(cell) - 1].force_quote = true;

	if (options->header_line == COPY_HEADER_FALSE)
		return;
	for (int i = 0; i < base->ncolumns; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (i > 0)
			link_output_byte(base->out, base->delimiter);
		put_csv(writer, (LinkText) {name, strlen(name)}, false);
	}
	link_output_byte(base->out, '\n');
}

static void
csv_row(LinkRowWriter *base, TupleTableSlot *slot)
{
	CsvWriter  *writer = (CsvWriter *) base;
	LinkOutput *out = base->out;

	for (int i = 0; i < base->ncolumns; i++)
	{
		LinkColumn *column = &base->columns[i];

		if (i > 0)
			link_output_byte(out, base->delimiter);
		if (slot->tts_isnull[i])
			link_output_bytes(out, base->null_print, base->null_print_len);
		else if (!link_column_is_direct(column))
			put_csv(writer, link_column_text(base, column, slot->tts_values[i]),
					column->force_quote);
		else if (column->force_quote)
		{
			link_output_byte(out, writer->quote);
			link_encode(base, column, slot->tts_values[i]);
			link_output_byte(out, writer->quote);
		}
		else
			link_encode(base, column, slot->tts_values[i]);
	}
	link_output_byte(out, '\n');
}
