/*-------------------------------------------------------------------------
 *
 * use.h
 *	  What is kept of every use of a link: a line in the server log, as
 *	  link.log_use asks for (SECURITY 33), and its statistics (stats.h).
 *
 * A verb wraps all that it does, with its own error handling inside, and is not
 * left by return or goto:
 *
 *		LINK_USE_BEGIN(LINK_VERB_READ_FILE, path);
 *		{
 *			whole = read_whole(link, path);
 *		}
 *		LINK_USE_END();
 *
 * Which link it is tells the lookup of privileges.h, before it refuses, so that
 * refusals count; a use that meets no link leaves nothing.  Uses may nest (a
 * load whose trigger loads); each has its own figures.  An error is rethrown as
 * it was.  What is kept says what the use did: a ROLLBACK afterwards does not
 * take it back.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_USE_H
#define LINK_USE_H

#include "postgres.h"

#include "portability/instr_time.h"

#include "catalog/links.h"
#include "http/count.h"

/* Named as the SQL functions are, in the log too. */
typedef enum LinkVerb
{
	LINK_VERB_CREATE_LINK,
	LINK_VERB_ALTER_LINK,
	LINK_VERB_RENAME_LINK,
	LINK_VERB_SET_LINK_SCHEMA,
	LINK_VERB_SET_LINK_OWNER,
	LINK_VERB_DROP_LINK,
	LINK_VERB_CREATE_PIPELINE,
	LINK_VERB_ALTER_PIPELINE,
	LINK_VERB_DROP_PIPELINE,
	LINK_VERB_START_PIPELINE,
	LINK_VERB_STOP_PIPELINE,
	LINK_VERB_GRANT_PRIVILEGE,
	LINK_VERB_REVOKE_PRIVILEGE,
	LINK_VERB_ADD_MASTER_KEY,
	LINK_VERB_RETIRE_MASTER_KEY,
	LINK_VERB_RESEAL,
	LINK_VERB_SELECT_INTO,
	LINK_VERB_BACKUP,
	LINK_VERB_RESTORE,
	LINK_VERB_DROP_BACKUP,
	LINK_VERB_WRITE_FILE,
	LINK_VERB_REMOVE_FILE,
	LINK_VERB_ABORT_UPLOADS,
	LINK_VERB_CHECK_LINK_PATH,
	LINK_VERB_CHECK_LINK,
	LINK_VERB_TEST_PIPELINE,
	LINK_VERB_LOAD_DATA,
	LINK_VERB_SELECT_FROM,
	LINK_VERB_VERIFY_BACKUP,
	LINK_VERB_LIST_BACKUPS,
	LINK_VERB_READ_FILE,
	LINK_VERB_LIST_FILES
} LinkVerb;

/* For use.c alone, but the macros below put it on the verb's stack. */
typedef struct LinkUse
{
	struct LinkUse *outer;		/* within which this one runs, or NULL */
	LinkHttpCounts outer_counts;
	MemoryContext context;		/* of the texts */
	LinkVerb	verb;
	const char *path;			/* or NULL */
	instr_time	start;
	int64		link_id;		/* 0: none, or none yet */
	char	   *link;			/* NULL: nothing is kept */
	char	   *role;			/* NULL: nothing is logged */
	char	   *session_role;
	char	   *detail;			/* or NULL */
	uint64		rows;
	uint64		bytes;
	int			sqlstate;		/* of an error that does not end it; 0: none */
	char	   *message;
} LinkUse;

extern void link_use_begin(LinkUse *use, LinkVerb verb, const char *path);
extern void link_use_end(LinkUse *use);

/* For PG_CATCH. */
extern void link_use_fail(LinkUse *use);

#define LINK_USE_BEGIN(verb, path) \
	do { \
		LinkUse		use_; \
		link_use_begin(&use_, verb, path); \
		PG_TRY()

#define LINK_USE_END() \
		PG_CATCH(); \
		{ \
			link_use_fail(&use_); \
			PG_RE_THROW(); \
		} \
		PG_END_TRY(); \
		link_use_end(&use_); \
	} while (0)

/*
 * The rest is about the innermost use that runs, and does nothing where there
 * is none.
 */

/* It is a use of this link, unless it is known already of which. */
extern void link_use_found(const LinkRow *row);

/* The same for what is no link, or none yet: "schema.name", "schema.*". */
extern void link_use_found_name(const char *name);

/* What a change consists of, for the log: names, never values. */
extern void link_use_detail(const char *format,...) pg_attribute_printf(1, 2);

/* So much more was moved. */
extern void link_use_moved(uint64 rows, uint64 bytes);

/* It counts as failed with this error, which was caught and told otherwise. */
extern void link_use_caught(const ErrorData *error);

#endif							/* LINK_USE_H */
