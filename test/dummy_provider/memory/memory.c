/*-------------------------------------------------------------------------
 *
 * memory.c
 *	  A provider for tests, by src/provider/README.md: "bucket/key" is a file of
 *	  the directory <directory>/<bucket>, its name the key with all but letters
 *	  and digits as %XX.  Whoever asks has to know what is in
 *	  <directory>/.password.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "errors.h"
#include "http/url.h"
#include "provider/list.h"

/* ".new-" and 16 hexadecimal digits: the name until publish */
#define NEW_LENGTH 21

typedef struct MemorySession
{
	LinkSession base;
	char		directory[MAXPGPATH];
	const char *password;
} MemorySession;

typedef struct MemoryReader
{
	LinkReader	base;
	MemoryContext context;
	int			fd;
	int64		remaining;
	MemoryContextCallback callback;
} MemoryReader;

typedef struct MemoryWriter
{
	LinkWriter	base;
	int			fd;
	char		new[NEW_LENGTH + 1];
	MemoryContextCallback callback;
} MemoryWriter;

/* The handle's owner is a memory context: local things only. */
static void
close_handle(void *arg)
{
	int		   *fd = arg;

	if (*fd >= 0)
	{
		close(*fd);
		ReleaseExternalFD();
	}
	*fd = -1;
}

static void
own(MemoryContext context, MemoryContextCallback *callback, int *fd)
{
	*fd = -1;
	callback->func = close_handle;
	callback->arg = fd;
	MemoryContextRegisterResetCallback(context, callback);
}

static void
fail(const LinkSession *session, const char *action, const char *path, int errnum)
{
	errno = errnum;
	ereport(ERROR,
			(errcode(errnum == ENOENT ? ERRCODE_LINK_NO_OBJECT :
					 errnum == ENAMETOOLONG ? ERRCODE_LINK_BAD_OPTION : ERRCODE_LINK_FAILED),
			 errmsg("could not %s \"%s\": %m", action, path),
			 errcontext("link %s", session->link_name)));
}

static void
already_exists(const LinkSession *session, const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_OBJECT_EXISTS),
			 errmsg("\"%s\" already exists", path),
			 errcontext("link %s", session->link_name)));
}

/* Does not throw: aborts use it. False if it is too long, or has no key. */
static bool
file_name(LinkSession *session, const char *path, const char *new, char file[MAXPGPATH])
{
	const char *slash = strchr(path, '/');
	size_t		len;

	if (slash == NULL)
		return false;
	len = snprintf(file, MAXPGPATH, "%s/%.*s/", ((MemorySession *) session)->directory, (int) (slash - path), path);
	if (len >= MAXPGPATH)
		return false;
	if (new)
		return strlcat(file, new, MAXPGPATH) < MAXPGPATH;
	for (const unsigned char *p = (const unsigned char *) slash + 1; *p; p++)
	{
		if (len + 4 > MAXPGPATH)
			return false;
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9'))
			file[len++] = *p;
		else
			len += sprintf(file + len, "%%%02X", *p);
	}
	file[len] = '\0';
	return true;
}

static char *
file_of(LinkSession *session, const char *action, const char *path, const char *new)
{
	char	   *file = palloc(MAXPGPATH);

	if (!file_name(session, path, new, file))
		fail(session, action, path, ENAMETOOLONG);
	return file;
}

static void
authenticate(LinkSession *session)
{
	MemorySession *memory = (MemorySession *) session;
	char		password[256];
	ssize_t		got;
	int			fd = open(psprintf("%s/.password", memory->directory), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail(session, "open", memory->directory, errno);
	got = read(fd, password, sizeof(password) - 1);
	close(fd);
	if (got != strlen(memory->password) || memcmp(password, memory->password, got) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_CREDENTIALS),
				 errmsg("the credentials were refused"),
				 errcontext("link %s", session->link_name)));
}

static void
start(LinkSession *session)
{
	MemorySession *memory = (MemorySession *) session;

	strlcpy(memory->directory, link_option_string(session->options, "directory", ""), MAXPGPATH);
	memory->password = link_option_string(session->options, "password", "");
}

