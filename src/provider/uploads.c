/*-------------------------------------------------------------------------
 *
 * uploads.c
 *	  Uploads that are on record, and those that their owners left behind.
 *
 * What drivers call puts an upload on record (journal.h) before it begins;
 * provider.c takes the record away when the upload is published or undone.
 * What stays is taken back by the next writer of the same link, or by
 * link.abort_uploads().
 *
 * A record is a file, which may say anything: it never makes us touch a path
 * that the link may not, an upload of another place than the link leads to now,
 * or one that is in progress.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "guc.h"
#include "http/sigv4.h"
#include "provider/journal.h"
#include "provider/provider.h"

/*
 * For drivers.
 */

/* Where the session's link leads, in a form of fixed length. */
static void
origin_hash(const LinkSession *session, char out[LINK_SHA256_HEX_LENGTH + 1])
{
	if (!link_sha256_hex(session->origin, strlen(session->origin), out))
		elog(ERROR, "could not compute SHA-256");
}

/* ms after which the request that begins an upload is over, whatever became of it. */
static int64
request_budget(const LinkSession *session)
{
	int			connect = link_option_integer(session->options, "connect_timeout", 0);
	int			request = link_option_integer(session->options, "request_timeout", 0);

	/* the last attempt starts within retry_timeout, or is the first */
	return (int64) link_retry_timeout +
		(connect > 0 ? connect : link_connect_timeout) +
		(request > 0 ? request : link_request_timeout);
}

void
link_upload_begin(LinkWriter *writer, const char *upload)
{
	LinkSession *session = writer->session;
	MemoryContext caller = MemoryContextSwitchTo(session->context);
	char		origin[LINK_SHA256_HEX_LENGTH + 1];
	LinkRecord	record = {0};

	Assert(writer->journal == NULL);
	Assert(session->provider->ops->reap != NULL);
	origin_hash(session, origin);
	record.type = unconstify(char *, session->provider->type);
	record.database = MyDatabaseId;
	record.link_id = session->link_id;
	record.origin = origin;
	record.path = writer->path;
	record.started = GetCurrentTimestamp();
	record.latest = record.started + request_budget(session) * 1000;
	record.upload = unconstify(char *, upload);
	writer->journal = link_journal_begin(&record);
	MemoryContextSwitchTo(caller);
}

void
link_upload_known(LinkWriter *writer, const char *upload)
{
	Assert(writer->journal != NULL);
	link_journal_set_upload(writer->journal, upload);
}

void
link_upload_refused(LinkWriter *writer)
{
	link_journal_remove(writer->journal);
	writer->journal = NULL;
}

/*
 * Reaping.
 */

typedef struct Reaping
{
	LinkReap	reap;			/* first, so that look() finds us */
	LinkSession *session;
	const char *name;			/* of the record */
	LinkRecord	record;			/* as it was when it was claimed */
	LinkJournal *journal;		/* NULL: it is nobody's orphan */
	LinkReapOutcome outcome;
} Reaping;

/* LinkReap.look; other records include those of other links, which may lead to the same place. */
static void
look(LinkReap *reap)
{
	const Reaping *reaping = (const Reaping *) reap;
	ListCell   *cell;

	reap->others = NIL;
	reap->rivals = false;
	foreach(cell, link_journal_read(false))
	{
		LinkRecord *record = lfirst(cell);

		if (record->state == LINK_RECORD_UNREADABLE || strcmp(record->name, reaping->name) == 0)
			continue;
		if (record->upload)
			reap->others = lappend(reap->others, record->upload);
		else if (record->state != LINK_RECORD_ORPHAN && strcmp(record->path, reap->path) == 0)
			reap->rivals = true;
	}
}

/* Is the upload that this record names somebody's who lives? */
static bool
in_use(const Reaping *reaping)
{
	ListCell   *cell;

	foreach(cell, link_journal_read(true))
	{
		LinkRecord *record = lfirst(cell);

		if (record->state == LINK_RECORD_ALIVE && strcmp(record->name, reaping->name) != 0 &&
			record->upload && strcmp(record->upload, reaping->record.upload) == 0)
			return true;
	}
	return false;
}

