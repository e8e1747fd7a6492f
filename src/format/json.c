/*-------------------------------------------------------------------------
 *
 * json.c
 *	  One JSON object a line: what row_to_json() makes of the row.
 *
 * Numbers, booleans, texts, dates and arrays of these are written here, as
 * core's datum_to_json() would; composites, types with a cast to json and what
 * else it treats in ways of its own go through to_json().
 *
 * A value of type json may hold line ends, between its tokens; they become
 * spaces, so that an object stays on its line.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "format/encode_internal.h"

/* What datum_to_json() makes of a type. */
typedef enum JsonKind
{
	JSON_QUOTED,				/* a string */
	JSON_NUMBER,				/* a number; a string if it is none */
	JSON_BOOL,
	JSON_TIME,					/* date, timestamp, timestamptz: ISO 8601, a string */
	JSON_RAW,					/* json, jsonb */
	JSON_ARRAY,					/* of any of these */
	JSON_CORE					/* to_json() */
} JsonKind;

typedef struct JsonColumn
{
	char	   *name;			/* comma, quoted and escaped name, colon */
	Size		name_len;
	JsonKind	kind;
	JsonKind	element_kind;	/* JSON_ARRAY */
	FmgrInfo	to_json;		/* JSON_CORE */
} JsonColumn;

typedef struct JsonWriter
{
	LinkRowWriter base;
	JsonColumn *json;
	LinkEscapes escapes;
	LinkByteSet line_ends;
} JsonWriter;

static void json_begin(LinkRowWriter *writer, TupleDesc desc, const CopyFormatOptions *options);
static void json_row(LinkRowWriter *writer, TupleTableSlot *slot);

const LinkFormatOps link_format_json = {
	.writer_size = sizeof(JsonWriter),
	.calls = LINK_CALLS_JSON,
	.begin = json_begin,
	.row = json_row,
};

/* ---- types ---- */

Oid
link_json_cast(Oid type)
{
	Oid			function;

	if (type < FirstNormalObjectId || OidIsValid(get_element_type(type)) || type_is_rowtype(type) ||
		find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT, &function) != COERCION_PATH_FUNC)
		return InvalidOid;
	return function;
}

/* As json_categorize_type() tells them apart. */
static JsonKind
kind_of(Oid type, Oid *element)
{
	Oid			base = getBaseType(type);

	switch (base)
	{
		case BOOLOID:
			return JSON_BOOL;
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return JSON_NUMBER;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return JSON_TIME;
		case JSONOID:
		case JSONBOID:
			return JSON_RAW;
		case ANYARRAYOID:
		case RECORDARRAYOID:
			return JSON_CORE;
	}
	*element = get_element_type(base);
	if (OidIsValid(*element))
		return JSON_ARRAY;
	if (type_is_rowtype(base))
		return JSON_CORE;
	return OidIsValid(link_json_cast(base)) ? JSON_CORE : JSON_QUOTED;
}

static void
init_json_column(LinkColumn *column, JsonColumn *json, Form_pg_attribute attribute, int encoding)
{
	StringInfoData name;
	Oid			element;
	Oid			ignored;

	initStringInfo(&name);
	appendStringInfoChar(&name, attribute->attnum > 1 ? ',' : '{');
	escape_json(&name, NameStr(attribute->attname));
	appendStringInfoChar(&name, ':');
	json->name = pg_server_to_any(name.data, name.len, encoding);
	json->name_len = strlen(json->name);

	json->kind = kind_of(attribute->atttypid, &element);
	if (json->kind == JSON_ARRAY)
	{
		json->element_kind = kind_of(element, &ignored);
		if (json->element_kind >= JSON_ARRAY)
			json->kind = JSON_CORE;
	}
	if (json->kind != JSON_CORE)
		return;
	fmgr_info(F_TO_JSON, &json->to_json);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSON, JSONOID,
											 list_make1(makeNullConst(attribute->atttypid, -1, InvalidOid)),
											 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
					   &json->to_json);
}