static void
refresh(LinkSession *session)
{
	((MemorySession *) session)->password = link_option_string(session->options, "password", "");
}

static void
connect_directory(LinkSession *session)
{
	if (access(((MemorySession *) session)->directory, R_OK | X_OK) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNREACHABLE),
				 errmsg("could not reach the directory: %m"),
				 errcontext("link %s", session->link_name)));
}

static char *
etag_of(const struct stat *st)
{
	return psprintf(UINT64_FORMAT "-" UINT64_FORMAT, (uint64) st->st_ino, (uint64) st->st_mtim.tv_nsec);
}

static TimestampTz
time_of(const struct stat *st)
{
	return time_t_to_timestamptz(st->st_mtim.tv_sec);
}

static LinkReader *
open_reader(LinkSession *session, const char *path, int64 offset, int64 length)
{
	MemoryContext context = AllocSetContextCreate(session->context, "link MEMORY reader", ALLOCSET_SMALL_SIZES);
	MemoryReader *reader = MemoryContextAllocZero(context, sizeof(MemoryReader));
	struct stat st;
	char	   *file;

	authenticate(session);
	file = file_of(session, "read", path, NULL);
	reader->context = context;
	own(context, &reader->callback, &reader->fd);
	if (!AcquireExternalFD())
		fail(session, "read", path, EMFILE);
	reader->fd = open(file, O_RDONLY | O_CLOEXEC);
	if (reader->fd < 0)
	{
		int			failure = errno;

		ReleaseExternalFD();
		fail(session, "read", path, failure);
	}
	if (fstat(reader->fd, &st) != 0 || lseek(reader->fd, offset, SEEK_SET) < 0)
		fail(session, "read", path, errno);
	reader->remaining = Max(st.st_size - offset, 0);
	if (length >= 0)
		reader->remaining = Min(reader->remaining, length);
	reader->base.session = session;
	reader->base.path = MemoryContextStrdup(context, path);
	reader->base.size = st.st_size;
	reader->base.etag = MemoryContextStrdup(context, etag_of(&st));
	return &reader->base;
}

static Size
read_bytes(LinkReader *base, void *to, Size size)
{
	MemoryReader *reader = (MemoryReader *) base;
	ssize_t		got;

	CHECK_FOR_INTERRUPTS();
	size = Min(size, (Size) reader->remaining);
	if (size == 0)
		return 0;
	got = read(reader->fd, to, size);
	if (got <= 0)
		fail(base->session, "read", base->path, got < 0 ? errno : EIO);
	reader->remaining -= got;
	return got;
}

static void
close_reader(LinkReader *base)
{
	MemoryContextDelete(((MemoryReader *) base)->context);
}

static LinkWriter *
open_writer(LinkSession *session, const char *path, bool overwrite)
{
	MemoryContext context = AllocSetContextCreate(session->context, "link MEMORY writer", ALLOCSET_SMALL_SIZES);
	MemoryWriter *writer = MemoryContextAllocZero(context, sizeof(MemoryWriter));
	uint8		random[8];
	char	   *file;

	authenticate(session);
	writer->base.session = session;
	writer->base.path = MemoryContextStrdup(context, path);
	writer->base.overwrite = overwrite;
	writer->base.context = context;
	own(context, &writer->callback, &writer->fd);
	if (!overwrite && access(file_of(session, "write", path, NULL), F_OK) == 0)
		already_exists(session, path);
	if (!pg_strong_random(random, sizeof(random)))
		elog(ERROR, "no random bytes");
	strcpy(writer->new, ".new-");
	link_hex_encode(random, sizeof(random), writer->new + 5);
	file = file_of(session, "write", path, writer->new);
	if (!AcquireExternalFD())
		fail(session, "write", path, EMFILE);

	/* on record before it is there; from here on nothing throws but as told below */
	PG_TRY();
	{
		link_upload_begin(&writer->base, writer->new);
	}
	PG_CATCH();
	{
		ReleaseExternalFD();
		PG_RE_THROW();
	}
	PG_END_TRY();
	writer->fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (writer->fd < 0)
	{
		int			failure = errno;

		ReleaseExternalFD();
		link_upload_refused(&writer->base);
		fail(session, "write", path, failure);
	}
	return &writer->base;
}

