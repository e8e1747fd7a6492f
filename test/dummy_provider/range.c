/*-------------------------------------------------------------------------
 *
 * range.c
 *	  Reading a range of an object, which no statement asks for: a function for
 *	  tests alone, built by build.sh.
 *
 *	  CREATE FUNCTION read_range(link text, path text, first bigint, length bigint)
 *		RETURNS bytea LANGUAGE C STRICT AS 'link', 'link_test_read_range';
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "catalog/privileges.h"
#include "errors.h"
#include "provider/provider.h"
#include "statement/function.h"

PG_FUNCTION_INFO_V1(link_test_read_range);

Datum
link_test_read_range(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "link");
	LinkSession *session = link_open(link_lookup_name(&name, LINK_ACL_READ));
	LinkReader *reader = link_open_reader(session, link_arg_text(fcinfo, 1, "path"),
										  PG_GETARG_INT64(2), PG_GETARG_INT64(3));
	Size		capacity = 64 * 1024 * 1024;
	bytea	   *result = palloc(VARHDRSZ + capacity);
	Size		size = 0;
	Size		got;

	while ((got = link_read(reader, VARDATA(result) + size, capacity - size)) > 0)
		size += got;
	link_close_reader(reader);
	link_close(session);
	SET_VARSIZE(result, VARHDRSZ + size);
	PG_RETURN_BYTEA_P(result);
}
