/*-------------------------------------------------------------------------
 *
 * child.h
 *	  A child process whose output is waited for on the latch.
 *
 * For what takes its time outside of us and cannot be interrupted: a command, or
 * a library that talks to the network by itself.  It has a process group of its
 * own, and nothing of the backend but the environment and a copy of its memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_CHILD_H
#define LINK_CHILD_H

#include "postgres.h"

typedef struct LinkChild LinkChild;

/* Open files that it has besides; -1: none, /dev/null. */
typedef struct LinkChildFiles
{
	int			input;			/* standard input */
	int			messages;		/* standard error */
} LinkChildFiles;

/*
 * Run 'body' in a child that has 'timeout' ms in all; what it returns is its exit
 * status.  It finds standard output going to link_child_read(), the other
 * descriptors closed, or those of 'files', or /dev/null, and signals at their defaults.  It must not
 * throw, palloc, or touch what processes share.
 *
 * The reset of the current memory context kills it with all its children, and so
 * does the death of this process.  'what' is for the error if it cannot start.
 */
extern LinkChild *link_child_start(const char *what, int (*body) (void *arg), void *arg,
								   const LinkChildFiles *files, int timeout, uint32 wait_event);

/*
 * Bytes of its output as soon as there are any; 0 at the end; -1 with errno, which
 * is ETIMEDOUT if the time is up.  Checks for interrupts.
 */
extern ssize_t link_child_read(LinkChild *child, void *to, Size size);

/* Wait for its end: 0 and what waitpid() says, or -1 as above. */
extern int link_child_wait(LinkChild *child, int *status);

#endif							/* LINK_CHILD_H */
