/*-------------------------------------------------------------------------
 *
 * backend.h
 *	  What a fuzz target has from the stand-in for the backend.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FUZZ_BACKEND_H
#define FUZZ_BACKEND_H

#include "postgres.h"

/*
 * A dictionary gives this word to the fuzzer for where a secret could stand.
 * While it is hidden, no error may hold it.
 */
#define FUZZ_SECRET "Zq7xVw"

/* ---- what each target defines ---- */

/* Once, before the first input; what it allocates stays. */
extern void fuzz_setup(void);

/* One input.  What it allocates, in a memory context of its own, goes. */
extern void fuzz_one(const char *data, Size size);

/* ---- what it may call ---- */

/* Of the error that was thrown last; NULL for what it has not. */
typedef struct FuzzError
{
	int			sqlstate;
	char	   *message;
	char	   *detail;
	char	   *hint;
	char	   *context;
	char	   *query;
} FuzzError;

extern FuzzError fuzz_error;

/* Call the function; false if it throws. */
extern bool fuzz_try(void (*function) (void *arg), void *arg);

/* From here on, until the end of the input, FUZZ_SECRET is one or is none. */
extern void fuzz_hide(bool hide);

/* Provider text in errors has to be printable, until the end of the input. */
extern void fuzz_demand_printable(void);

/* What must not be: ends the process, for the fuzzer to keep the input. */
extern void fuzz_bug(const char *format,...) pg_attribute_printf(1, 2) pg_attribute_noreturn();

#define fuzz_expect(condition) \
	((condition) ? (void) 0 : fuzz_bug("%s:%d: not so: %s", __FILE__, __LINE__, #condition))

/* A copy that ends at the first zero byte, as all texts of the backend do. */
extern char *fuzz_text(const char *data, Size size);

/*
 * The text up to the separator, cut off from *rest, which is left behind it; all
 * of *rest if there is none.  Both are copies, so that reading on is found out.
 */
extern char *fuzz_cut(char **rest, const char *separator);

/* The database gets an encoding in which the text is valid, UTF-8 if possible. */
extern void fuzz_use_encoding_of(const char *text);

/* Reads every byte of a text, which may be NULL. */
extern void fuzz_touch(const char *text);

/* Answers has_privs_of_role(). */
extern bool fuzz_privileged;

#endif							/* FUZZ_BACKEND_H */
