/*-------------------------------------------------------------------------
 *
 * parallel.c
 *	  An export by several processes: the leader's part.
 *
 * A plan that is one scan, or an Append of some, without anything above it, is
 * shared out: its scans are made parallel-aware, which is all that core's own
 * parallel scan is: whoever runs the plan gets the blocks that nobody else has
 * got.  The leader runs it too, and the workers (parallel_worker.c) run a copy.
 * Any other plan is run by the leader alone, who deals out its rows.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/parallel.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "executor/nodeSeqscan.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/shm_mq.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "http/count.h"
#include "provider/journal.h"
#include "transfer/deal.h"
#include "transfer/parallel.h"
#include "transfer/parallel_internal.h"

/* ms after which a leader that waits looks how far the workers are */
#define LOOK_EVERY 200

struct LinkParallel
{
	ParallelContext *context;
	LinkParallelShared *shared;
	shm_mq_handle **queues;		/* one a worker, of what it has prepared */
	LinkDealer *dealer;			/* or NULL */
};

/* ---- is it worth it? ---- */

/* The scans of a plan that can be shared out; NIL if it cannot. */
static List *
scans_of(Plan *plan)
{
	if (IsA(plan, SeqScan))
		return list_make1(plan);
	if (IsA(plan, Append) && link_append_is_plain((Append *) plan))
	{
		List	   *scans = NIL;
		ListCell   *cell;

		foreach(cell, ((Append *) plan)->appendplans)
		{
			if (!IsA(lfirst(cell), SeqScan))
				return NIL;
			scans = lappend(scans, lfirst(cell));
		}
		return scans;
	}
	return NIL;
}

static double
count_blocks(List *scans, List *rtable)
{
	double		blocks = 0;
	ListCell   *cell;

	foreach(cell, scans)
	{
		RangeTblEntry *entry = rt_fetch(((Scan *) lfirst(cell))->scanrelid, rtable);
		Relation	rel = table_open(entry->relid, NoLock);

		blocks += RelationGetNumberOfBlocks(rel);
		table_close(rel, NoLock);
	}
	return blocks;
}

/* What a temporary table holds is in the memory of its backend, large values too. */
static bool
reads_temporary(List *rtable)
{
	ListCell   *cell;

	foreach(cell, rtable)
	{
		RangeTblEntry *entry = lfirst(cell);

		if (entry->rtekind == RTE_RELATION && get_rel_persistence(entry->relid) == RELPERSISTENCE_TEMP)
			return true;
	}
	return false;
}

/* Every process writes values out, which no part of a query does: so the planner has not looked at that. */
static bool
written_safely(List *targets, const LinkFormat *format)
{
	ListCell   *cell;

	foreach(cell, targets)
	{
		TargetEntry *target = lfirst(cell);

		if (!target->resjunk && !link_format_is_safe(format, (Node *) target->expr))
			return false;
	}
	return true;
}

/* Are the columns above a plan those of the plan, in its order? */
static bool
same_columns(List *above, List *below)
{
	ListCell   *a;
	ListCell   *b;

	if (list_length(above) != list_length(below))
		return false;
	forboth(a, above, b, below)
	{
		Expr	   *expr = ((TargetEntry *) lfirst(a))->expr;

		if (IsA(expr, Var) && ((Var *) expr)->varno == OUTER_VAR)
			expr = ((TargetEntry *) list_nth(below, ((Var *) expr)->varattno - 1))->expr;
		if (!equal(expr, ((TargetEntry *) lfirst(b))->expr))
			return false;
	}
	return true;
}

