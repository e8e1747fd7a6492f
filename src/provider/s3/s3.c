/*-------------------------------------------------------------------------
 *
 * s3.c
 *	  The S3 provider: its data row, its keys, its session.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/
 *
 * Where a request goes: to endpoint_url, or else to the vendor's host of the
 * region.  The bucket becomes part of the host name at the vendor's, of the path
 * at other endpoints, unless s3_force_path_style says otherwise; in any case of
 * the path where it cannot be a host's label: its dots would not match a
 * wildcard certificate, and addresses have no labels.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include <arpa/inet.h>

#include "errors.h"
#include "provider/list.h"
#include "provider/s3/s3.h"

#define DEFAULT_REGION "us-east-1"

static void s3_validate(struct json_object *credentials, struct json_object *config);
static void s3_start(LinkSession *session);
static void s3_connect(LinkSession *session);
static void s3_authenticate(LinkSession *session);
static void s3_end(LinkSession *session);
static void s3_refresh(LinkSession *session);

static const char *const creds_modes[] = {
	"static", "anonymous", "instance", "environment", "eks_irsa", NULL
};
static const char *const ambient_modes[] = {"instance", "environment", "eks_irsa", NULL};
static const char *const payers[] = {"requester", NULL};
static const char *const encryptions[] = {"AES256", "aws:kms", "aws:kms:dsse", NULL};

static const LinkOptionDef s3_options[] = {
	{"aws_access_key_id", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"aws_secret_access_key", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	{"aws_session_token", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},

	/* which identity the bytes are given to */
	{"role_arn", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_ORIGIN},
	{"external_id", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"creds_mode", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_ORIGIN, .values = creds_modes,
	.ambient_values = ambient_modes, .unsupported_values = ambient_modes},

	/* where they go */
	{"region", LINK_CONFIG, LINK_OPTION_DNS_LABEL, LINK_OPTION_ORIGIN},
	{"endpoint_url", LINK_CONFIG, LINK_OPTION_URL, LINK_OPTION_ORIGIN},
	{"sts_endpoint_url", LINK_CONFIG, LINK_OPTION_URL, LINK_OPTION_ORIGIN},
	{"s3_force_path_style", LINK_CONFIG, LINK_OPTION_BOOLEAN, LINK_OPTION_ORIGIN},

	/* MB of each part of a large object; the bounds are S3's (SQL 5) */
	{"multipart_chunk_size_mb", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 5, .max = 500},
	{"request_payer", LINK_CONFIG, LINK_OPTION_STRING, .values = payers},
	{"storage_class", LINK_CONFIG, LINK_OPTION_STRING},
	{"x-amz-server-side-encryption", LINK_CONFIG, LINK_OPTION_STRING, .values = encryptions},
	{"x-amz-server-side-encryption-aws-kms-key-id", LINK_CONFIG, LINK_OPTION_STRING},
	{"x-amz-server-side-encryption-customer-algorithm", LINK_CONFIG, LINK_OPTION_STRING},
	{"x-amz-server-side-encryption-customer-key", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	{"x-amz-server-side-encryption-customer-key-MD5", LINK_CONFIG, LINK_OPTION_STRING},
	{NULL}
};

/* Keys whose meaning is known but not yet here. */
static const char *const unsupported_keys[] = {
	"role_arn",
	"external_id",
	"sts_endpoint_url",
	"x-amz-server-side-encryption-customer-algorithm",
	"x-amz-server-side-encryption-customer-key",
	"x-amz-server-side-encryption-customer-key-MD5",
	NULL
};

/* Keys whose value goes into a header as it is. */
static const char *const header_keys[] = {
	"aws_access_key_id",
	"aws_session_token",
	"storage_class",
	"x-amz-server-side-encryption-aws-kms-key-id",
	NULL
};

static const LinkProviderOps s3_ops = {
	.session_size = sizeof(LinkS3Session),
	.start = s3_start,
	.connect = s3_connect,
	.authenticate = s3_authenticate,
	.open_reader = link_s3_open_reader,
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
	.end = s3_end,
	.refresh = s3_refresh,
	.reap = link_s3_reap,
};

