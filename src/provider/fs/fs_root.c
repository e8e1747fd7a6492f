/*-------------------------------------------------------------------------
 *
 * fs_root.c
 *	  Which directory may be the root of an FS link (SECURITY 26).
 *
 * Directories are compared by device and inode, along their chains of parents,
 * so that neither a symbolic link nor another spelling of a name gets round a
 * rule.  What is checked is the directory that was opened, not its name.
 *
 * Errors do not tell the root's path: who only uses a link may not know it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "postmaster/syslogger.h"
#include "storage/fd.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "errors.h"
#include "guc.h"
#include "provider/fs/fs.h"

static bool
same_directory(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Raise errno: "could not <action>". */
static void
root_error(const char *action)
{
	int			code = link_fs_errcode(errno);

	ereport(ERROR, (errcode(code), errmsg("could not %s: %m", action)));
}

/*
 * Is 'above' the directory 'path' (relative to dirfd) or one of its parents?
 * Goes up by "..", as the kernel understands it, after all links are resolved.
 */
static bool
lies_within(int dirfd, const char *path, const struct stat *above)
{
	char		up[MAXPGPATH * 4];
	size_t		len = strlcpy(up, path, sizeof(up));
	struct stat top;
	struct stat here;

	if (stat("/", &top) != 0)
		root_error("examine the directory \"/\"");
	for (;;)
	{
		if (len + 4 > sizeof(up))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("root directory is nested too deeply")));
		if (fstatat(dirfd, up, &here, 0) != 0)
			root_error("examine the directories above the root directory of the link");
		if (same_directory(&here, above))
			return true;
		if (same_directory(&here, &top))
			return false;
		strcpy(up + len, "/..");
		len += 3;
	}
}

/*
 * Refuse a root that is, holds, or, where 'below' says so, lies in the server's
 * directory 'path'.  Directories that do not exist need no protection.
 */
static void
protect(int root, const struct stat *root_stat, const char *path, bool below, const char *what)
{
	struct stat protected;

	if (path == NULL || path[0] == '\0')
		return;
	if (stat(path, &protected) != 0)
	{
		if (errno == ENOENT || errno == ENOTDIR)
			return;
		root_error(psprintf("examine the %s", what));
	}
	if (!S_ISDIR(protected.st_mode))
		return;
	if (lies_within(AT_FDCWD, path, root_stat) || (below && lies_within(root, ".", &protected)))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("root directory may not be used by a link"),
				 errdetail(below ? "It is, holds or lies in the %s." : "It is or holds the %s.", what)));
}

/* The same for the directory of a file; 'file' NULL or empty: there is none. */
static void
protect_directory_of(int root, const struct stat *root_stat, const char *file, bool below,
					 const char *what)
{
	char		directory[MAXPGPATH];

	if (file == NULL || file[0] == '\0')
		return;
	strlcpy(directory, file, sizeof(directory));
	get_parent_directory(directory);
	protect(root, root_stat, directory[0] != '\0' ? directory : ".", below, what);
}

/* The same for each of a list of directories; entries that are no absolute path are left out. */
static void
protect_all(int root, const struct stat *root_stat, const char *list, char separator, bool below,
			const char *what)
{
	char	   *copy = pstrdup(list ? list : "");
	List	   *directories = NIL;
	ListCell   *cell;

	if (separator == ',')
		(void) SplitDirectoriesString(copy, separator, &directories);
	else
		for (char *state = NULL, *entry = strtok_r(copy, ":", &state); entry;
			 entry = strtok_r(NULL, ":", &state))
			directories = lappend(directories, entry);
	foreach(cell, directories)
		if (is_absolute_path((char *) lfirst(cell)))
			protect(root, root_stat, lfirst(cell), below, what);
}

static void
check_protected(int root, const struct stat *root_stat)
{
	char		share[MAXPGPATH];
	DIR		   *dir;
	struct dirent *entry;

	protect(root, root_stat, DataDir, true, "data directory of the server");

	/* parts of it that are often moved elsewhere and linked */
	protect(root, root_stat, "pg_wal", true, "write-ahead log of the server");
	protect(root, root_stat, Log_directory, true, "log directory of the server");
	dir = AllocateDir("pg_tblspc");
	while ((entry = ReadDir(dir, "pg_tblspc")) != NULL)
	{
		char		path[MAXPGPATH];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "pg_tblspc/%s", entry->d_name);
		protect(root, root_stat, path, true, "directory of a tablespace");
	}
	FreeDir(dir);

	protect_directory_of(root, root_stat, ConfigFileName, true, "configuration of the server");
	protect_directory_of(root, root_stat, HbaFileName, true, "configuration of the server");
	protect_directory_of(root, root_stat, IdentFileName, true, "configuration of the server");

	/* what is executed or loaded */
	get_share_path(my_exec_path, share);
	protect(root, root_stat, share, true, "installation of the server");
	protect(root, root_stat, pkglib_path, true, "library directory of the server");
	protect_directory_of(root, root_stat, my_exec_path, true, "installation of the server");
	protect_all(root, root_stat, GetConfigOption("dynamic_library_path", true, false), ':', true,
				"library directory of the server");

	/* these are often directories of general use: only they themselves are kept */
	protect_all(root, root_stat, Unix_socket_directories, ',', false, "socket directory of the server");
	protect_directory_of(root, root_stat, link_master_key_file, false, "directory of the master key ring");
}

static void
check_allowed(int root)
{
	List	   *directories;
	ListCell   *cell;

	if (!SplitDirectoriesString(pstrdup(link_fs_roots), ',', &directories))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("invalid list syntax in parameter \"%s\"", "link.fs_roots")));
	foreach(cell, directories)
	{
		struct stat allowed;

		if (is_absolute_path((char *) lfirst(cell)) &&
			stat(lfirst(cell), &allowed) == 0 &&
			lies_within(root, ".", &allowed))
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("root directory may not be used by a link"),
			 errdetail("It does not lie below a directory of link.fs_roots."),
			 errhint("Only links of superusers may have their root elsewhere.")));
}

void
link_fs_open_root(LinkFsHandle *handle, const char *root, bool anywhere)
{
	struct stat st;

	if (!is_absolute_path(root))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("root directory is not an absolute path")));
	handle->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (handle->fd < 0 || fstat(handle->fd, &st) != 0)
		root_error("open the root directory of the link");
	check_protected(handle->fd, &st);
	if (!anywhere)
		check_allowed(handle->fd);
}
