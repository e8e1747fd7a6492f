/*-------------------------------------------------------------------------
 *
 * events.c
 *	  Links follow what happens to their schemas and roles; and nobody writes
 *	  their tables behind our back.
 *
 * DROP SCHEMA, ALTER SCHEMA RENAME and DROP OWNED come by event triggers, which
 * work without preload; REASSIGN OWNED fires none and needs our hook, so it is
 * followed only where the library is loaded (link.reassign_owned() elsewhere).
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_namespace.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "catalog/ddl.h"
#include "catalog/ddl_internal.h"
#include "catalog/events.h"
#include "catalog/roles.h"
#include "catalog/tables.h"
#include "errors.h"
#include "http/http.h"
#include "provider/provider.h"
#include "provider/token.h"

PG_FUNCTION_INFO_V1(link_guard);
PG_FUNCTION_INFO_V1(link_on_sql_drop);
PG_FUNCTION_INFO_V1(link_on_ddl_command_end);

static ProcessUtility_hook_type next_process_utility = NULL;

/*
 * The guard.
 */

/* Does the column of link.privilege name a role that could not be found on restore? */
static bool
names_nobody(HeapTuple tuple, TupleDesc desc, AttrNumber column)
{
	bool		isnull;

	return DatumGetObjectId(heap_getattr(tuple, column, desc, &isnull)) == LINK_UNKNOWN_ROLE;
}

/*
 * A row that a superuser restores: what our own code keeps true is made true.
 * False if it is to be passed over.
 */
static bool
recheck_row(Relation rel, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;

	if (strcmp(RelationGetRelationName(rel), LINK_TABLE) == 0)
	{
		LinkRow    *row = link_row_from_tuple(tuple, desc);
		Datum		folded = heap_getattr(tuple, LINK_COL_FOLDED_NAME, desc, &isnull);

		if (row->provider == NULL || strcmp(link_fold_name(row->name), NameStr(*DatumGetName(folded))) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("row of link.link is not one that CREATE LINK makes"),
					 errdetail("The link is \"%s\".", link_qualified_name(row))));
		link_anchor_add(row->owner);
	}
	else if (strcmp(RelationGetRelationName(rel), PRIVILEGE_TABLE) == 0)
	{
		Datum		name = heap_getattr(tuple, PRIVILEGE_COL_PRIVILEGE, desc, &isnull);

		if (link_privilege_find(NameStr(*DatumGetName(name))) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("row of link.privilege is not one that GRANT makes")));

		/* it grants nothing, and two of them would be the same row and fail the restore */
		if (names_nobody(tuple, desc, PRIVILEGE_COL_GRANTEE) ||
			names_nobody(tuple, desc, PRIVILEGE_COL_GRANTOR))
			return false;
		link_anchor_add(DatumGetObjectId(heap_getattr(tuple, PRIVILEGE_COL_GRANTEE, desc, &isnull)));
		link_anchor_add(DatumGetObjectId(heap_getattr(tuple, PRIVILEGE_COL_GRANTOR, desc, &isnull)));
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" stays empty", RelationGetRelationName(rel))));
	return true;
}

Datum
link_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	tuple;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"link.guard\" was not called by a trigger")));

	/*
	 * A publication FOR ALL TABLES contains our tables too.  Links of another
	 * server are not ours; their rows are passed over.
	 */
	if (IsLogicalWorker() && TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		return PointerGetDatum(NULL);
	if (!superuser() || IsLogicalWorker())
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("permission denied for table link.%s", RelationGetRelationName(trigger->tg_relation)),
				 errhint("Links and their privileges are changed by the functions and statements of the extension.")));

	/*
	 * A publication FOR ALL TABLES would hand this on, and a subscriber can pass
	 * over rows but not over a TRUNCATE.
	 */
	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("cannot truncate table link.%s", RelationGetRelationName(trigger->tg_relation)),
				 errhint("Use DELETE.")));

	tuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	if (!TRIGGER_FIRED_BY_DELETE(trigger->tg_event) && !recheck_row(trigger->tg_relation, tuple))
		return PointerGetDatum(NULL);
	return PointerGetDatum(tuple);
}

/*
 * Schemas.
 */

/*
 * Is the extension in this database, whole?  The hook runs in databases without
 * it too, where a schema of that name is somebody's, with tables of any shape.
 */
static bool
installed(void)
{
	Oid			extension = get_extension_oid("link", true);
	Oid			schema = link_schema_oid();

	return OidIsValid(extension) && OidIsValid(schema) &&
		getExtensionOfObject(NamespaceRelationId, schema) == extension &&
		OidIsValid(get_relname_relid(LINK_TABLE, schema)) &&
		OidIsValid(get_relname_relid(PRIVILEGE_TABLE, schema));
}

