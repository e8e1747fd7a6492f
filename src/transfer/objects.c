/*-------------------------------------------------------------------------
 *
 * objects.c
 *	  The objects that one export writes: how they are called, and that all of
 *	  them become visible at its end, or none.
 *
 * A prepared object is its path, its counts and its token (provider.h).  A
 * token may hold the bytes of a small object, and there may be thousands of
 * these: beyond TOKENS_IN_MEMORY they go to a temporary file.  That is read by
 * fd.c's own calls, since what takes objects back may not throw.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "transfer/objects.h"
#include "transfer/transfer.h"

/* Room for one small object, which is most exports. */
#define TOKENS_IN_MEMORY (9 * 1024 * 1024)

/* ms that taking back published objects may take, all together */
#define UNPUBLISH_TIMEOUT 10000

typedef struct Prepared
{
	LinkObjectResult result;
	pg_crc32c	crc;
	char	   *token;			/* NULL: in the file */
	Size		token_size;		/* 0: there is none yet */
	off_t		file_offset;
	char	   *version;		/* of the published object; NULL: not told */
} Prepared;

struct LinkObjectSet
{
	LinkSession *session;
	const LinkTransferOptions *wanted;
	const char *path;
	bool		numbered;
	pg_atomic_uint32 *next;
	char	   *folder;			/* below the path; NULL: none */
	uint32		next_in_folder;
	LinkObjectWriter *current;	/* or NULL */
	char	   *current_path;
	List	   *prepared;		/* Prepared *, as they were made */
	int			published;		/* of these: the first so many */
	uint64		bytes;
	Size		tokens;			/* bytes of those in memory */
	File		file;			/* or -1 */
	off_t		file_size;
	TimestampTz undo_until;		/* end of the time for taking back; 0 before the first */
	MemoryContext context;		/* holds all of this */
};

LinkObjectSet *
link_objects_begin(LinkSession *session, const char *path, bool numbered,
				   pg_atomic_uint32 *next, const LinkTransferOptions *wanted)
{
	LinkObjectSet *set = palloc0(sizeof(LinkObjectSet));

	set->session = session;
	set->wanted = wanted;
	set->path = path;
	set->numbered = numbered;
	set->next = next;
	set->file = -1;
	set->context = CurrentMemoryContext;
	return set;
}

/*
 * Names.
 */

/* Where the extension of a path begins, that of its codec included: its end if it has none. */
static Size
stem_length(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const LinkCodec *codec = link_codec_of_path(path);
	Size		end = strlen(path) - (codec ? strlen(codec->suffix) : 0);

	for (Size at = end; path + at > name + 1; at--)
		if (path[at - 1] == '.')
			return at - 1;
	return end;
}

static char *
numbered_path(const char *path, uint32 number)
{
	Size		stem = stem_length(path);

	return psprintf("%.*s_%04u%s", (int) stem, path, number, path + stem);
}

void
link_objects_folder(LinkObjectSet *set, const char *folder)
{
	Assert(set->current == NULL);
	if (set->folder)
		pfree(set->folder);
	set->folder = MemoryContextStrdup(set->context, folder);
	set->next_in_folder = 0;
}

static char *
next_path(LinkObjectSet *set)
{
	const LinkTransferOptions *wanted = set->wanted;

	if (set->folder)
	{
		Size		len = strlen(set->path);

		return psprintf("%s%s%s/part_%04u.%s%s", set->path,
						len > 0 && set->path[len - 1] == '/' ? "" : "/", set->folder,
						set->next_in_folder++,
						strcmp(wanted->format, "text") == 0 ? "txt" :
						strcmp(wanted->format, "binary") == 0 ? "bin" : wanted->format,
						wanted->codec ? wanted->codec->suffix : "");
	}
	if (set->numbered)
		return numbered_path(set->path, pg_atomic_fetch_add_u32(set->next, 1));
	return pstrdup(set->path);
}

static char *
manifest_path(const LinkObjectSet *set)
{
	Size		len = strlen(set->path);

	if (set->wanted->partition_by != NIL)
		return psprintf("%s%s_manifest.json", set->path, len > 0 && set->path[len - 1] == '/' ? "" : "/");
	return psprintf("%.*s_manifest.json", (int) stem_length(set->path), set->path);
}

