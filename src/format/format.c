/*-------------------------------------------------------------------------
 *
 * format.c
 *	  The list of formats, what all of them share, and the output buffer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "errors.h"
#include "format/format.h"

static const LinkFormat formats[] = {
	{"text", &link_format_text},
	{"csv", &link_format_csv},
	{"json", &link_format_json},
	{"binary", &link_format_binary},
	{"parquet", NULL},
};

const LinkFormat *
link_format_find(const char *name)
{
	for (int i = 0; i < lengthof(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

const char *const *
link_format_names(void)
{
	const char **names = palloc0(sizeof(char *) * (lengthof(formats) + 1));

	for (int i = 0; i < lengthof(formats); i++)
		names[i] = formats[i].name;
	return names;
}

void
link_format_check_messages(const LinkFormat *format)
{
	if (format->ops->has_frame)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("format \"%s\" is not supported for messages of a topic", format->name)));
}

LinkRowWriter *
link_format_begin(const LinkFormat *format, TupleDesc desc,
				  const CopyFormatOptions *options, LinkOutput *out)
{
	LinkRowWriter *writer = palloc0(format->ops->writer_size);

	writer->ops = format->ops;
	writer->out = out;
	writer->context = CurrentMemoryContext;
	writer->ncolumns = desc->natts;
	writer->delimiter = options->delim[0];
	writer->row_context = AllocSetContextCreate(CurrentMemoryContext, "link row",
												ALLOCSET_DEFAULT_SIZES);

	/* As COPY does: the client's encoding unless one was given. */
	writer->encoding = options->file_encoding;
	if (writer->encoding < 0)
		writer->encoding = pg_get_client_encoding();
	writer->transcode = writer->encoding != GetDatabaseEncoding() &&
		writer->encoding != PG_SQL_ASCII;
	writer->embeds_ascii = PG_ENCODING_IS_CLIENT_ONLY(writer->encoding);

	/* ASCII is not converted: a missing conversion must not depend on the data. */
	if (writer->transcode)
		(void) pg_server_to_any(" ", 1, writer->encoding);

	writer->null_print = options->null_print;
	if (writer->transcode)
		writer->null_print = pg_server_to_any(options->null_print, options->null_print_len,
											  writer->encoding);
	writer->null_print_len = strlen(writer->null_print);

	writer->ops->begin(writer, desc, options);
	return writer;
}

void
link_format_end(LinkRowWriter *writer)
{
	if (writer->ops->end)
		writer->ops->end(writer);
}

void
link_output_init(LinkOutput *out,
				 void (*drain) (void *arg, const char *data, Size size), void *arg)
{
	out->start = palloc(LINK_OUTPUT_SIZE);
	out->next = out->start;
	out->end = out->start + LINK_OUTPUT_SIZE;
	out->drain = drain;
	out->arg = arg;
}

void
link_output_flush(LinkOutput *out)
{
	if (out->next > out->start)
		out->drain(out->arg, out->start, out->next - out->start);
	out->next = out->start;
}

void
link_output_bytes(LinkOutput *out, const char *data, Size size)
{
	while (size > 0)
	{
		Size		chunk = Min(size, LINK_OUTPUT_SIZE);

		link_output_reserve(out, chunk);
		memcpy(out->next, data, chunk);
		out->next += chunk;
		data += chunk;
		size -= chunk;
	}
}