int
link_parallel_workers(LinkSelect *select, const LinkFormat *format, int wanted, bool *deal)
{
	PlannedStmt *plan = select->plan;
	Plan	   *top = plan->planTree;
	List	   *scans = NIL;
	double		blocks;
	int			workers;
	ListCell   *cell;

	if (wanted == 0 || wanted == 1 || select->hazard == PROPARALLEL_UNSAFE || max_parallel_workers == 0 ||
		IsInParallelMode() || !IsUnderPostmaster)
		return 0;

	/* a scan that the planner has found worth a Gather is worth more without it */
	if (IsA(top, Gather) && same_columns(top->targetlist, top->lefttree->targetlist))
		top = top->lefttree;
	if (select->hazard == PROPARALLEL_SAFE && plan->subplans == NIL && plan->planTree->initPlan == NIL)
		scans = scans_of(top);
	*deal = scans == NIL;
	if (reads_temporary(plan->rtable) || !written_safely(select->targets, format))
		return 0;
	if (*deal)
		return Max(wanted - 1, 0);
	blocks = count_blocks(scans, plan->rtable);

	if (wanted > 0)
		workers = wanted - 1;
	else
	{
		RelOptInfo *rel = makeNode(RelOptInfo);

		rel->reloptkind = RELOPT_BASEREL;
		rel->rel_parallel_workers = -1;
		workers = compute_parallel_worker(rel, blocks, -1, max_parallel_workers_per_gather);
	}
	if (workers == 0)
		return 0;

	/* a Gather's columns have the names */
	if (top != plan->planTree)
		apply_tlist_labeling(top->targetlist, plan->planTree->targetlist);
	top->parallel_aware = false;	/* of an Append: each process runs all of it */
	foreach(cell, scans)
		((Plan *) lfirst(cell))->parallel_aware = true;
	plan->planTree = top;
	plan->parallelModeNeeded = false;
	return workers;
}

/* ---- telling the workers ---- */

/*
 * DefElem is no node that can be read back everywhere, and no more is a star: so
 * (name, value) each, "*" alone in a list for a star, as link_transfer_options()
 * takes it.
 */
static List *
portable_options(List *options)
{
	List	   *pairs = NIL;
	bool		encoded = false;
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);
		Node	   *value = option->arg;

		if (value && IsA(value, A_Star))
			value = (Node *) list_make1(makeString("*"));
		pairs = lappend(pairs, list_make2(makeString(option->defname), value));
		encoded = encoded || strcmp(option->defname, "encoding") == 0;
	}

	/* a worker's client is its leader, who takes the server's encoding */
	if (!encoded)
		pairs = lappend(pairs, list_make2(makeString("encoding"),
										  makeString(pstrdup(pg_encoding_to_char(pg_get_client_encoding())))));
	return pairs;
}

/*
 * What rows look like that are dealt: a target list of nothing but types and names.
 * The plan may be of any size, and hold nodes of extensions that cannot be read back.
 */
static List *
shape_of(List *targets)
{
	List	   *shape = NIL;
	ListCell   *cell;

	foreach(cell, targets)
	{
		TargetEntry *target = lfirst(cell);
		Node	   *expr = (Node *) target->expr;

		if (!target->resjunk)
			shape = lappend(shape, makeTargetEntry((Expr *) makeNullConst(exprType(expr), exprTypmod(expr), exprCollation(expr)),
												   target->resno, target->resname, false));
	}
	return shape;
}

typedef struct ScanVisit
{
	ParallelContext *context;
	bool		estimate;
} ScanVisit;

static bool
visit_scan(PlanState *state, void *arg)
{
	ScanVisit  *visit = arg;

	if (IsA(state, SeqScanState))
	{
		if (visit->estimate)
			ExecSeqScanEstimate((SeqScanState *) state, visit->context);
		else
			ExecSeqScanInitializeDSM((SeqScanState *) state, visit->context);
	}
	return planstate_tree_walker(state, visit_scan, visit);
}

static void
estimate_text(ParallelContext *context, const char *text)
{
	shm_toc_estimate_chunk(&context->estimator, strlen(text) + 1);
	shm_toc_estimate_keys(&context->estimator, 1);
}

static void
insert_text(ParallelContext *context, uint64 key, const char *text)
{
	Size		size = strlen(text) + 1;
	char	   *copy = shm_toc_allocate(context->toc, size);

	memcpy(copy, text, size);
	shm_toc_insert(context->toc, key, copy);
}

