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

#include "transfer/progress.h"

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
	pgstat_progress_update_param(PROGRESS_COPY_TUPLES_PROCESSED, (int64) rows);
}

void
link_progress_bytes(uint64 bytes)
{
	pgstat_progress_update_param(PROGRESS_COPY_BYTES_PROCESSED, (int64) bytes);
}

void
link_progress_bytes_total(uint64 bytes)
{
	pgstat_progress_update_param(PROGRESS_COPY_BYTES_TOTAL, (int64) bytes);
}

void
link_progress_end(void)
{
	pgstat_progress_end_command();
}
