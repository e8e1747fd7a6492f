/*-------------------------------------------------------------------------
 *
 * hdfs_status.c
 *	  What there is: the status of a path, listing, removing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "bounds.h"
#include "errors.h"
#include "provider/hdfs/hdfs.h"

/* Names are hidden from Hadoop's own tools by the dot ("_" and "." are). */
#define TEMPORARY_PREFIX ".link-"
#define TEMPORARY_SUFFIX ".tmp"

bool
link_hdfs_is_temporary(const char *name)
{
	size_t		len = strlen(name);

	return strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) == 0 &&
		len > strlen(TEMPORARY_SUFFIX) && strcmp(name + len - strlen(TEMPORARY_SUFFIX), TEMPORARY_SUFFIX) == 0;
}

static void
bad_answer(LinkHdfsSession *session, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_PROTOCOL),
			 errmsg("answer of link %s is not one of WebHDFS", session->base.link_name),
			 errdetail("%s", problem)));
}

/* An integer of a status, 'missing' if there is none. */
static int64
integer_member(LinkHdfsSession *session, struct json_object *object, const char *key, int64 missing)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		return missing;

	/* json-c makes the largest of what is too large */
	if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) == PG_INT64_MAX)
		bad_answer(session, psprintf("The \"%s\" of a status is no number that can be.", key));
	return json_object_get_int64(value);
}

/* FileStatus: https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html#FileStatus_JSON_Schema */
static void
read_status(LinkHdfsSession *session, struct json_object *object, LinkHdfsStatus *status)
{
	struct json_object *type;

	if (!json_object_object_get_ex(object, "type", &type) || !json_object_is_type(type, json_type_string))
		bad_answer(session, "A status has no type.");
	status->is_directory = strcmp(json_object_get_string(type), "DIRECTORY") == 0;
	status->length = integer_member(session, object, "length", status->is_directory ? 0 : -1);
	status->modified = integer_member(session, object, "modificationTime", 0);
	status->id = integer_member(session, object, "fileId", 0);
	if (status->length < 0)
		bad_answer(session, "A status has no length, or a negative one.");
}

bool
link_hdfs_status(LinkHdfsSession *session, const char *path, const char *action, LinkHdfsStatus *status)
{
	LinkHdfsRequest *request = link_hdfs_request(session, "GET", path, "op=GETFILESTATUS", action);
	long		code = link_hdfs_perform(request);
	char	   *answer = pnstrdup(request->http.answer.data, request->http.answer.len);
	struct json_object *object;

	if (code == 404 && strcmp(link_hdfs_exception(answer), "FileNotFoundException") == 0)
	{
		link_hdfs_free(request);
		return false;
	}
	if (code != 200)
		link_hdfs_raise(session, request->http.what, code, answer);
	object = link_json_parse_answer("answer of WebHDFS", request->http.answer.data, request->http.answer.len);
	link_hdfs_free(request);
	if (!json_object_object_get_ex(object, "FileStatus", &object))
		bad_answer(session, "It has no FileStatus.");
	read_status(session, object, status);
	return true;
}

char *
link_hdfs_version(const LinkHdfsStatus *status)
{
	return psprintf(INT64_FORMAT "-" INT64_FORMAT "-" INT64_FORMAT, status->modified, status->length, status->id);
}

static void
describe(const LinkHdfsStatus *status, LinkObject *object)
{
	int64		seconds = status->modified / 1000;

	memset(object, 0, sizeof(*object));
	object->size = status->length;

	/* anybody may set it to anything */
	object->last_modified = seconds > LINK_MAX_SECONDS || seconds < -LINK_MAX_SECONDS ? DT_NOBEGIN :
		time_t_to_timestamptz(seconds) + (status->modified % 1000) * 1000;
	object->etag = link_hdfs_version(status);
}

bool
link_hdfs_stat(LinkSession *session, const char *path, LinkObject *object)
{
	LinkHdfsStatus status;

	if (!link_hdfs_status((LinkHdfsSession *) session, path, "look up", &status) || status.is_directory)
		return false;
	describe(&status, object);
	return true;
}

