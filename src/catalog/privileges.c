/*-------------------------------------------------------------------------
 *
 * privileges.c
 *	  What a role holds on a link, and the one way to find a link for use.
 *
 * A privilege held at a wider scope holds at the narrower one.  Rows are read
 * with the newest snapshot at every check, so a REVOKE that has committed
 * counts for the next statement of every session.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "catalog/privileges.h"
#include "catalog/roles.h"
#include "catalog/tables.h"
#include "catalog/use.h"
#include "errors.h"

/* SQL 2, SECURITY 8 */
const LinkPrivilege link_privileges[] = {
	{"CREATE", LINK_ACL_CREATE, false, true, true},
	{"SHOW", LINK_ACL_SHOW, true, true, true},
	{"USE", LINK_ACL_USE, true, true, true},
	{"VIEW", LINK_ACL_VIEW, true, true, true},
	{"READ", LINK_ACL_READ, true, true, true},
	{"WRITE", LINK_ACL_WRITE, true, true, true},
	{"ALTER", LINK_ACL_ALTER | LINK_ACL_VIEW, true, true, true},
	{"DROP", LINK_ACL_DROP | LINK_ACL_VIEW, true, true, true},
	{"AMBIENT", LINK_ACL_AMBIENT, false, false, false},
	{NULL}
};

const LinkPrivilege *
link_privilege_find(const char *name)
{
	Size		len = strlen(name);
	Size		word = strcspn(name, " \t\n\r\f\v");
	Size		rest = word + strspn(name + word, " \t\n\r\f\v");

	if (rest < len && pg_strcasecmp(name + rest, "LINK") != 0)
		return NULL;
	for (const LinkPrivilege *p = link_privileges; p->name; p++)
		if (strlen(p->name) == word && pg_strncasecmp(p->name, name, word) == 0)
			return p;
	return NULL;
}

char *
link_acl_text(LinkAcl acl)
{
	/* the atoms, each by the word that grants it alone */
	static const struct
	{
		LinkAcl		acl;
		const char *name;
	}			atoms[] = {
		{LINK_ACL_CREATE, "CREATE LINK"},
		{LINK_ACL_VIEW, "VIEW LINK"},
		{LINK_ACL_READ, "READ LINK"},
		{LINK_ACL_WRITE, "WRITE LINK"},
		{LINK_ACL_ALTER, "ALTER LINK"},
		{LINK_ACL_DROP, "DROP LINK"},
		{LINK_ACL_AMBIENT, "AMBIENT LINK"}
	};
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < lengthof(atoms); i++)
		if (acl & atoms[i].acl)
			appendStringInfo(&text, "%s%s", text.len ? ", " : "", atoms[i].name);
	return text.data;
}

static LinkGrant *
grant_from_tuple(HeapTuple tuple, TupleDesc desc)
{
	LinkGrant  *grant = palloc0(sizeof(LinkGrant));
	Datum		values[PRIVILEGE_NCOLS];
	bool		nulls[PRIVILEGE_NCOLS];

	heap_deform_tuple(tuple, desc, values, nulls);
	grant->link_id = DatumGetInt64(values[PRIVILEGE_COL_LINK_ID - 1]);
	grant->namespace = *DatumGetName(values[PRIVILEGE_COL_NAMESPACE - 1]);
	grant->grantee = DatumGetObjectId(values[PRIVILEGE_COL_GRANTEE - 1]);
	grant->grantor = DatumGetObjectId(values[PRIVILEGE_COL_GRANTOR - 1]);
	grant->privilege = link_privilege_find(NameStr(*DatumGetName(values[PRIVILEGE_COL_PRIVILEGE - 1])));
	grant->grantable = DatumGetBool(values[PRIVILEGE_COL_GRANTABLE - 1]);
	grant->tid = tuple->t_self;
	return grant;
}