static void
write_bytes(LinkWriter *base, const void *data, Size size)
{
	while (size > 0)
	{
		ssize_t		done = write(((MemoryWriter *) base)->fd, data, size);

		CHECK_FOR_INTERRUPTS();
		if (done <= 0)
			fail(base->session, "write", base->path, done < 0 ? errno : ENOSPC);
		data = (const char *) data + done;
		size -= done;
	}
}

static void
prepare(LinkWriter *base, StringInfo token)
{
	MemoryWriter *writer = (MemoryWriter *) base;

	if (pg_fsync(writer->fd) != 0)
		fail(base->session, "write", base->path, errno);
	close_handle(&writer->fd);
	appendStringInfoString(token, writer->new);
}

/* The name that a token is; false if it is none of ours. */
static bool
new_name(const char *token, Size size, char new[NEW_LENGTH + 1])
{
	if (size != NEW_LENGTH || memcmp(token, ".new-", 5) != 0)
		return false;
	memcpy(new, token, size);
	new[size] = '\0';
	return strspn(new + 5, "0123456789abcdef") == NEW_LENGTH - 5;
}

static char *
publish(LinkSession *session, const char *path, bool overwrite, const char *token, Size token_size)
{
	char		new[NEW_LENGTH + 1];
	char	   *from;
	char	   *to;
	struct stat st;

	if (!new_name(token, token_size, new))
		elog(ERROR, "invalid token of a MEMORY link");
	from = file_of(session, "publish", path, new);
	to = file_of(session, "publish", path, NULL);
	if (stat(from, &st) != 0)
		fail(session, "publish", path, errno);
	if (overwrite)
	{
		if (rename(from, to) != 0)
			fail(session, "publish", path, errno);
	}
	else if (link(from, to) == 0)
		(void) unlink(from);
	else if (errno == EEXIST)
		already_exists(session, path);
	else
		fail(session, "publish", path, errno);
	return etag_of(&st);
}

/* 0 or errno; does not throw */
static int
take_back(LinkSession *session, const char *path, const char *new)
{
	char		file[MAXPGPATH];

	if (!file_name(session, path, new, file))
		return ENAMETOOLONG;
	return unlink(file) == 0 ? 0 : errno;
}

static bool
abort_upload(LinkWriter *base)
{
	MemoryWriter *writer = (MemoryWriter *) base;
	int			failure = take_back(base->session, base->path, writer->new);

	MemoryContextDelete(writer->base.context);
	return failure == 0 || failure == ENOENT;
}

static bool
discard(LinkSession *session, const char *path, const char *token, Size token_size)
{
	char		new[NEW_LENGTH + 1];
	int			failure;

	if (!new_name(token, token_size, new))
		return false;
	failure = take_back(session, path, new);
	return failure == 0 || failure == ENOENT;
}

static LinkReapOutcome
reap(LinkSession *session, LinkReap *reap)
{
	char		new[NEW_LENGTH + 1];
	int			failure;

	if (reap->upload == NULL || !new_name(reap->upload, strlen(reap->upload), new))
	{
		reap->detail = "it names no unfinished file";
		return LINK_REAP_FAILED;
	}
	failure = take_back(session, reap->path, new);
	if (failure == 0)
		return LINK_REAP_ABORTED;
	if (failure == ENOENT)
		return LINK_REAP_NOTHING;
	reap->detail = pstrdup(strerror(failure));
	return LINK_REAP_FAILED;
}

