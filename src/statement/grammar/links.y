/*-------------------------------------------------------------------------
 *
 * links.y
 *	  Statements that make, change, grant and show links.
 *
 *-------------------------------------------------------------------------
 */

/* ---- links ---- */

create_link:
			K_CREATE opt_or_replace K_LINK new_link K_AS link_type create_clauses
				{
					if ($2 && $4.conditional)
						ereport(ERROR,
								(errcode(ERRCODE_SYNTAX_ERROR),
								 errmsg("OR REPLACE and IF NOT EXISTS exclude each other"),
								 link_scanner_errposition(yyscanner, @4)));
					$$ = link_make_statement(LINK_STMT_CREATE, &$4.link);
					$$->u.create = *$7;
					$$->u.create.name = $4.link;
					$$->u.create.type = $6;
					$$->u.create.or_replace = $2;
					$$->u.create.if_not_exists = $4.conditional;
				}
		;

new_link:
			link_name						{ $$.link = $1; $$.conditional = false; }
			| K_IF K_NOT K_EXISTS link_name	{ $$.link = $4; $$.conditional = true; }
		;

link_type:
			word					{ $$ = $1.text; }
			| STRING
		;

opt_or_replace:
			%empty					{ $$ = false; }
			| K_OR K_REPLACE		{ $$ = true; }
		;

create_clauses:
			%empty
				{ $$ = palloc0(sizeof(LinkCreateArgs)); }
			| create_clauses K_CREDENTIALS string
				{
					link_set_once(&$1->credentials, $3, "CREDENTIALS", @2, yyscanner);
					$$ = $1;
				}
			| create_clauses K_CONFIG string
				{
					link_set_once(&$1->config, $3, "CONFIG", @2, yyscanner);
					$$ = $1;
				}
			| create_clauses K_DESCRIPTION string
				{
					link_set_once(&$1->description, $3, "DESCRIPTION", @2, yyscanner);
					$$ = $1;
				}
		;

alter_link:
			K_ALTER K_LINK link_name alter_clauses
				{
					$$ = link_make_statement(LINK_STMT_ALTER, &$3);
					$$->u.alter = *$4;
					$$->u.alter.name = $3;
				}
			| K_ALTER K_LINK link_name K_RENAME K_TO link_word
				{
					$$ = link_make_statement(LINK_STMT_RENAME, &$3);
					$$->u.new_name = $6;
				}
			| K_ALTER K_LINK link_name K_SET K_SCHEMA name
				{
					$$ = link_make_statement(LINK_STMT_SET_SCHEMA, &$3);
					$$->u.new_name = $6;
				}
			| K_ALTER K_LINK link_name K_OWNER K_TO role
				{
					$$ = link_make_statement(LINK_STMT_SET_OWNER, &$3);
					$$->u.role = $6;
				}
		;

alter_clauses:
			alter_clause
			| alter_clauses alter_clause	{ $$ = link_merge_alter($1, $2, @2, yyscanner); }
		;

alter_clause:
			K_SET K_CONFIG change
				{
					$$ = palloc0(sizeof(LinkAlterArgs));
					$$->config = $3;
				}
			| K_SET K_CREDENTIALS change
				{
					$$ = palloc0(sizeof(LinkAlterArgs));
					$$->credentials = $3;
				}
			| K_SET K_DESCRIPTION text_or_null
				{
					$$ = palloc0(sizeof(LinkAlterArgs));
					$$->description_given = true;
					$$->description = $3;
				}
		;

change:
			string
				{
					memset(&$$, 0, sizeof($$));
					$$.given = true;
					$$.json = $1;
				}
			| key '=' text_or_null
				{
					memset(&$$, 0, sizeof($$));
					$$.given = true;
					$$.key = $1;
					$$.value = $3;
				}
		;

/* Keys are compared as they are typed, like those in JSON. */
key:
			BARE_KEY
			| COLONS word			{ $$ = $2.text; }
			| COLONS STRING			{ $$ = $2; }
		;

drop_link:
			K_DROP K_LINK old_link opt_cascade
				{
					$$ = link_make_statement(LINK_STMT_DROP, &$3.link);
					$$->u.drop.if_exists = $3.conditional;
					$$->u.drop.cascade = $4;
				}
		;

old_link:
			link_name					{ $$.link = $1; $$.conditional = false; }
			| K_IF K_EXISTS link_name	{ $$.link = $3; $$.conditional = true; }
		;

opt_cascade:
			%empty					{ $$ = false; }
			| K_RESTRICT			{ $$ = false; }
			| K_CASCADE				{ $$ = true; }
		;

/* ---- privileges ---- */

grant:
			K_GRANT privileges K_ON scope K_TO grantees opt_grant_option
				{
					$$ = link_make_statement(LINK_STMT_GRANT, &$4.link);
					$$->u.grant.privileges = $2;
					$$->u.grant.scope = $4.scope;
					$$->u.grant.grantees = $6;
					$$->u.grant.grant_option = $7;
				}
		;

