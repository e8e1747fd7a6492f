/*-------------------------------------------------------------------------
 *
 * orphans.c
 *	  Uploads that their sessions left behind: taking them back, counting them.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "catalog/privileges.h"
#include "catalog/use.h"
#include "errors.h"
#include "provider/journal.h"
#include "provider/provider.h"
#include "transfer/orphans.h"
#include "transfer/verb.h"

static void
report(List **orphans, const LinkRecord *record, const LinkRow *row, char *outcome)
{
	LinkOrphan *orphan = palloc0(sizeof(LinkOrphan));

	orphan->started = DT_NOBEGIN;
	if (record->state != LINK_RECORD_UNREADABLE)
	{
		orphan->path = link_printable(record->path, strlen(record->path));
		orphan->started = record->started;
	}
	if (row)
		orphan->link = link_qualified_name(row);
	orphan->outcome = outcome;
	*orphans = lappend(*orphans, orphan);
}

/*
 * One link.
 */

typedef struct Opening
{
	const LinkRow *row;
	LinkSession *session;
} Opening;

static void
open_step(void *arg)
{
	Opening    *opening = arg;

	opening->session = link_open(opening->row);
}

static char *
outcome_text(LinkReapOutcome outcome, const char *detail)
{
	switch (outcome)
	{
		case LINK_REAP_ABORTED:
			return pstrdup("aborted");
		case LINK_REAP_NOTHING:
			return pstrdup("nothing left");
		case LINK_REAP_IN_DOUBT:
			return psprintf("in doubt: %s", detail);
		case LINK_REAP_FAILED:
			break;
	}
	return psprintf("failed: %s", detail);
}

/* One session for all of them: what cannot be opened once need not be tried again. */
static void
abort_of_link(const LinkRow *row, List *records, List **orphans)
{
	Opening		opening = {row};
	ErrorData  *error = link_attempt(open_step, &opening);
	ListCell   *cell;

	if (error)
		link_use_caught(error);
	foreach(cell, records)
	{
		const LinkRecord *record = lfirst(cell);
		LinkReapOutcome outcome = LINK_REAP_FAILED;
		const char *detail = NULL;

		CHECK_FOR_INTERRUPTS();
		if (error)
			detail = error->message;
		else if (opening.session->provider->ops->reap == NULL)
			detail = "the provider of the link cannot";
		else
			outcome = link_reap(opening.session, record, LINK_REAP_TIMEOUT, &detail);

		/* another session was quicker */
		if (outcome == LINK_REAP_FAILED && detail == NULL)
			continue;
		report(orphans, record, row, outcome_text(outcome, detail));
	}
	if (opening.session)
		link_close(opening.session);
}

/*
 * All of them.
 */

/* What is left of 'records' after those of this link and this database, which go to *of_link. */
static List *
take_of_link(List *records, int64 link_id, List **of_link)
{
	List	   *rest = NIL;
	ListCell   *cell;

	*of_link = NIL;
	foreach(cell, records)
	{
		LinkRecord *record = lfirst(cell);

		if (record->state == LINK_RECORD_ORPHAN && record->database == MyDatabaseId &&
			record->link_id == link_id)
			*of_link = lappend(*of_link, record);
		else
			rest = lappend(rest, record);
	}
	return rest;
}

static void
abort_by_name(const LinkName *name, List *records, List **orphans)
{
	LINK_USE_BEGIN(LINK_VERB_ABORT_UPLOADS, NULL);
	{
		LinkRow    *row = link_lookup_name(name, LINK_ACL_WRITE);
		List	   *of_link;

		(void) take_of_link(records, row->id, &of_link);
		abort_of_link(row, of_link, orphans);
	}
	LINK_USE_END();
}

/* Each link of which there is something is a use of its own. */
static void
abort_by_row(const LinkRow *row, List *of_link, List **orphans)
{
	LINK_USE_BEGIN(LINK_VERB_ABORT_UPLOADS, NULL);
	{
		link_use_found(row);
		abort_of_link(row, of_link, orphans);
	}
	LINK_USE_END();
}

/* Why nothing can be done of a record here; NULL if it is nobody's business, or of a link that is there. */
static char *
hopeless(const LinkRecord *record)
{
	const char *file = link_journal_path(record->name);

	switch (record->state)
	{
		case LINK_RECORD_ALIVE:
			break;
		case LINK_RECORD_UNREADABLE:
			return psprintf("unreadable record: %s", file);
		case LINK_RECORD_FOREIGN:
			return psprintf("record of another server: %s", file);
		case LINK_RECORD_ORPHAN:
			if (record->database == MyDatabaseId && link_row_by_id(record->link_id) == NULL)
				return psprintf("the link is gone: %s", file);
			if (get_database_name(record->database) == NULL)
				return psprintf("the database is gone: %s", file);
			break;
	}
	return NULL;
}

List *
link_abort_uploads(const LinkName *name, TimestampTz before)
{
	List	   *orphans = NIL;
	List	   *records = NIL;
	List	   *of_link;
	ListCell   *cell;

	link_verb_require_allowed("link.abort_uploads");
	foreach(cell, link_journal_read(false))
	{
		LinkRecord *record = lfirst(cell);

		if (record->state == LINK_RECORD_UNREADABLE || record->started <= before)
			records = lappend(records, record);
	}

	if (name)
	{
		abort_by_name(name, records, &orphans);
		return orphans;
	}
	foreach(cell, link_rows(NULL, InvalidOid))
	{
		LinkRow    *row = lfirst(cell);

		records = take_of_link(records, row->id, &of_link);
		if (of_link == NIL || (link_acl_on_link(GetUserId(), row, NULL) & LINK_ACL_WRITE) == 0)
			continue;
		row->demanded = LINK_ACL_WRITE;
		abort_by_row(row, of_link, &orphans);
	}

	if (superuser())
		foreach(cell, records)
		{
			char	   *why = hopeless(lfirst(cell));

			if (why)
				report(&orphans, lfirst(cell), NULL, why);
		}
	return orphans;
}

/*
 * Counting.
 */

static void
add_count(StringInfo text, int count, const char *what)
{
	if (count > 0)
		appendStringInfo(text, "%s%d %s", strchr(text->data, ',') ? ", " : ", and ", count, what);
}

char *
link_orphans_text(void)
{
	int			here = 0;
	int			elsewhere = 0;
	int			foreign = 0;
	int			unreadable = 0;
	StringInfoData text;
	ListCell   *cell;

	foreach(cell, link_journal_read(false))
	{
		const LinkRecord *record = lfirst(cell);

		if (record->state == LINK_RECORD_FOREIGN)
			foreign++;
		else if (record->state == LINK_RECORD_UNREADABLE)
			unreadable++;
		else if (record->state == LINK_RECORD_ORPHAN && record->database == MyDatabaseId)
			here++;
		else if (record->state == LINK_RECORD_ORPHAN)
			elsewhere++;
	}
	initStringInfo(&text);
	appendStringInfo(&text, "%d", here);
	add_count(&text, elsewhere, "in other databases");
	add_count(&text, foreign, "of another server");
	add_count(&text, unreadable, "unreadable");
	return text.data;
}
