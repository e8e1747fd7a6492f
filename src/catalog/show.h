/*-------------------------------------------------------------------------
 *
 * show.h
 *	  What the current user may see of links and privileges: the rows behind
 *	  the views, the SHOW statements and their functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_SHOW_H
#define LINK_SHOW_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "catalog/links.h"
#include "catalog/privileges.h"

/*
 * Links that the current user may VIEW, in order of creation; those of one
 * schema, or of all (namespace NULL).  Links whose schema is gone are shown to
 * superusers only, and only when namespace is NULL.  List of LinkRow *.
 */
extern List *link_visible_rows(const char *namespace);

/*
 * Grants that the current user may see (as information_schema shows grants:
 * grantor or grantee is a role the user has the privileges of, or PUBLIC;
 * superusers see all), or those made to 'role' alone if that is valid.  Grants
 * whose schema, link or grantee is gone are left out.  List of LinkGrant *.
 */
extern List *link_visible_grants(Oid role);

/* The schema a command without one means: the current one; 3F000 if there is none. */
extern char *link_current_schema(void);

#endif							/* LINK_SHOW_H */
