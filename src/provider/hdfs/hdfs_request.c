/*-------------------------------------------------------------------------
 *
 * hdfs_request.c
 *	  Requests to namenodes: who asks, which namenode answers, what an answer
 *	  means, and where it redirects to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include "utils/memutils.h"

#include "errors.h"
#include "provider/hdfs/hdfs.h"

#define API "/webhdfs/v1"

char *
link_hdfs_encode(const char *path)
{
	StringInfoData out;

	initStringInfo(&out);
	link_url_encode(&out, path, true);
	return out.data;
}

/* Who asks, as WebHDFS wants it in the query; with Kerberos the header says it. */
static void
add_user(LinkHdfsSession *session, StringInfo url)
{
	const LinkOptions *options = session->base.options;
	const char *token = link_option_string(options, "delegation_token", NULL);
	const char *user = link_option_string(options, "user", NULL);

	if (token)
	{
		appendStringInfoString(url, "&delegation=");
		link_url_encode(url, token, false);
	}
	else if (user)
	{
		appendStringInfoString(url, "&user.name=");
		link_url_encode(url, user, false);
	}
}

/*
 * Before each attempt: to the namenode that answered last, or, when the last
 * attempt went wrong, to the next one.
 */
static void
request_attempt(LinkHttpRequest *http, void *arg)
{
	LinkHdfsRequest *request = (LinkHdfsRequest *) http;
	LinkHdfsSession *session = request->session;
	MemoryContext caller;
	StringInfoData url;
	LinkUrl    *node;

	if (http->attempts > 0)
		session->active = (session->active + 1) % list_length(session->namenodes);
	node = list_nth(session->namenodes, session->active);

	caller = MemoryContextSwitchTo(request->context);
	initStringInfo(&url);
	appendStringInfo(&url, "%s://%s%s" API "%s?%s", node->tls ? "https" : "http",
					 link_url_authority(node), node->path, link_hdfs_encode(request->path), request->query);
	add_user(session, &url);
	http->url = url.data;
	MemoryContextSwitchTo(caller);
	if (link_option_string(session->base.options, "kerberos_keytab", NULL))
		link_hdfs_negotiate(session, http, node->host);
}

LinkHdfsRequest *
link_hdfs_request(LinkHdfsSession *session, const char *method, const char *path,
				  const char *query, const char *action)
{
	MemoryContext context = AllocSetContextCreate(session->base.context, "link HDFS request",
												  ALLOCSET_SMALL_SIZES);
	LinkUrl    *node = linitial(session->namenodes);
	LinkHdfsRequest *request = MemoryContextAllocZero(context, sizeof(LinkHdfsRequest));
	MemoryContext caller = MemoryContextSwitchTo(context);

	request->session = session;
	request->context = context;
	request->path = path;
	request->query = query;
	request->http.method = method;
	request->http.url = psprintf("%s://%s/", node->tls ? "https" : "http", link_url_authority(node));
	request->http.what = path[1] == '\0' ? psprintf("could not %s", action) :
		psprintf("could not %s \"%s\"", action, path);
	request->http.idempotent = true;
	request->http.attempt = request_attempt;
	MemoryContextSwitchTo(caller);
	return request;
}

long
link_hdfs_perform(LinkHdfsRequest *request)
{
	LinkHttp   *http = request->session->names;

	link_http_perform(http, &request->http);
	if (request->http.state == LINK_HTTP_FAILED)
		link_http_raise(http, &request->http);
	return request->http.status;
}

void
link_hdfs_free(LinkHdfsRequest *request)
{
	link_http_finish(request->session->names, &request->http);
	MemoryContextDelete(request->context);
}

/*
 * Answers.
 */

