/*-------------------------------------------------------------------------
 *
 * load.h
 *	  Every object that a path names, through core's COPY FROM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_LOAD_H
#define LINK_LOAD_H

#include "postgres.h"

#include "commands/copy.h"
#include "nodes/pg_list.h"
#include "parser/parse_node.h"
#include "utils/rel.h"

#include "catalog/links.h"
#include "provider/provider.h"
#include "transfer/options.h"
#include "transfer/transfer.h"

typedef struct LinkLoad
{
	/* for BeginCopyFrom, which checks no rights: the caller did */
	ParseState *pstate;			/* or NULL */
	Relation	rel;
	Node	   *where;			/* transformed, or NULL */
	List	   *columns;		/* of String; NIL for all */
	const LinkTransferOptions *options;
	const CopyFormatOptions *checked;	/* of these, by core */

	/* Take all rows of one object and count them in 'result'. */
	void		(*take_rows) (CopyFromState cstate, LinkObjectResult *result, void *arg);
	void	   *arg;

	int		   *at;				/* set to the number of the object that is in work; or NULL */
	uint64	   *line;			/* set to its line, when something fails; or NULL */
	bool		as_it_is;		/* COPY is given the lines of the object, to show them */
} LinkLoad;

/*
 * One object after the other.  List of LinkObjectResult *, complete, in the
 * current memory context.
 */
extern List *link_load_objects(const LinkRow *row, const char *path, const LinkLoad *load);

/* The same for objects that the caller knows, as LinkObject * (path and size), of a link it has opened. */
extern List *link_load_listed(LinkSession *session, List *objects, const LinkLoad *load);

#endif							/* LINK_LOAD_H */
