/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  How far a BACKUP or RESTORE has come, for other sessions to see, and how
 *	  fast it may go.
 *
 * The leader makes a segment at the beginning and another when it knows the tables.
 * It holds a lock that has the handle of the first in its tag: so others find it
 * among all locks, for as long as the leader lives.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/acl.h"

#include "backup/manifest.h"
#include "backup/progress.h"
#include "errors.h"
#include "guc.h"
#include "locks.h"
#include "transfer/progress.h"

#define HEAD_MAGIC 0x4C4E4B48
#define TABLES_MAGIC 0x4C4E4B54

/* us that a process may be ahead of link.backup_rate: sleeps shorter than that are not worth it */
#define AHEAD 50000

/* us of the longest sleep: a cancel wakes it, this is for whatever else may happen */
#define LONGEST_SLEEP 1000000

typedef struct Head
{
	uint32		magic;
	int			pid;
	Oid			role;
	int64		id;
	char		command[16];
	uint64		rate;			/* bytes a second; 0: any */
	pg_atomic_uint64 due;		/* us: when what has been moved is paid for */
	pg_atomic_uint64 bytes;
	pg_atomic_uint32 phase;
	pg_atomic_uint32 tables;	/* handle of the other; DSM_HANDLE_INVALID: not yet */
} Head;

typedef struct Table
{
	uint32		name;			/* from the beginning of all */
	uint32		parts;
	pg_atomic_uint32 parts_done;
	int64		bytes_total;
	pg_atomic_uint64 bytes;
} Table;

typedef struct Tables
{
	uint32		magic;
	uint32		count;
	Table		tables[FLEXIBLE_ARRAY_MEMBER];
} Tables;

static const char *const phases[] = {
	[LINK_PHASE_STARTING] = "starting",
	[LINK_PHASE_DEFINITIONS] = "definitions",
	[LINK_PHASE_LARGE_OBJECTS] = "large objects",
	[LINK_PHASE_COMPARING] = "looking for changes",
	[LINK_PHASE_TABLES] = "tables",
	[LINK_PHASE_INDEXES] = "indexes and constraints",
	[LINK_PHASE_ANALYZING] = "analyzing",
	[LINK_PHASE_FINISHING] = "finishing",
};

/* Of this process; an error detaches the segments, and that clears it. */
static struct
{
	dsm_segment *head_segment;
	dsm_segment *tables_segment;
	Head	   *head;
	Tables	   *tables;
	int			table;			/* -1: none */
} own;

/*
 * Rate.
 */

static uint64
microseconds(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MICROSEC(now);
}

/* Each byte has its time, one after the other in all processes: wait for that of these to be over. */
static void
pace(Head *head, Size bytes)
{
	uint64		cost = (uint64) bytes * USECS_PER_SEC / head->rate;
	uint64		due = pg_atomic_read_u64(&head->due);
	uint64		until;
	uint64		now;

	do
		until = Max(due, microseconds()) + cost;
	while (!pg_atomic_compare_exchange_u64(&head->due, &due, until));
	while ((now = microseconds()) + AHEAD < until)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 (long) (Min(until - now, LONGEST_SLEEP) / 1000) + 1, link_wait_event("LinkBackupRate"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
moved(Size bytes)
{
	pg_atomic_fetch_add_u64(&own.head->bytes, bytes);
	if (own.tables && own.table >= 0)
		pg_atomic_fetch_add_u64(&own.tables->tables[own.table].bytes, bytes);
	if (own.head->rate > 0)
		pace(own.head, bytes);
}

/*
 * Segments.
 */

static void
forget(dsm_segment *segment, Datum arg)
{
	if (segment == own.tables_segment)
	{
		own.tables_segment = NULL;
		own.tables = NULL;
	}
	if (segment == own.head_segment)
	{
		link_progress_moved = NULL;
		own.head_segment = NULL;
		own.head = NULL;
	}
}

static void
have_head(dsm_segment *segment)
{
	own.head_segment = segment;
	own.head = dsm_segment_address(segment);
	own.table = -1;
	on_dsm_detach(segment, forget, (Datum) 0);
	link_progress_moved = moved;
}

static void
have_tables(dsm_segment *segment)
{
	own.tables_segment = segment;
	own.tables = dsm_segment_address(segment);
	on_dsm_detach(segment, forget, (Datum) 0);
}

static void
tag_of(LOCKTAG *tag, dsm_handle handle)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, handle, MyProcPid, LINK_LOCK_PROGRESS);
}

