/*-------------------------------------------------------------------------
 *
 * ddl.h
 *	  The commands on links and privileges, as both the SQL functions and
 *	  link.execute call them.  Every one checks its rights itself, for the
 *	  current user, takes the link's lock, and writes below the executor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_DDL_H
#define LINK_DDL_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "catalog/links.h"
#include "catalog/privileges.h"

typedef struct LinkCreateArgs
{
	LinkName	name;
	const char *type;
	const char *credentials;	/* JSON text or NULL */
	const char *config;			/* JSON text or NULL */
	const char *description;	/* or NULL */
	bool		or_replace;
	bool		if_not_exists;
	bool		validate;		/* connect and authenticate before storing */
} LinkCreateArgs;

extern void link_create(const LinkCreateArgs *args);

/* One clause's change: the whole object, or one key. */
typedef struct LinkClauseChange
{
	bool		given;
	const char *json;			/* whole clause, or NULL */
	const char *key;			/* one key, or NULL */
	const char *value;			/* of the key; NULL removes it */
} LinkClauseChange;

typedef struct LinkAlterArgs
{
	LinkName	name;
	LinkClauseChange credentials;
	LinkClauseChange config;
	bool		description_given;
	const char *description;
} LinkAlterArgs;

extern void link_alter(const LinkAlterArgs *args);
extern void link_rename(const LinkName *name, const char *new_name);
extern void link_set_schema(const LinkName *name, const char *schema);
extern void link_set_owner(const LinkName *name, Oid role);
extern void link_drop(const LinkName *name, bool if_exists, bool cascade);
extern void link_reassign_owned(List *old_roles, Oid new_role);	/* list of Oid */

/* A statement that makes the link again, credential values <redacted>.  Needs VIEW. */
extern char *link_show_create(const LinkName *name);

/*
 * Where a privilege holds: the database (all false/NULL), a schema, or a link.
 */
typedef struct LinkScope
{
	const char *namespace;		/* schema.*; NULL otherwise */
	const LinkName *link;		/* LINK schema.name; NULL otherwise */
} LinkScope;

/*
 * 'privileges' is a list of char *: names of SQL 2 with or without the word
 * LINK, any case, or ALL [PRIVILEGES].  'grantees' is a list of Oid, InvalidOid
 * for PUBLIC.
 */
extern void link_grant(List *privileges, const LinkScope *scope, List *grantees,
					   bool grant_option);
extern void link_revoke(List *privileges, const LinkScope *scope, List *grantees,
						bool grant_option_only, bool cascade);

/* Scope text of the functions: '*.*', 'schema.*', 'LINK schema.name'. */
extern LinkScope *link_parse_scope(const char *text);

/* A schema's name as typed in text, by SQL's identifier rules. */
extern char *link_parse_schema(const char *text);

/* Comma-separated privileges of the functions, as a list of char *. */
extern List *link_parse_privileges(const char *text);

/* Oid of a role name as typed in text ("PUBLIC" in any case: InvalidOid). */
extern Oid	link_parse_role(const char *text);

#endif							/* LINK_DDL_H */
