/*-------------------------------------------------------------------------
 *
 * copy.c
 *	  COPY to and from 'link://[schema.]name/path': core's statement, with the
 *	  file at a link.
 *
 * The statement's options, table, query and condition go to transfer/ as they
 * are.  Who may use the link may copy: the right to use files of the server has
 * no part in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "tcop/utility.h"

#include "catalog/links.h"
#include "errors.h"
#include "statement/copy.h"
#include "transfer/transfer.h"

#define SCHEME "link:"

bool
link_is_copy(const PlannedStmt *pstmt)
{
	const CopyStmt *copy = (const CopyStmt *) pstmt->utilityStmt;

	return pstmt->commandType == CMD_UTILITY && IsA(copy, CopyStmt) &&
		copy->filename != NULL && !copy->is_program &&
		pg_strncasecmp(copy->filename, SCHEME, strlen(SCHEME)) == 0;
}

/* The name is not repeated: in URLs of other programs it is the place for a password. */
static void
malformed(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("invalid name of an object of a link"),
			 errdetail_internal("%s", what),
			 errhint("Write it as 'link://name/path' or 'link://schema.name/path', with double quotes around a part of the name that needs them.")));
}

/* What SQL has in names without quotes, and the hyphen. */
static bool
is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '$' || c == '-' || c == '.' || IS_HIGHBIT_SET(c);
}

/*
 * The name ends at the first slash that is not within quotes; the path is all
 * that follows, as it is.
 */
static LinkName
parse_file(const char *file, const char **path)
{
	const char *name = file + strlen(SCHEME);
	const char *p;
	bool		quoted = false;

	if (strncmp(name, "//", 2) != 0)
		malformed("After \"link:\" comes \"//\".");
	name += 2;
	for (p = name; *p != '\0' && (quoted || *p != '/'); p++)
	{
		if (*p == '"')
			quoted = !quoted;
		else if (!quoted && !is_plain(*p))
			malformed("The name of the link has a character that needs double quotes.");
	}
	if (quoted)
		malformed("A double quote is not closed.");
	if (p == name)
		malformed("The name of the link is missing.");
	if (*p == '\0')
		malformed("There is no path after the name of the link.");
	*path = p + 1;
	return link_parse_name(pnstrdup(name, p - name));
}

void
link_copy(PlannedStmt *pstmt, const char *query_string, bool read_only_tree,
		  QueryCompletion *completion)
{
	LinkCopy	copy = {(CopyStmt *) pstmt->utilityStmt, query_string,
	pstmt->stmt_location, pstmt->stmt_len};
	uint64		rows = 0;
	const char *path;
	LinkName	link;
	List	   *results;
	ListCell   *cell;

	if (read_only_tree)
		copy.statement = copyObject(copy.statement);
	link = parse_file(copy.statement->filename, &path);
	if (copy.statement->is_from)
		results = link_import_copy(&copy, &link, path);
	else
		results = link_export_copy(&copy, &link, path);
	foreach(cell, results)
		rows += ((LinkObjectResult *) lfirst(cell))->rows;
	if (completion)
		SetQueryCompletion(completion, CMDTAG_COPY, rows);

	/* as after every utility command: what follows sees it */
	CommandCounterIncrement();
}
