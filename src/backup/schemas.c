/*-------------------------------------------------------------------------
 *
 * schemas.c
 *	  RESTORE of schemas into the current database.
 *
 * All of it is the caller's transaction: until it commits nobody else sees any of
 * it, and a crash leaves none.  Its definitions are run here, one at a time, and
 * not by a connection of pg_restore: that one is a superuser's underneath, and code
 * of the backup (what a CHECK calls) could take its role back.  Here it is held to
 * the current user's rights as index functions are, by a security-restricted
 * operation (SECURITY 29).
 *
 * Definitions name their schema.  If another name is wanted while the backup's is
 * taken, the schema that has it gives it up within the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <unistd.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "backup/command.h"
#include "backup/dump.h"
#include "backup/loader.h"
#include "backup/progress.h"
#include "backup/schemas.h"
#include "errors.h"
#include "transfer/listed.h"

#define TEMPORARY_PREFIX "link_restore_"

typedef struct SchemaRestore
{
	LinkSession *session;
	const char *path;
	const LinkManifest *manifest;
	Oid			user;
	int			context;		/* of security, of what is run */
	bool		superuser;
} SchemaRestore;

/*
 * Definitions.
 */

static void
run(const char *sql)
{
	int			result = SPI_execute(sql, false, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
}

/* Those of pg_restore, a line each. */
static char *
skip_comments(char *text)
{
	while (*text == '\n' || strncmp(text, "--", 2) == 0)
	{
		text += strcspn(text, "\n");
		if (*text == '\n')
			text++;
	}
	return text;
}

/*
 * What is for psql: a line \restrict with a key before all statements, and one
 * \unrestrict with the same key behind them (since August 2025).  The key is new
 * each time, so nobody has it in a definition.
 */
static void
blank_restrict(char *text)
{
	static const char begin[] = "\\restrict ";
	char	   *line = skip_comments(text);
	char	   *end;
	char	   *last;
	char	   *match;

	if (strncmp(line, begin, strlen(begin)) != 0)
		return;
	end = line + strcspn(line, "\n");
	last = psprintf("\n\\unrestrict %s", pnstrdup(line + strlen(begin), end - line - strlen(begin)));
	match = strstr(end, last);
	if (match)
		memset(match, ' ', strlen(last));
	memset(line, ' ', end - line);
}

static char *
definitions(const SchemaRestore *restore, File archive, const char *section)
{
	int			fd = FileGetRawDesc(archive);
	int			encoding = pg_char_to_encoding(restore->manifest->database.encoding);
	char	   *text;

	if (lseek(fd, 0, SEEK_SET) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read a temporary file: %m")));
	text = link_undump_text(fd, section, restore->superuser);
	if (encoding < 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("the backup is in encoding \"%s\", which this server does not know",
						restore->manifest->database.encoding)));
	blank_restrict(text);
	return pg_any_to_server(text, strlen(text), encoding);
}

/*
 * SET SESSION AUTHORIZATION, which pg_dump writes around grants that others than
 * the owner have made: for superusers alone, others get no grants.
 */
static void
become(const SchemaRestore *restore, const VariableSetStmt *set)
{
	Oid			role = restore->user;

	if (!restore->superuser)
		elog(ERROR, "definitions of a backup change the role");
	if (set->kind == VAR_SET_VALUE)
		role = get_role_oid(strVal(&linitial_node(A_Const, set->args)->val), false);
	SetUserIdAndSecContext(role, restore->context);
}

static void
run_definitions(const SchemaRestore *restore, File archive, const char *section)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link definitions", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	char	   *text = definitions(restore, archive, section);
	List	   *statements = raw_parser(text, RAW_PARSE_DEFAULT);
	ListCell   *lc;

	foreach(lc, statements)
	{
		RawStmt    *raw = lfirst_node(RawStmt, lc);
		const char *name = IsA(raw->stmt, VariableSetStmt) ? ((VariableSetStmt *) raw->stmt)->name : NULL;

		CHECK_FOR_INTERRUPTS();
		if (name && strcmp(name, "session_authorization") == 0)
			become(restore, (VariableSetStmt *) raw->stmt);
		/* that of the text, which has been converted */
		else if (name == NULL || strcmp(name, "client_encoding") != 0)
			run(skip_comments(raw->stmt_len > 0 ? pnstrdup(text + raw->stmt_location, raw->stmt_len)
							  : text + raw->stmt_location));
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

/*
 * Rows.
 */

static void
context_of_object(void *arg)
{
	errcontext("backup object \"%s\"", (const char *) arg);
}

static void
load_part(const SchemaRestore *restore, const LinkBackupTable *table, const LinkBackupObject *part)
{
	LinkObject	object = {.path = link_backup_path(restore->path, part->path),.size = (int64) part->bytes,.sha256 = part->sha256,.text_bytes = part->text_bytes};
	LinkListed	listed = {.path = object.path};
	ErrorContextCallback callback = {error_context_stack, context_of_object, object.path};

	error_context_stack = &callback;
	listed.target = link_load_target(table->root ? table->root : table->name);
	listed.columns = link_load_columns(table->columns);
	listed.options = list_make2(makeDefElem("format", (Node *) makeString("text"), -1),
								makeDefElem("encoding", (Node *) makeString(pstrdup(restore->manifest->database.encoding)), -1));
	(void) link_import_listed(restore->session, list_make1(&object), &listed);
	error_context_stack = callback.previous;
}

static void
load_tables(const SchemaRestore *restore)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link restore", ALLOCSET_DEFAULT_SIZES);
	ListCell   *lc;

	foreach(lc, restore->manifest->tables)
	{
		const LinkBackupTable *table = lfirst(lc);
		ListCell   *part;

		foreach(part, table->parts)
		{
			MemoryContext caller = MemoryContextSwitchTo(context);

			CHECK_FOR_INTERRUPTS();
			link_backup_progress_table(foreach_current_index(lc));
			load_part(restore, table, lfirst(part));
			link_backup_progress_part();
			link_backup_progress_table(-1);
			MemoryContextSwitchTo(caller);
			MemoryContextReset(context);
		}
	}
	MemoryContextDelete(context);
}

static void
set_sequences(const SchemaRestore *restore)
{
	ListCell   *lc;

	foreach(lc, restore->manifest->sequences)
	{
		const LinkBackupSequence *sequence = lfirst(lc);

		run(psprintf("SELECT pg_catalog.setval(%s::pg_catalog.regclass, " INT64_FORMAT ", %s)",
					 quote_literal_cstr(sequence->name), sequence->last_value, sequence->is_called ? "true" : "false"));
	}
}

static void
analyze_tables(const SchemaRestore *restore)
{
	List	   *tables = NIL;
	ListCell   *lc;

	foreach(lc, restore->manifest->schemas)
	{
		run(psprintf("SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'm') "
					 "AND c.relnamespace OPERATOR(pg_catalog.=) %u::pg_catalog.oid", get_namespace_oid(lfirst(lc), false)));
		for (uint64 i = 0; i < SPI_processed; i++)
			tables = lappend_oid(tables, (Oid) strtoul(SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1), NULL, 10));
	}
	foreach(lc, tables)
		link_analyze(lfirst_oid(lc));
}