/* WebHDFS has no condition for it: somebody may replace the file in between. */
bool
link_hdfs_remove(LinkSession *session, const char *path, const char *version)
{
	LinkHdfsSession *hdfs = (LinkHdfsSession *) session;
	LinkHdfsStatus status;
	bool		there = link_hdfs_status(hdfs, path, "remove", &status) && !status.is_directory;
	int			removed;

	if (version && !(there && strcmp(link_hdfs_version(&status), version) == 0))
		return false;
	if (!there)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_OBJECT),
				 errmsg("could not remove \"%s\" through link %s: the file does not exist",
						path, session->link_name)));
	removed = link_hdfs_boolean(link_hdfs_ask(hdfs, "DELETE", path, "op=DELETE&recursive=false", "remove"));
	if (removed == 0 && version)
		return false;
	if (removed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_OBJECT),
				 errmsg("could not remove \"%s\" through link %s: somebody else has removed it",
						path, session->link_name)));
	if (removed < 0)
		bad_answer(hdfs, "It does not say whether the file is removed.");
	return true;
}

/*
 * Listing.
 */

typedef struct Entry
{
	LinkHdfsStatus status;
	char		name[FLEXIBLE_ARRAY_MEMBER];	/* of a directory with a '/' at its end, as paths have it */
} Entry;

typedef struct Listing
{
	LinkHdfsSession *session;
	LinkObjectCallback callback;
	void	   *arg;
	MemoryContext caller;
	Size		held;			/* bytes of the entries of directories that are open */
	int			seen;			/* entries */
	int			empty;			/* directories since the last file */
} Listing;

/* A directory that is being listed. */
typedef struct Directory
{
	const char *path;			/* without a '/' at its end */
	const char *prefix;			/* names that do not begin so are passed over */
	List	   *entries;
	StringInfoData after;		/* name that was read last; empty before the first */
	int64		remaining;		/* entries behind it */
} Directory;

static int
compare_entries(const ListCell *a, const ListCell *b)
{
	return strcmp(((const Entry *) lfirst(a))->name, ((const Entry *) lfirst(b))->name);
}

/* As namenodes order names: by signed bytes (DFSUtilClient.compareBytes). */
static bool
is_behind(const char *name, const char *other)
{
	while (*name != '\0' && *name == *other)
	{
		name++;
		other++;
	}
	return *name != '\0' && (*other == '\0' || (signed char) *name > (signed char) *other);
}

static void
add_entry(Listing *listing, Directory *directory, struct json_object *item)
{
	LinkHdfsSession *session = listing->session;
	struct json_object *value;
	const char *name;
	Size		size;
	Entry	   *entry;

	if (!json_object_object_get_ex(item, "pathSuffix", &value) || !json_object_is_type(value, json_type_string))
		bad_answer(session, "An entry has no name.");
	name = json_object_get_string(value);

	/* what the server names is not repeated in errors */
	if (name[0] == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		strlen(name) > LINK_MAX_PATH)
		bad_answer(session, "An entry has a name that cannot stand there.");
	if (!is_behind(name, directory->after.data))
		bad_answer(session, "The names of the listing do not ascend.");
	resetStringInfo(&directory->after);
	appendStringInfoString(&directory->after, name);
	if (++listing->seen > LINK_MAX_LISTED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("listing of link %s has more than %d entries", session->base.link_name, LINK_MAX_LISTED),
				 errhint("Ask for a longer prefix.")));

	size = offsetof(Entry, name) + strlen(name) + 2;
	entry = palloc(size);
	read_status(session, item, &entry->status);
	snprintf(entry->name, size - offsetof(Entry, name), "%s%s", name, entry->status.is_directory ? "/" : "");
	if (strncmp(name, directory->prefix, strlen(directory->prefix)) != 0 || link_hdfs_is_temporary(entry->name))
	{
		pfree(entry);
		return;
	}
	listing->held += 2 * (size + sizeof(ListCell));	/* with what palloc and lists round up */
	if (listing->held > LINK_MAX_LISTED_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("directories listed through link %s have too many entries", session->base.link_name),
				 errhint("Ask for a longer prefix.")));
	directory->entries = lappend(directory->entries, entry);
}

