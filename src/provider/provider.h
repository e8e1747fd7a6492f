/*-------------------------------------------------------------------------
 *
 * provider.h
 *	  The contract between the commands and the data providers.
 *
 * A provider is a const row of data (LinkProvider), present in every build, and
 * a struct of operations (LinkProviderOps), NULL when not in this build.
 * Adding one: a folder, and one line in provider.c.
 *
 * Callers never call an operation directly but through the link_open,
 * link_read ... wrappers below, which check paths (SECURITY 27), path_prefixes,
 * append_only and suffixes, and assert the order of calls.  A provider knows
 * neither formats nor rights.
 *
 * Memory and handles: open() allocates its session in the current memory
 * context, and every outside handle is owned by a reset callback of it, which
 * frees local things only and never touches the network (INTERNALS A7).
 * Readers and writers belong to their session.
 *
 * Errors: operations throw (DESIGN 7) with the provider's own code and words,
 * printable and scrubbed; abort and discard never throw, never wait longer than
 * LINK_ABORT_TIMEOUT in all, and never check for interrupts.
 *
 * Uploads: before a driver makes something at the provider that would stay if
 * the backend were killed, it calls link_upload_begin(), which puts it on record
 * (journal.h).  The wrappers do the rest: the record goes when the upload is
 * published or taken back, and what stays behind is reaped later.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PROVIDER_H
#define LINK_PROVIDER_H

#include "postgres.h"

#include <time.h>

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "catalog/links.h"
#include "catalog/options.h"

/* ms that all aborts of one statement may take together (INTERNALS A7) */
#define LINK_ABORT_TIMEOUT 2000

/* The same for the uploads of others that a statement takes back by the way, and how many. */
#define LINK_REAP_TIMEOUT 2000
#define LINK_REAP_AT_ONCE 4

/*
 * A range up to this size arrives without being read: begin_reader() has memory
 * for all of it, so its connection is not kept waiting.
 */
#define LINK_PIECE_SIZE (INT64CONST(8) * 1024 * 1024)

/* LinkProvider.features */
#define LINK_CAN_READ		(1 << 0)
#define LINK_CAN_WRITE		(1 << 1)
#define LINK_CAN_LIST		(1 << 2)
#define LINK_CAN_REMOVE		(1 << 3)
#define LINK_IS_STREAM		(1 << 4)	/* topics of messages, not objects */
#define LINK_LISTS_BEHIND	(1 << 5)	/* a listing costs what it gives, wherever it begins */

typedef struct LinkProviderOps LinkProviderOps;

/*
 * Milliseconds since some time, right to a few, of a clock that is cheap enough to
 * be read with each row.
 */
static inline int64
link_coarse_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

typedef struct LinkProvider
{
	const char *type;			/* "S3": as shown and stored, upper case */
	const char *path_syntax;	/* "bucket/key", for hints */
	uint32		features;
	const LinkOptionDef *options;	/* besides link_common_options */

	/*
	 * What the table cannot say (keys that exclude or need each other,
	 * directories that must lie below a root).  Objects may be NULL.  Throws.
	 * May be NULL.
	 */
	void		(*validate) (struct json_object *credentials, struct json_object *config);

	const LinkProviderOps *ops; /* NULL: known, not in this build */
} LinkProvider;

/* What link_open() gives; a provider's own struct begins with it. */
typedef struct LinkSession
{
	const LinkProvider *provider;
	int64		link_id;
	char	   *link_name;		/* qualified, for messages */
	uint64		link_version;	/* of the link's row, as of 'options' */
	Oid			owner;			/* of the link: whose rights ambient keys need */
	LinkOptions *options;
	char	   *origin;			/* what the credentials are bound to */
	Oid			user;			/* who opened it */
	uint32		demanded;		/* the rights that 'user' must go on holding */
	int64		checked;		/* link_coarse_ms() of the last look at the row and these rights */
	bool		elsewhere;		/* this is not the link's database */
	bool		reaped;			/* it has looked for uploads that others left behind */
	struct LinkMessages *messages;	/* of streams: where readers write down what they give, see messages.h; or NULL */
	bool		whole_ranges;	/* of streams: a range that is not there from end to end is 58P01 */
	MemoryContext context;		/* holds all of the above and the handles */
} LinkSession;

/* A provider's own reader and writer begin with these. */
typedef struct LinkReader
{
	LinkSession *session;
	char	   *path;
	int64		size;			/* of the whole object if known, else -1 */
	int64		end;			/* set by await_reader: behind the last byte that comes, -1 if unknown */
	char	   *etag;			/* as begin_reader takes it, or NULL */
} LinkReader;

