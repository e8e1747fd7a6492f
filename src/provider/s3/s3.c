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

#include "utils/memutils.h"

#include "errors.h"
#include "provider/list.h"
#include "provider/s3/s3.h"

static void s3_validate(struct json_object *credentials, struct json_object *config);
static void s3_start(LinkSession *session);
static const char *s3_endpoint(const LinkS3Session *session);

static const char *const creds_modes[] = {
	"static", "anonymous", "instance", "environment", "eks_irsa", NULL
};
static const char *const ambient_modes[] = {"instance", "environment", "eks_irsa", NULL};
static const char *const payers[] = {"requester", NULL};
static const char *const encryptions[] = {"AES256", "aws:kms", "aws:kms:dsse", NULL};
static const char *const customer_algorithms[] = {"AES256", NULL};

static const LinkOptionDef s3_options[] = {
	{"aws_access_key_id", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"aws_secret_access_key", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	{"aws_session_token", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},

	/* which identity the bytes are given to */
	{"role_arn", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_ORIGIN},
	{"external_id", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"creds_mode", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_ORIGIN, .values = creds_modes,
	.ambient_values = ambient_modes},

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
	{"x-amz-server-side-encryption-customer-algorithm", LINK_CONFIG, LINK_OPTION_STRING, .values = customer_algorithms},
	{"x-amz-server-side-encryption-customer-key", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	{"x-amz-server-side-encryption-customer-key-MD5", LINK_CONFIG, LINK_OPTION_STRING},
	{NULL}
};

/* Keys whose value goes into a header as it is. */
static const char *const header_keys[] = {
	"aws_access_key_id",
	"aws_session_token",
	"storage_class",
	"x-amz-server-side-encryption-aws-kms-key-id",
	"x-amz-server-side-encryption-customer-key",
	"x-amz-server-side-encryption-customer-key-MD5",
	NULL
};

static const LinkProviderOps s3_ops = {
	.session_size = sizeof(LinkS3Session),
	.start = s3_start,
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
	.reap = link_s3_reap,
	.end = link_s3_end,
	.refresh = link_s3_refresh,
};

/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html and conditional-deletes.html */
static const LinkS3Dialect s3_dialect = {
	.endpoint = s3_endpoint,
	.default_region = "us-east-1",
	.credentials = link_s3_credentials,
	.absent_header = "if-none-match",
	.absent_value = "*",
	.same_header = "if-match",
	.same_value_header = "etag",
	.request_id_header = "x-amz-request-id",
};

const LinkProvider link_s3_provider = {
	.type = "S3",
	.path_syntax = "bucket/key",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_CAN_REMOVE | LINK_LISTS_BEHIND,
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

/*
 * Roles, and identities of the server, which are the vendor's business only: no
 * key of CONFIG may name somebody else to take them to (SECURITY 16).
 */
static void
validate_role(struct json_object *credentials, struct json_object *config, const char *mode)
{
	static const char *const endpoints[] = {"endpoint_url", "sts_endpoint_url"};
	const char *role = member(credentials, "role_arn");

	if (role && strncmp(role, "arn:", 4) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("invalid value of \"role_arn\""),
				 errdetail("It begins with \"arn:\".")));
	if (role == NULL && member(credentials, "external_id"))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"external_id\" needs \"role_arn\"")));
	if (role && mode && strcmp(mode, "anonymous") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"role_arn\" needs an identity that takes the role on")));
	if (mode == NULL || strcmp(mode, "static") == 0 || strcmp(mode, "anonymous") == 0)
		return;
	for (int i = 0; i < lengthof(endpoints); i++)
		if (member(config, endpoints[i]))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("\"creds_mode\" \"%s\" excludes \"%s\"", mode, endpoints[i]),
					 errdetail("The identity of the server is given to hosts of the vendor only.")));
}

