/*-------------------------------------------------------------------------
 *
 * pipelines.y
 *	  Statements of pipelines.
 *
 *-------------------------------------------------------------------------
 */

create_pipeline:
			K_CREATE opt_or_replace K_PIPELINE new_pipeline opt_force
			K_AS K_LOAD K_DATA K_LINK link_name pipeline_source
			opt_set_clause opt_where opt_on_conflict
				{
					if ($2 && $4.conditional)
						ereport(ERROR,
								(errcode(ERRCODE_SYNTAX_ERROR),
								 errmsg("OR REPLACE and IF NOT EXISTS exclude each other"),
								 link_scanner_errposition(yyscanner, @4)));
					$$ = link_make_statement(LINK_STMT_CREATE_PIPELINE, &$10);
					$$->u.pipeline = *$11;
					$$->u.pipeline.name = $4.link.name;
					$$->u.pipeline.or_replace = $2;
					$$->u.pipeline.conditional = $4.conditional;
					$$->u.pipeline.force = $5;
					$$->u.pipeline.set_clause = $12;
					$$->u.pipeline.where_clause = $13;
					$$->u.pipeline.on_conflict = $14;
				}
		;

opt_force:
			%empty					{ $$ = false; }
			| K_FORCE				{ $$ = true; }
		;

pipeline_source:
			string pipeline_settings K_INTO pipeline_formats
				{
					$$ = $4;
					$$->path = $1;
					$$->settings = *$2;
				}
		;

pipeline_settings:
			%empty
				{ $$ = palloc0(sizeof(LinkPipelineSettings)); }
			| pipeline_settings pipeline_setting
				{ $$ = link_merge_settings($1, $2, @2, yyscanner); }
		;

pipeline_setting:
			number_setting NUMBER
				{ $$ = link_make_setting($1, link_make_count($2, @2, yyscanner)); }
			| K_SKIP skip_kind K_ERRORS
				{ $$ = link_make_setting($1, $2); }
			| K_STOP_ON_ERROR on_or_off
				{ $$ = link_make_setting($1, $2); }
		;

number_setting:
			K_BATCH_INTERVAL
			| K_MAX_PARTITIONS_PER_BATCH
			| K_MAX_RETRIES_PER_BATCH_PARTITION
			| K_MAX_OFFSETS_PER_BATCH_PARTITION
		;

skip_kind:
			K_ALL					{ $$ = LINK_SKIP_ALL; }
			| K_CONSTRAINT			{ $$ = LINK_SKIP_CONSTRAINT; }
			| K_DUPLICATE K_KEY		{ $$ = LINK_SKIP_DUPLICATE_KEY; }
			| K_PARSER				{ $$ = LINK_SKIP_PARSER; }
		;

on_or_off:
			K_ON					{ $$ = true; }
			| K_OFF					{ $$ = false; }
		;

table_or_procedure:
			K_TABLE					{ $$ = false; }
			| K_PROCEDURE			{ $$ = true; }
		;

pipeline_formats:
			table_or_procedure table_name
				{
					$$ = palloc0(sizeof(LinkPipelineStatement));
					$$->procedure = $1;
					$$->target = $2;
				}
			| pipeline_formats format_clause
				{
					$$ = $1;
					$$->clauses = link_add_clauses($$->clauses, $2, yyscanner);
				}
			| pipeline_formats K_IGNORE NUMBER K_LINES
				{
					$$ = $1;
					$$->clauses = link_add_clause($$->clauses,
												  makeDefElem(LINK_CLAUSE_IGNORE, link_make_number($3), @2),
												  yyscanner);
				}
			| pipeline_formats '(' fields ')'
				{
					$$ = $1;
					if ($$->fields != NIL)
						link_refuse_repeated(LINK_CLAUSE_COLUMNS, @2, yyscanner);
					$$->fields = $3;
				}
		;

fields:
			field					{ $$ = list_make1($1); }
			| fields ',' field		{ $$ = lappend($1, $3); }
		;

field:
			word opt_json_path			{ $$ = link_make_field(&$1, false, $2, @1, yyscanner); }
			| '@' word opt_json_path	{ $$ = link_make_field(&$2, true, $3, @2, yyscanner); }
		;

opt_json_path:
			%empty					{ $$ = NIL; }
			| '<' '-' json_path		{ $$ = $3; }
		;

json_path:
			word					{ $$ = list_make1($1.text); }
			| json_path key			{ $$ = lappend($1, $2); }
		;

/* SQL, which has other rules: the scanner gives it whole. */
opt_set_clause:
			%empty							{ $$ = NULL; }
			| K_SET until_where SQL_CLAUSE	{ $$ = $3; }
		;

until_where:
			%empty					{ link_scanner_take_clause(yyscanner, link_until_where); }
		;

opt_where:
			%empty							{ $$ = NULL; }
			| K_WHERE until_on SQL_CLAUSE	{ $$ = $3; }
		;

until_on:
			%empty					{ link_scanner_take_clause(yyscanner, link_until_on); }
		;

opt_on_conflict:
			%empty										{ $$ = NULL; }
			| K_ON K_CONFLICT until_end SQL_CLAUSE		{ $$ = $4; }
			| K_ON K_DUPLICATE
				{
					link_refuse_duplicate_key(@1, yyscanner);
					$$ = NULL;
				}
		;