typedef struct LinkWriter
{
	LinkSession *session;
	char	   *path;
	bool		overwrite;
	bool		prepared;
	uint64		written;		/* bytes given to write() so far */
	MemoryContext context;		/* holds the writer: a child of the session's, set by open_writer() */
	struct LinkJournal *journal;	/* record of its upload; NULL: there is none */
} LinkWriter;

typedef struct LinkObject
{
	char	   *path;			/* as a user would name it: bucket and key */
	int64		size;
	TimestampTz last_modified;	/* DT_NOBEGIN if unknown */
	char	   *etag;			/* or NULL */
	const uint8 *sha256;		/* for whoever reads it: what its bytes have to be; NULL: anything */
	uint64		text_bytes;		/* what they come to at most, decompressed; 0: anything */
} LinkObject;

/* What became of an upload whose owner is gone. */
typedef enum LinkReapOutcome
{
	LINK_REAP_ABORTED,			/* it was there, and is no more */
	LINK_REAP_NOTHING,			/* nothing of it is there */
	LINK_REAP_IN_DOUBT,			/* what is there may be somebody else's */
	LINK_REAP_FAILED			/* it may be there still: another time */
} LinkReapOutcome;

/* The upload that an operation is to take back. */
typedef struct LinkReap
{
	const char *path;
	const char *upload;			/* as link_upload_begin() or _known() was given; NULL: never known */
	TimestampTz started;		/* it began neither before this ... */
	TimestampTz latest;			/* ... nor after this, by the clock of this server */
	int			timeout;		/* ms for all of it */

	/*
	 * For uploads that have to be guessed: to be called after the provider was
	 * asked what is there, since whatever another session has begun until then
	 * was on record before.
	 */
	void		(*look) (struct LinkReap *reap);
	List	   *others;			/* char *: uploads known to be those of other records */
	bool		rivals;			/* somebody writes the same path, with an upload not known yet */

	const char *detail;			/* set by the operation: why in doubt or failed */
} LinkReap;

/* Called for each object of a listing; false ends the listing. */
typedef bool (*LinkObjectCallback) (const LinkObject *object, void *arg);

/* A partition of a topic: it has messages from 'earliest' up to, not including, 'latest'. */
typedef struct LinkPartition
{
	int32		number;
	int64		earliest;
	int64		latest;
} LinkPartition;

struct LinkProviderOps
{
	/* ---- required ---- */

	/*
	 * Make a session in CurrentMemoryContext: palloc0 of the provider's struct;
	 * the wrapper fills the LinkSession part before 'start' below is called.
	 */
	Size		session_size;

	/* Read the options, make handles.  No network. */
	void		(*start) (LinkSession *session);

	/*
	 * Prove that the provider can be reached and takes the credentials, by the
	 * cheapest real request.  Two steps so that CHECK LINK can tell them apart.
	 */
	void		(*connect) (LinkSession *session);
	void		(*authenticate) (LinkSession *session);

	/*
	 * Read [offset, offset + length) of an object, length -1 for the rest.
	 * 58P01 if absent.  All bytes come from one version of the object, also
	 * after a resumed transfer (If-Match).
	 */
	LinkReader *(*open_reader) (LinkSession *session, const char *path, int64 offset, int64 length);
	Size		(*read) (LinkReader *reader, void *to, Size size);	/* 0 at the end */
	void		(*close_reader) (LinkReader *reader);

	/*
	 * Write a new object.  Nothing is visible before publish.  With overwrite
	 * false an existing object is 58P02, found at open where that is cheap, and
	 * in any case at publish.
	 */
	LinkWriter *(*open_writer) (LinkSession *session, const char *path, bool overwrite);
	void		(*write) (LinkWriter *writer, const void *data, Size size);

	/*
	 * All bytes are at the provider or in the token; the token is a small
	 * serialisable text or bytes (at most one part plus 1 MB) that publish()
	 * understands, also in another process with a session of the same link.
	 * The writer is finished after it.  (The wrapper appends the name of the
	 * record to the token, and takes it off again.)
	 */
	void		(*prepare) (LinkWriter *writer, StringInfo token);

	/*
	 * Make a prepared object visible, all at once.  Gives what tells this version
	 * of the object from others, as stat() gives its ETag; palloc'd, NULL if it
	 * cannot be told.
	 */
	char	   *(*publish) (LinkSession *session, const char *path, bool overwrite,
							const char *token, Size token_size);

	/*
	 * Undo open_writer..write: one bounded attempt, never throws.  True if
	 * certainly nothing is left nor comes, which cannot be said of an upload whose
	 * id never came, or while the server has not answered to what it was sent.
	 */
	bool		(*abort) (LinkWriter *writer);

	/* Undo a prepare that will not be published, or a publish that failed: likewise. */
	bool		(*discard) (LinkSession *session, const char *path,
							const char *token, Size token_size);

