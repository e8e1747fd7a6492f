/*-------------------------------------------------------------------------
 *
 * json_lines.c
 *	  Fuzz target: a file of JSON objects, on its way to COPY.
 *
 * The first byte says in what pieces the file is read.  What comes out is read
 * as COPY reads it, and compared with what json-c finds in the same lines.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <json-c/json.h>

#include "catalog/pg_type.h"
#include "common/jsonapi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "utils/lsyscache.h"

#include "format/json_lines.h"
#include "format/json_nested.h"

#include "backend.h"

/* ---- the server's side ---- */

#define COLUMNS 4

static const struct
{
	const char *name;
	Oid			type;
}			columns[COLUMNS] = {{"id", INT4OID}, {"name", TEXTOID}, {"doc", JSONOID}, {"tags", TEXTARRAYOID}};

static union
{
	TupleDescData desc;
	char		room[offsetof(TupleDescData, attrs) + COLUMNS * sizeof(FormData_pg_attribute)];
}			table;

Oid
getBaseType(Oid type)
{
	return type;
}

Oid
get_element_type(Oid type)
{
	return type == TEXTARRAYOID ? TEXTOID : InvalidOid;
}

bool
type_is_rowtype(Oid type)
{
	return false;
}

char *
pg_any_to_server(const char *text, int len, int from)
{
	fuzz_expect(from == PG_UTF8);
	if (pg_encoding_verifymbstr(PG_UTF8, text, len) != len)
		ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE), errmsg("invalid byte sequence")));
	return unconstify(char *, text);
}

/* Of the server's library only; the parser itself is also in the clients'. */
char *
json_errdetail(JsonParseErrorType error, JsonLexContext *lex)
{
	if (lex->token_start)
		return pnstrdup(lex->token_start, lex->token_terminator - lex->token_start);
	return pstrdup("The input string ended unexpectedly.");
}

/* numeric_in and numeric_out, to a text and back */
Datum
DirectFunctionCall3Coll(PGFunction function, Oid collation, Datum arg1, Datum arg2, Datum arg3)
{
	return arg1;
}

Datum
DirectFunctionCall1Coll(PGFunction function, Oid collation, Datum arg1)
{
	return arg1;
}

/* As json_nested.c when all values are refused and the errors are soft. */
struct LinkNested
{
	char	   *text;
};

LinkNested *
link_nested_begin(int ncolumns)
{
	fuzz_expect(ncolumns == 1);
	return palloc0(sizeof(LinkNested));
}

void
link_nested_column(LinkNested *nested, int column, const char *name, Oid type, int32 typmod)
{
	fuzz_expect(column == 0 && strcmp(name, "tags") == 0);
}

void
link_nested_row(LinkNested *nested)
{
	nested->text = NULL;
}

void
link_nested_give(LinkNested *nested, int column, const char *json, Size len)
{
	nested->text = pnstrdup(json, len);
}

void
link_nested_convert(LinkNested *nested, bool soft)
{
}

const char *
link_nested_text(const LinkNested *nested, int column)
{
	return nested->text;
}

/* ---- the file ---- */

typedef struct File
{
	const char *data;
	Size		left;
	Size		piece;
	LinkJsonLines *lines;
	const char *row;
	Size		row_len;
} File;

static Size
read_file(void *arg, void *to, Size size)
{
	File	   *file = arg;
	Size		part = Min(Min(size, file->piece), file->left);

	memcpy(to, file->data, part);
	file->data += part;
	file->left -= part;
	return part;
}

static void
begin(void *arg)
{
	File	   *file = arg;
	ListCell	cells[COLUMNS];
	List		attnums = {T_IntList, COLUMNS, COLUMNS, cells};

	for (int i = 0; i < COLUMNS; i++)
		cells[i].int_value = i + 1;
	file->lines = link_json_lines_begin(&table.desc, &attnums, PG_UTF8, true, read_file, file);
}

static void
next(void *arg)
{
	File	   *file = arg;

	file->row = link_json_lines_next(file->lines, &file->row_len);
}

/* ---- what COPY makes of a row ---- */

/* The next value, NULL for NULL; *row is left behind its delimiter. */
static char *
copy_value(const char **row, const char *end, bool last)
{
	static const char letters[] = "bfnrtv";
	static const char bytes[] = "\b\f\n\r\t\v";
	char	   *value = palloc(end - *row + 1);
	Size		len = 0;
	const char *p = *row;
	const char *letter;

	while (p < end && *p != '\t')
	{
		fuzz_expect(*p != '\n' && *p != '\r');
		if (*p != '\\')
		{
			value[len++] = *p++;
			continue;
		}
		fuzz_expect(p + 1 < end);
		if (p[1] == 'N')
		{
			fuzz_expect(p == *row && (p + 2 == end || p[2] == '\t'));
			value = NULL;
			p += 2;
			break;
		}
		letter = strchr(letters, p[1]);
		value[len++] = letter ? bytes[letter - letters] : p[1];
		p += 2;
	}
	fuzz_expect(last ? p == end : p < end);
	*row = p + 1;
	if (value)
		value[len] = '\0';
	return value;
}

/* The last line that was read, by another parser. */
static void
compare(const File *file, const char *line, Size len, char **values)
{
	struct json_tokener *tokener = json_tokener_new_ex(100);
	struct json_object *object;
	struct json_object *name;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, line, len);
	if (object && json_tokener_get_error(tokener) == json_tokener_success &&
		json_object_is_type(object, json_type_object))
	{
		fuzz_expect(json_object_object_get_ex(object, "name", &name) || values[1] == NULL);
		if (json_object_is_type(name, json_type_string) && values[1])
			fuzz_expect(strcmp(json_object_get_string(name), values[1]) == 0);
	}
	json_object_put(object);
	json_tokener_free(tokener);
}

static void
take_row(const File *file, const char *data, Size size)
{
	const char *row = file->row;
	const char *end = row + file->row_len - 1;
	const char *line = data;
	const char *line_end;
	uint64		number = link_json_lines_number(file->lines);
	char	   *values[COLUMNS];

	fuzz_expect(file->row_len > 0 && *end == '\n');
	for (int i = 0; i < COLUMNS; i++)
		values[i] = copy_value(&row, end, i == COLUMNS - 1);
	for (uint64 n = 1; n < number; n++)
		line = (const char *) memchr(line, '\n', data + size - line) + 1;
	line_end = memchr(line, '\n', data + size - line);
	compare(file, line, (line_end ? line_end : data + size) - line, values);
}

void
fuzz_setup(void)
{
	table.desc.natts = COLUMNS;
	for (int i = 0; i < COLUMNS; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(&table.desc, i);

		strlcpy(NameStr(attribute->attname), columns[i].name, NAMEDATALEN);
		attribute->atttypid = columns[i].type;
		attribute->attnum = i + 1;
	}
}

void
fuzz_one(const char *data, Size size)
{
	File		file = {data + 1, size - 1};

	if (size == 0)
		return;
	file.piece = (unsigned char) *data % 64 + 1;
	fuzz_use_encoding_of("");
	fuzz_expect(fuzz_try(begin, &file));
	do
	{
		if (!fuzz_try(next, &file))
		{
			fuzz_expect(fuzz_error.sqlstate == ERRCODE_INVALID_TEXT_REPRESENTATION ||
						fuzz_error.sqlstate == ERRCODE_CHARACTER_NOT_IN_REPERTOIRE);
			return;
		}
		if (file.row)
			take_row(&file, data + 1, size - 1);
	} while (file.row);
}