until_end:
			%empty					{ link_scanner_take_clause(yyscanner, link_until_end); }
		;

alter_pipeline:
			K_ALTER K_PIPELINE pipeline_name pipeline_change
				{
					$$ = $4;
					$$->u.pipeline.name = $3;
				}
		;

pipeline_change:
			K_SET some_settings
				{ $$ = $2; }
			| some_settings
			| K_SET K_OFFSETS offsets
				{ $$ = link_make_pipeline(LINK_STMT_SET_PIPELINE_OFFSETS, NULL, $3); }
			| K_DROP K_FILE string
				{ $$ = link_make_pipeline(LINK_STMT_DROP_PIPELINE_FILE, NULL, $3); }
			| K_DROP K_ORPHAN K_FILES
				{ $$ = link_make_pipeline(LINK_STMT_DROP_ORPHAN_FILES, NULL, NULL); }
			| K_DROP K_PARTITION string
				{ $$ = link_make_pipeline(LINK_STMT_DROP_PIPELINE_PARTITION, NULL, $3); }
			| K_CLEAR K_ERRORS
				{ $$ = link_make_pipeline(LINK_STMT_CLEAR_PIPELINE_ERRORS, NULL, NULL); }
			| K_RENAME K_TO pipeline_name
				{ $$ = link_make_pipeline(LINK_STMT_RENAME_PIPELINE, NULL, $3); }
			| K_OWNER K_TO role
				{
					$$ = link_make_pipeline(LINK_STMT_SET_PIPELINE_OWNER, NULL, NULL);
					$$->u.pipeline.role = $3;
				}
		;

some_settings:
			pipeline_setting pipeline_settings
				{
					$$ = link_make_pipeline(LINK_STMT_ALTER_PIPELINE, NULL, NULL);
					$$->u.pipeline.settings = *link_merge_settings($2, $1, @1, yyscanner);
				}
		;

offsets:
			K_EARLIEST
			| K_LATEST
			| string
		;

drop_pipeline:
			K_DROP K_PIPELINE old_pipeline
				{
					$$ = link_make_pipeline(LINK_STMT_DROP_PIPELINE, $3.link.name, NULL);
					$$->u.pipeline.conditional = $3.conditional;
				}
		;

run_pipeline:
			K_START K_PIPELINE idle_pipeline foreground
				{
					$$ = link_make_pipeline(LINK_STMT_START_PIPELINE, $3.link.name, NULL);
					$$->u.pipeline.conditional = $3.conditional;
					$$->u.pipeline.foreground = $4 >= 0;
					$$->u.pipeline.limit = $4;
				}
			| K_START K_ALL K_PIPELINES
				{ $$ = link_make_pipeline(LINK_STMT_START_PIPELINE, NULL, NULL); }
			| K_STOP K_PIPELINE running_pipeline
				{
					$$ = link_make_pipeline(LINK_STMT_STOP_PIPELINE, $3.link.name, NULL);
					$$->u.pipeline.conditional = $3.conditional;
				}
			| K_STOP K_ALL K_PIPELINES
				{ $$ = link_make_pipeline(LINK_STMT_STOP_PIPELINE, NULL, NULL); }
			| K_TEST K_PIPELINE pipeline_name opt_limit
				{
					$$ = link_make_pipeline(LINK_STMT_TEST_PIPELINE, $3, NULL);
					$$->u.pipeline.limit = $4;
				}
		;

/* How many batches at most, 0: any number; -1: in the background. */
foreground:
			%empty									{ $$ = -1; }
			| K_FOREGROUND							{ $$ = 0; }
			| K_FOREGROUND K_LIMIT NUMBER K_BATCHES	{ $$ = link_make_count($3, @3, yyscanner); }
		;

/* SingleStore shows one row if nothing is said. */
opt_limit:
			%empty					{ $$ = 1; }
			| K_LIMIT NUMBER		{ $$ = link_make_count($2, @2, yyscanner); }
		;

show_pipeline:
			K_SHOW K_PIPELINES
				{ $$ = link_make_pipeline(LINK_STMT_SHOW_PIPELINES, NULL, NULL); }
			| K_SHOW K_CREATE K_PIPELINE pipeline_name
				{ $$ = link_make_pipeline(LINK_STMT_SHOW_CREATE_PIPELINE, $4, NULL); }
		;

pipeline_name:
			word
				{
					link_check_identifier(&$1, @1, yyscanner);
					link_check_plain_name("pipeline", $1.text);
					$$ = $1.text;
				}
		;

new_pipeline:
			pipeline_name						{ $$.link.name = $1; $$.conditional = false; }
			| K_IF K_NOT K_EXISTS pipeline_name	{ $$.link.name = $4; $$.conditional = true; }
		;

old_pipeline:
			pipeline_name						{ $$.link.name = $1; $$.conditional = false; }
			| K_IF K_EXISTS pipeline_name		{ $$.link.name = $3; $$.conditional = true; }
		;

idle_pipeline:
			pipeline_name						{ $$.link.name = $1; $$.conditional = false; }
			| K_IF K_NOT K_RUNNING pipeline_name	{ $$.link.name = $4; $$.conditional = true; }
		;

running_pipeline:
			pipeline_name						{ $$.link.name = $1; $$.conditional = false; }
			| K_IF K_RUNNING pipeline_name		{ $$.link.name = $3; $$.conditional = true; }
		;
