/*-------------------------------------------------------------------------
 *
 * deal.h
 *	  The leader of a parallel export deals rows out to its workers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_DEAL_H
#define LINK_DEAL_H

#include "postgres.h"

#include "access/parallel.h"
#include "storage/shm_mq.h"
#include "tcop/dest.h"

typedef struct LinkDealer LinkDealer;

/* Belongs to the current memory context. */
extern LinkDealer *link_dealer_begin(int nworkers);
extern void link_dealer_set_queue(LinkDealer *dealer, int worker, shm_mq_handle *queue);

/* The workers have been started. */
extern void link_dealer_start(LinkDealer *dealer, ParallelContext *context);

/* Takes the rows of a query; those for which no worker has room 'own' is given. */
extern DestReceiver *link_dealer_receiver(LinkDealer *dealer, DestReceiver *own);

/* No more rows: the workers come to their end. */
extern void link_dealer_end(LinkDealer *dealer);

#endif							/* LINK_DEAL_H */
