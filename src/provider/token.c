/*-------------------------------------------------------------------------
 *
 * token.c
 *	  Temporary credentials: where they are kept, and how they are fetched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "bounds.h"
#include "catalog/seal.h"
#include "errors.h"
#include "http/http.h"
#include "provider/s3/s3_xml.h"
#include "provider/token.h"

/* As many as a backend uses in turn: few links, each with one or two. */
#define MAX_TOKENS 8

typedef struct KeptToken
{
	char	   *text;			/* malloc'd; NULL: the place is free */
	int64		link_id;
	uint64		link_version;
	char		kind[16];
	TimestampTz expires;
} KeptToken;

static KeptToken tokens[MAX_TOKENS];
static bool stale = false;

static void
drop(KeptToken *token)
{
	if (token->text == NULL)
		return;
	explicit_bzero(token->text, strlen(token->text));
	free(token->text);
	token->text = NULL;
}

void
link_tokens_clear(void)
{
	for (int i = 0; i < MAX_TOKENS; i++)
		drop(&tokens[i]);
	stale = false;
}

void
link_tokens_invalidate(void)
{
	stale = true;
}

char *
link_token_find(const LinkSession *session, const char *kind, TimestampTz *expires)
{
	TimestampTz soon = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LINK_TOKEN_MARGIN);

	if (stale)
		link_tokens_clear();
	for (int i = 0; i < MAX_TOKENS; i++)
	{
		KeptToken  *token = &tokens[i];

		if (token->text == NULL)
			continue;
		if (token->expires <= soon)
			drop(token);
		else if (token->link_id == session->link_id && token->link_version == session->link_version &&
				 strcmp(token->kind, kind) == 0)
		{
			if (expires)
				*expires = token->expires;
			return link_secret_strdup(token->text);
		}
	}
	return NULL;
}

void
link_token_keep(const LinkSession *session, const char *kind, const char *text, TimestampTz expires)
{
	KeptToken  *place = &tokens[0];

	/* a free place, or that of the one that expires first */
	for (int i = 1; i < MAX_TOKENS && place->text != NULL; i++)
		if (tokens[i].text == NULL || tokens[i].expires < place->expires)
			place = &tokens[i];
	drop(place);
	place->text = strdup(text);
	place->link_id = session->link_id;
	place->link_version = session->link_version;
	strlcpy(place->kind, kind, sizeof(place->kind));
	place->expires = expires;
}

void
link_token_drop(const LinkSession *session, const char *kind)
{
	for (int i = 0; i < MAX_TOKENS; i++)
		if (tokens[i].text && tokens[i].link_id == session->link_id &&
			tokens[i].link_version == session->link_version && strcmp(tokens[i].kind, kind) == 0)
			drop(&tokens[i]);
}

/*
 * Requests.
 */

static void
token_attempt(LinkHttpRequest *http, void *arg)
{
	const LinkTokenRequest *request = arg;

	for (int i = 0; i < request->n_headers; i++)
		link_http_header(http, request->headers[i][0], request->headers[i][1]);
	if (request->sign)
		request->sign(http, request->arg);
}

static void
bad_answer(LinkSession *session, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_PROTOCOL),
			 errmsg("could not get a token for link %s: the answer is not what was expected", session->link_name),
			 errdetail("%s", problem)));
}

long
link_token_perform(LinkSession *session, const LinkTokenRequest *request, char **answer)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link token request",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkHttpRequest *http = palloc0(sizeof(LinkHttpRequest));
	LinkHttpConfig config = {0};
	LinkHttp   *transport;
	Size		len;
	long		status;

	/* no pool: it is a request an hour, and may go to another host */
	config.ca_certificate = request->direct ? NULL : link_option_string(session->options, "ca_certificate", NULL);
	config.connect_timeout = link_option_integer(session->options, "connect_timeout", 0);
	config.request_timeout = link_option_integer(session->options, "request_timeout", 0);
	config.max_retries = link_option_integer(session->options, "max_retries", -1);
	config.options = session->options;
	config.link_name = session->link_name;
	config.direct = request->direct;
	transport = link_http_create(&config);

	http->method = request->method;
	http->url = pstrdup(request->url);
	http->what = request->what;
	http->body = request->body;
	http->body_length = request->body ? strlen(request->body) : 0;
	http->idempotent = true;
	http->answer_limit = LINK_MAX_SMALL_ANSWER;
	http->attempt = token_attempt;
	http->arg = unconstify(LinkTokenRequest *, request);
	link_http_perform(transport, http);
	if (http->state == LINK_HTTP_FAILED)
		link_http_raise(transport, http);
	status = http->status;

	MemoryContextSwitchTo(caller);
	*answer = link_secret_alloc(http->answer.len + 1);
	memcpy(*answer, http->answer.data, http->answer.len);
	(*answer)[http->answer.len] = '\0';
	explicit_bzero(http->answer.data, http->answer.len);
	len = http->answer.len;
	MemoryContextDelete(context);
	if (status == 200 && strlen(*answer) != len)
		bad_answer(session, "It holds a zero byte.");
	return status;
}

