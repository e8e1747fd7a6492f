/*-------------------------------------------------------------------------
 *
 * parse.h
 *	  What scanner, grammar and parse.c share, and nobody else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PARSE_H
#define LINK_PARSE_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"

#include "statement/statement.h"

union LINK_YYSTYPE;

#ifndef YY_TYPEDEF_YY_SCANNER_T
#define YY_TYPEDEF_YY_SCANNER_T
typedef void *yyscan_t;
#endif

extern int	link_yylex(union LINK_YYSTYPE *yylval_param, int *yylloc_param, yyscan_t yyscanner);

/* ---- link_scanner.l ---- */

/* Tokens: 'first' (which the text does not hold), then those from 'offset' on. */
extern yyscan_t link_scanner_begin(const char *text, int offset, int first);
extern void link_scanner_end(yyscan_t yyscanner);

/* As link_statement_errposition, for a location of the grammar. */
extern int	link_scanner_errposition(yyscan_t yyscanner, int location);

/*
 * Throws 42601 for the token at 'location'.  'expected' are keywords that could
 * stand there (NULL-terminated), to suggest the nearest from.
 */
extern void link_scanner_syntax_error(yyscan_t yyscanner, int location,
									  const char *const *expected);

/* Is the word of that length one of the grammar's keywords?  Gives its token, or 0. */
extern int	link_scanner_keyword(const char *word, int len);

/*
 * The next token is SQL_CLAUSE: text up to a semicolon, or one of these words
 * (NULL-terminated, static) that is in no parenthesis, by the rules of SQL.  Before
 * the parser looks ahead.
 */
extern void link_scanner_take_clause(yyscan_t yyscanner, const char *const *stops);

/* ---- parse.c: what actions of the grammar call ---- */

/* What ends a clause in SQL: see link_scanner_take_clause(). */
extern const char *const link_until_where[];
extern const char *const link_until_on[];
extern const char *const link_until_end[];

extern LinkStatement *link_make_statement(LinkStatementKind kind, const LinkName *link);
extern LinkStatement *link_make_pipeline(LinkStatementKind kind, const char *name, const char *text);

/* 'name' is that of the clause, in any case. */
extern LinkPipelineSettings *link_make_setting(const char *name, int64 value);
extern DefElem *link_string_clause(const char *name, char *value, int location);
extern Node *link_make_number(char *digits);

/* By SQL's rules for identifiers; 42601 and 42622 for what can be none. */
extern char *link_fold_word(const LinkWord *word);
extern void link_check_identifier(const LinkWord *word, int location, yyscan_t yyscanner);

/* The escapes of format clauses. */
extern char *link_unescape(const char *string, int location, yyscan_t yyscanner);

/* Each of these throws 42601 for what was there before; 'name' is for the message. */
extern void link_refuse_repeated(const char *name, int location, yyscan_t yyscanner);
extern void link_set_once(const char **clause, const char *value, const char *name,
						  int location, yyscan_t yyscanner);
extern LinkAlterArgs *link_merge_alter(LinkAlterArgs *args, const LinkAlterArgs *more,
									   int location, yyscan_t yyscanner);
extern List *link_add_clause(List *clauses, DefElem *clause, yyscan_t yyscanner);
extern List *link_add_clauses(List *clauses, List *more, yyscan_t yyscanner);

extern LinkPipelineSettings *link_merge_settings(LinkPipelineSettings *settings, const LinkPipelineSettings *more,
												 int location, yyscan_t yyscanner);

/* 22003 for what no int64 holds. */
extern int64 link_make_count(const char *digits, int location, yyscan_t yyscanner);

extern LinkPipelineField *link_make_field(const LinkWord *word, bool variable, List *path,
										  int location, yyscan_t yyscanner);

/* What is understood, and refused; these always throw. */
extern void link_refuse_duplicate_key(int location, yyscan_t yyscanner);
extern void link_refuse_host(int location, yyscan_t yyscanner);
extern void link_refuse_account(const char *clause);
extern void link_refuse_scope(int location, yyscan_t yyscanner);

#endif							/* LINK_PARSE_H */
