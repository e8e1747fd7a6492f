/*-------------------------------------------------------------------------
 *
 * s3_xml.h
 *	  The XML of S3's answers, read element by element.
 *
 * No DTD, no entities of the document's own, no network, bounded depth
 * (SECURITY 25).  Answers are UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_S3_XML_H
#define LINK_S3_XML_H

#include "postgres.h"

#include "lib/stringinfo.h"

typedef struct LinkS3Xml LinkS3Xml;

typedef enum LinkS3XmlEvent
{
	LINK_S3_XML_ELEMENT,		/* an element has ended: see path and text */
	LINK_S3_XML_END,			/* so has the document */
	LINK_S3_XML_MALFORMED
} LinkS3XmlEvent;

/* 'text' must stay until the document is closed, by the memory context at the latest. */
extern LinkS3Xml *link_s3_xml_open(const char *text, Size length);
extern LinkS3XmlEvent link_s3_xml_next(LinkS3Xml *xml);
extern void link_s3_xml_close(LinkS3Xml *xml);

/*
 * Of the element that has just ended: the names from the root to it, without
 * namespaces, joined by '/'; and its text, meaningful if it holds no elements.
 * Both until the next call.
 */
extern const char *link_s3_xml_path(const LinkS3Xml *xml);
extern const char *link_s3_xml_text(const LinkS3Xml *xml);

/* Append a text as the content of an element. */
extern void link_s3_xml_escape(StringInfo out, const char *text);

#endif							/* LINK_S3_XML_H */
