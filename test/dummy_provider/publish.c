/*-------------------------------------------------------------------------
 *
 * publish.c
 *	  Publishing an object and removing it again if it is still the same, which
 *	  no statement does apart: functions for tests alone, built by build.sh.
 *
 *	  CREATE FUNCTION publish(link text, path text, content bytea) RETURNS text
 *		LANGUAGE C STRICT AS 'link', 'link_test_publish';		-- the version
 *	  CREATE FUNCTION unpublish(link text, path text, version text) RETURNS bool
 *		LANGUAGE C STRICT AS 'link', 'link_test_unpublish';
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

PG_FUNCTION_INFO_V1(link_test_publish);
PG_FUNCTION_INFO_V1(link_test_unpublish);

Datum
link_test_publish(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "link");
	bytea	   *content = PG_GETARG_BYTEA_PP(2);
	LinkSession *session = link_open(link_lookup_name(&name, LINK_ACL_WRITE));
	LinkWriter *writer = link_open_writer(session, link_arg_text(fcinfo, 1, "path"), false);
	StringInfoData token;
	char	   *version;

	initStringInfo(&token);
	link_write(writer, VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content));
	link_prepare(writer, &token);
	version = link_publish(session, writer->path, false, token.data, token.len);
	link_close(session);
	if (version == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(version));
}

Datum
link_test_unpublish(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "link");
	LinkSession *session = link_open(link_lookup_name(&name, LINK_ACL_WRITE));
	bool		removed = link_unpublish(session, link_arg_text(fcinfo, 1, "path"),
										 text_to_cstring(PG_GETARG_TEXT_PP(2)));

	link_close(session);
	PG_RETURN_BOOL(removed);
}
