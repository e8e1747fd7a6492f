/*-------------------------------------------------------------------------
 *
 * provider.c
 *	  The list of providers, sessions, and the checked way to every operation.
 *
 * No operation of a provider is reached but through here, so that no driver
 * can forget a check: what a path may look like, which prefixes a link may
 * touch, what append_only forbids (SECURITY 8, 27).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "bounds.h"
#include "catalog/privileges.h"
#include "catalog/seal.h"
#include "catalog/tables.h"
#include "errors.h"
#include "guc.h"
#include "http/http.h"
#include "provider/journal.h"
#include "provider/list.h"
#include "provider/token.h"

/* Adding a provider is a folder and a line here. */
static const LinkProvider *const providers[] = {
	&link_s3_provider,
	&link_azure_provider,
	&link_gcs_provider,
	&link_hdfs_provider,
	&link_kafka_provider,
	&link_fs_provider,
	NULL
};

const LinkProvider *
link_provider_nth(int n)
{
	return n >= 0 && n < lengthof(providers) ? providers[n] : NULL;
}

const LinkProvider *
link_provider_find(const char *type)
{
	for (int i = 0; providers[i]; i++)
		if (pg_strcasecmp(type, providers[i]->type) == 0)
			return providers[i];
	return NULL;
}

char *
link_provider_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; providers[i]; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", providers[i]->type);
	return names.data;
}

/*
 * Sessions.
 */

/* Keys that borrow the server's identity or files live by the owner's right (SECURITY 10). */
static void
check_ambient(const LinkRow *row, struct json_object *credentials, struct json_object *config,
			  const char *link_name)
{
	const LinkOptionDef *defs = row->provider->options;
	const char *key;

	if (!(credentials && link_options_ambient(defs, LINK_CREDENTIALS, credentials, &key)) &&
		!link_options_ambient(defs, LINK_CONFIG, config, &key))
		return;
	if (superuser_arg(row->owner) ||
		(link_acl_on_scope(row->owner, NULL, NULL) & LINK_ACL_AMBIENT) != 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("link %s may not be used: its owner does not hold AMBIENT LINK", link_name),
			 errdetail("Its key \"%s\" borrows the identity or files of the server.", key),
			 errhint("A superuser can grant AMBIENT LINK ON *.* to the owner of the link, or take over the link.")));
}

/*
 * The row's options, unsealed, into the session's context.  What is opened on
 * the way is wiped.
 */
static void
read_options(LinkSession *session, const LinkRow *row)
{
	const LinkProvider *provider = session->provider;
	struct json_object *config;
	struct json_object *credentials = NULL;
	MemoryContext temporary = AllocSetContextCreate(session->context, "link options",
													ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(temporary);
	char	   *origin;

	config = link_json_parse("CONFIG", row->config, strlen(row->config));
	origin = link_options_origin(provider->options, NULL, config);
	if (session->origin && strcmp(origin, session->origin) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("link %s has been changed to lead elsewhere", session->link_name),
				 errdetail("What it is used for at this moment cannot go on there.")));
	if (row->credentials)
	{
		Size		len;
		char	   *text;

		text = link_unseal(row->credentials, row->id, row->type, origin, session->link_name, &len);
		credentials = link_json_parse("CREDENTIALS", text, len);
	}
	if (!session->elsewhere)
		check_ambient(row, credentials, config, session->link_name);

	MemoryContextSwitchTo(session->context);
	session->options = link_options_create(provider->options, credentials, config);
	if (session->origin == NULL)
		session->origin = pstrdup(origin);
	session->owner = row->owner;
	session->link_version = row->version;
	session->checked = link_coarse_ms();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(temporary);
}

/* Rows that change mean that what backends keep of links is out of date. */
static Oid	link_table = InvalidOid;

static void
table_invalidated(Datum arg, Oid relation)
{
	if (!OidIsValid(relation) || relation == link_table)
	{
		link_http_pool_invalidate();
		link_tokens_invalidate();
	}
}

