/*-------------------------------------------------------------------------
 *
 * roles.c
 *	  Type link.role_ref, and the role anchor (SECURITY 3).
 *
 * Core knows nothing of the roles in our rows.  A privilege on the empty table
 * link.role_anchor makes a dependency that core does know, in pg_shdepend, so
 * that DROP ROLE is refused from every database.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "catalog/roles.h"
#include "catalog/tables.h"

PG_FUNCTION_INFO_V1(link_role_ref_in);
PG_FUNCTION_INFO_V1(link_role_ref_out);
PG_FUNCTION_INFO_V1(link_role_ref_recv);
PG_FUNCTION_INFO_V1(link_role_ref_send);

bool
link_role_exists(Oid role)
{
	return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role));
}

/* Quoted name, "-" for PUBLIC, "?" for a role that is gone. */
static char *
role_ref_text(Oid role)
{
	char	   *name;

	if (!OidIsValid(role))
		return pstrdup("-");
	name = GetUserNameFromId(role, true);
	return name ? pstrdup(quote_identifier(name)) : pstrdup("?");
}

static Oid
role_ref_parse(const char *text)
{
	List	   *names;
	Oid			role;

	if (strcmp(text, "-") == 0)
		return InvalidOid;
	if (strcmp(text, "?") == 0)
		return LINK_UNKNOWN_ROLE;
	if (!SplitIdentifierString(pstrdup(text), ',', &names) || list_length(names) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid role name: \"%s\"", text)));
	role = get_role_oid(linitial(names), true);
	if (!OidIsValid(role))
	{
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist", (char *) linitial(names)),
				 errdetail("The link rows that name it now name nobody.")));
		return LINK_UNKNOWN_ROLE;
	}
	return role;
}

Datum
link_role_ref_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_OID(role_ref_parse(PG_GETARG_CSTRING(0)));
}

Datum
link_role_ref_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(role_ref_text(PG_GETARG_OID(0)));
}

/* Binary form is the text form: an id would mean another role elsewhere. */
Datum
link_role_ref_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			nbytes;

	PG_RETURN_OID(role_ref_parse(pq_getmsgtext(buf, buf->len - buf->cursor, &nbytes)));
}

Datum
link_role_ref_send(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	char	   *text = role_ref_text(PG_GETARG_OID(0));

	pq_begintypsend(&buf);
	pq_sendtext(&buf, text, strlen(text));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

char *
link_role_name(Oid role)
{
	char	   *name;

	if (!OidIsValid(role))
		return pstrdup("PUBLIC");
	name = GetUserNameFromId(role, true);
	return name ? pstrdup(quote_identifier(name)) : psprintf("unknown (%u)", role);
}

/* Does the anchor's ACL name the role?  Owner of the anchor in *owner. */
static bool
anchored(Oid anchor, Oid role, Oid *owner)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(anchor));
	Datum		datum;
	bool		isnull;
	bool		found = false;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", anchor);
	*owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	datum = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
	if (!isnull)
	{
		Acl		   *acl = DatumGetAclP(datum);
		AclItem    *items = ACL_DAT(acl);

		for (int i = 0; i < ACL_NUM(acl) && !found; i++)
			found = items[i].ai_grantee == role;
	}
	ReleaseSysCache(tuple);
	return found || *owner == role;
}

/*
 * GRANT or REVOKE on the anchor, as its owner.
 *
 * It counts as part of the extension's installation, so that pg_dump leaves it
 * out: in a dump it would fail for each role that is missing in the target,
 * where the restored rows make the entries anew (events.c).
 */