/* Names of the schemas that the command has dropped. */
static List *
dropped_schemas(void)
{
	List	   *names = NIL;
	MemoryContext caller = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute("SELECT object_name FROM pg_catalog.pg_event_trigger_dropped_objects() "
					"WHERE classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the dropped objects");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);

		MemoryContext spi = MemoryContextSwitchTo(caller);

		if (name)
			names = lappend(names, pstrdup(name));
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return names;
}

static void
schema_dropped(const char *namespace, bool restricted)
{
	List	   *rows = link_rows(namespace, InvalidOid);
	ListCell   *lc;

	if (restricted && rows != NIL)
	{
		StringInfoData detail;

		initStringInfo(&detail);
		foreach(lc, rows)
			appendStringInfo(&detail, "%slink %s depends on schema %s", detail.len > 0 ? "\n" : "",
							 link_qualified_name(lfirst(lc)), quote_identifier(namespace));
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop schema %s because links depend on it", quote_identifier(namespace)),
				 errdetail_internal("%s", detail.data),
				 errhint("Use DROP ... CASCADE to drop the dependent objects too.")));
	}
	foreach(lc, rows)
	{
		LinkRow    *row = lfirst(lc);

		ereport(NOTICE, (errmsg("drop cascades to link %s", link_qualified_name(row))));
		link_remove_row(row);
	}
	link_remove_grants(link_grants_at(0, namespace));
}

Datum
link_on_sql_drop(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = (EventTriggerData *) fcinfo->context;
	bool		restricted;
	ListCell   *lc;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"link.on_sql_drop\" was not called by an event trigger")));
	if (!installed())
		PG_RETURN_NULL();
	restricted = IsA(event->parsetree, DropStmt) &&
		((DropStmt *) event->parsetree)->behavior == DROP_RESTRICT;
	foreach(lc, dropped_schemas())
		schema_dropped(lfirst(lc), restricted);
	PG_RETURN_NULL();
}

static void
schema_renamed(const char *old_name, const char *new_name)
{
	ListCell   *lc;

	foreach(lc, link_rows(old_name, InvalidOid))
	{
		Datum		values[LINK_NCOLS] = {0};
		bool		nulls[LINK_NCOLS] = {0};
		bool		replace[LINK_NCOLS] = {0};

		values[LINK_COL_NAMESPACE - 1] = DirectFunctionCall1(namein, CStringGetDatum(new_name));
		replace[LINK_COL_NAMESPACE - 1] = true;
		link_update_row(lfirst(lc), values, nulls, replace);
	}
	foreach(lc, link_grants_at(0, old_name))
		link_set_grant_schema(lfirst(lc), new_name);
}

/*
 * Roles.
 */

static void
owned_dropped(Oid role)
{
	ListCell   *lc;

	foreach(lc, link_rows(NULL, role))
		link_remove_row(lfirst(lc));
	link_revoke_all(role);
	link_anchor_forget(role);
}

static List *
role_oids(List *specs)
{
	List	   *oids = NIL;
	ListCell   *lc;

	foreach(lc, specs)
		oids = lappend_oid(oids, get_rolespec_oid(lfirst_node(RoleSpec, lc), false));
	return oids;
}

Datum
link_on_ddl_command_end(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = (EventTriggerData *) fcinfo->context;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"link.on_ddl_command_end\" was not called by an event trigger")));
	if (!installed())
		PG_RETURN_NULL();
	if (IsA(event->parsetree, RenameStmt))
	{
		RenameStmt *rename = (RenameStmt *) event->parsetree;

		if (rename->renameType == OBJECT_SCHEMA)
			schema_renamed(rename->subname, rename->newname);
	}
	else if (IsA(event->parsetree, DropOwnedStmt))
	{
		ListCell   *lc;

		foreach(lc, role_oids(((DropOwnedStmt *) event->parsetree)->roles))
			owned_dropped(lfirst_oid(lc));
	}
	PG_RETURN_NULL();
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	Node	   *statement = pstmt->utilityStmt;

	/* before core does it: afterwards the anchor's privileges are the new role's */
	if (IsA(statement, ReassignOwnedStmt) && installed())
	{
		ReassignOwnedStmt *reassign = (ReassignOwnedStmt *) statement;

		link_reassign_owned(role_oids(reassign->roles), get_rolespec_oid(reassign->newrole, false));
	}
	if (IsA(statement, DiscardStmt) && ((DiscardStmt *) statement)->target == DISCARD_ALL)
	{
		link_http_pool_clear();
		link_tokens_clear();
	}
	if (next_process_utility)
		next_process_utility(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	else
		standard_ProcessUtility(pstmt, query, read_only_tree, context, params, environment, dest, completion);
}

void
link_events_init(void)
{
	next_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