static List *
read_grants(int nkeys, ScanKey keys)
{
	LinkScan	scan;
	HeapTuple	tuple;
	List	   *grants = NIL;

	link_scan_begin(&scan, PRIVILEGE_TABLE, nkeys ? PRIVILEGE_SCOPE_INDEX : NULL, nkeys, keys);
	while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
	{
		LinkGrant  *grant = grant_from_tuple(tuple, RelationGetDescr(scan.rel));

		/* a word this version does not know grants nothing */
		if (grant->privilege)
			grants = lappend(grants, grant);
	}
	link_scan_end(&scan);
	return grants;
}

List *
link_grants_at(int64 link_id, const char *namespace)
{
	ScanKeyData keys[2];
	NameData	schema;

	namestrcpy(&schema, namespace);
	link_key_int64(&keys[0], PRIVILEGE_COL_LINK_ID, link_id);
	link_key_name(&keys[1], PRIVILEGE_COL_NAMESPACE, &schema);
	return read_grants(2, keys);
}

List *
link_grants_all(void)
{
	return read_grants(0, NULL);
}

char *
link_grant_scope_text(const LinkGrant *grant)
{
	if (grant->link_id != 0)
	{
		LinkRow    *row = link_row_by_id(grant->link_id);

		return row ? psprintf("LINK %s", link_qualified_name(row)) : pstrdup("LINK ?");
	}
	if (NameStr(grant->namespace)[0] != '\0')
		return psprintf("%s.*", quote_identifier(NameStr(grant->namespace)));
	return pstrdup("*.*");
}

/* Does 'role' hold what was granted to 'grantee'? */
static bool
holds(Oid role, Oid grantee)
{
	if (!OidIsValid(grantee))
		return true;
	return link_role_exists(grantee) && has_privs_of_role(role, grantee);
}

static LinkAcl
acl_at(Oid role, int64 link_id, const char *namespace, LinkAcl *grantable)
{
	List	   *grants = link_grants_at(link_id, namespace);
	LinkAcl		acl = 0;
	ListCell   *lc;

	foreach(lc, grants)
	{
		LinkGrant  *grant = lfirst(lc);

		if (!holds(role, grant->grantee))
			continue;
		acl |= grant->privilege->acl;
		if (grant->grantable)
			*grantable |= grant->privilege->acl;
	}
	list_free_deep(grants);
	return acl;
}

LinkAcl
link_acl_on_scope(Oid role, const char *namespace, LinkAcl *grantable)
{
	LinkAcl		unused;
	LinkAcl		acl;

	if (grantable == NULL)
		grantable = &unused;
	*grantable = 0;
	if (superuser_arg(role))
	{
		*grantable = ~(LinkAcl) 0;
		return ~(LinkAcl) 0;
	}
	acl = acl_at(role, 0, "", grantable);
	if (namespace && OidIsValid(get_namespace_oid(namespace, true)))
		acl |= acl_at(role, 0, namespace, grantable);
	return acl;
}

bool
link_is_owner(Oid role, const LinkRow *row)
{
	if (superuser_arg(role))
		return true;
	return link_role_exists(row->owner) && has_privs_of_role(role, row->owner);
}

LinkAcl
link_acl_on_link(Oid role, const LinkRow *row, LinkAcl *grantable)
{
	LinkAcl		unused;
	LinkAcl		acl;

	if (grantable == NULL)
		grantable = &unused;
	*grantable = 0;

	/* A link whose schema is gone is a superuser's to clean up. */
	if (!superuser_arg(role) && !OidIsValid(get_namespace_oid(row->namespace, true)))
		return 0;
	if (link_is_owner(role, row))
	{
		*grantable = LINK_ACL_ON_LINK;
		return LINK_ACL_ON_LINK;
	}
	acl = link_acl_on_scope(role, row->namespace, grantable);
	acl |= acl_at(role, row->id, "", grantable);
	*grantable &= LINK_ACL_ON_LINK;
	return acl & LINK_ACL_ON_LINK;
}

