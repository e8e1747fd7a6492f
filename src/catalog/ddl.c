/*-------------------------------------------------------------------------
 *
 * ddl.c
 *	  CREATE LINK and ALTER LINK: what a link holds.
 *
 * Both end in one function, store(), which checks the two clauses as they will
 * be, seals the credentials to the link and its origin keys, and writes the row.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/json.h"

#include "access/htup_details.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "bounds.h"
#include "catalog/ddl.h"
#include "catalog/ddl_internal.h"
#include "catalog/keyring.h"
#include "catalog/roles.h"
#include "catalog/seal.h"
#include "catalog/show.h"
#include "catalog/tables.h"
#include "catalog/use.h"
#include "errors.h"
#include "hygiene.h"
#include "provider/provider.h"

/* A link as it is to be. */
typedef struct NewLink
{
	const LinkRow *old;			/* NULL for a new one */
	char	   *namespace;
	char	   *name;
	const LinkProvider *provider;
	struct json_object *config;
	struct json_object *credentials;	/* NULL: keep what is sealed */
	const char *description;
} NewLink;

/*
 * Where links may be.
 */

void
link_lock_schema(const char *namespace)
{
	Oid			oid;

	if (IsReservedName(namespace) || strcmp(namespace, "information_schema") == 0 ||
		strcmp(namespace, "link") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("schema \"%s\" cannot hold links", namespace)));

	/* DROP SCHEMA waits for us, and then finds the link */
	oid = get_namespace_oid(namespace, true);
	if (OidIsValid(oid))
		LockDatabaseObject(NamespaceRelationId, oid, 0, AccessShareLock);
	if (!OidIsValid(oid) || !SearchSysCacheExists1(NAMESPACEOID, ObjectIdGetDatum(oid)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema \"%s\" does not exist", namespace)));
}

void
link_refuse_create(const char *namespace)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("permission denied to create links in schema \"%s\"", namespace),
			 errdetail("You need CREATE LINK on the schema or the database.")));
}

void
link_refuse_duplicate(const char *namespace, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_DUPLICATE),
			 errmsg("link %s already exists", quote_qualified_identifier(namespace, name))));
}

LinkRow *
link_lock_row(const LinkName *name, LinkAcl needed)
{
	LinkRow    *row = link_lookup_name(name, needed);
	int64		id = row->id;

	link_lock_link(id);

	/* Others may have changed, renamed or dropped it while we waited. */
	row = link_row_by_id(id);
	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNDEFINED),
				 errmsg("link %s does not exist",
						name->namespace ? quote_qualified_identifier(name->namespace, name->name) : quote_identifier(name->name)),
				 errdetail("It was dropped by another session meanwhile.")));
	link_acl_require(row, needed);
	return row;
}

/*
 * Types.
 */

static const LinkProvider *
require_provider(const char *type)
{
	const LinkProvider *provider = link_provider_find(type);
	const char *names[16];
	const char *closest;
	int			n = 0;

	if (provider == NULL)
	{
		while (n < lengthof(names) - 1 && link_provider_nth(n) != NULL)
		{
			names[n] = link_provider_nth(n)->type;
			n++;
		}
		names[n] = NULL;
		closest = link_closest_match(type, names);
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("link type \"%s\" is not supported", link_printable(type, Min(strlen(type), NAMEDATALEN))),
				 errdetail("Types of links are %s.", link_provider_names()),
				 closest ? errhint("Perhaps you meant \"%s\".", closest) : 0));
	}
	if (provider->ops == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("link type %s is not yet supported by this build", provider->type)));
	return provider;
}

/*
 * Clauses.
 */

static struct json_object *
parse_clause(const char *what, const char *text)
{
	return link_json_parse(what, text ? text : "{}", text ? strlen(text) : 2);
}

/* Does the clause hold what must not be in a log? */
static bool
has_secret(const LinkOptionDef *defs, struct json_object *credentials)
{
	json_object_object_foreach(credentials, key, value)
	{
		const LinkOptionDef *def = link_option_find(defs, key);

		(void) value;
		if (def == NULL || (def->flags & LINK_OPTION_SECRET))
			return true;
	}
	return false;
}

