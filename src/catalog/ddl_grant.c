/*-------------------------------------------------------------------------
 *
 * ddl_grant.c
 *	  GRANT and REVOKE of link privileges.
 *
 * A row names who granted, and stands only as long as that role holds the grant
 * option: directly, at the row's scope or a wider one, from a row that stands
 * itself.  Superusers and a link's owner are where it begins.  REVOKE finds what
 * no longer stands after a change, and takes it along or refuses, as core does.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "catalog/ddl.h"
#include "catalog/ddl_internal.h"
#include "catalog/roles.h"
#include "catalog/tables.h"
#include "catalog/use.h"
#include "errors.h"

/* A scope, resolved. */
typedef struct Target
{
	int64		link_id;		/* 0 unless a link */
	const char *namespace;		/* "" unless a schema */
	LinkRow    *row;			/* of the link, or NULL */
	char	   *text;			/* for messages */
} Target;

/*
 * What the functions take as text.
 */

LinkScope *
link_parse_scope(const char *text)
{
	LinkScope  *scope = palloc0(sizeof(LinkScope));
	const char *p = text;
	LinkName	name;

	while (scanner_isspace(*p))
		p++;
	if (pg_strncasecmp(p, "LINK", 4) == 0 && scanner_isspace(p[4]))
	{
		LinkName   *link = palloc(sizeof(LinkName));

		*link = link_parse_name(p + 5);
		scope->link = link;
		return scope;
	}
	name = link_parse_name(p);
	if (strcmp(name.name, "*") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("invalid scope: \"%s\"", link_printable(text, strlen(text))),
				 errhint("Write \"*.*\" for the database, \"schema.*\" for a schema, \"LINK schema.name\" for one link.")));
	if (name.namespace == NULL || strcmp(name.namespace, "*") != 0)
		scope->namespace = name.namespace;
	if (name.namespace == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("invalid scope: \"*\""),
				 errhint("Write \"*.*\" for the database, \"schema.*\" for a schema.")));
	return scope;
}

/* SQL's identifier rules; exactly one name. */
static char *
parse_identifier(const char *text, const char *what)
{
	List	   *names;

	if (!SplitIdentifierString(pstrdup(text), '.', &names) || list_length(names) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid %s name: \"%s\"", what, link_printable(text, strlen(text)))));
	return linitial(names);
}

char *
link_parse_schema(const char *text)
{
	return parse_identifier(text, "schema");
}

List *
link_parse_privileges(const char *text)
{
	List	   *names = NIL;
	const char *p = text;

	for (;;)
	{
		const char *end = strchrnul(p, ',');
		const char *last = end;

		while (p < last && scanner_isspace(*p))
			p++;
		while (last > p && scanner_isspace(last[-1]))
			last--;
		names = lappend(names, pnstrdup(p, last - p));
		if (*end == '\0')
			return names;
		p = end + 1;
	}
}

Oid
link_parse_role(const char *text)
{
	char	   *name = parse_identifier(text, "role");

	return strcmp(name, "public") == 0 ? InvalidOid : get_role_oid(name, false);
}

static bool
is_all(const char *word)
{
	const char *rest;

	if (pg_strncasecmp(word, "ALL", 3) != 0)
		return false;
	rest = word + 3;
	while (scanner_isspace(*rest))
		rest++;
	return *rest == '\0' || (rest > word + 3 && pg_strcasecmp(rest, "PRIVILEGES") == 0);
}

/* The privileges that words name at a scope: List of const LinkPrivilege *. */
static List *
resolve_privileges(List *words, const Target *target)
{
	List	   *privileges = NIL;
	ListCell   *lc;

	foreach(lc, words)
	{
		const char *word = lfirst(lc);
		const LinkPrivilege *privilege;

		if (is_all(word))
		{
			for (privilege = link_privileges; privilege->name; privilege++)
				if (privilege->in_all && (target->link_id == 0 || privilege->on_link))
					privileges = list_append_unique_ptr(privileges, (void *) privilege);
			continue;
		}
		privilege = link_privilege_find(word);
		if (privilege == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("unrecognized link privilege: \"%s\"", link_printable(word, strlen(word))),
					 errhint("Privileges are CREATE, SHOW, USE, VIEW, READ, WRITE, ALTER, DROP, AMBIENT and ALL.")));
		if ((target->link_id != 0 && !privilege->on_link) ||
			(target->namespace[0] != '\0' && !privilege->on_schema))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_GRANT_OPERATION),
					 errmsg("privilege %s LINK has no meaning on %s", privilege->name, target->text),
					 errhint(privilege->on_schema ? "Grant it on schema.* or *.*." : "Grant it on *.*.")));
		privileges = list_append_unique_ptr(privileges, (void *) privilege);
	}
	return privileges;
}

