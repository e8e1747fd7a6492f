/*-------------------------------------------------------------------------
 *
 * roles.h
 *	  Roles in our rows, and the anchor that keeps them from being dropped.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_ROLES_H
#define LINK_ROLES_H

#include "postgres.h"

/* Name for messages and answers: quoted where needed, "PUBLIC", or "unknown (n)". */
extern char *link_role_name(Oid role);

/* True if the role exists now. */
extern bool link_role_exists(Oid role);

/*
 * Give the role its privilege on link.role_anchor, so that core refuses to drop
 * it.  Call it before a row that names the role is written.  Nothing for PUBLIC
 * and for roles that do not exist.
 */
extern void link_anchor_add(Oid role);

/* Take it away if no row names the role any more. */
extern void link_anchor_release(Oid role);

/*
 * The same after DROP OWNED, which has taken the privilege away but (before 17)
 * left its record in pg_init_privs.
 */
extern void link_anchor_forget(Oid role);

#endif							/* LINK_ROLES_H */