char *
link_hdfs_exception(const char *answer)
{
	const char *found = strstr(answer, "\"exception\"");
	const char *start;

	/* also of answers that are not whole or not JSON: it is for errors only */
	if (found == NULL)
		return pstrdup("");
	start = strchr(found + strlen("\"exception\""), '"');
	if (start == NULL)
		return pstrdup("");
	start++;
	return pnstrdup(start, strspn(start, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"));
}

int
link_hdfs_boolean(const char *answer)
{
	int			end = -1;

	(void) sscanf(answer, " { \"boolean\" : true } %n", &end);
	if (end >= 0 && answer[end] == '\0')
		return 1;
	end = -1;
	(void) sscanf(answer, " { \"boolean\" : false } %n", &end);
	return end >= 0 && answer[end] == '\0' ? 0 : -1;
}

/*
 * A namenode on standby, or one that is starting up: another one, or later.  Or a
 * datanode that has lost its namenode, before it did anything or in the middle of it.
 */
static const char *const passing[] = {
	"StandbyException", "SafeModeException", "RetriableException", "ObserverRetryOnActiveException",
	"EOFException", "ConnectException", "ConnectTimeoutException", "SocketException",
	"SocketTimeoutException", "NoRouteToHostException", "ClosedChannelException",
};

bool
link_hdfs_retry_hook(LinkHttpRequest *request)
{
	char	   *exception;

	if (request->status != 403 || request->answer.data == NULL)
		return false;
	exception = link_hdfs_exception(request->answer.data);
	for (int i = 0; i < lengthof(passing); i++)
		if (strcmp(exception, passing[i]) == 0)
			return true;

	/* a datanode that was restarted and has not told yet what it has: of no class of its own */
	return strcmp(exception, "IOException") == 0 &&
		strstr(request->answer.data, "No active nodes contain this block") != NULL;
}

static const struct
{
	const char *exception;
	int			sqlstate;
	const char *cause;
}			meanings[] = {
	{"FileNotFoundException", ERRCODE_LINK_NO_OBJECT, "the file does not exist"},
	{"PathNotFoundException", ERRCODE_LINK_NO_OBJECT, "the file does not exist"},
	{"FileAlreadyExistsException", ERRCODE_LINK_OBJECT_EXISTS, "the file already exists"},
	{"AccessControlException", ERRCODE_LINK_NO_PRIVILEGE, "access denied"},
	{"SecurityException", ERRCODE_LINK_BAD_CREDENTIALS, "the credentials were refused"},
	{"AuthenticationException", ERRCODE_LINK_BAD_CREDENTIALS, "the credentials were refused"},
	{"InvalidToken", ERRCODE_LINK_BAD_CREDENTIALS, "the delegation token was refused"},
	{"StandbyException", ERRCODE_LINK_UNREACHABLE, "no namenode is active"},
	{"SafeModeException", ERRCODE_LINK_FAILED, "the file system is in safe mode"},
	{"QuotaExceededException", ERRCODE_DISK_FULL, "the quota is used up"},
	{"DSQuotaExceededException", ERRCODE_DISK_FULL, "the quota is used up"},
	{"NSQuotaExceededException", ERRCODE_DISK_FULL, "the quota is used up"},
	{"ParentNotDirectoryException", ERRCODE_WRONG_OBJECT_TYPE, "a component of the path is a file"},
	{"IllegalArgumentException", ERRCODE_LINK_BAD_OPTION, "the file system does not take it"},
	{"UnsupportedOperationException", ERRCODE_LINK_UNSUPPORTED, "the file system does not support it"},
};

/*
 * Exception and message of an answer, and nothing else of it: pages of a web
 * server, stack traces and URLs with tokens are left out (SECURITY 20).
 */
static const char *
server_words(LinkHdfsSession *session, const char *answer)
{
	struct json_object *root = link_json_try(answer, strlen(answer));
	struct json_object *remote;
	struct json_object *value;
	const char *exception = "";
	const char *message = "";
	const char *token;
	char	   *line;
	StringInfoData text;
	char	   *scrubbed;

	if (root && json_object_object_get_ex(root, "RemoteException", &remote))
	{
		if (json_object_object_get_ex(remote, "exception", &value) && json_object_is_type(value, json_type_string))
			exception = json_object_get_string(value);
		if (json_object_object_get_ex(remote, "message", &value) && json_object_is_type(value, json_type_string))
			message = json_object_get_string(value);
	}

	/* a stack trace follows on lines of its own */
	line = psprintf("%s%s%.*s", exception, exception[0] && message[0] ? ": " : "",
					(int) strcspn(message, "\r\n"), message);

	/* also of tokens that a namenode has made for itself */
	initStringInfo(&text);
	while ((token = strstr(line, "delegation=")) != NULL)
	{
		appendBinaryStringInfo(&text, line, token - line);
		appendStringInfoString(&text, "(a token)");
		line = unconstify(char *, token) + strcspn(token, "& \"'");
	}
	appendStringInfoString(&text, line);

	/* secrets go first: one that is escaped or cut short would not be found */
	scrubbed = link_options_scrub(session->base.options, text.data);
	return link_printable(scrubbed, strlen(scrubbed));
}

void
link_hdfs_raise(LinkHdfsSession *session, const char *what, long status, const char *answer)
{
	const char *exception = link_hdfs_exception(answer);
	/* 403 comes with every exception of I/O; without any it is somebody before the server who says so */
	int			sqlstate = status == 401 ? ERRCODE_LINK_BAD_CREDENTIALS :
		status == 403 && exception[0] == '\0' ? ERRCODE_LINK_NO_PRIVILEGE :
		status == 404 ? ERRCODE_LINK_NO_OBJECT : ERRCODE_LINK_FAILED;
	const char *cause = status == 401 ? "the credentials were refused" : "the file system refused";
	const char *words;

	for (int i = 0; i < lengthof(meanings); i++)
	{
		if (strcmp(meanings[i].exception, exception) != 0)
			continue;
		sqlstate = meanings[i].sqlstate;
		cause = meanings[i].cause;
	}
	words = server_words(session, answer);
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s through link %s: %s", what, session->base.link_name, cause),
			 words[0] ? errdetail("The server answered HTTP %ld: %s", status, words) :
			 errdetail("The server answered HTTP %ld.", status)));
}

