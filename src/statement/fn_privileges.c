/*-------------------------------------------------------------------------
 *
 * fn_privileges.c
 *	  SQL functions about privileges on links.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "catalog/ddl.h"
#include "catalog/roles.h"
#include "catalog/show.h"
#include "errors.h"
#include "statement/function.h"

PG_FUNCTION_INFO_V1(link_fn_grant_privilege);
PG_FUNCTION_INFO_V1(link_fn_revoke_privilege);
PG_FUNCTION_INFO_V1(link_fn_visible_privileges);
PG_FUNCTION_INFO_V1(link_fn_who_can_use);
PG_FUNCTION_INFO_V1(link_fn_has_privilege_name_name);
PG_FUNCTION_INFO_V1(link_fn_has_privilege_oid_name);
PG_FUNCTION_INFO_V1(link_fn_has_privilege_name);
PG_FUNCTION_INFO_V1(link_fn_has_privilege_name_id);
PG_FUNCTION_INFO_V1(link_fn_has_privilege_oid_id);
PG_FUNCTION_INFO_V1(link_fn_has_privilege_id);

Datum
link_fn_grant_privilege(PG_FUNCTION_ARGS)
{
	link_grant(link_parse_privileges(link_arg_text(fcinfo, 0, "privileges")),
			   link_parse_scope(link_arg_text(fcinfo, 1, "scope")),
			   list_make1_oid(link_parse_role(link_arg_text(fcinfo, 2, "grantee"))),
			   PG_GETARG_BOOL(3));
	PG_RETURN_VOID();
}

Datum
link_fn_revoke_privilege(PG_FUNCTION_ARGS)
{
	link_revoke(link_parse_privileges(link_arg_text(fcinfo, 0, "privileges")),
				link_parse_scope(link_arg_text(fcinfo, 1, "scope")),
				list_make1_oid(link_parse_role(link_arg_text(fcinfo, 2, "grantee"))),
				PG_GETARG_BOOL(3), PG_GETARG_BOOL(4));
	PG_RETURN_VOID();
}

Datum
link_fn_visible_privileges(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_visible_grants(InvalidOid))
	{
		LinkGrant  *grant = lfirst(lc);
		LinkRow    *row = grant->link_id != 0 ? link_row_by_id(grant->link_id) : NULL;
		const char *schema = row ? row->namespace : NameStr(grant->namespace);
		Datum		values[7] = {0};
		bool		nulls[7] = {0};

		values[0] = CStringGetTextDatum(link_role_name(grant->grantor));
		values[1] = CStringGetTextDatum(link_role_name(grant->grantee));
		values[2] = CStringGetTextDatum(link_grant_scope_text(grant));
		nulls[3] = schema[0] == '\0';
		if (!nulls[3])
			values[3] = CStringGetTextDatum(schema);
		nulls[4] = row == NULL;
		if (row)
			values[4] = CStringGetTextDatum(row->name);
		values[5] = CStringGetTextDatum(psprintf("%s LINK", grant->privilege->name));
		values[6] = BoolGetDatum(grant->grantable);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * Who can use a link, and why.
 */

