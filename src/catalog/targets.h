/*-------------------------------------------------------------------------
 *
 * targets.h
 *	  Tables in our rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_TARGETS_H
#define LINK_TARGETS_H

#include "postgres.h"

/* schema.name, quoted where needed; NULL if there is none. */
extern char *link_table_name(Oid table);

#endif							/* LINK_TARGETS_H */
