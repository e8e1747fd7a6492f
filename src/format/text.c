/*-------------------------------------------------------------------------
 *
 * text.c
 *	  COPY's text format: columns between delimiters, backslash escapes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "format/encode.h"

typedef struct TextWriter
{
	LinkRowWriter base;
	LinkEscapes escapes;
} TextWriter;

static void text_begin(LinkRowWriter *writer, TupleDesc desc, const CopyFormatOptions *options);
static void text_row(LinkRowWriter *writer, TupleTableSlot *slot);

const LinkFormatOps link_format_text = {
	.writer_size = sizeof(TextWriter),
	.begin = text_begin,
	.row = text_row,
};

/* The control characters \b \t \n \v \f \r are adjacent and have letters. */
void
link_text_escapes(LinkEscapes *escapes, char delimiter)
{
	static const char letters[] = "btnvfr";

	link_byteset_init(&escapes->set, '\b', '\r', '\\', delimiter, delimiter);
	escapes->prefix = '\\';
	for (int c = 0; c < 256; c++)
		escapes->letter[c] = (char) c;
	for (int c = '\b'; c <= '\r'; c++)
		escapes->letter[c] = letters[c - '\b'];
}

static void
put_text(TextWriter *writer, LinkText text)
{
	LinkOutput *out = writer->base.out;

	link_text_convert(&writer->base, &text);
	if (text.len <= LINK_SHORT_TEXT && !text.embeds_ascii)
	{
		link_output_reserve(out, text.len);
		if (link_copy_until(out->next, text.data, text.len, &writer->escapes.set) == text.len)
		{
			out->next += text.len;
			return;
		}
	}
	link_put_escaped(&writer->base, &text, &writer->escapes);
}

static void
text_begin(LinkRowWriter *base, TupleDesc desc, const CopyFormatOptions *options)
{
	TextWriter *writer = (TextWriter *) base;

	link_text_escapes(&writer->escapes, base->delimiter);
	base->columns = link_columns(desc, writer->escapes.set.member, NULL, true);
	if (options->header_line == COPY_HEADER_FALSE)
		return;
	for (int i = 0; i < base->ncolumns; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (i > 0)
			link_output_byte(base->out, base->delimiter);
		put_text(writer, (LinkText) {name, strlen(name)});
	}
	link_output_byte(base->out, '\n');
}

static void
text_row(LinkRowWriter *base, TupleTableSlot *slot)
{
	LinkOutput *out = base->out;

	for (int i = 0; i < base->ncolumns; i++)
	{
		LinkColumn *column = &base->columns[i];

		if (i > 0)
			link_output_byte(out, base->delimiter);
		if (slot->tts_isnull[i])
			link_output_bytes(out, base->null_print, base->null_print_len);
		else if (link_column_is_direct(column))
			link_encode(base, column, slot->tts_values[i]);
		else
			put_text((TextWriter *) base, link_column_text(base, column, slot->tts_values[i]));
	}
	link_output_byte(out, '\n');
}
