/*-------------------------------------------------------------------------
 *
 * gcs.c
 *	  Google Cloud Storage: the data row.
 *
 * Objects of a bucket, with an HMAC key, a service account, or the account of
 * the machine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/list.h"

static const char *const creds_modes[] = {"static", "instance", NULL};
static const char *const ambient_modes[] = {"instance", NULL};

static const LinkOptionDef gcs_options[] = {
	{"access_id", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"secret_key", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	/* the text of the key file; which of its keys are used: SECURITY 16 */
	{"service_account_key", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET | LINK_OPTION_TEXT},
	{"creds_mode", LINK_CREDENTIALS, LINK_OPTION_STRING, .values = creds_modes, .ambient_values = ambient_modes},
	{"endpoint_url", LINK_CONFIG, LINK_OPTION_URL, LINK_OPTION_ORIGIN},
	{"token_endpoint_url", LINK_CONFIG, LINK_OPTION_URL, LINK_OPTION_ORIGIN},
	{NULL}
};

const LinkProvider link_gcs_provider = {
	.type = "GCS",
	.path_syntax = "bucket/object",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_CAN_REMOVE,
	.options = gcs_options,
};