/*
 * Writing.
 */

static void
begin_object(LinkObjectSet *set)
{
	const LinkTransferOptions *wanted = set->wanted;
	MemoryContext caller = MemoryContextSwitchTo(set->context);

	set->current_path = next_path(set);
	set->current = link_object_begin(set->session, set->current_path, wanted->overwrite,
									 wanted->codec, wanted->level, wanted->apart, wanted->manifest);
	set->current->digest = wanted->digest;
	MemoryContextSwitchTo(caller);
}

void
link_objects_write(LinkObjectSet *set, const char *data, Size size)
{
	uint64		before;

	if (set->current == NULL)
		begin_object(set);
	before = set->current->bytes;
	link_object_write(set->current, data, size);
	set->bytes += set->current->bytes - before;
}

uint64
link_objects_current_size(const LinkObjectSet *set)
{
	return set->current ? set->current->bytes : 0;
}

uint64
link_objects_bytes(const LinkObjectSet *set)
{
	return set->bytes;
}

/*
 * The token is in memory, where link_objects_undo() finds it; if it has no room
 * there it moves to the file.
 */
static void
keep_token(LinkObjectSet *set, Prepared *prepared)
{
	Size		size = prepared->token_size;
	int			written;

	if (set->tokens + size <= TOKENS_IN_MEMORY)
	{
		set->tokens += size;
		prepared->token = repalloc(prepared->token, size);
		return;
	}
	if (set->file < 0)
		set->file = OpenTemporaryFile(false);
	errno = 0;
	written = FileWrite(set->file, prepared->token, size, set->file_size, WAIT_EVENT_BUFFILE_WRITE);
	if (written != (int) size)
	{
		errno = errno ? errno : ENOSPC;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write the temporary file of an export: %m")));
	}
	prepared->file_offset = set->file_size;
	set->file_size += size;
	pfree(prepared->token);
	prepared->token = NULL;
}

