/*-------------------------------------------------------------------------
 *
 * s3_reap.c
 *	  Having the server forget an upload: at once, when the session that made it
 *	  aborts, or later, when its owner was killed.
 *
 * To abort an upload by its id is safe at any time: if it is complete or gone, it
 * is NoSuchUpload, and the object stays.
 *
 * An owner that was killed between its record and the server's answer leaves no
 * id.  Then the server is asked which uploads of exactly that key there are, and
 * one is aborted only if nobody else can have made it: it is the only one that
 * began in the time in which ours can have begun, and no record of this server
 * claims it.  The server's time of the beginning is by its own clock, which the
 * Date of its answer tells.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "bounds.h"
#include "errors.h"
#include "provider/s3/s3.h"
#include "provider/s3/s3_xml.h"

/*
 * ms by which the clocks may have moved against each other between the upload
 * and now; more of it if the answer does not tell the server's time, as far as
 * S3 takes a signature from another time than its own (RequestTimeTooSkewed).
 */
#define CLOCK_DRIFT (60 * 1000)
#define CLOCK_UNKNOWN (15 * 60 * 1000)

/* As many as S3 gives at once. */
#define MAX_UPLOADS "1000"

#define NO_ANSWER "the server gave no answer"

/* ms from now on; at least 1 */
static int
time_left(TimestampTz until)
{
	TimestampTz now = GetCurrentTimestamp();

	return now >= until ? 1 : (int) ((until - now) / 1000) + 1;
}

/*
 * One attempt to abort; 'stoppable' as in http.h.  The detail, if there is one, is
 * in the current memory context.  Does not throw.
 */
static LinkReapOutcome
abort_once(LinkS3Session *s3, const char *path, const char *upload_id, int timeout,
		   bool stoppable, const char **detail)
{
	LinkS3Request *request = link_s3_request(s3, "DELETE", path, "abort");
	LinkReapOutcome outcome = LINK_REAP_FAILED;
	bool		aborting = s3->aborting;

	/* no token is fetched in here */
	s3->aborting = true;

	/* without an id it would be the removal of the object */
	Assert(upload_id[0] != '\0');

	/* reading an answer checks for interrupts */
	HOLD_INTERRUPTS();
	link_s3_query(request, "uploadId", upload_id);
	link_s3_compose(request);
	if (!link_http_attempt_once(s3->http, &request->http, timeout, stoppable))
		*detail = NO_ANSWER;
	else if (request->http.status / 100 == 2)
		outcome = LINK_REAP_ABORTED;
	else if (link_s3_error_is(request, "NoSuchUpload") || link_s3_error_is(request, "NoSuchBucket"))
		outcome = LINK_REAP_NOTHING;
	else
		*detail = link_s3_answer_text(request);
	link_s3_free(request);
	RESUME_INTERRUPTS();
	s3->aborting = aborting;
	return outcome;
}

/*
 * All aborts of a session share LINK_ABORT_TIMEOUT: a session ends with the
 * statement that has failed.
 */
bool
link_s3_abort_upload(LinkS3Session *s3, const char *path, const char *upload_id)
{
	TimestampTz now = GetCurrentTimestamp();
	const char *detail;

	if (s3->dialect->upload_id)
		return true;			/* what is never put together goes away by itself */
	if (s3->abort_until == 0)
		s3->abort_until = TimestampTzPlusMilliseconds(now, LINK_ABORT_TIMEOUT);
	if (now >= s3->abort_until)
		return false;
	return abort_once(s3, path, upload_id, time_left(s3->abort_until), false, &detail) != LINK_REAP_FAILED;
}

/*
 * Uploads without an id.
 */

typedef struct Upload
{
	char	   *key;			/* maybe encoded */
	char	   *id;
	TimestampTz initiated;		/* DT_NOBEGIN: not told */
} Upload;

/* False if the answer is no list of uploads, or only a part of it. */
static bool
read_uploads(LinkS3Request *request, List **uploads)
{
	LinkS3Xml  *xml = link_s3_xml_open(request->http.answer.data, request->http.answer.len);
	Upload	   *upload = palloc0(sizeof(Upload));
	bool		is_list = false;
	bool		encoded = false;
	bool		truncated = false;
	LinkS3XmlEvent event;
	ListCell   *cell;

	upload->initiated = DT_NOBEGIN;
	while ((event = link_s3_xml_next(xml)) == LINK_S3_XML_ELEMENT)
	{
		const char *path = link_s3_xml_path(xml);
		const char *text = link_s3_xml_text(xml);

		if (strcmp(path, "ListMultipartUploadsResult") == 0)
			is_list = true;
		else if (strcmp(path, "ListMultipartUploadsResult/EncodingType") == 0)
			encoded = strcmp(text, "url") == 0;
		else if (strcmp(path, "ListMultipartUploadsResult/IsTruncated") == 0)
			truncated = strcmp(text, "true") == 0;
		else if (strcmp(path, "ListMultipartUploadsResult/Upload/Key") == 0)
			upload->key = pstrdup(text);
		else if (strcmp(path, "ListMultipartUploadsResult/Upload/UploadId") == 0)
			upload->id = pstrdup(text);
		else if (strcmp(path, "ListMultipartUploadsResult/Upload/Initiated") == 0)
			upload->initiated = link_s3_time(text);
		else if (strcmp(path, "ListMultipartUploadsResult/Upload") == 0)
		{
			if (upload->key == NULL || upload->id == NULL || upload->id[0] == '\0')
				return false;
			*uploads = lappend(*uploads, upload);
			upload = palloc0(sizeof(Upload));
			upload->initiated = DT_NOBEGIN;
		}
	}
	link_s3_xml_close(xml);
	if (event != LINK_S3_XML_END || !is_list || truncated)
		return false;

	if (encoded)
		foreach(cell, *uploads)
		{
			bool		has_nul;

			if (!link_s3_decode_key(((Upload *) lfirst(cell))->key, &has_nul))
				return false;
			if (has_nul)
				*uploads = foreach_delete_current(*uploads, cell);
		}
	return true;
}

