/*-------------------------------------------------------------------------
 *
 * journal.c
 *	  Records of uploads in progress: files that outlive a killed backend.
 *
 * A record is lines of "key=value", in the order in which format_record() writes
 * them.  It gets its name by rename(2) when it is on disk, so a file of that form
 * of name is whole but for its last line, the upload's, which is appended when
 * the provider has answered: one that lacks its newline was never finished.
 *
 * A record's owner is alive as long as a file of its name (start and pid, behind
 * a dot) is locked.  One lock for all records of a backend: an export may have
 * thousands.  Whoever looks at an orphan locks the record itself meanwhile.
 *
 * A copy of the data directory (base backup, standby, clone of a disk) holds copies of records
 * whose owners have no lock there, while their uploads may be going on at the
 * original.  The system identifier alone does not tell these apart.  So a record
 * holds the host, the data directory and the number of its own inode too, and
 * where any of them differs it is another server's and left alone.  A data
 * directory that moves takes that lot: it is the safe mistake.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "common/file_perm.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "bounds.h"
#include "errors.h"
#include "http/sigv4.h"
#include "provider/journal.h"
#include "provider/provider.h"

#define DIRECTORY "link_uploads"
#define TEMPORARY_SUFFIX ".tmp"

/* Another form of record is another number; what we do not know we leave alone. */
#define VERSION "1"

/* A path and a data directory of 1 kB each at most, an upload of 4, a host, numbers. */
#define MAX_RECORD 8192

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
 * Which server this is, on one line.
 */
static char *
server_identity(void)
{
	char		host[256];
	char	   *identity;

	if (gethostname(host, sizeof(host)) != 0)
		strlcpy(host, "?", sizeof(host));
	host[sizeof(host) - 1] = '\0';
	identity = psprintf(UINT64_FORMAT " %s %s", GetSystemIdentifier(), host, DataDir);
	for (char *c = identity; *c != '\0'; c++)
		if ((unsigned char) *c < 0x20)
			*c = '?';
	return identity;
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

static void
format_record(StringInfo out, const LinkRecord *record, ino_t inode)
{
	appendStringInfo(out, "version=%s\n", VERSION);
	appendStringInfo(out, "server=%s\n", server_identity());
	appendStringInfo(out, "inode=%llu\n", (unsigned long long) inode);
	appendStringInfo(out, "type=%s\n", record->type);
	appendStringInfo(out, "database=%u\n", record->database);
	appendStringInfo(out, "link=" INT64_FORMAT "\n", record->link_id);
	appendStringInfo(out, "origin=%s\n", record->origin);
	appendStringInfo(out, "path=%s\n", record->path);
	appendStringInfo(out, "started=" INT64_FORMAT "\n", record->started);
	appendStringInfo(out, "latest=" INT64_FORMAT "\n", record->latest);
	if (record->upload)
		appendStringInfo(out, "upload=%s\n", record->upload);
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
		format_record(&text, record, st.st_ino);
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

/* The value of the next line if it is that of 'key', else NULL. */
static char *
next_value(char **text, const char *key)
{
	size_t		len = strlen(key);
	char	   *line = *text;
	char	   *end = strchr(line, '\n');

	if (end == NULL || strncmp(line, key, len) != 0 || line[len] != '=')
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line + len + 1;
}

/* The same for a number without sign, at most 'most'. */
static bool
next_number(char **text, const char *key, uint64 most, uint64 *number)
{
	char	   *value = next_value(text, key);

	if (value == NULL || *value == '\0' || strspn(value, "0123456789") != strlen(value))
		return false;
	errno = 0;
	*number = strtou64(value, NULL, 10);
	return errno == 0 && *number <= most;
}

/* Text of our own kind: not empty, on one line, no longer than it may be. */
static bool
is_plain(const char *text, size_t most)
{
	size_t		len = strlen(text);

	if (len == 0 || len > most)
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char) *text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

/* The record keeps pointers into the text, which is changed.  False if it is none. */
static bool
parse_record(char *text, LinkRecord *record, char **server, uint64 *inode)
{
	const LinkProvider *provider;
	const char *version = next_value(&text, "version");
	uint64		database;
	uint64		link_id;
	uint64		started;
	uint64		latest;

	if (version == NULL || strcmp(version, VERSION) != 0 ||
		(*server = next_value(&text, "server")) == NULL ||
		!next_number(&text, "inode", PG_UINT64_MAX, inode) ||
		(record->type = next_value(&text, "type")) == NULL ||
		!next_number(&text, "database", PG_UINT32_MAX, &database) ||
		!next_number(&text, "link", PG_INT64_MAX, &link_id) ||
		(record->origin = next_value(&text, "origin")) == NULL ||
		(record->path = next_value(&text, "path")) == NULL ||
		!next_number(&text, "started", PG_INT64_MAX, &started) ||
		!next_number(&text, "latest", PG_INT64_MAX, &latest))
		return false;

	provider = link_provider_find(record->type);
	if (provider == NULL || strcmp(provider->type, record->type) != 0 ||
		!is_plain(record->path, LINK_MAX_PATH) ||
		strlen(record->origin) != LINK_SHA256_HEX_LENGTH ||
		strspn(record->origin, "0123456789abcdef") != LINK_SHA256_HEX_LENGTH ||
		!IS_VALID_TIMESTAMP((TimestampTz) started) || !IS_VALID_TIMESTAMP((TimestampTz) latest) ||
		started > latest)
		return false;
	record->database = (Oid) database;
	record->link_id = (int64) link_id;
	record->started = (TimestampTz) started;
	record->latest = (TimestampTz) latest;

	record->upload = next_value(&text, "upload");
	if (record->upload)
		return is_plain(record->upload, LINK_MAX_TOKEN) && *text == '\0';

	/* the beginning of an upload's line, which a crash has cut off, says nothing */
	return strncmp(text, "upload=", Min(strlen(text), strlen("upload="))) == 0;
}

/* All of a small file, NUL-terminated; NULL if it is too large or cannot be read. */
static char *
read_text(int fd)
{
	char	   *text = palloc(MAX_RECORD + 2);
	size_t		len = 0;

	for (;;)
	{
		ssize_t		got = read(fd, text + len, MAX_RECORD + 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return NULL;
		if (got == 0)
			break;
		len += got;
		if (len > MAX_RECORD)
			return NULL;
	}
	text[len] = '\0';
	return memchr(text, '\0', len) == NULL ? text : NULL;
}

/*
 * What an open file says: UNREADABLE, FOREIGN, or ORPHAN for those that are
 * ours, about whose lock nothing is known here.
 */
static void
read_record(int fd, const char *name, LinkRecord *record)
{
	struct stat st;
	char	   *text;
	char	   *server;
	uint64		inode;

	memset(record, 0, sizeof(*record));
	record->name = pstrdup(name);
	record->state = LINK_RECORD_UNREADABLE;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (text = read_text(fd)) == NULL ||
		!parse_record(text, record, &server, &inode))
		return;
	if (strcmp(server, server_identity()) != 0 || inode != (uint64) st.st_ino)
		record->state = LINK_RECORD_FOREIGN;
	else
		record->state = LINK_RECORD_ORPHAN;
}

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
	read_record(fd, name, record);

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

List *
link_journal_read(void)
{
	List	   *records = NIL;
	DIR		   *dir = AllocateDir(DIRECTORY);
	struct dirent *entry;

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
		read_record(journal->fd, name, record);
		if (record->state == LINK_RECORD_ORPHAN)
			return journal;
	}
	release(journal);
	return NULL;
}
