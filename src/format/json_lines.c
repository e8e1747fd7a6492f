/*-------------------------------------------------------------------------
 *
 * json_lines.c
 *	  JSON objects, one a line, as lines of COPY's text format.
 *
 * Core's parser reads each line; what it finds at the first level is written
 * down by column, then put together.  json_nested.c makes texts of arrays and
 * composites.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "common/jsonapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "errors.h"
#include "format/encode.h"
#include "format/json_lines.h"
#include "format/json_nested.h"

/* What is read at once, and what is given back after a row that needed more. */
#define READ_SIZE (256 * 1024)
#define MAX_KEPT (1024 * 1024)

typedef enum ColumnKind
{
	COLUMN_SCALAR,				/* its input function takes the text */
	COLUMN_INTEGER,				/* the same; 1e3 is one too */
	COLUMN_JSON,				/* takes the JSON text as it stands */
	COLUMN_NESTED				/* array or composite */
} ColumnKind;

typedef struct Column
{
	const char *name;
	ColumnKind	kind;
	int			nested;			/* COLUMN_NESTED: its place among these */

	/* of this line */
	bool		given;			/* and not null */
	JsonTokenType type;			/* of its value's first token */
	const char *raw;			/* JSON text */
	Size		raw_len;
	char	   *scalar;			/* text of a string, a number, a boolean */
} Column;

struct LinkJsonLines
{
	MemoryContext context;
	MemoryContext line_context;
	LinkJsonRead read;
	void	   *arg;
	int			encoding;
	bool		soft;

	/* bytes read: those of 'start' to 'end' are not used yet */
	char	   *buffer;
	Size		size;
	Size		start;
	Size		end;
	bool		at_end;
	uint64		number;

	int			ncolumns;
	Column	   *columns;
	Column	  **by_name;		/* sorted */
	int			expected;		/* the column after that of the last key */

	LinkNested *nested;			/* NULL: no such columns */

	/* of this line */
	JsonLexContext *lex;
	Column	   *column;			/* of the key being read, or NULL */
	LinkEscapes escapes;
	StringInfo	out;
};

/* ---- columns ---- */

static ColumnKind
kind_of(Oid type)
{
	Oid			base = getBaseType(type);

	switch (base)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return COLUMN_INTEGER;
		case JSONOID:
		case JSONBOID:
			return COLUMN_JSON;
	}
	return OidIsValid(get_element_type(base)) || type_is_rowtype(base) ? COLUMN_NESTED : COLUMN_SCALAR;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp((*(Column *const *) a)->name, (*(Column *const *) b)->name);
}

static Column *
find_column(LinkJsonLines *lines, const char *name)
{
	Column		wanted = {name};
	Column	   *key = &wanted;
	Column	  **found;

	/* keys come in the same order in most files */
	if (lines->expected < lines->ncolumns && strcmp(lines->columns[lines->expected].name, name) == 0)
		return &lines->columns[lines->expected];
	found = bsearch(&key, lines->by_name, lines->ncolumns, sizeof(Column *), compare_names);
	return found ? *found : NULL;
}

static void
init_nested(LinkJsonLines *lines, TupleDesc desc, List *attnums, int nnested)
{
	ListCell   *cell;

	lines->nested = link_nested_begin(nnested);
	foreach(cell, attnums)
	{
		Column	   *column = &lines->columns[foreach_current_index(cell)];
		Form_pg_attribute attribute = TupleDescAttr(desc, lfirst_int(cell) - 1);

		if (column->kind == COLUMN_NESTED)
			link_nested_column(lines->nested, column->nested, column->name,
							   attribute->atttypid, attribute->atttypmod);
	}
}

LinkJsonLines *
link_json_lines_begin(TupleDesc desc, List *attnums, int encoding, bool soft,
					  LinkJsonRead read, void *arg)
{
	LinkJsonLines *lines = palloc0(sizeof(LinkJsonLines));
	int			nnested = 0;
	ListCell   *cell;

	lines->context = CurrentMemoryContext;
	lines->line_context = AllocSetContextCreate(CurrentMemoryContext, "link JSON line",
												ALLOCSET_DEFAULT_SIZES);
	lines->read = read;
	lines->arg = arg;
	lines->encoding = encoding;
	lines->soft = soft;
	lines->out = makeStringInfo();
	link_text_escapes(&lines->escapes, '\t');

	lines->ncolumns = list_length(attnums);
	lines->columns = palloc0(sizeof(Column) * Max(lines->ncolumns, 1));
	lines->by_name = palloc(sizeof(Column *) * Max(lines->ncolumns, 1));
	foreach(cell, attnums)
	{
		Column	   *column = &lines->columns[foreach_current_index(cell)];
		Form_pg_attribute attribute = TupleDescAttr(desc, lfirst_int(cell) - 1);

		column->name = pstrdup(NameStr(attribute->attname));
		column->kind = kind_of(attribute->atttypid);
		if (column->kind == COLUMN_NESTED)
			column->nested = nnested++;
		lines->by_name[foreach_current_index(cell)] = column;
	}
	qsort(lines->by_name, lines->ncolumns, sizeof(Column *), compare_names);
	if (nnested > 0)
		init_nested(lines, desc, attnums, nnested);
	return lines;
}

