/*-------------------------------------------------------------------------
 *
 * azure.c
 *	  Fuzz target: what a server could answer to the AZURE provider, and to
 *	  GCS, whose listings are S3's.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

#include "errors.h"
#include "provider/azure/azure.h"
#include "provider/list.h"

#include "backend.h"

/* the secret alone is no base64: it is hidden where it is a SAS */
#define KEY "{\"account_name\": \"acct\", \"account_key\": \"" FUZZ_SECRET "AA\"}"
#define SAS "{\"account_name\": \"acct\", \"sas_token\": \"sv=1&sig=" FUZZ_SECRET "\"}"
#define HMAC_KEY "{\"access_id\": \"GOOG\", \"secret_key\": \"" FUZZ_SECRET "\"}"

void
fuzz_setup(void)
{
}

static void
list(LinkSession *session)
{
	StringInfoData last;

	initStringInfo(&last);
	session->provider->ops->list(session, "container/a", fuzz_listed, &last);
	fuzz_expect(last.len == 0 || strncmp(last.data, "container/a", 11) == 0);
}

static void
look(LinkSession *session)
{
	fuzz_look(session, "container/blob");
}

static void
read_blob(LinkSession *session)
{
	fuzz_read(session, "container/blob");
}

static void
remove_blob(LinkSession *session)
{
	session->provider->ops->remove(session, "container/blob", NULL);
}

static void
put(LinkSession *session)
{
	session->provider->ops->publish(session, "container/blob", false, "Bbytes", 6);
}

static void
complete(LinkSession *session)
{
	static const char token[] = "Pid\n-\n-\n";

	session->provider->ops->publish(session, "container/blob", true, token, strlen(token));
}

static void
authenticate(LinkSession *session)
{
	session->provider->ops->authenticate(session);
}

static const FuzzAction actions[] = {
	{"list", &link_azure_provider, KEY, NULL, list},
	{"list sas", &link_azure_provider, SAS, NULL, list},
	{"look", &link_azure_provider, KEY, NULL, look},
	{"read", &link_azure_provider, SAS, NULL, read_blob},
	{"remove", &link_azure_provider, KEY, NULL, remove_blob},
	{"put", &link_azure_provider, KEY, NULL, put},
	{"complete", &link_azure_provider, KEY, NULL, complete},
	{"authenticate", &link_azure_provider, KEY, NULL, authenticate},
	{"authenticate container", &link_azure_provider, KEY, "{\"path_prefixes\": [\"container/x\"]}", authenticate},
	{"gcs list", &link_gcs_provider, HMAC_KEY, NULL, list},
	{"gcs put", &link_gcs_provider, HMAC_KEY, NULL, put},
	{NULL}
};

void
fuzz_one(const char *data, Size size)
{
	fuzz_act(actions, data, size);
}
