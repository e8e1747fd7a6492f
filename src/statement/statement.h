/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  The statement language of link.execute: what the parser gives, and what
 *	  its parts share.
 *
 *	query.c			where the query of SELECT ... INTO LINK ends
 *	link_scanner.l	tokens, and errors in them
 *	link_gram.y		the grammar: what all statements share
 *	grammar/		... and the rules of each kind of them
 *	parse.[ch]		link_parse_statement(); what scanner and grammar share
 *	execute.c		link_fn_execute(): runs a LinkStatement
 *
 * The parser reads no catalog, except that a schema or link name is checked for
 * its form.  No error of it holds a string of the statement, and of a statement
 * that may hold credentials no word either but our own keywords.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_STATEMENT_H
#define LINK_STATEMENT_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

#include "catalog/ddl.h"
#include "catalog/links.h"
#include "pipeline/clauses.h"
#include "pipeline/ddl.h"

typedef enum LinkStatementKind
{
	LINK_STMT_CREATE,
	LINK_STMT_ALTER,
	LINK_STMT_RENAME,
	LINK_STMT_SET_SCHEMA,
	LINK_STMT_SET_OWNER,
	LINK_STMT_DROP,
	LINK_STMT_GRANT,
	LINK_STMT_REVOKE,
	LINK_STMT_SHOW_LINKS,
	LINK_STMT_SHOW_CREATE,
	LINK_STMT_SHOW_GRANTS,
	LINK_STMT_CHECK,
	LINK_STMT_LIST,
	LINK_STMT_USE,
	LINK_STMT_EXPORT,
	LINK_STMT_LOAD,
	LINK_STMT_CREATE_PIPELINE,
	LINK_STMT_ALTER_PIPELINE,
	LINK_STMT_RENAME_PIPELINE,
	LINK_STMT_SET_PIPELINE_OWNER,
	LINK_STMT_SET_PIPELINE_OFFSETS,
	LINK_STMT_DROP_PIPELINE_FILE,
	LINK_STMT_DROP_PIPELINE_PARTITION,
	LINK_STMT_DROP_ORPHAN_FILES,
	LINK_STMT_CLEAR_PIPELINE_ERRORS,
	LINK_STMT_DROP_PIPELINE,
	LINK_STMT_START_PIPELINE,
	LINK_STMT_STOP_PIPELINE,
	LINK_STMT_TEST_PIPELINE,
	LINK_STMT_SHOW_PIPELINES,
	LINK_STMT_SHOW_CREATE_PIPELINE,
	LINK_STMT_BACKUP,
	LINK_STMT_RESTORE
} LinkStatementKind;

/* An identifier as typed; one without quotes means its lower case, except as a link's own name. */
typedef struct LinkWord
{
	char	   *text;
	bool		quoted;
} LinkWord;

/* ON ... of GRANT and REVOKE. */
typedef struct LinkStatementScope
{
	bool		current_schema; /* ON * */
	const char *namespace;		/* schema.*; NULL otherwise */
	bool		on_link;		/* LINK ...: in 'link' of the statement */
} LinkStatementScope;

/*
 * The clauses of SELECT ... INTO LINK and LOAD DATA are a list of DefElem, each
 * name at most once.  Strings of the format clauses have their escapes resolved.
 * ENCLOSED BY with defnamespace "OPTIONALLY" had that word before it.
 */
#define LINK_CLAUSE_TERMINATED		"FIELDS TERMINATED BY"	/* String */
#define LINK_CLAUSE_ENCLOSED		"ENCLOSED BY"	/* String */
#define LINK_CLAUSE_ESCAPED			"ESCAPED BY"	/* String */
#define LINK_CLAUSE_LINE_START		"LINES STARTING BY" /* String */
#define LINK_CLAUSE_LINE_END		"LINES TERMINATED BY"	/* String */
#define LINK_CLAUSE_FORMAT			"FORMAT"	/* String */
#define LINK_CLAUSE_COMPRESSION		"WITH COMPRESSION"	/* String */
#define LINK_CLAUSE_KEY				"KAFKA KEY" /* String */
#define LINK_CLAUSE_IGNORE			"IGNORE"	/* Integer or Float */
#define LINK_CLAUSE_COLUMNS			"list of columns"	/* List of String */
#define LINK_CLAUSE_OPTIONS			"WITH"	/* List of DefElem */

