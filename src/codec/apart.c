/*-------------------------------------------------------------------------
 *
 * apart.c
 *	  A codec at work in a process of its own.
 *
 * Two queues lie between the backend and its worker, one each way.  The backend
 * never waits for one of them alone: while the worker cannot take more, what it
 * has made is taken from it.  An end of the stream is a queue that its sender has
 * left, with the mark that it was meant; without the mark the other side is gone.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "storage/shm_toc.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"

#include "codec/apart.h"

#define MAGIC UINT64CONST(0x6c696e6b7a000001)	/* of the segment's table of contents */
#define KEY_SHARED 1
#define KEY_IN 2
#define KEY_OUT 3

/* Of a queue: a few of the codecs' buffers. */
#define QUEUE_SIZE ((Size) 1024 * 1024)

/* Of a message: many fit into a queue, and each is worth its price. */
#define CHUNK ((Size) 64 * 1024)

#define MAX_TEXT 512

typedef struct Shared
{
	char		codec[16];
	int			level;
	bool		decompress;
	char		name[MAX_TEXT];	/* of the object, cut */
	pg_atomic_uint32 in_ended;	/* the backend has sent everything */
	pg_atomic_uint32 out_ended; /* the worker has */
	bool		failed;			/* before out_ended: with this */
	int			sqlstate;
	char		message[MAX_TEXT];
	char		detail[MAX_TEXT];
} Shared;

struct LinkApart
{
	dsm_segment *segment;		/* NULL: detached */
	Shared	   *shared;
	shm_mq_handle *in;			/* to the worker; NULL: the end has been sent */
	shm_mq_handle *out;			/* from it */
	const char *rest;			/* of the message taken last, which the queue holds */
	Size		rest_size;
	char	   *pending;		/* to decompress, not sent yet */
	Size		pending_size;
	uint32		wait_event;
	MemoryContextCallback callback;
};

PGDLLEXPORT void link_codec_worker_main(Datum main_arg);

/* ---- the backend's side ---- */

/* on_dsm_detach */
static void
forget_segment(dsm_segment *segment, Datum arg)
{
	((LinkApart *) DatumGetPointer(arg))->segment = NULL;
}

/* MemoryContextCallback */
static void
detach(void *arg)
{
	LinkApart  *apart = arg;

	if (apart->segment)
		dsm_detach(apart->segment);
}

static shm_mq *
make_queue(shm_toc *toc, uint64 key)
{
	shm_mq	   *queue = shm_mq_create(shm_toc_allocate(toc, QUEUE_SIZE), QUEUE_SIZE);

	shm_toc_insert(toc, key, queue);
	return queue;
}

static BackgroundWorkerHandle *
start_worker(dsm_segment *segment)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;

	snprintf(worker.bgw_name, BGW_MAXLEN, "link codec for PID %d", MyProcPid);
	strlcpy(worker.bgw_type, "link codec", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "link", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "link_codec_worker_main", sizeof(worker.bgw_function_name));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_CLASS_PARALLEL;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

LinkApart *
link_apart_begin(const LinkCodec *codec, bool decompress, int level, const char *name)
{
	shm_toc_estimator estimator;
	LinkApart  *apart;
	BackgroundWorkerHandle *worker;
	dsm_segment *segment;
	shm_toc    *toc;
	shm_mq	   *in;
	shm_mq	   *out;
	Size		size;

	if (!IsUnderPostmaster || InterruptHoldoffCount > 0)
		return NULL;
	shm_toc_initialize_estimator(&estimator);
	shm_toc_estimate_chunk(&estimator, sizeof(Shared));
	shm_toc_estimate_chunk(&estimator, QUEUE_SIZE);
	shm_toc_estimate_chunk(&estimator, QUEUE_SIZE);
	shm_toc_estimate_keys(&estimator, 3);
	size = shm_toc_estimate(&estimator);
	segment = dsm_create(size, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (segment == NULL)
		return NULL;

	apart = palloc0(sizeof(LinkApart));
	apart->segment = segment;
	apart->callback.func = detach;
	apart->callback.arg = apart;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &apart->callback);
	on_dsm_detach(segment, forget_segment, PointerGetDatum(apart));

	toc = shm_toc_create(MAGIC, dsm_segment_address(segment), size);
	apart->shared = shm_toc_allocate(toc, sizeof(Shared));
	memset(apart->shared, 0, sizeof(Shared));
	strlcpy(apart->shared->codec, codec->name, sizeof(apart->shared->codec));
	apart->shared->level = level;
	apart->shared->decompress = decompress;
	strlcpy(apart->shared->name, name, sizeof(apart->shared->name));
	pg_atomic_init_u32(&apart->shared->in_ended, 0);
	pg_atomic_init_u32(&apart->shared->out_ended, 0);
	shm_toc_insert(toc, KEY_SHARED, apart->shared);
	in = make_queue(toc, KEY_IN);
	out = make_queue(toc, KEY_OUT);
	shm_mq_set_sender(in, MyProc);
	shm_mq_set_receiver(out, MyProc);

	worker = start_worker(segment);
	if (worker == NULL)
	{
		dsm_detach(segment);
		return NULL;
	}
	apart->in = shm_mq_attach(in, segment, worker);
	apart->out = shm_mq_attach(out, segment, worker);
	if (decompress)
		apart->pending = palloc(CHUNK);
	apart->wait_event = link_wait_event("LinkCodec");
	return apart;
}

