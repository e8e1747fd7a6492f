/*-------------------------------------------------------------------------
 *
 * parallel_worker.c
 *	  An export by several processes: a worker's part.
 *
 * A worker that is stopped, or fails, ends its process: what it has begun at the
 * provider is taken back on the way out.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/parallel.h"
#include "commands/copy.h"
#include "executor/executor.h"
#include "executor/nodeSeqscan.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "storage/ipc.h"
#include "storage/shm_mq.h"
#include "utils/snapmgr.h"

#include "catalog/privileges.h"
#include "http/count.h"
#include "provider/journal.h"
#include "transfer/deliver.h"
#include "transfer/options.h"
#include "transfer/parallel_internal.h"

PGDLLEXPORT void link_parallel_worker_main(dsm_segment *segment, shm_toc *toc);

static List *
read_options(const char *text)
{
	List	   *options = NIL;
	ListCell   *cell;

	foreach(cell, (List *) stringToNode(text))
	{
		List	   *pair = lfirst(cell);

		options = lappend(options, makeDefElem(strVal(linitial(pair)), lsecond(pair), -1));
	}
	return options;
}

static bool
join_scan(PlanState *state, void *arg)
{
	if (IsA(state, SeqScanState))
		ExecSeqScanInitializeWorker((SeqScanState *) state, arg);
	return planstate_tree_walker(state, join_scan, arg);
}

typedef struct ToLeader
{
	shm_mq_handle *queue;
} ToLeader;

static void
send_to_leader(void *arg, const char *data, Size size)
{
	ToLeader   *to = arg;

	/* a leader that is gone does not care */
	if (shm_mq_send(to->queue, size, data, false, true) != SHM_MQ_SUCCESS)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the leader of a parallel export has gone")));
}

/* Run the plan, whose scans are shared. */
static void
share_plan(PlannedStmt *plan, const char *query, ParallelWorkerContext *context,
		   LinkDelivery *delivery, LinkObjectSet *set)
{
	QueryDesc  *desc = CreateQueryDesc(plan, query, GetActiveSnapshot(), InvalidSnapshot,
									   link_delivery_receiver(delivery), NULL, NULL, 0);

	ExecutorStart(desc, 0);
	(void) join_scan(desc->planstate, context);
	link_delivery_to_objects(delivery, desc->tupDesc, set);
	link_executor_run(desc);
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
}

/* Take what the leader deals. */
static void
take_rows(shm_mq *queue, dsm_segment *segment, List *shape, LinkDelivery *delivery, LinkObjectSet *set)
{
	TupleDesc	desc = ExecTypeFromTL(shape);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	DestReceiver *receiver = link_delivery_receiver(delivery);
	shm_mq_handle *handle;
	Size		size;
	void	   *data;

	shm_mq_set_receiver(queue, MyProc);
	handle = shm_mq_attach(queue, segment, NULL);
	link_delivery_to_objects(delivery, desc, set);
	while (shm_mq_receive(handle, &size, &data, false) == SHM_MQ_SUCCESS)
	{
		Assert(size == ((MinimalTuple) data)->t_len);
		ExecStoreMinimalTuple(data, slot, false);
		receiver->receiveSlot(slot, receiver);
		ExecClearTuple(slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	shm_mq_detach(handle);
}

/* What it took; all of it, for nothing is asked for anywhere after this. */
static void
hand_over_counts(LinkParallelShared *shared)
{
	pg_atomic_fetch_add_u64(&shared->requests, link_http_counts.requests);
	pg_atomic_fetch_add_u64(&shared->retries, link_http_counts.retries);
}

/* Of this process, until it has handed over all it had; NULL: nothing is left here. */
static LinkObjectSet *unfinished = NULL;

/*
 * before_shmem_exit.  Never cancelled: what the query calls may have registered
 * others meanwhile, and only the latest could be.
 */
static void
undo(int code, Datum shared)
{
	if (unfinished == NULL)
		return;
	link_objects_undo(unfinished);
	link_journal_leave_strays(MyProcPid);
	hand_over_counts((LinkParallelShared *) DatumGetPointer(shared));
}

void
link_parallel_worker_main(dsm_segment *segment, shm_toc *toc)
{
	LinkParallelShared *shared = shm_toc_lookup(toc, LINK_PARALLEL_KEY_SHARED, false);
	char	   *path = shm_toc_lookup(toc, LINK_PARALLEL_KEY_PATH, false);
	char	   *query = shm_toc_lookup(toc, LINK_PARALLEL_KEY_QUERY, false);
	List	   *options = read_options(shm_toc_lookup(toc, LINK_PARALLEL_KEY_OPTIONS, false));
	void	   *plan = stringToNode(shm_toc_lookup(toc, LINK_PARALLEL_KEY_PLAN, false));
	char	   *queues = shm_toc_lookup(toc, LINK_PARALLEL_KEY_QUEUES, false);
	shm_mq	   *queue = (shm_mq *) (queues + ParallelWorkerNumber * LINK_PARALLEL_QUEUE);
	ParallelWorkerContext context = {segment, toc};
	CopyFormatOptions format = {0};
	LinkTransferOptions wanted;
	LinkDelivery *delivery;
	LinkSession *session;
	LinkObjectSet *set;
	ToLeader	leader;

	shm_mq_set_sender(queue, MyProc);
	leader.queue = shm_mq_attach(queue, segment, NULL);

	link_transfer_options(NULL, options, false, path, &wanted);
	ProcessCopyOptions(NULL, &format, false, wanted.copy);
	link_journal_write_for(shared->owner);
	session = link_open(link_lookup_id(shared->link_id, LINK_ACL_WRITE));
	before_shmem_exit(undo, PointerGetDatum(shared));
	link_progress_share(&shared->progress, false);
	unfinished = set = link_objects_begin(session, path, true, &shared->next, &wanted);

	delivery = link_delivery_begin(&wanted, &format);
	if (shared->deal)
	{
		char	   *rows = shm_toc_lookup(toc, LINK_PARALLEL_KEY_ROWS, false);

		take_rows((shm_mq *) (rows + ParallelWorkerNumber * LINK_PARALLEL_ROWS), segment, plan, delivery, set);
	}
	else
		share_plan(plan, query, &context, delivery, set);
	link_delivery_end(delivery, false);
	link_progress_tell();

	link_objects_send(set, send_to_leader, &leader);
	hand_over_counts(shared);
	unfinished = NULL;
	shm_mq_detach(leader.queue);
	link_close(session);
}
