/*-------------------------------------------------------------------------
 *
 * links.h
 *	  Rows of link.link: found by index scan, written below the executor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_LINKS_H
#define LINK_LINKS_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"

#include "catalog/options.h"

struct LinkProvider;

/*
 * One row.  All memory belongs to the context that was current at the lookup;
 * no secret is in it (credentials are sealed).
 */
typedef struct LinkRow
{
	int64		id;
	char	   *namespace;
	char	   *name;			/* as typed at creation */
	const struct LinkProvider *provider;	/* its type's data row; NULL if unknown here */
	char	   *type;			/* upper case */
	Oid			owner;
	char	   *description;	/* or NULL */
	char	   *config;			/* JSON text; "{}" if none */
	bytea	   *credentials;	/* sealed; NULL if the link has none */
	char	  **credential_keys;	/* names only */
	int			n_credential_keys;
	TimestampTz created_at;
	TimestampTz altered_at;
	TimestampTz credentials_changed_at; /* 0 if never given */
	ItemPointerData tid;		/* for the writer only */
	uint64		version;		/* differs between any two versions of the row */
	uint32		demanded;		/* rights (LinkAcl) that the lookup has checked; 0: none */
} LinkRow;

/* A name as a user types it: [schema.]name. */
typedef struct LinkName
{
	char	   *namespace;		/* NULL if not given */
	char	   *name;			/* as typed, at most 63 bytes */
} LinkName;

/*
 * Parse 'schema.name' text (SQL 1): the schema part by SQL's identifier rules,
 * the link's own name as typed, quoted or not.  22023 / 42602 on bad names,
 * 42622 when longer than 63 bytes.
 */
extern LinkName link_parse_name(const char *text);

/* schema.name, quoted where needed, for messages and answers. */
extern char *link_qualified_name(const LinkRow *row);

/* The form that names are compared in: ASCII letters in lower case; palloc'd. */
extern char *link_fold_name(const char *name);

/*
 * Throws for a name that no link can have: 42622 too long, 42602 control
 * characters.  link_parse_name() has done it.
 */
extern void link_check_name(const LinkName *name);

/* The same for names without a schema, of pipelines: 'what' is for messages. */
extern char *link_parse_plain_name(const char *what, const char *text);
extern void link_check_plain_name(const char *what, const char *name);

/* The tuple's columns, copied into the current memory context. */
extern LinkRow *link_row_from_tuple(HeapTuple tuple, TupleDesc desc);

/*
 * All links, those of a schema (namespace given) or of an owner, in order of
 * creation.  List of LinkRow *.  No rights are checked.
 */
extern List *link_rows(const char *namespace, Oid owner);

/* NULL if there is none.  No rights are checked. */
extern LinkRow *link_row_by_id(int64 id);
extern LinkRow *link_row_by_name(const char *namespace, const char *name);

#endif							/* LINK_LINKS_H */
