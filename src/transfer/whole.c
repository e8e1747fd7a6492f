/*-------------------------------------------------------------------------
 *
 * whole.c
 *	  An object of a link as one value: link.read_file.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "bounds.h"
#include "catalog/privileges.h"
#include "catalog/use.h"
#include "errors.h"
#include "transfer/source.h"
#include "transfer/transfer.h"
#include "transfer/verb.h"

/* Room for an object whose size is not known; doubled when used up. */
#define FIRST_CAPACITY (64 * 1024)

static void
too_large(const LinkSession *session, const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("object \"%s\" of link %s is larger than %d bytes",
					path, session->link_name, LINK_MAX_READ_FILE),
			 errhint("Use link.select_from() or link.load_data() for what is larger.")));
}

static bytea *
read_to_end(LinkSession *session, const char *path)
{
	LinkSource *source = link_source_open(session, path);
	int64		known = link_source_size(source);
	Size		capacity;
	Size		size = 0;
	Size		got;
	bytea	   *whole;

	if (known > LINK_MAX_READ_FILE)
		too_large(session, path);

	/* one byte more than there is, so that the end is seen without growing */
	capacity = known >= 0 ? known + 1 : FIRST_CAPACITY;
	whole = palloc(VARHDRSZ + capacity);
	while ((got = link_source_read(source, VARDATA(whole) + size, capacity - size)) > 0)
	{
		size += got;
		if (size > LINK_MAX_READ_FILE)
			too_large(session, path);
		if (size == capacity)
		{
			capacity = Min(capacity * 2, (Size) LINK_MAX_READ_FILE + 1);
			whole = repalloc(whole, VARHDRSZ + capacity);
		}
	}
	SET_VARSIZE(whole, VARHDRSZ + size);
	link_source_close(source);
	return whole;
}

static bytea *
read_whole(const LinkName *link, const char *path)
{
	LinkRow    *row;
	LinkSession *session;
	bytea	   *whole;

	link_verb_require_allowed("link.read_file");
	row = link_lookup_name(link, LINK_ACL_READ);
	session = link_open(row);
	whole = read_to_end(session, path);
	link_close(session);
	link_use_moved(0, VARSIZE(whole) - VARHDRSZ);
	return whole;
}

bytea *
link_read_whole(const LinkName *link, const char *path)
{
	bytea	   *whole = NULL;

	LINK_USE_BEGIN(LINK_VERB_READ_FILE, path);
	{
		whole = read_whole(link, path);
	}
	LINK_USE_END();
	return whole;
}
