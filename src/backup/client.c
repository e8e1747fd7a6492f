/*-------------------------------------------------------------------------
 *
 * client.c
 *	  A connection of our own to this server, by libpq.
 *
 * Never blocks: it waits on the latch and the socket, so that a cancel comes
 * through, and the server's part of it ends when the connection is closed.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <libpq-fe.h>

#include "libpq/libpq.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "backup/client.h"
#include "errors.h"
#include "guc.h"

struct LinkClient
{
	MemoryContextCallback callback;
	PGconn	   *connection;
	bool		reserved;		/* by AcquireExternalFD() */
	bool		busy;			/* a statement has been sent, and its end not seen */
};

/* The value in a conninfo string. */
static void
append_value(StringInfo to, const char *name, const char *value)
{
	appendStringInfo(to, "%s%s='", to->len > 0 ? " " : "", name);
	for (const char *p = value; *p; p++)
	{
		if (*p == '\'' || *p == '\\')
			appendStringInfoChar(to, '\\');
		appendStringInfoChar(to, *p);
	}
	appendStringInfoChar(to, '\'');
}

/* The first of unix_socket_directories, or where there is none the loopback. */
static char *
own_host(void)
{
	List	   *directories;
	char	   *list = pstrdup(Unix_socket_directories);

	if (SplitDirectoriesString(list, ',', &directories) && directories != NIL)
		return linitial(directories);
	return pstrdup("localhost");
}

char *
link_client_conninfo(const char *database)
{
	StringInfoData conninfo;

	initStringInfo(&conninfo);
	if (link_backup_conninfo[0] != '\0')
		appendStringInfoString(&conninfo, link_backup_conninfo);
	else
	{
		append_value(&conninfo, "host", own_host());
		append_value(&conninfo, "port", psprintf("%d", PostPortNumber));
	}
	append_value(&conninfo, "dbname", database);
	append_value(&conninfo, "client_encoding", GetDatabaseEncodingName());
	append_value(&conninfo, "application_name", "link backup");
	return conninfo.data;
}

const char *
link_client_conninfo_problem(const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	const char *problem = NULL;

	if (options == NULL)
		return "It is no connection string.";
	for (PQconninfoOption *option = options; option->keyword; option++)
	{
		if (option->val == NULL)
			continue;
		if (strcmp(option->keyword, "password") == 0)
			problem = "A password is read from a file: use passfile.";
		else if (strcmp(option->keyword, "dbname") == 0)
			problem = "The database is that of the command.";
	}
	PQconninfoFree(options);
	return problem;
}

/* The server does not look at a connection while it is at work. */
static void
cancel(PGconn *connection)
{
	PGcancel   *request = PQgetCancel(connection);
	char		problem[256];

	if (request)
		(void) PQcancel(request, problem, sizeof(problem));
	PQfreeCancel(request);
}

/* Reset callback: on success, error and abort. */
static void
release(void *arg)
{
	LinkClient *client = arg;

	if (client->busy)
		cancel(client->connection);
	client->busy = false;
	PQfinish(client->connection);
	client->connection = NULL;
	if (client->reserved)
		ReleaseExternalFD();
	client->reserved = false;
}

static void
wait_for(LinkClient *client, int events)
{
	(void) WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | events,
							 PQsocket(client->connection), -1, link_wait_event("LinkBackupClient"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

LINK_NORETURN static void
lost(LinkClient *client)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("the connection to this server was lost"),
			 errdetail("%s", link_printable(PQerrorMessage(client->connection),
											strlen(PQerrorMessage(client->connection))))));
}

