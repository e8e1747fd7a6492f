/*-------------------------------------------------------------------------
 *
 * keyring_file.c
 *	  Key ring files: read with suspicion, made and replaced so that nobody ever
 *	  sees half of one (SECURITY 18, INTERNALS B4).
 *
 * Making is link(2), which gives the name to one of several that try at once.
 * Replacing is rename(2) under flock(2) of the file: that also keeps servers
 * apart that share a ring, and only who may open the file can hold it.
 *
 * A symbolic link is followed: superusers alone name the file, secret stores
 * that are mounted consist of them, and what is checked is the file that was
 * opened, not its name.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"

#include "bounds.h"
#include "catalog/keyring_internal.h"
#include "catalog/seal.h"
#include "errors.h"
#include "http/url.h"

/* ms between attempts to get the lock, which is held for a few fsyncs */
#define LOCK_POLL 20

/* Random bytes of a temporary name. */
#define TEMPORARY_RANDOM 8

bool
link_ring_source_visible(void)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_SETTINGS);
}

void
link_ring_fail(int sqlstate, const char *source, const char *message, const char *hint)
{
	bool		visible = link_ring_source_visible();

	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s", message),
			 visible ? errdetail("The master key ring is %s.", source) :
			 errdetail_log("The master key ring is %s.", source),
			 hint ? errhint("%s", hint) : 0));
}

LINK_NORETURN static void
file_fail(const char *path, const char *message, const char *hint)
{
	link_ring_fail(ERRCODE_CONFIG_FILE_ERROR, psprintf("file \"%s\"", path), message, hint);
}

/* "could not <action> the master key ring: <errno>" */
LINK_NORETURN static void
file_error(const char *path, const char *action, int errnum)
{
	errno = errnum;
	file_fail(path, psprintf("could not %s the master key ring: %m", action), NULL);
}

/*
 * Open and examine the file; -1 if there is none.  Not blocking, since what is
 * there may be a pipe.
 */
static int
open_checked(const char *path, struct stat *st)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | PG_BINARY);

	if (fd < 0)
	{
		if (errno == ENOENT)
			return -1;
		file_error(path, "open", errno);
	}
	if (fstat(fd, st) != 0)
		file_error(path, "examine", errno);
	if (!S_ISREG(st->st_mode))
		file_fail(path, "master key ring is not a regular file", NULL);
	if (st->st_uid != geteuid())
		file_fail(path, "master key ring does not belong to the user of the server",
				  "Anybody who can write the file could choose the keys.");
	if ((st->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		file_fail(path, "master key ring is open to others than its owner",
				  "Its permissions should be u=rw (0600) or less.");
	if (st->st_size > LINK_MAX_KEY_RING)
		file_fail(path, psprintf("master key ring has more than %d bytes", LINK_MAX_KEY_RING), NULL);
	return fd;
}

/* All of it; the size is bounded again, for the file may have grown. */
static char *
read_all(const char *path, int fd, Size *len)
{
	char	   *text = link_secret_alloc(LINK_MAX_KEY_RING + 1);

	*len = 0;
	for (;;)
	{
		ssize_t		got = read(fd, text + *len, LINK_MAX_KEY_RING + 1 - *len);

		if (got == 0)
			return text;
		if (got > 0)
			*len += got;
		else if (errno != EINTR)
			file_error(path, "read", errno);
		if (*len > LINK_MAX_KEY_RING)
			file_fail(path, psprintf("master key ring has more than %d bytes", LINK_MAX_KEY_RING), NULL);
	}
}

char *
link_ring_file_read(const char *path, Size *len)
{
	struct stat st;
	int			fd = open_checked(path, &st);
	char	   *text;

	if (fd < 0)
		return NULL;
	text = read_all(path, fd, len);
	CloseTransientFile(fd);
	return text;
}

char *
link_ring_file_lock(const char *path, Size *len, int *fd)
{
	struct stat opened;
	struct stat named;

	while ((*fd = open_checked(path, &opened)) >= 0)
	{
		while (flock(*fd, LOCK_EX | LOCK_NB) != 0)
		{
			if (errno != EWOULDBLOCK && errno != EINTR)
				file_error(path, "lock", errno);
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 LOCK_POLL, link_wait_event("LinkMasterKeyLock"));
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}

		/* whoever held the lock has put another file in the place of this one */
		if (stat(path, &named) == 0 &&
			named.st_dev == opened.st_dev && named.st_ino == opened.st_ino)
			return read_all(path, *fd, len);
		CloseTransientFile(*fd);
	}
	return NULL;
}

/*
 * Write the text to a new file beside 'path', whose name goes to 'temporary'
 * (MAXPGPATH bytes).  On failure nothing is left.
 */
static void
write_temporary(const char *path, const char *text, Size len, char *temporary)
{
	uint8		random[TEMPORARY_RANDOM];
	char		hex[2 * TEMPORARY_RANDOM + 1];
	const char *action = NULL;
	int			failure = 0;
	int			fd;

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random file name")));
	link_hex_encode(random, sizeof(random), hex);
	if (snprintf(temporary, MAXPGPATH, "%s.%s.tmp", path, hex) >= MAXPGPATH)
		file_error(path, "write", ENAMETOOLONG);

	fd = OpenTransientFilePerm(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | PG_BINARY,
							   S_IRUSR | S_IWUSR);
	if (fd < 0)
		file_error(path, "create", errno);

	/* nothing throws until the file is removed or good */
	for (Size done = 0; done < len && action == NULL;)
	{
		ssize_t		n;

		errno = 0;
		n = write(fd, text + done, len - done);
		if (n > 0)
			done += n;
		else if (errno != EINTR)
		{
			action = "write";
			failure = errno ? errno : ENOSPC;
		}
	}
	if (action == NULL && pg_fsync(fd) != 0)
	{
		action = "fsync";
		failure = errno;
	}
	if (CloseTransientFile(fd) != 0 && action == NULL)
	{
		action = "close";
		failure = errno;
	}
	if (action)
	{
		(void) unlink(temporary);
		file_error(path, action, failure);
	}
}

bool
link_ring_file_make(const char *path, const char *text, Size len)
{
	char		temporary[MAXPGPATH];
	char		directory[MAXPGPATH];
	int			failure = 0;

	write_temporary(path, text, len, temporary);
	if (link(temporary, path) != 0)
		failure = errno;
	(void) unlink(temporary);
	if (failure == EEXIST)
		return false;
	if (failure != 0)
		file_error(path, "create", failure);

	/* not fsync_fname(), which may panic: the directory is not of the database */
	strlcpy(directory, path, sizeof(directory));
	get_parent_directory(directory);
	if (fsync_fname_ext(directory, true, false, LOG) != 0)
		file_fail(path, "could not fsync the directory of the master key ring",
				  "The server log has the reason.  The ring was made; try again.");
	return true;
}

void
link_ring_file_replace(const char *path, const char *text, Size len)
{
	char		temporary[MAXPGPATH];
	char	   *target = realpath(path, NULL);
	char		resolved[MAXPGPATH];
	Size		resolved_len;

	/* rename(2) would replace a symbolic link, and leave the old keys behind it */
	if (target == NULL)
		file_error(path, "find", errno);
	resolved_len = strlcpy(resolved, target, sizeof(resolved));
	free(target);
	if (resolved_len >= sizeof(resolved))
		file_error(path, "find", ENAMETOOLONG);

	write_temporary(resolved, text, len, temporary);
	if (durable_rename(temporary, resolved, LOG) != 0)
	{
		(void) unlink(temporary);
		file_fail(path, "could not replace the master key ring", "The server log has the reason.");
	}
}
