/*-------------------------------------------------------------------------
 *
 * journal.c
 *	  Records of uploads in progress: files that outlive a killed backend.
 *
 * A record gets its name by rename(2) when it is on disk, so a file of that form
 * of name is whole but for its last line (journal_record.c).
 *
 * A record's owner is alive as long as a file of its name (start and pid, behind
 * a dot) is locked.  One lock for all records of a backend: an export may have
 * thousands.  Whoever looks at an orphan locks the record itself meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "errors.h"
#include "provider/journal.h"
#include "provider/journal_record.h"

#define DIRECTORY "link_uploads"
#define TEMPORARY_SUFFIX ".tmp"

/* Names tried for a new record, should others sweep up our temporary files. */
#define MAX_TRIES 100

struct LinkJournal
{
	dlist_node	node;			/* in 'held' */
	MemoryContextCallback callback;
	int			fd;				/* -1, or of one that is claimed: holds the lock */
	bool		reserved;		/* counted as fd.c wants it */
	bool		ours;			/* its owner is 'owner'; else it is claimed, or nothing any more */
	char		name[LINK_JOURNAL_NAME_SIZE];
};

static dlist_head held = DLIST_STATIC_INIT(held);

/* Of the records that this process writes; empty: there were none. */
static char owner[LINK_JOURNAL_OWNER_SIZE];
static int	owner_fd = -1;		/* holds the lock */

/*
 * Handles.
 */

static void file_of(const char *name, const char *suffix, char out[MAXPGPATH]);
static void new_name(const char *who, char out[LINK_JOURNAL_NAME_SIZE]);

/* The handle ends here; twice does no harm. */
static void
release(LinkJournal *journal)
{
	if (journal->node.next != NULL)
		dlist_delete(&journal->node);
	journal->node.next = NULL;
	journal->ours = false;
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = -1;
	if (journal->reserved)
		ReleaseExternalFD();
	journal->reserved = false;
}

/* A name that tells of no owner. */
static void
disown(const char *name)
{
	char		nobody[LINK_JOURNAL_OWNER_SIZE];
	char		left[LINK_JOURNAL_NAME_SIZE];
	char		from[MAXPGPATH];
	char		to[MAXPGPATH];

	snprintf(nobody, sizeof(nobody), "%.*s0", (int) (strchr(name, '-') - name + 1), name);
	new_name(nobody, left);
	file_of(name, "", from);
	file_of(left, "", to);
	(void) rename(from, to);
}

/* A record of ours gets a name whose owner is nobody.  Should that fail it is left when we end, as all are. */
void
link_journal_leave(LinkJournal *journal)
{
	if (journal->ours && !proc_exit_inprogress)
		disown(journal->name);
	release(journal);
}

static void
release_callback(void *arg)
{
	link_journal_leave(arg);
}

/* In the current memory context. */
static LinkJournal *
create_handle(const char *name)
{
	LinkJournal *journal = palloc0(sizeof(LinkJournal));

	journal->fd = -1;
	strlcpy(journal->name, name, sizeof(journal->name));
	journal->callback.func = release_callback;
	journal->callback.arg = journal;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &journal->callback);
	dlist_push_tail(&held, &journal->node);
	return journal;
}

static void
reserve_descriptor(void)
{
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files"),
				 errhint("Raise max_files_per_process, or the limit of the operating system.")));
}

const char *
link_journal_name(const LinkJournal *journal)
{
	return journal->name;
}

LinkJournal *
link_journal_held(const char *name)
{
	dlist_iter	iter;

	dlist_foreach(iter, &held)
	{
		LinkJournal *journal = dlist_container(LinkJournal, node, iter.cur);

		if ((journal->ours || journal->fd >= 0) && strcmp(journal->name, name) == 0)
			return journal;
	}
	return NULL;
}

void
link_journal_forget(LinkJournal *journal)
{
	release(journal);
}

/*
 * Names.
 */

/* The file of a record, below the data directory, where every backend is. */
static void
file_of(const char *name, const char *suffix, char out[MAXPGPATH])
{
	snprintf(out, MAXPGPATH, DIRECTORY "/%s%s", name, suffix);
}

char *
link_journal_path(const char *name)
{
	return psprintf(DIRECTORY "/%s", link_printable(name, strlen(name)));
}