char *
link_hdfs_ask(LinkHdfsSession *session, const char *method, const char *path,
			  const char *query, const char *action)
{
	LinkHdfsRequest *request = link_hdfs_request(session, method, path, query, action);
	long		status = link_hdfs_perform(request);
	char	   *answer = pnstrdup(request->http.answer.data, request->http.answer.len);

	if (status / 100 != 2)
		link_hdfs_raise(session, request->http.what, status, answer);
	link_hdfs_free(request);
	return answer;
}

/*
 * Redirects.
 */

static void
bad_redirect(LinkHdfsSession *session, const char *what, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_PROTOCOL),
			 errmsg("%s through link %s: the namenode redirects to where nobody may follow", what,
					session->base.link_name),
			 errdetail("%s", problem)));
}

/* Does a component of the path lead upwards? */
static bool
has_dots(const char *path)
{
	const char *end = path + strcspn(path, "?#");

	for (const char *p = path; p < end; p++)
	{
		const char *c = p + 1;
		int			n = 0;

		if (*p != '/')
			continue;
		for (; n < 3 && c < end; n++)
		{
			if (*c == '.')
				c++;
			else if (pg_strncasecmp(c, "%2e", 3) == 0)
				c += 3;
			else
				break;
		}
		if ((n == 1 || n == 2) && (c >= end || *c == '/'))
			return true;
	}
	return false;
}

/*
 * As strong a scheme as the namenode's, and WebHDFS there too; the host policy is
 * asked again by the engine (SECURITY 23).
 */
static void
check_location(LinkHdfsSession *session, const char *what, const char *location)
{
	LinkUrl    *node = list_nth(session->namenodes, session->active);
	const char *host;
	const char *path;
	const char *unused;
	LinkUrl		url;

	if (strlen(location) > LINK_HDFS_MAX_URL)
		bad_redirect(session, what, "The location is too long.");
	for (const char *p = location; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			bad_redirect(session, what, "The location holds characters that no URL has.");
	if (strncmp(location, "https://", 8) == 0)
		host = location + 8;
	else if (strncmp(location, "http://", 7) == 0 && !node->tls)
		host = location + 7;
	else
	{
		bad_redirect(session, what, node->tls ? "The location is not https." : "The location is no URL of HTTP.");
		return;
	}
	path = host + strcspn(host, "/?#\\@");
	if (strncmp(path, API "/", strlen(API) + 1) != 0 || has_dots(path) ||
		!link_url_parse(pnstrdup(location, path - location), &url, &unused))
		bad_redirect(session, what, "The location is not one of WebHDFS.");
}

char *
link_hdfs_locate(LinkHdfsSession *session, const char *method, const char *path,
				 const char *query, const char *action)
{
	LinkHdfsRequest *request = link_hdfs_request(session, method, path, query, action);
	long		status = link_hdfs_perform(request);
	const char *location = link_http_answer_header(&request->http, "location");
	char	   *result;

	if (status != 307 || location == NULL)
	{
		if (status / 100 == 2)
			bad_redirect(session, request->http.what, "It names no datanode.");
		link_hdfs_raise(session, request->http.what, status,
						pnstrdup(request->http.answer.data, request->http.answer.len));
	}
	check_location(session, request->http.what, location);
	result = pstrdup(location);
	link_hdfs_free(request);
	return result;
}