static struct json_object *
credentials_of(const LinkRow *row, struct json_object *config)
{
	Size		len;
	char	   *text;

	if (row->credentials == NULL)
		return parse_clause("CREDENTIALS", NULL);
	text = link_unseal(row->credentials, row->id, row->type,
					   link_options_origin(row->provider->options, NULL, config),
					   link_qualified_name(row), &len);
	return link_json_parse("CREDENTIALS", text, len);
}

/* Is the key that sealed this in the ring?  Nothing sealed is open already. */
static bool
can_open(const bytea *sealed)
{
	char	   *id;
	LinkKey		key;
	bool		found;

	if (sealed == NULL)
		return true;
	id = link_sealed_key_id(sealed);
	found = id != NULL && link_keyring_find(id, &key);
	explicit_bzero(&key, sizeof(key));
	return found;
}

/* Replace, add or (value NULL) remove one key. */
static void
change_key(const LinkOptionDef *defs, const char *what, struct json_object *clause,
		   const char *key, const char *value)
{
	const LinkOptionDef *def = link_option_find(defs, key);
	struct json_object *old;
	struct json_object *new = NULL;

	if (value)
		new = def ? link_option_from_text(def, value) : json_object_new_string(value);

	if (json_object_object_get_ex(clause, key, &old))
	{
		link_json_wipe(old);
		json_object_object_del(clause, key);
	}
	else if (value == NULL && def == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("unknown key \"%s\" in %s", link_printable(key, strlen(key)), what)));
	if (new)
		json_object_object_add(clause, key, new);
}

/* The current user must hold AMBIENT for each ambient key that is not as it was, all if 'old' is NULL. */
static void
require_ambient(const LinkOptionDef *defs, LinkClause clause, struct json_object *new,
				struct json_object *old)
{
	json_object_object_foreach(new, key, value)
	{
		struct json_object *single = json_object_new_object();
		struct json_object *before = NULL;
		const char *name;
		bool		ambient;

		json_object_object_add(single, key, json_object_get(value));
		ambient = link_options_ambient(defs, clause, single, &name);
		json_object_put(single);
		if (!ambient)
			continue;
		if (old && json_object_object_get_ex(old, key, &before) && json_object_equal(before, value))
			continue;
		if ((link_acl_on_scope(GetUserId(), NULL, NULL) & LINK_ACL_AMBIENT) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_NO_PRIVILEGE),
					 errmsg("permission denied to set \"%s\" of a link", key),
					 errdetail("It borrows the identity or files of the server, which needs AMBIENT LINK."),
					 errhint("A superuser can grant AMBIENT LINK ON *.* TO you.")));
	}
}

/*
 * What may change on a link that is there: the limits by its owner only, and
 * where its credentials go only together with them (SECURITY 9, 14).
 */
static void
check_change(const LinkRow *row, struct json_object *old_config, struct json_object *new_config,
			 bool whole_credentials)
{
	const LinkOptionDef *defs = row->provider->options;
	const char *key;

	if (link_options_differ(defs, LINK_CONFIG, LINK_OPTION_LIMIT, old_config, new_config, &key) &&
		!link_is_owner(GetUserId(), row))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("permission denied to change \"%s\" of link %s", key, link_qualified_name(row)),
				 errdetail("It limits what the link may be used for: only its owner may change it.")));

	if (!whole_credentials && row->credentials != NULL &&
		link_options_differ(defs, LINK_CONFIG, LINK_OPTION_ORIGIN, old_config, new_config, &key))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("changing \"%s\" of link %s needs its credentials again", key, link_qualified_name(row)),
				 errdetail("Credentials are bound to where they are sent."),
				 errhint("Give CREDENTIALS, whole, in the same statement.")));
}

/*
 * Writing the row.
 */

bool
link_nothing_sealed(void)
{
	LinkScan	scan;
	HeapTuple	tuple;
	bool		found = false;

	link_scan_begin(&scan, LINK_TABLE, NULL, 0, NULL);
	while (!found && HeapTupleIsValid(tuple = link_scan_next(&scan)))
		found = !heap_attisnull(tuple, LINK_COL_CREDENTIALS, RelationGetDescr(scan.rel));
	link_scan_end(&scan);
	return !found;
}

