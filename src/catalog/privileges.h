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

/* As link_lookup_name, but NULL when a caller who may know finds no link. */
extern LinkRow *link_lookup_missing_ok(const LinkName *name, LinkAcl needed);

/* Throws 42501 unless the current user still holds 'needed' on the link. */
extern void link_acl_require(const LinkRow *row, LinkAcl needed);

#endif							/* LINK_PRIVILEGES_H */