/* The worker has left its queue: as it should, or with an error of its codec, or because it was stopped. */
static void
check_ended(const LinkApart *apart)
{
	const Shared *shared = apart->shared;

	if (pg_atomic_read_u32(&apart->shared->out_ended) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("lost the process that runs %s", shared->codec)));
	pg_read_barrier();
	if (shared->failed)
		ereport(ERROR,
				(errcode(shared->sqlstate),
				 errmsg_internal("%s", shared->message),
				 shared->detail[0] ? errdetail_internal("%s", shared->detail) : 0));
}

/* SHM_MQ_SUCCESS: there is a rest.  SHM_MQ_DETACHED: this was all. */
static shm_mq_result
take(LinkApart *apart)
{
	void	   *data;
	shm_mq_result result = shm_mq_receive(apart->out, &apart->rest_size, &data, true);

	apart->rest = data;
	if (result == SHM_MQ_DETACHED)
		check_ended(apart);
	return result;
}

static void
wait_for_worker(const LinkApart *apart)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1, apart->wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static void
end_input(LinkApart *apart)
{
	pg_atomic_write_u32(&apart->shared->in_ended, 1);
	pg_memory_barrier();
	shm_mq_detach(apart->in);
	apart->in = NULL;
}

/* All that is there now; false when there will be no more. */
static bool
drain_some(LinkApart *apart, void (*drain) (void *arg, const char *data, Size size), void *arg)
{
	shm_mq_result result;

	while ((result = take(apart)) == SHM_MQ_SUCCESS)
		drain(arg, apart->rest, apart->rest_size);
	return result != SHM_MQ_DETACHED;
}

void
link_apart_write(LinkApart *apart, const char *data, Size size,
				 void (*drain) (void *arg, const char *data, Size size), void *arg)
{
	while (size > 0)
	{
		Size		part = Min(size, CHUNK);

		/* the same call until it is through, as shm_mq_send() wants it */
		while (shm_mq_send(apart->in, part, data, true, false) == SHM_MQ_WOULD_BLOCK)
		{
			if (!drain_some(apart, drain, arg))
				elog(ERROR, "a codec has ended before its input");
			wait_for_worker(apart);
		}
		data += part;
		size -= part;
	}
	(void) drain_some(apart, drain, arg);
}

void
link_apart_finish(LinkApart *apart,
				  void (*drain) (void *arg, const char *data, Size size), void *arg)
{
	end_input(apart);
	while (drain_some(apart, drain, arg))
		wait_for_worker(apart);
}

/* Send on what there is to decompress, a message at a time so that what comes back does not have to wait. */
static void
feed(LinkApart *apart, Size (*read) (void *arg, void *to, Size size), void *arg)
{
	if (apart->in == NULL)
		return;
	if (apart->pending_size == 0)
	{
		apart->pending_size = read(arg, apart->pending, CHUNK);
		if (apart->pending_size == 0)
		{
			end_input(apart);
			return;
		}
	}
	if (shm_mq_send(apart->in, apart->pending_size, apart->pending, true, false) != SHM_MQ_WOULD_BLOCK)
		apart->pending_size = 0;
}