/* Could it be a name of ours? */
static bool
valid_name(const char *name)
{
	size_t		len = strlen(name);

	return len > 0 && len < LINK_JOURNAL_NAME_SIZE && strspn(name, "0123456789abcdef-") == len;
}

/* Processes that write for one owner differ in their pid. */
static void
new_name(const char *who, char out[LINK_JOURNAL_NAME_SIZE])
{
	static uint32 counter = 0;

	snprintf(out, LINK_JOURNAL_NAME_SIZE, "%s-%d-%u", who, MyProcPid, ++counter);
}

/* The owner that a name tells. */
static void
owner_of(const char *name, char out[LINK_JOURNAL_OWNER_SIZE])
{
	const char *pid = strchr(name, '-');
	size_t		len = pid ? pid + 1 + strcspn(pid + 1, "-") - name : strlen(name);

	snprintf(out, LINK_JOURNAL_OWNER_SIZE, "%.*s", (int) len, name);
}

/* The file that an owner keeps locked: hidden, since it is no record. */
static void
file_of_owner(const char *who, char out[MAXPGPATH])
{
	snprintf(out, MAXPGPATH, DIRECTORY "/.%s", who);
}

static bool
is_temporary(const char *name)
{
	size_t		len = strlen(name);
	size_t		suffix = strlen(TEMPORARY_SUFFIX);

	return len > suffix && strcmp(name + len - suffix, TEMPORARY_SUFFIX) == 0;
}

/*
 * Writing.
 */

LINK_NORETURN static void
file_error(const char *action, const char *path, int errnum)
{
	errno = errnum;
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not %s file \"%s\": %m", action, path),
			 errdetail("An upload does not begin before it is on record, so that it can be taken back if the server goes down meanwhile.")));
}

/* 0, or errno. */
static int
write_all(int fd, const char *text, size_t len)
{
	while (len > 0)
	{
		ssize_t		done;

		errno = 0;
		done = write(fd, text, len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return errno ? errno : ENOSPC;
		text += done;
		len -= done;
	}
	return 0;
}

/* 0, or errno. */
static int
sync_file(int fd)
{
	static uint32 event = 0;
	int			failure;

	if (event == 0)
		event = link_wait_event("LinkUploadRecord");
	pgstat_report_wait_start(event);
	failure = pg_fsync(fd) == 0 ? 0 : errno;
	pgstat_report_wait_end();
	return failure;
}

/* With the modes of the data directory: 0700, unless initdb let a group read it. */
static void
make_directory(void)
{
	if (mkdir(DIRECTORY, pg_dir_create_mode) == 0)
		(void) fsync_fname_ext(".", true, false, LOG);
	else if (errno != EEXIST)
		file_error("create", DIRECTORY, errno);
}

/*
 * A new file, locked.  Between its making and its locking somebody may sweep it
 * up (sweep_unlocked): then another one is made.  The descriptor is not counted.
 */
static int
create_locked(const char *path)
{
	for (int i = 0; i < MAX_TRIES; i++)
	{
		struct stat st;
		int			fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC | PG_BINARY,
							  pg_file_create_mode);

		if (fd < 0 && errno == EEXIST && i > 0)
		{
			pg_usleep(1000);	/* whoever sweeps is about to unlink it */
			continue;
		}
		if (fd < 0)
			file_error("create", path, errno);
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		{
			if (fstat(fd, &st) == 0 && st.st_nlink > 0)
				return fd;
		}
		else if (errno != EWOULDBLOCK && errno != EINTR)
		{
			int			failure = errno;

			(void) unlink(path);
			close(fd);
			file_error("lock", path, failure);
		}
		close(fd);
	}
	file_error("create", path, EEXIST);
}

/* on_proc_exit */
static void
remove_owner_file(int code, Datum arg)
{
	char		path[MAXPGPATH];

	file_of_owner(owner, path);
	(void) unlink(path);
}

const char *
link_journal_owner(void)
{
	char		path[MAXPGPATH];
	char		who[LINK_JOURNAL_OWNER_SIZE];

	if (owner[0] != '\0')
		return owner;
	make_directory();
	snprintf(who, sizeof(who), "%016llx-%d", (unsigned long long) MyStartTimestamp, MyProcPid);
	file_of_owner(who, path);
	reserve_descriptor();
	PG_TRY();
	{
		owner_fd = create_locked(path);
	}
	PG_CATCH();
	{
		ReleaseExternalFD();
		PG_RE_THROW();
	}
	PG_END_TRY();
	strlcpy(owner, who, sizeof(owner));
	on_proc_exit(remove_owner_file, (Datum) 0);
	return owner;
}

