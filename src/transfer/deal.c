/*-------------------------------------------------------------------------
 *
 * deal.c
 *	  The leader of a parallel export deals rows out to its workers.
 *
 * Each worker has a queue.  The leader never waits for one while it has rows: a
 * row for which no queue has room it formats itself.  A queue may take a part of
 * a row and then be full: that row stays with it, and is pushed on before the
 * next one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "transfer/deal.h"

typedef struct Hand
{
	shm_mq_handle *queue;		/* NULL: no worker, or it is gone */
	MinimalTuple begun;			/* of which a part has been sent, or NULL */
} Hand;

struct LinkDealer
{
	DestReceiver base;
	DestReceiver *own;
	MemoryContext context;		/* holds this, and rows that are begun */
	int			n;
	int			next;			/* whose turn it is */
	Hand		hands[FLEXIBLE_ARRAY_MEMBER];
};

/* Where the worker is gone so is the row: its error ends the export. */
static bool
try_send(Hand *hand, MinimalTuple tuple, bool nowait)
{
	shm_mq_result result = shm_mq_send(hand->queue, tuple->t_len, tuple, nowait, false);

	if (result == SHM_MQ_DETACHED)
		hand->queue = NULL;
	return result != SHM_MQ_WOULD_BLOCK;
}

/* Has it room for another row? */
static bool
push_on(Hand *hand)
{
	if (hand->queue == NULL)
		return false;
	if (hand->begun)
	{
		if (!try_send(hand, hand->begun, true))
			return false;
		pfree(hand->begun);
		hand->begun = NULL;
	}
	return hand->queue != NULL;
}

/*
 * Can another process read this value?  Not what lies in a temporary table, which
 * a function may have read, nor at an address of ours.
 */
static bool
is_ours_alone(Pointer value)
{
	struct varatt_external pointer;

	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return VARATT_IS_EXTERNAL_INDIRECT(value);
	VARATT_EXTERNAL_GET_POINTER(pointer, value);
	return get_rel_persistence(pointer.va_toastrelid) == RELPERSISTENCE_TEMP;
}

static bool
may_be_dealt(TupleTableSlot *slot)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;

	slot_getallattrs(slot);
	for (int i = 0; i < desc->natts; i++)
		if (TupleDescAttr(desc, i)->attlen == -1 && !slot->tts_isnull[i] &&
			is_ours_alone(DatumGetPointer(slot->tts_values[i])))
			return false;
	return true;
}

/* True if some worker has the row, or will have it. */
static bool
deal(LinkDealer *dealer, TupleTableSlot *slot)
{
	if (!may_be_dealt(slot))
		return false;
	for (int i = 0; i < dealer->n; i++)
	{
		Hand	   *hand = &dealer->hands[dealer->next];
		bool		shouldFree;
		MinimalTuple tuple;

		dealer->next = (dealer->next + 1) % dealer->n;
		if (!push_on(hand))
			continue;
		tuple = ExecFetchSlotMinimalTuple(slot, &shouldFree);
		if (!try_send(hand, tuple, true))
		{
			/* it must be sent again as it is: a copy, since the slot goes on */
			hand->begun = MemoryContextAlloc(dealer->context, tuple->t_len);
			memcpy(hand->begun, tuple, tuple->t_len);
		}
		if (shouldFree)
			heap_free_minimal_tuple(tuple);
		return true;
	}
	return false;
}

static bool
receiver_row(TupleTableSlot *slot, DestReceiver *self)
{
	LinkDealer *dealer = (LinkDealer *) self;

	return deal(dealer, slot) || dealer->own->receiveSlot(slot, dealer->own);
}

static void
receiver_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
receiver_shutdown(DestReceiver *self)
{
}

LinkDealer *
link_dealer_begin(int nworkers)
{
	LinkDealer *dealer = palloc0(offsetof(LinkDealer, hands) + nworkers * sizeof(Hand));

	dealer->base.receiveSlot = receiver_row;
	dealer->base.rStartup = receiver_startup;
	dealer->base.rShutdown = receiver_shutdown;
	dealer->base.rDestroy = receiver_shutdown;
	dealer->base.mydest = DestCopyOut;
	dealer->context = CurrentMemoryContext;
	return dealer;
}

void
link_dealer_set_queue(LinkDealer *dealer, int worker, shm_mq_handle *queue)
{
	dealer->hands[worker].queue = queue;
}

void
link_dealer_start(LinkDealer *dealer, ParallelContext *context)
{
	dealer->n = context->nworkers_launched;
	for (int i = 0; i < dealer->n; i++)
		shm_mq_set_handle(dealer->hands[i].queue, context->worker[i].bgwhandle);
}

DestReceiver *
link_dealer_receiver(LinkDealer *dealer, DestReceiver *own)
{
	dealer->own = own;
	return &dealer->base;
}

void
link_dealer_end(LinkDealer *dealer)
{
	for (int i = 0; i < dealer->n; i++)
	{
		Hand	   *hand = &dealer->hands[i];

		if (hand->queue && hand->begun)
			(void) try_send(hand, hand->begun, false);
		if (hand->queue)
			shm_mq_detach(hand->queue);
		hand->queue = NULL;
	}
}
