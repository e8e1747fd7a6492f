/*-------------------------------------------------------------------------
 *
 * s3_identity.c
 *	  Whose credentials sign the requests of an S3 link: its own, those of a role
 *	  it takes on, or those of the server.
 *
 * Temporary credentials are kept (token.h) as "id\nsecret\ntoken", and renewed
 * when a request is made in their last minutes, also in mid-transfer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "catalog/seal.h"
#include "errors.h"
#include "provider/s3/s3.h"
#include "provider/s3/s3_xml.h"
#include "provider/token.h"

/*
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html: an
 * hour is the most that a role may be taken on by another role.
 */
#define ROLE_SECONDS "3600"
#define STS_VERSION "2011-06-15"

/*
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 * and https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html.
 * The variable is the one that the vendor's own SDKs read.
 */
#define METADATA_URL "http://169.254.169.254"
#define METADATA_VARIABLE "AWS_EC2_METADATA_SERVICE_ENDPOINT"
#define CONTAINER_URL "http://169.254.170.2"

/* A web identity token is a JWT of 1 to 2 kB. */
#define MAX_IDENTITY_FILE (64 * 1024)

static const char *
environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* ---- the form that is kept ---- */

static char *
join(const char *id, const char *secret, const char *token)
{
	Size		len = strlen(id) + strlen(secret) + (token ? strlen(token) : 0) + 3;
	char	   *text = link_secret_alloc(len);

	snprintf(text, len, "%s\n%s\n%s", id, secret, token ? token : "");
	return text;
}

/* In place. */
static void
split(char *text, LinkS3Credentials *credentials)
{
	char	   *secret = strchr(text, '\n');
	char	   *token = strchr(secret + 1, '\n');

	*secret++ = '\0';
	*token++ = '\0';
	credentials->access_key_id = text;
	credentials->secret_access_key = secret;
	credentials->session_token = *token ? token : NULL;
}

/* ---- STS ---- */

typedef struct Sts
{
	LinkS3Session *s3;
	LinkUrl		url;
	const char *body;
	LinkS3Credentials signer;	/* access_key_id NULL: not signed */
} Sts;

/* LinkTokenRequest.sign */
static void
sign_sts(LinkHttpRequest *http, void *arg)
{
	Sts		   *sts = arg;
	LinkSigV4Pair headers[5];
	LinkSigV4Request to_sign = {0};
	char		hash[LINK_SHA256_HEX_LENGTH + 1];
	char		date[17];
	StringInfoData authorization;
	int			n = 0;

	if (sts->signer.access_key_id == NULL)
		return;
	if (!link_sha256_hex(sts->body, strlen(sts->body), hash))
		elog(ERROR, "could not compute SHA-256");
	to_sign.now = time(NULL);
	link_sigv4_date(to_sign.now, date);
	headers[n++] = (LinkSigV4Pair) {"host", link_url_authority(&sts->url)};
	headers[n++] = (LinkSigV4Pair) {"x-amz-date", date};
	if (sts->signer.session_token)
		headers[n++] = (LinkSigV4Pair) {"x-amz-security-token", sts->signer.session_token};
	for (int i = 0; i < n; i++)
		link_http_header(http, headers[i].name, headers[i].value);
	to_sign.access_key_id = sts->signer.access_key_id;
	to_sign.secret_access_key = sts->signer.secret_access_key;
	to_sign.region = sts->s3->region;
	to_sign.service = "sts";
	to_sign.method = "POST";
	to_sign.encoded_path = "/";
	to_sign.headers = headers;
	to_sign.n_headers = n;
	to_sign.payload_hash = hash;
	initStringInfo(&authorization);
	if (!link_sigv4_authorization(&to_sign, &authorization))
		elog(ERROR, "could not sign a request");
	link_http_header(http, "authorization", authorization.data);
}

static void
add_form(StringInfo form, const char *name, const char *value)
{
	appendStringInfo(form, "%s%s=", form->len > 0 ? "&" : "", name);
	link_url_encode(form, value, false);
}