/*
 * Resolve a scope and lock what decides about it.  All changes of grants in a
 * database wait for each other: whether a row stands may depend on any other.
 */
static Target
lock_target(const LinkScope *scope)
{
	Target		target = {0, "", NULL, "*.*"};

	if (scope->link)
	{
		target.row = link_lock_row(scope->link, 0);
		target.link_id = target.row->id;
		target.text = psprintf("LINK %s", link_qualified_name(target.row));
	}
	else if (scope->namespace)
	{
		link_lock_schema(scope->namespace);
		target.namespace = scope->namespace;
		target.text = psprintf("%s.*", quote_identifier(scope->namespace));
	}
	link_use_found_name(target.text);
	link_lock_name("", "");
	return target;
}

/* "READ LINK, WRITE LINK to a, b with grant option": what is granted or revoked, for the log. */
static void
tell_use(List *privileges, const char *preposition, List *grantees, const char *option)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, privileges)
		appendStringInfo(&text, "%s%s LINK", text.len > 0 ? ", " : "",
						 ((const LinkPrivilege *) lfirst(lc))->name);
	foreach(lc, grantees)
		appendStringInfo(&text, "%s %s", lc == list_head(grantees) ? preposition : ",",
						 link_role_name(lfirst_oid(lc)));
	link_use_detail("%s%s", text.data, option);
	pfree(text.data);
}

/*
 * Which rows stand.
 */

/* Does a grant at scope 'a' hold at the scope of 'b' too? */
static bool
covers(const LinkGrant *a, int64 link_id, const char *namespace, const LinkRow *row)
{
	const char *schema = NameStr(a->namespace);

	if (a->link_id != 0)
		return a->link_id == link_id;
	if (schema[0] == '\0')
		return true;
	return strcmp(schema, row ? row->namespace : namespace) == 0;
}

typedef struct GrantState
{
	LinkGrant  *grant;
	LinkRow    *row;			/* of its link, or NULL */
	bool		removed;
	bool		grantable;
	bool		stands;
} GrantState;

/* Every row of the table. */
static GrantState *
read_states(int *n)
{
	List	   *grants = link_grants_all();
	GrantState *states = palloc0(sizeof(GrantState) * Max(list_length(grants), 1));
	ListCell   *lc;

	*n = 0;
	foreach(lc, grants)
	{
		GrantState *state = &states[(*n)++];

		state->grant = lfirst(lc);
		state->grantable = state->grant->grantable;
		if (state->grant->link_id != 0)
			state->row = link_row_by_id(state->grant->link_id);
	}
	return states;
}

/* What 'role' may pass on at a scope by rows made out to itself that stand. */
static LinkAcl
grantable_by(const GrantState *states, int n, Oid role, int64 link_id, const char *namespace,
			 const LinkRow *row)
{
	LinkAcl		acl = 0;

	for (int i = 0; i < n; i++)
		if (states[i].stands && states[i].grantable && !states[i].removed &&
			states[i].grant->grantee == role && covers(states[i].grant, link_id, namespace, row))
			acl |= states[i].grant->privilege->acl;
	return acl;
}

/* Decide for each row whether it stands: from the sources on, until nothing changes. */
static void
find_standing(GrantState *states, int n)
{
	bool		changed = true;

	for (int i = 0; i < n; i++)
		states[i].stands = false;
	while (changed)
	{
		changed = false;
		for (int i = 0; i < n; i++)
		{
			const LinkGrant *grant = states[i].grant;
			LinkAcl		acl = grant->privilege->acl;

			if (states[i].stands || states[i].removed)
				continue;
			if (superuser_arg(grant->grantor) ||
				(states[i].row && states[i].row->owner == grant->grantor) ||
				(grantable_by(states, n, grant->grantor, grant->link_id,
							  NameStr(grant->namespace), states[i].row) & acl) == acl)
				states[i].stands = changed = true;
		}
	}
}

/*
 * Remove rows, or only their grant option, and what depends on it: rows that
 * stood before and do not after.
 */