/*
 * Names.
 */

static void
rename_schema(const char *from, const char *to)
{
	run(psprintf("ALTER SCHEMA %s RENAME TO %s", quote_identifier(from), quote_identifier(to)));
}

static char *
free_name(void)
{
	uint32		number;
	char	   *name;

	do
	{
		if (!pg_strong_random(&number, sizeof(number)))
			elog(ERROR, "could not generate a random number");
		name = psprintf(TEMPORARY_PREFIX "%u", number);
	} while (OidIsValid(get_namespace_oid(name, true)));
	return name;
}

static void
refuse_existing(const char *name)
{
	if (OidIsValid(get_namespace_oid(name, true)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_SCHEMA),
				 errmsg("schema \"%s\" already exists", name),
				 errhint("Give another name: RESTORE DATABASE ... AS new_name.")));
}

/* What is checked before anything is read, so that it does not fail hours later. */
static void
check(const SchemaRestore *restore, const char *name)
{
	ListCell   *lc;

	if (link_database_aclcheck(MyDatabaseId, restore->user, ACL_CREATE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_DATABASE, get_database_name(MyDatabaseId));
	if (name && list_length(restore->manifest->schemas) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("the backup is that of %d schemas, which cannot all have one name",
						list_length(restore->manifest->schemas))));
	if (name)
	{
		Oid			old = get_namespace_oid(linitial(restore->manifest->schemas), true);

		refuse_existing(name);
		if (OidIsValid(old) && !link_namespace_ownercheck(old, restore->user))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_NO_PRIVILEGE),
					 errmsg("must be owner of schema \"%s\"", (char *) linitial(restore->manifest->schemas)),
					 errdetail("The definitions of the backup need its name while they are run.")));
	}
	else
		foreach(lc, restore->manifest->schemas)
			refuse_existing(lfirst(lc));
}

/*
 * The command.
 */

static void
restore_under(const SchemaRestore *restore, const char *name)
{
	const char *old = linitial(restore->manifest->schemas);
	char	   *aside = name && OidIsValid(get_namespace_oid(old, true)) ? free_name() : NULL;
	File		archive = link_restore_fetch(restore->session, restore->path, &restore->manifest->definitions);

	if (aside)
		rename_schema(old, aside);
	run_definitions(restore, archive, "pre-data");
	link_backup_progress_phase(LINK_PHASE_TABLES);
	load_tables(restore);
	set_sequences(restore);
	link_backup_progress_phase(LINK_PHASE_INDEXES);
	run_definitions(restore, archive, "post-data");
	FileClose(archive);
	link_backup_progress_phase(LINK_PHASE_ANALYZING);
	analyze_tables(restore);
	link_backup_progress_phase(LINK_PHASE_FINISHING);
	if (name)
		rename_schema(old, name);
	if (aside)
		rename_schema(aside, old);
}

void
link_restore_schemas(LinkSession *session, const char *path, const LinkManifest *manifest, const char *name)
{
	SchemaRestore restore = {session, path, manifest};
	int			level = link_backup_pin_settings();
	Oid			user;
	int			context;

	if (name && list_length(manifest->schemas) == 1 && strcmp(name, linitial(manifest->schemas)) == 0)
		name = NULL;
	GetUserIdAndSecContext(&user, &context);
	restore.user = user;
	restore.context = context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION;
	restore.superuser = superuser();
	check(&restore, name);
	(void) set_config_option("standard_conforming_strings", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
	SetUserIdAndSecContext(user, restore.context);
	restore_under(&restore, name);
	SetUserIdAndSecContext(user, context);
	SPI_finish();
	/* back to what was before the definitions' own SETs too */
	AtEOXact_GUC(false, level);
}

void
link_restore_schemas_for_proof(LinkSession *session, const char *path, const LinkManifest *manifest)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	link_restore_schemas(session, path, manifest, list_length(manifest->schemas) == 1 ? free_name() : NULL);
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
}
