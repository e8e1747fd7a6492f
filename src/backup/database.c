/*-------------------------------------------------------------------------
 *
 * database.c
 *	  The database that RESTORE makes.
 *
 * All is done by a session of ours (client.h), since no function can create a
 * database.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "commands/dbcommands.h"
#include "commands/tablespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "backup/database.h"
#include "errors.h"
#include "locks.h"

#define TEMPORARY_PREFIX "link_restore_"

/* With the name a mark of those that are being made: nobody else gives a limit of none. */
#define TEMPORARY_LIMIT 0

/* What it becomes while it is being dropped, and stays if that ends early: DATCONNLIMIT_INVALID_DB of later minor versions. */
#define DROPPED_LIMIT (-2)

/*
 * Names.
 */

static bool
lock_number(uint32 number)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, InvalidOid, number, 0, LINK_LOCK_RESTORE);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

char *
link_database_temporary_name(void)
{
	uint32		number;

	do
	{
		if (!pg_strong_random(&number, sizeof(number)))
			elog(ERROR, "could not generate a random number");
	} while (OidIsValid(get_database_oid(psprintf(TEMPORARY_PREFIX "%u", number), true)) || !lock_number(number));
	return psprintf(TEMPORARY_PREFIX "%u", number);
}

/*
 * Dropping.
 */

/*
 * A database with a subscription is not dropped.  Its event triggers are those of
 * the backup, and might have something against it.
 */
static void
drop_subscriptions(LinkClient *client, const char *name)
{
	List	   *subscriptions =
		link_client_texts(client, psprintf("SELECT pg_catalog.quote_ident(s.subname) FROM pg_catalog.pg_subscription s "
										   "JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = %s",
										   quote_literal_cstr(name)));
	LinkClient *there;
	ListCell   *lc;

	if (subscriptions == NIL)
		return;
	there = link_client_open(link_client_conninfo(name));
	foreach(lc, link_client_texts(there, "SELECT pg_catalog.quote_ident(evtname) FROM pg_catalog.pg_event_trigger"))
		link_client_run(there, psprintf("ALTER EVENT TRIGGER %s DISABLE", (char *) lfirst(lc)));
	foreach(lc, subscriptions)
	{
		link_client_run(there, psprintf("ALTER SUBSCRIPTION %s DISABLE", (char *) lfirst(lc)));
		/* its slot is that of the database which was backed up */
		link_client_run(there, psprintf("ALTER SUBSCRIPTION %s SET (slot_name = NONE)", (char *) lfirst(lc)));
		link_client_run(there, psprintf("DROP SUBSCRIPTION %s", (char *) lfirst(lc)));
	}
	link_client_close(there);
}

void
link_database_drop(LinkClient *client, const char *temporary)
{
	drop_subscriptions(client, temporary);
	link_client_run(client, psprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", quote_identifier(temporary)));
}

void
link_database_drop_leftovers(LinkClient *client)
{
	List	   *names =
		link_client_texts(client, psprintf("SELECT datname FROM pg_catalog.pg_database "
										   "WHERE datname ~ '^" TEMPORARY_PREFIX "[0-9]+$' AND datconnlimit IN (%d, %d)",
										   TEMPORARY_LIMIT, DROPPED_LIMIT));
	ListCell   *lc;

	foreach(lc, names)
	{
		const char *name = lfirst(lc);

		if (lock_number((uint32) strtoul(name + strlen(TEMPORARY_PREFIX), NULL, 10)))
			link_database_drop(client, name);
	}
}

void
link_database_keep(LinkClient *client, const char *temporary)
{
	link_client_run(client, psprintf("ALTER DATABASE %s WITH CONNECTION LIMIT -1", quote_identifier(temporary)));
}

/*
 * Creating.
 */

static bool
role_exists(const char *role)
{
	return OidIsValid(get_role_oid(role, true));
}

static void
append_option(StringInfo sql, const char *name, const char *value)
{
	if (value)
		appendStringInfo(sql, " %s %s", name, quote_literal_cstr(value));
}

static void
append_owner(StringInfo sql, const char *owner)
{
	if (role_exists(owner))
		appendStringInfo(sql, " OWNER %s", quote_identifier(owner));
	else
		ereport(WARNING,
				(errmsg("role \"%s\" does not exist: the database will be owned by the current user", owner)));
}

static void
append_tablespace(StringInfo sql, const char *tablespace)
{
	if (OidIsValid(get_tablespace_oid(tablespace, true)))
		appendStringInfo(sql, " TABLESPACE %s", quote_identifier(tablespace));
	else
		ereport(WARNING,
				(errmsg("tablespace \"%s\" does not exist: the database will be in that of template0", tablespace)));
}

void
link_database_create(LinkClient *client, const char *temporary, const LinkBackupDatabase *database)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE DATABASE %s TEMPLATE template0 CONNECTION LIMIT %d", temporary, TEMPORARY_LIMIT);
	append_option(&sql, "ENCODING", database->encoding);
	append_option(&sql, "LC_COLLATE", database->collate);
	append_option(&sql, "LC_CTYPE", database->ctype);
	if (database->provider[0] == 'i')
	{
		appendStringInfoString(&sql, " LOCALE_PROVIDER icu");
		append_option(&sql, "ICU_LOCALE", database->locale);
		append_option(&sql, "ICU_RULES", database->icu_rules);
	}
	else if (database->provider[0] == 'b')
	{
		appendStringInfoString(&sql, " LOCALE_PROVIDER builtin");
		append_option(&sql, "BUILTIN_LOCALE", database->locale);
	}
	else
		appendStringInfoString(&sql, " LOCALE_PROVIDER libc");
	append_owner(&sql, database->owner);
	append_tablespace(&sql, database->tablespace);
	link_client_run(client, sql.data);
}