/* The credentials of an answer of STS, in the form that is kept. */
static char *
read_sts(LinkS3Session *s3, const char *answer, TimestampTz *expires)
{
	LinkS3Xml  *xml = link_s3_xml_open(answer, strlen(answer));
	LinkS3XmlEvent event;
	char	   *parts[4] = {NULL};
	static const char *const names[] = {"/Credentials/AccessKeyId", "/Credentials/SecretAccessKey",
	"/Credentials/SessionToken", "/Credentials/Expiration"};

	while ((event = link_s3_xml_next(xml)) == LINK_S3_XML_ELEMENT)
	{
		const char *path = link_s3_xml_path(xml);

		for (int i = 0; i < lengthof(names); i++)
			if (strlen(path) > strlen(names[i]) &&
				strcmp(path + strlen(path) - strlen(names[i]), names[i]) == 0)
				parts[i] = link_secret_strdup(link_s3_xml_text(xml));
	}
	link_s3_xml_close(xml);
	if (event == LINK_S3_XML_MALFORMED || !parts[0] || !parts[1] || !parts[2] || !parts[3])
		ereport(ERROR,
				(errcode(ERRCODE_LINK_PROTOCOL),
				 errmsg("could not take on a role for link %s: the answer holds no credentials",
						s3->base.link_name)));
	for (int i = 0; i < 3; i++)
		link_token_check(&s3->base, parts[i]);
	*expires = link_token_time(&s3->base, parts[3]);
	return join(parts[0], parts[1], parts[2]);
}

static char *
ask_sts(LinkS3Session *s3, const char *form, const LinkS3Credentials *signer, TimestampTz *expires)
{
	const char *url = link_option_string(s3->base.options, "sts_endpoint_url", NULL);
	const char *headers[][2] = {{"content-type", "application/x-www-form-urlencoded"}};
	LinkTokenRequest request = {"POST"};
	const char *reason;
	char	   *answer;
	long		status;
	Sts			sts = {s3};

	if (url == NULL)
		url = psprintf("https://sts.%s.amazonaws.com%s", s3->region,
					   strncmp(s3->region, "cn-", 3) == 0 ? ".cn" : "");
	if (!link_url_parse(url, &sts.url, &reason))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("sts_endpoint_url of link %s is not valid", s3->base.link_name),
				 errdetail("%s", reason)));
	sts.body = form;
	if (signer)
		sts.signer = *signer;
	request.url = psprintf("%s/", url);
	request.what = "could not take on a role";
	request.headers = headers;
	request.n_headers = 1;
	request.body = form;
	request.sign = sign_sts;
	request.arg = &sts;
	status = link_token_perform(&s3->base, &request, &answer);
	if (status != 200)
		link_token_refused(&s3->base, request.what, status, answer);
	return read_sts(s3, answer, expires);
}

/* Sessions show up by this name in the account's audit trail. */
static char *
session_name(const LinkS3Session *s3)
{
	return psprintf("link-" INT64_FORMAT "-%d", s3->base.link_id, MyProcPid);
}

static char *
assume_role(LinkS3Session *s3, const char *role, const LinkS3Credentials *base, TimestampTz *expires)
{
	const char *external_id = link_option_string(s3->base.options, "external_id", NULL);
	StringInfoData form;

	initStringInfo(&form);
	add_form(&form, "Action", "AssumeRole");
	add_form(&form, "Version", STS_VERSION);
	add_form(&form, "RoleArn", role);
	add_form(&form, "RoleSessionName", session_name(s3));
	add_form(&form, "DurationSeconds", ROLE_SECONDS);
	if (external_id)
		add_form(&form, "ExternalId", external_id);
	return ask_sts(s3, form.data, base, expires);
}

static void
missing_variable(const LinkS3Session *s3, const char *mode, const char *names)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_BAD_CREDENTIALS),
			 errmsg("link %s has no credentials", s3->base.link_name),
			 errdetail("\"creds_mode\" \"%s\" takes them from %s in the environment of the server.", mode, names)));
}

/* The file that the cluster renews; the server's environment names it. */
static char *
read_identity_file(const LinkS3Session *s3, const char *name)
{
	char	   *text = link_secret_alloc(MAX_IDENTITY_FILE);
	int			fd = OpenTransientFile(name, O_RDONLY | O_NONBLOCK);
	struct stat st;
	ssize_t		len = -1;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		len = read(fd, text, MAX_IDENTITY_FILE - 1);
	if (fd >= 0)
		CloseTransientFile(fd);
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (len <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_CREDENTIALS),
				 errmsg("could not read the web identity token for link %s", s3->base.link_name),
				 errdetail("AWS_WEB_IDENTITY_TOKEN_FILE in the environment of the server names its file.")));
	text[len] = '\0';
	link_options_conceal(s3->base.options, text);
	return text;
}