/* Palloc'd where it comes from the file; NULL with errno.  Does not throw. */
static const char *
find_token(LinkObjectSet *set, const Prepared *prepared)
{
	char	   *token;
	int			got;

	if (prepared->token)
		return prepared->token;
	token = MemoryContextAllocExtended(set->context, prepared->token_size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
	if (token == NULL)
	{
		errno = ENOMEM;
		return NULL;
	}
	errno = 0;
	got = FileRead(set->file, token, prepared->token_size, prepared->file_offset, WAIT_EVENT_BUFFILE_READ);
	if (got == (int) prepared->token_size)
		return token;
	errno = errno ? errno : EIO;	/* it was cut short */
	pfree(token);
	return NULL;
}

static const char *
token_of(LinkObjectSet *set, const Prepared *prepared)
{
	const char *token = find_token(set, prepared);

	if (token == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read the temporary file of an export: %m")));
	return token;
}

static void
free_token(const Prepared *prepared, const char *token)
{
	if (token != prepared->token)
		pfree(unconstify(char *, token));
}

/* An object that is to be prepared: from here on it is found by its token, as soon as it has one. */
static Prepared *
add_prepared(LinkObjectSet *set)
{
	Prepared   *prepared = palloc0(sizeof(Prepared));

	set->prepared = lappend(set->prepared, prepared);
	return prepared;
}

void
link_objects_finish(LinkObjectSet *set, uint64 rows)
{
	MemoryContext caller = MemoryContextSwitchTo(set->context);
	LinkObjectWriter *object;
	Prepared   *prepared;
	StringInfoData token;
	uint64		before;

	if (set->current == NULL)
		begin_object(set);
	object = set->current;
	before = object->bytes;
	prepared = add_prepared(set);
	prepared->result.path = set->current_path;
	initStringInfo(&token);
	link_object_prepare(object, &token);
	prepared->token = token.data;
	prepared->token_size = token.len;
	set->current = NULL;

	set->bytes += object->bytes - before;
	prepared->result.rows = rows;
	prepared->result.bytes = object->bytes;
	prepared->result.text_bytes = object->text_bytes;
	prepared->crc = object->crc;
	link_object_free(object);
	keep_token(set, prepared);
	MemoryContextSwitchTo(caller);
}

int
link_objects_count(const LinkObjectSet *set)
{
	return list_length(set->prepared);
}

/*
 * Between processes.
 */

typedef struct Message
{
	uint64		rows;
	uint64		bytes;
	uint64		text_bytes;
	pg_crc32c	crc;
	Size		path_size;		/* with its NUL; the token follows it */
} Message;

void
link_objects_send(LinkObjectSet *set, void (*send) (void *arg, const char *data, Size size), void *arg)
{
	MemoryContext caller = MemoryContextSwitchTo(set->context);
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, set->prepared)
	{
		const Prepared *prepared = lfirst(cell);
		const char *token = token_of(set, prepared);
		Message		message = {prepared->result.rows, prepared->result.bytes, prepared->result.text_bytes, prepared->crc,
		strlen(prepared->result.path) + 1};

		resetStringInfo(&text);
		appendBinaryStringInfo(&text, (char *) &message, sizeof(message));
		appendBinaryStringInfo(&text, prepared->result.path, message.path_size);
		appendBinaryStringInfo(&text, token, prepared->token_size);
		send(arg, text.data, text.len);
		link_hand_over(token, prepared->token_size);
		free_token(prepared, token);
	}
	MemoryContextSwitchTo(caller);
}

/* Its token is in the message. */
static void
read_message(const char *data, Size size, Message *message, const char **path, const char **token, Size *token_size)
{
	memcpy(message, data, sizeof(*message));
	*path = data + sizeof(*message);
	*token = *path + message->path_size;
	*token_size = data + size - *token;
}

void
link_objects_receive(LinkObjectSet *set, const char *data, Size size)
{
	MemoryContext caller = MemoryContextSwitchTo(set->context);
	Prepared   *prepared = add_prepared(set);
	Message		message;
	const char *path;
	const char *token;
	Size		token_size;

	read_message(data, size, &message, &path, &token, &token_size);
	prepared->result.path = pstrdup(path);
	prepared->result.rows = message.rows;
	prepared->result.bytes = message.bytes;
	prepared->result.text_bytes = message.text_bytes;
	prepared->crc = message.crc;
	prepared->token = palloc(token_size);
	memcpy(prepared->token, token, token_size);
	prepared->token_size = token_size;
	set->bytes += message.bytes;
	keep_token(set, prepared);
	MemoryContextSwitchTo(caller);
}

static int
compare_paths(const ListCell *a, const ListCell *b)
{
	return strcmp(((const Prepared *) lfirst(a))->result.path, ((const Prepared *) lfirst(b))->result.path);
}

/*
 * The end.
 */

static void
write_manifest(LinkObjectSet *set)
{
	LinkTransferOptions plain = *set->wanted;
	const LinkTransferOptions *wanted = set->wanted;
	StringInfoData text;
	uint64		rows = 0;
	ListCell   *cell;
	char	   *utf8;

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"objects\": [");
	foreach(cell, set->prepared)
	{
		const Prepared *prepared = lfirst(cell);

		appendStringInfoString(&text, foreach_current_index(cell) > 0 ? ",\n  {\"path\": " : "\n  {\"path\": ");
		escape_json(&text, prepared->result.path);
		appendStringInfo(&text, ", \"rows\": " UINT64_FORMAT ", \"bytes\": " UINT64_FORMAT ", \"crc32c\": \"%08x\"}",
						 prepared->result.rows, prepared->result.bytes, prepared->crc);
		rows += prepared->result.rows;
	}
	appendStringInfo(&text, "],\n \"rows\": " UINT64_FORMAT ", \"bytes\": " UINT64_FORMAT "}\n", rows, set->bytes);
	utf8 = pg_server_to_any(text.data, text.len, PG_UTF8);

	plain.codec = NULL;
	set->wanted = &plain;
	set->current_path = manifest_path(set);
	set->current = link_object_begin(set->session, set->current_path, plain.overwrite, NULL, 0, false, false);
	link_objects_write(set, utf8, strlen(utf8));
	link_objects_finish(set, 0);
	set->wanted = wanted;
}