const LinkProvider link_s3_provider = {
	.type = "S3",
	.path_syntax = "bucket/key",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_CAN_REMOVE,
	.options = s3_options,
	.validate = s3_validate,
	.ops = &s3_ops,
};

/*
 * Checks of CREATE and ALTER LINK.
 */

/* The text of a key, NULL if it is not there; no copy is made. */
static const char *
member(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (object == NULL || !json_object_object_get_ex(object, key, &value))
		return NULL;
	return json_object_get_string(value);
}

/* As member(), in whichever clause. */
static const char *
either_member(struct json_object *credentials, struct json_object *config, const char *key)
{
	const char *value = member(credentials, key);

	return value ? value : member(config, key);
}

/* Nothing that could end a header or the signature's own fields. */
static bool
fits_header(const char *value)
{
	if (*value == '\0')
		return false;
	for (; *value != '\0'; value++)
		if (*value <= 0x20 || *value >= 0x7f || *value == ',')
			return false;
	return true;
}

static void
validate_static(const char *id, const char *secret)
{
	if (id == NULL && secret == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("an S3 link needs \"aws_access_key_id\" and \"aws_secret_access_key\" in CREDENTIALS"),
				 errhint("For buckets that everybody may use, give \"creds_mode\": \"anonymous\" in CREDENTIALS.")));
	if (id == NULL || secret == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"%s\" is missing in CREDENTIALS",
						id == NULL ? "aws_access_key_id" : "aws_secret_access_key"),
				 errdetail("The id and the secret of an access key belong together.")));
	if (*secret == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"aws_secret_access_key\" is empty")));
}

static void
s3_validate(struct json_object *credentials, struct json_object *config)
{
	const char *mode = member(credentials, "creds_mode");
	const char *id = member(credentials, "aws_access_key_id");
	const char *secret = member(credentials, "aws_secret_access_key");
	const char *encryption = member(config, "x-amz-server-side-encryption");

	for (int i = 0; unsupported_keys[i]; i++)
		if (either_member(credentials, config, unsupported_keys[i]))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_UNSUPPORTED),
					 errmsg("key \"%s\" of S3 links is not yet supported by this build",
							unsupported_keys[i])));

	if (mode == NULL || strcmp(mode, "static") == 0)
		validate_static(id, secret);
	else if (id || secret || member(credentials, "aws_session_token"))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"creds_mode\" \"%s\" excludes access keys", mode),
				 errhint("Leave out \"creds_mode\", or the keys.")));

	for (int i = 0; header_keys[i]; i++)
	{
		const char *value = either_member(credentials, config, header_keys[i]);

		if (value && !fits_header(value))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("invalid value of \"%s\"", header_keys[i]),
					 errdetail("It is made of visible ASCII characters without commas.")));
	}

	if (member(config, "x-amz-server-side-encryption-aws-kms-key-id") &&
		(encryption == NULL || strncmp(encryption, "aws:kms", 7) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"x-amz-server-side-encryption-aws-kms-key-id\" needs \"x-amz-server-side-encryption\": \"aws:kms\"")));
}

/*
 * Sessions.
 */

/*
 * One place for every creds_mode.  Called for each attempt of a request, so
 * that identities that expire can be renewed in the middle of a transfer.
 */
void
link_s3_credentials(const LinkS3Session *session, LinkS3Credentials *credentials)
{
	const LinkOptions *options = session->base.options;
	const char *mode = link_option_string(options, "creds_mode", "static");

	memset(credentials, 0, sizeof(*credentials));
	if (strcmp(mode, "anonymous") == 0)
		return;
	if (strcmp(mode, "static") == 0)
	{
		credentials->access_key_id = link_option_string(options, "aws_access_key_id", NULL);
		credentials->secret_access_key = link_option_string(options, "aws_secret_access_key", NULL);
		credentials->session_token = link_option_string(options, "aws_session_token", NULL);

		/* never sign with half a key, nor go on unsigned for want of one */
		if (credentials->access_key_id && credentials->secret_access_key)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("link %s has no credentials", session->base.link_name),
				 errhint("Set them with ALTER LINK ... SET CREDENTIALS.")));
	}
	ereport(ERROR,
			(errcode(ERRCODE_LINK_UNSUPPORTED),
			 errmsg("\"creds_mode\" \"%s\" is not yet supported by this build", mode)));
}