static bool
stat_object(LinkSession *session, const char *path, LinkObject *object)
{
	struct stat st;

	authenticate(session);
	if (stat(file_of(session, "stat", path, NULL), &st) != 0)
	{
		if (errno == ENOENT)
			return false;
		fail(session, "stat", path, errno);
	}
	object->size = st.st_size;
	object->last_modified = time_of(&st);
	object->etag = etag_of(&st);
	return true;
}

static bool
remove_object(LinkSession *session, const char *path, const char *version)
{
	LinkObject	object = {0};

	authenticate(session);
	if (version && !(stat_object(session, path, &object) && strcmp(object.etag, version) == 0))
		return false;
	if (unlink(file_of(session, "remove", path, NULL)) != 0)
		fail(session, "remove", path, errno);
	return true;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False if no name of ours */
static bool
decode(const char *name, StringInfo path)
{
	for (; *name; name++)
	{
		if (*name == '%')
		{
			if (hex_digit(name[1]) < 0 || hex_digit(name[2]) < 0)
				return false;
			appendStringInfoChar(path, (char) (hex_digit(name[1]) * 16 + hex_digit(name[2])));
			name += 2;
		}
		else if (*name == '.')
			return false;
		else
			appendStringInfoChar(path, *name);
	}
	return true;
}

static int
compare(const ListCell *a, const ListCell *b)
{
	return strcmp(((const LinkObject *) lfirst(a))->path, ((const LinkObject *) lfirst(b))->path);
}

static void
list(LinkSession *session, const char *prefix, const char *after, LinkObjectCallback callback, void *arg)
{
	const char *slash = strchr(prefix, '/');
	char	   *bucket;
	char	   *directory;
	List	   *objects = NIL;
	DIR		   *dir;
	struct dirent *entry;
	ListCell   *cell;

	authenticate(session);
	if (slash == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("a listing needs a bucket and \"/\""),
				 errcontext("link %s", session->link_name)));
	bucket = pnstrdup(prefix, slash - prefix);
	directory = psprintf("%s/%s", ((MemorySession *) session)->directory, bucket);

	/* closed at the end of the (sub)transaction, whatever is thrown */
	dir = AllocateDir(directory);
	if (dir == NULL)
		fail(session, "list", bucket, errno);
	while ((entry = ReadDir(dir, directory)) != NULL)
	{
		StringInfoData path;
		struct stat st;
		LinkObject *object;

		CHECK_FOR_INTERRUPTS();
		initStringInfo(&path);
		appendStringInfo(&path, "%s/", bucket);
		if (!decode(entry->d_name, &path) || strncmp(path.data, prefix, strlen(prefix)) != 0 ||
			stat(psprintf("%s/%s", directory, entry->d_name), &st) != 0)
			continue;
		object = palloc0(sizeof(LinkObject));
		object->path = path.data;
		object->size = st.st_size;
		object->last_modified = time_of(&st);
		object->etag = etag_of(&st);
		objects = lappend(objects, object);
	}
	FreeDir(dir);
	list_sort(objects, compare);
	foreach(cell, objects)
		if (!callback(lfirst(cell), arg))
			break;
}

static const LinkOptionDef options[] = {
	{"password", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET | LINK_OPTION_REQUIRED},
	{"directory", LINK_CONFIG, LINK_OPTION_DIRECTORY, LINK_OPTION_AMBIENT | LINK_OPTION_REQUIRED | LINK_OPTION_ORIGIN},
	{NULL}
};

static const LinkProviderOps ops = {
	.session_size = sizeof(MemorySession),
	.start = start,
	.connect = connect_directory,
	.authenticate = authenticate,
	.open_reader = open_reader,
	.read = read_bytes,
	.close_reader = close_reader,
	.open_writer = open_writer,
	.write = write_bytes,
	.prepare = prepare,
	.publish = publish,
	.abort = abort_upload,
	.discard = discard,
	.remove = remove_object,
	.list = list,
	.stat = stat_object,
	.refresh = refresh,
	.reap = reap,
};

const LinkProvider link_memory_provider = {
	.type = "MEMORY",
	.path_syntax = "bucket/key",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_CAN_REMOVE,
	.options = options,
	.ops = &ops,
};
