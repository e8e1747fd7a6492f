/*-------------------------------------------------------------------------
 *
 * hygiene.c
 *	  Keeping typed credentials out of the server log, of pg_stat_activity and
 *	  of what other extensions keep of a statement's text.
 *
 * Which texts are sensitive is decided in hygiene_text.c.  So is EXECUTE of a
 * prepared statement whose text is, and from that moment on a statement in which
 * a sensitive one runs (a function that wraps ours).
 *
 * Three things are done about it:
 *
 * - Log lines and errors of a sensitive statement lose STATEMENT, CONTEXT and
 *   every text that is not ours.  Of messages the format remains, which is
 *   constant text of the program, with "..." for its values: "syntax error at or
 *   near "..."".  (Field by field: see hygiene_emit_log.)
 * - pg_stat_activity shows LINK_LEFT_OUT from the first hook on that runs.
 * - Whoever comes after us in planning, execution and utility commands
 *   (pg_stat_statements, auto_explain, parallel workers) is given a text of the
 *   same length that says no more than LINK_LEFT_OUT.
 *
 * What all of this cannot reach is listed in the README.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "storage/ipc.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"
#include "utils/portal.h"

#include "errors.h"
#include "guc.h"
#include "hygiene.h"
#include "hygiene_text.h"
#include "statement/copy.h"

static const char *preload = "no";

static emit_log_hook_type prev_emit_log = NULL;
static post_parse_analyze_hook_type prev_post_parse_analyze = NULL;
static planner_hook_type prev_planner = NULL;
static ExecutorStart_hook_type prev_executor_start = NULL;
static ProcessUtility_hook_type prev_utility = NULL;

/*
 * The statement that the client sent, in this process.  It is asked at every
 * log line, so the answer is kept as long as text and statement are the same.
 */
static bool
statement_is_sensitive(void)
{
	static const char *judged_text = NULL;
	static TimestampTz judged_statement = 0;
	static bool judgement = false;
	TimestampTz statement = GetCurrentStatementStartTimestamp();

	if (debug_query_string == NULL)
		return false;
	if (judged_text != debug_query_string || judged_statement != statement || statement == 0)
	{
		judgement = link_text_is_sensitive(debug_query_string) ||
			link_text_executes_sensitive(debug_query_string);
		judged_text = debug_query_string;
		judged_statement = statement;
	}
	return judgement;
}

/*
 * A text on its way through the server: of the statement that the client sent,
 * or of one within it, which may hold what that one does.  The install script
 * names our functions, and what goes wrong in it should be readable.
 */
static bool
text_is_sensitive(const char *text)
{
	if (creating_extension)
		return false;
	return statement_is_sensitive() || link_text_is_sensitive(text);
}

/*
 * The running statement is sensitive, whatever its own text looks like.  For
 * the rest of it, core knows no other text than ours either, and gives that to
 * parallel workers.  At each message of the extended protocol core shows the
 * text anew, so this is repeated as often as a hook sees it.
 */
static void
mark_statement(void)
{
	uint64		query_id;

	/* no statement, as in a function call of the fast path: nothing is shown */
	if (debug_query_string == NULL)
		return;
	debug_query_string = LINK_LEFT_OUT;
	query_id = pgstat_get_my_query_id();
	pgstat_report_activity(STATE_RUNNING, LINK_LEFT_OUT);
	if (query_id != 0)
		pgstat_report_query_id(query_id, true);
}

/*
 * What is handed on instead of a sensitive text.  It is as long, because others
 * cut the statement at 'location' out of it, and count error positions in it.
 */
static char *
left_out_text(MemoryContext context, const char *text, int location)
{
	static const char word[] = LINK_LEFT_OUT_WORD;
	Size		len = strlen(text);
	Size		start = location > 0 && location < len ? location : 0;
	Size		size = Max(len, start + strlen(word));
	char	   *result = MemoryContextAllocHuge(context, size + 1);

	memset(result, ' ', size);
	memcpy(result + start, word, strlen(word));
	result[size] = '\0';
	return result;
}

/*
 * The log.
 */

/*
 * The message without its values.  Its format is constant text, unlike what
 * was filled in; core leaves it NULL where it does not know it.
 */
static char *
message_without_values(const ErrorData *edata)
{
	const char *format = edata->message_id ? dgettext(edata->domain, edata->message_id) : "%s";
	bool		left_out = false;
	bool		after_value = false;
	StringInfoData out;

	initStringInfo(&out);
	for (const char *p = format; *p; p++)
	{
		if (p[0] == '%' && p[1] != '%')
		{
			/* flags, width, precision, position and length; then the conversion */
			p += 1 + strspn(p + 1, "0123456789-+ #'.*$hlLqjzt");
			if (!after_value)
				appendStringInfoString(&out, "...");
			left_out = after_value = true;
			if (*p == '\0')
				break;
			continue;
		}
		if (*p == '%')
			p++;
		appendStringInfoChar(&out, *p);
		after_value = false;
	}
	if (left_out)
		appendStringInfoString(&out, " (" LINK_LEFT_OUT ")");
	return out.data;
}

/* Core pfree()s the fields of a log line, so they have to be palloc'd, or NULL. */
static void
replace_text(char **field, char *text)
{
	if (*field)
		pfree(*field);
	*field = text;
}

static void
leave_out(char **field, bool sensitive)
{
	if (*field && (sensitive || link_text_is_sensitive(*field)))
		replace_text(field, sensitive ? NULL : pstrdup(LINK_LEFT_OUT));
}

