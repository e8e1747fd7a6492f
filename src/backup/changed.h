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
#include "storage/block.h"

/* Number of its blocks up to the last that was ever used. */
extern BlockNumber link_changed_blocks(Oid table);

/*
 * Set 'changed' if one of the blocks, before 'to', has been changed after
 * 'baseline'; ends when it is set, by whomever.
 */
extern void link_changed_pages(Oid table, BlockNumber from, BlockNumber to, XLogRecPtr baseline, volatile bool *changed);

#endif							/* LINK_CHANGED_H */