static Datum
key_names(struct json_object *object)
{
	int			n = object ? json_object_object_length(object) : 0;
	Datum	   *names = palloc(sizeof(Datum) * Max(n, 1));
	int			i = 0;

	if (n > 0)
	{
		json_object_object_foreach(object, key, value)
		{
			(void) value;
			names[i++] = CStringGetTextDatum(key);
		}
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static HeapTuple
old_tuple(const LinkRow *row, TupleDesc *desc)
{
	HeapTuple	tuple = link_table_row(LINK_TABLE, LINK_ID_INDEX, LINK_COL_ID, row->id, desc);

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "link " INT64_FORMAT " vanished", row->id);
	return tuple;
}

void
link_update_row(const LinkRow *row, Datum *values, bool *nulls, bool *replace)
{
	HeapTuple	tuple = old_tuple(row, NULL);

	values[LINK_COL_ALTERED_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	nulls[LINK_COL_ALTERED_AT - 1] = false;
	replace[LINK_COL_ALTERED_AT - 1] = true;
	link_table_update(LINK_TABLE, tuple, values, nulls, replace);
	heap_freetuple(tuple);
}

static void
set_value(Datum *values, bool *nulls, bool *replace, AttrNumber column, Datum value, bool isnull)
{
	values[column - 1] = value;
	nulls[column - 1] = isnull;
	replace[column - 1] = true;
}

/* Written out a text may be longer than it was typed, and it has to be read again. */
static char *
text_to_store(const char *what, struct json_object *object)
{
	char	   *text = link_json_text(object);
	Size		len = strlen(text);

	if (len > LINK_MAX_OPTIONS)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("%s is too long", what),
				 errdetail("As it is stored it has %zu bytes; at most %d are allowed.",
						   len, LINK_MAX_OPTIONS)));
	return text;
}

/* Seal, write; returns the link's id. */
static int64
store(const NewLink *new)
{
	const LinkOptionDef *defs = new->provider->options;
	int64		id = new->old ? new->old->id : link_next_id(LINK_ID_SEQUENCE);
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[LINK_NCOLS] = {0};
	bool		nulls[LINK_NCOLS] = {0};
	bool		replace[LINK_NCOLS] = {0};

#define SET(column, value, isnull) set_value(values, nulls, replace, column, value, isnull)

	SET(LINK_COL_CONFIG, DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_store("CONFIG", new->config))), false);
	SET(LINK_COL_DESCRIPTION, new->description ? CStringGetTextDatum(new->description) : (Datum) 0,
		new->description == NULL);
	if (new->credentials)
	{
		bytea	   *sealed = NULL;

		if (json_object_object_length(new->credentials) > 0)
		{
			char	   *text = text_to_store("CREDENTIALS", new->credentials);
			LinkKey    *key = link_secret_alloc(sizeof(LinkKey));

			/* the first link that is sealed makes the first ring (SECURITY 18) */
			link_keyring_current(key, link_nothing_sealed);
			sealed = link_seal(key, id, new->provider->type,
							   link_options_origin(defs, NULL, new->config),
							   text, strlen(text));
		}
		SET(LINK_COL_CREDENTIALS, PointerGetDatum(sealed), sealed == NULL);
		SET(LINK_COL_CREDENTIAL_KEYS, key_names(new->credentials), false);
		SET(LINK_COL_CREDENTIALS_CHANGED_AT, TimestampTzGetDatum(now), sealed == NULL);
	}
	if (new->old)
	{
		link_update_row(new->old, values, nulls, replace);
		return id;
	}

	link_anchor_add(GetUserId());
	SET(LINK_COL_ID, Int64GetDatum(id), false);
	SET(LINK_COL_NAMESPACE, DirectFunctionCall1(namein, CStringGetDatum(new->namespace)), false);
	SET(LINK_COL_NAME, DirectFunctionCall1(namein, CStringGetDatum(new->name)), false);
	SET(LINK_COL_FOLDED_NAME, DirectFunctionCall1(namein, CStringGetDatum(link_fold_name(new->name))), false);
	SET(LINK_COL_TYPE, CStringGetTextDatum(new->provider->type), false);
	SET(LINK_COL_OWNER, ObjectIdGetDatum(GetUserId()), false);
	SET(LINK_COL_CREATED_AT, TimestampTzGetDatum(now), false);
	SET(LINK_COL_ALTERED_AT, TimestampTzGetDatum(now), false);
	link_table_insert(LINK_TABLE, values, nulls);
