/*-------------------------------------------------------------------------
 *
 * keyring.c
 *	  The master keys: which ring counts, what is in it, how long it is
 *	  remembered, and its rotation.
 *
 * A ring is remembered for link.master_key_ttl seconds for opening; whoever
 * seals, or changes the ring, reads it anew, so that a key added by another
 * session is used at once and a backend with an old ring in memory does not
 * reseal under the old key.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <sys/stat.h>
#include <time.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "catalog/keyring.h"
#include "catalog/keyring_internal.h"
#include "catalog/seal.h"
#include "errors.h"
#include "guc.h"
#include "http/url.h"

#define DEFAULT_FILE "link_master.key"

/* Random bytes of a key id. */
#define KEY_ID_RANDOM 6

typedef enum SourceKind
{
	SOURCE_COMMAND,
	SOURCE_FILE,
	SOURCE_DEFAULT_FILE
} SourceKind;

typedef struct Source
{
	SourceKind	kind;
	const char *text;			/* command or path */
} Source;

/* What the session remembers; in TopMemoryContext. */
static struct
{
	LinkRing   *ring;			/* NULL: nothing */
	SourceKind	kind;
	char	   *source;			/* Source.text */
	int64		read_at;		/* monotonic ms */
} cache;

static int64
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Sources.
 */

static Source
current_source(void)
{
	static char default_path[MAXPGPATH];
	Source		source;

	if (link_master_key_command && link_master_key_command[0] != '\0')
	{
		source.kind = SOURCE_COMMAND;
		source.text = link_master_key_command;
	}
	else if (link_master_key_file && link_master_key_file[0] != '\0')
	{
		source.kind = SOURCE_FILE;
		source.text = link_master_key_file;
		if (!is_absolute_path(source.text))
			ereport(ERROR,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("parameter \"%s\" is not an absolute path", "link.master_key_file")));
	}
	else
	{
		snprintf(default_path, sizeof(default_path), "%s/%s", DataDir, DEFAULT_FILE);
		source.kind = SOURCE_DEFAULT_FILE;
		source.text = default_path;
	}
	return source;
}

/* For errors; a command may itself hold what nobody should read. */
static const char *
describe(const Source *source)
{
	return source->kind == SOURCE_COMMAND ? "what link.master_key_command prints" :
		psprintf("file \"%s\"", source->text);
}

char *
link_keyring_source(void)
{
	Source		source = current_source();
	struct stat st;

	if (source.kind == SOURCE_COMMAND)
		return pstrdup("command");
	if (stat(source.text, &st) != 0 && errno == ENOENT)
		return pstrdup("none yet");
	return psprintf("%s %s", source.kind == SOURCE_FILE ? "file" : "default file", source.text);
}

/*
 * What the session remembers.
 */

/* NULL if there is no such file. */
static LinkRing *
read_ring(const Source *source)
{
	Size		len;
	char	   *text = source->kind == SOURCE_COMMAND ?
		link_ring_command_read(source->text, &len) :
		link_ring_file_read(source->text, &len);

	return text ? link_ring_parse(describe(source), text, len) : NULL;
}

static void
forget(void)
{
	if (cache.ring)
	{
		explicit_bzero(cache.ring, LINK_RING_SIZE(cache.ring->n));
		pfree(cache.ring);
		cache.ring = NULL;
	}
	if (cache.source)
	{
		explicit_bzero(cache.source, strlen(cache.source));
		pfree(cache.source);
		cache.source = NULL;
	}
}

static void
forget_at_exit(int code, Datum arg)
{
	if (cache.ring)
		explicit_bzero(cache.ring, LINK_RING_SIZE(cache.ring->n));
}

static void
remember(const Source *source, const LinkRing *ring)
{
	static bool registered = false;

	forget();
	if (!registered)
	{
		on_proc_exit(forget_at_exit, (Datum) 0);
		registered = true;
	}
	cache.source = MemoryContextStrdup(TopMemoryContext, source->text);
	cache.kind = source->kind;
	cache.read_at = now_ms();
	cache.ring = MemoryContextAlloc(TopMemoryContext, LINK_RING_SIZE(ring->n));
	memcpy(cache.ring, ring, LINK_RING_SIZE(ring->n));
}

/*
 * The ring that counts, NULL if there is none; good until the next call.  With
 * 'fresh' not from memory, which *was_fresh tells if not NULL.
 */
static const LinkRing *
get_ring(bool fresh, bool *was_fresh)
{
	Source		source = current_source();
	MemoryContext context;
	MemoryContext caller;
	LinkRing   *ring;

	if (was_fresh)
		*was_fresh = true;
	if (!fresh && cache.ring && cache.kind == source.kind &&
		strcmp(cache.source, source.text) == 0 &&
		now_ms() - cache.read_at < (int64) link_master_key_ttl * 1000)
	{
		if (was_fresh)
			*was_fresh = false;
		return cache.ring;
	}

	/* whatever comes of it, an old ring is no longer used */
	forget();
	context = AllocSetContextCreate(CurrentMemoryContext, "link key ring", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	ring = read_ring(&source);
	if (ring)
		remember(&source, ring);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return cache.ring;
}

static const LinkKey *
find_key(const LinkRing *ring, const char *id)
{
	for (int i = 0; ring && i < ring->n; i++)
		if (strcmp(ring->keys[i].id, id) == 0)
			return &ring->keys[i];
	return NULL;
}

bool
link_keyring_find(const char *id, LinkKey *key)
{
	bool		fresh;
	const LinkKey *found = find_key(get_ring(false, &fresh), id);

	if (found == NULL && !fresh)
		found = find_key(get_ring(true, NULL), id);
	if (found == NULL)
		return false;
	*key = *found;
	return true;
}

List *
link_keyring_ids(void)
{
	const LinkRing *ring = get_ring(true, NULL);
	List	   *ids = NIL;

	for (int i = 0; ring && i < ring->n; i++)
		ids = lappend(ids, pstrdup(ring->keys[i].id));
	return ids;
}

/*
 * Making and changing the ring.
 */

/* A ring belongs to a primary: what a standby made would be a second, other one. */
static void
prevent_in_recovery(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("master key ring cannot be made or changed during recovery"),
				 errhint("Copy the ring of the primary to this server.")));
}

