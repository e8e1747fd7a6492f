/*-------------------------------------------------------------------------
 *
 * fs_file.c
 *	  Files of an FS link: reading, writing, removing.
 *
 * A file is written under a hidden name beside its own, ".link-<random>.tmp",
 * and gets its name when it is published; the token between the two is the
 * hidden name.  Whoever reads a file therefore sees all of it, and keeps seeing
 * the same one while it is replaced.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "compat.h"
#include "errors.h"
#include "http/url.h"
#include "provider/fs/fs.h"

/* ".link-", 16 hexadecimal digits, ".tmp" */
#define TEMPORARY_RANDOM 8
#define TEMPORARY_LENGTH (6 + 2 * TEMPORARY_RANDOM + 4)

/*
 * Have the kernel begin to write each time so much has gathered, while the
 * query goes on: the fsync at the end then waits for little.
 */
#define FLUSH_AFTER (16 * 1024 * 1024)

typedef struct LinkFsReader
{
	LinkReader	base;
	MemoryContext context;		/* holds this */
	LinkFsHandle file;
	int64		remaining;
} LinkFsReader;

typedef struct LinkFsWriter
{
	LinkWriter	base;
	LinkFsHandle file;
	char		temporary[TEMPORARY_LENGTH + 1];
	uint64		flushed;		/* bytes the kernel was told to write */
} LinkFsWriter;

static uint32
wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = link_wait_event("LinkFile");
	return event;
}

static int
root_of(const LinkSession *session)
{
	return ((const LinkFsSession *) session)->root.fd;
}

/*
 * The directory that holds 'path', open for the moment; throws if there is
 * none.  Names of unfinished files are nobody's.
 */
static int
open_parent(const LinkSession *session, const char *action, const char *path, bool create,
			const char **name)
{
	const char *slash = strrchr(path, '/');
	int			fd;

	if (link_fs_is_temporary(slash ? slash + 1 : path))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("invalid path: \"%s\"", path),
				 errdetail("Such names are those of unfinished files."),
				 errcontext("link %s", session->link_name)));
	fd = link_fs_open_parent(root_of(session), path, create, name);
	if (fd < 0)
		link_fs_error(session, action, path, errno);
	return fd;
}

static void
not_regular(const LinkSession *session, const char *action, const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("could not %s \"%s\": it is not a regular file", action, path),
			 errcontext("link %s", session->link_name)));
}

/*
 * Reading.
 */

LinkReader *
link_fs_open_reader(LinkSession *session, const char *path, int64 offset, int64 length)
{
	MemoryContext context = AllocSetContextCreate(session->context, "link FS reader",
												  ALLOCSET_SMALL_SIZES);
	LinkFsReader *reader = MemoryContextAllocZero(context, sizeof(LinkFsReader));
	const char *name;
	struct stat st;
	int			parent;
	int			failure;

	reader->context = context;
	link_fs_reserve(&reader->file, context);

	/* not blocking: the open of a pipe would wait for a writer */
	parent = open_parent(session, "open", path, false, &name);
	reader->file.fd = openat(parent, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	failure = errno;
	close(parent);
	if (reader->file.fd < 0)
		link_fs_error(session, "open", path, failure);
	if (fstat(reader->file.fd, &st) != 0)
		link_fs_error(session, "stat", path, errno);
	if (!S_ISREG(st.st_mode))
		not_regular(session, "open", path);

	offset = Min(offset, (int64) st.st_size);
	reader->remaining = st.st_size - offset;
	if (length >= 0)
		reader->remaining = Min(reader->remaining, length);
	if (lseek(reader->file.fd, offset, SEEK_SET) < 0)
		link_fs_error(session, "read", path, errno);

	reader->base.session = session;
	reader->base.path = MemoryContextStrdup(context, path);
	reader->base.size = st.st_size;
	reader->base.etag = MemoryContextStrdup(context, link_fs_etag(&st));
	return &reader->base;
}

Size
link_fs_read(LinkReader *base, void *to, Size size)
{
	LinkFsReader *reader = (LinkFsReader *) base;
	ssize_t		got;

	size = Min(size, (Size) reader->remaining);
	if (size == 0)
		return 0;
	do
	{
		CHECK_FOR_INTERRUPTS();
		pgstat_report_wait_start(wait_event());
		got = read(reader->file.fd, to, size);
		pgstat_report_wait_end();
	} while (got < 0 && errno == EINTR);

	if (got < 0)
		link_fs_error(base->session, "read", base->path, errno);
	if (got == 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("\"%s\" was truncated while it was read", base->path),
				 errcontext("link %s", base->session->link_name)));
	reader->remaining -= got;
	return got;
}