/*
 * Properties.
 */

/* A value as the catalog has it, as ALTER takes it. */
static char *
setting_value(const char *parameter, const char *value)
{
	StringInfoData list;
	List	   *names;
	ListCell   *lc;

	if ((GetConfigOptionFlags(parameter, true) & GUC_LIST_QUOTE) == 0 ||
		!SplitGUCList(pstrdup(value), ',', &names) || names == NIL)
		return quote_literal_cstr(value);
	initStringInfo(&list);
	foreach(lc, names)
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", quote_literal_cstr(lfirst(lc)));
	return list.data;
}

/* This server may not know the parameter, or the value: a time zone, say. */
static void
apply_setting(LinkClient *client, const char *parameter, const char *sql)
{
	const char *problem = link_client_try(client, sql);

	if (problem)
		ereport(WARNING,
				(errmsg("the database's setting of \"%s\" is not restored: %s", parameter, problem)));
}

static void
apply_settings(LinkClient *client, const char *name, List *settings)
{
	ListCell   *lc;

	foreach(lc, settings)
	{
		const char *role = linitial(lfirst(lc));
		const char *parameter = lsecond(lfirst(lc));
		char	   *set = psprintf("DATABASE %s SET %s TO %s", name, quote_identifier(parameter),
								   setting_value(parameter, lthird(lfirst(lc))));

		if (role[0] == '\0')
			apply_setting(client, parameter, psprintf("ALTER %s", set));
		else if (role_exists(role))
			apply_setting(client, parameter, psprintf("ALTER ROLE %s IN %s", quote_identifier(role), set));
		else
			ereport(WARNING,
					(errmsg("role \"%s\" does not exist: its setting of \"%s\" is not restored", role, parameter)));
	}
}

/* Each by whoever had granted it; as owner without more, since a superuser grants in the owner's name. */
static void
apply_grants(LinkClient *client, const char *name, const LinkBackupDatabase *database)
{
	const char *owner = database->owner;
	const char *user = quote_identifier(GetUserNameFromId(GetUserId(), false));
	ListCell   *lc;

	link_client_run(client, psprintf("REVOKE ALL ON DATABASE %s FROM PUBLIC", name));
	link_client_run(client, psprintf("REVOKE ALL ON DATABASE %s FROM %s", name,
									 role_exists(owner) ? quote_identifier(owner) : user));
	foreach(lc, database->grants)
	{
		const char *grantor = linitial(lfirst(lc));
		const char *grantee = lsecond(lfirst(lc));
		bool		grantable = strcmp(lfourth(lfirst(lc)), "t") == 0;
		bool		by_owner = strcmp(grantor, owner) == 0;
		const char *missing = !by_owner && !role_exists(grantor) ? grantor :
			grantee[0] != '\0' && !role_exists(grantee) ? grantee : NULL;

		if (missing && strcmp(missing, owner) != 0)
			ereport(WARNING,
					(errmsg("role \"%s\" does not exist: its privileges on the database are not restored", missing)));
		if (missing)
			continue;
		if (!by_owner)
			link_client_run(client, psprintf("SET LOCAL ROLE %s", quote_identifier(grantor)));
		link_client_run(client, psprintf("GRANT %s ON DATABASE %s TO %s%s", (char *) lthird(lfirst(lc)), name,
										 grantee[0] == '\0' ? "PUBLIC" : quote_identifier(grantee),
										 grantable ? " WITH GRANT OPTION" : ""));
		if (!by_owner)
			link_client_run(client, psprintf("SET LOCAL ROLE %s", user));
	}
}

/* Whoever watches a server connects to what he finds there, and a database that is in use gets no other name. */
static void
end_sessions(LinkClient *client, const char *name)
{
	link_client_run(client, psprintf("SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = %s",
									 quote_literal_cstr(name)));
}

void
link_database_finish(LinkClient *client, const char *temporary, const LinkBackupDatabase *database, const char *name)
{
	apply_settings(client, temporary, database->settings);
	end_sessions(client, temporary);
	link_client_run(client, "BEGIN");
	if (database->has_grants)
		apply_grants(client, temporary, database);
	if (database->comment)
		link_client_run(client, psprintf("COMMENT ON DATABASE %s IS %s", temporary, quote_literal_cstr(database->comment)));
	link_client_run(client, psprintf("ALTER DATABASE %s WITH CONNECTION LIMIT " INT64_FORMAT " IS_TEMPLATE %s", temporary,
									 database->connection_limit, database->is_template ? "true" : "false"));
	link_client_run(client, psprintf("ALTER DATABASE %s RENAME TO %s", temporary, quote_identifier(name)));
	link_client_run(client, "COMMIT");
}
