/*-------------------------------------------------------------------------
 *
 * use.c
 *	  What is kept of every use of a link.
 *
 * The uses that run in this process are a list from the innermost out.  Each is
 * taken off it by link_use_end() or, in the PG_CATCH of its verb, by
 * link_use_fail(); whichever error unwinds the stack passes there, and the error
 * data are still at hand.  What ends the process without unwinding (FATAL) is
 * seen when it exits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "bounds.h"
#include "catalog/stats.h"
#include "catalog/use.h"
#include "errors.h"
#include "guc.h"

/* A value of these characters alone is not quoted in the log. */
#define PLAIN_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.*-"

static const struct
{
	const char *name;
	LinkLogUse	level;			/* of link.log_use, from which on it is logged */
	bool		counted;		/* it is not about the link but through it */
}			verbs[] = {
	[LINK_VERB_CREATE_LINK] = {"create_link", LINK_LOG_USE_DDL},
	[LINK_VERB_ALTER_LINK] = {"alter_link", LINK_LOG_USE_DDL},
	[LINK_VERB_RENAME_LINK] = {"rename_link", LINK_LOG_USE_DDL},
	[LINK_VERB_SET_LINK_SCHEMA] = {"set_link_schema", LINK_LOG_USE_DDL},
	[LINK_VERB_SET_LINK_OWNER] = {"set_link_owner", LINK_LOG_USE_DDL},
	[LINK_VERB_DROP_LINK] = {"drop_link", LINK_LOG_USE_DDL},
	[LINK_VERB_CREATE_PIPELINE] = {"create_pipeline", LINK_LOG_USE_DDL},
	[LINK_VERB_ALTER_PIPELINE] = {"alter_pipeline", LINK_LOG_USE_DDL},
	[LINK_VERB_DROP_PIPELINE] = {"drop_pipeline", LINK_LOG_USE_DDL},
	[LINK_VERB_START_PIPELINE] = {"start_pipeline", LINK_LOG_USE_DDL},
	[LINK_VERB_STOP_PIPELINE] = {"stop_pipeline", LINK_LOG_USE_DDL},
	[LINK_VERB_GRANT_PRIVILEGE] = {"grant_privilege", LINK_LOG_USE_DDL},
	[LINK_VERB_REVOKE_PRIVILEGE] = {"revoke_privilege", LINK_LOG_USE_DDL},
	[LINK_VERB_ADD_MASTER_KEY] = {"add_master_key", LINK_LOG_USE_DDL},
	[LINK_VERB_RETIRE_MASTER_KEY] = {"retire_master_key", LINK_LOG_USE_DDL},
	[LINK_VERB_RESEAL] = {"reseal", LINK_LOG_USE_DDL},
	[LINK_VERB_SELECT_INTO] = {"select_into", LINK_LOG_USE_WRITE, true},
	[LINK_VERB_BACKUP] = {"backup_database", LINK_LOG_USE_WRITE, true},
	[LINK_VERB_RESTORE] = {"restore_database", LINK_LOG_USE_WRITE, true},
	[LINK_VERB_DROP_BACKUP] = {"drop_backup", LINK_LOG_USE_WRITE, true},
	[LINK_VERB_WRITE_FILE] = {"write_file", LINK_LOG_USE_WRITE, true},
	[LINK_VERB_REMOVE_FILE] = {"remove_file", LINK_LOG_USE_WRITE, true},
	[LINK_VERB_ABORT_UPLOADS] = {"abort_uploads", LINK_LOG_USE_WRITE, true},
	[LINK_VERB_CHECK_LINK_PATH] = {"check_link", LINK_LOG_USE_WRITE, true},
	[LINK_VERB_CHECK_LINK] = {"check_link", LINK_LOG_USE_ALL, true},
	[LINK_VERB_TEST_PIPELINE] = {"test_pipeline", LINK_LOG_USE_ALL, true},
	[LINK_VERB_LOAD_DATA] = {"load_data", LINK_LOG_USE_ALL, true},
	[LINK_VERB_SELECT_FROM] = {"select_from", LINK_LOG_USE_ALL, true},
	[LINK_VERB_VERIFY_BACKUP] = {"verify_backup", LINK_LOG_USE_ALL, true},
	[LINK_VERB_LIST_BACKUPS] = {"list_backups", LINK_LOG_USE_ALL, true},
	[LINK_VERB_READ_FILE] = {"read_file", LINK_LOG_USE_ALL, true},
	[LINK_VERB_LIST_FILES] = {"list_files", LINK_LOG_USE_ALL, true},
};

