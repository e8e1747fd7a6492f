/*-------------------------------------------------------------------------
 *
 * azure.c
 *	  Azure Blob Storage: the data row.
 *
 * Blobs of an account, with its shared key, a SAS token, a client secret of
 * Entra ID, or the managed identity of the machine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/list.h"

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
	{"creds_mode", LINK_CREDENTIALS, LINK_OPTION_STRING, .values = creds_modes, .ambient_values = ambient_modes},
	{"endpoint_url", LINK_CONFIG, LINK_OPTION_URL, LINK_OPTION_ORIGIN},
	{"token_endpoint_url", LINK_CONFIG, LINK_OPTION_URL, LINK_OPTION_ORIGIN},
	{NULL}
};

const LinkProvider link_azure_provider = {
	.type = "AZURE",
	.path_syntax = "container/blob",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_CAN_REMOVE,
	.options = azure_options,
};