static void
reap_step(void *arg)
{
	Reaping    *reaping = arg;
	LinkSession *session = reaping->session;
	LinkRecord *record = &reaping->record;
	char		origin[LINK_SHA256_HEX_LENGTH + 1];

	reaping->journal = link_journal_claim(reaping->name, record);
	if (reaping->journal == NULL)
		return;

	origin_hash(session, origin);
	if (record->database != MyDatabaseId || record->link_id != session->link_id ||
		strcmp(record->type, session->provider->type) != 0)
		elog(ERROR, "upload is of another link");
	link_check_path(session, record->path);
	if (strcmp(record->origin, origin) != 0)
	{
		reaping->outcome = LINK_REAP_IN_DOUBT;
		reaping->reap.detail = "the link leads elsewhere now";
		return;
	}
	if (record->upload && in_use(reaping))
	{
		reaping->reap.detail = "its upload is that of another record, and in progress";
		return;
	}

	reaping->reap.path = record->path;
	reaping->reap.upload = record->upload;
	reaping->reap.started = record->started;
	reaping->reap.latest = record->latest;
	reaping->outcome = session->provider->ops->reap(session, &reaping->reap);
}

LinkReapOutcome
link_reap(LinkSession *session, const LinkRecord *record, int timeout, const char **detail)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link reap",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Reaping		reaping = {0};
	ErrorData  *error;

	reaping.session = session;
	reaping.name = record->name;
	reaping.outcome = LINK_REAP_FAILED;
	reaping.reap.timeout = timeout;
	reaping.reap.look = look;

	error = link_attempt(reap_step, &reaping);
	if (error)
	{
		reaping.outcome = LINK_REAP_FAILED;
		reaping.reap.detail = error->message;
	}
	MemoryContextSwitchTo(caller);
	*detail = reaping.reap.detail ? pstrdup(reaping.reap.detail) : NULL;

	if (reaping.journal &&
		(reaping.outcome == LINK_REAP_ABORTED || reaping.outcome == LINK_REAP_NOTHING))
		link_journal_remove(reaping.journal);
	if (reaping.outcome == LINK_REAP_ABORTED)
		ereport(LOG,
				(errmsg("unfinished upload of \"%s\" through link %s was taken back",
						link_printable(reaping.record.path, strlen(reaping.record.path)),
						session->link_name),
				 errdetail("It was begun at %s.", timestamptz_to_str(reaping.record.started))));
	MemoryContextDelete(context);	/* unlocks the record */
	return reaping.outcome;
}

/*
 * By the way.
 */

typedef struct Orphans
{
	int64		link_id;
	List	   *records;		/* LinkRecord * */
} Orphans;

static void
find_orphans(void *arg)
{
	Orphans    *orphans = arg;
	ListCell   *cell;

	foreach(cell, link_journal_read(false))
	{
		LinkRecord *record = lfirst(cell);

		if (record->state == LINK_RECORD_ORPHAN && record->database == MyDatabaseId &&
			record->link_id == orphans->link_id)
			orphans->records = lappend(orphans->records, record);
	}
}

/*
 * Begins anywhere among them, so that those of which nothing can be done do not
 * for ever come before the others.
 */
void
link_reap_some(LinkSession *session)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LINK_REAP_TIMEOUT);
	Orphans		orphans = {session->link_id};
	MemoryContext context;
	MemoryContext caller;
	int			n;
	int			first;

	/* subtransactions cannot begin in parallel mode; most servers have no records */
	if (session->provider->ops->reap == NULL || IsInParallelMode() || !link_journal_exists())
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "link orphans", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	(void) link_attempt(find_orphans, &orphans);
	n = list_length(orphans.records);
	first = n > 0 ? pg_prng_uint32(&pg_global_prng_state) % n : 0;

	for (int i = 0; i < Min(n, LINK_REAP_AT_ONCE); i++)
	{
		const LinkRecord *record = list_nth(orphans.records, (first + i) % n);
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
		const char *detail;

		if (left <= 0)
			break;
		CHECK_FOR_INTERRUPTS();
		if (link_reap(session, record, (int) left, &detail) >= LINK_REAP_IN_DOUBT)
			elog(DEBUG1, "unfinished upload of \"%s\" stays on record: %s",
				 link_printable(record->path, strlen(record->path)), detail ? detail : "in use");
	}
	CHECK_FOR_INTERRUPTS();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}