#undef SET
	return id;
}

/*
 * CREATE LINK.
 */

/* Others may already use all links of the schema: say so (SECURITY 9). */
static void
notice_users(int64 id)
{
	LinkRow    *row = link_row_by_id(id);
	StringInfoData who;
	const char *scopes[] = {row->namespace, ""};

	initStringInfo(&who);
	for (int i = 0; i < lengthof(scopes); i++)
	{
		ListCell   *lc;

		foreach(lc, link_grants_at(0, scopes[i]))
		{
			LinkGrant  *grant = lfirst(lc);

			if ((grant->privilege->acl & LINK_ACL_USE) == 0 || grant->grantee == row->owner ||
				(OidIsValid(grant->grantee) && !link_role_exists(grant->grantee)))
				continue;
			appendStringInfo(&who, "%s%s (%s LINK on %s)", who.len > 0 ? ", " : "",
							 link_role_name(grant->grantee), grant->privilege->name,
							 link_grant_scope_text(grant));
		}
	}
	if (who.len > 0)
		ereport(NOTICE,
				(errmsg("link %s can be used by others already", link_qualified_name(row)),
				 errdetail("They are: %s.", who.data)));
}

/* Prove that the link works; an error undoes the statement. */
static void
try_link(int64 id)
{
	LinkSession *session = link_open(link_row_by_id(id));

	session->provider->ops->connect(session);
	session->provider->ops->authenticate(session);
	link_close(session);
}

static LinkRow *
existing_for_create(const LinkCreateArgs *args, const char *namespace)
{
	LinkRow    *row;
	bool		may_create = (link_acl_on_scope(GetUserId(), namespace, NULL) & LINK_ACL_CREATE) != 0;

	link_lock_name(namespace, link_fold_name(args->name.name));
	row = link_row_by_name(namespace, args->name.name);
	if (row && args->or_replace)
	{
		link_lock_link(row->id);
		row = link_row_by_name(namespace, args->name.name);
	}

	/* the same words whether the link exists or not (SECURITY 11) */
	if (!may_create &&
		!(row && args->or_replace && (link_acl_on_link(GetUserId(), row, NULL) & LINK_ACL_ALTER)))
		link_refuse_create(namespace);
	return row;
}

static void
create(const LinkCreateArgs *args)
{
	NewLink		new = {0};
	struct json_object *old_config = NULL;
	LinkRow    *row;
	int64		id;

	link_prevent_write("CREATE LINK");
	if (args->or_replace && args->if_not_exists)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("OR REPLACE and IF NOT EXISTS exclude each other")));
	link_check_name(&args->name);
	new.name = args->name.name;
	new.namespace = args->name.namespace ? args->name.namespace : link_current_schema();
	link_use_found_name(quote_qualified_identifier(new.namespace, new.name));
	link_lock_schema(new.namespace);
	row = existing_for_create(args, new.namespace);
	if (row && !args->or_replace)
	{
		if (!args->if_not_exists)
			link_refuse_duplicate(row->namespace, row->name);
		ereport(NOTICE,
				(errcode(ERRCODE_LINK_DUPLICATE),
				 errmsg("link %s already exists, skipping", link_qualified_name(row))));
		link_use_detail("already exists, skipped");
		return;
	}

	new.provider = require_provider(args->type);
	link_use_detail("type %s%s", new.provider->type, row ? ", replaced" : "");
	if (row)
	{
		link_acl_require(row, LINK_ACL_ALTER);
		if (strcmp(row->type, new.provider->type) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("cannot change the type of link %s from %s to %s",
							link_qualified_name(row), row->type, new.provider->type),
					 errhint("Drop the link first.")));
		old_config = parse_clause("CONFIG", row->config);
	}
	new.old = row;
	new.description = args->description;
	new.credentials = parse_clause("CREDENTIALS", args->credentials);
	if (has_secret(new.provider->options, new.credentials))
		link_hygiene_require();
	new.config = parse_clause("CONFIG", args->config);
	link_options_check(new.provider->type, new.provider->options, LINK_CREDENTIALS, new.credentials);
	link_options_check(new.provider->type, new.provider->options, LINK_CONFIG, new.config);
	link_options_check_required(new.provider->type, new.provider->options, new.credentials, new.config);
	if (row)
		check_change(row, old_config, new.config, true);
	require_ambient(new.provider->options, LINK_CREDENTIALS, new.credentials, NULL);
	require_ambient(new.provider->options, LINK_CONFIG, new.config, NULL);
	if (new.provider->validate)
		new.provider->validate(new.credentials, new.config);

	id = store(&new);
	if (row == NULL)
		notice_users(id);
	if (args->validate)
		try_link(id);
}

