/*-------------------------------------------------------------------------
 *
 * hdfs_spnego.c
 *	  A keytab's principal proves itself to a namenode (SPNEGO, RFC 4559).
 *
 * Tickets come from the keytab that the link names into caches in memory of our
 * own, never from or into the default ones (SECURITY 22).
 *
 * The Kerberos library looks up names and talks to the KDC by itself, for half a
 * minute and longer if nobody answers, and cannot be interrupted while it does.
 * So a child process does that, within the link's connect_timeout, and hands over
 * what it got; the backend only makes tokens of it, for which nobody is asked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <unistd.h>

#include "common/base64.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "child.h"
#include "errors.h"
#include "guc.h"
#include "provider/hdfs/hdfs.h"

/* Seconds before its end in which a ticket is not trusted to serve any more. */
#define TICKET_MARGIN 60

/* Seconds after which there is a new one in any case. */
#define TICKET_MAX_USE 3600

/* Of a process: a link with a pair of namenodes has two. */
#define TICKETS 8

/* Bytes of a credential as the child hands it over: two tickets, 12 kB each at most for Active Directory. */
#define MAX_CREDENTIAL (256 * 1024)
#define MAX_NAME 1024

/* 1.2.840.113554.1.2.2 (RFC 4121), 1.3.6.1.5.5.2 (RFC 4178) */
static gss_OID_desc kerberos = {9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"};
static gss_OID_desc spnego = {6, "\x2b\x06\x01\x05\x05\x02"};

/* What a principal needs to prove itself to a host. */
typedef struct Ticket
{
	int64		link_id;		/* 0: none here */
	uint64		link_version;	/* another one may have another keytab or principal */
	char		host[256];
	gss_cred_id_t credential;	/* with the ticket for 'service' */
	gss_name_t	service;
	TimestampTz until;			/* for how long it serves */
	TimestampTz used;
} Ticket;

static Ticket tickets[TICKETS];

static uint32
wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = link_wait_event("LinkKerberos");
	return event;
}

/*
 * The child.
 */

typedef struct Errand
{
	gss_key_value_set_desc *store;
	char	   *principal;
	char	   *service;		/* "HTTP@host" */
} Errand;

/* What it writes first; 'name' and 'credential' bytes of these follow. */
typedef struct Report
{
	OM_uint32	major;
	OM_uint32	minor;
	OM_uint32	seconds;		/* that the ticket is valid */
	uint32		name;			/* of the service; if it failed, why */
	uint32		credential;
} Report;

static bool
import_name(OM_uint32 *major, OM_uint32 *minor, char *name, gss_OID type, gss_name_t *result)
{
	gss_buffer_desc buffer = {strlen(name), name};

	*major = gss_import_name(minor, &buffer, type, result);
	return *major == GSS_S_COMPLETE;
}

static bool
acquire(Report *report, const Errand *errand, gss_name_t principal, gss_OID mechanism, gss_cred_id_t *credential)
{
	gss_OID_set_desc mechanisms = {1, mechanism};

	report->major = gss_acquire_cred_from(&report->minor, principal, GSS_C_INDEFINITE, &mechanisms,
										  GSS_C_INITIATE, errand->store, credential, NULL, NULL);
	return !GSS_ERROR(report->major);
}

/*
 * Ask for all that it takes: by Kerberos itself, since SPNEGO would not tell why
 * there is none.  The process ends after it, so nothing is released.
 */
static bool
obtain(const Errand *errand, Report *report, gss_buffer_t name, gss_buffer_t credential)
{
	OM_uint32  *major = &report->major;
	OM_uint32  *minor = &report->minor;
	gss_name_t	principal = GSS_C_NO_NAME;
	gss_name_t	service = GSS_C_NO_NAME;
	gss_cred_id_t asking = GSS_C_NO_CREDENTIAL;
	gss_cred_id_t result = GSS_C_NO_CREDENTIAL;
	gss_ctx_id_t context = GSS_C_NO_CONTEXT;
	gss_buffer_desc token;

	if (!import_name(major, minor, errand->principal, GSS_C_NT_USER_NAME, &principal) ||
		!import_name(major, minor, errand->service, GSS_C_NT_HOSTBASED_SERVICE, &service) ||
		!acquire(report, errand, principal, &kerberos, &asking))
		return false;
	*major = gss_init_sec_context(minor, asking, &context, service, &kerberos, 0, 0,
								  GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL, &token, NULL, NULL);
	if (GSS_ERROR(*major))
		return false;

	/* the name that the ticket is for, so that the backend need not look it up */
	*major = gss_inquire_context(minor, context, NULL, &service, &report->seconds, NULL, NULL, NULL, NULL);
	if (GSS_ERROR(*major))
		return false;
	*major = gss_display_name(minor, service, name, NULL);
	if (GSS_ERROR(*major) || !acquire(report, errand, principal, &spnego, &result))
		return false;
	*major = gss_export_cred(minor, result, credential);
	return !GSS_ERROR(*major);
}

