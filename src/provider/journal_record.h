/*-------------------------------------------------------------------------
 *
 * journal_record.h
 *	  What is in a record of the journal.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_JOURNAL_RECORD_H
#define LINK_JOURNAL_RECORD_H

#include "postgres.h"

#include <sys/types.h>

#include "lib/stringinfo.h"

#include "provider/journal.h"

/* The text of a record that is to be the file of this inode. */
extern void link_record_format(StringInfo out, const LinkRecord *record, ino_t inode);

/*
 * What an open file says: UNREADABLE, FOREIGN, or ORPHAN for those that are
 * ours, about whose lock nothing is known here.
 */
extern void link_record_read(int fd, const char *name, LinkRecord *record);

#endif							/* LINK_JOURNAL_RECORD_H */