static void
remove_with_dependents(GrantState *states, int n, List *chosen, bool option_only, bool cascade,
					   const char *what)
{
	bool	   *stood = palloc(n * sizeof(bool));
	List	   *doomed = NIL;
	StringInfoData dependents;
	ListCell   *lc;

	find_standing(states, n);
	for (int i = 0; i < n; i++)
		stood[i] = states[i].stands;
	foreach(lc, chosen)
	{
		GrantState *state = lfirst(lc);

		if (option_only)
			state->grantable = false;
		else
			state->removed = true;
	}
	find_standing(states, n);

	initStringInfo(&dependents);
	for (int i = 0; i < n; i++)
	{
		if (stood[i] && !states[i].stands && !states[i].removed)
		{
			appendStringInfo(&dependents, "%s%s LINK on %s to %s", dependents.len > 0 ? ", " : "",
							 states[i].grant->privilege->name, link_grant_scope_text(states[i].grant),
							 link_role_name(states[i].grant->grantee));
			states[i].removed = true;
		}
		if (states[i].removed)
			doomed = lappend(doomed, states[i].grant);
	}
	if (dependents.len > 0 && !cascade)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("dependent privileges exist"),
				 errdetail("They were granted by the grant option of %s: %s.", what, dependents.data),
				 errhint("Use CASCADE to revoke them too.")));

	for (int i = 0; option_only && i < n; i++)
	{
		LinkGrant  *grant = states[i].grant;

		if (!states[i].removed && grant->grantable && !states[i].grantable)
			link_set_grantable(grant, false);
	}
	link_remove_grants(doomed);
}

/*
 * Rows.
 */

static HeapTuple
grant_tuple(const LinkGrant *grant)
{
	ScanKeyData keys[2];
	LinkScan	scan;
	HeapTuple	tuple;

	link_key_int64(&keys[0], PRIVILEGE_COL_LINK_ID, grant->link_id);
	link_key_name(&keys[1], PRIVILEGE_COL_NAMESPACE, (Name) &grant->namespace);
	link_scan_begin(&scan, PRIVILEGE_TABLE, PRIVILEGE_SCOPE_INDEX, 2, keys);
	while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
		if (ItemPointerEquals(&tuple->t_self, (ItemPointer) &grant->tid))
			break;
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "a row of link.privilege vanished");
	tuple = heap_copytuple(tuple);
	link_scan_end(&scan);
	return tuple;
}

static void
update_grant(const LinkGrant *grant, AttrNumber column, Datum value)
{
	Datum		values[PRIVILEGE_NCOLS] = {0};
	bool		nulls[PRIVILEGE_NCOLS] = {0};
	bool		replace[PRIVILEGE_NCOLS] = {0};

	values[column - 1] = value;
	replace[column - 1] = true;
	link_table_update(PRIVILEGE_TABLE, grant_tuple(grant), values, nulls, replace);
}

void
link_set_grantable(const LinkGrant *grant, bool grantable)
{
	update_grant(grant, PRIVILEGE_COL_GRANTABLE, BoolGetDatum(grantable));
}

void
link_set_grant_schema(const LinkGrant *grant, const char *namespace)
{
	update_grant(grant, PRIVILEGE_COL_NAMESPACE, DirectFunctionCall1(namein, CStringGetDatum(namespace)));
}

void
link_remove_grants(List *grants)
{
	ListCell   *lc;

	foreach(lc, grants)
	{
		LinkGrant  *grant = lfirst(lc);

		link_table_delete(PRIVILEGE_TABLE, &grant->tid);
	}
	foreach(lc, grants)
	{
		LinkGrant  *grant = lfirst(lc);

		link_anchor_release(grant->grantee);
		link_anchor_release(grant->grantor);
	}
}

void
link_change_grantor(int64 link_id, Oid old_owner, Oid new_owner)
{
	List	   *grants;
	ListCell   *lc;

	link_lock_name("", "");
	grants = link_grants_at(link_id, "");
	foreach(lc, grants)
	{
		LinkGrant  *grant = lfirst(lc);
		ListCell   *other;
		bool		twin = false;

		if (grant->grantor != old_owner)
			continue;

		/* the new owner may have granted the same already */
		foreach(other, grants)
		{
			LinkGrant  *candidate = lfirst(other);

			if (candidate->grantor != new_owner || candidate->grantee != grant->grantee ||
				candidate->privilege != grant->privilege)
				continue;
			twin = true;
			if (grant->grantable && !candidate->grantable)
				link_set_grantable(candidate, true);
		}
		if (twin)
			link_table_delete(PRIVILEGE_TABLE, &grant->tid);
		else
			update_grant(grant, PRIVILEGE_COL_GRANTOR, ObjectIdGetDatum(new_owner));
	}
}