static bool
put(const void *data, size_t size)
{
	const char *from = data;

	while (size > 0)
	{
		ssize_t		n = write(STDOUT_FILENO, from, size);

		if (n < 0)
			return false;
		from += n;
		size -= n;
	}
	return true;
}

static int
run(void *arg)
{
	Report		report = {0};
	gss_buffer_desc name = GSS_C_EMPTY_BUFFER;
	gss_buffer_desc credential = GSS_C_EMPTY_BUFFER;

	if (!obtain(arg, &report, &name, &credential))
	{
		OM_uint32	more = 0;
		OM_uint32	ignored;

		name.length = credential.length = 0;
		(void) gss_display_status(&ignored, report.minor ? report.minor : report.major,
								  report.minor ? GSS_C_MECH_CODE : GSS_C_GSS_CODE,
								  GSS_C_NO_OID, &more, &name);
	}
	report.name = Min(name.length, MAX_NAME);
	report.credential = credential.length;
	return put(&report, sizeof(report)) && put(name.value, report.name) &&
		put(credential.value, report.credential) ? 0 : 1;
}

/*
 * The backend.
 */

LINK_NORETURN static void
fail(LinkHdfsSession *session, int sqlstate, const char *detail)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("could not authenticate link %s by Kerberos", session->base.link_name),
			 detail[0] ? errdetail("%s", detail) : 0));
}

/* In the words of the library, which counts a NUL at their end. */
LINK_NORETURN static void
library_failed(LinkHdfsSession *session, OM_uint32 minor, const char *words, Size length)
{
	bool		unreachable = (krb5_error_code) minor == KRB5_KDC_UNREACH ||
		(krb5_error_code) minor == KRB5_REALM_CANT_RESOLVE;

	while (length > 0 && words[length - 1] == '\0')
		length--;
	fail(session, unreachable ? ERRCODE_LINK_UNREACHABLE : ERRCODE_LINK_BAD_CREDENTIALS,
		 length == 0 ? "" : psprintf("The Kerberos library says: %s", link_printable(words, length)));
}

static void
check(LinkHdfsSession *session, OM_uint32 major, OM_uint32 minor)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32	more = 0;
	OM_uint32	ignored;
	char		words[MAX_NAME];
	Size		length = 0;

	if (!GSS_ERROR(major))
		return;
	if (gss_display_status(&ignored, minor ? minor : major, minor ? GSS_C_MECH_CODE : GSS_C_GSS_CODE,
						   GSS_C_NO_OID, &more, &text) == GSS_S_COMPLETE)
	{
		length = Min(text.length, sizeof(words));
		memcpy(words, text.value, length);
	}
	(void) gss_release_buffer(&ignored, &text);
	library_failed(session, minor, words, length);
}

static void
receive(LinkHdfsSession *session, LinkChild *child, int timeout, void *to, Size size)
{
	char	   *at = to;

	while (size > 0)
	{
		ssize_t		got = link_child_read(child, at, size);

		if (got < 0 && errno == ETIMEDOUT)
			fail(session, ERRCODE_LINK_UNREACHABLE,
				 psprintf("The key distribution centers gave no ticket within %d ms.", timeout));
		if (got <= 0)
			fail(session, ERRCODE_LINK_FAILED, "The process that asks for a ticket has failed.");
		at += got;
		size -= got;
	}
}

static void
drop_ticket(Ticket *ticket)
{
	OM_uint32	minor;

	if (ticket->credential != GSS_C_NO_CREDENTIAL)
		(void) gss_release_cred(&minor, &ticket->credential);
	if (ticket->service != GSS_C_NO_NAME)
		(void) gss_release_name(&minor, &ticket->service);
	memset(ticket, 0, sizeof(*ticket));
}

