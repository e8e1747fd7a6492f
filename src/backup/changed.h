/*-------------------------------------------------------------------------
 *
 * changed.h
 *	  Whether pages of a table have changed since a position in the WAL.
 *
 * Of heap tables that are permanent, locked in ACCESS SHARE mode since before the
 * snapshot whose rows are in question.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_CHANGED_H
#define LINK_CHANGED_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "nodes/pg_list.h"
#include "storage/block.h"

typedef struct LinkChangedTable
{
	Oid			oid;
	Oid			file;			/* its filenode */
	BlockNumber blocks;
	bool		changed;
} LinkChangedTable;

/* Number of its blocks up to the last that was ever used. */
extern BlockNumber link_changed_blocks(Oid table);

/*
 * Set 'changed' of LinkChangedTable * of which a page, before 'blocks', lies
 * changed after 'baseline' in shared buffers, and perhaps not yet in the file.
 * Reads the header of each buffer, and the pages of those that are dirty.
 */
extern void link_changed_in_memory(List *tables, XLogRecPtr baseline);

/*
 * Set 'changed' if one of the blocks, before 'to', has been changed after
 * 'baseline' in the table's file, which is read; ends when it is set, by whomever.
 * Both together say whether a table has changed, the one above coming first.
 */
extern void link_changed_pages(Oid table, BlockNumber from, BlockNumber to, XLogRecPtr baseline, volatile bool *changed);

#endif							/* LINK_CHANGED_H */
