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

/* FileStatus: https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html#FileStatus_JSON_Schema */
static void
read_status(LinkHdfsSession *session, struct json_object *object, LinkHdfsStatus *status)
{
	struct json_object *type;
	struct json_object *value;

	if (!json_object_object_get_ex(object, "type", &type))
		bad_answer(session, "A status has no type.");
	memset(status, 0, sizeof(*status));
	status->is_directory = strcmp(json_object_get_string(type), "DIRECTORY") == 0;
	if (json_object_object_get_ex(object, "length", &value))
		status->length = json_object_get_int64(value);
	if (json_object_object_get_ex(object, "modificationTime", &value))
		status->modified = json_object_get_int64(value);
	if (json_object_object_get_ex(object, "fileId", &value))
		status->id = json_object_get_int64(value);
	if (status->length < 0)
		bad_answer(session, "A status has a negative length.");
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
	link_hdfs_free(request);
	object = link_json_parse("answer of WebHDFS", answer, strlen(answer));
	if (!json_object_object_get_ex(object, "FileStatus", &object))
		bad_answer(session, "It has no FileStatus.");
	read_status(session, object, status);
	return true;
}

static void
describe(const LinkHdfsStatus *status, LinkObject *object)
{
	memset(object, 0, sizeof(*object));
	object->size = status->length;
	object->last_modified = time_t_to_timestamptz(status->modified / 1000) + (status->modified % 1000) * 1000;
	object->etag = psprintf(INT64_FORMAT "-" INT64_FORMAT "-" INT64_FORMAT, status->modified,
							status->length, status->id);
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

void
link_hdfs_remove(LinkSession *session, const char *path)
{
	LinkHdfsSession *hdfs = (LinkHdfsSession *) session;
	LinkHdfsStatus status;

	if (!link_hdfs_status(hdfs, path, "remove", &status) || status.is_directory)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_OBJECT),
				 errmsg("could not remove \"%s\" through link %s: the file does not exist",
						path, session->link_name)));
	(void) link_hdfs_ask(hdfs, "DELETE", path, "op=DELETE&recursive=false", "remove");
}

/*
 * Listing.
 */

typedef struct Entry
{
	char	   *name;
	LinkHdfsStatus status;
} Entry;

typedef struct Listing
{
	LinkHdfsSession *session;
	LinkObjectCallback callback;
	void	   *arg;
	MemoryContext caller;
} Listing;

/* By name, a directory as if its name ended in '/', so that paths come in order. */
static int
compare_entries(const ListCell *a, const ListCell *b)
{
	const Entry *x = lfirst(a);
	const Entry *y = lfirst(b);

	return strcmp(psprintf("%s%s", x->name, x->status.is_directory ? "/" : ""),
				  psprintf("%s%s", y->name, y->status.is_directory ? "/" : ""));
}

/* One page of a directory, from behind the name 'after'; the number that remain in *remaining. */
static List *
read_page(Listing *listing, const char *path, const char *after, List *entries, int64 *remaining)
{
	LinkHdfsSession *session = listing->session;
	StringInfoData query;
	LinkHdfsRequest *request;
	long		status;
	char	   *answer;
	struct json_object *object;
	struct json_object *statuses;

	initStringInfo(&query);
	appendStringInfoString(&query, "op=LISTSTATUS_BATCH&startAfter=");
	link_url_encode(&query, after, false);
	request = link_hdfs_request(session, "GET", path, query.data, "list");
	request->http.answer_limit = LINK_MAX_LIST_PAGE;
	status = link_hdfs_perform(request);
	answer = pnstrdup(request->http.answer.data, request->http.answer.len);
	*remaining = 0;
	if (status == 404)
	{
		link_hdfs_free(request);
		return entries;			/* never was, or went away while we listed */
	}
	if (status != 200)
		link_hdfs_raise(session, request->http.what, status, answer);
	link_hdfs_free(request);

	object = json_tokener_parse(answer);
	if (object == NULL || !json_object_object_get_ex(object, "DirectoryListing", &statuses))
		bad_answer(session, "It has no DirectoryListing.");
	{
		struct json_object *value;

		if (json_object_object_get_ex(statuses, "remainingEntries", &value))
			*remaining = json_object_get_int64(value);
		if (!json_object_object_get_ex(statuses, "partialListing", &statuses) ||
			!json_object_object_get_ex(statuses, "FileStatuses", &statuses) ||
			!json_object_object_get_ex(statuses, "FileStatus", &statuses) ||
			!json_object_is_type(statuses, json_type_array))
			bad_answer(session, "It has no FileStatus.");
	}
	for (size_t i = 0; i < json_object_array_length(statuses); i++)
	{
		struct json_object *item = json_object_array_get_idx(statuses, i);
		struct json_object *name;
		Entry	   *entry = palloc0(sizeof(Entry));

		if (!json_object_object_get_ex(item, "pathSuffix", &name))
			bad_answer(session, "An entry has no name.");
		entry->name = pstrdup(json_object_get_string(name));
		read_status(session, item, &entry->status);

		/* a name with a slash would lead elsewhere */
		if (strchr(entry->name, '/') || entry->name[0] == '\0' || strcmp(entry->name, after) <= 0)
			bad_answer(session, "An entry has a name that cannot stand there.");
		entries = lappend(entries, entry);
	}
	if (json_object_array_length(statuses) == 0)
		*remaining = 0;
	json_object_put(object);
	return entries;
}

/* False when the caller has enough.  'path' ends in '/'. */
static bool
list_directory(Listing *listing, const char *path, const char *prefix)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link HDFS directory",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	char	   *directory = path[1] == '\0' ? pstrdup("/") : pnstrdup(path, strlen(path) - 1);
	const char *after = "";
	List	   *entries = NIL;
	int64		remaining;
	bool		more = true;
	ListCell   *lc;

	check_stack_depth();
	do
	{
		CHECK_FOR_INTERRUPTS();
		entries = read_page(listing, directory, after, entries, &remaining);
		if (entries != NIL)
			after = ((Entry *) llast(entries))->name;
	} while (remaining > 0);
	list_sort(entries, compare_entries);

	foreach(lc, entries)
	{
		const Entry *entry = lfirst(lc);
		char	   *entry_path = psprintf("%s%s%s", path, entry->name, entry->status.is_directory ? "/" : "");

		if (strncmp(entry->name, prefix, strlen(prefix)) != 0 || link_hdfs_is_temporary(entry->name) ||
			strlen(entry_path) > LINK_MAX_PATH)
			continue;
		if (entry->status.is_directory)
			more = list_directory(listing, entry_path, "");
		else
		{
			LinkObject	object;

			describe(&entry->status, &object);
			object.path = entry_path;
			MemoryContextSwitchTo(listing->caller);
			more = listing->callback(&object, listing->arg);
			MemoryContextSwitchTo(context);
		}
		if (!more)
			break;
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return more;
}

void
link_hdfs_list(LinkSession *session, const char *prefix, LinkObjectCallback callback, void *arg)
{
	Listing		listing = {(LinkHdfsSession *) session, callback, arg, CurrentMemoryContext};
	const char *slash = strrchr(prefix, '/');
	size_t		len = slash ? slash + 1 - prefix : 0;

	list_directory(&listing, len > 0 ? pnstrdup(prefix, len) : "/", prefix + len);
}