void
link_fs_close_reader(LinkReader *base)
{
	MemoryContextDelete(((LinkFsReader *) base)->context);
}

/*
 * Writing.
 */

static void
already_exists(const LinkSession *session, const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_OBJECT_EXISTS),
			 errmsg("\"%s\" already exists", path),
			 errhint("Use overwrite => true to replace it."),
			 errcontext("link %s", session->link_name)));
}

LinkWriter *
link_fs_open_writer(LinkSession *session, const char *path, bool overwrite)
{
	MemoryContext context = AllocSetContextCreate(session->context, "link FS writer",
												  ALLOCSET_SMALL_SIZES);
	LinkFsWriter *writer = MemoryContextAllocZero(context, sizeof(LinkFsWriter));
	uint8		random[TEMPORARY_RANDOM];
	char		hex[2 * TEMPORARY_RANDOM + 1];
	const char *name;
	struct stat st;
	int			parent;
	int			failure;
	bool		exists;

	writer->base.session = session;
	writer->base.path = MemoryContextStrdup(context, path);
	writer->base.overwrite = overwrite;
	writer->base.context = context;
	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random file name")));
	link_hex_encode(random, sizeof(random), hex);
	snprintf(writer->temporary, sizeof(writer->temporary), ".link-%s.tmp", hex);
	link_fs_reserve(&writer->file, context);

	parent = open_parent(session, "write", path, true, &name);
	exists = fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	failure = exists ? 0 : errno;
	close(parent);
	if (exists && !overwrite)
		already_exists(session, path);
	if (exists && !S_ISREG(st.st_mode))
		not_regular(session, "overwrite", path);
	if (!exists && failure != ENOENT)
		link_fs_error(session, "write", path, failure);

	/* may throw, and so comes between two openings of the directory */
	link_upload_begin(&writer->base, writer->temporary);
	parent = link_fs_open_parent(root_of(session), path, true, &name);
	if (parent >= 0)
	{
		writer->file.fd = openat(parent, writer->temporary,
								 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
								 S_IRUSR | S_IWUSR);
		link_fs_close_keeping_errno(parent);
	}
	if (writer->file.fd < 0)
	{
		failure = errno;
		link_upload_refused(&writer->base);
		link_fs_error(session, "write", path, failure);
	}
	return &writer->base;
}

void
link_fs_write(LinkWriter *base, const void *data, Size size)
{
	LinkFsWriter *writer = (LinkFsWriter *) base;
	uint64		written = base->written;

	while (size > 0)
	{
		ssize_t		done;

		CHECK_FOR_INTERRUPTS();
		errno = 0;
		pgstat_report_wait_start(wait_event());
		done = write(writer->file.fd, data, size);
		pgstat_report_wait_end();
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			link_fs_error(base->session, "write", base->path, errno ? errno : ENOSPC);
		data = (const char *) data + done;
		size -= done;
		written += done;
	}

	if (written - writer->flushed >= FLUSH_AFTER)
	{
		pg_flush_data(writer->file.fd, writer->flushed, written - writer->flushed);
		writer->flushed = written;
	}
}

void
link_fs_prepare(LinkWriter *base, StringInfo token)
{
	LinkFsWriter *writer = (LinkFsWriter *) base;
	int			synced;
	int			fd;

	pgstat_report_wait_start(wait_event());
	synced = pg_fsync(writer->file.fd);
	pgstat_report_wait_end();
	if (synced != 0)
		link_fs_error(base->session, "write", base->path, errno);

	/* some file systems tell what went wrong only now */
	fd = writer->file.fd;
	writer->file.fd = -1;
	if (close(fd) != 0)
		link_fs_error(base->session, "write", base->path, errno);
	link_fs_release(&writer->file);
	appendStringInfoString(token, writer->temporary);
}

/* The hidden name that a token is; false if it is none of ours. */
static bool
token_name(const char *token, Size token_size, char name[TEMPORARY_LENGTH + 1])
{
	if (token_size != TEMPORARY_LENGTH)
		return false;
	memcpy(name, token, TEMPORARY_LENGTH);
	name[TEMPORARY_LENGTH] = '\0';
	return link_fs_is_temporary(name) &&
		strspn(name + 6, "0123456789abcdef") == 2 * TEMPORARY_RANDOM;
}

