/*-------------------------------------------------------------------------
 *
 * fs_walk.c
 *	  From the root of an FS link to a file, and through all of its files.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "bounds.h"
#include "provider/fs/fs.h"

#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* fsync for a directory: where file systems know none, nothing is to be done. */
int
link_fs_sync_directory(int fd)
{
	if (pg_fsync(fd) == 0 || errno == EBADF || errno == EINVAL)
		return 0;
	return -1;
}

/* Make the directory and have its name on disk.  It may be there already. */
static bool
make_directory(int parent, const char *name)
{
	if (mkdirat(parent, name, S_IRWXU) == 0)
		return link_fs_sync_directory(parent) == 0;
	return errno == EEXIST;
}

void
link_fs_close_keeping_errno(int fd)
{
	int			saved = errno;

	close(fd);
	errno = saved;
}

/*
 * At most two descriptors are open at a time, within the few that fd.c leaves
 * free for such moments.
 */
int
link_fs_open_parent(int root, const char *path, bool create, const char **name)
{
	int			fd = openat(root, ".", OPEN_DIRECTORY);
	const char *slash;

	while (fd >= 0 && (slash = strchr(path, '/')) != NULL)
	{
		char		component[NAME_MAX + 1];
		size_t		len = slash - path;
		int			next;

		if (len > NAME_MAX)
		{
			close(fd);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(component, path, len);
		component[len] = '\0';
		next = openat(fd, component, OPEN_DIRECTORY);
		if (next < 0 && errno == ENOENT && create && make_directory(fd, component))
			next = openat(fd, component, OPEN_DIRECTORY);
		link_fs_close_keeping_errno(fd);
		fd = next;
		path = slash + 1;
	}
	*name = path;
	return fd;
}

bool
link_fs_is_temporary(const char *name)
{
	size_t		len = strlen(name);

	return len > 10 && strncmp(name, ".link-", 6) == 0 && strcmp(name + len - 4, ".tmp") == 0;
}

/* Changes with every change: a file of ours is replaced, never written again. */
char *
link_fs_etag(const struct stat *st)
{
	return psprintf(UINT64_FORMAT "-" UINT64_FORMAT "-" UINT64_FORMAT,
					(uint64) st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
					(uint64) st->st_size, (uint64) st->st_ino);
}

TimestampTz
link_fs_time(const struct stat *st)
{
	return time_t_to_timestamptz(st->st_mtim.tv_sec) + st->st_mtim.tv_nsec / 1000;
}

/*
 * Listing.
 */

/* What a directory holds that may matter, read at once. */
typedef struct Entry
{
	bool		is_directory;
	struct stat st;
	char		name[FLEXIBLE_ARRAY_MEMBER];
} Entry;

typedef struct Listing
{
	LinkFsSession *session;
	LinkObjectCallback callback;
	void	   *arg;
	MemoryContext caller;		/* where the callback runs: what it keeps is the caller's */
} Listing;

static void
close_directory(void *arg)
{
	DIR		  **dir = arg;

	if (*dir)
		closedir(*dir);
	*dir = NULL;
}

/*
 * By name, a directory as if its name ended in '/': so the files below it come
 * where their paths belong.
 */
static int
compare_entries(const ListCell *a, const ListCell *b)
{
	const Entry *x = lfirst(a);
	const Entry *y = lfirst(b);
	size_t		x_len = strlen(x->name);
	size_t		y_len = strlen(y->name);
	size_t		same = Min(x_len, y_len);
	int			order = memcmp(x->name, y->name, same);
	unsigned char x_next;
	unsigned char y_next;

	if (order != 0)
		return order;
	x_next = x_len > same ? x->name[same] : x->is_directory ? '/' : '\0';
	y_next = y_len > same ? y->name[same] : y->is_directory ? '/' : '\0';
	return (int) x_next - (int) y_next;
}

/*
 * The regular files and directories of the directory 'path' ("" or ending in
 * '/') whose names begin with 'prefix', sorted, in the current memory context.
 * Empty if there is no such directory.
 */
static List *
read_directory(Listing *listing, const char *path, const char *prefix)
{
	LinkSession *session = &listing->session->base;
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	DIR		  **dir = palloc0(sizeof(DIR *));
	size_t		prefix_len = strlen(prefix);
	List	   *entries = NIL;
	struct dirent *found;
	const char *name;
	int			fd;

	callback->func = close_directory;
	callback->arg = dir;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);

	fd = link_fs_open_parent(listing->session->root.fd, path, false, &name);
	if (fd >= 0 && (*dir = fdopendir(fd)) == NULL)
		link_fs_close_keeping_errno(fd);
	if (*dir == NULL)
	{
		/* never was, went away while we listed, or is no directory */
		if (errno == ENOENT || errno == ENOTDIR)
			return NIL;
		link_fs_error(session, "list", path[0] ? path : NULL, errno);
	}

	while (errno = 0, (found = readdir(*dir)) != NULL)
	{
		struct stat st;
		Entry	   *entry;

		CHECK_FOR_INTERRUPTS();
		name = found->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
			link_fs_is_temporary(name) || strncmp(name, prefix, prefix_len) != 0)
			continue;
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		{
			if (errno == ENOENT)
				continue;
			link_fs_error(session, "stat", psprintf("%s%s", path, name), errno);
		}
		if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			continue;
		entry = palloc(offsetof(Entry, name) + strlen(name) + 1);
		entry->is_directory = S_ISDIR(st.st_mode);
		entry->st = st;
		strcpy(entry->name, name);
		entries = lappend(entries, entry);
	}
	if (errno != 0)
		link_fs_error(session, "list", path[0] ? path : NULL, errno);
	close_directory(dir);

	list_sort(entries, compare_entries);
	return entries;
}

/* False when the caller has enough. */
static bool
list_directory(Listing *listing, const char *path, const char *prefix)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link FS directory",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	List	   *entries = read_directory(listing, path, prefix);
	bool		more = true;
	ListCell   *cell;

	check_stack_depth();
	foreach(cell, entries)
	{
		const Entry *entry = lfirst(cell);
		char	   *entry_path = psprintf("%s%s%s", path, entry->name, entry->is_directory ? "/" : "");

		/* what is longer, or lies below, has no path that may be used */
		if (strlen(entry_path) > LINK_MAX_PATH)
			continue;
		if (entry->is_directory)
			more = list_directory(listing, entry_path, "");
		else
		{
			LinkObject	object;

			object.path = entry_path;
			object.size = entry->st.st_size;
			object.last_modified = link_fs_time(&entry->st);
			object.etag = link_fs_etag(&entry->st);
			MemoryContextSwitchTo(listing->caller);
			more = listing->callback(&object, listing->arg);
			MemoryContextSwitchTo(context);
			pfree(object.etag);
		}
		pfree(entry_path);
		if (!more)
			break;
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return more;
}

void
link_fs_list(LinkSession *session, const char *prefix, const char *after, LinkObjectCallback callback, void *arg)
{
	Listing		listing = {(LinkFsSession *) session, callback, arg, CurrentMemoryContext};
	const char *slash = strrchr(prefix, '/');
	size_t		len = slash ? slash + 1 - prefix : 0;

	list_directory(&listing, pnstrdup(prefix, len), prefix + len);
}
