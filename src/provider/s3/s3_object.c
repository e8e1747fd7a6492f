/*-------------------------------------------------------------------------
 *
 * s3_object.c
 *	  Questions about one object, and its removal.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "errors.h"
#include "provider/s3/s3.h"

char *
link_s3_unquote(const char *etag)
{
	size_t		len;

	if (etag == NULL)
		return NULL;

	/* users see it, and a header may hold any byte */
	len = strlen(etag);
	if (len >= 2 && etag[0] == '"' && etag[len - 1] == '"')
		return link_printable(etag + 1, len - 2);
	return link_printable(etag, len);
}

/* Copied into the current memory context. */
static void
describe(LinkS3Request *request, LinkObject *object)
{
	const char *length = link_http_answer_header(&request->http, "content-length");
	char	   *end;

	memset(object, 0, sizeof(*object));
	errno = 0;
	object->size = length ? strtoi64(length, &end, 10) : -1;
	if (length == NULL || errno != 0 || end == length || *end != '\0' || object->size < 0)
		link_s3_raise_protocol(request, "The answer to HEAD has no valid Content-Length.");
	object->last_modified = link_s3_date(link_http_answer_header(&request->http, "last-modified"));
	object->etag = link_s3_unquote(link_http_answer_header(&request->http, "etag"));
}

/*
 * An answer to HEAD has no body and so no reason: ask for one byte of the
 * object instead, only to learn why that is refused.  Throws the reason, except
 * that there is no object, or that the credentials do not suffice: then it
 * returns if 'known' is given.
 */
static void
refused(LinkS3Session *session, LinkS3Request *head, const char *path, const char *action, bool *known)
{
	LinkS3Request *get = link_s3_request(session, "GET", path, action);
	LinkS3Request *reason = head;

	link_s3_header(get, "range", "bytes=0-0");
	link_s3_customer_key(get);
	link_s3_start(get);
	link_http_wait(session->http, &get->http);
	if (get->http.state == LINK_HTTP_DONE && get->http.status >= 400)
		reason = get;
	if (reason == head || !link_s3_error_is(get, "NoSuchKey"))
	{
		if (known == NULL || link_s3_sqlstate(reason) != ERRCODE_LINK_NO_PRIVILEGE)
			link_s3_raise(reason);
		*known = false;
	}
	link_s3_free(get);
}

/* As link_s3_exists(); 'condition': the value of the header that keeps a removal to this version, or NULL. */
static bool
look(LinkS3Session *session, const char *path, const char *action,
	 bool *known, LinkObject *object, char **condition)
{
	const char *header = session->dialect->same_value_header;
	LinkS3Request *request = link_s3_request(session, "HEAD", path, action);
	long		status;

	link_s3_customer_key(request);
	status = link_s3_perform(request);

	if (known)
		*known = true;
	if (status == 200 && object)
		describe(request, object);
	if (status == 200 && condition)
	{
		const char *value = header ? link_http_answer_header(&request->http, header) : NULL;

		*condition = value ? pstrdup(value) : NULL;
	}
	if (status == 400 || status == 403)
		refused(session, request, path, action, known);
	else if (status != 200 && status != 404)
		link_s3_raise(request);
	link_s3_free(request);
	return status == 200;
}

bool
link_s3_exists(LinkS3Session *session, const char *path, const char *action,
			   bool *known, LinkObject *object)
{
	return look(session, path, action, known, object, NULL);
}

void
link_s3_check_absent(LinkS3Session *session, const char *path)
{
	bool		known;

	/* whoever may only write has to rely on the condition of the write itself */
	if (link_s3_exists(session, path, "write", &known, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_OBJECT_EXISTS),
				 errmsg("could not write \"%s\" through link %s: the object already exists",
						path, session->base.link_name),
				 errhint("Use another path, or overwrite.")));
}

bool
link_s3_stat(LinkSession *session, const char *path, LinkObject *object)
{
	link_s3_check_path((LinkS3Session *) session, path);
	return link_s3_exists((LinkS3Session *) session, path, "look up", NULL, object);
}

/* The answer to DELETE; on condition that the object is still the same where the server knows that. */
static LinkS3Request *
perform_delete(LinkS3Session *s3, const char *path, const char *condition)
{
	LinkS3Request *request = link_s3_request(s3, "DELETE", path, "remove");

	if (condition)
		link_s3_header(request, s3->dialect->same_header, condition);
	if (link_s3_perform(request) == 501 && condition)
	{
		link_s3_free(request);
		return perform_delete(s3, path, NULL);
	}
	return request;
}

/*
 * S3 says yes to the removal of what is not there, so ask before.  That also tells
 * which version is there; servers that ignore the condition leave a moment in which
 * somebody may replace it.
 */
bool
link_s3_remove(LinkSession *session, const char *path, const char *version)
{
	LinkS3Session *s3 = (LinkS3Session *) session;
	LinkObject	object = {0};
	char	   *condition = NULL;
	LinkS3Request *request;
	bool		known = true;
	bool		there;
	bool		gone;

	link_s3_check_path(s3, path);
	if (version == NULL)
		there = link_s3_exists(s3, path, "remove", &known, NULL);
	else
		there = look(s3, path, "remove", NULL, &object, &condition) &&
			object.etag && strcmp(object.etag, version) == 0;
	if (!there && version)
		return false;
	if (!there && known)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_OBJECT),
				 errmsg("could not remove \"%s\" through link %s: the object does not exist",
						path, session->link_name)));

	request = perform_delete(s3, path, condition);
	gone = version && (request->http.status == 404 || request->http.status == 412);
	if (request->http.status / 100 != 2 && !gone)
		link_s3_raise(request);
	link_s3_free(request);
	return !gone;
}