Size
link_apart_read(LinkApart *apart, void *to, Size size,
				Size (*read) (void *arg, void *to, Size size), void *arg)
{
	Size		part;

	while (apart->rest_size == 0)
	{
		shm_mq_result result;

		feed(apart, read, arg);
		result = take(apart);
		if (result == SHM_MQ_DETACHED)
			return 0;
		if (result == SHM_MQ_WOULD_BLOCK && (apart->in == NULL || apart->pending_size > 0))
			wait_for_worker(apart);
	}
	part = Min(size, apart->rest_size);
	memcpy(to, apart->rest, part);
	apart->rest += part;
	apart->rest_size -= part;
	return part;
}

/* ---- the worker's side ---- */

typedef struct Worker
{
	Shared	   *shared;
	shm_mq_handle *in;
	shm_mq_handle *out;
	const char *rest;
	Size		rest_size;
} Worker;

/* The backend is gone, or needs no more: so is the worker, without a word. */
static void
send_back(void *arg, const char *data, Size size)
{
	Worker	   *worker = arg;

	while (size > 0)
	{
		Size		part = Min(size, CHUNK);

		if (shm_mq_send(worker->out, part, data, false, true) != SHM_MQ_SUCCESS)
			proc_exit(0);
		data += part;
		size -= part;
	}
}

/* Have some input; false at its end. */
static bool
next_input(Worker *worker)
{
	void	   *data;

	if (worker->rest_size > 0)
		return true;
	if (shm_mq_receive(worker->in, &worker->rest_size, &data, false) != SHM_MQ_SUCCESS)
	{
		if (pg_atomic_read_u32(&worker->shared->in_ended) == 0)
			proc_exit(0);
		worker->rest_size = 0;
		return false;
	}
	worker->rest = data;
	return true;
}

static Size
read_input(void *arg, void *to, Size size)
{
	Worker	   *worker = arg;
	Size		part;

	if (!next_input(worker))
		return 0;
	part = Min(size, worker->rest_size);
	memcpy(to, worker->rest, part);
	worker->rest += part;
	worker->rest_size -= part;
	return part;
}

static void
compress(Worker *worker, const LinkCodec *codec)
{
	LinkCompressor *compressor = link_compressor_begin(codec, worker->shared->level, false, send_back, worker);

	while (next_input(worker))
	{
		link_compressor_write(compressor, worker->rest, worker->rest_size);
		worker->rest_size = 0;
	}
	link_compressor_finish(compressor);
}

static void
decompress(Worker *worker, const LinkCodec *codec)
{
	LinkDecompressor *decompressor = link_decompressor_begin(codec, worker->shared->name, false, read_input, worker);
	char	   *buffer = palloc(CHUNK);
	Size		got;

	while ((got = link_decompressor_read(decompressor, buffer, CHUNK)) > 0)
		send_back(worker, buffer, got);
}

static void
run(Worker *worker)
{
	const LinkCodec *codec = link_codec_find(worker->shared->codec);
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		if (worker->shared->decompress)
			decompress(worker, codec);
		else
			compress(worker, codec);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* told by the backend */
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		worker->shared->sqlstate = error->sqlerrcode;
		strlcpy(worker->shared->message, error->message, MAX_TEXT);
		if (error->detail)
			strlcpy(worker->shared->detail, error->detail, MAX_TEXT);
		worker->shared->failed = true;
	}
	PG_END_TRY();
	pg_write_barrier();
	pg_atomic_write_u32(&worker->shared->out_ended, 1);
	pg_memory_barrier();
}

void
link_codec_worker_main(Datum main_arg)
{
	Worker		worker = {0};
	dsm_segment *segment;
	shm_toc    *toc;
	shm_mq	   *in;
	shm_mq	   *out;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	CurrentMemoryContext = AllocSetContextCreate(TopMemoryContext, "link codec", ALLOCSET_DEFAULT_SIZES);

	/* the backend that asked for it may be gone */
	segment = dsm_attach(DatumGetUInt32(main_arg));
	toc = segment ? shm_toc_attach(MAGIC, dsm_segment_address(segment)) : NULL;
	if (toc == NULL)
		proc_exit(0);
	worker.shared = shm_toc_lookup(toc, KEY_SHARED, false);
	in = shm_toc_lookup(toc, KEY_IN, false);
	out = shm_toc_lookup(toc, KEY_OUT, false);
	shm_mq_set_receiver(in, MyProc);
	shm_mq_set_sender(out, MyProc);
	worker.in = shm_mq_attach(in, segment, NULL);
	worker.out = shm_mq_attach(out, segment, NULL);
	run(&worker);
	dsm_detach(segment);
	proc_exit(0);
}