uint64
link_json_lines_number(const LinkJsonLines *lines)
{
	return lines->number;
}

/* ---- lines ---- */

/* More bytes behind those that are there; false at the end. */
static bool
read_more(LinkJsonLines *lines)
{
	Size		got;

	if (lines->at_end)
		return false;
	if (lines->start > 0)
	{
		lines->end -= lines->start;
		memmove(lines->buffer, lines->buffer + lines->start, lines->end);
		lines->start = 0;
	}
	if (lines->size - lines->end < READ_SIZE)
	{
		Size		size = Max(2 * lines->size, 2 * READ_SIZE);

		if (!AllocSizeIsValid(size))
			size = MaxAllocSize;
		if (size - lines->end < READ_SIZE)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a line of JSON is longer than %zu bytes", lines->end)));
		if (lines->buffer)
			lines->buffer = repalloc(lines->buffer, size);
		else
			lines->buffer = MemoryContextAlloc(lines->context, size);
		lines->size = size;
	}
	got = lines->read(lines->arg, lines->buffer + lines->end, READ_SIZE);
	lines->end += got;
	lines->at_end = got == 0;
	return got > 0;
}

/* The next line without its end; NULL at the end of the file. */
static const char *
next_line(LinkJsonLines *lines, Size *len)
{
	Size		looked = 0;
	char	   *line;
	char	   *end;

	/* a long line was a rare one */
	if (lines->size > MAX_KEPT && lines->end - lines->start < READ_SIZE)
	{
		char	   *smaller = MemoryContextAlloc(lines->context, 2 * READ_SIZE);

		lines->end -= lines->start;
		memcpy(smaller, lines->buffer + lines->start, lines->end);
		lines->start = 0;
		pfree(lines->buffer);
		lines->buffer = smaller;
		lines->size = 2 * READ_SIZE;
	}
	for (;;)
	{
		line = lines->buffer + lines->start;
		end = lines->end > lines->start + looked ?
			memchr(line + looked, '\n', lines->end - lines->start - looked) : NULL;
		if (end)
			break;
		looked = lines->end - lines->start;
		if (!read_more(lines))
		{
			if (looked == 0)
				return NULL;
			line = lines->buffer + lines->start;
			end = line + looked;
			break;
		}
	}
	*len = end - line;
	lines->start += *len;
	if (lines->start < lines->end)
		lines->start++;
	lines->number++;
	return line;
}

static bool
is_blank(const char *line, Size len)
{
	for (Size i = 0; i < len; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	return true;
}

/* ---- what the parser finds ---- */

LINK_NORETURN static void
no_object(LinkJsonLines *lines)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("line %llu is not a JSON object", (unsigned long long) lines->number),
			 errhint("A file in format \"json\" has one object a line.")));
}

static LinkJsonResult
array_start(void *state)
{
	LinkJsonLines *lines = state;

	if (lines->lex->lex_level == 0)
		no_object(lines);
	return LINK_JSON_SUCCESS;
}

static LinkJsonResult
scalar(void *state, char *token, JsonTokenType type)
{
	LinkJsonLines *lines = state;

	if (lines->lex->lex_level == 0)
		no_object(lines);
	if (lines->lex->lex_level == 1 && lines->column)
		lines->column->scalar = token;
	return LINK_JSON_SUCCESS;
}

static LinkJsonResult
field_start(void *state, char *name, bool isnull)
{
	LinkJsonLines *lines = state;
	Column	   *column;

	if (lines->lex->lex_level > 1)
		return LINK_JSON_SUCCESS;
	lines->column = column = find_column(lines, name);
	if (column)
	{
		lines->expected = column - lines->columns + 1;
		column->given = !isnull;
		column->type = lines->lex->token_type;
		column->raw = lines->lex->token_start;
		column->scalar = NULL;
	}
	return LINK_JSON_SUCCESS;
}

static LinkJsonResult
field_end(void *state, char *name, bool isnull)
{
	LinkJsonLines *lines = state;

	if (lines->lex->lex_level == 1 && lines->column)
	{
		lines->column->raw_len = lines->lex->prev_token_terminator - lines->column->raw;
		lines->column = NULL;
	}
	return LINK_JSON_SUCCESS;
}

