/*-------------------------------------------------------------------------
 *
 * s3_xml.c
 *	  The XML of S3's answers, read element by element, with libxml2's reader.
 *
 * The reader calls nothing of ours, so what we do between its steps may throw;
 * it belongs to a memory context that frees it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <libxml/xmlreader.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "errors.h"
#include "provider/s3/s3_xml.h"

/* The deepest element of a listing is the fourth. */
#define MAX_DEPTH 8

/*
 * Bytes from one '<' to the next, so that no tag is longer.  libxml2 (2.9)
 * compares all attributes of an element with each other, and begins anew with a
 * tag at each 512 bytes of it: a tag of a megabyte takes minutes, in which
 * nothing can be cancelled.  The longest text that real servers send is a signed
 * request in hexadecimal, 12 kB.
 */
#define MAX_RUN (32 * 1024)

#if LIBXML_VERSION >= 21200
#define ERROR_ARGUMENT const xmlError *
#else
#define ERROR_ARGUMENT xmlErrorPtr
#endif

struct LinkS3Xml
{
	MemoryContext context;
	MemoryContextCallback callback;
	xmlTextReaderPtr reader;
	StringInfoData path;
	StringInfoData text;
	int			parents[MAX_DEPTH]; /* length of the path of what encloses an element */
	int			depth;
	bool		ended;			/* the last event was the end of the innermost element */
};

static void
release(void *arg)
{
	LinkS3Xml  *xml = arg;

	if (xml->reader)
		xmlFreeTextReader(xml->reader);
	xml->reader = NULL;
}

/* What is wrong is told by what the reader returns; by itself it would print it. */
static void
ignore_error(void *arg, ERROR_ARGUMENT error)
{
}

static bool
has_long_run(const char *text, Size length)
{
	const char *end = text + length;

	while (text < end)
	{
		const char *next = memchr(text, '<', end - text);

		if (next == NULL)
			next = end;
		if (next - text > MAX_RUN)
			return true;
		text = next + 1;
	}
	return false;
}

LinkS3Xml *
link_s3_xml_open(const char *text, Size length)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link S3 XML",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkS3Xml  *xml = palloc0(sizeof(LinkS3Xml));

	xml->context = context;
	initStringInfo(&xml->path);
	initStringInfo(&xml->text);
	xml->callback.func = release;
	xml->callback.arg = xml;
	MemoryContextRegisterResetCallback(context, &xml->callback);
	MemoryContextSwitchTo(caller);

	/* S3 keeps a connection alive with blanks before an answer that takes long */
	while (length > 0 && strchr(" \t\r\n", *text) != NULL && *text != '\0')
	{
		text++;
		length--;
	}

	/* the text is taken as UTF-8 whatever it declares, so this is the only spelling */
	if (length == 0 || length > INT_MAX ||
		memmem(text, length, "<!DOCTYPE", strlen("<!DOCTYPE")) != NULL ||
		has_long_run(text, length))
		return xml;

	xml->reader = xmlReaderForMemory(text, (int) length, NULL, "UTF-8",
									 XML_PARSE_NONET | XML_PARSE_IGNORE_ENC |
									 XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (xml->reader == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Could not start to read an XML document.")));
	xmlTextReaderSetStructuredErrorHandler(xml->reader, ignore_error, NULL);
	return xml;
}

void
link_s3_xml_close(LinkS3Xml *xml)
{
	MemoryContextDelete(xml->context);
}

LinkS3XmlEvent
link_s3_xml_next(LinkS3Xml *xml)
{
	if (xml->reader == NULL)
		return LINK_S3_XML_MALFORMED;

	for (;;)
	{
		const char *name;
		int			result;

		CHECK_FOR_INTERRUPTS();
		if (xml->ended)
		{
			xml->depth--;
			xml->path.len = xml->parents[xml->depth];
			xml->path.data[xml->path.len] = '\0';
			resetStringInfo(&xml->text);
			xml->ended = false;
		}

		result = xmlTextReaderRead(xml->reader);
		if (result == 0)
			return xml->depth == 0 ? LINK_S3_XML_END : LINK_S3_XML_MALFORMED;
		if (result < 0)
			return LINK_S3_XML_MALFORMED;

		switch (xmlTextReaderNodeType(xml->reader))
		{
			case XML_READER_TYPE_ELEMENT:
				if (xml->depth == MAX_DEPTH)
					return LINK_S3_XML_MALFORMED;
				name = (const char *) xmlTextReaderConstLocalName(xml->reader);
				xml->parents[xml->depth++] = xml->path.len;
				appendStringInfo(&xml->path, "%s%s", xml->path.len > 0 ? "/" : "", name);
				resetStringInfo(&xml->text);
				if (xmlTextReaderIsEmptyElement(xml->reader) == 1)
				{
					xml->ended = true;
					return LINK_S3_XML_ELEMENT;
				}
				break;

			case XML_READER_TYPE_END_ELEMENT:
				xml->ended = true;
				return LINK_S3_XML_ELEMENT;

			case XML_READER_TYPE_TEXT:
			case XML_READER_TYPE_CDATA:
			case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
				appendStringInfoString(&xml->text,
									   (const char *) xmlTextReaderConstValue(xml->reader));
				break;

			case XML_READER_TYPE_DOCUMENT_TYPE:
			case XML_READER_TYPE_ENTITY_REFERENCE:
				return LINK_S3_XML_MALFORMED;

			default:
				break;			/* comments, processing instructions */
		}
	}
}

const char *
link_s3_xml_path(const LinkS3Xml *xml)
{
	return xml->path.data;
}

const char *
link_s3_xml_text(const LinkS3Xml *xml)
{
	return xml->text.data;
}

void
link_s3_xml_escape(StringInfo out, const char *text)
{
	for (; *text != '\0'; text++)
	{
		switch (*text)
		{
			case '&':
				appendStringInfoString(out, "&amp;");
				break;
			case '<':
				appendStringInfoString(out, "&lt;");
				break;
			case '>':
				appendStringInfoString(out, "&gt;");
				break;
			default:
				appendStringInfoChar(out, *text);
		}
	}
}