/* A fresh key as the last of a ring that has room for it. */
static void
append_new_key(LinkRing *ring)
{
	LinkKey    *key = &ring->keys[ring->n];
	time_t		now = time(NULL);
	uint8		random[KEY_ID_RANDOM];
	char		hex[2 * KEY_ID_RANDOM + 1];
	struct tm	utc;

	if (gmtime_r(&now, &utc) == NULL)
		elog(ERROR, "could not read the clock");
	do
	{
		Size		len;

		if (!pg_strong_random(key->key, LINK_KEY_LENGTH) || !pg_strong_random(random, sizeof(random)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate a master key")));
		link_hex_encode(random, sizeof(random), hex);
		/* the day first: it tells old keys from new ones */
		len = strftime(key->id, sizeof(key->id), "%Y%m%d-", &utc);
		strlcpy(key->id + len, hex, sizeof(key->id) - len);
	} while (find_key(ring, key->id) != NULL);
	ring->n++;
}

/* False if there is a file already. */
static bool
make_file(const Source *source, const LinkRing *ring)
{
	Size		len;
	char	   *text = link_ring_text(ring, &len);

	if (!link_ring_file_make(source->text, text, len))
		return false;
	if (path_is_prefix_of_path(DataDir, source->text))
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("master key ring was made in the data directory"),
				 errdetail("A base backup of this server then holds the ring together with the credentials that it seals, and pg_upgrade leaves the ring behind."),
				 errhint("Move the file \"%s\" elsewhere and name it in link.master_key_file; keep a copy apart from your backups.",
						 DEFAULT_FILE)));
	else
		ereport(LOG,
				(errmsg("master key ring was made in file \"%s\"", source->text),
				 errhint("Keep a copy apart from your backups.")));
	return true;
}

void
link_keyring_current(LinkKey *key, bool (*may_create) (void))
{
	const LinkRing *ring = get_ring(true, NULL);

	if (ring == NULL && may_create())
	{
		Source		source = current_source();
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link key ring",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext caller = MemoryContextSwitchTo(context);
		LinkRing   *made = link_secret_alloc(LINK_RING_SIZE(1));

		prevent_in_recovery();
		made->n = 0;
		append_new_key(made);
		(void) make_file(&source, made);
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(context);

		/* as the file has it, be it ours or that of somebody who was faster */
		ring = get_ring(true, NULL);
	}
	if (ring == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no master key ring"),
				 errdetail("It is not made anew, because credentials are sealed with a key of it."),
				 errhint("Put the ring file back in its place.")));
	*key = ring->keys[ring->n - 1];
}

/* The file whose ring can be changed. */
static Source
changeable_source(void)
{
	Source		source = current_source();

	prevent_in_recovery();
	if (source.kind == SOURCE_COMMAND)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("master key ring cannot be changed: it comes from link.master_key_command"),
				 errhint("Change what the command prints; the last key is the one that seals.")));
	return source;
}

/*
 * The locked ring, copied with room for 'extra' keys; NULL if there is no file.
 * *fd is to be closed afterwards.
 */
static LinkRing *
lock_ring(const Source *source, int extra, int *fd)
{
	Size		len;
	char	   *text = link_ring_file_lock(source->text, &len, fd);
	LinkRing   *ring;
	LinkRing   *copy;

	if (text == NULL)
		return NULL;
	ring = link_ring_parse(describe(source), text, len);
	copy = link_secret_alloc(LINK_RING_SIZE(ring->n + extra));
	memcpy(copy, ring, LINK_RING_SIZE(ring->n));
	return copy;
}

static void
replace_file(const Source *source, const LinkRing *ring, int fd)
{
	Size		len;
	char	   *text = link_ring_text(ring, &len);

	link_ring_file_replace(source->text, text, len);
	CloseTransientFile(fd);
}

char *
link_keyring_add(void)
{
	Source		source = changeable_source();
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link key ring",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	char	   *id = NULL;

	/* a second turn only where there was no file, and somebody else makes it meanwhile */
	while (id == NULL)
	{
		int			fd;
		LinkRing   *ring = lock_ring(&source, 1, &fd);
		bool		made = ring == NULL;

		if (made)
		{
			ring = link_secret_alloc(LINK_RING_SIZE(1));
			ring->n = 0;
		}
		append_new_key(ring);
		if (!made)
			replace_file(&source, ring, fd);
		else if (!make_file(&source, ring))
			continue;
		id = MemoryContextStrdup(caller, ring->keys[ring->n - 1].id);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	forget();
	return id;
}

void
link_keyring_retire(const char *id)
{
	Source		source = changeable_source();
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link key ring",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	int			fd;
	LinkRing   *ring = lock_ring(&source, 0, &fd);
	const LinkKey *key = find_key(ring, id);
	int			at;

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("master key ring has no key \"%s\"", link_printable(id, strlen(id)))));
	at = key - ring->keys;
	if (at == ring->n - 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("key \"%s\" is the one that seals", key->id),
				 errhint("Add another with link.add_master_key() and reseal with link.reseal() in each database first.")));
	memmove(&ring->keys[at], &ring->keys[at + 1], (ring->n - 1 - at) * sizeof(LinkKey));
	ring->n--;
	replace_file(&source, ring, fd);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	forget();
}
