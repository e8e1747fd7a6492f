/*-------------------------------------------------------------------------
 *
 * errors.h
 *	  SQLSTATEs of the outside world, in one place (DESIGN 7), and the helpers
 *	  that every layer uses to say what went wrong.
 *
 * A user or the outside can cause it: ereport() with one of these or a core
 * code.  Only a bug can cause it: elog().  No message, detail, hint or context
 * of ours ever holds a credential.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_ERRORS_H
#define LINK_ERRORS_H

#include "postgres.h"

/*
 * Errors raised below this point carry our own message domain, by which
 * hygiene.c knows them: their message, detail and hint are kept when those of
 * anybody else are blanked because the statement holds credentials.  Every file
 * that raises errors includes this header after all of core's.
 */
#define LINK_TEXTDOMAIN PG_TEXTDOMAIN("link")
#undef TEXTDOMAIN
#define TEXTDOMAIN LINK_TEXTDOMAIN

#define ERRCODE_LINK_UNDEFINED			ERRCODE_UNDEFINED_OBJECT	/* 42704 */
#define ERRCODE_LINK_DUPLICATE			ERRCODE_DUPLICATE_OBJECT	/* 42710 */
#define ERRCODE_LINK_NO_PRIVILEGE		ERRCODE_INSUFFICIENT_PRIVILEGE	/* 42501 */
#define ERRCODE_LINK_BAD_OPTION			ERRCODE_INVALID_PARAMETER_VALUE /* 22023 */
#define ERRCODE_LINK_NO_OBJECT			ERRCODE_UNDEFINED_FILE	/* 58P01 */
#define ERRCODE_LINK_OBJECT_EXISTS		ERRCODE_DUPLICATE_FILE	/* 58P02 */
#define ERRCODE_LINK_UNREACHABLE		ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION /* 08001 */
#define ERRCODE_LINK_BAD_CREDENTIALS	ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION	/* 08004 */
#define ERRCODE_LINK_PROTOCOL			ERRCODE_PROTOCOL_VIOLATION	/* 08P01 */
#define ERRCODE_LINK_FAILED				ERRCODE_IO_ERROR	/* 58030 */
#define ERRCODE_LINK_CORRUPT			ERRCODE_DATA_CORRUPTED	/* XX001 */
#define ERRCODE_LINK_UNSUPPORTED		ERRCODE_FEATURE_NOT_SUPPORTED	/* 0A000 */

/*
 * Longest text of a provider that may enter an error (SECURITY 20), in bytes
 * after escaping.
 */
#define LINK_MAX_PROVIDER_TEXT 1024

/*
 * A palloc'd copy of text that came from outside, made safe to print: at most
 * LINK_MAX_PROVIDER_TEXT bytes, control bytes and invalid multibyte sequences
 * written as \xNN.  'text' need not be NUL-terminated.  The caller replaces
 * secrets afterwards (link_secrets_scrub).
 */
extern char *link_printable(const char *text, Size len);

/* Raised by us? */
extern bool link_error_is_ours(const ErrorData *error);

/*
 * The nearest of 'names' (NULL-terminated) to 'word' by edit distance, or NULL
 * if none is near enough to be worth a hint.
 */
extern const char *link_closest_match(const char *word, const char *const *names);

/*
 * Run a step whose failure is not that of the statement, in a subtransaction.
 * NULL if it succeeds, else its error, in the current memory context.  A cancel
 * is thrown all the same.  What the step wants to keep belongs to memory that is
 * older than it.  Not in parallel mode.
 */
extern ErrorData *link_attempt(void (*step) (void *arg), void *arg);

#endif							/* LINK_ERRORS_H */