void
link_create(const LinkCreateArgs *args)
{
	LINK_USE_BEGIN(LINK_VERB_CREATE_LINK, NULL);
	{
		create(args);
	}
	LINK_USE_END();
}

/*
 * ALTER LINK.
 */

/* An origin key of CREDENTIALS cannot be changed on its own. */
static void
check_origin_key(const LinkRow *row, const char *key)
{
	const LinkOptionDef *def = link_option_find(row->provider->options, key);

	if (row->credentials == NULL || def == NULL || (def->flags & LINK_OPTION_ORIGIN) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("changing \"%s\" of link %s needs its credentials again", key, link_qualified_name(row)),
			 errdetail("Credentials are bound to where they are sent."),
			 errhint("Give CREDENTIALS, whole, in the same statement.")));
}

static void
alter(const LinkAlterArgs *args)
{
	const LinkOptionDef *defs;
	NewLink		new = {0};
	struct json_object *old_config;
	struct json_object *old_credentials = NULL;
	LinkRow    *row;

	link_prevent_write("ALTER LINK");
	link_use_detail("set%s%s%s", args->credentials.given ? " credentials" : "",
					args->config.given ? " config" : "", args->description_given ? " description" : "");
	row = link_lock_row(&args->name, LINK_ACL_ALTER);
	new.provider = require_provider(row->type);
	defs = new.provider->options;
	new.old = row;
	new.description = args->description_given ? args->description : row->description;

	old_config = parse_clause("CONFIG", row->config);
	new.config = parse_clause("CONFIG", args->config.given && args->config.json ? args->config.json : row->config);
	if (args->config.given && args->config.key)
		change_key(defs, "CONFIG", new.config, args->config.key, args->config.value);

	if (args->credentials.given)
	{
		bool		secret;

		if (args->credentials.json)
		{
			new.credentials = parse_clause("CREDENTIALS", args->credentials.json);
			secret = has_secret(defs, new.credentials);
		}
		else
		{
			const LinkOptionDef *def = link_option_find(defs, args->credentials.key);

			check_origin_key(row, args->credentials.key);
			secret = args->credentials.value != NULL && (def == NULL || (def->flags & LINK_OPTION_SECRET));
			old_credentials = credentials_of(row, old_config);
			new.credentials = credentials_of(row, old_config);
			change_key(defs, "CREDENTIALS", new.credentials, args->credentials.key, args->credentials.value);
		}
		if (secret)
			link_hygiene_require();
		link_options_check(row->type, defs, LINK_CREDENTIALS, new.credentials);
		require_ambient(defs, LINK_CREDENTIALS, new.credentials, old_credentials);
	}

	if (args->config.given || args->credentials.given)
	{
		struct json_object *credentials = new.credentials;

		link_options_check(row->type, defs, LINK_CONFIG, new.config);
		check_change(row, old_config, new.config, args->credentials.given && args->credentials.json);

		/* a file of the server that serves another place is another key */
		require_ambient(defs, LINK_CONFIG, new.config,
						link_options_differ(defs, LINK_CONFIG, LINK_OPTION_ORIGIN, old_config, new.config, NULL) ?
						NULL : old_config);

		/*
		 * The clauses are also checked against each other.  Where the
		 * credentials cannot be opened, the configuration may be changed all the
		 * same.
		 */
		if (credentials == NULL && can_open(row->credentials))
			credentials = credentials_of(row, old_config);
		if (credentials != NULL)
		{
			link_options_check_required(row->type, defs, credentials, new.config);
			if (new.provider->validate)
				new.provider->validate(credentials, new.config);
		}
	}
	store(&new);
}

void
link_alter(const LinkAlterArgs *args)
{
	LINK_USE_BEGIN(LINK_VERB_ALTER_LINK, NULL);
	{
		alter(args);
	}
	LINK_USE_END();
}