static LinkUse *active = NULL;

/*
 * The log.
 */

/*
 * One value, on one line whatever it holds.  In quotes, quotes and backslashes
 * have a backslash before them.
 */
static void
append_value(StringInfo line, const char *text, bool quoted)
{
	const char *end = text + strnlen(text, LINK_MAX_PATH);

	if (!quoted && *text != '\0' && strspn(text, PLAIN_CHARACTERS) == end - text)
	{
		appendBinaryStringInfo(line, text, end - text);
		return;
	}
	appendStringInfoChar(line, '"');
	while (text < end)
	{
		Size		len = Min(strcspn(text, "\"\\"), end - text);

		appendStringInfoString(line, link_printable(text, len));
		text += len;
		if (text < end)
		{
			appendStringInfoChar(line, '\\');
			appendStringInfoChar(line, *text++);
		}
	}
	appendStringInfoChar(line, '"');
}

/*
 * To the log alone: a client that asks for LOG messages would learn more than
 * the error tells, such as which links exist.  The statement may be anything
 * and the context is of no use, so neither is added.
 */
static void
log_use(const LinkUse *use, const LinkHttpCounts *counts, double ms, int sqlstate)
{
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfoString(&line, "role=");
	append_value(&line, use->role, false);
	appendStringInfoString(&line, " session=");
	append_value(&line, use->session_role, false);
	appendStringInfoString(&line, " link=");
	append_value(&line, use->link, false);
	appendStringInfo(&line, " verb=%s path=", verbs[use->verb].name);
	append_value(&line, use->path ? use->path : "", true);
	appendStringInfo(&line, " rows=" UINT64_FORMAT " bytes=" UINT64_FORMAT " ms=%.1f outcome=%s",
					 use->rows, use->bytes, ms, sqlstate ? unpack_sql_state(sqlstate) : "ok");
	if (use->detail)
	{
		appendStringInfoString(&line, " detail=");
		append_value(&line, use->detail, true);
	}
	if (counts->request_id[0] != '\0')
	{
		appendStringInfoString(&line, " request_id=");
		append_value(&line, counts->request_id, false);
	}
	ereport(LOG_SERVER_ONLY,
			(errmsg_internal("link use: %s", line.data),
			 errhidestmt(true),
			 errhidecontext(true)));
	pfree(line.data);
}

/*
 * Ends.
 */

/* 'message' may be NULL. */
static void
count_use(const LinkUse *use, const LinkHttpCounts *counts, int sqlstate, const char *message)
{
	LinkStats	stats = {0};

	stats.uses = 1;
	stats.rows = use->rows;
	stats.bytes = use->bytes;
	stats.requests = counts->requests;
	stats.retries = counts->retries;
	stats.last_use = GetCurrentTimestamp();
	if (sqlstate)
	{
		stats.errors = 1;
		stats.last_sqlstate = sqlstate;
	}
	if (message)
	{
		char	   *text = link_printable(message, strlen(message));

		text[pg_mbcliplen(text, strlen(text), sizeof(stats.last_error) - 1)] = '\0';
		strlcpy(stats.last_error, text, sizeof(stats.last_error));
	}
	link_stats_add(use->link_id, &stats);
}

/*
 * Only our own messages: they hold no credentials and were scrubbed, while
 * those of others show values of the rows that were moved.
 */
static char *
own_message(const ErrorData *error)
{
	return link_error_is_ours(error) ? error->message : NULL;
}

/* Off the list, before anything else: what follows may throw. */
static LinkHttpCounts
leave(LinkUse *use)
{
	LinkHttpCounts counts = link_http_counts;

	Assert(active == use);
	active = use->outer;
	link_http_counts = use->outer_counts;
	return counts;
}

