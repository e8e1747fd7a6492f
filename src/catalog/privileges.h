/*-------------------------------------------------------------------------
 *
 * privileges.h
 *	  Who may do what with which link: rows of link.privilege.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PRIVILEGES_H
#define LINK_PRIVILEGES_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "catalog/links.h"

/*
 * The atoms.  SHOW is VIEW | READ | WRITE and USE is READ | WRITE (SECURITY 8).
 * ALTER and DROP imply VIEW.
 */
#define LINK_ACL_CREATE		(1 << 0)
#define LINK_ACL_VIEW		(1 << 1)
#define LINK_ACL_READ		(1 << 2)
#define LINK_ACL_WRITE		(1 << 3)
#define LINK_ACL_ALTER		(1 << 4)
#define LINK_ACL_DROP		(1 << 5)
#define LINK_ACL_AMBIENT	(1 << 6)
typedef uint32 LinkAcl;

#define LINK_ACL_USE		(LINK_ACL_READ | LINK_ACL_WRITE)
#define LINK_ACL_SHOW		(LINK_ACL_VIEW | LINK_ACL_USE)
#define LINK_ACL_ON_LINK	(LINK_ACL_SHOW | LINK_ACL_ALTER | LINK_ACL_DROP)

/*
 * The privileges that can be granted: the word, what it lets do, and where it
 * has a meaning.
 */
typedef struct LinkPrivilege
{
	const char *name;			/* "SHOW": as stored; SQL writes "SHOW LINK" */
	LinkAcl		acl;			/* with what it implies */
	bool		on_link;		/* may be granted on one link */
	bool		on_schema;		/* may be granted on a schema */
	bool		in_all;			/* part of ALL */
} LinkPrivilege;

/* By name, any case, with or without the word LINK; NULL if there is none. */
extern const LinkPrivilege *link_privilege_find(const char *name);

/* The list of them; name NULL at its end. */
extern const LinkPrivilege link_privileges[];

/* One row of link.privilege. */
typedef struct LinkGrant
{
	int64		link_id;		/* 0 unless on one link */
	NameData	namespace;		/* empty unless on a schema */
	Oid			grantee;		/* InvalidOid: PUBLIC */
	Oid			grantor;
	const LinkPrivilege *privilege;
	bool		grantable;
	ItemPointerData tid;
} LinkGrant;

/* Rows of exactly one scope, as LinkGrant *; namespace "" and link_id 0 for the database. */
extern List *link_grants_at(int64 link_id, const char *namespace);

/* Every row. */
extern List *link_grants_all(void);

/* "*.*", "schema.*" or "LINK schema.name". */
extern char *link_grant_scope_text(const LinkGrant *grant);

/* "READ LINK, WRITE LINK": the atoms of an acl. */
extern char *link_acl_text(LinkAcl acl);

/*
 * What 'role' holds on a link, with grant options in *grantable if not NULL.
 * Superusers and the owner hold everything.
 */
extern LinkAcl link_acl_on_link(Oid role, const LinkRow *row, LinkAcl *grantable);

/* The same at a scope: a schema, or the whole database (namespace NULL). */
extern LinkAcl link_acl_on_scope(Oid role, const char *namespace, LinkAcl *grantable);

/*
 * Find a link by its name for the current user, who must hold all of 'needed'
 * on it; the way in for every verb.  Unqualified names go along search_path.
 * Throws 42704 or 42501 as SECURITY 11 says.
 */
extern LinkRow *link_lookup(const char *name, LinkAcl needed);

/* The same for a parsed name. */
extern LinkRow *link_lookup_name(const LinkName *name, LinkAcl needed);

/* By id, for callers that were given it by the catalog; throws as for a name. */
extern LinkRow *link_lookup_id(int64 id, LinkAcl needed);

/*
 * Like link_lookup_name, without a demand: NULL if there is no such link, or if
 * the current user holds nothing on it and at its schema's scope or wider.
 * *known is false where the answer must not tell the two apart.
 */
extern LinkRow *link_lookup_quiet(const LinkName *name, bool *known);

/* True if the user owns the link, by membership too, or is a superuser. */
extern bool link_is_owner(Oid role, const LinkRow *row);

/* As link_lookup_name, but NULL when a caller who may know finds no link. */
extern LinkRow *link_lookup_missing_ok(const LinkName *name, LinkAcl needed);

/* Throws 42501 unless the current user still holds 'needed' on the link. */
extern void link_acl_require(const LinkRow *row, LinkAcl needed);

#endif							/* LINK_PRIVILEGES_H */