void
link_backup_progress_begin(const char *command, int64 id)
{
	dsm_segment *segment = dsm_create(sizeof(Head), 0);
	Head	   *head = dsm_segment_address(segment);
	LOCKTAG		tag;

	memset(head, 0, sizeof(Head));
	head->magic = HEAD_MAGIC;
	head->pid = MyProcPid;
	head->role = GetUserId();
	head->id = id;
	strlcpy(head->command, command, sizeof(head->command));
	head->rate = (uint64) link_backup_rate * 1024;
	pg_atomic_init_u64(&head->due, 0);
	pg_atomic_init_u64(&head->bytes, 0);
	pg_atomic_init_u32(&head->phase, LINK_PHASE_STARTING);
	pg_atomic_init_u32(&head->tables, DSM_HANDLE_INVALID);
	have_head(segment);
	tag_of(&tag, dsm_segment_handle(segment));
	(void) LockAcquire(&tag, ExclusiveLock, false, true);
}

void
link_backup_progress_phase(LinkBackupPhase phase)
{
	if (own.head)
		pg_atomic_write_u32(&own.head->phase, phase);
}

/* Parts of the base are there already. */
static int
parts_done(const LinkBackupTable *table, int64 id)
{
	int			done = 0;
	ListCell   *lc;

	foreach(lc, table->parts)
		done += link_backup_of(lfirst(lc)) != id ? 1 : 0;
	return done;
}

static int64
bytes_of(const LinkBackupTable *table)
{
	int64		bytes = 0;
	ListCell   *lc;

	foreach(lc, table->parts)
		bytes += ((LinkBackupObject *) lfirst(lc))->bytes;
	return bytes;
}

void
link_backup_progress_tables(List *tables, int64 id, bool bytes_known)
{
	Size		header = offsetof(Tables, tables) + list_length(tables) * sizeof(Table);
	Size		size = header;
	uint32		at = header;
	dsm_segment *segment;
	Tables	   *all;
	ListCell   *lc;

	if (own.head == NULL)
		return;
	foreach(lc, tables)
		size += strlen(((LinkBackupTable *) lfirst(lc))->name) + 1;
	segment = dsm_create(size, 0);
	all = dsm_segment_address(segment);
	all->magic = TABLES_MAGIC;
	all->count = list_length(tables);
	foreach(lc, tables)
	{
		LinkBackupTable *table = lfirst(lc);
		Table	   *one = &all->tables[foreach_current_index(lc)];

		one->name = at;
		strcpy((char *) all + at, table->name);
		at += strlen(table->name) + 1;
		one->parts = list_length(table->parts);
		one->bytes_total = bytes_known ? bytes_of(table) : -1;
		/* while RESTORE loads them all, whoever made them */
		pg_atomic_init_u32(&one->parts_done, bytes_known ? 0 : parts_done(table, id));
		pg_atomic_init_u64(&one->bytes, 0);
	}
	have_tables(segment);
	pg_atomic_write_u32(&own.head->tables, dsm_segment_handle(segment));
}

void
link_backup_progress_end(void)
{
	LOCKTAG		tag;

	if (own.head == NULL)
		return;
	tag_of(&tag, dsm_segment_handle(own.head_segment));
	(void) LockRelease(&tag, ExclusiveLock, false);
	link_backup_progress_leave();
}

dsm_handle
link_backup_progress_handle(void)
{
	return own.head ? dsm_segment_handle(own.head_segment) : DSM_HANDLE_INVALID;
}

void
link_backup_progress_join(dsm_handle handle)
{
	dsm_segment *segment = handle == DSM_HANDLE_INVALID ? NULL : dsm_attach(handle);
	dsm_handle	tables;

	if (segment == NULL)
		return;
	have_head(segment);
	tables = pg_atomic_read_u32(&own.head->tables);
	segment = tables == DSM_HANDLE_INVALID ? NULL : dsm_attach(tables);
	if (segment)
		have_tables(segment);
}