static void
watch_table(void)
{
	static bool registered = false;

	link_table = link_relation_oid(LINK_TABLE);
	if (registered)
		return;
	CacheRegisterRelcacheCallback(table_invalidated, (Datum) 0);
	registered = true;
}

static LinkSession *
open_row(const LinkRow *row, bool elsewhere)
{
	const LinkProvider *provider = row->provider;
	MemoryContext context;
	MemoryContext caller;
	LinkSession *session;

	if (provider == NULL || provider->ops == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("link type %s is not yet supported by this build", row->type)));

	if (!elsewhere)
		watch_table();
	context = AllocSetContextCreate(CurrentMemoryContext, "link session", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	session = palloc0(provider->ops->session_size);
	session->provider = provider;
	session->link_id = row->id;
	session->link_name = link_qualified_name(row);
	session->context = context;
	session->elsewhere = elsewhere;
	session->user = GetUserId();
	session->demanded = row->demanded;
	read_options(session, row);
	provider->ops->start(session);
	MemoryContextSwitchTo(caller);
	return session;
}

LinkSession *
link_open(const LinkRow *row)
{
	return open_row(row, false);
}

LinkSession *
link_open_elsewhere(const LinkRow *row)
{
	return open_row(row, true);
}

void
link_close(LinkSession *session)
{
	if (session->provider->ops->end)
		session->provider->ops->end(session);
	MemoryContextDelete(session->context);
}

/*
 * A transfer may take hours.  Now and then it looks whether the link and the
 * rights are still there, and takes over new credentials, so that REVOKE, DROP
 * and rotation reach it (SECURITY 13).
 */
static void
look_again(LinkSession *session)
{
	MemoryContext context;
	MemoryContext caller;
	LinkRow    *row;

	if (session->elsewhere || link_coarse_ms() - session->checked < LINK_RECHECK_INTERVAL)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "link recheck", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	row = link_row_by_id(session->link_id);
	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNDEFINED),
				 errmsg("link %s has been dropped while it was used", session->link_name)));
	if (session->demanded & ~link_acl_on_link(session->user, row, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("the privileges on link %s have been revoked while it was used", session->link_name)));
	if (row->version != session->link_version)
	{
		read_options(session, row);
		if (session->provider->ops->refresh)
			session->provider->ops->refresh(session);
	}
	session->checked = link_coarse_ms();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

/*
 * Checks.
 */

static void
check_feature(const LinkSession *session, uint32 feature, const char *what)
{
	if ((session->provider->features & feature) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("links of type %s do not support %s", session->provider->type, what)));
}

/*
 * The part of a path that the rules are about: where paths of a type begin
 * with '/' (HDFS), what follows it.
 */
static const char *
path_below_root(const LinkSession *session, const char *path)
{
	return session->provider->path_syntax[0] == '/' && path[0] == '/' ? path + 1 : path;
}

static void
not_allowed(const LinkSession *session, const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("link %s may not touch path \"%s\"", session->link_name, path),
			 errdetail("The path lies outside of the path_prefixes of the link.")));
}

/* The path as the provider takes it. */
static const char *
local_path(LinkSession *session, const char *path)
{
	return session->provider->ops->local_path ? session->provider->ops->local_path(session, path) : path;
}

void
link_check_path(const LinkSession *session, const char *path)
{
	if (session->provider->path_syntax[0] == '/' && path[0] != '/')
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("invalid path: \"%s\"", link_printable(path, strlen(path))),
				 errdetail("Paths of %s links begin with \"/\".", session->provider->type)));
	link_path_check(path_below_root(session, path), false);
	if (!link_path_allowed(path, link_option_strings(session->options, "path_prefixes")))
		not_allowed(session, path);
}

static void
check_replaceable(const LinkSession *session, const char *what)
{
	if (link_option_boolean(session->options, "append_only", false))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("link %s may not %s objects", session->link_name, what),
				 errdetail("The link is append_only.")));
}

/*
 * The operations.
 */