static void
put_user(ReturnSetInfo *rsinfo, Oid role, const char *privilege, const char *via)
{
	Datum		values[3];
	bool		nulls[3] = {0};

	values[0] = CStringGetTextDatum(link_role_name(role));
	values[1] = CStringGetTextDatum(privilege);
	values[2] = CStringGetTextDatum(via);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Grants that let use the link, at its own scope and the wider ones. */
static List *
use_grants(const LinkRow *row)
{
	List	   *grants = NIL;
	ListCell   *lc;

	grants = list_concat(link_grants_at(row->id, ""), link_grants_at(0, row->namespace));
	grants = list_concat(grants, link_grants_at(0, ""));
	foreach(lc, grants)
	{
		LinkGrant  *grant = lfirst(lc);

		if ((grant->privilege->acl & LINK_ACL_USE) == 0)
			grants = foreach_delete_current(grants, lc);
	}
	return grants;
}

static void
put_uses_of(ReturnSetInfo *rsinfo, Oid role, const LinkRow *row, List *grants)
{
	ListCell   *lc;

	if (superuser_arg(role))
	{
		put_user(rsinfo, role, "ALL", "superuser");
		return;
	}
	if (role == row->owner)
		put_user(rsinfo, role, "ALL", "owner");
	else if (link_is_owner(role, row))
		put_user(rsinfo, role, "ALL", psprintf("member of owner %s", link_role_name(row->owner)));
	foreach(lc, grants)
	{
		LinkGrant  *grant = lfirst(lc);
		const char *scope = link_grant_scope_text(grant);

		if (!OidIsValid(grant->grantee) || !link_role_exists(grant->grantee) ||
			!has_privs_of_role(role, grant->grantee))
			continue;
		put_user(rsinfo, role, psprintf("%s LINK", grant->privilege->name),
				 role == grant->grantee ? psprintf("grant on %s", scope) :
				 psprintf("member of %s, grant on %s", link_role_name(grant->grantee), scope));
	}
}

Datum
link_fn_who_can_use(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LinkName	name = link_arg_name(fcinfo, 0, "link");
	LinkRow    *row = link_lookup_name(&name, LINK_ACL_VIEW);
	List	   *grants = use_grants(row);
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, grants)
	{
		LinkGrant  *grant = lfirst(lc);

		if (!OidIsValid(grant->grantee))
			put_user(rsinfo, InvalidOid, psprintf("%s LINK", grant->privilege->name),
					 psprintf("grant on %s", link_grant_scope_text(grant)));
	}
	rel = table_open(AuthIdRelationId, AccessShareLock);
	scan = systable_beginscan(rel, AuthIdRolnameIndexId, true, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		put_uses_of(rsinfo, ((Form_pg_authid) GETSTRUCT(tuple))->oid, row, grants);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return (Datum) 0;
}

/*
 * has_link_privilege in its six forms.
 */

/* Does the role hold any of the privileges listed, as core's functions take lists? */
static bool
holds_any(Oid role, const LinkRow *row, const char *text)
{
	static const char option[] = "WITH GRANT OPTION";
	LinkAcl		grantable;
	LinkAcl		acl = link_acl_on_link(role, row, &grantable);
	bool		result = false;
	ListCell   *lc;

	foreach(lc, link_parse_privileges(text))
	{
		char	   *word = lfirst(lc);
		Size		len = strlen(word);
		bool		with_option = false;
		const LinkPrivilege *privilege;

		if (len > sizeof(option) && pg_strcasecmp(word + len - (sizeof(option) - 1), option) == 0)
		{
			with_option = true;
			len -= sizeof(option) - 1;
			while (len > 0 && word[len - 1] == ' ')
				len--;
			word[len] = '\0';
		}
		privilege = link_privilege_find(word);
		if (privilege == NULL || !privilege->on_link)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("unrecognized privilege type: \"%s\"", link_printable(word, strlen(word)))));
		if (((with_option ? grantable : acl) & privilege->acl) == privilege->acl)
			result = true;
	}
	return result;
}

static bool
has_by_name(Oid role, FunctionCallInfo fcinfo, int n)
{
	LinkName	name = link_arg_name(fcinfo, n, "link");
	bool		known;
	LinkRow    *row = link_lookup_quiet(&name, &known);

	if (row == NULL && known)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNDEFINED),
				 errmsg("link %s does not exist",
						name.namespace ? quote_qualified_identifier(name.namespace, name.name) : quote_identifier(name.name))));
	return row != NULL && holds_any(role, row, link_arg_text(fcinfo, n + 1, "privilege"));
}

/* For ids: -1 stands for NULL, which core's functions give for what is gone. */
static int
has_by_id(Oid role, FunctionCallInfo fcinfo, int n)
{
	LinkRow    *row = link_row_by_id(PG_GETARG_INT64(n));
	bool		knows_all = link_acl_on_scope(GetUserId(), NULL, NULL) != 0;

	if (row == NULL)
		return knows_all ? -1 : 0;
	if (link_acl_on_link(GetUserId(), row, NULL) == 0 &&
		link_acl_on_scope(GetUserId(), row->namespace, NULL) == 0)
		return 0;
	return holds_any(role, row, link_arg_text(fcinfo, n + 1, "privilege"));
}

#define RETURN_MAYBE(result) \
	do { \
		int		maybe_ = (result); \
		if (maybe_ < 0) \
			PG_RETURN_NULL(); \
		PG_RETURN_BOOL(maybe_ != 0); \
	} while (0)

Datum
link_fn_has_privilege_name_name(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(has_by_name(get_role_oid_or_public(NameStr(*PG_GETARG_NAME(0))), fcinfo, 1));
}

Datum
link_fn_has_privilege_oid_name(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(has_by_name(PG_GETARG_OID(0), fcinfo, 1));
}

Datum
link_fn_has_privilege_name(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(has_by_name(GetUserId(), fcinfo, 0));
}

Datum
link_fn_has_privilege_name_id(PG_FUNCTION_ARGS)
{
	RETURN_MAYBE(has_by_id(get_role_oid_or_public(NameStr(*PG_GETARG_NAME(0))), fcinfo, 1));
}

Datum
link_fn_has_privilege_oid_id(PG_FUNCTION_ARGS)
{
	RETURN_MAYBE(has_by_id(PG_GETARG_OID(0), fcinfo, 1));
}

Datum
link_fn_has_privilege_id(PG_FUNCTION_ARGS)
{
	RETURN_MAYBE(has_by_id(GetUserId(), fcinfo, 0));
}
