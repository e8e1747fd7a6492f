/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  Export and load in pg_stat_progress_copy.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/progress.h"
#include "pgstat.h"

#include "provider/provider.h"
#include "transfer/progress.h"

/* ms between two additions to what others see: nobody's eye is faster, and processes do not get in each other's way */
#define TELL_EVERY 100

void		(*link_progress_moved) (Size bytes) = NULL;

/* Of this process, in an export by several. */
static struct
{
	LinkProgressShared *shared; /* NULL: there are no others */
	bool		leader;
	uint64		rows;
	uint64		bytes;
	uint64		told_rows;		/* of these */
	uint64		told_bytes;
	int64		told_at;		/* link_coarse_ms() */
} own;

void
link_progress_begin(bool load, Oid target)
{
	const int	columns[] = {PROGRESS_COPY_COMMAND, PROGRESS_COPY_TYPE};
	const int64 values[] = {
		load ? PROGRESS_COPY_COMMAND_FROM : PROGRESS_COPY_COMMAND_TO,
		PROGRESS_COPY_TYPE_CALLBACK
	};

	pgstat_progress_start_command(PROGRESS_COMMAND_COPY, target);
	pgstat_progress_update_multi_param(lengthof(columns), columns, values);
}

void
link_progress_rows(uint64 rows)
{
	own.rows = rows;
	if (own.shared)
	{
		if (link_coarse_ms() - own.told_at >= TELL_EVERY)
			link_progress_tell();
		return;
	}
	pgstat_progress_update_param(PROGRESS_COPY_TUPLES_PROCESSED, (int64) rows);
}

void
link_progress_bytes(uint64 bytes)
{
	own.bytes = bytes;
	if (own.shared)
		return;
	pgstat_progress_update_param(PROGRESS_COPY_BYTES_PROCESSED, (int64) bytes);
}

void
link_progress_bytes_total(uint64 bytes)
{
	pgstat_progress_update_param(PROGRESS_COPY_BYTES_TOTAL, (int64) bytes);
}

void
link_progress_share_init(LinkProgressShared *shared)
{
	pg_atomic_init_u64(&shared->rows, 0);
	pg_atomic_init_u64(&shared->bytes, 0);
}

void
link_progress_share(LinkProgressShared *shared, bool leader)
{
	memset(&own, 0, sizeof(own));
	own.shared = shared;
	own.leader = leader;
}

void
link_progress_tell(void)
{
	LinkProgressShared *shared = own.shared;

	pg_atomic_fetch_add_u64(&shared->rows, own.rows - own.told_rows);
	pg_atomic_fetch_add_u64(&shared->bytes, own.bytes - own.told_bytes);
	own.told_rows = own.rows;
	own.told_bytes = own.bytes;
	own.told_at = link_coarse_ms();
	if (!own.leader)
		return;
	pgstat_progress_update_param(PROGRESS_COPY_TUPLES_PROCESSED, (int64) pg_atomic_read_u64(&shared->rows));
	pgstat_progress_update_param(PROGRESS_COPY_BYTES_PROCESSED, (int64) pg_atomic_read_u64(&shared->bytes));
}

void
link_progress_end(void)
{
	pgstat_progress_end_command();
}