LinkReader *
link_open_reader(LinkSession *session, const char *path, int64 offset, int64 length)
{
	check_feature(session, LINK_CAN_READ, "reading");
	path = local_path(session, path);
	link_check_path(session, path);
	Assert(offset >= 0 && length >= -1);
	return session->provider->ops->open_reader(session, path, offset, length);
}

LinkReader *
link_begin_reader(LinkSession *session, const char *path, int64 offset, int64 length, const char *etag)
{
	check_feature(session, LINK_CAN_READ, "reading");
	path = local_path(session, path);
	link_check_path(session, path);
	Assert(offset >= 0 && length >= -1 && length <= LINK_PIECE_SIZE);
	return session->provider->ops->begin_reader ?
		session->provider->ops->begin_reader(session, path, offset, length, etag) : NULL;
}

void
link_await_reader(LinkReader *reader)
{
	reader->session->provider->ops->await_reader(reader);
}

Size
link_read(LinkReader *reader, void *to, Size size)
{
	look_again(reader->session);
	return reader->session->provider->ops->read(reader, to, size);
}

void
link_close_reader(LinkReader *reader)
{
	reader->session->provider->ops->close_reader(reader);
}

void
link_reap_first(LinkSession *session)
{
	if (!session->reaped)
		link_reap_some(session);
	session->reaped = true;
}

LinkWriter *
link_open_writer(LinkSession *session, const char *path, bool overwrite)
{
	check_feature(session, LINK_CAN_WRITE, "writing");
	path = local_path(session, path);
	link_check_path(session, path);
	if (overwrite)
		check_replaceable(session, "overwrite");
	link_reap_first(session);
	return session->provider->ops->open_writer(session, path, overwrite);
}

void
link_write(LinkWriter *writer, const void *data, Size size)
{
	Assert(!writer->prepared);
	look_again(writer->session);
	writer->session->provider->ops->write(writer, data, size);
	writer->written += size;
}

/* A token ends with the name of the upload's record, which is empty if there is none. */
void
link_write_message(LinkWriter *writer, const char *key, Size key_size, const void *data, Size size)
{
	Assert(!writer->prepared && (writer->session->provider->features & LINK_IS_STREAM) != 0);
	look_again(writer->session);
	writer->session->provider->ops->write_message(writer, key, key_size, data, size);
	writer->written += size;
}

void
link_prepare(LinkWriter *writer, StringInfo token)
{
	char		name[LINK_JOURNAL_NAME_SIZE] = {0};

	Assert(!writer->prepared);
	writer->session->provider->ops->prepare(writer, token);
	if (writer->journal)
		strlcpy(name, link_journal_name(writer->journal), sizeof(name));
	appendBinaryStringInfo(token, name, sizeof(name));
	writer->prepared = true;
}

/* Takes the name off the token; false if it is none of ours. */
static bool
take_name(const char *token, Size *token_size, char name[LINK_JOURNAL_NAME_SIZE])
{
	if (*token_size < LINK_JOURNAL_NAME_SIZE)
		return false;
	*token_size -= LINK_JOURNAL_NAME_SIZE;
	memcpy(name, token + *token_size, LINK_JOURNAL_NAME_SIZE);
	return name[LINK_JOURNAL_NAME_SIZE - 1] == '\0';
}

/* The record that a token names, which may come from a worker. */
static LinkJournal *
record_of(const char *name)
{
	LinkJournal *journal = link_journal_held(name);

	return journal ? journal : link_journal_adopt(name);
}

/*
 * A publish that fails leaves the upload on record: for link_discard(), or, if
 * nobody comes to that, as an orphan.
 */
char *
link_publish(LinkSession *session, const char *path, bool overwrite,
			 const char *token, Size token_size)
{
	char		name[LINK_JOURNAL_NAME_SIZE];
	LinkJournal *journal = NULL;
	char	   *version;

	check_feature(session, LINK_CAN_WRITE, "writing");
	path = local_path(session, path);
	link_check_path(session, path);
	if (overwrite)
		check_replaceable(session, "overwrite");
	if (!take_name(token, &token_size, name))
		elog(ERROR, "malformed token of an upload");

	if (name[0] != '\0')
		journal = record_of(name);
	version = session->provider->ops->publish(session, path, overwrite, token, token_size);
	if (journal)
		link_journal_remove(journal);
	return version;
}

