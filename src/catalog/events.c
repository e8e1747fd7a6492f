/*-------------------------------------------------------------------------
 *
 * events.c
 *	  Links follow what happens to their schemas and roles, pipelines what
 *	  happens to their targets; and nobody writes their tables behind our back.
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
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
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
#include "catalog/pipelines.h"
#include "catalog/roles.h"
#include "catalog/tables.h"
#include "errors.h"
#include "http/http.h"
#include "provider/provider.h"
#include "provider/token.h"

PG_FUNCTION_INFO_V1(link_guard);
PG_FUNCTION_INFO_V1(link_on_sql_drop);
PG_FUNCTION_INFO_V1(link_on_ddl_command_start);
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
 * It arrives stopped: what it was loading from may be loaded by the server that
 * the dump is of (SECURITY 28).
 */
static HeapTuple
recheck_pipeline(HeapTuple tuple, TupleDesc desc)
{
	LinkPipeline *pipeline = link_pipeline_from_tuple(tuple, desc);
	bool		isnull;
	Datum		folded = heap_getattr(tuple, PIPELINE_COL_FOLDED_NAME, desc, &isnull);
	int			columns[] = {PIPELINE_COL_STATE, PIPELINE_COL_ERROR, PIPELINE_COL_SYSTEM_IDENTIFIER,
	PIPELINE_COL_DATABASE};
	Datum		values[] = {CStringGetTextDatum(link_pipeline_state_name(LINK_PIPELINE_STOPPED)), (Datum) 0,
	Int64GetDatum(0), ObjectIdGetDatum(InvalidOid)};
	bool		nulls[] = {false, true, false, false};

	if (strcmp(link_fold_name(pipeline->name), NameStr(*DatumGetName(folded))) != 0 ||
		OidIsValid(pipeline->table) == (pipeline->signature != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("row of link.pipeline is not one that CREATE PIPELINE makes"),
				 errdetail("The pipeline is \"%s\".", pipeline->name)));
	link_anchor_add(pipeline->owner);
	return heap_modify_tuple_by_cols(tuple, desc, lengthof(columns), columns, values, nulls);
}

/*
 * A row that a superuser restores: what our own code keeps true is made true.
 * NULL if it is to be passed over.
 */
static HeapTuple
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
			return NULL;
		link_anchor_add(DatumGetObjectId(heap_getattr(tuple, PRIVILEGE_COL_GRANTEE, desc, &isnull)));
		link_anchor_add(DatumGetObjectId(heap_getattr(tuple, PRIVILEGE_COL_GRANTOR, desc, &isnull)));
	}
	else if (strcmp(RelationGetRelationName(rel), PIPELINE_TABLE) == 0)
		return recheck_pipeline(tuple, desc);
	else if (strcmp(RelationGetRelationName(rel), ANCHOR_TABLE) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" stays empty", RelationGetRelationName(rel))));
	return tuple;
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
	if (!TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		tuple = recheck_row(trigger->tg_relation, tuple);
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
		OidIsValid(get_relname_relid(PRIVILEGE_TABLE, schema)) &&
		OidIsValid(get_relname_relid(PIPELINE_TABLE, schema));
}

/* What a command has dropped, as far as it concerns us: schemas, relations, functions. */
typedef struct Dropped
{
	Oid			class;
	Oid			oid;
	char	   *name;			/* of a schema */
	char	   *identity;		/* with all names qualified */
} Dropped;

static List *
dropped_objects(void)
{
	List	   *objects = NIL;
	MemoryContext caller = CurrentMemoryContext;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute("SELECT classid, objid, object_name, object_identity "
					"FROM pg_catalog.pg_event_trigger_dropped_objects() "
					"WHERE objsubid OPERATOR(pg_catalog.=) 0 AND classid IN ('pg_catalog.pg_namespace'::pg_catalog.regclass, "
					"'pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the dropped objects");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		MemoryContext spi = MemoryContextSwitchTo(caller);
		Dropped    *object = palloc0(sizeof(Dropped));
		bool		isnull;

		object->class = DatumGetObjectId(SPI_getbinval(tuple, desc, 1, &isnull));
		object->oid = DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull));
		object->name = SPI_getvalue(tuple, desc, 3);
		object->identity = SPI_getvalue(tuple, desc, 4);
		objects = lappend(objects, object);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return objects;
}

/* Pipelines that load into the table or call the procedure. */
static List *
pipelines_into(const Dropped *object)
{
	List	   *found = NIL;
	LinkScan	scan;
	HeapTuple	tuple;
	ScanKeyData key;

	if (object->class == RelationRelationId)
	{
		link_key_oid(&key, PIPELINE_COL_TABLE, object->oid);
		link_scan_begin(&scan, PIPELINE_TABLE, PIPELINE_TABLE_INDEX, 1, &key);
	}
	else
		link_scan_begin(&scan, PIPELINE_TABLE, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
	{
		LinkPipeline *pipeline = link_pipeline_from_tuple(tuple, RelationGetDescr(scan.rel));

		if (object->class == RelationRelationId ||
			(pipeline->signature && object->identity && strcmp(pipeline->signature, object->identity) == 0))
			found = lappend(found, pipeline);
	}
	link_scan_end(&scan);
	return found;
}

static void
target_dropped(const Dropped *object, bool restricted)
{
	List	   *pipelines = pipelines_into(object);
	ListCell   *lc;

	if (restricted && pipelines != NIL)
	{
		StringInfoData detail;

		initStringInfo(&detail);
		foreach(lc, pipelines)
			appendStringInfo(&detail, "%spipeline %s depends on %s", detail.len > 0 ? "\n" : "",
							 quote_identifier(((LinkPipeline *) lfirst(lc))->name), object->identity);
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop %s because pipelines depend on it", object->identity),
				 errdetail_internal("%s", detail.data),
				 errhint("Use DROP ... CASCADE to drop the dependent objects too.")));
	}
	link_remove_pipelines(pipelines);
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
	foreach(lc, dropped_objects())
	{
		Dropped    *object = lfirst(lc);

		if (object->class == NamespaceRelationId)
			schema_dropped(object->name, restricted);
		else
			target_dropped(object, restricted);
	}
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

	link_remove_pipelines(link_pipelines(0, role));
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
link_on_ddl_command_start(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"link.on_ddl_command_start\" was not called by an event trigger")));
	if (installed())
		link_procedures_remember();
	PG_RETURN_NULL();
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
	link_procedures_follow();
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
