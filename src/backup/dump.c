/*-------------------------------------------------------------------------
 *
 * dump.c
 *	  pg_dump and pg_restore of this server, as child processes.
 *
 * By absolute path, from the directory of the server's own program; with an
 * environment of nothing that we do not set; in a process group that ends with
 * us (child.h).  What they say on standard error goes to a temporary file, of
 * which the end is shown if they fail.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "port.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "backup/client.h"
#include "backup/dump.h"
#include "child.h"
#include "errors.h"

/* Of what a program says, that much of the end is shown. */
#define TOLD_BYTES 1000

/* Of which a schema is one each. */
#define MAX_ARGUMENTS 1024

/*
 * How long pg_dump waits for a table.  We have locked them all before, so it waits
 * for nobody but one who waits for us, and for whom all others wait.
 */
#define LOCK_TIMEOUT "--lock-wait-timeout=5s"

typedef struct Program
{
	const char *name;
	char	   *path;
	char	   *arguments[MAX_ARGUMENTS];
	int			narguments;
	char	   *environment[8];
	int			nenvironment;
} Program;

static char *
program_path(const char *name)
{
	char		directory[MAXPGPATH];
	char	   *path;

	strlcpy(directory, my_exec_path, sizeof(directory));
	get_parent_directory(directory);
	path = psprintf("%s/%s", directory, name);
	if (access(path, X_OK) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("could not find program \"%s\": %m", path),
				 errhint("The client programs of the server's own version have to be installed beside it.")));
	return path;
}

static void
add_argument(Program *program, char *argument)
{
	if (program->narguments + 1 >= MAX_ARGUMENTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many schemas for one backup")));
	program->arguments[program->narguments++] = argument;
}

static void
begin_program(Program *program, const char *name)
{
	memset(program, 0, sizeof(*program));
	program->name = name;
	program->path = program_path(name);
	program->environment[program->nenvironment++] = "PATH=/usr/bin:/bin";
	program->environment[program->nenvironment++] = "LC_ALL=C";
	if (getenv("HOME"))
		program->environment[program->nenvironment++] = psprintf("HOME=%s", getenv("HOME"));
	add_argument(program, program->path);
}

static void
add_connection(Program *program, const char *database)
{
	add_argument(program, psprintf("--dbname=%s", link_client_conninfo(database)));
	add_argument(program, "--no-password");
	add_argument(program, psprintf("--role=%s", GetUserNameFromId(GetUserId(), false)));
}

/* In the child. */
static int
run(void *arg)
{
	Program    *program = arg;

	(void) execve(program->path, program->arguments, program->environment);
	return 127;
}

/* The end of what the program has said. */
static char *
told(File messages)
{
	off_t		size = FileSize(messages);
	off_t		from = Max(0, size - TOLD_BYTES);
	char		text[TOLD_BYTES];
	int			got = FileRead(messages, text, Min(size, TOLD_BYTES), from, WAIT_EVENT_BUFFILE_READ);

	while (got > 0 && (text[got - 1] == '\n' || text[got - 1] == '\0'))
		got--;
	return link_printable(text, Max(got, 0));
}

static void
run_program(Program *program, int input, void (*take) (void *arg, const char *data, Size size), void *arg)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link backup program", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	File		messages = OpenTemporaryFile(false);
	LinkChildFiles files = {input, FileGetRawDesc(messages)};
	LinkChild  *child;
	char	   *buffer = palloc(BLCKSZ * 8);
	ssize_t		got;
	int			status = 0;

	child = link_child_start(program->name, run, program, &files, INT_MAX, link_wait_event("LinkBackupProgram"));
	MemoryContextSwitchTo(caller);
	while ((got = link_child_read(child, buffer, BLCKSZ * 8)) > 0)
		if (take)
			take(arg, buffer, got);
	if (got < 0 || link_child_wait(child, &status) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_FAILED),
				 errmsg("could not read from %s: %m", program->name)));
	if (status != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_FAILED),
				 errmsg("%s failed", program->name),
				 errdetail("%s", told(messages))));
	FileClose(messages);
	MemoryContextDelete(context);
}

/* pg_dump takes a pattern: in double quotes it is a name. */
static char *
exact_pattern(const char *name)
{
	StringInfoData pattern;

	initStringInfo(&pattern);
	appendStringInfoChar(&pattern, '"');
	for (; *name; name++)
	{
		if (*name == '"')
			appendStringInfoChar(&pattern, '"');
		appendStringInfoChar(&pattern, *name);
	}
	appendStringInfoChar(&pattern, '"');
	return pattern.data;
}

void
link_dump(const LinkDumpArgs *args, void (*take) (void *arg, const char *data, Size size), void *arg)
{
	Program		program;
	ListCell   *lc;

	begin_program(&program, "pg_dump");
	/* string literals of what it writes have no backslashes that mean something */
	program.environment[program.nenvironment++] = "PGOPTIONS=-c standard_conforming_strings=on";
	add_connection(&program, get_database_name(MyDatabaseId));
	add_argument(&program, "--format=custom");
	add_argument(&program, psprintf("--snapshot=%s", args->snapshot));
	add_argument(&program, LOCK_TIMEOUT);
	foreach(lc, args->schemas)
		add_argument(&program, psprintf("--schema=%s", exact_pattern(lfirst(lc))));
	if (args->part == LINK_DUMP_DEFINITIONS)
	{
		/* not --schema-only, which leaves out that materialized views are to be filled */
		add_argument(&program, "--section=pre-data");
		add_argument(&program, "--section=post-data");
		add_argument(&program, "--no-blobs");
		if (!args->superuser)
			add_argument(&program, "--no-subscriptions");
	}
	else
	{
		add_argument(&program, "--data-only");
		add_argument(&program, "--blobs");
		/* which would be locked, late, for nothing */
		add_argument(&program, "--exclude-table=*.*");
	}
	run_program(&program, -1, take, arg);
}

void
link_undump(int archive, const char *section, const char *database, int jobs, bool workers)
{
	Program		program;

	begin_program(&program, "pg_restore");
	if (!workers)
		program.environment[program.nenvironment++] = "PGOPTIONS=-c max_parallel_maintenance_workers=0";
	add_connection(&program, database);
	add_argument(&program, "--exit-on-error");
	if (strcmp(section, "data") != 0)
		add_argument(&program, psprintf("--section=%s", section));
	if (jobs > 1)
		add_argument(&program, psprintf("--jobs=%d", jobs));
	/* by a name, so that each of its jobs can open it for itself */
	add_argument(&program, "/dev/stdin");
	run_program(&program, archive, NULL, NULL);
}

static void
take_text(void *arg, const char *data, Size size)
{
	appendBinaryStringInfo(arg, data, size);
}

char *
link_undump_text(int archive, const char *section, bool superuser)
{
	Program		program;
	StringInfoData text;

	initStringInfo(&text);
	begin_program(&program, "pg_restore");
	add_argument(&program, "--file=-");
	add_argument(&program, psprintf("--section=%s", section));
	if (!superuser)
	{
		add_argument(&program, "--no-owner");
		add_argument(&program, "--no-privileges");
		add_argument(&program, "--no-publications");
		add_argument(&program, "--no-subscriptions");
		add_argument(&program, "--no-security-labels");
	}
	add_argument(&program, "/dev/stdin");
	run_program(&program, archive, take_text, &text);
	return text.data;
}
