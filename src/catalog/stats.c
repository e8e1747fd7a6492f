/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  Figures about the use of each link.
 *
 * One hash table under one lock.  It is taken once a use, for less than a
 * microsecond, while the use itself took a request or a file.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"

#include "catalog/stats.h"
#include "errors.h"

#define TRANCHE "link"

/* Hashed as bytes, so it has no hole. */
typedef struct StatsKey
{
	int64		link_id;
	Oid			database;
	uint32		zero;
} StatsKey;

typedef struct StatsEntry
{
	StatsKey	key;
	LinkStats	stats;
} StatsEntry;

static HTAB *entries = NULL;
static LWLock *lock = NULL;		/* of shared entries; NULL for the session's own */

static shmem_request_hook_type prev_shmem_request = NULL;
static shmem_startup_hook_type prev_shmem_startup = NULL;

static void
describe_table(HASHCTL *table)
{
	memset(table, 0, sizeof(*table));
	table->keysize = sizeof(StatsKey);
	table->entrysize = sizeof(StatsEntry);
}

static void
request_shmem(void)
{
	if (prev_shmem_request)
		prev_shmem_request();
	RequestAddinShmemSpace(hash_estimate_size(LINK_STATS_MAX, sizeof(StatsEntry)));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
start_shmem(void)
{
	HASHCTL		table;

	if (prev_shmem_startup)
		prev_shmem_startup();
	describe_table(&table);
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	entries = ShmemInitHash("link statistics", LINK_STATS_MAX, LINK_STATS_MAX, &table,
							HASH_ELEM | HASH_BLOBS);
	LWLockRelease(AddinShmemInitLock);
	lock = &GetNamedLWLockTranche(TRANCHE)->lock;
}

void
link_stats_init(void)
{
	HASHCTL		table;

	if (process_shared_preload_libraries_in_progress)
	{
		prev_shmem_request = shmem_request_hook;
		shmem_request_hook = request_shmem;
		prev_shmem_startup = shmem_startup_hook;
		shmem_startup_hook = start_shmem;
		return;
	}
	describe_table(&table);
	entries = hash_create("link statistics", 64, &table, HASH_ELEM | HASH_BLOBS);
}

bool
link_stats_shared(void)
{
	return lock != NULL;
}

static StatsKey
make_key(int64 link_id)
{
	StatsKey	key = {link_id, MyDatabaseId, 0};

	return key;
}

static void
lock_entries(LWLockMode mode)
{
	if (lock)
		LWLockAcquire(lock, mode);
}

static void
unlock_entries(void)
{
	if (lock)
		LWLockRelease(lock);
}

/* Make room by the one whose last use is the longest ago. */
static void
evict(void)
{
	HASH_SEQ_STATUS scan;
	StatsEntry *entry;
	StatsKey	oldest = {0};
	TimestampTz oldest_use = DT_NOEND;

	hash_seq_init(&scan, entries);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->stats.last_use < oldest_use)
		{
			oldest_use = entry->stats.last_use;
			oldest = entry->key;
		}
	(void) hash_search(entries, &oldest, HASH_REMOVE, NULL);
}

/* Shared memory that is used up counts nothing: no reason for a use to fail. */
void
link_stats_add(int64 link_id, const LinkStats *use)
{
	StatsKey	key = make_key(link_id);
	StatsEntry *entry;

	lock_entries(LW_EXCLUSIVE);
	entry = hash_search(entries, &key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		if (hash_get_num_entries(entries) >= LINK_STATS_MAX)
			evict();
		entry = hash_search(entries, &key, lock ? HASH_ENTER_NULL : HASH_ENTER, NULL);
		if (entry)
		{
			memset(&entry->stats, 0, sizeof(entry->stats));
			entry->stats.since = use->last_use;
		}
	}
	if (entry)
	{
		LinkStats  *stats = &entry->stats;

		stats->uses += use->uses;
		stats->rows += use->rows;
		stats->bytes += use->bytes;
		stats->requests += use->requests;
		stats->retries += use->retries;
		stats->errors += use->errors;
		stats->last_use = use->last_use;
		if (use->errors > 0)
		{
			stats->last_sqlstate = use->last_sqlstate;
			memcpy(stats->last_error, use->last_error, sizeof(stats->last_error));
		}
	}
	unlock_entries();
}

bool
link_stats_read(int64 link_id, LinkStats *stats)
{
	StatsKey	key = make_key(link_id);
	StatsEntry *entry;

	lock_entries(LW_SHARED);
	entry = hash_search(entries, &key, HASH_FIND, NULL);
	if (entry)
		*stats = entry->stats;
	unlock_entries();
	return entry != NULL;
}

void
link_stats_reset(void)
{
	HASH_SEQ_STATUS scan;
	StatsEntry *entry;

	lock_entries(LW_EXCLUSIVE);
	hash_seq_init(&scan, entries);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->key.database == MyDatabaseId)
			(void) hash_search(entries, &entry->key, HASH_REMOVE, NULL);
	unlock_entries();
}
