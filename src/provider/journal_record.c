/*-------------------------------------------------------------------------
 *
 * journal_record.c
 *	  What is in a record of the journal.
 *
 * A record is lines of "key=value", in the order in which link_record_format()
 * writes them.  It gets its name by rename(2) when it is on disk, so a file of that form
 * of name is whole but for its last line, the upload's, which is appended when
 * the provider has answered: one that lacks its newline was never finished.
 *
 * A copy of the data directory (base backup, standby, clone of a disk) holds
 * copies of records whose owners have no lock there, while their uploads may be
 * going on at the original.  The system identifier alone does not tell these apart.  So a record
 * holds the host, the data directory and the number of its own inode too, and
 * where any of them differs it is another server's and left alone.  A data
 * directory that moves takes that lot: it is the safe mistake.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "miscadmin.h"

#include "bounds.h"
#include "http/sigv4.h"
#include "provider/journal_record.h"
#include "provider/provider.h"

/* Another form of record is another number; what we do not know we leave alone. */
#define VERSION "1"

/* A path and a data directory of 1 kB each at most, an upload of 4, a host, numbers. */
#define MAX_RECORD 8192

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

void
link_record_format(StringInfo out, const LinkRecord *record, ino_t inode)
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
	char		text[MAX_RECORD + 2];
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

	/* there may be thousands of records, of which few are long */
	return memchr(text, '\0', len) == NULL ? pnstrdup(text, len) : NULL;
}

void
link_record_read(int fd, const char *name, LinkRecord *record)
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
