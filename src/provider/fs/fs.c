/*-------------------------------------------------------------------------
 *
 * fs.c
 *	  The FS provider: its data row, its session, what its files share.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include <fcntl.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "errors.h"
#include "provider/fs/fs.h"
#include "provider/list.h"

static void fs_validate(struct json_object *credentials, struct json_object *config);
static void fs_start(LinkSession *session);
static void fs_connect(LinkSession *session);
static void fs_authenticate(LinkSession *session);

static const LinkOptionDef fs_options[] = {
	{"root", LINK_CONFIG, LINK_OPTION_DIRECTORY,
	LINK_OPTION_AMBIENT | LINK_OPTION_REQUIRED | LINK_OPTION_ORIGIN},
	{NULL}
};

static const LinkProviderOps fs_ops = {
	.session_size = sizeof(LinkFsSession),
	.start = fs_start,
	.connect = fs_connect,
	.authenticate = fs_authenticate,
	.open_reader = link_fs_open_reader,
	.read = link_fs_read,
	.close_reader = link_fs_close_reader,
	.open_writer = link_fs_open_writer,
	.write = link_fs_write,
	.prepare = link_fs_prepare,
	.publish = link_fs_publish,
	.abort = link_fs_abort,
	.discard = link_fs_discard,
	.remove = link_fs_remove,
	.list = link_fs_list,
	.stat = link_fs_stat,
	.reap = link_fs_reap,
};

const LinkProvider link_fs_provider = {
	.type = "FS",
	.path_syntax = "dir/file",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_CAN_REMOVE,
	.options = fs_options,
	.validate = fs_validate,
	.ops = &fs_ops,
};

static void
release_callback(void *arg)
{
	link_fs_release(arg);
}

void
link_fs_reserve(LinkFsHandle *handle, MemoryContext context)
{
	handle->fd = -1;
	handle->callback.func = release_callback;
	handle->callback.arg = handle;
	MemoryContextRegisterResetCallback(context, &handle->callback);
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files"),
				 errhint("Raise max_files_per_process, or the limit of the operating system.")));
	handle->reserved = true;
}

void
link_fs_release(LinkFsHandle *handle)
{
	if (handle->fd >= 0)
		close(handle->fd);
	handle->fd = -1;
	if (handle->reserved)
		ReleaseExternalFD();
	handle->reserved = false;
}

int
link_fs_errcode(int errnum)
{
	switch (errnum)
	{
		case ENOENT:
			return ERRCODE_LINK_NO_OBJECT;
		case EEXIST:
			return ERRCODE_LINK_OBJECT_EXISTS;
		case EACCES:
		case EPERM:
		case EROFS:
			return ERRCODE_LINK_NO_PRIVILEGE;
		case ENOSPC:
		case EDQUOT:
			return ERRCODE_DISK_FULL;
		case EMFILE:
		case ENFILE:
			return ERRCODE_INSUFFICIENT_RESOURCES;
		case ENAMETOOLONG:
			return ERRCODE_LINK_BAD_OPTION;
		case ENOTDIR:
		case ELOOP:
		case EISDIR:
		case ENXIO:
			return ERRCODE_WRONG_OBJECT_TYPE;
		default:
			return ERRCODE_LINK_FAILED;
	}
}

void
link_fs_error(const LinkSession *session, const char *action, const char *path, int errnum)
{
	bool		no_walk = errnum == ENOTDIR || errnum == ELOOP;

	errno = errnum;
	ereport(ERROR,
			(errcode(link_fs_errcode(errnum)),
			 path ? errmsg("could not %s \"%s\": %m", action, path) :
			 errmsg("could not %s the root directory: %m", action),
			 no_walk ? errdetail("A component of the path is a file, or a symbolic link, which FS links do not follow.") : 0,
			 errcontext("link %s", session->link_name)));
}

/* For CREATE and ALTER LINK: the same checks as at each use, for the current user. */
static void
fs_validate(struct json_object *credentials, struct json_object *config)
{
	struct json_object *root;
	MemoryContext context;
	LinkFsHandle *handle;

	if (config == NULL || !json_object_object_get_ex(config, "root", &root))
		return;					/* its absence is told elsewhere */
	context = AllocSetContextCreate(CurrentMemoryContext, "link FS root", ALLOCSET_SMALL_SIZES);
	handle = MemoryContextAllocZero(context, sizeof(LinkFsHandle));
	link_fs_reserve(handle, context);
	link_fs_open_root(handle, json_object_get_string(root), superuser());
	MemoryContextDelete(context);
}

static void
fs_start(LinkSession *session)
{
	LinkFsSession *fs = (LinkFsSession *) session;

	link_fs_reserve(&fs->root, session->context);
	link_fs_open_root(&fs->root, link_option_string(session->options, "root", ""),
					  superuser_arg(session->owner));
}

/* The root was opened at the start; is it still the directory of that name? */
static void
fs_connect(LinkSession *session)
{
	LinkFsSession *fs = (LinkFsSession *) session;
	struct stat opened;
	struct stat named;

	if (fstat(fs->root.fd, &opened) != 0 ||
		stat(link_option_string(session->options, "root", ""), &named) != 0)
		link_fs_error(session, "open", NULL, errno);
	if (opened.st_dev != named.st_dev || opened.st_ino != named.st_ino)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_FAILED),
				 errmsg("the root directory has been replaced"),
				 errcontext("link %s", session->link_name)));
}

static void
fs_authenticate(LinkSession *session)
{
	LinkFsSession *fs = (LinkFsSession *) session;

	if (faccessat(fs->root.fd, ".", R_OK | X_OK, AT_EACCESS) != 0)
		link_fs_error(session, "read", NULL, errno);
}