void
link_journal_write_for(const char *who)
{
	Assert(owner_fd < 0);
	strlcpy(owner, who, sizeof(owner));
}

LinkJournal *
link_journal_begin(const LinkRecord *record)
{
	char		name[LINK_JOURNAL_NAME_SIZE];
	char		temporary[MAXPGPATH];
	char		path[MAXPGPATH];
	StringInfoData text;
	struct stat st;
	const char *action = NULL;
	int			failure = 0;
	int			fd;
	LinkJournal *journal;

	initStringInfo(&text);
	make_directory();
	new_name(link_journal_owner(), name);
	journal = create_handle(name);
	file_of(name, TEMPORARY_SUFFIX, temporary);
	file_of(name, "", path);
	fd = create_locked(temporary);
	if (fstat(fd, &st) != 0)
	{
		failure = errno;
		action = "stat";
	}
	else
	{
		link_record_format(&text, record, st.st_ino);
		if ((failure = write_all(fd, text.data, text.len)) != 0)
			action = "write";
		else if ((failure = sync_file(fd)) != 0)
			action = "fsync";
		else if (rename(temporary, path) != 0)
		{
			failure = errno;
			action = "rename";
		}
	}
	close(fd);
	if (action)
	{
		(void) unlink(temporary);
		file_error(action, temporary, failure);
	}

	/* not fsync_fname(), which may panic: this is no file of the database */
	if (fsync_fname_ext(DIRECTORY, true, false, LOG) != 0)
	{
		failure = errno;
		(void) unlink(path);
		file_error("fsync", DIRECTORY, failure);
	}
	journal->ours = true;
	pfree(text.data);
	return journal;
}

void
link_journal_set_upload(LinkJournal *journal, const char *upload)
{
	char	   *line = psprintf("upload=%s\n", upload);
	char		path[MAXPGPATH];
	const char *action = NULL;
	int			failure;
	int			fd;

	Assert(journal->ours);
	file_of(journal->name, "", path);
	fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | PG_BINARY);
	if (fd < 0)
		file_error("open", path, errno);
	if ((failure = write_all(fd, line, strlen(line))) != 0)
		action = "write";
	else if ((failure = sync_file(fd)) != 0)
		action = "fsync";
	close(fd);
	if (action)
		file_error(action, path, failure);
	pfree(line);
}

/* If it cannot be removed it becomes an orphan, of which nothing will be found. */
void
link_journal_remove(LinkJournal *journal)
{
	char		path[MAXPGPATH];

	if (journal->ours || journal->fd >= 0)
	{
		file_of(journal->name, "", path);
		(void) unlink(path);
	}
	release(journal);
}

LinkJournal *
link_journal_adopt(const char *name)
{
	char		who[LINK_JOURNAL_OWNER_SIZE];
	char		path[MAXPGPATH];
	struct stat st;
	LinkJournal *journal;

	if (!valid_name(name))
		return NULL;
	owner_of(name, who);
	file_of(name, "", path);
	if (owner[0] == '\0' || strcmp(who, owner) != 0 || lstat(path, &st) != 0)
		return NULL;
	journal = create_handle(name);
	journal->ours = true;
	return journal;
}

void
link_journal_leave_strays(int pid)
{
	char		ours[LINK_JOURNAL_NAME_SIZE];
	DIR		   *dir;
	struct dirent *entry;

	if (owner[0] == '\0' || (dir = opendir(DIRECTORY)) == NULL)
		return;
	if (pid != 0)
		snprintf(ours, sizeof(ours), "%s-%d-", owner, pid);
	else
		snprintf(ours, sizeof(ours), "%s-", owner);
	while ((entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, ours, strlen(ours)) == 0 && valid_name(entry->d_name) &&
			(pid != 0 || link_journal_held(entry->d_name) == NULL))
			disown(entry->d_name);
	closedir(dir);
}

/*
 * Reading.  What is in the directory may be anything.
 */

