/*-------------------------------------------------------------------------
 *
 * ddl_internal.h
 *	  What the commands of ddl.h have in common.
 *
 *	ddl.c		   CREATE, ALTER: what a link holds
 *	ddl_identity.c its name, schema and owner; DROP
 *	ddl_grant.c	   GRANT, REVOKE
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_DDL_INTERNAL_H
#define LINK_DDL_INTERNAL_H

#include "compat.h"

#include "catalog/links.h"
#include "catalog/privileges.h"

/*
 * Keep the schema from being dropped until the transaction ends.  3F000 if it
 * does not exist, 42939 if it is one of those that hold no links.
 */
extern void link_lock_schema(const char *namespace);

/* 42501: no CREATE LINK in that schema. */
LINK_NORETURN extern void link_refuse_create(const char *namespace);

/* 42710 */
LINK_NORETURN extern void link_refuse_duplicate(const char *namespace, const char *name);

/* Find a link, lock it against other DDL, and read it as it is then. */
extern LinkRow *link_lock_row(const LinkName *name, LinkAcl needed);

/* Change columns of a link's row, altered_at too.  Arrays have LINK_NCOLS elements. */
extern void link_update_row(const LinkRow *row, Datum *values, bool *nulls, bool *replace);

/* True if no link of this database has credentials: then a first key ring may be made. */
extern bool link_nothing_sealed(void);

/* 2BP01 if pipelines depend on the link: their names in the detail. */
extern void link_refuse_pipelines(const LinkRow *row);

/* Remove pipelines, with a NOTICE for each.  List of LinkPipeline *. */
extern void link_remove_pipelines(List *pipelines);

/* Remove a link, its grants and pipelines, and the anchors that held only it: a DROP LINK of its own in the log. */
extern void link_remove_row(const LinkRow *row);

/* Remove rows of link.privilege, then release the anchors of their roles.  List of LinkGrant *. */
extern void link_remove_grants(List *grants);

/* Grants on the link that the old owner made are the new owner's from now on. */
extern void link_change_grantor(int64 link_id, Oid old_owner, Oid new_owner);

extern void link_set_grantable(const LinkGrant *grant, bool grantable);
extern void link_set_grant_schema(const LinkGrant *grant, const char *namespace);

/* Remove every row that names the role, and what depends on these. */
extern void link_revoke_all(Oid role);

#endif							/* LINK_DDL_INTERNAL_H */
