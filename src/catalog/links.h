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

#include "datatype/timestamp.h"
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

/* NULL if there is none.  No rights are checked. */
extern LinkRow *link_row_by_id(int64 id);
extern LinkRow *link_row_by_name(const char *namespace, const char *name);

#endif							/* LINK_LINKS_H */