/* https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html */
static char *
assume_web_identity(LinkS3Session *s3, TimestampTz *expires)
{
	const char *role = environment("AWS_ROLE_ARN");
	const char *file = environment("AWS_WEB_IDENTITY_TOKEN_FILE");
	StringInfoData form;

	if (role == NULL || file == NULL)
		missing_variable(s3, "eks_irsa", "AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE");
	initStringInfo(&form);
	add_form(&form, "Action", "AssumeRoleWithWebIdentity");
	add_form(&form, "Version", STS_VERSION);
	add_form(&form, "RoleArn", role);
	add_form(&form, "RoleSessionName", session_name(s3));
	add_form(&form, "DurationSeconds", ROLE_SECONDS);
	add_form(&form, "WebIdentityToken", read_identity_file(s3, file));
	link_wipe_with_context(CurrentMemoryContext, form.data, form.len);
	return ask_sts(s3, form.data, NULL, expires);
}

/* ---- the metadata services ---- */

static char *
ask_metadata(LinkS3Session *s3, const char *method, const char *url, const char *header, const char *value)
{
	const char *headers[][2] = {{header, value}};
	LinkTokenRequest request = {method, url, "could not get the identity of the server"};
	char	   *answer;
	long		status;

	request.headers = headers;
	request.n_headers = header ? 1 : 0;
	request.direct = true;
	status = link_token_perform(&s3->base, &request, &answer);
	if (status != 200)
		link_token_refused(&s3->base, request.what, status, answer);
	return answer;
}

static char *
read_metadata(LinkS3Session *s3, const char *answer, TimestampTz *expires)
{
	LinkSession *session = &s3->base;
	struct json_object *object = link_json_parse_answer("answer of the metadata service", answer, strlen(answer));

	*expires = link_token_time(session, link_token_member(session, object, "Expiration"));
	return join(link_token_member(session, object, "AccessKeyId"),
				link_token_member(session, object, "SecretAccessKey"),
				link_token_member(session, object, "Token"));
}

/* Only characters of a role's name may become part of a URL. */
static char *
role_name(LinkS3Session *s3, char *answer)
{
	Size		len = strspn(answer, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@-");

	answer[len] = '\0';
	if (len == 0 || len > 64)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_CREDENTIALS),
				 errmsg("the machine has no role for link %s", s3->base.link_name)));
	return answer;
}

static char *
instance_identity(LinkS3Session *s3, TimestampTz *expires)
{
	const char *relative = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *base = environment(METADATA_VARIABLE);
	const char *token;
	const char *role;

	if (relative)
		return read_metadata(s3, ask_metadata(s3, "GET", psprintf(CONTAINER_URL "%s", relative), NULL, NULL), expires);
	if (base == NULL)
		base = METADATA_URL;
	token = ask_metadata(s3, "PUT", psprintf("%s/latest/api/token", base),
						 "x-aws-ec2-metadata-token-ttl-seconds", "300");
	link_token_check(&s3->base, token);
	link_options_conceal(s3->base.options, token);
	role = role_name(s3, ask_metadata(s3, "GET", psprintf("%s/latest/meta-data/iam/security-credentials/", base),
									  "x-aws-ec2-metadata-token", token));
	return read_metadata(s3, ask_metadata(s3, "GET", psprintf("%s/latest/meta-data/iam/security-credentials/%s", base, role),
										  "x-aws-ec2-metadata-token", token), expires);
}

/* ---- all together ---- */

static void
static_credentials(const LinkS3Session *s3, LinkS3Credentials *credentials)
{
	const LinkOptions *options = s3->base.options;

	credentials->access_key_id = link_option_string(options, "aws_access_key_id", NULL);
	credentials->secret_access_key = link_option_string(options, "aws_secret_access_key", NULL);
	credentials->session_token = link_option_string(options, "aws_session_token", NULL);

	/* never sign with half a key, nor go on unsigned for want of one */
	if (credentials->access_key_id == NULL || credentials->secret_access_key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("link %s has no credentials", s3->base.link_name),
				 errhint("Set them with ALTER LINK ... SET CREDENTIALS.")));
}

