/*-------------------------------------------------------------------------
 *
 * azure.c
 *	  Azure Blob Storage: the data row, the keys, the dialect.
 *
 * Block blobs of an account, with its shared key, a SAS token, a client secret
 * of Entra ID, or the managed identity of the machine.  Blocks are invisible
 * until their list is put, and go away by themselves within a week if it never
 * is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include "errors.h"
#include "provider/azure/azure.h"
#include "provider/list.h"

static void azure_validate(struct json_object *credentials, struct json_object *config);
static void azure_start(LinkSession *session);
static void azure_refresh(LinkSession *session);
static const char *azure_endpoint(const LinkS3Session *session);

static const char *const creds_modes[] = {"static", "managed_identity", NULL};
static const char *const ambient_modes[] = {"managed_identity", NULL};

static const LinkOptionDef azure_options[] = {
	/* the account makes the host, the tenant names who hands out tokens */
	{"account_name", LINK_CREDENTIALS, LINK_OPTION_DNS_LABEL, LINK_OPTION_ORIGIN | LINK_OPTION_REQUIRED},
	{"account_key", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	{"sas_token", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	{"tenant_id", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_ORIGIN},
	{"client_id", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"client_secret", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	{"creds_mode", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_ORIGIN, .values = creds_modes, .ambient_values = ambient_modes},
	{"endpoint_url", LINK_CONFIG, LINK_OPTION_URL, LINK_OPTION_ORIGIN},
	{"token_endpoint_url", LINK_CONFIG, LINK_OPTION_URL, LINK_OPTION_ORIGIN},
	{NULL}
};

static const LinkProviderOps azure_ops = {
	.session_size = sizeof(LinkS3Session),
	.start = azure_start,
	.connect = link_s3_connect,
	.authenticate = link_azure_authenticate,
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
	.refresh = azure_refresh,
};

const LinkProvider link_azure_provider = {
	.type = "AZURE",
	.path_syntax = "container/blob",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_CAN_REMOVE,
	.options = azure_options,
	.validate = azure_validate,
	.ops = &azure_ops,
};

#define CREDENTIALS_HINT "Set valid credentials with ALTER LINK ... SET CREDENTIALS."

/* https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes */
static const LinkS3Meaning azure_meanings[] = {
	{"BlobNotFound", ERRCODE_LINK_NO_OBJECT, "the blob does not exist", NULL},
	{"ContainerNotFound", ERRCODE_LINK_NO_OBJECT, "the container does not exist", NULL},
	{"ContainerBeingDeleted", ERRCODE_LINK_NO_OBJECT, "the container is being deleted", NULL},
	{"ResourceNotFound", ERRCODE_LINK_NO_OBJECT, "the container or blob does not exist", NULL},
	{"BlobAlreadyExists", ERRCODE_LINK_OBJECT_EXISTS, "the blob already exists", NULL},
	{"ConditionNotMet", ERRCODE_LINK_OBJECT_EXISTS, "the blob already exists", NULL},
	{"AuthenticationFailed", ERRCODE_LINK_BAD_CREDENTIALS, "the credentials were refused", CREDENTIALS_HINT},
	{"InvalidAuthenticationInfo", ERRCODE_LINK_BAD_CREDENTIALS, "the credentials were refused", CREDENTIALS_HINT},
	{"NoAuthenticationInformation", ERRCODE_LINK_BAD_CREDENTIALS, "the credentials were refused", CREDENTIALS_HINT},
	{"AuthorizationFailure", ERRCODE_LINK_BAD_CREDENTIALS, "the credentials were refused", CREDENTIALS_HINT},
	{"KeyBasedAuthenticationNotPermitted", ERRCODE_LINK_BAD_CREDENTIALS, "the account takes no shared key", NULL},
	{"AuthorizationPermissionMismatch", ERRCODE_LINK_NO_PRIVILEGE, "access denied", NULL},
	{"AuthorizationProtocolMismatch", ERRCODE_LINK_NO_PRIVILEGE, "access denied: the token is for https only", NULL},
	{"AuthorizationResourceTypeMismatch", ERRCODE_LINK_NO_PRIVILEGE, "access denied", NULL},
	{"AuthorizationServiceMismatch", ERRCODE_LINK_NO_PRIVILEGE, "access denied", NULL},
	{"InsufficientAccountPermissions", ERRCODE_LINK_NO_PRIVILEGE, "access denied", NULL},
	{"AccountIsDisabled", ERRCODE_LINK_NO_PRIVILEGE, "the account is disabled", NULL},
	{"InvalidResourceName", ERRCODE_LINK_BAD_OPTION, "the name of the container or blob is not valid", NULL},
	{"OutOfRangeInput", ERRCODE_LINK_BAD_OPTION, "the name of the container or blob is not valid", NULL},
	{"RequestBodyTooLarge", ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the blob is too large for the server", NULL},
	{"BlockCountExceedsLimit", ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the blob has too many blocks", NULL},
	{"BlobArchived", ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "the blob is archived", NULL},
	{"Md5Mismatch", ERRCODE_LINK_CORRUPT, "the bytes were damaged on the way", NULL},
	{"ServerBusy", ERRCODE_LINK_FAILED, "the server is overloaded", NULL},
	{NULL}
};

static const LinkS3Dialect azure_dialect = {
	.endpoint = azure_endpoint,
	.default_region = "none",
	.credentials = link_azure_credentials,
	.absent_header = "if-none-match",
	.absent_value = "*",
	.same_header = "if-match",
	.same_value_header = "etag",
	.request_id_header = "x-ms-request-id",
	.meanings = azure_meanings,
	.sign = link_azure_sign,
	.query_suffix = link_azure_query_suffix,
	.object_headers = link_azure_object_headers,
	.upload_id = link_azure_upload_id,
	.part_query = link_azure_part_query,
	.complete = link_azure_complete,
	.list_query = link_azure_list_query,
	.read_page = link_azure_read_page,
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

static void
azure_validate(struct json_object *credentials, struct json_object *config)
{
	const char *mode = member(credentials, "creds_mode");
	const char *tenant = member(credentials, "tenant_id");
	int			ways = (member(credentials, "account_key") != NULL) +
		(member(credentials, "sas_token") != NULL) + (member(credentials, "client_secret") != NULL);

	if (mode && strcmp(mode, "managed_identity") == 0)
	{
		if (ways > 0 || tenant)
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
	if (ways != 1)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("an AZURE link needs one of \"account_key\", \"sas_token\", or \"tenant_id\" with \"client_id\" and \"client_secret\", in CREDENTIALS")));
	if ((tenant != NULL) != (member(credentials, "client_secret") != NULL) ||
		(tenant != NULL) != (member(credentials, "client_id") != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"tenant_id\", \"client_id\" and \"client_secret\" belong together")));
	if (tenant && strspn(tenant, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") != strlen(tenant))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("invalid value of \"tenant_id\"")));
}

/*
 * Sessions.
 */

static const char *
azure_endpoint(const LinkS3Session *session)
{
	return psprintf("https://%s.blob.core.windows.net",
					link_option_string(session->base.options, "account_name", ""));
}

static void
azure_start(LinkSession *session)
{
	link_s3_start_session(session, &azure_dialect);
	link_azure_conceal(session->options);

	/* the container is never part of the host */
	((LinkS3Session *) session)->path_style = true;
}

static void
azure_refresh(LinkSession *session)
{
	link_s3_refresh(session);
	link_azure_conceal(session->options);
}