static void
end_record(LinkJournal *journal, bool gone)
{
	if (gone)
		link_journal_remove(journal);
	else
		link_journal_leave(journal);
}

void
link_abort(LinkWriter *writer)
{
	LinkJournal *journal = writer->journal;
	bool		gone;

	/* what a prepared writer left behind is its token's, for link_discard() */
	if (writer->prepared)
		return;
	writer->journal = NULL;
	gone = writer->session->provider->ops->abort(writer);
	if (journal)
		end_record(journal, gone);
}

void
link_close_writer(LinkWriter *writer)
{
	Assert(writer->prepared && (writer->session->provider->features & LINK_IS_STREAM) == 0);
	MemoryContextDelete(writer->context);
}

void
link_discard(LinkSession *session, const char *path, const char *token, Size token_size)
{
	char		name[LINK_JOURNAL_NAME_SIZE];
	LinkJournal *journal;
	bool		gone;

	if (!take_name(token, &token_size, name))
		return;
	gone = session->provider->ops->discard(session, path, token, token_size);
	journal = record_of(name);
	if (journal)
		end_record(journal, gone);
}

void
link_undo_writer(LinkWriter *writer, const StringInfoData *token)
{
	if (writer->prepared)
		link_discard(writer->session, writer->path, token->data, token->len);
	else
		link_abort(writer);
}

/* For a worker, whose leader has the token now. */
void
link_hand_over(const char *token, Size token_size)
{
	char		name[LINK_JOURNAL_NAME_SIZE];
	LinkJournal *journal;

	if (take_name(token, &token_size, name) && (journal = link_journal_held(name)) != NULL)
		link_journal_forget(journal);
}

void
link_remove(LinkSession *session, const char *path)
{
	check_feature(session, LINK_CAN_REMOVE, "removing");
	path = local_path(session, path);
	link_check_path(session, path);
	check_replaceable(session, "remove");
	(void) session->provider->ops->remove(session, path, NULL);
}

bool
link_unpublish(LinkSession *session, const char *path, const char *version)
{
	check_feature(session, LINK_CAN_REMOVE, "removing");
	path = local_path(session, path);
	link_check_path(session, path);
	return session->provider->ops->remove(session, path, version);
}

bool
link_stat(LinkSession *session, const char *path, LinkObject *object)
{
	check_feature(session, LINK_CAN_READ, "reading");
	path = local_path(session, path);
	link_check_path(session, path);
	if (!session->provider->ops->stat(session, path, object))
		return false;
	object->path = pstrdup(path);
	return true;
}

List *
link_partitions(LinkSession *session, const char *path)
{
	check_feature(session, LINK_IS_STREAM, "partitions");
	path = local_path(session, path);
	link_check_path(session, path);
	return session->provider->ops->partitions(session, path);
}

/*
 * Listing.
 */

typedef struct Listing
{
	LinkSession *session;
	const char *from;			/* what the provider was asked for */
	const char *after;			/* or NULL */
	const char *glob;			/* or NULL */
	List	   *prefixes;		/* path_prefixes */
	List	   *suffixes;
	int			count;			/* given */
	int			seen;
	LinkObjectCallback callback;
	void	   *arg;
} Listing;

static bool
ends_in_one_of(const char *path, List *suffixes)
{
	size_t		len = strlen(path);
	ListCell   *cell;

	if (suffixes == NIL)
		return true;
	foreach(cell, suffixes)
	{
		const char *suffix = lfirst(cell);
		size_t		suffix_len = strlen(suffix);

		if (suffix_len <= len && strcmp(path + len - suffix_len, suffix) == 0)
			return true;
	}
	return false;
}