static void
json_begin(LinkRowWriter *base, TupleDesc desc, const CopyFormatOptions *options)
{
	JsonWriter *writer = (JsonWriter *) base;
	LinkEscapes *escapes = &writer->escapes;

	link_byteset_init(&escapes->set, 0, 0x1F, '"', '\\', '\\');
	escapes->prefix = '\\';
	escapes->letter['\b'] = 'b';
	escapes->letter['\f'] = 'f';
	escapes->letter['\n'] = 'n';
	escapes->letter['\r'] = 'r';
	escapes->letter['\t'] = 't';
	escapes->letter['"'] = '"';
	escapes->letter['\\'] = '\\';
	link_byteset_init(&writer->line_ends, '\n', '\n', '\r', '\r', '\r');

	base->columns = link_columns(desc, escapes->set.member, NULL, true);
	writer->json = palloc0(sizeof(JsonColumn) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
		init_json_column(&base->columns[i], &writer->json[i], TupleDescAttr(desc, i), base->encoding);
}

/* ---- values ---- */

/*
 * Escapes come before the conversion, as row_to_json() has it: after it, the
 * bytes of some encodings cannot be told apart (GBK has a lone 0x80).
 */
static void
put_string(JsonWriter *writer, LinkText text)
{
	LinkOutput *out = writer->base.out;

	link_output_byte(out, '"');
	if (writer->base.transcode && !link_is_ascii(text.data, text.len))
	{
		StringInfo	escaped = link_scratch(&writer->base, true);

		link_append_escaped(escaped, text.data, text.len, &writer->escapes);
		text.data = escaped->data;
		text.len = escaped->len;
		link_text_convert(&writer->base, &text);
		link_output_bytes(out, text.data, text.len);
	}
	else
		link_put_escaped(&writer->base, &text, &writer->escapes);
	link_output_byte(out, '"');
}

/* JSON text: nothing in it needs an escape. */
static void
put_raw(JsonWriter *writer, LinkText text)
{
	LinkOutput *out = writer->base.out;

	link_text_convert(&writer->base, &text);
	while (text.len > 0)
	{
		Size		piece = Min(text.len, LINK_SHORT_TEXT);
		Size		run;

		link_output_reserve(out, piece + 1);
		run = link_copy_until(out->next, text.data, piece, &writer->line_ends);
		out->next += run;
		if (run < piece)
		{
			*out->next++ = ' ';
			run++;
		}
		text.data += run;
		text.len -= run;
	}
}

/* NaN and the infinities are no numbers in JSON; all others end in a digit. */
static void
put_number(JsonWriter *writer, LinkColumn *column, Datum value)
{
	LinkOutput *out = writer->base.out;
	LinkNumeric parts;
	char	   *start;
	char	   *end;

	if (column->encoding == LINK_ENCODE_NUMERIC)
	{
		link_numeric_parts(link_detoast(&writer->base, value), &parts);
		link_output_reserve(out, link_numeric_room(&parts) + 2);
		start = out->next;
		end = link_put_numeric(start, &parts);
	}
	else
	{
		link_output_reserve(out, LINK_SHORT_VALUE + 2);
		start = out->next;
		end = link_encode_short(start, column->encoding, value);
	}
	if (unlikely(end[-1] < '0' || end[-1] > '9'))
	{
		memmove(start + 1, start, end - start);
		*start = '"';
		end[1] = '"';
		end += 2;
	}
	out->next = end;
}

static void
put_bool(LinkOutput *out, bool value)
{
	link_output_reserve(out, 8);
	memcpy(out->next, value ? "true" : "false", 5);
	out->next += value ? 4 : 5;
}

static void
put_time(LinkOutput *out, LinkEncoding encoding, Datum value)
{
	link_output_reserve(out, LINK_SHORT_VALUE + 2);
	*out->next++ = '"';
	out->next = link_encode_time(out->next, encoding, value, USE_XSD_DATES);
	*out->next++ = '"';
}

static void
put_quoted(JsonWriter *writer, LinkColumn *column, Datum value)
{
	LinkOutput *out = writer->base.out;

	if (!link_column_is_encoded(column))
	{
		put_string(writer, link_column_text(&writer->base, column, value));
		return;
	}
	link_output_byte(out, '"');
	link_encode(&writer->base, column, value);
	link_output_byte(out, '"');
}

static void
put_value(JsonWriter *writer, LinkColumn *column, JsonKind kind, Datum value)
{
	switch (kind)
	{
		case JSON_QUOTED:
			put_quoted(writer, column, value);
			break;
		case JSON_NUMBER:
			put_number(writer, column, value);
			break;
		case JSON_BOOL:
			put_bool(writer->base.out, DatumGetBool(value));
			break;
		case JSON_TIME:
			put_time(writer->base.out, column->encoding, value);
			break;
		case JSON_RAW:
			put_raw(writer, link_column_text(&writer->base, column, value));
			break;
		case JSON_ARRAY:
		case JSON_CORE:
			elog(ERROR, "no simple value");
	}
}

static void
put_null(LinkOutput *out)
{
	link_output_bytes(out, "null", 4);
}

static void
put_array(JsonWriter *writer, LinkColumn *column, JsonKind kind, Datum value)
{
	LinkOutput *out = writer->base.out;
	MemoryContext caller = MemoryContextSwitchTo(writer->base.row_context);
	ArrayType  *array = DatumGetArrayTypeP(value);
	LinkElement *element = link_element(&writer->base, column, ARR_ELEMTYPE(array));
	LinkArrayWalk walk;

	MemoryContextSwitchTo(caller);
	writer->base.row_context_used = true;
	element->column.escapes_backslash = true;
	link_array_begin(&walk, array, element);
	if (walk.left == 0)
		link_output_bytes(out, "[]", 2);
	else
		for (int d = 0; d < walk.ndim; d++)
			link_output_byte(out, '[');
	while (walk.left > 0)
	{
		Datum		item;
		int			closed;

		if (link_array_next(&walk, &item))
			put_null(out);
		else
			put_value(writer, &element->column, kind, item);
		closed = link_array_closes(&walk);
		for (int i = 0; i < closed; i++)
			link_output_byte(out, ']');
		if (closed < walk.ndim)
			link_output_byte(out, ',');
		for (int i = 0; i < closed && closed < walk.ndim; i++)
			link_output_byte(out, '[');
	}
}

static void
put_by_core(JsonWriter *writer, JsonColumn *json, Datum value)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->base.row_context);
	text	   *result = DatumGetTextPP(FunctionCall1(&json->to_json, value));
	LinkText	text = {VARDATA_ANY(result), VARSIZE_ANY_EXHDR(result)};

	MemoryContextSwitchTo(caller);
	writer->base.row_context_used = true;
	put_raw(writer, text);
}

static void
json_row(LinkRowWriter *base, TupleTableSlot *slot)
{
	JsonWriter *writer = (JsonWriter *) base;
	LinkOutput *out = base->out;

	if (base->ncolumns == 0)
		link_output_byte(out, '{');
	for (int i = 0; i < base->ncolumns; i++)
	{
		JsonColumn *json = &writer->json[i];
		Datum		value = slot->tts_values[i];

		link_output_bytes(out, json->name, json->name_len);
		if (slot->tts_isnull[i])
			put_null(out);
		else if (json->kind == JSON_ARRAY)
			put_array(writer, &base->columns[i], json->element_kind, value);
		else if (json->kind == JSON_CORE)
			put_by_core(writer, json, value);
		else
			put_value(writer, &base->columns[i], json->kind, value);
	}
	link_output_bytes(out, "}\n", 2);
}