/* The one for this host, or NULL. */
static Ticket *
find_ticket(LinkHdfsSession *session, const char *host)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < TICKETS; i++)
	{
		Ticket	   *ticket = &tickets[i];

		if (ticket->link_id != session->base.link_id || ticket->link_version != session->base.link_version ||
			strcmp(ticket->host, host) != 0 || now >= ticket->until)
			continue;
		ticket->used = now;
		return ticket;
	}
	return NULL;
}

/* Ask for one, in place of the one that was not used for the longest time. */
static Ticket *
fetch_ticket(LinkHdfsSession *session, const char *host, int timeout)
{
	const LinkOptions *options = session->base.options;
	gss_key_value_element_desc elements[] = {
		{"client_keytab", psprintf("FILE:%s", link_option_string(options, "kerberos_keytab", ""))},
		{"ccache", "MEMORY:link"},	/* of the child, where it is empty */
	};
	gss_key_value_set_desc store = {lengthof(elements), elements};
	Errand		errand = {&store, unconstify(char *, link_option_string(options, "kerberos_principal", "")),
						  psprintf("HTTP@%s", host)};
	Ticket	   *ticket = &tickets[0];
	LinkChild  *child;
	Report		report;
	char		name[MAX_NAME + 1];
	gss_buffer_desc credential;
	OM_uint32	major;
	OM_uint32	minor;

	if (timeout <= 0)
		timeout = link_option_integer(options, "connect_timeout", link_connect_timeout);
	child = link_child_start("a process that asks for a Kerberos ticket", run, &errand, NULL, timeout, wait_event());
	receive(session, child, timeout, &report, sizeof(report));
	if (report.name > MAX_NAME || report.credential > MAX_CREDENTIAL)
		fail(session, ERRCODE_LINK_PROTOCOL, "The ticket is too large.");
	receive(session, child, timeout, name, report.name);
	name[report.name] = '\0';
	if (GSS_ERROR(report.major))
		library_failed(session, report.minor, name, report.name);
	credential.length = report.credential;
	credential.value = palloc(report.credential + 1);
	receive(session, child, timeout, credential.value, credential.length);

	for (int i = 0; i < TICKETS; i++)
		if (tickets[i].used < ticket->used)
			ticket = &tickets[i];
	drop_ticket(ticket);
	major = gss_import_cred(&minor, &credential, &ticket->credential);
	explicit_bzero(credential.value, credential.length);
	check(session, major, minor);
	(void) import_name(&major, &minor, name, (gss_OID) GSS_KRB5_NT_PRINCIPAL_NAME, &ticket->service);
	check(session, major, minor);

	/* in the second half of its life the library would ask for another one, by itself */
	report.seconds /= 2;
	ticket->link_id = session->base.link_id;
	ticket->link_version = session->base.link_version;
	strlcpy(ticket->host, host, sizeof(ticket->host));
	ticket->used = GetCurrentTimestamp();
	ticket->until = ticket->used +
		(int64) Min(report.seconds - Min(report.seconds / 4, TICKET_MARGIN), TICKET_MAX_USE) * USECS_PER_SEC;
	return ticket;
}

typedef struct Negotiation
{
	MemoryContextCallback callback;
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
}

void
link_hdfs_need_ticket(LinkHdfsSession *session, const char *host, int timeout)
{
	MemoryContext context;
	MemoryContext caller;

	if (find_ticket(session, host) != NULL)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "link Kerberos", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	(void) fetch_ticket(session, host, timeout);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

void
link_hdfs_negotiate(LinkHdfsSession *session, LinkHttpRequest *request, const char *host)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link SPNEGO", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Negotiation *n = palloc0(sizeof(Negotiation));
	Ticket	   *ticket = find_ticket(session, host);
	OM_uint32	major;
	OM_uint32	minor;
	char	   *value;
	int			size;
	int			len;

	if (ticket == NULL && session->quiet)
		fail(session, ERRCODE_LINK_BAD_CREDENTIALS, "There is no ticket at hand.");
	if (ticket == NULL)
		ticket = fetch_ticket(session, host, 0);

	n->callback.func = release;
	n->callback.arg = n;
	MemoryContextRegisterResetCallback(context, &n->callback);
	major = gss_init_sec_context(&minor, ticket->credential, &n->context, ticket->service, &spnego,
								 0, 0, GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL, &n->token, NULL, NULL);
	check(session, major, minor);

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
