/*-------------------------------------------------------------------------
 *
 * answers.c
 *	  A stand-in for the HTTP engine: what an input says is what servers answer.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

#include "catalog/json.h"

#include "utils/memutils.h"

#include "errors.h"

#include "backend.h"

#define SEPARATOR "\n====\n"

/* Attempts of a request whose answers ask for another one. */
#define MAX_ATTEMPTS 3

struct LinkHttp
{
	LinkHttpRetryHook hook;
};

/* In place of the engine's own. */
typedef struct Given
{
	char	   *headers;
	const char *body;			/* not ended by a zero byte */
	Size		length;
	Size		at;				/* of a stream: bytes that were read */
} Given;

static const char *answers;		/* those that were not given yet */
static const char *answers_end;

LinkHttp *
link_http_create(const LinkHttpConfig *config)
{
	return palloc0(sizeof(LinkHttp));
}

void
link_http_set_retry_hook(LinkHttp *http, LinkHttpRetryHook hook)
{
	http->hook = hook;
}

void
link_http_use_options(LinkHttp *http, const LinkOptions *options)
{
}

void
link_http_end(LinkHttp *http)
{
}

void
link_http_header(LinkHttpRequest *request, const char *name, const char *value)
{
	fuzz_touch(name);
	fuzz_expect(strpbrk(value, "\r\n") == NULL);
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

/* False if there is none. */
static bool
take_answer(LinkHttpRequest *request)
{
	Size		length;
	const char *text = next_answer(&length);
	const char *body = memmem(text, length, "\n\n", 2);
	Given	   *given = palloc0(sizeof(Given));
	char	   *rest;

	request->state = LINK_HTTP_FAILED;
	request->status = 0;
	if (length == 0)
		return false;
	rest = pnstrdup(text, body ? body - text : length);
	request->state = LINK_HTTP_DONE;
	request->status = labs(strtol(fuzz_cut(&rest, "\n"), NULL, 10)) % 1000;
	request->exchange = (struct LinkHttpExchange *) given;
	given->headers = rest;

	/* copies, so that reading on is found out; the engine ends a buffered one by a zero byte */
	given->length = body ? length - (body + 2 - text) : 0;
	rest = palloc(given->length + 1);
	memcpy(rest, body ? body + 2 : text, given->length);
	rest[given->length] = '\0';
	given->body = rest;
	request->answer.data = rest;
	request->answer.len = (int) given->length;
	return true;
}

void
link_http_start(LinkHttp *http, LinkHttpRequest *request)
{
	fuzz_expect(request->state == LINK_HTTP_IDLE);
	fuzz_touch(request->url);
	fuzz_touch(request->what);
	request->state = LINK_HTTP_RUNNING;
}

void
link_http_wait(LinkHttp *http, LinkHttpRequest *request)
{
	bool		again = true;

	fuzz_expect(request->state != LINK_HTTP_IDLE);
	if (request->state != LINK_HTTP_RUNNING)
		return;
	while (again && request->attempts < MAX_ATTEMPTS)
	{
		if (request->attempt)
			request->attempt(request, request->arg);
		fuzz_touch(request->url);
		request->attempts++;
		again = take_answer(request) && http->hook && !(request->streamed && request->status / 100 == 2) &&
			http->hook(request);
	}
}

void
link_http_wait_headers(LinkHttp *http, LinkHttpRequest *request)
{
	link_http_wait(http, request);
}

void
link_http_perform(LinkHttp *http, LinkHttpRequest *request)
{
	link_http_start(http, request);
	link_http_wait(http, request);
}

Size
link_http_read(LinkHttp *http, LinkHttpRequest *request, void *to, Size size)
{
	Given	   *given = (Given *) request->exchange;
	Size		n = Min(size, given->length - given->at);

	memcpy(to, given->body + given->at, n);
	given->at += n;
	request->received += n;
	return n;
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
	char	   *rest;

	if (request->state != LINK_HTTP_DONE)
		return NULL;
	rest = pstrdup(((Given *) request->exchange)->headers);
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
link_http_attempt_once(LinkHttp *http, LinkHttpRequest *request, int timeout_ms, bool stoppable)
{
	fuzz_expect(timeout_ms > 0);
	return take_answer(request);
}

/*
 * Uploads are on nobody's record here.
 */

void
link_upload_begin(LinkWriter *writer, const char *upload)
{
	fuzz_touch(upload);
}

void
link_upload_known(LinkWriter *writer, const char *upload)
{
	fuzz_expect(upload[0] != '\0');
}

void
link_upload_refused(LinkWriter *writer)
{
}

/*
 * What is done.
 */

bool
fuzz_listed(const LinkObject *object, void *arg)
{
	StringInfo	last = arg;

	fuzz_expect(strcmp(object->path, last->data) > 0);
	fuzz_expect(object->size >= 0);
	fuzz_expect(object->last_modified == DT_NOBEGIN || IS_VALID_TIMESTAMP(object->last_modified));
	fuzz_touch(object->etag);
	resetStringInfo(last);
	appendStringInfoString(last, object->path);
	return true;
}

/* The first piece, and the second of the same version. */
static void
fuzz_read_pieces(LinkSession *session, const char *path)
{
	const LinkProviderOps *ops = session->provider->ops;
	LinkReader *first = ops->begin_reader(session, path, 0, LINK_PIECE_SIZE, NULL);
	LinkReader *second;
	char		buffer[1000];
	int64		total = 0;
	Size		got;

	ops->await_reader(first);
	fuzz_expect(first->end >= -1 && (first->size < 0 || first->end <= first->size));
	while ((got = ops->read(first, buffer, sizeof(buffer))) > 0)
		total += got;
	fuzz_expect(first->end < 0 || total == first->end);
	if (first->etag)
	{
		second = ops->begin_reader(session, path, LINK_PIECE_SIZE, sizeof(buffer), first->etag);
		ops->await_reader(second);
		fuzz_expect(second->end == LINK_PIECE_SIZE + (int64) sizeof(buffer));
		ops->close_reader(second);
	}
	ops->close_reader(first);
}

void
fuzz_read(LinkSession *session, const char *path)
{
	const LinkProviderOps *ops = session->provider->ops;
	LinkReader *reader = ops->open_reader(session, path, 0, -1);
	char		buffer[1000];
	int64		total = 0;
	Size		got;

	while ((got = ops->read(reader, buffer, sizeof(buffer))) > 0)
		total += got;
	fuzz_expect(reader->size < 0 || total == reader->size);
	fuzz_touch(reader->etag);
	ops->close_reader(reader);
	if (ops->begin_reader)
		fuzz_read_pieces(session, path);
}

typedef struct Writing
{
	LinkWriter *writer;
	Size		size;
	StringInfoData token;
} Writing;

static void
write_and_prepare(void *arg)
{
	Writing    *w = arg;
	const LinkProviderOps *ops = w->writer->session->provider->ops;
	char	   *bytes = palloc0(w->size);

	ops->write(w->writer, bytes, w->size);
	ops->prepare(w->writer, &w->token);
}

static void
publish(void *arg)
{
	Writing    *w = arg;

	w->writer->session->provider->ops->publish(w->writer->session, w->writer->path, w->writer->overwrite,
											   w->token.data, w->token.len);
}

/* As provider.c does it: abort before prepare() has ended, discard after it. */
void
fuzz_write(LinkSession *session, const char *path, bool overwrite, Size size)
{
	const LinkProviderOps *ops = session->provider->ops;
	Writing		w = {.size = size};

	w.writer = ops->open_writer(session, path, overwrite);
	initStringInfo(&w.token);
	if (!fuzz_try(write_and_prepare, &w))
		(void) ops->abort(w.writer);
	else if (!fuzz_try(publish, &w))
		(void) ops->discard(session, path, w.token.data, w.token.len);
}

void
fuzz_look(LinkSession *session, const char *path)
{
	LinkObject	object;

	if (!session->provider->ops->stat(session, path, &object))
		return;
	fuzz_expect(object.size >= 0);
	fuzz_touch(object.etag);
}

typedef struct Run
{
	const FuzzAction *action;
	LinkSession *session;
} Run;

static void
run(void *arg)
{
	Run		   *r = arg;

	r->session->provider->ops->start(r->session);
	r->action->run(r->session);
}

void
fuzz_act(const FuzzAction *actions, const char *data, Size size)
{
	const char *line = memchr(data, '\n', size);
	Size		length = line ? line - data : size;
	Run			r = {actions};
	LinkSession *session;

	while (r.action->name && (strlen(r.action->name) != length || memcmp(data, r.action->name, length) != 0))
		r.action++;
	if (r.action->name == NULL)
		return;

	/* the first answer has a separator before it, too */
	answers = data + length;
	answers_end = data + size;
	(void) next_answer(&length);

	r.session = session = palloc0(r.action->provider->ops->session_size);
	session->provider = r.action->provider;
	session->link_name = "public.l";
	session->link_id = 7;
	session->context = AllocSetContextCreate(CurrentMemoryContext, "session", ALLOCSET_DEFAULT_SIZES);
	session->options = link_options_create(r.action->provider->options,
										   link_json_parse("CREDENTIALS", r.action->credentials, strlen(r.action->credentials)),
										   r.action->config ? link_json_parse("CONFIG", r.action->config, strlen(r.action->config)) : NULL);
	fuzz_hide(strstr(r.action->credentials, FUZZ_SECRET "\"") != NULL);
	fuzz_demand_printable();
	fuzz_try(run, &r);
}