static bool
listed_object(const LinkObject *object, void *arg)
{
	Listing    *listing = arg;
	const char *path = object->path;

	CHECK_FOR_INTERRUPTS();

	if (strncmp(path, listing->from, strlen(listing->from)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_PROTOCOL),
				 errmsg("listing of link %s holds a path outside of what was asked for",
						listing->session->link_name),
				 errdetail("Asked were paths that begin with \"%s\".", listing->from)));

	/* what is passed over costs time too */
	if (++listing->seen > LINK_MAX_LISTED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("listing of link %s has more than %d objects", listing->session->link_name,
						LINK_MAX_LISTED),
				 errhint("Ask for a longer prefix.")));

	/*
	 * Whoever else writes there may name an object 'a//b', '../a' or 'folder/'
	 * (the markers that web consoles leave).  None of our verbs can touch it, and
	 * it must not keep us from the objects beside it: we do not see it.
	 */
	if (!link_path_usable(path_below_root(listing->session, path)))
		return true;
	if (listing->after && strcmp(path, listing->after) <= 0)
		return true;

	if (!link_path_allowed(path, listing->prefixes) ||
		!ends_in_one_of(path, listing->suffixes) ||
		(listing->glob && !link_glob_match(listing->glob, path)))
		return true;

	if (++listing->count > link_max_objects)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d objects", link_max_objects),
				 errhint("Name fewer objects, or raise link.max_objects.")));
	return listing->callback(object, listing->arg);
}

/*
 * Where a listing of 'prefix' has to begin so that it meets every allowed path
 * and little else: at 'prefix' itself if that is allowed, else at what the
 * allowed prefixes below it have in common.  NULL if there are none.
 */
static const char *
listing_start(const char *prefix, List *prefixes)
{
	size_t		len = strlen(prefix);
	char	   *common = NULL;
	ListCell   *cell;

	if (link_path_allowed(prefix, prefixes))
		return prefix;
	foreach(cell, prefixes)
	{
		const char *allowed = lfirst(cell);
		size_t		same = 0;

		if (allowed[0] == '\0' || strncmp(allowed, prefix, len) != 0)
			continue;
		if (common == NULL)
		{
			common = pstrdup(allowed);
			continue;
		}
		while (common[same] != '\0' && common[same] == allowed[same])
			same++;
		common[pg_mbcliplen(common, strlen(common), same)] = '\0';
	}
	return common;
}

void
link_list(LinkSession *session, const char *pattern, bool exact,
		  LinkObjectCallback callback, void *arg)
{
	link_list_behind(session, pattern, exact, NULL, callback, arg);
}

void
link_list_behind(LinkSession *session, const char *pattern, bool exact, const char *after,
				 LinkObjectCallback callback, void *arg)
{
	Listing		listing = {0};
	const char *below;
	bool		is_glob = link_path_is_glob(pattern);

	check_feature(session, LINK_CAN_LIST, "listing");
	pattern = local_path(session, pattern);
	below = path_below_root(session, pattern);
	if (exact || below[0] != '\0')
		link_path_check(below, true);

	if (exact && !is_glob && pattern[strlen(pattern) - 1] != '/')
	{
		LinkObject	object = {0};

		/* an object named in full is meant, whatever its suffix */
		if ((after == NULL || strcmp(pattern, after) > 0) && link_stat(session, pattern, &object))
			callback(&object, arg);
		return;
	}

	if (is_glob)
	{
		/* a malformed pattern is an error even where nothing is listed */
		listing.glob = pattern[strlen(pattern) - 1] == '/' ? psprintf("%s**", pattern) : pattern;
		(void) link_glob_match(listing.glob, "");
	}
	listing.session = session;
	listing.prefixes = link_option_strings(session->options, "path_prefixes");
	listing.suffixes = link_option_strings(session->options, "suffixes");
	listing.after = after;
	listing.callback = callback;
	listing.arg = arg;
	listing.from = listing_start(link_glob_prefix(pattern), listing.prefixes);
	if (listing.from == NULL)
		not_allowed(session, pattern);
	session->provider->ops->list(session, listing.from,
								 (session->provider->features & LINK_LISTS_BEHIND) ? after : NULL,
								 listed_object, &listing);
}
