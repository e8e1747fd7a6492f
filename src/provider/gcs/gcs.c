/*-------------------------------------------------------------------------
 *
 * gcs.c
 *	  Google Cloud Storage, by its XML API, which speaks S3's protocol.
 *
 * https://cloud.google.com/storage/docs/xml-api/overview
 *
 * With an HMAC key requests are signed as S3's are ("interoperability"); with a
 * service account or the machine's own identity they carry an OAuth token.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "catalog/seal.h"
#include "errors.h"
#include "http/jwt.h"
#include "provider/list.h"
#include "provider/s3/s3.h"
#include "provider/token.h"

/*
 * https://developers.google.com/identity/protocols/oauth2/service-account#httprest
 * and https://cloud.google.com/compute/docs/access/authenticate-workloads.  The
 * variable is the one that the vendor's own libraries read.
 */
#define TOKEN_URL "https://oauth2.googleapis.com/token"
#define SCOPE "https://www.googleapis.com/auth/devstorage.read_write"
#define METADATA_HOST "metadata.google.internal"
#define METADATA_VARIABLE "GCE_METADATA_HOST"
#define METADATA_PATH "/computeMetadata/v1/instance/service-accounts/default/token"

static void gcs_validate(struct json_object *credentials, struct json_object *config);
static void gcs_start(LinkSession *session);
static const char *gcs_endpoint(const LinkS3Session *session);
static void hmac_credentials(LinkS3Session *s3, LinkS3Credentials *credentials);
static void oauth_credentials(LinkS3Session *s3, LinkS3Credentials *credentials);

static const char *const creds_modes[] = {"static", "instance", NULL};
static const char *const ambient_modes[] = {"instance", NULL};

static const LinkOptionDef gcs_options[] = {
	{"access_id", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"secret_key", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	/* the text of the key file; which of its keys are used: SECURITY 16 */
	{"service_account_key", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET | LINK_OPTION_TEXT},
	{"creds_mode", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_ORIGIN, .values = creds_modes, .ambient_values = ambient_modes},
	{"endpoint_url", LINK_CONFIG, LINK_OPTION_URL, LINK_OPTION_ORIGIN},
	{"token_endpoint_url", LINK_CONFIG, LINK_OPTION_URL, LINK_OPTION_ORIGIN},
	{NULL}
};

static const LinkProviderOps gcs_ops = {
	.session_size = sizeof(LinkS3Session),
	.start = gcs_start,
	.connect = link_s3_connect,
	.authenticate = link_s3_authenticate,
	.open_reader = link_s3_open_reader,
	.begin_reader = link_s3_begin_reader,
	.await_reader = link_s3_await_reader,
	.read = link_s3_read,
	.close_reader = link_s3_close_reader,
	.open_writer = link_s3_open_writer,
	.write = link_s3_write,
	.prepare = link_s3_prepare,
	.publish = link_s3_publish,
	.abort = link_s3_abort,
	.discard = link_s3_discard,
	.remove = link_s3_remove,
	.list = link_s3_list,
	.stat = link_s3_stat,
	.end = link_s3_end,
	.refresh = link_s3_refresh,
	.reap = link_s3_reap,
};

const LinkProvider link_gcs_provider = {
	.type = "GCS",
	.path_syntax = "bucket/object",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_CAN_REMOVE | LINK_LISTS_BEHIND,
	.options = gcs_options,
	.validate = gcs_validate,
	.ops = &gcs_ops,
};

/*
 * Requests signed in S3's way may not hold headers of the vendor's own, so there
 * is no condition to give; one looks before.
 */
static const LinkS3Dialect hmac_dialect = {
	.endpoint = gcs_endpoint,
	.default_region = "auto",
	.credentials = hmac_credentials,
	.request_id_header = "x-guploader-uploadid",
};

/* https://cloud.google.com/storage/docs/request-preconditions */
static const LinkS3Dialect oauth_dialect = {
	.endpoint = gcs_endpoint,
	.default_region = "auto",
	.credentials = oauth_credentials,
	.absent_header = "x-goog-if-generation-match",
	.absent_value = "0",
	.absent_put_only = true,
	.same_header = "x-goog-if-generation-match",
	.same_value_header = "x-goog-generation",
	.request_id_header = "x-guploader-uploadid",
};

/*
 * Checks of CREATE and ALTER LINK.
 */

static const char *
member(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (object == NULL || !json_object_object_get_ex(object, key, &value))
		return NULL;
	return json_object_get_string(value);
}

static struct json_object *
parse_account(const char *text)
{
	return link_json_parse("\"service_account_key\"", text, strlen(text));
}

/* What is used of a key file: three texts, of the type that is named (SECURITY 16). */
static void
check_account(struct json_object *account)
{
	static const char *const keys[] = {"client_email", "private_key", "private_key_id"};
	const char *type = member(account, "type");

	if (type == NULL || strcmp(type, "service_account") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"service_account_key\" is not the key of a service account"),
				 errdetail("Its \"type\" has to be \"service_account\".")));
	for (int i = 0; i < lengthof(keys); i++)
	{
		struct json_object *value;

		if (!json_object_object_get_ex(account, keys[i], &value) ||
			!json_object_is_type(value, json_type_string))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("\"service_account_key\" has no \"%s\"", keys[i])));
	}
}

