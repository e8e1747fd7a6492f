/*-------------------------------------------------------------------------
 *
 * azure_sign.c
 *	  How requests to Azure are authenticated: the account's key, a shared access
 *	  signature, or a token of Entra ID.
 *
 * https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "utils/timestamp.h"

#include "catalog/seal.h"
#include "errors.h"
#include "http/shared_key.h"
#include "provider/azure/azure.h"
#include "provider/token.h"

/* What all that is asked for here exists in; SAS tokens carry their own. */
#define API_VERSION "2021-12-02"

/*
 * https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow
 * and https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token.
 * The variable is the one that the vendor's SDKs read.
 */
#define LOGIN_URL "https://login.microsoftonline.com"
#define SCOPE "https%3A%2F%2Fstorage.azure.com%2F.default"
#define METADATA_URL "http://169.254.169.254"
#define METADATA_VARIABLE "AZURE_POD_IDENTITY_AUTHORITY_HOST"
#define METADATA_PATH "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F"

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110), whatever the locale */
static char *
http_date(time_t now)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm	tm;

	gmtime_r(&now, &tm);
	return psprintf("%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
					tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void
link_azure_sign(LinkS3Request *request, const LinkS3Credentials *credentials)
{
	LinkS3Session *s3 = request->session;
	LinkSigV4Pair headers[LINK_S3_MAX_HEADERS + 2];
	StringInfoData value;
	int			n = request->n_headers;

	memcpy(headers, request->headers, n * sizeof(LinkSigV4Pair));
	headers[n++] = (LinkSigV4Pair) {"x-ms-date", http_date(time(NULL))};
	headers[n++] = (LinkSigV4Pair) {"x-ms-version", API_VERSION};
	for (int i = request->n_headers; i < n; i++)
		link_http_header(&request->http, headers[i].name, headers[i].value);
	initStringInfo(&value);
	if (credentials->bearer)
	{
		/* at once: what is copied to grow is not wiped */
		enlargeStringInfo(&value, (int) strlen(credentials->bearer) + 8);
		appendStringInfo(&value, "Bearer %s", credentials->bearer);
	}
	else if (credentials->secret_access_key)
	{
		LinkSharedKeyRequest to_sign = {
			.account = credentials->access_key_id,
			.method = request->http.method,
			.encoded_path = request->encoded_path,
			.body_length = request->http.body_length,
			.query = request->query,
			.n_query = request->n_query,
			.headers = headers,
			.n_headers = n,
		};
		const char *problem;

		if (!link_shared_key_authorization(&to_sign, credentials->secret_access_key, &value, &problem))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("\"account_key\" of link %s cannot be used", s3->base.link_name),
					 errdetail("%s", problem)));
	}
	if (value.len > 0)
		link_http_header(&request->http, "authorization", value.data);
	explicit_bzero(value.data, value.len);
	pfree(value.data);
}

/*
 * Tokens.
 */

static char *
ask_for_token(LinkS3Session *s3, const LinkTokenRequest *request, TimestampTz *expires)
{
	char	   *answer;
	long		status = link_token_perform(&s3->base, request, &answer);

	if (status != 200)
		link_token_refused(&s3->base, request->what, status, answer);
	return link_token_from_oauth(&s3->base, answer, expires);
}

static void
add_form(StringInfo form, const char *name, const char *value)
{
	appendStringInfo(form, "&%s=", name);
	link_url_encode(form, value, false);
}

static char *
client_token(LinkS3Session *s3, TimestampTz *expires)
{
	const LinkOptions *options = s3->base.options;
	const char *headers[][2] = {{"content-type", "application/x-www-form-urlencoded"}};
	LinkTokenRequest request = {"POST"};
	StringInfoData form;

	initStringInfo(&form);
	enlargeStringInfo(&form, LINK_MAX_PROVIDER_TEXT * 4);
	appendStringInfoString(&form, "grant_type=client_credentials&scope=" SCOPE);
	add_form(&form, "client_id", link_option_string(options, "client_id", ""));
	add_form(&form, "client_secret", link_option_string(options, "client_secret", ""));
	link_wipe_with_context(CurrentMemoryContext, form.data, form.len);
	request.url = psprintf("%s/%s/oauth2/v2.0/token",
						   link_option_string(options, "token_endpoint_url", LOGIN_URL),
						   link_option_string(options, "tenant_id", ""));
	request.what = "could not get a token of Entra ID";
	request.headers = headers;
	request.n_headers = 1;
	request.body = form.data;
	return ask_for_token(s3, &request, expires);
}

static char *
machine_token(LinkS3Session *s3, TimestampTz *expires)
{
	const char *base = getenv(METADATA_VARIABLE);
	const char *headers[][2] = {{"metadata", "true"}};
	const char *id = link_option_string(s3->base.options, "client_id", NULL);
	LinkTokenRequest request = {"GET"};
	StringInfoData url;

	/* of the identities that the machine has, if it is not its own that is wanted */
	initStringInfo(&url);
	appendStringInfo(&url, "%s%s", base && *base ? base : METADATA_URL, METADATA_PATH);
	if (id)
		add_form(&url, "client_id", id);
	request.url = url.data;
	request.what = "could not get the identity of the server";
	request.headers = headers;
	request.n_headers = 1;
	request.direct = true;
	return ask_for_token(s3, &request, expires);
}

static void
read_bearer(char *text, LinkS3Credentials *credentials)
{
	credentials->bearer = text;
}

void
link_azure_credentials(LinkS3Session *s3, LinkS3Credentials *credentials)
{
	const LinkOptions *options = s3->base.options;
	const char *key = link_option_string(options, "account_key", NULL);

	if (key)
	{
		credentials->access_key_id = link_option_string(options, "account_name", "");
		credentials->secret_access_key = key;
	}
	else if (link_option_string(options, "client_secret", NULL))
		link_s3_derived(s3, "azure", client_token, read_bearer, credentials);
	else if (link_option_string(options, "sas_token", NULL) == NULL)
		link_s3_derived(s3, "azure", machine_token, read_bearer, credentials);
}

/* The signature of a SAS is a secret also where it stands alone, encoded or not. */
void
link_azure_conceal(LinkOptions *options)
{
	const char *sas = link_option_string(options, "sas_token", NULL);
	const char *signature = sas ? strstr(sas, "sig=") : NULL;
	char	   *text;
	bool		has_nul;

	if (signature == NULL)
		return;
	signature += strlen("sig=");
	text = pnstrdup(signature, strcspn(signature, "&"));
	link_options_conceal(options, text);
	if (link_s3_decode_key(text, &has_nul))
		link_options_conceal(options, text);
	explicit_bzero(text, strlen(text));
	pfree(text);
}

/* A shared access signature is a query. */
const char *
link_azure_query_suffix(const LinkS3Session *s3)
{
	const char *sas = link_option_string(s3->base.options, "sas_token", NULL);

	return sas && *sas == '?' ? sas + 1 : sas;
}