/* The use is off the list; its texts' context is current. */
static void
keep(const LinkUse *use, const LinkHttpCounts *counts, int sqlstate, const char *message)
{
	instr_time	elapsed;

	if (use->link == NULL)
		return;
	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, use->start);
	if (use->link_id != 0 && verbs[use->verb].counted)
		count_use(use, counts, sqlstate, message);
	if (use->role)
		log_use(use, counts, INSTR_TIME_GET_MILLISEC(elapsed), sqlstate);
}

void
link_use_end(LinkUse *use)
{
	LinkHttpCounts counts = leave(use);
	MemoryContext caller = MemoryContextSwitchTo(use->context);

	keep(use, &counts, use->sqlstate, use->message);
	MemoryContextSwitchTo(caller);
}

void
link_use_fail(LinkUse *use)
{
	LinkHttpCounts counts = leave(use);
	MemoryContext caller = MemoryContextSwitchTo(use->context);
	ErrorData  *error = CopyErrorData();

	/* a log line looks for a cancel, which would take the error's place */
	HOLD_INTERRUPTS();
	keep(use, &counts, error->sqlerrcode, own_message(error));
	RESUME_INTERRUPTS();
	FreeErrorData(error);
	MemoryContextSwitchTo(caller);
}

/*
 * before_shmem_exit: the session was ended, by an administrator for all we can
 * see, in the middle of these.
 */
static void
end_with_session(int code, Datum arg)
{
	while (active)
	{
		LinkUse    *use = active;
		LinkHttpCounts counts = leave(use);

		MemoryContextSwitchTo(use->context);
		keep(use, &counts, ERRCODE_ADMIN_SHUTDOWN, NULL);
	}
}

/*
 * The way of a use.
 */

void
link_use_begin(LinkUse *use, LinkVerb verb, const char *path)
{
	static bool registered = false;

	if (!registered)
	{
		before_shmem_exit(end_with_session, (Datum) 0);
		registered = true;
	}
	memset(use, 0, sizeof(*use));
	use->outer = active;
	use->outer_counts = link_http_counts;
	use->context = CurrentMemoryContext;
	use->verb = verb;
	use->path = path;
	INSTR_TIME_SET_CURRENT(use->start);

	memset(&link_http_counts, 0, sizeof(link_http_counts));
	active = use;
}

/* The roles too, which cannot be looked up any more once the use has failed. */
static void
set_link(int64 id, const char *name)
{
	LinkUse    *use = active;
	MemoryContext caller = MemoryContextSwitchTo(use->context);

	if (link_log_use >= verbs[use->verb].level)
	{
		use->session_role = GetUserNameFromId(GetSessionUserId(), true);
		use->role = GetUserNameFromId(GetUserId(), true);
		if (use->session_role == NULL)
			use->session_role = pstrdup("");
		if (use->role == NULL)
			use->role = pstrdup("");
	}
	use->link_id = id;
	use->link = pstrdup(name);
	MemoryContextSwitchTo(caller);
}

void
link_use_found(const LinkRow *row)
{
	if (active && active->link == NULL)
		set_link(row->id, link_qualified_name(row));
}

void
link_use_found_name(const char *name)
{
	if (active && active->link == NULL)
		set_link(0, name);
}

void
link_use_detail(const char *format,...)
{
	MemoryContext caller;
	StringInfoData text;
	int			needed;

	if (active == NULL)
		return;
	caller = MemoryContextSwitchTo(active->context);
	initStringInfo(&text);
	do
	{
		va_list		args;

		va_start(args, format);
		needed = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (needed > 0)
			enlargeStringInfo(&text, needed);
	} while (needed > 0);
	active->detail = text.data;
	MemoryContextSwitchTo(caller);
}

void
link_use_moved(uint64 rows, uint64 bytes)
{
	if (active == NULL)
		return;
	active->rows += rows;
	active->bytes += bytes;
}

void
link_use_caught(const ErrorData *error)
{
	if (active == NULL)
		return;
	active->sqlstate = error->sqlerrcode;
	active->message = own_message(error) ?
		MemoryContextStrdup(active->context, error->message) : NULL;
}