/* SSE-C: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html */
static void
validate_customer_key(struct json_object *credentials, struct json_object *config)
{
	const char *key = member(credentials, "x-amz-server-side-encryption-customer-key");
	const char *algorithm = member(config, "x-amz-server-side-encryption-customer-algorithm");
	const char *md5 = member(config, "x-amz-server-side-encryption-customer-key-MD5");

	if (key == NULL && algorithm == NULL && md5 == NULL)
		return;
	if (key == NULL || algorithm == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"x-amz-server-side-encryption-customer-key\" in CREDENTIALS and \"x-amz-server-side-encryption-customer-algorithm\" in CONFIG belong together"),
				 md5 ? errdetail("\"x-amz-server-side-encryption-customer-key-MD5\" needs both.") : 0));
	if (member(config, "x-amz-server-side-encryption"))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"x-amz-server-side-encryption\" excludes a key of the customer's")));
	if (strlen(key) != 44 || key[43] != '=' || key[42] == '=')
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("invalid value of \"x-amz-server-side-encryption-customer-key\""),
				 errdetail("It is the base64 of 32 bytes.")));
}

static void
s3_validate(struct json_object *credentials, struct json_object *config)
{
	const char *mode = member(credentials, "creds_mode");
	const char *id = member(credentials, "aws_access_key_id");
	const char *secret = member(credentials, "aws_secret_access_key");
	const char *encryption = member(config, "x-amz-server-side-encryption");

	if (mode == NULL || strcmp(mode, "static") == 0)
		validate_static(id, secret);
	else if (id || secret || member(credentials, "aws_session_token"))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"creds_mode\" \"%s\" excludes access keys", mode),
				 errhint("Leave out \"creds_mode\", or the keys.")));

	validate_role(credentials, config, mode);
	validate_customer_key(credentials, config);

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

static bool
is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

void
link_s3_start_session(LinkSession *session, const LinkS3Dialect *dialect)
{
	LinkS3Session *s3 = (LinkS3Session *) session;
	const LinkOptions *options = session->options;
	const char *endpoint = link_option_string(options, "endpoint_url", NULL);
	const char *reason;
	LinkHttpConfig config = {0};

	s3->dialect = dialect;
	s3->identity = AllocSetContextCreate(session->context, "link S3 identity", ALLOCSET_SMALL_SIZES);
	s3->unconditional = dialect->absent_header == NULL;
	s3->region = pstrdup(link_option_string(options, "region", dialect->default_region));
	s3->path_style = link_option_boolean(options, "s3_force_path_style", endpoint != NULL);

	/* a row that was restored, not created, has not been through our checks */
	if (!link_is_dns_label(s3->region))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("region of link %s is not a name", session->link_name)));
	if (endpoint == NULL)
		endpoint = dialect->endpoint(s3);
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
	config.request_id_header = dialect->request_id_header;
	config.link_id = session->link_id;
	config.link_version = session->link_version;
	s3->http = link_http_create(&config);
	link_http_set_retry_hook(s3->http, link_s3_retry_hook);
}

/* https://docs.aws.amazon.com/general/latest/gr/s3.html */
static const char *
s3_endpoint(const LinkS3Session *session)
{
	return psprintf("https://s3.%s.amazonaws.com%s", session->region,
					strncmp(session->region, "cn-", 3) == 0 ? ".cn" : "");
}

static void
s3_start(LinkSession *session)
{
	link_s3_start_session(session, &s3_dialect);
}

/*
 * Any answer will do, so nothing is signed and the status does not matter.  Not
 * HEAD: radosgw answers it for the service with the end of a body, which the
 * next request on the connection would trip over.
 */
void
link_s3_connect(LinkSession *session)
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
void
link_s3_authenticate(LinkSession *session)
{
	LinkS3Session *s3 = (LinkS3Session *) session;
	List	   *prefixes = link_option_strings(session->options, "path_prefixes");
	LinkS3Credentials credentials = {0};
	LinkS3Request *request;
	char	   *bucket = NULL;

	s3->dialect->credentials(s3, &credentials);
	if (credentials.access_key_id == NULL && credentials.bearer == NULL)
		return;

	if (prefixes != NIL)
	{
		const char *prefix = linitial(prefixes);

		bucket = pnstrdup(prefix, strcspn(prefix, "/"));
	}
	request = link_s3_request(s3, "GET", bucket ? bucket : "", bucket ? "list" : "authenticate");
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

void
link_s3_end(LinkSession *session)
{
	link_http_end(((LinkS3Session *) session)->http);
}

/* Each attempt asks for the credentials anew; the engine scrubs what it raises. */
void
link_s3_refresh(LinkSession *session)
{
	LinkS3Session *s3 = (LinkS3Session *) session;

	s3->derived_until = 0;
	link_http_use_options(s3->http, session->options);
}
