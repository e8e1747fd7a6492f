/*-------------------------------------------------------------------------
 *
 * journal.h
 *	  Records of uploads in progress: files that outlive a killed backend
 *	  (SECURITY 32, INTERNALS A6).
 *
 * A record is written, and on disk, before its upload begins, and removed when
 * the upload is published or taken back.  Its owner is a backend, which its name
 * tells; that one holds a lock on a file of its own, which the kernel releases
 * however it ends: so a record whose owner has no lock is that of an orphan.
 *
 * Plain files, not a table: they work on a standby and in a read-only
 * transaction, and do not roll back with their owner.  No credential is in them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_JOURNAL_H
#define LINK_JOURNAL_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/*
 * Bytes of a record's name, with its NUL: start and pid of the backend that owns
 * it (pid 0: it is left to others), then what makes it unique.
 */
#define LINK_JOURNAL_NAME_SIZE 64

typedef enum LinkRecordState
{
	LINK_RECORD_ALIVE,			/* its owner is */
	LINK_RECORD_ORPHAN,			/* its owner is gone */
	LINK_RECORD_FOREIGN,		/* of another server, copied here with its data directory */
	LINK_RECORD_UNREADABLE		/* of a later version, damaged, or never one */
} LinkRecordState;

/* What a record says; of one that is UNREADABLE only name and state. */
typedef struct LinkRecord
{
	char	   *name;			/* of its file, as the directory has it */
	LinkRecordState state;
	char	   *type;			/* of the provider */
	Oid			database;
	int64		link_id;
	char	   *origin;			/* SHA-256 of where the link leads, in hex */
	char	   *path;
	TimestampTz started;		/* before the upload was asked for */
	TimestampTz latest;			/* by then it has begun, if it ever did */
	char	   *upload;			/* the provider's id, or a hidden name; NULL: not known */
} LinkRecord;

/* A record of this process, or one that it holds locked; it belongs to a memory context. */
typedef struct LinkJournal LinkJournal;

/*
 * Write a record of ours; 'name' and 'state' are not looked at.  Its reset
 * leaves it to others.  Throws if it cannot be on disk.
 */
extern LinkJournal *link_journal_begin(const LinkRecord *record);

/* The upload is known now. */
extern void link_journal_set_upload(LinkJournal *journal, const char *upload);

extern const char *link_journal_name(const LinkJournal *journal);

/* Nothing is left of the upload: remove the record.  Does not throw. */
extern void link_journal_remove(LinkJournal *journal);

/* Leave it to others, as an orphan.  Does not throw. */
extern void link_journal_leave(LinkJournal *journal);

/* One that this process has, or NULL.  Does not throw. */
extern LinkJournal *link_journal_held(const char *name);

/*
 * Records of a parallel worker are its leader's from the beginning: what the
 * leader's link_journal_owner() gives, the worker takes before its first.  When
 * the leader is told of an upload, the worker forgets the record and the leader
 * adopts it; NULL if it is not the leader's.
 */
#define LINK_JOURNAL_OWNER_SIZE 32
extern const char *link_journal_owner(void);
extern void link_journal_write_for(const char *owner);
extern void link_journal_forget(LinkJournal *journal);
extern LinkJournal *link_journal_adopt(const char *name);

/*
 * Leave to others the records that a worker of this pid has written, or, for pid
 * 0, those of all workers that are not adopted.  Does not throw.
 */
extern void link_journal_leave_strays(int pid);

/*
 * Take over an orphan: lock it, and read again what it says into *record.  NULL
 * if it is none, or none any more, or another process looks at it just now.
 */
extern LinkJournal *link_journal_claim(const char *name, LinkRecord *record);

/* Was ever anything written here?  Does not throw. */
extern bool link_journal_exists(void);

/* All records, or those of the living, as LinkRecord *, oldest backend first. */
extern List *link_journal_read(bool living);

/* Where a record is, for messages: printable, palloc'd. */
extern char *link_journal_path(const char *name);

#endif							/* LINK_JOURNAL_H */