/*
 * May the current user know which links a schema has?  Whoever holds some link
 * privilege at its scope or a wider one (SECURITY 11).
 */
static bool
may_know(const char *namespace)
{
	return link_acl_on_scope(GetUserId(), namespace, NULL) != 0;
}

/*
 * The same words whether the link exists or not: strangers cannot tell.
 */
static void
refuse_stranger(const LinkName *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("permission denied for link %s",
					name->namespace ? quote_qualified_identifier(name->namespace, name->name) : quote_identifier(name->name)),
			 errhint("It does not exist, or you hold no privilege on it.")));
}

/*
 * The first link of that name in the schemas searched, whatever the rights on
 * it, so that nobody is led to another one.  *known tells whether the current
 * user may know that there is none.
 */
static LinkRow *
resolve(const LinkName *name, bool *known)
{
	LinkRow    *row = NULL;
	List	   *path;
	ListCell   *lc;

	if (name->namespace)
	{
		*known = may_know(name->namespace);
		return link_row_by_name(name->namespace, name->name);
	}

	/*
	 * fetch_search_path() leaves out schemas without USAGE.  An unqualified
	 * name that is nowhere is told only to one who may know all of them.
	 */
	path = fetch_search_path(false);
	*known = true;
	foreach(lc, path)
	{
		char	   *namespace;

		if (isAnyTempNamespace(lfirst_oid(lc)))
			continue;
		namespace = get_namespace_name(lfirst_oid(lc));
		if (namespace == NULL)
			continue;
		row = link_row_by_name(namespace, name->name);
		if (row != NULL)
		{
			*known = may_know(namespace);
			break;
		}
		*known = *known && may_know(namespace);
	}
	list_free(path);
	return row;
}

void
link_acl_require(const LinkRow *row, LinkAcl needed)
{
	LinkAcl		missing = needed & ~link_acl_on_link(GetUserId(), row, NULL);

	if (missing)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("permission denied for link %s", link_qualified_name(row)),
				 errdetail("You need %s on the link, its schema or the database.",
						   link_acl_text(missing))));
}

/* Rights are there; transfers check these again as they go on. */
static LinkRow *
demanded(LinkRow *row, LinkAcl needed)
{
	link_acl_require(row, needed);
	row->demanded = needed;
	return row;
}

LinkRow *
link_lookup_missing_ok(const LinkName *name, LinkAcl needed)
{
	bool		known;
	LinkRow    *row = resolve(name, &known);

	if (row != NULL)
		link_use_found(row);
	if (!known && (row == NULL || link_acl_on_link(GetUserId(), row, NULL) == 0))
		refuse_stranger(name);
	return row ? demanded(row, needed) : NULL;
}

LinkRow *
link_lookup_name(const LinkName *name, LinkAcl needed)
{
	LinkRow    *row = link_lookup_missing_ok(name, needed);

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNDEFINED),
				 errmsg("link %s does not exist",
						name->namespace ? quote_qualified_identifier(name->namespace, name->name) : quote_identifier(name->name))));
	return row;
}

LinkRow *
link_lookup(const char *name, LinkAcl needed)
{
	LinkName	parsed = link_parse_name(name);

	return link_lookup_name(&parsed, needed);
}

LinkRow *
link_lookup_quiet(const LinkName *name, bool *known)
{
	LinkRow    *row = resolve(name, known);

	if (row != NULL && !*known && link_acl_on_link(GetUserId(), row, NULL) == 0)
		return NULL;
	return row;
}

LinkRow *
link_lookup_id(int64 id, LinkAcl needed)
{
	LinkRow    *row = link_row_by_id(id);

	if (row != NULL)
		link_use_found(row);
	if (row == NULL || link_acl_on_link(GetUserId(), row, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("permission denied for link with id " INT64_FORMAT, id),
				 errhint("It does not exist, or you hold no privilege on it.")));
	return demanded(row, needed);
}
