/*-------------------------------------------------------------------------
 *
 * targets.h
 *	  Tables and procedures in our rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_TARGETS_H
#define LINK_TARGETS_H

#include "postgres.h"

/* schema.name, quoted where needed; NULL if there is none. */
extern char *link_table_name(Oid table);

/*
 * Of a procedure that a pipeline can call, by its name as rows have it: schema.name()
 * or schema.name(regclass).  InvalidOid: there is none.  No right on the schema is
 * needed: whoever looks at pipelines looks at those of others too.
 */
extern Oid	link_procedure_named(const char *signature);

#endif							/* LINK_TARGETS_H */
