/*-------------------------------------------------------------------------
 *
 * show.c
 *	  What the current user may see of links and privileges.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "catalog/ddl.h"
#include "catalog/roles.h"
#include "catalog/show.h"
#include "errors.h"

List *
link_visible_rows(const char *namespace)
{
	List	   *visible = NIL;
	ListCell   *lc;
	const char *schema = NULL;	/* what follows is of this one */
	bool		schema_exists = false;
	bool		schema_shown = false;

	foreach(lc, link_rows(namespace, InvalidOid))
	{
		LinkRow    *row = lfirst(lc);

		if (schema == NULL || strcmp(schema, row->namespace) != 0)
		{
			schema = row->namespace;
			schema_exists = OidIsValid(get_namespace_oid(schema, true));
			schema_shown = (link_acl_on_scope(GetUserId(), schema, NULL) & LINK_ACL_VIEW) != 0;
		}
		if (!schema_exists && (namespace || !superuser()))
			continue;
		if (schema_shown || (link_acl_on_link(GetUserId(), row, NULL) & LINK_ACL_VIEW))
			visible = lappend(visible, row);
	}
	return visible;
}

static int
grant_cmp(const ListCell *a, const ListCell *b)
{
	const LinkGrant *x = lfirst(a);
	const LinkGrant *y = lfirst(b);

	if (x->link_id != y->link_id)
		return x->link_id < y->link_id ? -1 : 1;
	return strcmp(NameStr(x->namespace), NameStr(y->namespace));
}

List *
link_visible_grants(Oid role)
{
	List	   *visible = NIL;
	ListCell   *lc;
	Oid			user = GetUserId();

	foreach(lc, link_grants_all())
	{
		LinkGrant  *grant = lfirst(lc);
		const char *schema = NameStr(grant->namespace);

		if (OidIsValid(role) && grant->grantee != role)
			continue;
		if (OidIsValid(grant->grantee) && !link_role_exists(grant->grantee))
			continue;
		if (grant->link_id != 0 ? link_row_by_id(grant->link_id) == NULL :
			(schema[0] != '\0' && !OidIsValid(get_namespace_oid(schema, true))))
			continue;
		if (!superuser() && OidIsValid(grant->grantee) &&
			!has_privs_of_role(user, grant->grantee) &&
			!(link_role_exists(grant->grantor) && has_privs_of_role(user, grant->grantor)))
			continue;
		visible = lappend(visible, grant);
	}
	list_sort(visible, grant_cmp);
	return visible;
}

char *
link_current_schema(void)
{
	List	   *path = fetch_search_path(false);
	ListCell   *lc;
	char	   *name = NULL;

	foreach(lc, path)
	{
		if (isAnyTempNamespace(lfirst_oid(lc)))
			continue;
		name = get_namespace_name(lfirst_oid(lc));
		if (name)
			break;
	}
	list_free(path);
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("no schema has been selected for the link"),
				 errhint("Qualify the name, or set search_path.")));
	return name;
}

/* A literal of link.execute, in which nothing but the quote is doubled. */
static void
append_literal(StringInfo out, const char *text)
{
	appendStringInfoChar(out, '\'');
	for (; *text; text++)
	{
		if (*text == '\'')
			appendStringInfoChar(out, '\'');
		appendStringInfoChar(out, *text);
	}
	appendStringInfoChar(out, '\'');
}

char *
link_show_create(const LinkName *name)
{
	LinkRow    *row = link_lookup_name(name, LINK_ACL_VIEW);
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "CREATE LINK %s AS %s", link_qualified_name(row), row->type);
	if (row->n_credential_keys > 0)
	{
		StringInfoData json;

		initStringInfo(&json);
		for (int i = 0; i < row->n_credential_keys; i++)
			appendStringInfo(&json, "%s\"%s\": \"<redacted>\"", i > 0 ? ", " : "{", row->credential_keys[i]);
		appendStringInfoChar(&json, '}');
		appendStringInfoString(&out, " CREDENTIALS ");
		append_literal(&out, json.data);
	}
	if (strcmp(row->config, "{}") != 0)
	{
		appendStringInfoString(&out, " CONFIG ");
		append_literal(&out, row->config);
	}
	if (row->description)
	{
		appendStringInfoString(&out, " DESCRIPTION ");
		append_literal(&out, row->description);
	}
	return out.data;
}