	/*
	 * 'version' NULL: whatever is there; 58P01 if absent.  Else only what publish()
	 * gave this version of, on the provider's own condition where it has one; false
	 * if another object is there, or none.
	 */
	bool		(*remove) (LinkSession *session, const char *path, const char *version);

	/*
	 * Every object whose path begins with 'prefix' and is larger than 'after' (or
	 * NULL: all), ordered by path bytewise, page by page.  Without LINK_LISTS_BEHIND
	 * 'after' is NULL.  A listing that returns a key outside the prefix is 08P01,
	 * a page token that repeats too.
	 */
	void		(*list) (LinkSession *session, const char *prefix, const char *after,
						 LinkObjectCallback callback, void *arg);

	/* False if absent. */
	bool		(*stat) (LinkSession *session, const char *path, LinkObject *object);

	/* ---- optional ---- */

	/*
	 * open_reader() in two: ask, and wait for the answer, so that several objects,
	 * or ranges of one, can be asked for at a time.  What open_reader throws
	 * await_reader does.  'etag' (or NULL) is that of another reader of the object:
	 * XX001 if that version is not there any more, 08P01 if not all of the range
	 * comes.  Without it, a server that knows no ranges may send all of the object
	 * instead of its beginning: see 'end'.
	 */
	LinkReader *(*begin_reader) (LinkSession *session, const char *path, int64 offset, int64 length,
								 const char *etag);
	void		(*await_reader) (LinkReader *reader);

	/* The session ends without an error: keep what the next one of the link can use. */
	void		(*end) (LinkSession *session);

	/* session->options are others now, of the same origin; the old ones stay. */
	void		(*refresh) (LinkSession *session);

	/*
	 * Take back an upload whose owner is gone; the path is checked, all else in
	 * *reap is text from a file.  Never touches an object, nor an upload that
	 * may be another's.  Tries once, and ends within reap->timeout.  Required
	 * where link_upload_begin() is called.
	 */
	LinkReapOutcome (*reap) (LinkSession *session, LinkReap *reap);

	/*
	 * Of streams (LINK_IS_STREAM): one message.  'key' may be NULL.  Nothing of a
	 * statement is visible to readers before publish, if the provider has
	 * transactions.
	 */
	void		(*write_message) (LinkWriter *writer, const char *key, Size key_size,
								  const void *data, Size size);

	/* Of streams: the partitions that a path names, as LinkPartition *.  58P01 if there is no such topic. */
	List	   *(*partitions) (LinkSession *session, const char *path);

	/*
	 * Paths that users may write in another way ("hdfs://host/dir/file") in the
	 * one way that all other operations take.  Throws 42501 for a host that the
	 * link does not name (SECURITY 15).  Called once for each path, first.
	 */
	const char *(*local_path) (LinkSession *session, const char *path);
};

/* ---- the list (provider.c) ---- */

/* By type name, any case; NULL if no build knows it. */
extern const LinkProvider *link_provider_find(const char *type);

/* "S3, AZURE, ..." for messages. */
extern char *link_provider_names(void);

/* The nth, or NULL: for link.status(). */
extern const LinkProvider *link_provider_nth(int n);

/* ---- the wrappers (provider.c) ---- */

/*
 * Open a link for use.  Checks that the provider is in this build (0A000), that
 * ambient keys are honoured (SECURITY 10), unseals the credentials.  Rights
 * were checked by link_lookup().  The session lives in a child of the current
 * memory context, wiped when that is reset.
 */
extern LinkSession *link_open(const LinkRow *row);

/*
 * The same in a session of another database than the link's, for one that has
 * opened it there, and may use it: nothing of it can be looked at again here.
 */
extern LinkSession *link_open_elsewhere(const LinkRow *row);
extern void link_close(LinkSession *session);

extern LinkReader *link_open_reader(LinkSession *session, const char *path, int64 offset, int64 length);

/* Ask, see begin_reader; NULL where asking is waiting.  Nothing is known before link_await_reader(). */
extern LinkReader *link_begin_reader(LinkSession *session, const char *path, int64 offset, int64 length,
									 const char *etag);
extern void link_await_reader(LinkReader *reader);

extern Size link_read(LinkReader *reader, void *to, Size size);
extern void link_close_reader(LinkReader *reader);

/*
 * 'overwrite' of a link with append_only is 42501.
 */
extern LinkWriter *link_open_writer(LinkSession *session, const char *path, bool overwrite);
extern void link_write(LinkWriter *writer, const void *data, Size size);
extern void link_write_message(LinkWriter *writer, const char *key, Size key_size,
							   const void *data, Size size);
extern void link_prepare(LinkWriter *writer, StringInfo token);
extern char *link_publish(LinkSession *session, const char *path, bool overwrite,
						  const char *token, Size token_size);
extern void link_abort(LinkWriter *writer);