static void
anchor_change(Oid owner, Oid role, bool grant)
{
	GrantStmt  *stmt = makeNode(GrantStmt);
	AccessPriv *priv = makeNode(AccessPriv);
	RoleSpec   *grantee = makeNode(RoleSpec);
	Oid			save_user;
	int			save_context;
	bool		save_creating = creating_extension;
	Oid			save_extension = CurrentExtensionObject;

	priv->priv_name = "references";
	grantee->roletype = ROLESPEC_CSTRING;
	grantee->rolename = GetUserNameFromId(role, false);
	grantee->location = -1;

	stmt->is_grant = grant;
	stmt->targtype = ACL_TARGET_OBJECT;
	stmt->objtype = OBJECT_TABLE;
	stmt->objects = list_make1(makeRangeVar("link", ANCHOR_TABLE, -1));
	stmt->privileges = list_make1(priv);
	stmt->grantees = list_make1(grantee);
	stmt->behavior = DROP_CASCADE;

	GetUserIdAndSecContext(&save_user, &save_context);
	SetUserIdAndSecContext(owner, save_context | SECURITY_LOCAL_USERID_CHANGE);
	PG_TRY();
	{
		creating_extension = true;
		CurrentExtensionObject = get_extension_oid("link", false);
		ExecuteGrantStmt(stmt);
	}
	PG_FINALLY();
	{
		creating_extension = save_creating;
		CurrentExtensionObject = save_extension;
	}
	PG_END_TRY();
	SetUserIdAndSecContext(save_user, save_context);
	CommandCounterIncrement();
}

/*
 * Rows and anchor must agree when transactions race.  Whoever relies on an
 * entry holds RowShareLock on the anchor to its end; whoever changes entries
 * holds ExclusiveLock, which also keeps two changes of the one ACL apart.
 */
void
link_anchor_add(Oid role)
{
	Oid			anchor = link_relation_oid(ANCHOR_TABLE);
	Oid			owner;

	if (!OidIsValid(role) || !link_role_exists(role))
		return;
	if (anchored(anchor, role, &owner))
	{
		LockRelationOid(anchor, RowShareLock);
		AcceptInvalidationMessages();
		if (anchored(anchor, role, &owner))
			return;
		UnlockRelationOid(anchor, RowShareLock);
	}
	LockRelationOid(anchor, ExclusiveLock);
	AcceptInvalidationMessages();
	if (!anchored(anchor, role, &owner))
		anchor_change(owner, role, true);
}

static bool
any_row(const char *table, const char *index, AttrNumber column, Oid role)
{
	LinkScan	scan;
	ScanKeyData key;
	bool		found;

	link_key_oid(&key, column, role);
	link_scan_begin(&scan, table, index, 1, &key);
	found = HeapTupleIsValid(link_scan_next(&scan));
	link_scan_end(&scan);
	return found;
}

static bool
role_is_named(Oid role)
{
	return any_row(LINK_TABLE, LINK_OWNER_INDEX, LINK_COL_OWNER, role) ||
		any_row(PIPELINE_TABLE, PIPELINE_OWNER_INDEX, PIPELINE_COL_OWNER, role) ||
		any_row(PRIVILEGE_TABLE, PRIVILEGE_GRANTEE_INDEX, PRIVILEGE_COL_GRANTEE, role) ||
		any_row(PRIVILEGE_TABLE, PRIVILEGE_GRANTOR_INDEX, PRIVILEGE_COL_GRANTOR, role);
}

void
link_anchor_release(Oid role)
{
	Oid			anchor = link_relation_oid(ANCHOR_TABLE);
	Oid			owner;

	if (!OidIsValid(role) || !link_role_exists(role) || role_is_named(role))
		return;
	LockRelationOid(anchor, ExclusiveLock);
	AcceptInvalidationMessages();
	if (anchored(anchor, role, &owner) && owner != role && !role_is_named(role))
		anchor_change(owner, role, false);
}

void
link_anchor_forget(Oid role)
{
	Oid			anchor = link_relation_oid(ANCHOR_TABLE);
	Oid			owner;

	LockRelationOid(anchor, ExclusiveLock);
	AcceptInvalidationMessages();
	(void) anchored(anchor, role, &owner);
	if (owner != role)
		anchor_change(owner, role, false);
}
