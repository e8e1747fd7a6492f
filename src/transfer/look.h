/*-------------------------------------------------------------------------
 *
 * look.h
 *	  Looking at what a link leads to, without moving rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_LOOK_H
#define LINK_LOOK_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "catalog/links.h"

/* One step of CHECK LINK. */
typedef struct LinkCheckStep
{
	const char *step;			/* "connect" */
	bool		ok;
	double		elapsed_ms;
	char	   *detail;			/* what was found, or the error's message */
} LinkCheckStep;

/*
 * Resolve, connect, authenticate; with a path also list, write, read and delete
 * a probe object below it.  Ends with the first step that fails.  Needs READ,
 * with a path WRITE too.  List of LinkCheckStep *.
 */
extern List *link_check(const LinkName *name, const char *path);

/* What 'path' (a glob, or any prefix) names, ordered by path: List of LinkObject *.  Needs READ. */
extern List *link_list_objects(const LinkName *name, const char *path);

/* 58P01 if it is not there.  Needs WRITE. */
extern void link_remove_object(const LinkName *name, const char *path);

#endif							/* LINK_LOOK_H */
