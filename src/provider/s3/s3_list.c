/*-------------------------------------------------------------------------
 *
 * s3_list.c
 *	  Listing a bucket, page by page (ListObjectsV2).
 *
 * Keys come percent-encoded, since XML cannot hold all that a key may.
 *
 * The next page is asked for by the last key of this one (start-after), not by
 * the server's token, which radosgw percent-encodes too but takes back decoded.
 * Only a page without keys (of a bucket full of deleted versions) leaves the
 * token.  Keys that do not ascend end the listing, and so do LINK_MAX_EMPTY_PAGES
 * pages in a row without keys.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "bounds.h"
#include "errors.h"
#include "provider/s3/s3.h"
#include "provider/s3/s3_xml.h"

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
link_s3_decode_key(char *key, bool *has_nul)
{
	char	   *out = key;

	*has_nul = false;
	for (; *key != '\0'; key++)
	{
		if (*key == '%')
		{
			int			high = hex_value(key[1]);
			int			low = high < 0 ? -1 : hex_value(key[2]);

			if (low < 0)
				return false;
			if (high == 0 && low == 0)
				*has_nul = true;
			*out++ = (char) (high << 4 | low);
			key += 2;
		}
		else
			*out++ = *key == '+' ? ' ' : *key;
	}
	*out = '\0';
	return true;
}

TimestampTz
link_s3_time(const char *text)
{
	struct pg_tm tm = {0};
	int			utc = 0;
	Timestamp	result;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
			   &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6 ||
		tm.tm_mon < 1 || tm.tm_mon > MONTHS_PER_YEAR ||
		tm.tm_mday < 1 || tm.tm_mday > day_tab[isleap(tm.tm_year)][tm.tm_mon - 1] ||
		tm.tm_hour < 0 || tm.tm_hour >= HOURS_PER_DAY ||
		tm.tm_min < 0 || tm.tm_min >= MINS_PER_HOUR ||
		tm.tm_sec < 0 || tm.tm_sec > SECS_PER_MINUTE ||
		tm2timestamp(&tm, 0, &utc, &result) != 0)
		return DT_NOBEGIN;
	return result;
}

TimestampTz
link_s3_date(const char *text)
{
	time_t		time = text ? curl_getdate(text, NULL) : -1;

	return time < 0 || time > LINK_MAX_SECONDS ? DT_NOBEGIN : time_t_to_timestamptz(time);
}

int64
link_s3_size(const char *text)
{
	char	   *end;
	int64		size;

	errno = 0;
	size = strtoi64(text, &end, 10);
	return errno != 0 || end == text || *end != '\0' ? -1 : size;
}

static void
read_page(LinkS3Request *request, LinkS3Page *page)
{
	LinkS3Xml  *xml = link_s3_xml_open(request->http.answer.data, request->http.answer.len);
	LinkObject *object = palloc0(sizeof(LinkObject));
	bool		is_listing = false;
	bool		encoded = false;
	LinkS3XmlEvent event;
	ListCell   *cell;

	memset(page, 0, sizeof(*page));
	object->size = -1;
	object->last_modified = DT_NOBEGIN;
	while ((event = link_s3_xml_next(xml)) == LINK_S3_XML_ELEMENT)
	{
		const char *path = link_s3_xml_path(xml);
		const char *text = link_s3_xml_text(xml);

		if (strncmp(path, "ListBucketResult", strlen("ListBucketResult")) != 0)
			break;
		path += strlen("ListBucketResult");

		if (*path == '\0')
			is_listing = true;
		else if (strcmp(path, "/Contents/Key") == 0)
			object->path = pstrdup(text);
		else if (strcmp(path, "/Contents/Size") == 0)
			object->size = link_s3_size(text);
		else if (strcmp(path, "/Contents/LastModified") == 0)
			object->last_modified = link_s3_time(text);
		else if (strcmp(path, "/Contents/ETag") == 0)
			object->etag = link_s3_unquote(text);
		else if (strcmp(path, "/Contents") == 0)
		{
			if (object->path == NULL || object->size < 0)
				link_s3_raise_protocol(request, "An object of the listing has no key or no size.");
			page->objects = lappend(page->objects, object);
			object = palloc0(sizeof(LinkObject));
			object->size = -1;
			object->last_modified = DT_NOBEGIN;
		}
		else if (strcmp(path, "/EncodingType") == 0)
			encoded = strcmp(text, "url") == 0;
		else if (strcmp(path, "/IsTruncated") == 0)
			page->truncated = strcmp(text, "true") == 0;
		else if (strcmp(path, "/NextContinuationToken") == 0)
			page->token = pstrdup(text);
	}
	if (event != LINK_S3_XML_END || !is_listing)
		link_s3_raise_protocol(request, "The listing is not well-formed.");
	link_s3_xml_close(xml);

	if (!encoded)
		return;
	foreach(cell, page->objects)
	{
		bool		has_nul;

		if (!link_s3_decode_key(((LinkObject *) lfirst(cell))->path, &has_nul))
			link_s3_raise_protocol(request, "A key of the listing is not encoded as a URL.");

		/* no path of ours can name it, and cut short it would name another object */
		if (has_nul)
			page->objects = foreach_delete_current(page->objects, cell);
	}
}

