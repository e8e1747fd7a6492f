/*-------------------------------------------------------------------------
 *
 * s3.c
 *	  Fuzz target: what a server could answer to the S3 provider.
 *
 * An input is what is done, in its first line, and the answers to the requests
 * that this makes, each behind a line "====": status, headers, an empty line, the
 * body.  There is no answer to any more requests.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/json.h"

#include "bounds.h"
#include "errors.h"
#include "provider/s3/s3.h"

#include "backend.h"

#define SEPARATOR "\n====\n"

#define SETTINGS \
	"{\"aws_access_key_id\": \"AKIA\", \"aws_secret_access_key\": \"" FUZZ_SECRET "\", " \
	"\"aws_session_token\": \"" FUZZ_SECRET "/+" FUZZ_SECRET "\"}"

typedef struct Answer
{
	long		status;
	char	   *headers;
	const char *body;			/* not ended by a zero byte */
	Size		length;
} Answer;

typedef struct Action
{
	const char *name;
	void		(*run) (LinkS3Session *session);
} Action;

static LinkOptions *options;
static const char *answers;		/* those that were not given yet */
static const char *answers_end;
static Answer answer;			/* the last that was given */

void
fuzz_setup(void)
{
	options = link_options_create(link_s3_provider.options,
								  link_json_parse("CREDENTIALS", SETTINGS, strlen(SETTINGS)), NULL);
}

/*
 * In place of the HTTP engine.
 */

void
link_http_start(LinkHttp *http, LinkHttpRequest *request)
{
	fuzz_expect(request->state == LINK_HTTP_IDLE);
	fuzz_touch(request->url);
	request->state = LINK_HTTP_RUNNING;
}

/* All before the separator; a body may hold zero bytes. */
static const char *
next_answer(Size *length)
{
	const char *from = answers;
	const char *to = memmem(from, answers_end - from, SEPARATOR, strlen(SEPARATOR));

	answers = to ? to + strlen(SEPARATOR) : answers_end;
	*length = (to ? to : answers_end) - from;
	return from;
}

void
link_http_wait(LinkHttp *http, LinkHttpRequest *request)
{
	Size		length;
	Size		header_length;
	const char *text = next_answer(&length);
	const char *body = memmem(text, length, "\n\n", 2);
	char	   *rest;

	fuzz_expect(request->state == LINK_HTTP_RUNNING);
	if (length == 0)
	{
		request->state = LINK_HTTP_FAILED;
		return;
	}
	header_length = body ? body - text : length;
	rest = pnstrdup(text, header_length);
	answer.status = strtol(fuzz_cut(&rest, "\n"), NULL, 10);
	answer.headers = rest;
	answer.length = body ? length - header_length - 2 : 0;
	answer.body = memcpy(palloc(answer.length), body ? body + 2 : text, answer.length);

	request->state = LINK_HTTP_DONE;
	request->status = answer.status;
	request->answer.data = unconstify(char *, answer.body);
	request->answer.len = (int) answer.length;
	(void) link_s3_retry_hook(request);
}

void
link_http_raise(LinkHttp *http, LinkHttpRequest *request)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_UNREACHABLE),
			 errmsg("%s: no answer", request->what)));
}

const char *
link_http_answer_header(LinkHttpRequest *request, const char *name)
{
	char	   *rest = pstrdup(answer.headers);

	if (request->state != LINK_HTTP_DONE)
		return NULL;
	while (*rest)
	{
		char	   *value = fuzz_cut(&rest, "\n");
		char	   *found = fuzz_cut(&value, ": ");

		if (strcmp(found, name) == 0)
			return value;
	}
	return NULL;
}

void
link_http_finish(LinkHttp *http, LinkHttpRequest *request)
{
}

void
link_http_poll(LinkHttp *http)
{
}

bool
link_http_attempt_once(LinkHttp *http, LinkHttpRequest *request, int timeout_ms)
{
	fuzz_expect(timeout_ms > 0);
	return false;
}

/*
 * What is done.
 */

static bool
count_object(const LinkObject *object, void *arg)
{
	StringInfo	last = arg;

	fuzz_expect(strncmp(object->path, "bucket/", 7) == 0);
	fuzz_expect(strcmp(object->path, last->data) > 0);
	fuzz_expect(object->size >= 0);
	fuzz_touch(object->etag);
	resetStringInfo(last);
	appendStringInfoString(last, object->path);
	return true;
}

static void
list(LinkS3Session *session)
{
	StringInfoData last;

	initStringInfo(&last);
	link_s3_list(&session->base, "bucket/a", count_object, &last);
}

static LinkS3Request *
get(LinkS3Session *session)
{
	LinkS3Request *request = link_s3_request(session, "GET", "bucket/key", "read");

	link_s3_perform(request);
	return request;
}

static void
fail(LinkS3Session *session)
{
	LinkS3Request *request = get(session);
	bool		is_absent = link_s3_error_is(request, "NoSuchKey");
	int			sqlstate = link_s3_sqlstate(request);

	if (is_absent && request->http.status != 412)
		fuzz_expect(sqlstate == ERRCODE_LINK_NO_OBJECT);
	link_s3_raise(request);
}

static void
look(LinkS3Session *session)
{
	LinkObject	object;

	if (link_s3_stat(&session->base, "bucket/key", &object))
	{
		fuzz_expect(object.size >= 0);
		fuzz_touch(object.etag);
	}
}

static void
remove_object(LinkS3Session *session)
{
	link_s3_remove(&session->base, "bucket/key");
}

static void
put(LinkS3Session *session)
{
	link_s3_publish(&session->base, "bucket/key", false, "Bbytes", 6);
}

static void
complete(LinkS3Session *session)
{
	static const char token[] = "Pid\n\"d41d8cd98f00b204e9800998ecf8427e\"\n";

	link_s3_publish(&session->base, "bucket/key", false, token, strlen(token));
}

/* ETags are what a server once gave, too. */
static void
complete_odd(LinkS3Session *session)
{
	static const char token[] = "Pid\n<&>\n\"\n";

	link_s3_publish(&session->base, "bucket/key", true, token, strlen(token));
}

static const Action actions[] = {
	{"list", list},
	{"fail", fail},
	{"look", look},
	{"remove", remove_object},
	{"put", put},
	{"complete", complete},
	{"complete odd", complete_odd},
};

typedef struct Run
{
	const Action *action;
	LinkS3Session *session;
} Run;

static void
run(void *arg)
{
	Run		   *r = arg;

	r->action->run(r->session);
}

void
fuzz_one(const char *data, Size size)
{
	const char *line = memchr(data, '\n', size);
	Size		length = line ? line - data : size;
	LinkS3Session session = {.base = {.link_name = "public.l",.provider = &link_s3_provider,.options = options}};
	Run			r = {NULL, &session};

	for (int i = 0; i < lengthof(actions); i++)
		if (strlen(actions[i].name) == length && memcmp(data, actions[i].name, length) == 0)
			r.action = &actions[i];
	if (r.action == NULL)
		return;

	/* the first answer has a separator before it, too */
	answers = data + length;
	answers_end = data + size;
	(void) next_answer(&length);
	memset(&answer, 0, sizeof(answer));

	session.base.context = AllocSetContextCreate(CurrentMemoryContext, "session", ALLOCSET_DEFAULT_SIZES);
	session.endpoint.tls = true;
	session.endpoint.host = "s3.example.com";
	session.endpoint.port = 443;
	session.endpoint.path = "";
	session.region = "us-east-1";
	fuzz_hide(true);
	fuzz_demand_printable();
	fuzz_try(run, &r);
}