static bool
is_alive(const char *who)
{
	char		path[MAXPGPATH];
	bool		locked;
	int			fd;

	file_of_owner(who, path);
	fd = OpenTransientFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | PG_BINARY);
	if (fd < 0)
		return errno != ENOENT;

	/* shared, so that those who look do not take each other for owners */
	locked = flock(fd, LOCK_SH | LOCK_NB) != 0;
	CloseTransientFile(fd);
	return locked;
}

/* NULL if it has just been removed. */
static LinkRecord *
read_file(const char *name)
{
	LinkRecord *record = palloc0(sizeof(LinkRecord));
	char		path[MAXPGPATH];
	char		who[LINK_JOURNAL_OWNER_SIZE];
	int			fd;

	record->name = pstrdup(name);
	record->state = LINK_RECORD_UNREADABLE;
	if (!valid_name(name))
		return record;
	file_of(name, "", path);
	fd = OpenTransientFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | PG_BINARY);
	if (fd < 0)
		return errno == ENOENT ? NULL : record;
	link_record_read(fd, name, record);

	owner_of(name, who);
	if (record->state == LINK_RECORD_ORPHAN && (is_alive(who) || flock(fd, LOCK_SH | LOCK_NB) != 0))
		record->state = LINK_RECORD_ALIVE;
	CloseTransientFile(fd);
	return record;
}

/*
 * A record that was never finished: if nobody is about to, it goes, for its
 * upload has not begun.  Likewise the file of an owner that has ended.
 */
static void
sweep_unlocked(const char *name)
{
	char		path[MAXPGPATH];
	int			fd;

	file_of(name, "", path);
	fd = OpenTransientFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | PG_BINARY);
	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void) unlink(path);
	CloseTransientFile(fd);
}

bool
link_journal_exists(void)
{
	struct stat st;

	return stat(DIRECTORY, &st) == 0;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(((const LinkRecord *) lfirst(a))->name, ((const LinkRecord *) lfirst(b))->name);
}

/* Is it a record of a process that lives?  Most have the owner of the one before. */
static bool
is_of_living(const char *name, char before[LINK_JOURNAL_OWNER_SIZE], bool *alive)
{
	char		who[LINK_JOURNAL_OWNER_SIZE];

	if (!valid_name(name))
		return false;
	owner_of(name, who);
	if (strcmp(who, before) != 0)
	{
		*alive = is_alive(who);
		strlcpy(before, who, LINK_JOURNAL_OWNER_SIZE);
	}
	return *alive;
}

List *
link_journal_read(bool living)
{
	List	   *records = NIL;
	DIR		   *dir = AllocateDir(DIRECTORY);
	struct dirent *entry;
	char		who[LINK_JOURNAL_OWNER_SIZE] = {0};
	bool		alive = false;

	if (dir == NULL && errno == ENOENT)
		return NIL;
	while ((entry = ReadDir(dir, DIRECTORY)) != NULL)
	{
		LinkRecord *record;

		CHECK_FOR_INTERRUPTS();
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (is_temporary(entry->d_name) || (entry->d_name[0] == '.' && valid_name(entry->d_name + 1)))
			sweep_unlocked(entry->d_name);
		else if (living && !is_of_living(entry->d_name, who, &alive))
			continue;
		else if ((record = read_file(entry->d_name)) != NULL)
			records = lappend(records, record);
	}
	FreeDir(dir);
	list_sort(records, compare_names);
	return records;
}

LinkJournal *
link_journal_claim(const char *name, LinkRecord *record)
{
	LinkJournal *journal;
	char		who[LINK_JOURNAL_OWNER_SIZE];
	char		path[MAXPGPATH];
	struct stat st;

	if (!valid_name(name))
		return NULL;
	owner_of(name, who);
	if (is_alive(who))
		return NULL;
	journal = create_handle(name);
	reserve_descriptor();
	journal->reserved = true;
	file_of(name, "", path);
	journal->fd = open(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | PG_BINARY);
	if (journal->fd >= 0 && flock(journal->fd, LOCK_EX | LOCK_NB) == 0 &&
		fstat(journal->fd, &st) == 0 && st.st_nlink > 0)
	{
		link_record_read(journal->fd, name, record);
		if (record->state == LINK_RECORD_ORPHAN)
			return journal;
	}
	release(journal);
	return NULL;
}