LinkClient *
link_client_open(const char *conninfo)
{
	/* whatever the database or the role has */
	static const char *const settings[] = {
		"search_path = pg_catalog",
		"default_transaction_read_only = off",
		"default_transaction_isolation = 'read committed'",
		"statement_timeout = 0",
		"lock_timeout = 0",
		"idle_in_transaction_session_timeout = 0",
		"idle_session_timeout = 0",
		"row_security = off",
		"lc_monetary = 'C'",
	};
	LinkClient *client = palloc0(sizeof(LinkClient));
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	const char *role = quote_identifier(GetUserNameFromId(GetUserId(), false));

	client->callback.func = release;
	client->callback.arg = client;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &client->callback);
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files"),
				 errhint("Raise max_files_per_process, or the limit of the operating system.")));
	client->reserved = true;
	client->connection = PQconnectStart(conninfo);
	while (client->connection && PQstatus(client->connection) != CONNECTION_BAD && status != PGRES_POLLING_OK)
	{
		wait_for(client, status == PGRES_POLLING_READING ? WL_SOCKET_READABLE : WL_SOCKET_WRITEABLE);
		status = PQconnectPoll(client->connection);
		if (status == PGRES_POLLING_FAILED)
			break;
	}
	if (client->connection == NULL || status != PGRES_POLLING_OK)
	{
		const char *message = client->connection ? PQerrorMessage(client->connection) : "out of memory";

		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNREACHABLE),
				 errmsg("could not connect to this server: %s", link_printable(message, strlen(message))),
				 errhint("The user that the server runs as needs to get in as a superuser, over the Unix socket or as link.backup_conninfo says.")));
	}
	if (PQsetnonblocking(client->connection, 1) != 0)
		lost(client);
	link_client_run(client, psprintf("SET ROLE %s", role));
	for (int i = 0; i < lengthof(settings); i++)
		link_client_run(client, psprintf("SET %s", settings[i]));
	return client;
}

void
link_client_close(LinkClient *client)
{
	release(client);
}

static PGresult *
next_result(LinkClient *client)
{
	while (PQisBusy(client->connection))
	{
		wait_for(client, WL_SOCKET_READABLE);
		if (PQconsumeInput(client->connection) == 0)
			lost(client);
	}
	return PQgetResult(client->connection);
}

static char *
field(const PGresult *result, int code)
{
	const char *text = PQresultErrorField(result, code);

	return text ? pstrdup(text) : NULL;
}

/* The server's error becomes ours. */
LINK_NORETURN static void
rethrow(PGresult *result)
{
	char	   *sqlstate = field(result, PG_DIAG_SQLSTATE);
	char	   *message = field(result, PG_DIAG_MESSAGE_PRIMARY);
	char	   *detail = field(result, PG_DIAG_MESSAGE_DETAIL);
	char	   *hint = field(result, PG_DIAG_MESSAGE_HINT);
	char	   *context = field(result, PG_DIAG_CONTEXT);

	PQclear(result);
	ereport(ERROR,
			(errcode(sqlstate ? MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4]) :
					 ERRCODE_CONNECTION_FAILURE),
			 errmsg_internal("%s", message ? message : "the connection to this server was lost"),
			 detail ? errdetail_internal("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0,
			 context ? errcontext("%s", context) : 0));
}

/* Until the answer to a statement is complete; 'take' is given its rows.  The error, or NULL. */
static PGresult *
finish(LinkClient *client, void (*take) (void *arg, const PGresult *result), void *arg)
{
	PGresult   *failure = NULL;
	PGresult   *result;

	while ((result = next_result(client)) != NULL)
	{
		ExecStatusType status = PQresultStatus(result);

		if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && failure == NULL)
		{
			failure = result;
			continue;
		}
		if (status == PGRES_TUPLES_OK && take)
			take(arg, result);
		PQclear(result);
	}
	client->busy = false;
	return failure;
}

void
link_client_send(LinkClient *client, const char *sql)
{
	int			left;

	if (PQsendQuery(client->connection, sql) == 0)
		lost(client);
	client->busy = true;
	while ((left = PQflush(client->connection)) > 0)
		wait_for(client, WL_SOCKET_WRITEABLE);
	if (left < 0)
		lost(client);
}

void
link_client_await(LinkClient *client)
{
	PGresult   *failure = finish(client, NULL, NULL);

	if (failure)
		rethrow(failure);
}

void
link_client_run(LinkClient *client, const char *sql)
{
	link_client_send(client, sql);
	link_client_await(client);
}

char *
link_client_try(LinkClient *client, const char *sql)
{
	PGresult   *failure;
	char	   *message;

	link_client_send(client, sql);
	failure = finish(client, NULL, NULL);
	if (failure == NULL)
		return NULL;
	message = field(failure, PG_DIAG_MESSAGE_PRIMARY);
	/* one of libpq's own is about the connection */
	if (message == NULL)
		rethrow(failure);
	PQclear(failure);
	return message;
}

static void
take_texts(void *arg, const PGresult *result)
{
	List	  **texts = arg;

	for (int i = 0; i < PQntuples(result); i++)
		*texts = lappend(*texts, pstrdup(PQgetvalue(result, i, 0)));
}

List *
link_client_texts(LinkClient *client, const char *sql)
{
	List	   *texts = NIL;
	PGresult   *failure;

	link_client_send(client, sql);
	failure = finish(client, take_texts, &texts);
	if (failure)
		rethrow(failure);
	return texts;
}