/*
 * Blank what may hold credentials.
 *
 * Of a sensitive statement that is every text but our own message, detail and
 * hint, which hold none by construction (errors.h).  The same if a sensitive
 * statement is named as the place of the error: it failed before any other hook
 * could see it.  Elsewhere it is just the field with the marker, such as the
 * postmaster's "Failed process was running" or a deadlock's list of statements.
 *
 * This runs before others who want to see log lines; those loaded after us
 * come first.
 */
static void
hygiene_emit_log(ErrorData *edata)
{
	MemoryContext oldcontext = MemoryContextSwitchTo(edata->assoc_context);
	bool		ours = edata->domain && strcmp(edata->domain, LINK_TEXTDOMAIN) == 0;
	bool		sensitive = link_text_is_sensitive(edata->context) ||
		link_text_is_sensitive(edata->internalquery);

	/*
	 * While a process exits, the statement's text may be gone already (it was in
	 * shared memory, in a parallel worker), so it must not be looked at.
	 */
	if (proc_exit_inprogress)
		edata->hide_stmt = true;
	else if (sensitive || statement_is_sensitive())
	{
		sensitive = true;
		mark_statement();
	}

	if (sensitive)
	{
		edata->hide_stmt = true;
		edata->hide_ctx = true;
		edata->internalpos = 0;
	}
	leave_out(&edata->context, sensitive);
	leave_out(&edata->internalquery, sensitive);
	leave_out(&edata->backtrace, sensitive);
	if (!ours)
	{
		if (sensitive || link_text_is_sensitive(edata->message))
			replace_text(&edata->message, message_without_values(edata));
		leave_out(&edata->detail, sensitive);
		leave_out(&edata->detail_log, sensitive);
		leave_out(&edata->hint, sensitive);
	}
	MemoryContextSwitchTo(oldcontext);

	if (prev_emit_log)
		prev_emit_log(edata);
}

/*
 * The way of a statement: analysis, planning, execution or utility command.
 */

static void
hygiene_post_parse_analyze(ParseState *pstate, Query *query, JumbleState *jstate)
{
	const char *text = pstate->p_sourcetext;

	if (text_is_sensitive(text))
	{
		mark_statement();
		if (prev_post_parse_analyze)
			pstate->p_sourcetext = left_out_text(CurrentMemoryContext, text, query->stmt_location);
	}
	if (prev_post_parse_analyze)
		prev_post_parse_analyze(pstate, query, jstate);
	pstate->p_sourcetext = text;
}

/* A cached plan that is made again comes by here only. */
static PlannedStmt *
hygiene_planner(Query *parse, const char *query_string, int cursor_options, ParamListInfo params)
{
	if (text_is_sensitive(query_string))
	{
		mark_statement();
		query_string = left_out_text(CurrentMemoryContext, query_string, parse->stmt_location);
	}
	if (prev_planner)
		return prev_planner(parse, query_string, cursor_options, params);
	return standard_planner(parse, query_string, cursor_options, params);
}

/*
 * Where the portal was given the same text, it gets the new one too: core shows
 * and logs it at each Execute message, and pg_cursors lists it.
 */
static void
hygiene_executor_start(QueryDesc *desc, int eflags)
{
	const char *text = desc->sourceText;

	if (text_is_sensitive(text))
	{
		int			location = desc->plannedstmt->stmt_location;

		mark_statement();
		if (ActivePortal && ActivePortal->sourceText == text)
		{
			desc->sourceText = left_out_text(ActivePortal->portalContext, text, location);
			ActivePortal->sourceText = desc->sourceText;
		}
		else
			desc->sourceText = left_out_text(GetMemoryChunkContext(desc), text, location);
	}
	if (prev_executor_start)
		prev_executor_start(desc, eflags);
	else
		standard_ExecutorStart(desc, eflags);
}

/* Core uses a utility command's text for error positions, and keeps it for PREPARE and DECLARE. */
static void
hygiene_utility(PlannedStmt *pstmt, const char *query_string, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	if (text_is_sensitive(query_string) ||
		(!creating_extension && link_text_executes_sensitive(query_string)))
	{
		mark_statement();
		query_string = left_out_text(CurrentMemoryContext, query_string, pstmt->stmt_location);
	}

	/* the library's one hook here: COPY of links is no command for those that follow */
	if (link_is_copy(pstmt))
		link_copy(pstmt, query_string, read_only_tree, completion);
	else if (prev_utility)
		prev_utility(pstmt, query_string, read_only_tree, context, params, environment, dest, completion);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree, context, params, environment, dest, completion);
}

/*
 * Start, and what others ask.
 */

void
link_hygiene_init(void)
{
	link_markers_init();

	/* libraries of session_preload_libraries and its kin are loaded while a backend initializes */
	if (process_shared_preload_libraries_in_progress)
		preload = "shared";
	else if (IsInitProcessingMode())
		preload = "session";

	prev_emit_log = emit_log_hook;
	emit_log_hook = hygiene_emit_log;
	prev_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = hygiene_post_parse_analyze;
	prev_planner = planner_hook;
	planner_hook = hygiene_planner;
	prev_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = hygiene_executor_start;
	prev_utility = ProcessUtility_hook;
	ProcessUtility_hook = hygiene_utility;
}

const char *
link_hygiene_preload(void)
{
	return preload;
}

void
link_hygiene_require(void)
{
	static bool warned = false;

	mark_statement();
	if (strcmp(preload, "no") != 0)
		return;
	if (link_require_hygiene)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("credentials are refused while library \"link\" is not preloaded"),
				 errdetail("link.require_hygiene is on, and the server log may show this statement."),
				 errhint("Set session_preload_libraries = 'link' and connect again.")));
	if (!warned)
		ereport(WARNING,
				(errmsg("the server log may show credentials that are typed in this session"),
				 errdetail("Library \"link\" is not preloaded."),
				 errhint("Set session_preload_libraries = 'link' and connect again.")));
	warned = true;
}