/* The three variables, never profiles or programs (SECURITY 16). */
static void
environment_credentials(const LinkS3Session *s3, LinkS3Credentials *credentials)
{
	credentials->access_key_id = environment("AWS_ACCESS_KEY_ID");
	credentials->secret_access_key = environment("AWS_SECRET_ACCESS_KEY");
	credentials->session_token = environment("AWS_SESSION_TOKEN");
	link_options_conceal(s3->base.options, credentials->secret_access_key);
	link_options_conceal(s3->base.options, credentials->session_token);
	if (credentials->access_key_id == NULL || credentials->secret_access_key == NULL)
		missing_variable(s3, "environment", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
}

/* Temporary credentials, in the form that is kept. */
static char *
derive(LinkS3Session *s3, TimestampTz *expires)
{
	const char *mode = link_option_string(s3->base.options, "creds_mode", "static");
	const char *role = link_option_string(s3->base.options, "role_arn", NULL);
	LinkS3Credentials base = {0};

	if (strcmp(mode, "static") == 0)
		static_credentials(s3, &base);
	else if (strcmp(mode, "environment") == 0)
		environment_credentials(s3, &base);
	else
	{
		char	   *text = strcmp(mode, "eks_irsa") == 0 ? assume_web_identity(s3, expires) :
			instance_identity(s3, expires);

		if (role == NULL)
			return text;
		split(text, &base);
		link_options_conceal(s3->base.options, base.secret_access_key);
		link_options_conceal(s3->base.options, base.session_token);
	}
	return assume_role(s3, role, &base, expires);
}

void
link_s3_credentials(LinkS3Session *s3, LinkS3Credentials *credentials)
{
	const char *mode = link_option_string(s3->base.options, "creds_mode", "static");
	const char *role = link_option_string(s3->base.options, "role_arn", NULL);

	if (strcmp(mode, "anonymous") == 0)
		return;
	if (role == NULL && strcmp(mode, "static") == 0)
		static_credentials(s3, credentials);
	else if (role == NULL && strcmp(mode, "environment") == 0)
		environment_credentials(s3, credentials);
	else
		link_s3_derived(s3, "s3", derive, split, credentials);
}

void
link_s3_derived(LinkS3Session *s3, const char *kind,
				char *(*derive) (LinkS3Session *s3, TimestampTz *expires),
				void (*read) (char *text, LinkS3Credentials *credentials),
				LinkS3Credentials *credentials)
{
	MemoryContext context;
	MemoryContext caller;
	TimestampTz expires;
	char	   *text;

	if (GetCurrentTimestamp() >= s3->derived_until && !s3->aborting)
	{
		context = AllocSetContextCreate(s3->base.context, "link S3 identity", ALLOCSET_SMALL_SIZES);
		caller = MemoryContextSwitchTo(context);
		text = link_token_find(&s3->base, kind, &expires);
		if (text == NULL)
		{
			text = derive(s3, &expires);
			link_token_keep(&s3->base, kind, text, expires);
		}
		memset(&s3->derived, 0, sizeof(s3->derived));
		read(text, &s3->derived);
		s3->derived_kind = kind;
		link_options_conceal(s3->base.options, s3->derived.secret_access_key);
		link_options_conceal(s3->base.options, s3->derived.session_token);
		link_options_conceal(s3->base.options, s3->derived.bearer);
		s3->derived_until = TimestampTzPlusMilliseconds(expires, -LINK_TOKEN_MARGIN);
		MemoryContextDelete(s3->identity);
		s3->identity = context;
		MemoryContextSwitchTo(caller);
	}
	*credentials = s3->derived;
}

bool
link_s3_renew(LinkS3Request *request)
{
	LinkS3Session *s3 = request->session;

	if (s3->derived_kind == NULL || s3->aborting || request->unsigned_request || request->renewed)
		return false;
	link_token_drop(&s3->base, s3->derived_kind);
	s3->derived_until = 0;
	request->renewed = true;
	return true;
}
