/*-------------------------------------------------------------------------
 *
 * copy_to.h
 *	  What a COPY TO writes: its table, as core's COPY TO takes one, or its query.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_COPY_TO_H
#define LINK_COPY_TO_H

#include "postgres.h"

#include "transfer/options.h"
#include "transfer/select.h"
#include "transfer/transfer.h"

/*
 * A table is opened, locked and checked as core does it, and then read by a
 * query, to which row security applies.  Of queries, those of select.h.
 */
extern LinkSelect link_copy_to_plan(const LinkCopy *copy, const LinkTransferOptions *options);

#endif							/* LINK_COPY_TO_H */
