/*-------------------------------------------------------------------------
 *
 * s3.c
 *	  Fuzz target: what a server could answer to the S3 provider.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

#include "errors.h"
#include "provider/s3/s3.h"

#include "backend.h"

#define KEYS \
	"{\"aws_access_key_id\": \"AKIA\", \"aws_secret_access_key\": \"" FUZZ_SECRET "\", " \
	"\"aws_session_token\": \"" FUZZ_SECRET "/+" FUZZ_SECRET "\"}"

void
fuzz_setup(void)
{
}

static void
list(LinkSession *session)
{
	StringInfoData last;

	initStringInfo(&last);
	link_s3_list(session, "bucket/a", fuzz_listed, &last);
	fuzz_expect(last.len == 0 || strncmp(last.data, "bucket/a", 8) == 0);
}

static void
fail(LinkSession *session)
{
	LinkS3Request *request = link_s3_request((LinkS3Session *) session, "GET", "bucket/key", "read");
	bool		is_absent;
	int			sqlstate;

	link_s3_perform(request);
	is_absent = link_s3_error_is(request, "NoSuchKey");
	sqlstate = link_s3_sqlstate(request);
	if (is_absent && request->http.status != 412)
		fuzz_expect(sqlstate == ERRCODE_LINK_NO_OBJECT);
	link_s3_raise(request);
}

static void
look(LinkSession *session)
{
	fuzz_look(session, "bucket/key");
}

static void
read_object(LinkSession *session)
{
	fuzz_read(session, "bucket/key");
}

static void
remove_object(LinkSession *session)
{
	link_s3_remove(session, "bucket/key", NULL);
	link_s3_remove(session, "bucket/key", "etag");
}

static void
put(LinkSession *session)
{
	link_s3_publish(session, "bucket/key", false, "Bbytes", 6);
}

static void
complete(LinkSession *session)
{
	static const char token[] = "Pid\n\"d41d8cd98f00b204e9800998ecf8427e\"\n";

	link_s3_publish(session, "bucket/key", false, token, strlen(token));
}

/* ETags are what a server once gave, too. */
static void
complete_odd(LinkSession *session)
{
	static const char token[] = "Pid\n<&>\n\"\n";

	link_s3_publish(session, "bucket/key", true, token, strlen(token));
}

static const FuzzAction actions[] = {
	{"list", &link_s3_provider, KEYS, NULL, list},
	{"fail", &link_s3_provider, KEYS, NULL, fail},
	{"look", &link_s3_provider, KEYS, NULL, look},
	{"read", &link_s3_provider, KEYS, NULL, read_object},
	{"remove", &link_s3_provider, KEYS, NULL, remove_object},
	{"put", &link_s3_provider, KEYS, NULL, put},
	{"complete", &link_s3_provider, KEYS, NULL, complete},
	{"complete odd", &link_s3_provider, KEYS, NULL, complete_odd},
	{NULL}
};

void
fuzz_one(const char *data, Size size)
{
	fuzz_act(actions, data, size);
}