/* Its version is looked up under the hidden name, which nobody else writes. */
char *
link_fs_publish(LinkSession *session, const char *path, bool overwrite,
				const char *token, Size token_size)
{
	char		temporary[TEMPORARY_LENGTH + 1];
	const char *name;
	struct stat st;
	int			parent;
	int			failure = 0;

	if (!token_name(token, token_size, temporary))
		elog(ERROR, "invalid token of an FS link");

	parent = open_parent(session, "publish", path, false, &name);
	if (fstatat(parent, temporary, &st, AT_SYMLINK_NOFOLLOW) != 0)
		failure = errno;
	else if (overwrite)
	{
		if (renameat(parent, temporary, parent, name) != 0)
			failure = errno;
	}
	else if (linkat(parent, temporary, parent, name, 0) != 0)
		failure = errno;
	else
		(void) unlinkat(parent, temporary, 0);	/* a second, hidden name would do no harm */
	if (failure == 0 && link_fs_sync_directory(parent) != 0)
		failure = errno;
	close(parent);

	if (failure == EEXIST && !overwrite)
		already_exists(session, path);
	if (failure != 0)
		link_fs_error(session, "publish", path, failure);
	return link_fs_etag(&st);
}

/* Take away a hidden file: 0, or errno.  In an abort, so nothing here may throw. */
static int
remove_temporary(LinkSession *session, const char *path, const char *temporary)
{
	const char *name;
	int			parent = link_fs_open_parent(root_of(session), path, false, &name);
	int			failure = 0;

	if (parent < 0)
		return errno;
	if (unlinkat(parent, temporary, 0) != 0)
		failure = errno;
	close(parent);
	return failure;
}

bool
link_fs_abort(LinkWriter *base)
{
	LinkFsWriter *writer = (LinkFsWriter *) base;
	int			failure = remove_temporary(base->session, base->path, writer->temporary);

	MemoryContextDelete(writer->base.context);
	return failure == 0 || failure == ENOENT;
}

bool
link_fs_discard(LinkSession *session, const char *path, const char *token, Size token_size)
{
	char		temporary[TEMPORARY_LENGTH + 1];
	int			failure;

	if (!token_name(token, token_size, temporary))
		return false;
	failure = remove_temporary(session, path, temporary);
	return failure == 0 || failure == ENOENT;
}

/* The name is checked as a token is: no other file can be meant. */
LinkReapOutcome
link_fs_reap(LinkSession *session, LinkReap *reap)
{
	char		temporary[TEMPORARY_LENGTH + 1];
	int			failure;

	if (reap->upload == NULL || !token_name(reap->upload, strlen(reap->upload), temporary))
	{
		reap->detail = "it names no unfinished file";
		return LINK_REAP_FAILED;
	}
	failure = remove_temporary(session, reap->path, temporary);
	if (failure == 0)
		return LINK_REAP_ABORTED;
	if (failure == ENOENT)
		return LINK_REAP_NOTHING;
	reap->detail = pstrdup(strerror(failure));
	return LINK_REAP_FAILED;
}

/*
 * Others.
 */

/* Nothing unlinks a file on condition that it is still the same: somebody may replace it in between. */
bool
link_fs_remove(LinkSession *session, const char *path, const char *version)
{
	LinkObject	object = {0};
	const char *name;
	struct stat st;
	int			failure = 0;
	bool		regular = true;
	int			parent;

	if (version && !(link_fs_stat(session, path, &object) && strcmp(object.etag, version) == 0))
		return false;
	parent = open_parent(session, "remove", path, false, &name);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		failure = errno;
	else if (!S_ISREG(st.st_mode))
		regular = false;
	else if (unlinkat(parent, name, 0) != 0)
		failure = errno;
	close(parent);

	if (failure == ENOENT && version)
		return false;
	if (failure != 0)
		link_fs_error(session, "remove", path, failure);
	if (!regular)
		not_regular(session, "remove", path);
	return true;
}

/* As for a listing, only regular files exist. */
bool
link_fs_stat(LinkSession *session, const char *path, LinkObject *object)
{
	const char *name;
	struct stat st;
	int			failure = 0;
	int			parent = link_fs_open_parent(root_of(session), path, false, &name);

	if (parent < 0 || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		failure = errno;
	if (parent >= 0)
		close(parent);

	if (failure == ENOENT || failure == ENOTDIR)
		return false;
	if (failure != 0)
		link_fs_error(session, "stat", path, failure);
	if (!S_ISREG(st.st_mode) || link_fs_is_temporary(name))
		return false;
	object->size = st.st_size;
	object->last_modified = link_fs_time(&st);
	object->etag = link_fs_etag(&st);
	return true;
}
