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
 * The TOAST table needs no look: a value in it never changes, and a row that has
 * another one points to it from the heap.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "backup/changed.h"

/* A copy of what is to be known of a page, as nobody is changing it. */
static bool
look_at(Relation rel, BlockNumber block, BufferAccessStrategy strategy, XLogRecPtr *lsn)
{
	Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	Page		page;
	bool		used;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	used = !PageIsNew(page);
	*lsn = PageGetLSN(page);
	UnlockReleaseBuffer(buffer);
	return used;
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

	while (blocks > 0 && !look_at(rel, blocks - 1, NULL, &lsn))
	{
		CHECK_FOR_INTERRUPTS();
		blocks--;
	}
	relation_close(rel, NoLock);
	return blocks;
}

void
link_changed_pages(Oid table, BlockNumber from, BlockNumber to, XLogRecPtr baseline, volatile bool *changed)
{
	Relation	rel = relation_open(table, AccessShareLock);
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);

	for (BlockNumber block = from; block < to && !*changed; block++)
	{
		XLogRecPtr	lsn;

		CHECK_FOR_INTERRUPTS();
		if (look_at(rel, block, strategy, &lsn) && lsn >= baseline)
			*changed = true;
	}
	FreeAccessStrategy(strategy);
	relation_close(rel, NoLock);
}