/* Microseconds by which the server's clock is ahead of ours; false if it does not tell. */
static bool
clock_ahead(LinkS3Request *request, int64 *ahead)
{
	TimestampTz now = link_s3_date(link_http_answer_header(&request->http, "date"));

	if (TIMESTAMP_NOT_FINITE(now))
		return false;
	*ahead = now - GetCurrentTimestamp();
	return true;
}

static bool
is_known(List *ids, const char *id)
{
	ListCell   *cell;

	foreach(cell, ids)
		if (strcmp(lfirst(cell), id) == 0)
			return true;
	return false;
}

/*
 * The id of the upload that can only be this one, in *upload_id; NULL if there
 * is none such, and then what follows from that.
 */
static LinkReapOutcome
choose_upload(LinkS3Request *request, LinkReap *reap, const char *key, List *uploads,
			  char **upload_id)
{
	int64		ahead = 0;
	int64		drift = clock_ahead(request, &ahead) ? CLOCK_DRIFT : CLOCK_UNKNOWN;
	TimestampTz from = reap->started + ahead - drift * 1000;
	TimestampTz to = reap->latest + ahead + drift * 1000;
	int			strangers = 0;	/* of the same key, claimed by nobody */
	int			plausible = 0;	/* those of them that began in time */
	ListCell   *cell;

	*upload_id = NULL;
	reap->look(reap);
	foreach(cell, uploads)
	{
		Upload	   *upload = lfirst(cell);

		if (strcmp(upload->key, key) != 0 || is_known(reap->others, upload->id))
			continue;
		strangers++;
		if (upload->initiated < from || upload->initiated > to)
			continue;
		plausible++;
		*upload_id = upload->id;
	}

	if (plausible == 1 && !reap->rivals)
		return LINK_REAP_ABORTED;
	*upload_id = NULL;
	if (strangers > 0)
	{
		reap->detail = plausible == 0 ? "uploads of this object were begun, but at other times" :
			plausible == 1 ? "the only upload may be that of a session that is about to begin" :
			psprintf("%d uploads of this object were begun at that time", plausible);
		return LINK_REAP_IN_DOUBT;
	}

	/* what was sent just before the end may still be on its way */
	if (GetCurrentTimestamp() + ahead <= to)
	{
		reap->detail = "its upload may still be about to begin";
		return LINK_REAP_IN_DOUBT;
	}
	return LINK_REAP_NOTHING;
}

static LinkReapOutcome
find_upload(LinkS3Session *s3, LinkReap *reap, TimestampTz until, char **upload_id)
{
	const char *key = strchr(reap->path, '/') + 1;
	LinkS3Request *request = link_s3_request(s3, "GET", pnstrdup(reap->path, key - 1 - reap->path),
											 "list uploads of");
	LinkReapOutcome outcome = LINK_REAP_FAILED;
	List	   *uploads = NIL;

	*upload_id = NULL;
	request->http.answer_limit = LINK_MAX_LIST_PAGE;
	link_s3_query(request, "uploads", "");
	link_s3_query(request, "prefix", key);
	link_s3_query(request, "max-uploads", MAX_UPLOADS);
	link_s3_query(request, "encoding-type", "url");
	link_s3_compose(request);
	if (!link_http_attempt_once(s3->http, &request->http, time_left(until), true))
		reap->detail = NO_ANSWER;
	else if (link_s3_error_is(request, "NoSuchBucket"))
		outcome = LINK_REAP_NOTHING;
	else if (request->http.status != 200)
		reap->detail = link_s3_answer_text(request);
	else if (!read_uploads(request, &uploads))
		reap->detail = "the server gives no whole list of uploads";
	else
		outcome = choose_upload(request, reap, key, uploads, upload_id);
	link_s3_free(request);
	return outcome;
}

LinkReapOutcome
link_s3_reap(LinkSession *session, LinkReap *reap)
{
	LinkS3Session *s3 = (LinkS3Session *) session;
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), reap->timeout);
	const char *upload_id = reap->upload;
	LinkS3Credentials unused = {0};

	link_s3_check_path(s3, reap->path);

	/* have them before no token can be fetched any more */
	s3->dialect->credentials(s3, &unused);
	if (upload_id == NULL)
	{
		char	   *found;
		LinkReapOutcome outcome = find_upload(s3, reap, until, &found);

		if (found == NULL)
			return outcome;
		upload_id = found;
	}
	return abort_once(s3, reap->path, upload_id, time_left(until), true, &reap->detail);
}
