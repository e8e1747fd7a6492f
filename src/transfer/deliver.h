/*-------------------------------------------------------------------------
 *
 * deliver.h
 *	  Rows from the executor, through a format, into objects or messages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_DELIVER_H
#define LINK_DELIVER_H

#include "postgres.h"

#include "commands/copy.h"
#include "tcop/dest.h"

#include "transfer/objects.h"
#include "transfer/options.h"

typedef struct LinkDelivery LinkDelivery;

/*
 * The receiver of a query's rows.  Belongs to the current memory context; so
 * must all that is given.  With partition_by, the last columns of the rows are
 * its values as text, in whose order the rows come.
 */
extern LinkDelivery *link_delivery_begin(const LinkTransferOptions *wanted, const CopyFormatOptions *copy);
extern DestReceiver *link_delivery_receiver(LinkDelivery *delivery);

/* Before the query runs: what its rows look like, and where they go. */
extern void link_delivery_to_objects(LinkDelivery *delivery, TupleDesc desc, LinkObjectSet *set);
extern void link_delivery_to_stream(LinkDelivery *delivery, TupleDesc desc, LinkWriter *writer);

/*
 * After the last row.  'some': there is to be an object even if there was no
 * row.
 */
extern void link_delivery_end(LinkDelivery *delivery, bool some);

extern uint64 link_delivery_rows(const LinkDelivery *delivery);

/* To a stream: of the messages. */
extern uint64 link_delivery_bytes(const LinkDelivery *delivery);

#endif							/* LINK_DELIVER_H */