static void
publish(void *arg)
{
	LinkObjectSet *set = arg;
	MemoryContext step = AllocSetContextCreate(CurrentMemoryContext, "link publish", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(step);

	while (set->published < list_length(set->prepared))
	{
		Prepared   *prepared = list_nth(set->prepared, set->published);
		const char *token;
		char	   *version;

		CHECK_FOR_INTERRUPTS();
		token = token_of(set, prepared);
		version = link_publish(set->session, prepared->result.path, set->wanted->overwrite,
							   token, prepared->token_size);
		set->published++;
		if (version)
			prepared->version = MemoryContextStrdup(set->context, version);
		free_token(prepared, token);
		MemoryContextReset(step);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(step);
}

typedef struct Unpublish
{
	LinkSession *session;
	const Prepared *prepared;
} Unpublish;

static void
unpublish(void *arg)
{
	Unpublish  *unpublish = arg;

	/* what somebody else has put in its place is none of ours, and stays */
	(void) link_unpublish(unpublish->session, unpublish->prepared->result.path, unpublish->prepared->version);
}

/*
 * Some were published and the next was not: as if none had been, as far as that
 * can be had.  One whose version is not known stays: it may be another's by now.
 */
static void
take_back(LinkObjectSet *set)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), UNPUBLISH_TIMEOUT);
	int			stay = 0;

	for (int i = 0; i < set->published; i++)
	{
		const Prepared *prepared = list_nth(set->prepared, i);
		Unpublish	arg = {set->session, prepared};

		if (prepared->version == NULL || GetCurrentTimestamp() >= until || link_attempt(unpublish, &arg) != NULL)
			stay++;
	}
	if (stay > 0)
		ereport(WARNING,
				(errmsg("%d of %d objects stay visible of an export through link %s that failed",
						stay, list_length(set->prepared), set->session->link_name)));
}

/* NULL, or what went wrong; that may be a cancel. */
static ErrorData *
publish_attempt(LinkObjectSet *set)
{
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		error = link_attempt(publish, set);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(set->context);
		CurrentResourceOwner = owner;
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}

List *
link_objects_publish(LinkObjectSet *set)
{
	MemoryContext caller = MemoryContextSwitchTo(set->context);
	List	   *results = NIL;
	ListCell   *cell;

	Assert(set->current == NULL);
	list_sort(set->prepared, compare_paths);	/* processes come in any order */
	if (set->wanted->manifest)
		write_manifest(set);
	if (list_length(set->prepared) <= 1)
		publish(set);
	else
	{
		ErrorData  *error = publish_attempt(set);

		if (error)
		{
			take_back(set);
			ReThrowError(error);
		}
	}
	if (set->file >= 0)
		FileClose(set->file);
	set->file = -1;

	MemoryContextSwitchTo(caller);
	foreach(cell, set->prepared)
	{
		const Prepared *prepared = lfirst(cell);
		LinkObjectResult *result = palloc(sizeof(LinkObjectResult));

		*result = prepared->result;
		result->path = pstrdup(prepared->result.path);
		results = lappend(results, result);
	}
	return results;
}

/* Is there time for taking back one more? */
static bool
may_undo(LinkObjectSet *set)
{
	TimestampTz now = GetCurrentTimestamp();

	if (set->undo_until == 0)
		set->undo_until = TimestampTzPlusMilliseconds(now, LINK_ABORT_TIMEOUT);
	return now < set->undo_until;
}

void
link_objects_refuse(LinkObjectSet *set, const char *data, Size size)
{
	Message		message;
	const char *path;
	const char *token;
	Size		token_size;

	read_message(data, size, &message, &path, &token, &token_size);
	if (may_undo(set))
		link_discard(set->session, path, token, token_size);
}

/* What time does not suffice for stays on record (journal.h), and so does what has no token that can be read. */
void
link_objects_undo(LinkObjectSet *set)
{
	MemoryContext caller = MemoryContextSwitchTo(set->context);

	if (set->current)
		link_abort(set->current->writer);
	for (int i = set->published; i < list_length(set->prepared); i++)
	{
		const Prepared *prepared = list_nth(set->prepared, i);
		const char *token;

		if (!may_undo(set))
			break;
		if (prepared->token_size == 0 || (token = find_token(set, prepared)) == NULL)
			continue;
		link_discard(set->session, prepared->result.path, token, prepared->token_size);
		free_token(prepared, token);
	}
	MemoryContextSwitchTo(caller);
}