static void
gcs_validate(struct json_object *credentials, struct json_object *config)
{
	const char *mode = member(credentials, "creds_mode");
	const char *id = member(credentials, "access_id");
	const char *secret = member(credentials, "secret_key");
	const char *account = member(credentials, "service_account_key");
	const char *problem;
	StringInfoData unused;

	if (mode && strcmp(mode, "instance") == 0)
	{
		if (id || secret || account)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("\"creds_mode\" \"%s\" excludes keys", mode)));
		if (member(config, "endpoint_url") || member(config, "token_endpoint_url"))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("\"creds_mode\" \"%s\" excludes \"endpoint_url\" and \"token_endpoint_url\"", mode),
					 errdetail("The identity of the server is given to hosts of the vendor only.")));
		return;
	}
	if (account ? (id || secret) : !(id && secret))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("a GCS link needs either \"access_id\" and \"secret_key\", or \"service_account_key\", in CREDENTIALS")));
	if (account == NULL)
		return;
	check_account(parse_account(account));
	initStringInfo(&unused);
	if (!link_jwt_rs256(&unused, "{}", "{}", member(parse_account(account), "private_key"), &problem))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"private_key\" of \"service_account_key\" cannot be used"),
				 errdetail("%s", problem)));
}

/*
 * Sessions.
 */

static const char *
gcs_endpoint(const LinkS3Session *session)
{
	return "https://storage.googleapis.com";
}

static void
gcs_start(LinkSession *session)
{
	bool		hmac = link_option_string(session->options, "access_id", NULL) != NULL;

	link_s3_start_session(session, hmac ? &hmac_dialect : &oauth_dialect);

	/* at the vendor's too: link.allowed_hosts names its host, not one of each bucket */
	((LinkS3Session *) session)->path_style = true;
}

static void
hmac_credentials(LinkS3Session *s3, LinkS3Credentials *credentials)
{
	credentials->access_key_id = link_option_string(s3->base.options, "access_id", NULL);
	credentials->secret_access_key = link_option_string(s3->base.options, "secret_key", NULL);
	if (credentials->access_key_id == NULL || credentials->secret_access_key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("link %s has no credentials", s3->base.link_name),
				 errhint("Set them with ALTER LINK ... SET CREDENTIALS.")));
}

/* A service account proves itself by a JWT that it signs (RFC 7523). */
static char *
account_token(LinkS3Session *s3, TimestampTz *expires)
{
	LinkSession *session = &s3->base;
	const char *text = link_option_string(session->options, "service_account_key", "");
	const char *url = link_option_string(session->options, "token_endpoint_url", TOKEN_URL);
	const char *headers[][2] = {{"content-type", "application/x-www-form-urlencoded"}};
	LinkTokenRequest request = {"POST", url, "could not get a token of the service account"};
	struct json_object *account = parse_account(text);
	LinkJwtAssertion assertion = {.scope = SCOPE,.audience = url,.now = time(NULL)};
	StringInfoData form;
	const char *problem;
	char	   *answer;
	long		status;

	check_account(account);
	assertion.key_id = member(account, "private_key_id");
	assertion.issuer = member(account, "client_email");

	initStringInfo(&form);
	appendStringInfoString(&form, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
	if (!link_jwt_assertion(&form, &assertion, member(account, "private_key"), &problem))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_CREDENTIALS),
				 errmsg("the service account key of link %s cannot be used", session->link_name),
				 errdetail("%s", problem)));
	link_wipe_with_context(CurrentMemoryContext, form.data, form.len);
	link_options_conceal(session->options, strrchr(form.data, '=') + 1);

	request.headers = headers;
	request.n_headers = 1;
	request.body = form.data;
	status = link_token_perform(session, &request, &answer);
	if (status != 200)
		link_token_refused(session, request.what, status, answer);
	return link_token_from_oauth(session, answer, expires);
}

static char *
machine_token(LinkS3Session *s3, TimestampTz *expires)
{
	LinkSession *session = &s3->base;
	const char *host = getenv(METADATA_VARIABLE);
	const char *headers[][2] = {{"metadata-flavor", "Google"}};
	LinkTokenRequest request = {"GET"};
	char	   *answer;
	long		status;

	request.url = psprintf("http://%s%s", host && *host ? host : METADATA_HOST, METADATA_PATH);
	request.what = "could not get the identity of the server";
	request.headers = headers;
	request.n_headers = 1;
	request.direct = true;
	status = link_token_perform(session, &request, &answer);
	if (status != 200)
		link_token_refused(session, request.what, status, answer);
	return link_token_from_oauth(session, answer, expires);
}

static void
read_bearer(char *text, LinkS3Credentials *credentials)
{
	credentials->bearer = text;
}

static void
oauth_credentials(LinkS3Session *s3, LinkS3Credentials *credentials)
{
	bool		account = link_option_string(s3->base.options, "service_account_key", NULL) != NULL;

	link_s3_derived(s3, "gcs", account ? account_token : machine_token, read_bearer, credentials);
}