/*
 * GRANT.
 */

/*
 * In whose name the current user grants a privilege: as the owner of the link
 * or as superuser, or as a role he has the privileges of that may pass it on,
 * himself first.  False if there is none.
 */
static bool
find_grantor(const GrantState *states, int n, const Target *target, LinkAcl acl, Oid *grantor)
{
	Oid			user = GetUserId();

	if (target->row && link_is_owner(user, target->row))
	{
		*grantor = target->row->owner;
		return true;
	}
	*grantor = user;
	if (superuser() ||
		(grantable_by(states, n, user, target->link_id, target->namespace, target->row) & acl) == acl)
		return true;
	for (int i = 0; i < n; i++)
	{
		Oid			role = states[i].grant->grantee;

		if (OidIsValid(role) && states[i].grantable && link_role_exists(role) &&
			has_privs_of_role(user, role) &&
			(grantable_by(states, n, role, target->link_id, target->namespace, target->row) & acl) == acl)
		{
			*grantor = role;
			return true;
		}
	}
	return false;
}

static void
refuse_grant(const char *command, const LinkPrivilege *privilege, const Target *target)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("permission denied to %s %s LINK on %s", command, privilege->name, target->text),
			 errdetail("You need it WITH GRANT OPTION, there or at a wider scope.")));
}

static void
grant_one(const GrantState *states, int n, const Target *target, const LinkPrivilege *privilege,
		  Oid grantor, Oid grantee, bool grant_option)
{
	Datum		values[PRIVILEGE_NCOLS];
	bool		nulls[PRIVILEGE_NCOLS] = {0};

	for (int i = 0; i < n; i++)
	{
		const LinkGrant *grant = states[i].grant;

		if (grant->link_id != target->link_id || strcmp(NameStr(grant->namespace), target->namespace) != 0 ||
			grant->grantee != grantee || grant->grantor != grantor || grant->privilege != privilege)
			continue;
		if (grant_option && !grant->grantable)
			link_set_grantable(grant, true);
		return;
	}
	link_anchor_add(grantee);
	link_anchor_add(grantor);
	values[PRIVILEGE_COL_LINK_ID - 1] = Int64GetDatum(target->link_id);
	values[PRIVILEGE_COL_NAMESPACE - 1] = DirectFunctionCall1(namein, CStringGetDatum(target->namespace));
	values[PRIVILEGE_COL_GRANTEE - 1] = ObjectIdGetDatum(grantee);
	values[PRIVILEGE_COL_PRIVILEGE - 1] = DirectFunctionCall1(namein, CStringGetDatum(privilege->name));
	values[PRIVILEGE_COL_GRANTOR - 1] = ObjectIdGetDatum(grantor);
	values[PRIVILEGE_COL_GRANTABLE - 1] = BoolGetDatum(grant_option);
	link_table_insert(PRIVILEGE_TABLE, values, nulls);
}

static void
grant_all(List *words, const LinkScope *scope, List *grantees, bool grant_option)
{
	Target		target;
	List	   *privileges;
	GrantState *states;
	int			n;
	ListCell   *lc;

	link_prevent_write("GRANT");
	target = lock_target(scope);
	privileges = resolve_privileges(words, &target);
	tell_use(privileges, " to", grantees, grant_option ? " with grant option" : "");
	states = read_states(&n);
	find_standing(states, n);

	foreach(lc, privileges)
	{
		const LinkPrivilege *privilege = lfirst(lc);
		Oid			grantor;
		ListCell   *role;

		if (privilege->acl & LINK_ACL_AMBIENT)
		{
			if (grant_option)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_GRANT_OPERATION),
						 errmsg("AMBIENT LINK cannot be granted with grant option")));
			if (!superuser())
				ereport(ERROR,
						(errcode(ERRCODE_LINK_NO_PRIVILEGE),
						 errmsg("permission denied to grant AMBIENT LINK"),
						 errdetail("Only superusers grant it.")));
		}
		if (!find_grantor(states, n, &target, privilege->acl, &grantor))
			refuse_grant("grant", privilege, &target);
		foreach(role, grantees)
		{
			if (grant_option && !OidIsValid(lfirst_oid(role)))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_GRANT_OPERATION),
						 errmsg("grant options can only be granted to roles")));
			grant_one(states, n, &target, privilege, grantor, lfirst_oid(role), grant_option);
		}
	}
}