/*
 * What errors are told in: OAuth (RFC 6749 section 5.2), AWS's metadata service;
 * Google nests its own below "error".
 */
static void
words_of_json(struct json_object *object, StringInfo words)
{
	static const char *const keys[] = {"error", "error_description", "Code", "Message", "status", "message"};

	for (int i = 0; i < lengthof(keys); i++)
	{
		struct json_object *value;

		if (!json_object_object_get_ex(object, keys[i], &value))
			continue;
		if (json_object_is_type(value, json_type_object) && i == 0)
			words_of_json(value, words);
		else if (json_object_is_type(value, json_type_string))
			appendStringInfo(words, ": %s", json_object_get_string(value));
	}
}

/* STS: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html */
static void
words_of_xml(const char *answer, StringInfo words)
{
	LinkS3Xml  *xml = link_s3_xml_open(answer, strlen(answer));

	while (link_s3_xml_next(xml) == LINK_S3_XML_ELEMENT)
	{
		const char *path = link_s3_xml_path(xml);

		if (strncmp(path, "ErrorResponse/", 14) == 0)
			path += 14;
		if (strcmp(path, "Error/Code") == 0 || strcmp(path, "Error/Message") == 0)
			appendStringInfo(words, ": %s", link_s3_xml_text(xml));
	}
	link_s3_xml_close(xml);
}

/*
 * Code and message of an answer, and nothing else of it, for it may hold a token
 * that nobody knows yet (SECURITY 20).
 */
static char *
server_words(LinkSession *session, const char *answer)
{
	struct json_object *object = link_json_try(answer, strlen(answer));
	StringInfoData words;
	char	   *scrubbed;

	initStringInfo(&words);
	if (object)
		words_of_json(object, &words);
	else if (answer[0] == '<')
		words_of_xml(answer, &words);

	/* secrets go first: one that is escaped or cut short would not be found */
	scrubbed = link_options_scrub(session->options, words.data);
	return link_printable(scrubbed, strlen(scrubbed));
}

void
link_token_refused(LinkSession *session, const char *what, long status, const char *answer)
{
	ereport(ERROR,
			(errcode(status >= 400 && status < 500 ? ERRCODE_LINK_BAD_CREDENTIALS : ERRCODE_LINK_FAILED),
			 errmsg("%s for link %s: the server refused", what, session->link_name),
			 errdetail("It answered HTTP %ld%s.", status, server_words(session, answer))));
}

/* Text of a key that may be missing. */
static const char *
text_member(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) && json_object_is_type(value, json_type_string) ?
		json_object_get_string(value) : NULL;
}

void
link_token_check(LinkSession *session, const char *text)
{
	Size		len = strlen(text);

	if (len == 0 || len > LINK_MAX_SECRET)
		bad_answer(session, "A credential in it is empty or too long.");
	for (const char *p = text; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			bad_answer(session, "A credential in it is not made of visible characters.");
}

const char *
link_token_member(LinkSession *session, struct json_object *answer, const char *key)
{
	const char *text = text_member(answer, key);

	if (text == NULL)
		bad_answer(session, psprintf("It has no \"%s\".", key));
	link_token_check(session, text);
	return text;
}

TimestampTz
link_token_time(LinkSession *session, const char *text)
{
	struct tm	tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (end == NULL || (*end != 'Z' && *end != '.'))
		bad_answer(session, "It has no valid time of expiry.");
	return time_t_to_timestamptz(timegm(&tm));
}

char *
link_token_from_oauth(LinkSession *session, const char *answer, TimestampTz *expires)
{
	struct json_object *object = link_json_parse_answer("answer of the token endpoint", answer, strlen(answer));
	struct json_object *seconds;
	char	   *token = link_secret_strdup(link_token_member(session, object, "access_token"));
	int64		lifetime = 0;

	/* Azure's metadata service gives it as a string */
	if (json_object_object_get_ex(object, "expires_in", &seconds))
		lifetime = json_object_get_int64(seconds);
	if (lifetime <= 0 || lifetime > 7 * 24 * 3600)
		bad_answer(session, "It has no valid \"expires_in\".");
	*expires = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), lifetime * 1000);
	return token;
}
