/*-------------------------------------------------------------------------
 *
 * format.h
 *	  The contract between export and the formats: rows in, bytes out.
 *
 * A format is a const row (LinkFormat), known in every build; its operations
 * are NULL when it is not in this one.  Adding one: a file, and one line in
 * format.c.  A format knows neither links nor compression.
 *
 * Order of calls: link_format_begin(), link_format_row() for each row,
 * link_format_end(); then the caller empties the output.  There is nothing to
 * release: all memory is below the context that was current at begin.
 *
 * What the text-like formats write is byte for byte what COPY TO writes with
 * the same options.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_FORMAT_H
#define LINK_FORMAT_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "commands/copy.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

/*
 * Bytes on their way out.  'drain' takes them all whenever room is needed, also
 * in the middle of a row, so that memory is bounded whatever a row's size.
 */
typedef struct LinkOutput
{
	char	   *start;
	char	   *next;			/* where the next byte goes */
	char	   *end;
	void		(*drain) (void *arg, const char *data, Size size);
	void	   *arg;
} LinkOutput;

/*
 * Large enough that a drain costs nothing, small enough for the CPU's second
 * cache.  No one asks for more room than this at once: the longest numeric has
 * 131,072 digits before and 16,383 after the point.
 */
#define LINK_OUTPUT_SIZE (256 * 1024)

extern void link_output_init(LinkOutput *out,
							 void (*drain) (void *arg, const char *data, Size size), void *arg);
extern void link_output_flush(LinkOutput *out);
extern void link_output_bytes(LinkOutput *out, const char *data, Size size);

/* Make sure that 'size' bytes can be written at out->next. */
static inline void
link_output_reserve(LinkOutput *out, Size size)
{
	Assert(size <= LINK_OUTPUT_SIZE);
	if (unlikely((Size) (out->end - out->next) < size))
		link_output_flush(out);
}

static inline void
link_output_byte(LinkOutput *out, char byte)
{
	link_output_reserve(out, 1);
	*out->next++ = byte;
}

struct LinkFormatOps;

typedef struct LinkFormat
{
	const char *name;			/* "csv": as in the option */
	const struct LinkFormatOps *ops;	/* NULL: known, not in this build */
} LinkFormat;

struct LinkColumn;

/* A format's own state begins with this. */
typedef struct LinkRowWriter
{
	const struct LinkFormatOps *ops;
	LinkOutput *out;
	int			ncolumns;
	struct LinkColumn *columns; /* encode.h; set up by the format */
	char		delimiter;
	char	   *null_print;		/* in the file's encoding */
	Size		null_print_len;
	int			encoding;		/* of the file */
	bool		transcode;		/* not the server's, or to be verified */
	bool		embeds_ascii;	/* a character's later bytes may look like ASCII */
	MemoryContext row_context;
	bool		row_context_used;	/* reset it after this row */
	MemoryContext context;		/* lives as long as the writer */
	StringInfo	scratch[2];		/* encode.h */
} LinkRowWriter;

/* Which functions of the values' types a format calls. */
typedef enum LinkFormatCalls
{
	LINK_CALLS_OUTPUT,
	LINK_CALLS_SEND,
	LINK_CALLS_JSON				/* those that to_json() does: casts to json, else as OUTPUT */
} LinkFormatCalls;

typedef struct LinkFormatOps
{
	Size		writer_size;
	LinkFormatCalls calls;

	/*
	 * Set up what is the format's own, then write the header line if the
	 * options ask for one.  Options were checked by core's
	 * ProcessCopyOptions().
	 */
	void		(*begin) (LinkRowWriter *writer, TupleDesc desc, const CopyFormatOptions *options);

	/* The slot's values are deformed.  Throws what output functions throw. */
	void		(*row) (LinkRowWriter *writer, TupleTableSlot *slot);

	/* Write what follows the last row.  May be NULL. */
	void		(*end) (LinkRowWriter *writer);

	/* Rows mean nothing without what is written before and after them: no messages. */
	bool		has_frame;
} LinkFormatOps;

/* NULL if no build knows it. */
extern const LinkFormat *link_format_find(const char *name);

/* NULL-terminated, for the hint of the nearest. */
extern const char *const *link_format_names(void);

/* Are all functions that writing this expression's values calls known, and parallel safe? */
extern bool link_format_is_safe(const LinkFormat *format, Node *value);

/* 0A000 unless a row can stand by itself. */
extern void link_format_check_messages(const LinkFormat *format);

extern LinkRowWriter *link_format_begin(const LinkFormat *format, TupleDesc desc,
										const CopyFormatOptions *options, LinkOutput *out);
extern void link_format_end(LinkRowWriter *writer);

static inline void
link_format_row(LinkRowWriter *writer, TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	writer->ops->row(writer, slot);
	if (writer->row_context_used)
	{
		MemoryContextReset(writer->row_context);
		writer->row_context_used = false;
	}
}

/* ---- the list's entries ---- */

extern const LinkFormatOps link_format_text;
extern const LinkFormatOps link_format_csv;
extern const LinkFormatOps link_format_json;
extern const LinkFormatOps link_format_binary;

#endif							/* LINK_FORMAT_H */
