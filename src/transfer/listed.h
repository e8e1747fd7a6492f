/*-------------------------------------------------------------------------
 *
 * listed.h
 *	  Loading objects that the caller knows, of a link that it has opened.
 *
 * For pipelines: the link was opened as one role, and the current user may be
 * another, whose rights on the table count, in a security-restricted operation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_LISTED_H
#define LINK_LISTED_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "commands/copy.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "provider/provider.h"
#include "transfer/transfer.h"

typedef struct LinkListed
{
	const char *path;			/* that named them, for the codec and messages */
	Oid			target;
	List	   *columns;		/* char *; NIL: all */
	List	   *options;		/* DefElem, see transfer.h */
	int		   *at;				/* set to the number of the object in work */
	uint64	   *line;			/* set to its line, when something fails */
	bool		frozen;			/* as COPY's option freeze */
	bool		as_it_is;		/* COPY's line is that of the object, for whoever shows it */
} LinkListed;

/* 'objects': LinkObject *.  List of LinkObjectResult *. */
extern List *link_import_listed(LinkSession *session, List *objects, const LinkListed *listed);

/*
 * The rows by 'desc' instead, into no table ('target' and 'columns' have no part
 * in it): 'take_rows' reads those of one object with NextCopyFrom and counts them
 * in 'result'.
 */
typedef void (*LinkListedRows) (CopyFromState cstate, LinkObjectResult *result, void *arg);
extern List *link_read_listed(LinkSession *session, List *objects, const LinkListed *listed, TupleDesc desc,
							  LinkListedRows take_rows, void *arg);

/* What BeginCopyFrom takes as a template of rows that are of no relation. */
extern Relation link_template_relation(TupleDesc desc, const char *name);

#endif							/* LINK_LISTED_H */
