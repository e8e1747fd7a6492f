/*-------------------------------------------------------------------------
 *
 * changed.c
 *	  Whether pages of a table have changed since a position in the WAL.
 *
 * All that changes the rows of a permanent table is logged and leaves its position
 * on the page: so pages that are all older than the baseline are what they were.
 * The other way round a page may be newer and say the same: pruning, freezing and
 * with checksums hint bits are logged too.
 *
 * What the snapshot sees was on its page, in memory, when the snapshot was taken.
 * A buffer stays dirty until all of it is written: so after a look at each that is
 * dirty, the file has the pages of all others, of which their first bytes are read.
 * What others change meanwhile is none of the snapshot's, and if a page is seen as
 * they write it, its position is of either (eight aligned bytes are not copied in
 * parts).
 *
 * The TOAST table needs no look: a value in it never changes, and a row that has
 * another one points to it from the heap.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <unistd.h>

#include "access/relation.h"
#include "access/xlog.h"
#include "common/relpath.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "storage/checksum.h"
#include "storage/fd.h"
#include "utils/rel.h"

#include "backup/changed.h"

/* Of a page, as nobody is changing it. */
static bool
look_at(Relation rel, BlockNumber block, XLogRecPtr *lsn)
{
	Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, NULL);
	Page		page;
	bool		used;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	used = !PageIsNew(page);
	*lsn = PageGetLSN(page);
	UnlockReleaseBuffer(buffer);
	return used;
}

static bool
is_changed(Relation rel, BlockNumber block, XLogRecPtr baseline)
{
	XLogRecPtr	lsn;

	return look_at(rel, block, &lsn) && lsn >= baseline;
}

/*
 * Tables are extended by pages that nothing logs before they are used: if they
 * counted, those that come after a truncation could make good for what it cut off.
 */
BlockNumber
link_changed_blocks(Oid table)
{
	Relation	rel = relation_open(table, AccessShareLock);
	BlockNumber blocks = RelationGetNumberOfBlocks(rel);
	XLogRecPtr	lsn;

	while (blocks > 0 && !look_at(rel, blocks - 1, &lsn))
	{
		CHECK_FOR_INTERRUPTS();
		blocks--;
	}
	relation_close(rel, NoLock);
	return blocks;
}

/*
 * In memory.
 */

static int
by_file(const ListCell *a, const ListCell *b)
{
	Oid			one = ((LinkChangedTable *) lfirst(a))->file;
	Oid			other = ((LinkChangedTable *) lfirst(b))->file;

	return (one > other) - (one < other);
}

/* Number of the first in this order whose file is not less. */
static int
first_of(List *tables, Oid file)
{
	int			from = 0;
	int			to = list_length(tables);

	while (from < to)
	{
		int			middle = (from + to) / 2;

		if (((LinkChangedTable *) list_nth(tables, middle))->file < file)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* Tablespaces may have files of the same number. */
static void
look_for(List *tables, const BufferTag *tag, XLogRecPtr baseline)
{
	Oid			file = link_buffer_file(tag);

	for (int i = first_of(tables, file); i < list_length(tables); i++)
	{
		LinkChangedTable *table = list_nth(tables, i);
		Relation	rel;

		if (table->file != file)
			break;
		if (table->changed || tag->blockNum >= table->blocks)
			continue;
		rel = relation_open(table->oid, AccessShareLock);
		if (link_buffer_is_of(tag, rel))
			table->changed = is_changed(rel, tag->blockNum, baseline);
		relation_close(rel, NoLock);
	}
}

void
link_changed_in_memory(List *tables, XLogRecPtr baseline)
{
	List	   *sorted = list_copy(tables);

	list_sort(sorted, by_file);
	for (int i = 0; i < NBuffers; i++)
	{
		BufferDesc *buffer = GetBufferDescriptor(i);
		BufferTag	tag;
		uint32		state;

		/* the snapshot is younger than what counts, so it is seen without a lock */
		if ((pg_atomic_read_u32(&buffer->state) & BM_DIRTY) == 0)
			continue;
		CHECK_FOR_INTERRUPTS();
		state = LockBufHdr(buffer);
		tag = buffer->tag;
		UnlockBufHdr(buffer, state);
		if ((state & BM_TAG_VALID) && tag.forkNum == MAIN_FORKNUM)
			look_for(sorted, &tag, baseline);
	}
	list_free(sorted);
}

/*
 * In the file.
 */

static char *
path_of(Relation rel, BlockNumber segment)
{
	char	   *path = link_relation_path(rel);

	return segment == 0 ? path : psprintf("%s.%u", path, segment);
}

/*
 * Of a page the header alone, unless a checksum says whether all of it is as it
 * was written.  One that is not may be just being written: the buffer manager knows.
 */
static bool
is_page_changed(Relation rel, int fd, const char *path, BlockNumber block, XLogRecPtr baseline)
{
	union
	{
		PageHeaderData header;
		PGAlignedBlock whole;
	}			page;
	size_t		size = DataChecksumsEnabled() ? BLCKSZ : SizeOfPageHeaderData;
	ssize_t		got = pg_pread(fd, &page, size, (off_t) (block % RELSEG_SIZE) * BLCKSZ);

	if (got != (ssize_t) size)
	{
		if (got >= 0)
			errno = EIO;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read block %u in file \"%s\": %m", block, path)));
	}
	if (PageIsNew((Page) &page))
		return false;
	if (PageGetLSN((Page) &page) >= baseline)
		return true;
	return DataChecksumsEnabled() && page.header.pd_checksum != pg_checksum_page(page.whole.data, block) &&
		is_changed(rel, block, baseline);
}

/* Blocks of one segment. */
static void
read_segment(Relation rel, BlockNumber from, BlockNumber to, XLogRecPtr baseline, volatile bool *changed)
{
	char	   *path = path_of(rel, from / RELSEG_SIZE);
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);

	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", path)));
	pgstat_report_wait_start(WAIT_EVENT_DATA_FILE_READ);
	for (BlockNumber block = from; block < to && !*changed; block++)
	{
		CHECK_FOR_INTERRUPTS();
		/* others may set it too, and nobody takes it back */
		if (is_page_changed(rel, fd, path, block, baseline))
			*changed = true;
	}
	pgstat_report_wait_end();
	CloseTransientFile(fd);
	pfree(path);
}

void
link_changed_pages(Oid table, BlockNumber from, BlockNumber to, XLogRecPtr baseline, volatile bool *changed)
{
	Relation	rel = relation_open(table, AccessShareLock);

	while (from < to && !*changed)
	{
		BlockNumber end = Min(to, from - from % RELSEG_SIZE + RELSEG_SIZE);

		read_segment(rel, from, end, baseline, changed);
		from = end;
	}
	relation_close(rel, NoLock);
}