static void
parse_line(LinkJsonLines *lines, char *line, Size len)
{
	JsonSemAction actions = {
		.semstate = lines,
		.array_start = array_start,
		.object_field_start = field_start,
		.object_field_end = field_end,
		.scalar = scalar,
	};
	JsonParseErrorType error;

	lines->lex = link_json_lex(line, len);
	lines->expected = 0;
	lines->column = NULL;
	for (int i = 0; i < lines->ncolumns; i++)
		lines->columns[i].given = false;
	error = pg_parse_json(lines->lex, &actions);
	if (error != JSON_SUCCESS)
	{
		const char *at = lines->lex->token_start ? lines->lex->token_start : line + len;

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid JSON in line %llu, column %d", (unsigned long long) lines->number,
						pg_mbstrlen_with_len(line, at - line) + 1),
				 errdetail_internal("%s", json_errdetail(error, lines->lex))));
	}
}

/* ---- arrays and composites ---- */

/* Strings are read by input functions, as json_populate_record() has it. */
static bool
is_nested(const Column *column)
{
	return column->kind == COLUMN_NESTED && column->given && column->type != JSON_TOKEN_STRING;
}

static void
convert_nested(LinkJsonLines *lines)
{
	link_nested_row(lines->nested);
	for (int i = 0; i < lines->ncolumns; i++)
		if (is_nested(&lines->columns[i]))
			link_nested_give(lines->nested, lines->columns[i].nested,
							 lines->columns[i].raw, lines->columns[i].raw_len);
	link_nested_convert(lines->nested, lines->soft);
}

/* ---- COPY's text ---- */

/* No whole number that fits an int8 needs a larger exponent, nor a longer text. */
#define MAX_EXPONENT 40

/* 1e3 is a whole number in JSON, but int4in does not know. */
static const char *
integer_text(const char *token)
{
	const char *exponent = strpbrk(token, "eE");
	Datum		number;

	/* what numeric_in could refuse is for the type to refuse */
	if (exponent == NULL || strlen(token) > 2 * MAX_EXPONENT || abs(atoi(exponent + 1)) > MAX_EXPONENT)
		return token;
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(token),
								 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return DatumGetCString(DirectFunctionCall1(numeric_out, number));
}

static void
append_column(LinkJsonLines *lines, Column *column)
{
	const char *text = column->scalar;

	if (is_nested(column))
		text = link_nested_text(lines->nested, column->nested);
	else if (column->given && (column->kind == COLUMN_JSON || text == NULL))
	{
		link_append_escaped(lines->out, column->raw, column->raw_len, &lines->escapes);
		return;
	}
	else if (column->given && column->kind == COLUMN_INTEGER && column->type == JSON_TOKEN_NUMBER)
		text = integer_text(text);

	if (!column->given || text == NULL)
		appendBinaryStringInfo(lines->out, "\\N", 2);
	else
		link_append_escaped(lines->out, text, strlen(text), &lines->escapes);
}

static void
say_line(void *arg)
{
	errcontext("JSON line %llu", (unsigned long long) ((LinkJsonLines *) arg)->number);
}

static void
convert_line(LinkJsonLines *lines, const char *line, Size len)
{
	ErrorContextCallback context = {error_context_stack, say_line, lines};
	char	   *text;

	error_context_stack = &context;
	text = pg_any_to_server(line, len, lines->encoding);
	if (text != line)
		len = strlen(text);
	parse_line(lines, text, len);
	if (lines->nested)
		convert_nested(lines);
	for (int i = 0; i < lines->ncolumns; i++)
	{
		if (i > 0)
			appendStringInfoChar(lines->out, '\t');
		append_column(lines, &lines->columns[i]);
	}
	appendStringInfoChar(lines->out, '\n');
	error_context_stack = context.previous;
}

const char *
link_json_lines_next(LinkJsonLines *lines, Size *len)
{
	MemoryContext caller = MemoryContextSwitchTo(lines->line_context);
	const char *line;
	Size		line_len;

	MemoryContextReset(lines->line_context);
	if (lines->out->maxlen > MAX_KEPT)
	{
		lines->out->data = repalloc(lines->out->data, MAX_KEPT);
		lines->out->maxlen = MAX_KEPT;
	}
	resetStringInfo(lines->out);
	do
	{
		CHECK_FOR_INTERRUPTS();
		line = next_line(lines, &line_len);
	} while (line && is_blank(line, line_len));
	if (line)
		convert_line(lines, line, line_len);
	MemoryContextSwitchTo(caller);
	*len = lines->out->len;
	return line ? lines->out->data : NULL;
}