/* For PG_CATCH: the one or the other, as far as the writer has come.  'token': as prepare left it. */
extern void link_undo_writer(LinkWriter *writer, const StringInfoData *token);

/* A prepared writer of objects is not needed any more: free it. */
extern void link_close_writer(LinkWriter *writer);
extern void link_discard(LinkSession *session, const char *path, const char *token, Size token_size);

/* The token has been given to the leader of this parallel worker: its upload is the leader's. */
extern void link_hand_over(const char *token, Size token_size);
extern void link_remove(LinkSession *session, const char *path);

/*
 * Remove an object that the same statement has published, append_only or not, unless
 * it is not the one any more that link_publish() gave the version of: then false.
 */
extern bool link_unpublish(LinkSession *session, const char *path, const char *version);
extern bool link_stat(LinkSession *session, const char *path, LinkObject *object);
extern List *link_partitions(LinkSession *session, const char *path);

/*
 * Objects that 'pattern' names, ordered by path: a glob, a prefix that ends in
 * '/', or an exact path (list_files: any prefix when exact is false, the empty
 * one too).  A glob that ends in '/' names all that lies below what it matches.
 * Where path_prefixes allows only a part of what is asked, that part; 42501 if
 * it allows none.  Nothing found is no error: the callback is not called.  Stops
 * with 54000 beyond link.max_objects.  'after' (or NULL): only what is larger, as a
 * callback before was given it.
 */
extern void link_list(LinkSession *session, const char *pattern, bool exact,
					  LinkObjectCallback callback, void *arg);
extern void link_list_behind(LinkSession *session, const char *pattern, bool exact, const char *after,
							 LinkObjectCallback callback, void *arg);

/* ---- uploads (uploads.c) ---- */

/*
 * For drivers: put an upload on record, before the provider is asked for it.
 * 'upload' is what reap() will need to find it, NULL if only the provider's
 * answer tells.  Throws if the record cannot be on disk.
 */
extern void link_upload_begin(LinkWriter *writer, const char *upload);

/* The provider has answered.  Keep the id where abort() finds it first: this may throw. */
extern void link_upload_known(LinkWriter *writer, const char *upload);

/* Nothing came of it, which abort() will not be there to tell. */
extern void link_upload_refused(LinkWriter *writer);

struct LinkRecord;

/*
 * Take back the upload of a record (journal.h) of this session's link, if its
 * owner is gone.  Sets *detail if there is more to say.  Throws nothing but a
 * cancel.  LINK_REAP_FAILED with detail NULL: it is nobody's orphan (any more).
 */
extern LinkReapOutcome link_reap(LinkSession *session, const struct LinkRecord *record,
								 int timeout, const char **detail);

/*
 * Some orphans of the session's link, within LINK_REAP_TIMEOUT; what fails is
 * left for another time.
 */
extern void link_reap_some(LinkSession *session);

/* The same once a session, as its first writer does: before parallel mode, where it cannot be. */
extern void link_reap_first(LinkSession *session);

/* ---- files of the server (server_file.c) ---- */

/*
 * Throws 42501 unless the file of option 'key' lies, after all links are resolved,
 * below a directory of link.file_roots (SECURITY 26); for superusers' links it may
 * lie 'anywhere'.  At CREATE, ALTER and each start of a session.
 */
extern void link_check_server_file(const char *key, const char *file, bool anywhere);

/* ---- paths (path.c) ---- */

/*
 * Throws 22023 for a path that may not be used at all: empty, longer than
 * LINK_MAX_PATH, '.', '..' or empty component, backslash, control byte, invalid
 * encoding (SECURITY 27).  'path' may end in '/' if trailing_slash.
 */
extern void link_path_check(const char *path, bool trailing_slash);

/* Throws 22023 for these too, and 42501 unless the session's link may touch the path (provider.c). */
extern void link_check_path(const LinkSession *session, const char *path);

/* The same question, for the path of an object that others may have named. */
extern bool link_path_usable(const char *path);

/* True if 'path' is or lies below one of the prefixes (list of char *); NIL allows all. */
extern bool link_path_allowed(const char *path, List *prefixes);

/* Does the pattern have a wildcard? */
extern bool link_path_is_glob(const char *pattern);

/* The literal beginning of a glob, up to its first wildcard; palloc'd. */
extern char *link_glob_prefix(const char *pattern);

/*
 * '*' any run but '/', '**' any run, '?' one character but '/', '[a-z]' and
 * '[!a-z]' one character of (not of) the class but '/', '{a,b}' either.  Braces
 * do not nest; nothing escapes, '[*]' stands for a star.  Time is linear in
 * pattern times text.  22023 for a malformed pattern.
 */
extern bool link_glob_match(const char *pattern, const char *path);

#endif							/* LINK_PROVIDER_H */