void
link_s3_list(LinkSession *session, const char *prefix, const char *after, LinkObjectCallback callback, void *arg)
{
	LinkS3Session *s3 = (LinkS3Session *) session;
	const char *slash = strchr(prefix, '/');
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;		/* of one page */
	StringInfoData last;		/* key, of this or an earlier listing; empty before the first */
	StringInfoData token;		/* empty: go on after 'last' */
	char	   *bucket;
	int			empty_pages = 0;	/* in a row */
	bool		more = true;

	if (slash == NULL || slash == prefix)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"%s\" does not name a bucket to list", prefix),
				 errhint("Paths of %s links have the form %s; a listing begins with \"bucket/\".",
						 session->provider->type, session->provider->path_syntax)));
	bucket = pnstrdup(prefix, slash - prefix);
	initStringInfo(&last);
	if (after)
	{
		/* of the same bucket, as what is behind it is */
		Assert(strncmp(after, prefix, slash + 1 - prefix) == 0);
		appendStringInfoString(&last, after + (slash + 1 - prefix));
	}
	initStringInfo(&token);
	context = AllocSetContextCreate(caller, "link S3 listing", ALLOCSET_DEFAULT_SIZES);

	while (more)
	{
		LinkS3Request *request;
		LinkS3Page	page;
		ListCell   *cell;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(context);
		MemoryContextSwitchTo(context);

		request = link_s3_request(s3, "GET", bucket, "list");
		request->http.what = psprintf("could not list \"%s\"", prefix);
		request->http.answer_limit = LINK_MAX_LIST_PAGE;
		if (s3->dialect->list_query)
			s3->dialect->list_query(request, slash + 1, token.len > 0 ? token.data : NULL);
		else
		{
			link_s3_query(request, "list-type", "2");
			link_s3_query(request, "encoding-type", "url");
			link_s3_query(request, "prefix", slash + 1);
			if (token.len > 0)
				link_s3_query(request, "continuation-token", token.data);
			else if (last.len > 0)
				link_s3_query(request, "start-after", last.data);
		}
		if (link_s3_perform(request) != 200)
			link_s3_raise(request);
		if (s3->dialect->read_page)
			s3->dialect->read_page(request, &page);
		else
			read_page(request, &page);
		more = page.truncated;
		if (page.objects != NIL)
			empty_pages = 0;

		if (more && (page.objects == NIL || s3->dialect->list_query))
		{
			if (page.token == NULL || strcmp(token.data, page.token) == 0 ||
				strlen(page.token) > LINK_MAX_TOKEN ||
				(page.objects == NIL && ++empty_pages > LINK_MAX_EMPTY_PAGES))
				link_s3_raise_protocol(request, "The listing does not go on.");
			resetStringInfo(&token);
			appendStringInfoString(&token, page.token);
		}
		else
			resetStringInfo(&token);

		foreach(cell, page.objects)
		{
			LinkObject *object = lfirst(cell);
			bool		wanted;

			/* what the server names is not repeated in errors: it could be a secret */
			if (strncmp(object->path, slash + 1, strlen(slash + 1)) != 0)
				link_s3_raise_protocol(request, "The listing has a key outside of what was asked for.");
			if (strlen(object->path) > LINK_MAX_TOKEN)
				link_s3_raise_protocol(request, "A key of the listing is too long.");
			if (strcmp(last.data, object->path) >= 0)
				link_s3_raise_protocol(request, "The keys of the listing do not ascend.");
			resetStringInfo(&last);
			appendStringInfoString(&last, object->path);
			object->path = psprintf("%s/%s", bucket, last.data);

			MemoryContextSwitchTo(caller);
			wanted = callback(object, arg);
			MemoryContextSwitchTo(context);
			if (!wanted)
			{
				more = false;
				break;
			}
		}
		link_s3_free(request);
	}

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}