/* Of the statements on pipelines; what a statement has no words for is zero. */
typedef struct LinkPipelineStatement
{
	const char *name;			/* NULL: ALL, of START and STOP */
	const char *text;			/* new name; offsets; path of a file; partition */
	LinkWord	role;			/* OWNER TO */
	bool		conditional;	/* IF EXISTS, IF NOT EXISTS, IF [NOT] RUNNING */
	bool		or_replace;
	bool		force;
	bool		foreground;
	int64		limit;			/* of batches, 0: none; of rows of TEST */
	LinkPipelineSettings settings;

	/* CREATE */
	const char *path;
	bool		procedure;		/* the target is one */
	RangeVar   *target;
	List	   *clauses;		/* as those of LOAD DATA, without columns */
	List	   *fields;			/* of LinkPipelineField */
	const char *set_clause;		/* without their words; or NULL */
	const char *where_clause;
	const char *on_conflict;
} LinkPipelineStatement;

/* BACKUP, RESTORE. */
typedef struct LinkBackupStatement
{
	const char *database;		/* or a schema */
	const char *new_name;		/* RESTORE ... AS; or NULL */
	const char *path;
	bool		differential;
	int64		id;				/* RESTORE: 0 for the newest */
} LinkBackupStatement;

/*
 * 'link' is the link of all statements that have one, CREATE and ALTER
 * included; the rest by kind.
 */
typedef struct LinkStatement
{
	LinkStatementKind kind;
	LinkName	link;
	union
	{
		LinkCreateArgs create;
		LinkAlterArgs alter;
		const char *new_name;	/* RENAME, SET_SCHEMA */
		LinkWord	role;		/* SET_OWNER; SHOW_GRANTS, where text may be NULL */
		struct
		{
			bool		if_exists;
			bool		cascade;
		}			drop;
		struct
		{
			List	   *privileges; /* of char *: words with one space between */
			LinkStatementScope scope;
			List	   *grantees;	/* of LinkWord * */
			bool		grant_option;
			bool		cascade;
		}			grant;		/* GRANT, REVOKE */
		struct
		{
			const char *namespace;	/* NULL: the current schema */
			bool		full;
		}			show;
		const char *path;		/* CHECK, where it may be NULL; LIST */
		const char *schema;		/* USE */
		struct
		{
			const char *query;	/* EXPORT */
			int			query_offset;	/* in bytes, within the statement */
			RangeVar   *table;	/* LOAD */
			const char *path;
			List	   *clauses;
		}			transfer;
		LinkPipelineStatement pipeline;
		LinkBackupStatement backup;
	}			u;
} LinkStatement;

/*
 * Parse one statement; the result is in the current memory context and may
 * point into 'text'.  Throws 42601, 42622 or 42602 for what is malformed.
 */
extern LinkStatement *link_parse_statement(const char *text);

/*
 * Argument of ereport(): where in the statement, which came to us as a value,
 * an error is.  'offset' is in bytes.  The text goes along unless it may hold
 * credentials.
 */
extern int	link_statement_errposition(const char *text, int offset);

/* ---- query.c ---- */

/* Offset of the first thing that is neither space nor comment. */
extern int	link_query_start(const char *text);

/* Does a query begin here, and no statement of ours? */
extern bool link_query_begins(const char *text);

/* Offset of the INTO of the last INTO LINK that belongs to no parenthesis.  Throws 42601. */
extern int	link_query_end(const char *text, int start);

#endif							/* LINK_STATEMENT_H */