static bool
is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static void
s3_start(LinkSession *session)
{
	LinkS3Session *s3 = (LinkS3Session *) session;
	const LinkOptions *options = session->options;
	const char *endpoint = link_option_string(options, "endpoint_url", NULL);
	const char *reason;
	LinkHttpConfig config = {0};

	s3->region = link_option_string(options, "region", DEFAULT_REGION);
	s3->path_style = link_option_boolean(options, "s3_force_path_style", endpoint != NULL);

	/* a row that was restored, not created, has not been through our checks */
	if (!link_is_dns_label(s3->region))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("region of link %s is not a name", session->link_name)));
	if (endpoint == NULL)
		endpoint = psprintf("https://s3.%s.amazonaws.com%s", s3->region,
							strncmp(s3->region, "cn-", 3) == 0 ? ".cn" : "");
	if (!link_url_parse(endpoint, &s3->endpoint, &reason))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("endpoint_url of link %s is not valid", session->link_name),
				 errdetail("%s", reason)));
	if (is_address(s3->endpoint.host))
		s3->path_style = true;

	config.ca_certificate = link_option_string(options, "ca_certificate", NULL);
	config.connect_timeout = link_option_integer(options, "connect_timeout", 0);
	config.request_timeout = link_option_integer(options, "request_timeout", 0);
	config.max_retries = link_option_integer(options, "max_retries", -1);
	config.options = options;
	config.link_name = session->link_name;
	config.request_id_header = "x-amz-request-id";
	config.link_id = session->link_id;
	config.link_version = session->link_version;
	s3->http = link_http_create(&config);
	link_http_set_retry_hook(s3->http, link_s3_retry_hook);
}

/*
 * Any answer will do, so nothing is signed and the status does not matter.  Not
 * HEAD: radosgw answers it for the service with the end of a body, which the
 * next request on the connection would trip over.
 */
static void
s3_connect(LinkSession *session)
{
	LinkS3Request *request = link_s3_request((LinkS3Session *) session, "GET", "", "reach the server");

	request->unsigned_request = true;
	request->http.probe = true;
	link_s3_perform(request);
	link_s3_free(request);
}

/*
 * A key that is restricted to some buckets may not list them all: if the link
 * names the buckets it is for, ask for the first of these instead.
 */
static void
s3_authenticate(LinkSession *session)
{
	List	   *prefixes = link_option_strings(session->options, "path_prefixes");
	LinkS3Credentials credentials;
	LinkS3Request *request;
	char	   *bucket = NULL;

	link_s3_credentials((LinkS3Session *) session, &credentials);
	if (credentials.access_key_id == NULL)
		return;

	if (prefixes != NIL)
	{
		const char *prefix = linitial(prefixes);

		bucket = pnstrdup(prefix, strcspn(prefix, "/"));
	}
	request = link_s3_request((LinkS3Session *) session, "GET", bucket ? bucket : "",
							  bucket ? "list" : "authenticate");
	request->http.probe = true;
	if (bucket)
	{
		link_s3_query(request, "list-type", "2");
		link_s3_query(request, "max-keys", "1");
	}
	if (link_s3_perform(request) != 200)
		link_s3_raise(request);
	link_s3_free(request);
}

static void
s3_end(LinkSession *session)
{
	link_http_end(((LinkS3Session *) session)->http);
}

/* Each attempt asks for the credentials anew; the engine scrubs what it raises. */
static void
s3_refresh(LinkSession *session)
{
	link_http_use_options(((LinkS3Session *) session)->http, session->options);
}
