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

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base64.h"
#include "utils/timestamp.h"

#include "catalog/seal.h"
#include "errors.h"
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

#define MAX_KEY 256

static const char *
header_value(const LinkS3Request *request, const char *name)
{
	for (int i = 0; i < request->n_headers; i++)
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	return "";
}

static int
compare_pairs(const void *a, const void *b)
{
	return strcmp(((const LinkSigV4Pair *) a)->name, ((const LinkSigV4Pair *) b)->name);
}

/*
 * The text that is signed.  'ms' are the headers that begin with x-ms-, of the
 * request and of the signing; all values are as they are sent.
 */
static void
string_to_sign(const LinkS3Request *request, const char *account, LinkSigV4Pair *ms, int n_ms, StringInfo out)
{
	static const char *const standard[] = {"content-encoding", "content-language", NULL, "content-md5",
	"content-type", "date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"};
	LinkSigV4Pair query[LINK_S3_MAX_QUERY];

	appendStringInfo(out, "%s\n", request->http.method);
	for (int i = 0; i < lengthof(standard); i++)
	{
		if (standard[i])
			appendStringInfo(out, "%s\n", header_value(request, standard[i]));
		else if (request->http.body_length > 0)
			appendStringInfo(out, "%zu\n", request->http.body_length);
		else
			appendStringInfoChar(out, '\n');
	}
	qsort(ms, n_ms, sizeof(LinkSigV4Pair), compare_pairs);
	for (int i = 0; i < n_ms; i++)
		appendStringInfo(out, "%s:%s\n", ms[i].name, ms[i].value);
	appendStringInfo(out, "/%s%s", account, request->encoded_path);
	memcpy(query, request->query, request->n_query * sizeof(LinkSigV4Pair));
	qsort(query, request->n_query, sizeof(LinkSigV4Pair), compare_pairs);
	for (int i = 0; i < request->n_query; i++)
		appendStringInfo(out, "\n%s:%s", query[i].name, query[i].value);
}

/* "SharedKey account:signature" */
static char *
shared_key(const LinkS3Session *s3, const char *key, const char *text)
{
	const char *account = link_option_string(s3->base.options, "account_name", "");
	uint8		bytes[MAX_KEY];
	uint8		mac[EVP_MAX_MD_SIZE];
	unsigned int mac_len;
	char		signature[64];
	int			key_len = strlen(key) < MAX_KEY ? pg_b64_decode(key, (int) strlen(key), (void *) bytes, sizeof(bytes)) : -1;
	int			len;

	if (key_len <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"account_key\" of link %s is not base64", s3->base.link_name)));
	if (HMAC(EVP_sha256(), bytes, key_len, (const unsigned char *) text, strlen(text), mac, &mac_len) == NULL)
		mac_len = 0;
	explicit_bzero(bytes, sizeof(bytes));
	len = mac_len > 0 ? pg_b64_encode((void *) mac, mac_len, signature, sizeof(signature) - 1) : -1;
	if (len < 0)
		elog(ERROR, "could not sign a request");
	signature[len] = '\0';
	return psprintf("SharedKey %s:%s", account, signature);
}

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
	LinkSigV4Pair ms[LINK_S3_MAX_HEADERS + 2];
	StringInfoData text;
	char	   *value = NULL;
	int			n = 0;

	ms[n++] = (LinkSigV4Pair) {"x-ms-date", http_date(time(NULL))};
	ms[n++] = (LinkSigV4Pair) {"x-ms-version", API_VERSION};
	for (int i = 0; i < n; i++)
		link_http_header(&request->http, ms[i].name, ms[i].value);
	if (credentials->bearer)
		value = psprintf("Bearer %s", credentials->bearer);
	else if (credentials->secret_access_key)
	{
		for (int i = 0; i < request->n_headers; i++)
			if (strncmp(request->headers[i].name, "x-ms-", 5) == 0)
				ms[n++] = request->headers[i];
		initStringInfo(&text);
		string_to_sign(request, credentials->access_key_id, ms, n, &text);
		value = shared_key(s3, credentials->secret_access_key, text.data);
	}
	if (value)
	{
		link_http_header(&request->http, "authorization", value);
		explicit_bzero(value, strlen(value));
	}
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
	LinkTokenRequest request = {"GET"};

	request.url = psprintf("%s%s", base && *base ? base : METADATA_URL, METADATA_PATH);
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
link_azure_conceal(LinkOptions *options, const char *sas)
{
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