revoke:
			K_REVOKE privileges K_ON scope K_FROM grantees opt_cascade
				{
					$$ = link_make_statement(LINK_STMT_REVOKE, &$4.link);
					$$->u.grant.privileges = $2;
					$$->u.grant.scope = $4.scope;
					$$->u.grant.grantees = $6;
					$$->u.grant.cascade = $7;
				}
			| K_REVOKE K_GRANT K_OPTION K_FOR privileges K_ON scope K_FROM grantees opt_cascade
				{
					$$ = link_make_statement(LINK_STMT_REVOKE, &$7.link);
					$$->u.grant.privileges = $5;
					$$->u.grant.scope = $7.scope;
					$$->u.grant.grantees = $9;
					$$->u.grant.grant_option = true;
					$$->u.grant.cascade = $10;
				}
		;

privileges:
			privilege					{ $$ = list_make1($1); }
			| privileges ',' privilege	{ $$ = lappend($1, $3); }
		;

/* Any words, so that the catalog says which of them are none of its privileges. */
privilege:
			any_word
			| privilege any_word		{ $$ = psprintf("%s %s", $1, $2); }
		;

scope:
			'*' '.' '*'
				{ memset(&$$, 0, sizeof($$)); }
			| '*'
				{
					memset(&$$, 0, sizeof($$));
					$$.scope.current_schema = true;
				}
			| name '.' '*'
				{
					memset(&$$, 0, sizeof($$));
					$$.scope.namespace = $1;
				}
			| K_LINK link_name
				{
					memset(&$$, 0, sizeof($$));
					$$.scope.on_link = true;
					$$.link = $2;
				}
			| name
				{ link_refuse_scope(@1, yyscanner); }
			| name '.' link_word
				{ link_refuse_scope(@1, yyscanner); }
		;

grantees:
			grantee						{ $$ = list_make1($1); }
			| grantees ',' grantee		{ $$ = lappend($1, $3); }
		;

grantee:
			role
				{
					$$ = palloc(sizeof(LinkWord));
					*$$ = $1;
				}
			| role K_IDENTIFIED
				{ link_refuse_account("IDENTIFIED BY"); }
			| role K_REQUIRE
				{ link_refuse_account("REQUIRE"); }
		;

/* SingleStore's accounts are of a host; a role is of all of them. */
role:
			role_name
			| K_ROLE role_name			{ $$ = $2; }
			| role_name '@' STRING
				{
					if (strcmp($3, "%") != 0)
						link_refuse_host(@3, yyscanner);
					$$ = $1;
				}
			| role_name '@' word
				{
					if (strcmp($3.text, "%") != 0)
						link_refuse_host(@3, yyscanner);
					$$ = $1;
				}
		;

role_name:
			role_word
				{
					link_check_identifier(&$1, @1, yyscanner);
					$$ = $1;
				}
		;

/* No bare ROLE: the word after it could be a role or a clause. */
role_word:
			WORD				{ $$.text = $1; $$.quoted = false; }
			| unreserved_word	{ $$.text = $1; $$.quoted = false; }
			| DOUBLE_QUOTED		{ $$.text = $1; $$.quoted = true; }
			| BACK_QUOTED		{ $$.text = $1; $$.quoted = true; }
			| STRING			{ $$.text = $1; $$.quoted = true; }
		;

opt_grant_option:
			%empty						{ $$ = false; }
			| K_WITH K_GRANT K_OPTION	{ $$ = true; }
		;

/* ---- looking ---- */

show:
			K_SHOW opt_full K_LINKS opt_on_schema
				{
					$$ = link_make_statement(LINK_STMT_SHOW_LINKS, NULL);
					$$->u.show.full = $2;
					$$->u.show.namespace = $4;
				}
			| K_SHOW K_CREATE K_LINK link_name
				{ $$ = link_make_statement(LINK_STMT_SHOW_CREATE, &$4); }
			| K_SHOW K_GRANTS opt_for_role
				{
					$$ = link_make_statement(LINK_STMT_SHOW_GRANTS, NULL);
					$$->u.role = $3;
				}
		;

opt_full:
			%empty					{ $$ = false; }
			| K_FULL				{ $$ = true; }
		;

opt_on_schema:
			%empty					{ $$ = NULL; }
			| K_ON '*'				{ $$ = NULL; }
			| K_ON name				{ $$ = $2; }
		;

opt_for_role:
			%empty					{ $$.text = NULL; $$.quoted = false; }
			| K_FOR role			{ $$ = $2; }
		;

look:
			K_CHECK K_LINK link_name opt_string
				{
					$$ = link_make_statement(LINK_STMT_CHECK, &$3);
					$$->u.path = $4;
				}
			| K_LIST K_LINK link_name string
				{
					$$ = link_make_statement(LINK_STMT_LIST, &$3);
					$$->u.path = $4;
				}
		;

use:
			K_USE name
				{
					$$ = link_make_statement(LINK_STMT_USE, NULL);
					$$->u.schema = $2;
				}
		;
