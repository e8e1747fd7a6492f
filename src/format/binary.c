/*-------------------------------------------------------------------------
 *
 * binary.c
 *	  COPY's binary format: what the types' send functions make of the values.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "format/encode_internal.h"

/* How a type's values are sent; what is not listed goes to its send function. */
typedef enum Sending
{
	SEND_FUNCTION,
	SEND_1,						/* that many bytes, by value */
	SEND_2,
	SEND_4,
	SEND_8,
	SEND_UUID,
	SEND_BYTES,					/* a varlena as it is */
	SEND_TEXT,					/* the same, in the client's encoding */
	SEND_NUMERIC
} Sending;

static const struct
{
	Oid			function;
	Sending		sending;
}			sendings[] = {
	{F_BOOLSEND, SEND_1},
	{F_INT2SEND, SEND_2},
	{F_INT4SEND, SEND_4},
	{F_OIDSEND, SEND_4},
	{F_FLOAT4SEND, SEND_4},
	{F_DATE_SEND, SEND_4},
	{F_INT8SEND, SEND_8},
	{F_FLOAT8SEND, SEND_8},
	{F_TIME_SEND, SEND_8},
	{F_TIMESTAMP_SEND, SEND_8},
	{F_TIMESTAMPTZ_SEND, SEND_8},
	{F_UUID_SEND, SEND_UUID},
	{F_BYTEASEND, SEND_BYTES},
	{F_TEXTSEND, SEND_TEXT},
	{F_VARCHARSEND, SEND_TEXT},
	{F_BPCHARSEND, SEND_TEXT},
	{F_JSON_SEND, SEND_TEXT},
	{F_NUMERIC_SEND, SEND_NUMERIC},
};

typedef struct BinaryColumn
{
	Sending		sending;
	FmgrInfo	function;
} BinaryColumn;

typedef struct BinaryWriter
{
	LinkRowWriter base;
	BinaryColumn *binary;
} BinaryWriter;

static void binary_begin(LinkRowWriter *writer, TupleDesc desc, const CopyFormatOptions *options);
static void binary_row(LinkRowWriter *writer, TupleTableSlot *slot);
static void binary_end(LinkRowWriter *writer);

const LinkFormatOps link_format_binary = {
	.writer_size = sizeof(BinaryWriter),
	.calls = LINK_CALLS_SEND,
	.begin = binary_begin,
	.row = binary_row,
	.end = binary_end,
	.has_frame = true,
};

static inline void
put_2(LinkOutput *out, uint16 value)
{
	value = pg_hton16(value);
	link_output_reserve(out, sizeof(value));
	memcpy(out->next, &value, sizeof(value));
	out->next += sizeof(value);
}

static inline void
put_4(LinkOutput *out, uint32 value)
{
	value = pg_hton32(value);
	link_output_reserve(out, sizeof(value));
	memcpy(out->next, &value, sizeof(value));
	out->next += sizeof(value);
}

static inline void
put_8(LinkOutput *out, uint64 value)
{
	value = pg_hton64(value);
	link_output_reserve(out, sizeof(value));
	memcpy(out->next, &value, sizeof(value));
	out->next += sizeof(value);
}

static void
binary_begin(LinkRowWriter *base, TupleDesc desc, const CopyFormatOptions *options)
{
	BinaryWriter *writer = (BinaryWriter *) base;

	writer->binary = palloc0(sizeof(BinaryColumn) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		BinaryColumn *column = &writer->binary[i];
		Oid			function;
		bool		is_varlena;

		getTypeBinaryOutputInfo(TupleDescAttr(desc, i)->atttypid, &function, &is_varlena);
		fmgr_info(function, &column->function);
		for (int s = 0; s < lengthof(sendings); s++)
			if (sendings[s].function == function)
				column->sending = sendings[s].sending;
	}

	/* Signature with its final NUL, flags, length of the header's extension. */
	link_output_bytes(base->out, "PGCOPY\n\377\r\n", 11);
	put_4(base->out, 0);
	put_4(base->out, 0);
}

static void
put_bytes(LinkOutput *out, const char *data, Size len)
{
	put_4(out, len);
	link_output_bytes(out, data, len);
}

static void
put_numeric(LinkOutput *out, const struct varlena *data)
{
	LinkNumeric parts;
	uint16		digit;

	link_numeric_parts(data, &parts);
	put_4(out, 4 * sizeof(uint16) + (parts.special ? 0 : parts.ndigits * sizeof(uint16)));
	if (parts.special)
	{
		/*
		 * No digits, no weight, the stored header as the sign; numeric_send()
		 * takes one of an infinity's bits for a scale of 32.
		 */
		put_2(out, 0);
		put_2(out, 0);
		put_2(out, *parts.special == 'N' ? 0xC000 : *parts.special == 'I' ? 0xD000 : 0xF000);
		put_2(out, *parts.special == 'N' ? 0 : 32);
		return;
	}
	put_2(out, parts.ndigits);
	put_2(out, parts.weight);
	put_2(out, parts.negative ? 0x4000 : 0);
	put_2(out, parts.scale);
	for (int d = 0; d < parts.ndigits; d++)
	{
		memcpy(&digit, parts.digits + d * sizeof(uint16), sizeof(uint16));
		put_2(out, digit);
	}
}

static void
put_by_function(BinaryWriter *writer, BinaryColumn *column, Datum value)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->base.row_context);
	bytea	   *result = SendFunctionCall(&column->function, value);

	MemoryContextSwitchTo(caller);
	writer->base.row_context_used = true;
	put_bytes(writer->base.out, VARDATA(result), VARSIZE(result) - VARHDRSZ);
}

/* As pg_server_to_client() decides, which the send functions of texts call. */
static bool
texts_are_sent_as_they_are(void)
{
	int			client = pg_get_client_encoding();

	return client == GetDatabaseEncoding() || client == PG_SQL_ASCII;
}

static void
put_value(BinaryWriter *writer, BinaryColumn *column, Datum value, bool convert)
{
	LinkOutput *out = writer->base.out;
	struct varlena *data;

	switch (column->sending)
	{
		case SEND_1:
			put_4(out, 1);
			link_output_byte(out, DatumGetBool(value) ? 1 : 0);
			return;
		case SEND_2:
			put_4(out, 2);
			put_2(out, DatumGetInt16(value));
			return;
		case SEND_4:
			put_4(out, 4);
			put_4(out, DatumGetUInt32(value));
			return;
		case SEND_8:
			put_4(out, 8);
			put_8(out, DatumGetInt64(value));
			return;
		case SEND_UUID:
			put_bytes(out, (char *) DatumGetUUIDP(value), UUID_LEN);
			return;
		case SEND_TEXT:
			if (convert)
				break;
			/* FALLTHROUGH */
		case SEND_BYTES:
			data = link_detoast(&writer->base, value);
			put_bytes(out, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
			return;
		case SEND_NUMERIC:
			put_numeric(out, link_detoast(&writer->base, value));
			return;
		case SEND_FUNCTION:
			break;
	}
	put_by_function(writer, column, value);
}

static void
binary_row(LinkRowWriter *base, TupleTableSlot *slot)
{
	BinaryWriter *writer = (BinaryWriter *) base;
	bool		convert = !texts_are_sent_as_they_are();

	put_2(base->out, base->ncolumns);
	for (int i = 0; i < base->ncolumns; i++)
	{
		if (slot->tts_isnull[i])
			put_4(base->out, (uint32) -1);
		else
			put_value(writer, &writer->binary[i], slot->tts_values[i], convert);
	}
}

static void
binary_end(LinkRowWriter *base)
{
	put_2(base->out, (uint16) -1);
}