void
link_backup_progress_leave(void)
{
	if (own.tables_segment)
		dsm_detach(own.tables_segment);
	if (own.head_segment)
		dsm_detach(own.head_segment);
}

void
link_backup_progress_table(int number)
{
	own.table = number;
}

void
link_backup_progress_part(void)
{
	if (own.tables && own.table >= 0)
		pg_atomic_fetch_add_u32(&own.tables->tables[own.table].parts_done, 1);
}

/*
 * Looking.
 */

/* It may have gone since, and its handle be another's. */
static dsm_segment *
attach(dsm_handle handle, uint32 magic, Size size, bool *attached)
{
	dsm_segment *segment = dsm_find_mapping(handle);

	*attached = segment == NULL;
	if (segment == NULL)
		segment = dsm_attach(handle);
	if (segment && dsm_segment_map_length(segment) >= size && *(uint32 *) dsm_segment_address(segment) == magic)
		return segment;
	if (segment && *attached)
		dsm_detach(segment);
	return NULL;
}

static List *
rows_of_tables(const LinkBackupProgressRow *whole, LinkBackupProgressRow *sum, dsm_handle handle)
{
	bool		attached;
	dsm_segment *segment = handle == DSM_HANDLE_INVALID ? NULL
		: attach(handle, TABLES_MAGIC, offsetof(Tables, tables), &attached);
	List	   *rows = NIL;
	Tables	   *all;
	Size		size;

	if (segment == NULL)
		return NIL;
	all = dsm_segment_address(segment);
	size = dsm_segment_map_length(segment);
	sum->bytes_total = 0;
	for (uint32 i = 0; i < all->count && offsetof(Tables, tables) + (i + 1) * sizeof(Table) <= size; i++)
	{
		Table	   *one = &all->tables[i];
		LinkBackupProgressRow *row = palloc(sizeof(LinkBackupProgressRow));

		*row = *whole;
		row->table = one->name < size ? pnstrdup((char *) all + one->name, size - one->name) : NULL;
		row->parts_done = pg_atomic_read_u32(&one->parts_done);
		row->parts_total = one->parts;
		row->bytes = pg_atomic_read_u64(&one->bytes);
		row->bytes_total = one->bytes_total;
		sum->parts_done += row->parts_done;
		sum->parts_total += row->parts_total;
		sum->bytes_total = row->bytes_total < 0 ? -1 : sum->bytes_total + row->bytes_total;
		rows = lappend(rows, row);
	}
	if (attached)
		dsm_detach(segment);
	return rows;
}

static List *
rows_of(dsm_handle handle)
{
	bool		attached;
	dsm_segment *segment = attach(handle, HEAD_MAGIC, sizeof(Head), &attached);
	LinkBackupProgressRow *sum;
	LinkBackupProgressRow whole = {0};
	List	   *rows = NIL;
	Head	   *head;

	if (segment == NULL)
		return NIL;
	head = dsm_segment_address(segment);
	if (has_privs_of_role(GetUserId(), head->role) || has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS))
	{
		whole.pid = head->pid;
		whole.command = pnstrdup(head->command, sizeof(head->command));
		whole.id = head->id;
		whole.phase = phases[Min(pg_atomic_read_u32(&head->phase), lengthof(phases) - 1)];
		whole.bytes = pg_atomic_read_u64(&head->bytes);
		whole.bytes_total = -1;
		sum = palloc(sizeof(LinkBackupProgressRow));
		*sum = whole;
		rows = lcons(sum, rows_of_tables(&whole, sum, pg_atomic_read_u32(&head->tables)));
	}
	if (attached)
		dsm_detach(segment);
	return rows;
}

List *
link_backup_progress_visible(void)
{
	LockData   *locks = GetLockStatusData();
	List	   *rows = NIL;

	for (int i = 0; i < locks->nelements; i++)
	{
		const LOCKTAG *tag = &locks->locks[i].locktag;

		if (tag->locktag_type == LOCKTAG_ADVISORY && tag->locktag_field4 == LINK_LOCK_PROGRESS &&
			tag->locktag_field1 == MyDatabaseId && locks->locks[i].holdMask != 0)
			rows = list_concat(rows, rows_of(tag->locktag_field2));
	}
	return rows;
}
