/*-------------------------------------------------------------------------
 *
 * answers.h
 *	  A stand-in for the HTTP engine: what an input says is what servers answer.
 *
 * An input is what is done, in its first line, and the answers to the requests
 * that this makes, each behind a line "====": status, headers, an empty line, the
 * body.  There is no answer to any more requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FUZZ_ANSWERS_H
#define FUZZ_ANSWERS_H

#include "compat.h"

#include "http/http.h"
#include "provider/provider.h"

typedef struct FuzzAction
{
	const char *name;			/* as in the first line; NULL ends a list */
	const LinkProvider *provider;
	const char *credentials;	/* JSON */
	const char *config;			/* JSON, or NULL */
	void		(*run) (LinkSession *session);
} FuzzAction;

/* Do what the input says, in a session of the link of that action. */
extern void fuzz_act(const FuzzAction *actions, const char *data, Size size);

/* A LinkObjectCallback: 'arg' is a StringInfo, the path before, empty at first. */
extern bool fuzz_listed(const LinkObject *object, void *arg);

/* What every provider does, by its operations, with an object. */
extern void fuzz_read(LinkSession *session, const char *path);
extern void fuzz_write(LinkSession *session, const char *path, bool overwrite, Size size);
extern void fuzz_look(LinkSession *session, const char *path);

#endif							/* FUZZ_ANSWERS_H */
