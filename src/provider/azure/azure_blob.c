/*-------------------------------------------------------------------------
 *
 * azure_blob.c
 *	  Block blobs: how they are written and listed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/base64.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "provider/azure/azure.h"
#include "provider/s3/s3_xml.h"

#define RANDOM_BYTES 12

/* https://learn.microsoft.com/en-us/rest/api/storageservices/put-blob; a block takes no such header. */
void
link_azure_object_headers(LinkS3Request *request)
{
	link_s3_header(request, "x-ms-blob-type", "BlockBlob");
}

/*
 * Blocks of one writer are told from those of others by a random beginning.  All
 * ids of a blob have to have the same length.
 */
char *
link_azure_upload_id(void)
{
	uint8		random[RANDOM_BYTES];
	char	   *id = palloc0(RANDOM_BYTES * 2 + 1);

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	link_hex_encode(random, sizeof(random), id);
	return id;
}

static char *
block_id(const char *upload_id, int number)
{
	char	   *plain = psprintf("%s-%05d", upload_id, number);
	int			size = pg_b64_enc_len(strlen(plain)) + 1;
	char	   *id = palloc0(size);

	if (pg_b64_encode((void *) plain, (int) strlen(plain), id, size) < 0)
		elog(ERROR, "could not encode a block id");
	return id;
}

void
link_azure_part_query(LinkS3Request *request, const char *upload_id, int number)
{
	MemoryContext caller = MemoryContextSwitchTo(request->context);

	link_s3_query(request, "comp", "block");
	link_s3_query(request, "blockid", block_id(upload_id, number));
	MemoryContextSwitchTo(caller);
}

LinkS3Request *
link_azure_complete(LinkS3Session *s3, const char *path, const char *upload_id, int n_parts)
{
	LinkS3Request *request = link_s3_request(s3, "PUT", path, "write");
	MemoryContext caller = MemoryContextSwitchTo(request->context);
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
	for (int i = 1; i <= n_parts; i++)
		appendStringInfo(&body, "<Uncommitted>%s</Uncommitted>", block_id(upload_id, i));
	appendStringInfoString(&body, "</BlockList>");
	MemoryContextSwitchTo(caller);

	link_s3_query(request, "comp", "blocklist");
	link_s3_body(request, body.data, body.len, "application/xml");
	link_s3_header(request, "x-ms-blob-content-type", "application/octet-stream");
	return request;
}

/* https://learn.microsoft.com/en-us/rest/api/storageservices/list-blobs */
void
link_azure_list_query(LinkS3Request *request, const char *prefix, const char *token)
{
	link_s3_query(request, "restype", "container");
	link_s3_query(request, "comp", "list");
	if (prefix[0] != '\0')
		link_s3_query(request, "prefix", prefix);
	if (token)
		link_s3_query(request, "marker", token);
}

void
link_azure_read_page(LinkS3Request *request, LinkS3Page *page)
{
	LinkS3Xml  *xml = link_s3_xml_open(request->http.answer.data, request->http.answer.len);
	LinkObject *object = palloc0(sizeof(LinkObject));
	bool		is_listing = false;
	LinkS3XmlEvent event;

	memset(page, 0, sizeof(*page));
	object->size = -1;
	object->last_modified = DT_NOBEGIN;
	while ((event = link_s3_xml_next(xml)) == LINK_S3_XML_ELEMENT)
	{
		const char *path = link_s3_xml_path(xml);
		const char *text = link_s3_xml_text(xml);

		if (strncmp(path, "EnumerationResults", strlen("EnumerationResults")) != 0)
			break;
		path += strlen("EnumerationResults");
		if (*path == '\0')
			is_listing = true;
		else if (strcmp(path, "/NextMarker") == 0 && text[0] != '\0')
		{
			page->token = pstrdup(text);
			page->truncated = true;
		}
		else if (strcmp(path, "/Blobs/Blob/Name") == 0)
			object->path = pstrdup(text);
		else if (strcmp(path, "/Blobs/Blob/Properties/Content-Length") == 0)
			object->size = link_s3_size(text);
		else if (strcmp(path, "/Blobs/Blob/Properties/Last-Modified") == 0)
			object->last_modified = link_s3_date(text);
		else if (strcmp(path, "/Blobs/Blob/Properties/Etag") == 0)
			object->etag = link_s3_unquote(text);
		else if (strcmp(path, "/Blobs/Blob") == 0)
		{
			if (object->path == NULL || object->size < 0)
				link_s3_raise_protocol(request, "A blob of the listing has no name or no size.");
			page->objects = lappend(page->objects, object);
			object = palloc0(sizeof(LinkObject));
			object->size = -1;
			object->last_modified = DT_NOBEGIN;
		}
	}
	if (event != LINK_S3_XML_END || !is_listing)
		link_s3_raise_protocol(request, "The listing is not well-formed.");
	link_s3_xml_close(xml);
}

/* The containers of the account, or, where the link names them, the blobs of the first. */
void
link_azure_authenticate(LinkSession *session)
{
	List	   *prefixes = link_option_strings(session->options, "path_prefixes");
	char	   *container = "";
	LinkS3Request *request;

	if (prefixes != NIL)
		container = pnstrdup(linitial(prefixes), strcspn(linitial(prefixes), "/"));
	request = link_s3_request((LinkS3Session *) session, "GET", container,
							  container[0] ? "list" : "authenticate");
	request->http.probe = true;
	if (container[0])
		link_s3_query(request, "restype", "container");
	link_s3_query(request, "comp", "list");
	link_s3_query(request, "maxresults", "1");
	if (link_s3_perform(request) != 200)
		link_s3_raise(request);
	link_s3_free(request);
}