static void
make_queues(LinkParallel *parallel)
{
	ParallelContext *context = parallel->context;
	char	   *space = shm_toc_allocate(context->toc, mul_size(LINK_PARALLEL_QUEUE, context->nworkers));

	parallel->queues = palloc(context->nworkers * sizeof(shm_mq_handle *));
	for (int i = 0; i < context->nworkers; i++)
	{
		shm_mq	   *queue = shm_mq_create(space + i * LINK_PARALLEL_QUEUE, LINK_PARALLEL_QUEUE);

		shm_mq_set_receiver(queue, MyProc);
		parallel->queues[i] = shm_mq_attach(queue, context->seg, NULL);
	}
	shm_toc_insert(context->toc, LINK_PARALLEL_KEY_QUEUES, space);
}

/* Those through which the leader deals. */
static void
make_row_queues(LinkParallel *parallel)
{
	ParallelContext *context = parallel->context;
	char	   *space = shm_toc_allocate(context->toc, mul_size(LINK_PARALLEL_ROWS, context->nworkers));

	parallel->dealer = link_dealer_begin(context->nworkers);
	for (int i = 0; i < context->nworkers; i++)
	{
		shm_mq	   *queue = shm_mq_create(space + i * LINK_PARALLEL_ROWS, LINK_PARALLEL_ROWS);

		shm_mq_set_sender(queue, MyProc);
		link_dealer_set_queue(parallel->dealer, i, shm_mq_attach(queue, context->seg, NULL));
	}
	shm_toc_insert(context->toc, LINK_PARALLEL_KEY_ROWS, space);
}

LinkParallel *
link_parallel_begin(int workers, QueryDesc *desc, const LinkParallelTask *task)
{
	LinkParallel *parallel = palloc0(sizeof(LinkParallel));
	char	   *plan = task->deal ? nodeToString(shape_of(task->plan->planTree->targetlist)) : nodeToString(task->plan);
	char	   *options = nodeToString(portable_options(task->options));
	const char *owner = link_journal_owner();
	ScanVisit	visit = {NULL, true};
	ParallelContext *context;
	LinkParallelShared *shared;

	EnterParallelMode();
	context = CreateParallelContext("link", "link_parallel_worker_main", workers);
	visit.context = parallel->context = context;

	shm_toc_estimate_chunk(&context->estimator, sizeof(LinkParallelShared));
	shm_toc_estimate_keys(&context->estimator, 1);
	estimate_text(context, task->path);
	estimate_text(context, options);
	estimate_text(context, task->query);
	estimate_text(context, plan);
	shm_toc_estimate_chunk(&context->estimator, mul_size(LINK_PARALLEL_QUEUE, context->nworkers));
	shm_toc_estimate_keys(&context->estimator, 1);
	if (task->deal)
	{
		shm_toc_estimate_chunk(&context->estimator, mul_size(LINK_PARALLEL_ROWS, context->nworkers));
		shm_toc_estimate_keys(&context->estimator, 1);
	}
	else
		(void) visit_scan(desc->planstate, &visit);

	InitializeParallelDSM(context);
	if (context->seg == NULL)
	{
		/* not enough shared memory, or interrupts are held: the leader alone */
		DestroyParallelContext(context);
		ExitParallelMode();
		return NULL;
	}
	shared = shm_toc_allocate(context->toc, sizeof(LinkParallelShared));
	pg_atomic_init_u32(&shared->next, 0);
	pg_atomic_init_u64(&shared->requests, 0);
	pg_atomic_init_u64(&shared->retries, 0);
	link_progress_share_init(&shared->progress);
	shared->link_id = task->row->id;
	shared->deal = task->deal;
	strlcpy(shared->owner, owner, sizeof(shared->owner));
	shm_toc_insert(context->toc, LINK_PARALLEL_KEY_SHARED, shared);
	parallel->shared = shared;
	insert_text(context, LINK_PARALLEL_KEY_PATH, task->path);
	insert_text(context, LINK_PARALLEL_KEY_OPTIONS, options);
	insert_text(context, LINK_PARALLEL_KEY_QUERY, task->query);
	insert_text(context, LINK_PARALLEL_KEY_PLAN, plan);
	make_queues(parallel);
	visit.estimate = false;
	if (task->deal)
		make_row_queues(parallel);
	else
		(void) visit_scan(desc->planstate, &visit);

	LaunchParallelWorkers(context);
	for (int i = 0; i < context->nworkers_launched; i++)
		shm_mq_set_handle(parallel->queues[i], context->worker[i].bgwhandle);
	if (parallel->dealer)
		link_dealer_start(parallel->dealer, context);
	link_progress_share(&shared->progress, true);
	return parallel;
}

