/*-------------------------------------------------------------------------
 *
 * encode_array.c
 *	  Arrays as text, without taking them apart: array_out's bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/tupmacs.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "format/encode_internal.h"

LinkElement *
link_element(LinkRowWriter *writer, LinkColumn *column, Oid type)
{
	LinkElement *element = column->element;
	MemoryContext caller;
	Oid			ioparam;
	Oid			function;

	Assert(element == NULL || element->column.type == type);
	if (element)
		return element;
	caller = MemoryContextSwitchTo(writer->context);
	element = palloc0(sizeof(LinkElement));
	link_column_init(&element->column, type);
	element->column.is_element = true;
	get_type_io_data(type, IOFunc_output, &element->typlen, &element->typbyval,
					 &element->typalign, &element->typdelim, &ioparam, &function);
	column->element = element;
	MemoryContextSwitchTo(caller);
	return element;
}

void
link_array_begin(LinkArrayWalk *walk, ArrayType *array, const LinkElement *element)
{
	walk->ndim = ARR_NDIM(array);
	walk->dims = ARR_DIMS(array);
	walk->left = ArrayGetNItems(walk->ndim, walk->dims);
	walk->data = ARR_DATA_PTR(array);
	walk->nulls = ARR_NULLBITMAP(array);
	walk->bit = 1;
	memset(walk->at, 0, sizeof(walk->at));
	walk->element = element;
}

bool
link_array_next(LinkArrayWalk *walk, Datum *value)
{
	const LinkElement *element = walk->element;
	bool		isnull = walk->nulls && (*walk->nulls & walk->bit) == 0;

	if (!isnull)
	{
		*value = fetch_att(walk->data, element->typbyval, element->typlen);
		walk->data = att_addlength_pointer(walk->data, element->typlen, walk->data);
		walk->data = (char *) att_align_nominal(walk->data, element->typalign);
	}
	walk->bit <<= 1;
	if (walk->bit == 1 << 8)
	{
		if (walk->nulls)
			walk->nulls++;
		walk->bit = 1;
	}
	walk->left--;
	return isnull;
}

int
link_array_closes(LinkArrayWalk *walk)
{
	int			closed = 0;

	for (int d = walk->ndim - 1; d >= 0; d--)
	{
		if (++walk->at[d] < walk->dims[d])
			break;
		walk->at[d] = 0;
		closed++;
	}
	return closed;
}

/* ---- text ---- */

/* As array_isspace, of any encoding. */
static inline bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
needs_quotes(const char *text, Size len, char delimiter)
{
	if (len == 0 || (len == 4 && pg_strncasecmp(text, "NULL", 4) == 0))
		return true;
	for (Size i = 0; i < len; i++)
	{
		char		c = text[i];

		if (c == '"' || c == '\\' || c == '{' || c == '}' || c == delimiter || is_space(c))
			return true;
	}
	return false;
}

static void
append_element(StringInfo to, const char *text, Size len, char delimiter)
{
	if (!needs_quotes(text, len, delimiter))
	{
		appendBinaryStringInfo(to, text, len);
		return;
	}
	appendStringInfoChar(to, '"');
	while (len > 0)
	{
		Size		run = 0;

		while (run < len && text[run] != '"' && text[run] != '\\')
			run++;
		appendBinaryStringInfo(to, text, run);
		if (run < len)
		{
			appendStringInfoChar(to, '\\');
			appendStringInfoChar(to, text[run++]);
		}
		text += run;
		len -= run;
	}
	appendStringInfoChar(to, '"');
}

static void
append_value(LinkRowWriter *writer, StringInfo to, LinkElement *element, Datum value)
{
	LinkColumn *column = &element->column;
	LinkText	text;

	if (column->encoding == LINK_ENCODE_NUMERIC)
	{
		LinkNumeric parts;

		link_numeric_parts(link_detoast(writer, value), &parts);
		enlargeStringInfo(to, link_numeric_room(&parts));
		to->len = link_put_numeric(to->data + to->len, &parts) - to->data;
	}
	else if (column->encoding == LINK_ENCODE_BYTEA && link_column_is_encoded(column))
	{
		struct varlena *data = link_detoast(writer, value);
		Size		len = VARSIZE_ANY_EXHDR(data);

		enlargeStringInfo(to, 2 * len + 5);
		appendBinaryStringInfo(to, "\"\\\\x", 4);
		to->len = link_put_hex(to->data + to->len, (unsigned char *) VARDATA_ANY(data), len) - to->data;
		appendStringInfoChar(to, '"');
	}
	else if (link_column_is_encoded(column))
	{
		char		short_text[LINK_SHORT_VALUE];
		char	   *end = link_encode_short(short_text, column->encoding, value);

		/* their texts have no byte that counts in an array but spaces, and the delimiter of no type */
		if (column->encoding < LINK_ENCODE_INTERVAL && element->typdelim == ',')
			appendBinaryStringInfo(to, short_text, end - short_text);
		else
			append_element(to, short_text, end - short_text, element->typdelim);
	}
	else
	{
		text = link_column_text(writer, column, value);
		append_element(to, text.data, text.len, element->typdelim);
	}
}

LinkText
link_array_text(LinkRowWriter *writer, LinkColumn *column, Datum value)
{
	StringInfo	to = link_scratch(writer, false);
	LinkText	text = {NULL};
	MemoryContext caller = MemoryContextSwitchTo(writer->row_context);
	ArrayType  *array = DatumGetArrayTypeP(value);
	LinkElement *element = link_element(writer, column, ARR_ELEMTYPE(array));
	LinkArrayWalk walk;
	bool		bounds = false;

	MemoryContextSwitchTo(caller);
	writer->row_context_used = true;
	link_array_begin(&walk, array, element);
	for (int d = 0; d < walk.ndim; d++)
		bounds |= ARR_LBOUND(array)[d] != 1;
	if (bounds && walk.left > 0)
	{
		for (int d = 0; d < walk.ndim; d++)
			appendStringInfo(to, "[%d:%d]", ARR_LBOUND(array)[d],
							 ARR_LBOUND(array)[d] + ARR_DIMS(array)[d] - 1);
		appendStringInfoChar(to, '=');
	}

	if (walk.left == 0)
		appendStringInfoString(to, "{}");
	else
		for (int d = 0; d < walk.ndim; d++)
			appendStringInfoChar(to, '{');
	while (walk.left > 0)
	{
		Datum		item;
		int			closed;

		if (link_array_next(&walk, &item))
			appendBinaryStringInfo(to, "NULL", 4);
		else
			append_value(writer, to, element, item);
		closed = link_array_closes(&walk);
		for (int i = 0; i < closed; i++)
			appendStringInfoChar(to, '}');
		if (closed < walk.ndim)
			appendStringInfoChar(to, element->typdelim);
		for (int i = 0; i < closed && closed < walk.ndim; i++)
			appendStringInfoChar(to, '{');
	}
	text.data = to->data;
	text.len = to->len;
	return text;
}