void
link_grant(List *words, const LinkScope *scope, List *grantees, bool grant_option)
{
	LINK_USE_BEGIN(LINK_VERB_GRANT_PRIVILEGE, NULL);
	{
		grant_all(words, scope, grantees, grant_option);
	}
	LINK_USE_END();
}

/*
 * REVOKE.
 */

/* What the role still has of what was revoked, and whence (SECURITY 8). */
static void
warn_still_held(const Target *target, Oid role, LinkAcl acl)
{
	StringInfoData sources;
	GrantState *states;
	LinkAcl		held = 0;
	int			n;

	if (OidIsValid(role) && superuser_arg(role))
		return;
	states = read_states(&n);
	initStringInfo(&sources);
	for (int i = 0; i < n; i++)
	{
		const LinkGrant *grant = states[i].grant;

		if ((grant->privilege->acl & acl) == 0 ||
			!covers(grant, target->link_id, target->namespace, target->row))
			continue;
		if (OidIsValid(grant->grantee) &&
			(!OidIsValid(role) || !link_role_exists(grant->grantee) ||
			 !has_privs_of_role(role, grant->grantee)))
			continue;
		held |= grant->privilege->acl & acl;
		appendStringInfo(&sources, "%s%s LINK on %s to %s, granted by %s", sources.len > 0 ? "; " : "",
						 grant->privilege->name, link_grant_scope_text(grant),
						 link_role_name(grant->grantee), link_role_name(grant->grantor));
	}
	if (held)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING_PRIVILEGE_NOT_REVOKED),
				 errmsg("%s still holds %s on %s", link_role_name(role), link_acl_text(held), target->text),
				 errdetail("By the grant of %s.", sources.data)));
}

static void
revoke_from(const Target *target, List *privileges, Oid grantee, bool option_only, bool cascade)
{
	bool		any_grantor = superuser() || (target->row && link_is_owner(GetUserId(), target->row));
	GrantState *states;
	int			n;
	List	   *chosen = NIL;
	LinkAcl		revoked = 0;
	StringInfoData what;
	ListCell   *lc;

	states = read_states(&n);
	find_standing(states, n);
	initStringInfo(&what);
	foreach(lc, privileges)
	{
		const LinkPrivilege *privilege = lfirst(lc);
		bool		mine = false;
		Oid			grantor;

		revoked |= privilege->acl;
		appendStringInfo(&what, "%s%s LINK", what.len > 0 ? ", " : "", privilege->name);
		for (int i = 0; i < n; i++)
		{
			const LinkGrant *grant = states[i].grant;

			if (grant->link_id != target->link_id || strcmp(NameStr(grant->namespace), target->namespace) != 0 ||
				grant->grantee != grantee || grant->privilege != privilege)
				continue;
			if (any_grantor ||
				(link_role_exists(grant->grantor) && has_privs_of_role(GetUserId(), grant->grantor)))
			{
				mine = true;
				chosen = lappend(chosen, &states[i]);
			}
		}
		if (!mine && !find_grantor(states, n, target, privilege->acl, &grantor))
			refuse_grant("revoke", privilege, target);
	}

	if (chosen == NIL)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING_PRIVILEGE_NOT_REVOKED),
				 errmsg("nothing was revoked: %s was not granted %s on %s",
						link_role_name(grantee), what.data, target->text)));
	else
		remove_with_dependents(states, n, chosen, option_only, cascade, what.data);
	if (!option_only)
		warn_still_held(target, grantee, revoked);
}

void
link_revoke(List *words, const LinkScope *scope, List *grantees, bool grant_option_only, bool cascade)
{
	LINK_USE_BEGIN(LINK_VERB_REVOKE_PRIVILEGE, NULL);
	{
		Target		target;
		List	   *privileges;
		ListCell   *lc;

		link_prevent_write("REVOKE");
		target = lock_target(scope);
		privileges = resolve_privileges(words, &target);
		tell_use(privileges, " from", grantees, grant_option_only ? ", grant option only" : "");
		foreach(lc, grantees)
			revoke_from(&target, privileges, lfirst_oid(lc), grant_option_only, cascade);
	}
	LINK_USE_END();
}

/* DROP OWNED: what the role was granted, what it granted, and what follows from that. */
void
link_revoke_all(Oid role)
{
	GrantState *states;
	List	   *chosen = NIL;
	int			n;

	link_lock_name("", "");
	states = read_states(&n);
	for (int i = 0; i < n; i++)
		if (states[i].grant->grantee == role || states[i].grant->grantor == role)
			chosen = lappend(chosen, &states[i]);
	remove_with_dependents(states, n, chosen, false, true, "the role");
}