DestReceiver *
link_parallel_receiver(LinkParallel *parallel, DestReceiver *own)
{
	return parallel->dealer ? link_dealer_receiver(parallel->dealer, own) : own;
}

bool
link_parallel_alone(const LinkParallel *parallel)
{
	return parallel->context->nworkers_launched == 0;
}

pg_atomic_uint32 *
link_parallel_next(LinkParallel *parallel)
{
	return &parallel->shared->next;
}

/* ---- the end ---- */

/* False if the worker may have more to tell. */
static bool
receive_from(shm_mq_handle *queue, LinkObjectSet *set)
{
	shm_mq_result result;
	Size		size;
	void	   *data;

	while ((result = shm_mq_receive(queue, &size, &data, true)) == SHM_MQ_SUCCESS)
		link_objects_receive(set, data, size);
	return result == SHM_MQ_DETACHED;
}

/* While it waits for them, it shows how far they are. */
static void
receive_all(LinkParallel *parallel, LinkObjectSet *set)
{
	int			n = parallel->context->nworkers_launched;
	bool	   *over = palloc0(sizeof(bool) * Max(n, 1));
	int			left;

	for (;;)
	{
		left = 0;
		for (int i = 0; i < n; i++)
		{
			over[i] = over[i] || receive_from(parallel->queues[i], set);
			left += !over[i];
		}
		link_progress_tell();
		if (left == 0)
			break;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_EVERY,
						 link_wait_event("LinkParallel"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	pfree(over);
}

/* What those that have ended told a leader who did not listen yet. */
static void
refuse_all(LinkParallel *parallel, LinkObjectSet *set)
{
	for (int i = 0; i < parallel->context->nworkers_launched; i++)
	{
		Size		size;
		void	   *data;

		while (shm_mq_receive(parallel->queues[i], &size, &data, true) == SHM_MQ_SUCCESS)
			link_objects_refuse(set, data, size);
	}
}

/* A worker that fails ends its queue too: waiting for it then raises its error. */
void
link_parallel_collect(LinkParallel *parallel, LinkObjectSet *set)
{
	if (parallel->dealer)
		link_dealer_end(parallel->dealer);
	receive_all(parallel, set);
	WaitForParallelWorkersToFinish(parallel->context);
}

/* The workers have ended: what they took is the leader's, and with it the use's. */
static void
leave(LinkParallel *parallel)
{
	link_http_counts.requests += pg_atomic_read_u64(&parallel->shared->requests);
	link_http_counts.retries += pg_atomic_read_u64(&parallel->shared->retries);
	DestroyParallelContext(parallel->context);
}

void
link_parallel_end(LinkParallel *parallel)
{
	link_progress_share(NULL, false);
	leave(parallel);
	ExitParallelMode();
}

/* A worker that is not through undoes what it has begun (parallel_worker.c). */
void
link_parallel_stop(LinkParallel *parallel)
{
	ParallelContext *context = parallel->context;

	for (int i = 0; i < context->nworkers_launched; i++)
		if (context->worker[i].bgwhandle)
			TerminateBackgroundWorker(context->worker[i].bgwhandle);
	HOLD_INTERRUPTS();
	for (int i = 0; i < context->nworkers_launched; i++)
		if (context->worker[i].bgwhandle)
			(void) WaitForBackgroundWorkerShutdown(context->worker[i].bgwhandle);
	RESUME_INTERRUPTS();
}

/* The transaction's abort leaves parallel mode. */
void
link_parallel_undo(LinkParallel *parallel, LinkObjectSet *set)
{
	link_progress_share(NULL, false);
	if (parallel && set)
		refuse_all(parallel, set);
	if (parallel)
		leave(parallel);
	link_journal_leave_strays(0);
}
