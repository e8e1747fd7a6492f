/*-------------------------------------------------------------------------
 *
 * backups.y
 *	  BACKUP and RESTORE.
 *
 *-------------------------------------------------------------------------
 */

backup:
			K_BACKUP database opt_backup_mode K_TO K_LINK link_name string
				{
					$$ = link_make_statement(LINK_STMT_BACKUP, &$6);
					$$->u.backup.database = $2;
					$$->u.backup.differential = $3;
					$$->u.backup.path = $7;
				}
		;

restore:
			K_RESTORE database opt_as_name K_FROM K_LINK link_name string opt_file
				{
					$$ = link_make_statement(LINK_STMT_RESTORE, &$6);
					$$->u.backup.database = $2;
					$$->u.backup.new_name = $3;
					$$->u.backup.path = $7;
					$$->u.backup.id = $8;
				}
		;

/* The word may be a name too: what follows tells. */
database:
			name
			| K_DATABASE name		{ $$ = $2; }
		;

opt_backup_mode:
			%empty					{ $$ = false; }
			| K_WITH K_INIT			{ $$ = false; }
			| K_WITH K_DIFFERENTIAL	{ $$ = true; }
		;

opt_as_name:
			%empty					{ $$ = NULL; }
			| K_AS name				{ $$ = $2; }
		;

/* The id of a backup; 0: the newest. */
opt_file:
			%empty					{ $$ = 0; }
			| K_WITH K_FILE '=' NUMBER
				{
					$$ = link_make_count($4, @4, yyscanner);
					if ($$ <= 0)
						ereport(ERROR,
								(errcode(ERRCODE_LINK_BAD_OPTION),
								 errmsg("a backup id must be positive"),
								 link_scanner_errposition(yyscanner, @4)));
				}
		;
