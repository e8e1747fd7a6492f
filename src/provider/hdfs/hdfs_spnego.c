/*-------------------------------------------------------------------------
 *
 * hdfs_spnego.c
 *	  A keytab's principal proves itself to a namenode (SPNEGO, RFC 4559).
 *
 * Tickets come from the keytab that the link names into a cache in memory of our
 * own, never from or into the default ones (SECURITY 22).
 *
 * The Kerberos library talks to the KDC by itself and cannot be interrupted while
 * it does; its own time-outs (krb5.conf) are what bounds it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include "common/base64.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "provider/hdfs/hdfs.h"

/* Seconds before its end in which a ticket is not trusted to serve any more. */
#define TICKET_MARGIN 60

/* 1.3.6.1.5.5.2 (RFC 4178) */
static gss_OID_desc spnego = {6, "\x2b\x06\x01\x05\x05\x02"};

typedef struct Negotiation
{
	MemoryContextCallback callback;
	gss_name_t	principal;
	gss_name_t	service;
	gss_cred_id_t credential;
	gss_ctx_id_t context;
	gss_buffer_desc token;
} Negotiation;

static void
release(void *arg)
{
	Negotiation *n = arg;
	OM_uint32	minor;

	(void) gss_release_buffer(&minor, &n->token);
	if (n->context != GSS_C_NO_CONTEXT)
		(void) gss_delete_sec_context(&minor, &n->context, GSS_C_NO_BUFFER);
	if (n->credential != GSS_C_NO_CREDENTIAL)
		(void) gss_release_cred(&minor, &n->credential);
	if (n->principal != GSS_C_NO_NAME)
		(void) gss_release_name(&minor, &n->principal);
	if (n->service != GSS_C_NO_NAME)
		(void) gss_release_name(&minor, &n->service);
}

static void
gss_error(LinkHdfsSession *session, OM_uint32 major, OM_uint32 minor)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32	more = 0;
	OM_uint32	ignored;
	OM_uint32	code = minor ? minor : major;
	char	   *detail = "";

	if (gss_display_status(&ignored, code, minor ? GSS_C_MECH_CODE : GSS_C_GSS_CODE, GSS_C_NO_OID,
						   &more, &text) == GSS_S_COMPLETE)
	{
		/* the library counts a NUL at its end */
		while (text.length > 0 && ((char *) text.value)[text.length - 1] == '\0')
			text.length--;
		detail = link_printable(text.value, text.length);
	}
	(void) gss_release_buffer(&ignored, &text);
	ereport(ERROR,
			(errcode(ERRCODE_LINK_BAD_CREDENTIALS),
			 errmsg("could not authenticate link %s by Kerberos", session->base.link_name),
			 detail[0] ? errdetail("The Kerberos library says: %s", detail) : 0));
}

static gss_name_t
import_name(LinkHdfsSession *session, const char *name, gss_OID type)
{
	gss_buffer_desc buffer = {strlen(name), unconstify(char *, name)};
	gss_name_t	result = GSS_C_NO_NAME;
	OM_uint32	minor;
	OM_uint32	major = gss_import_name(&minor, &buffer, type, &result);

	if (major != GSS_S_COMPLETE)
		gss_error(session, major, minor);
	return result;
}

void
link_hdfs_negotiate(LinkHdfsSession *session, LinkHttpRequest *request, const char *host)
{
	const LinkOptions *options = session->base.options;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link SPNEGO", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Negotiation *n = palloc0(sizeof(Negotiation));
	gss_key_value_element_desc elements[] = {
		{"client_keytab", psprintf("FILE:%s", link_option_string(options, "kerberos_keytab", ""))},
		/* another version may have another keytab or principal */
		{"ccache", psprintf("MEMORY:link-" INT64_FORMAT "-" UINT64_FORMAT, session->base.link_id,
							session->base.link_version)},
	};
	gss_key_value_set_desc store = {lengthof(elements), elements};
	gss_OID_set_desc mechanisms = {1, &spnego};
	OM_uint32	major;
	OM_uint32	minor;
	OM_uint32	seconds = 0;
	char	   *value;
	int			size;
	int			len;

	/* the ticket that serves is in the cache, so that nobody has to be asked for one */
	if (session->quiet && (strcmp(session->proven_host, host) != 0 || GetCurrentTimestamp() >= session->proven_until))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_CREDENTIALS),
				 errmsg("link %s has no Kerberos ticket at hand", session->base.link_name)));

	n->callback.func = release;
	n->callback.arg = n;
	MemoryContextRegisterResetCallback(context, &n->callback);

	n->principal = import_name(session, link_option_string(options, "kerberos_principal", ""),
							   GSS_C_NT_USER_NAME);
	n->service = import_name(session, psprintf("HTTP@%s", host), GSS_C_NT_HOSTBASED_SERVICE);
	major = gss_acquire_cred_from(&minor, n->principal, GSS_C_INDEFINITE, &mechanisms, GSS_C_INITIATE,
								  &store, &n->credential, NULL, NULL);
	if (major != GSS_S_COMPLETE)
		gss_error(session, major, minor);
	major = gss_init_sec_context(&minor, n->credential, &n->context, n->service, &spnego,
								 0, 0, GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL, &n->token, NULL, &seconds);
	if (major != GSS_S_COMPLETE && major != GSS_S_CONTINUE_NEEDED)
		gss_error(session, major, minor);

	if (!session->quiet)
	{
		strlcpy(session->proven_host, host, sizeof(session->proven_host));
		session->proven_until = GetCurrentTimestamp() +
			(int64) (Min(seconds, 3600) - Min(seconds, TICKET_MARGIN)) * USECS_PER_SEC;
	}

	size = pg_b64_enc_len(n->token.length) + 1;
	value = palloc0(size + strlen("Negotiate "));
	strcpy(value, "Negotiate ");
	len = pg_b64_encode(n->token.value, n->token.length, value + strlen(value), size);
	if (len < 0)
		elog(ERROR, "could not encode a Kerberos token");
	link_options_conceal(session->base.options, value + strlen("Negotiate "));
	link_http_header(request, "authorization", value);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}