/* From behind the last name on.  False if there is no such directory. */
static bool
read_page(Listing *listing, Directory *directory)
{
	LinkHdfsSession *session = listing->session;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link HDFS page", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	struct json_object *object;
	struct json_object *value;
	StringInfoData query;
	LinkHdfsRequest *request;
	const char *answer;
	long		status;

	initStringInfo(&query);
	appendStringInfoString(&query, "op=LISTSTATUS_BATCH&startAfter=");
	link_url_encode(&query, directory->after.data, false);
	request = link_hdfs_request(session, "GET", directory->path, query.data, "list");
	request->http.answer_limit = LINK_MAX_LIST_PAGE;
	status = link_hdfs_perform(request);
	answer = request->http.answer.data;
	if (status != 200)
	{
		/* it never was, or went away while we listed */
		if (status != 404 || strcmp(link_hdfs_exception(answer), "FileNotFoundException") != 0)
			link_hdfs_raise(session, request->http.what, status, pstrdup(answer));
		link_hdfs_free(request);
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(context);
		return false;
	}
	object = link_json_parse_answer("answer of WebHDFS", answer, request->http.answer.len);
	link_hdfs_free(request);

	if (!json_object_object_get_ex(object, "DirectoryListing", &object) ||
		!json_object_object_get_ex(object, "partialListing", &value) ||
		!json_object_object_get_ex(value, "FileStatuses", &value) ||
		!json_object_object_get_ex(value, "FileStatus", &value) ||
		!json_object_is_type(value, json_type_array))
		bad_answer(session, "It has no DirectoryListing.");
	directory->remaining = integer_member(session, object, "remainingEntries", 0);
	if (directory->remaining > 0 && json_object_array_length(value) == 0)
		bad_answer(session, "The listing does not go on.");
	MemoryContextSwitchTo(caller);
	for (size_t i = 0; i < json_object_array_length(value); i++)
		add_entry(listing, directory, json_object_array_get_idx(value, i));
	MemoryContextDelete(context);
	return true;
}

/* False when the caller has enough.  'path' ends in '/'. */
static bool
list_directory(Listing *listing, const char *path, const char *prefix)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link HDFS directory",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Directory	directory = {path[1] == '\0' ? "/" : pnstrdup(path, strlen(path) - 1), prefix};
	Size		held = listing->held;
	bool		more = true;
	ListCell   *lc;

	check_stack_depth();
	initStringInfo(&directory.after);
	if (++listing->empty > LINK_MAX_EMPTY_DIRECTORIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("listing of link %s has more than %d directories in a row without a file",
						listing->session->base.link_name, LINK_MAX_EMPTY_DIRECTORIES),
				 errhint("Ask for a longer prefix.")));
	do
		CHECK_FOR_INTERRUPTS();
	while (read_page(listing, &directory) && directory.remaining > 0);
	list_sort(directory.entries, compare_entries);

	foreach(lc, directory.entries)
	{
		const Entry *entry = lfirst(lc);
		char	   *entry_path = psprintf("%s%s", path, entry->name);

		if (strlen(entry_path) > LINK_MAX_PATH)
			;					/* nobody could ask for it */
		else if (entry->status.is_directory)
			more = list_directory(listing, entry_path, "");
		else
		{
			LinkObject	object;

			listing->empty = 0;
			describe(&entry->status, &object);
			object.path = entry_path;
			MemoryContextSwitchTo(listing->caller);
			more = listing->callback(&object, listing->arg);
			MemoryContextSwitchTo(context);
			pfree(object.etag);
		}
		pfree(entry_path);
		if (!more)
			break;
	}
	listing->held = held;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return more;
}

void
link_hdfs_list(LinkSession *session, const char *prefix, const char *after, LinkObjectCallback callback, void *arg)
{
	Listing		listing = {(LinkHdfsSession *) session, callback, arg, CurrentMemoryContext};
	const char *slash = strrchr(prefix, '/');
	size_t		len = slash ? slash + 1 - prefix : 0;

	(void) list_directory(&listing, len > 0 ? pnstrdup(prefix, len) : "/", prefix + len);
}
