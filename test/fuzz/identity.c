/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  Fuzz target: what those who hand out tokens could answer: STS, the
 *	  metadata services of three vendors, Entra ID.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

#include <fcntl.h>
#include <unistd.h>

#include "storage/fd.h"

#include "errors.h"
#include "provider/list.h"
#include "provider/s3/s3.h"
#include "provider/token.h"

#include "backend.h"

#define KEYS \
	"\"aws_access_key_id\": \"AKIA\", \"aws_secret_access_key\": \"" FUZZ_SECRET "\""
#define ROLE "\"role_arn\": \"arn:aws:iam::1:role/r\""
#define ENTRA \
	"{\"account_name\": \"acct\", \"tenant_id\": \"t\", \"client_id\": \"me\", \"client_secret\": \"" FUZZ_SECRET "\"}"

int			MyProcPid = 1;

void
fuzz_setup(void)
{
	char		name[] = "/tmp/fuzz-identity.XXXXXX";
	int			fd = mkstemp(name);

	fuzz_expect(fd >= 0 && write(fd, "a.web.identity\n", 15) == 15);
	close(fd);
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", name, 1);
	setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/pod", 1);
	setenv("AWS_ACCESS_KEY_ID", "AKIAENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-server", 1);
}

int
OpenTransientFile(const char *fileName, int fileFlags)
{
	return open(fileName, fileFlags);
}

int
CloseTransientFile(int fd)
{
	return close(fd);
}

/* What goes into a header, or signs one. */
static void
check_secret(const char *text)
{
	if (text == NULL)
		return;
	fuzz_expect(text[0] != '\0');
	for (; *text; text++)
		fuzz_expect(*text > 0x20 && *text < 0x7f);
}

static void
ask(LinkSession *session)
{
	LinkS3Session *s3 = (LinkS3Session *) session;
	LinkS3Credentials credentials = {0};

	link_tokens_clear();
	s3->dialect->credentials(s3, &credentials);
	check_secret(credentials.access_key_id);
	check_secret(credentials.secret_access_key);
	check_secret(credentials.session_token);
	check_secret(credentials.bearer);
	fuzz_expect((credentials.bearer != NULL) == (credentials.secret_access_key == NULL));

	/* what is kept is the same */
	credentials.bearer = credentials.secret_access_key = NULL;
	s3->derived_until = 0;
	s3->dialect->credentials(s3, &credentials);
	check_secret(credentials.secret_access_key);
	check_secret(credentials.bearer);
}

/* Refused: asked for anew, once. */
static void
renew(LinkSession *session)
{
	StringInfoData last;

	link_tokens_clear();
	initStringInfo(&last);
	link_s3_list(session, "bucket/", fuzz_listed, &last);
}

static const FuzzAction actions[] = {
	{"role", &link_s3_provider, "{" KEYS ", " ROLE ", \"external_id\": \"x\"}", NULL, ask},
	{"role renew", &link_s3_provider, "{" KEYS ", " ROLE "}", "{\"sts_endpoint_url\": \"https://sts\"}", renew},
	{"machine", &link_s3_provider, "{\"creds_mode\": \"instance\"}", NULL, ask},
	{"machine role", &link_s3_provider, "{\"creds_mode\": \"instance\", " ROLE "}", NULL, ask},
	{"pod", &link_s3_provider, "{\"creds_mode\": \"eks_irsa\"}", NULL, ask},
	{"environment role", &link_s3_provider, "{\"creds_mode\": \"environment\", " ROLE "}", NULL, ask},
	{"entra", &link_azure_provider, ENTRA, NULL, ask},
	{"azure machine", &link_azure_provider, "{\"account_name\": \"acct\", \"creds_mode\": \"managed_identity\"}", NULL, ask},
	{"gcs machine", &link_gcs_provider, "{\"creds_mode\": \"instance\"}", NULL, ask},
	{NULL}
};

void
fuzz_one(const char *data, Size size)
{
	fuzz_act(actions, data, size);
}
