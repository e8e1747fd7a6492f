/*-------------------------------------------------------------------------
 *
 * fs.h
 *	  Inside the FS provider: a directory of the server (SECURITY 26).
 *
 * Every path is walked from the root's descriptor, one component at a time,
 * none of which may be a symbolic link; since no path has a component '..',
 * nothing that others put below the root can lead out of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_FS_H
#define LINK_FS_H

#include "compat.h"

#include <sys/stat.h>

#include "provider/provider.h"

/*
 * A descriptor that belongs to a memory context, counted as fd.c wants it:
 * reserved first, then opened into 'fd', closed with the context at the latest.
 */
typedef struct LinkFsHandle
{
	int			fd;				/* -1: not open */
	bool		reserved;
	MemoryContextCallback callback;
} LinkFsHandle;

typedef struct LinkFsSession
{
	LinkSession base;
	LinkFsHandle root;
} LinkFsSession;

extern void link_fs_reserve(LinkFsHandle *handle, MemoryContext context);
extern void link_fs_release(LinkFsHandle *handle);

/* The SQLSTATE of a system call's failure (DESIGN 7). */
extern int	link_fs_errcode(int errnum);

/*
 * Raise it: "could not <action> "<path>"", or "... the root directory" if path
 * is NULL.
 */
LINK_NORETURN extern void link_fs_error(const LinkSession *session, const char *action, const char *path, int errnum);

/* ---- fs_root.c ---- */

/*
 * Open the directory 'root' into the handle, which is reserved, and check that
 * it may be the root of a link; 'anywhere' for superusers, whom link.fs_roots
 * does not bind.
 */
extern void link_fs_open_root(LinkFsHandle *handle, const char *root, bool anywhere);

/* ---- fs_walk.c ---- */

/*
 * The directory that holds 'path', to be closed by the caller before anything
 * can throw; *name is the last component.  -1 with errno: it does not throw, and
 * goes well in an abort.  With 'create' missing directories are made.
 */
extern int	link_fs_open_parent(int root, const char *path, bool create, const char **name);

extern void link_fs_close_keeping_errno(int fd);

/* True if 'name' has the form of the hidden names of unfinished files. */
extern bool link_fs_is_temporary(const char *name);

/* As pg_fsync, for a directory: 0, or -1 with errno. */
extern int	link_fs_sync_directory(int fd);

extern char *link_fs_etag(const struct stat *st);
extern TimestampTz link_fs_time(const struct stat *st);

extern void link_fs_list(LinkSession *session, const char *prefix, const char *after,
						 LinkObjectCallback callback, void *arg);

/* ---- fs_file.c ---- */

extern LinkReader *link_fs_open_reader(LinkSession *session, const char *path, int64 offset, int64 length);
extern Size link_fs_read(LinkReader *reader, void *to, Size size);
extern void link_fs_close_reader(LinkReader *reader);
extern LinkWriter *link_fs_open_writer(LinkSession *session, const char *path, bool overwrite);
extern void link_fs_write(LinkWriter *writer, const void *data, Size size);
extern void link_fs_prepare(LinkWriter *writer, StringInfo token);
extern char *link_fs_publish(LinkSession *session, const char *path, bool overwrite,
							 const char *token, Size token_size);
extern bool link_fs_abort(LinkWriter *writer);
extern bool link_fs_discard(LinkSession *session, const char *path,
							const char *token, Size token_size);
extern LinkReapOutcome link_fs_reap(LinkSession *session, LinkReap *reap);
extern bool link_fs_remove(LinkSession *session, const char *path, const char *version);
extern bool link_fs_stat(LinkSession *session, const char *path, LinkObject *object);

#endif							/* LINK_FS_H */
