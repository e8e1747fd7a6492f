/*-------------------------------------------------------------------------
 *
 * execute.h
 *	  What the files that run statements share.
 *
 *	execute.c			  links, privileges, transfers
 *	execute_pipelines.c	  pipelines
 *	execute_backup.c	  backups
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_EXECUTE_H
#define LINK_EXECUTE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "statement/statement.h"

/* Lines of the answer, as char *. */
extern List *link_one_line(const char *line);

/* 42704 for a role that does not exist. */
extern Oid	link_role_of_word(const LinkWord *role);

/* Clauses of a statement as options of transfer.h. */
extern List *link_clause_options(List *clauses, bool export);

extern List *link_run_pipeline_statement(const LinkStatement *statement);
extern List *link_run_backup_statement(const LinkStatement *statement);

#endif							/* LINK_EXECUTE_H */
