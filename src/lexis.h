/*-------------------------------------------------------------------------
 *
 * lexis.h
 *	  SQL's lexical rules, as far as they tell where something ends.
 *
 * All of it takes a text that ends with a NUL, at a place where a token, space or
 * a comment begins.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_LEXIS_H
#define LINK_LEXIS_H

#include "postgres.h"

/* Of a word without quotes: its first byte, and the others. */
extern bool link_sql_begins_word(char c);
extern bool link_sql_continues_word(char c);

/* Are the bytes from 'from' to 'to' this word, in any case? */
extern bool link_sql_is_word(const char *from, const char *to, const char *word);

extern bool link_sql_is_space(const char *p);
extern bool link_sql_is_comment(const char *p);

/* The newline, or the end of the text. */
extern const char *link_sql_line_end(const char *p);

/* End of the token (or space, or comment) at 'p'; NULL if the text ends within it. */
extern const char *link_sql_token_end(const char *p);

/*
 * Where the clause at 'p' ends: at the first semicolon, or of these words
 * (NULL-terminated), that is in no parenthesis, or with the text.
 */
extern const char *link_sql_clause_end(const char *p, const char *const *stops);

#endif							/* LINK_LEXIS_H */
