/*-------------------------------------------------------------------------
 *
 * transfers.y
 *	  Statements that move rows, and the clauses of formats.
 *
 *-------------------------------------------------------------------------
 */

export:
			K_INTO K_LINK link_name string export_clauses
				{
					$$ = link_make_statement(LINK_STMT_EXPORT, &$3);
					$$->u.transfer.path = $4;
					$$->u.transfer.clauses = $5;
				}
		;

load:
			K_LOAD K_DATA K_LINK link_name string K_INTO K_TABLE table_name load_clauses
				{
					$$ = link_make_statement(LINK_STMT_LOAD, &$4);
					$$->u.transfer.path = $5;
					$$->u.transfer.table = $8;
					$$->u.transfer.clauses = $9;
				}
		;

table_name:
			name					{ $$ = makeRangeVar(NULL, $1, @1); }
			| name '.' name			{ $$ = makeRangeVar($1, $3, @1); }
		;

export_clauses:
			%empty
				{ $$ = NIL; }
			| export_clauses format_clause
				{ $$ = link_add_clauses($1, $2, yyscanner); }
			| export_clauses K_KAFKA K_KEY name
				{ $$ = link_add_clause($1, link_string_clause(LINK_CLAUSE_KEY, $4, @2), yyscanner); }
		;

load_clauses:
			%empty
				{ $$ = NIL; }
			| load_clauses format_clause
				{ $$ = link_add_clauses($1, $2, yyscanner); }
			| load_clauses K_IGNORE NUMBER K_LINES
				{ $$ = link_add_clause($1, makeDefElem(LINK_CLAUSE_IGNORE, link_make_number($3), @2), yyscanner); }
			| load_clauses columns
				{ $$ = link_add_clause($1, makeDefElem(LINK_CLAUSE_COLUMNS, (Node *) $2, @2), yyscanner); }
		;

columns:
			'(' names ')'			{ $$ = $2; }
		;

names:
			name					{ $$ = list_make1(makeString($1)); }
			| names ',' name		{ $$ = lappend($1, makeString($3)); }
		;

format_clause:
			K_FIELDS field_clauses
				{ $$ = $2; }
			| K_COLUMNS field_clauses
				{ $$ = $2; }
			| K_LINES line_clauses
				{ $$ = $2; }
			| K_FORMAT word
				{ $$ = list_make1(link_string_clause(LINK_CLAUSE_FORMAT, $2.text, @1)); }
			| K_FORMAT STRING
				{ $$ = list_make1(link_string_clause(LINK_CLAUSE_FORMAT, $2, @1)); }
			| K_WITH K_COMPRESSION codec
				{ $$ = list_make1(link_string_clause(LINK_CLAUSE_COMPRESSION, $3, @1)); }
			| K_WITH '(' options ')'
				{ $$ = list_make1(makeDefElem(LINK_CLAUSE_OPTIONS, (Node *) $3, @1)); }
		;

field_clauses:
			field_clause					{ $$ = list_make1($1); }
			| field_clauses field_clause	{ $$ = link_add_clause($1, $2, yyscanner); }
		;

field_clause:
			K_TERMINATED K_BY format_string
				{ $$ = link_string_clause(LINK_CLAUSE_TERMINATED, $3, @1); }
			| K_ENCLOSED K_BY format_string
				{ $$ = link_string_clause(LINK_CLAUSE_ENCLOSED, $3, @1); }
			| K_OPTIONALLY K_ENCLOSED K_BY format_string
				{
					$$ = link_string_clause(LINK_CLAUSE_ENCLOSED, $4, @1);
					$$->defnamespace = "OPTIONALLY";
				}
			| K_ESCAPED K_BY format_string
				{ $$ = link_string_clause(LINK_CLAUSE_ESCAPED, $3, @1); }
		;

line_clauses:
			line_clause						{ $$ = list_make1($1); }
			| line_clauses line_clause		{ $$ = link_add_clause($1, $2, yyscanner); }
		;

line_clause:
			K_STARTING K_BY format_string
				{ $$ = link_string_clause(LINK_CLAUSE_LINE_START, $3, @1); }
			| K_TERMINATED K_BY format_string
				{ $$ = link_string_clause(LINK_CLAUSE_LINE_END, $3, @1); }
		;

/* SingleStore's own choice is gzip. */
codec:
			%empty					{ $$ = "gzip"; }
			| K_GZIP				{ $$ = "gzip"; }
			| K_ZSTD				{ $$ = "zstd"; }
			| K_LZ4					{ $$ = "lz4"; }
		;

options:
			option					{ $$ = list_make1($1); }
			| options ',' option	{ $$ = lappend($1, $3); }
		;

/* As in COPY the equals sign may be left out, and a bare name is true. */
option:
			name
				{ $$ = makeDefElem($1, NULL, @1); }
			| name option_value
				{ $$ = makeDefElem($1, $2, @1); }
			| name '=' option_value
				{ $$ = makeDefElem($1, $3, @1); }
		;

option_value:
			value					{ $$ = (Node *) makeString($1); }
			| number
			| '(' values ')'		{ $$ = (Node *) $2; }
			| '*'					{ $$ = (Node *) list_make1(makeString("*")); }
		;

/* Strings all, as users of the options expect of a list. */
values:
			value					{ $$ = list_make1(makeString($1)); }
			| values ',' value		{ $$ = lappend($1, makeString($3)); }
			| '*'					{ $$ = list_make1(makeString("*")); }
		;

value:
			word					{ $$ = link_fold_word(&$1); }
			| STRING
		;

number:
			NUMBER					{ $$ = link_make_number($1); }
			| '+' NUMBER			{ $$ = link_make_number($2); }
			| '-' NUMBER			{ $$ = link_make_number(psprintf("-%s", $2)); }
		;
