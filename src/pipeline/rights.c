/*-------------------------------------------------------------------------
 *
 * rights.c
 *	  What a pipeline's owner must be allowed to: asked when it is created or
 *	  started, and again before each batch (SECURITY 28).
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "catalog/privileges.h"
#include "catalog/roles.h"
#include "catalog/tables.h"
#include "catalog/use.h"
#include "errors.h"
#include "pipeline/clauses.h"
#include "pipeline/ddl.h"

static LinkRow *
check_link(const LinkPipeline *pipeline)
{
	LinkRow    *row = link_row_by_id(pipeline->link_id);
	LinkAcl		missing;

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNDEFINED),
				 errmsg("the link of pipeline %s does not exist", quote_identifier(pipeline->name))));
	link_use_found(row);
	missing = LINK_ACL_READ & ~link_acl_on_link(pipeline->owner, row, NULL);
	if (missing)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("permission denied for link %s", link_qualified_name(row)),
				 errdetail("The owner of pipeline %s, role %s, needs %s on the link, its schema or the database.",
						   quote_identifier(pipeline->name), link_role_name(pipeline->owner),
						   link_acl_text(missing))));

	/* transfers go on asking */
	row->demanded = LINK_ACL_READ;
	return row;
}

/*
 * What runs in the name of the target's owner is theirs to trigger: the
 * pipeline's owner must be able to become that role, and code of others never
 * runs in a session of a superuser.
 */
static void
check_target_owner(const LinkPipeline *pipeline, Oid owner)
{
	if (!link_can_set_role(pipeline->owner, owner))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("permission denied for %s", link_pipeline_target(pipeline)),
				 errdetail("Role %s, which owns pipeline %s, must be able to SET ROLE to %s, which owns the target.",
						   link_role_name(pipeline->owner), quote_identifier(pipeline->name),
						   link_role_name(owner))));
	if (superuser_arg(pipeline->owner) && !superuser_arg(owner))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("a superuser's pipeline cannot load into %s, which belongs to role %s",
						link_pipeline_target(pipeline), link_role_name(owner)),
				 errdetail("Triggers, defaults and constraints of it, or of a partition, would run in a superuser's session."),
				 errhint("Create the pipeline as %s, or as a role that can SET ROLE to it.", link_role_name(owner))));
}

/* Partitions have triggers and constraints of their own, which their owners make. */
static void
check_partitions(const LinkPipeline *pipeline, Relation rel)
{
	ListCell   *lc;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE ||
		!superuser_arg(pipeline->owner))
		return;
	foreach(lc, find_all_inheritors(RelationGetRelid(rel), NoLock, NULL))
	{
		HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(tuple))
			continue;
		check_target_owner(pipeline, ((Form_pg_class) GETSTRUCT(tuple))->relowner);
		ReleaseSysCache(tuple);
	}
}

/* INSERT on the table, or on each column that is loaded. */
static void
check_insert(const LinkPipeline *pipeline, Relation rel)
{
	Oid			table = RelationGetRelid(rel);
	ListCell   *lc;

	if (pg_class_aclcheck(table, pipeline->owner, ACL_INSERT) == ACLCHECK_OK)
		return;
	foreach(lc, link_pipeline_target_columns(pipeline, rel))
	{
		AttrNumber	column = get_attnum(table, strVal(lfirst(lc)));

		if (column == InvalidAttrNumber ||
			pg_attribute_aclcheck(table, column, pipeline->owner, ACL_INSERT) != ACLCHECK_OK)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_NO_PRIVILEGE),
					 errmsg("permission denied for table %s", RelationGetRelationName(rel)),
					 errdetail("The owner of pipeline %s, role %s, needs INSERT on it.",
							   quote_identifier(pipeline->name), link_role_name(pipeline->owner))));
	}
}

static void
wrong_kind(Relation rel, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("a pipeline cannot load into relation \"%s\"", RelationGetRelationName(rel)),
			 errdetail_internal("%s", detail)));
}

static void
check_table(const LinkPipeline *pipeline)
{
	Relation	rel = try_table_open(pipeline->table, AccessShareLock);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the target of pipeline %s does not exist", quote_identifier(pipeline->name))));
	if (rel->rd_rel->relkind != RELKIND_RELATION && rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		wrong_kind(rel, "Only tables take rows and positions in one transaction.");
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		wrong_kind(rel, "Temporary tables belong to one session.");
	if (IsSystemRelation(rel) || RelationGetNamespace(rel) == link_schema_oid())
		wrong_kind(rel, "It is a table of the system.");
	check_target_owner(pipeline, rel->rd_rel->relowner);
	check_partitions(pipeline, rel);
	check_insert(pipeline, rel);
	if (check_enable_rls(RelationGetRelid(rel), rel->rd_rel->relowner, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("a pipeline cannot load into table \"%s\", whose owner is under row-level security",
						RelationGetRelationName(rel))));
	table_close(rel, NoLock);
}

static void
check_procedure(const LinkPipeline *pipeline)
{
	HeapTuple	tuple;
	Form_pg_proc procedure;
	Oid			owner;

	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(pipeline->procedure));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("the target of pipeline %s does not exist", quote_identifier(pipeline->name))));
	procedure = (Form_pg_proc) GETSTRUCT(tuple);
	owner = procedure->proowner;
	if (procedure->prokind != PROKIND_PROCEDURE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is not a procedure", pipeline->signature)));
	if (procedure->pronargs > 1 ||
		(procedure->pronargs == 1 && procedure->proargtypes.values[0] != REGCLASSOID))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("procedure %s cannot be the target of a pipeline", pipeline->signature),
				 errdetail("It must take one argument of type regclass, the temporary table with the rows of a batch, or none.")));
	ReleaseSysCache(tuple);
	check_target_owner(pipeline, owner);
	if (link_procedure_aclcheck(pipeline->procedure, pipeline->owner, ACL_EXECUTE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("permission denied for procedure %s", pipeline->signature),
				 errdetail("The owner of pipeline %s, role %s, needs EXECUTE on it.",
						   quote_identifier(pipeline->name), link_role_name(pipeline->owner))));
}

void
link_pipeline_lock_target(const LinkPipeline *pipeline)
{
	if (pipeline->signature)
		LockDatabaseObject(ProcedureRelationId, pipeline->procedure, 0, AccessShareLock);
	else
		LockRelationOid(pipeline->table, AccessShareLock);
}

LinkRow *
link_pipeline_check_rights(const LinkPipeline *pipeline)
{
	LinkRow    *row;

	link_pipeline_lock_target(pipeline);
	if (!link_role_exists(pipeline->owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of pipeline %s does not exist", quote_identifier(pipeline->name)),
				 errhint("Give it to another role with link.set_pipeline_owner().")));
	row = check_link(pipeline);
	if (pipeline->signature)
		check_procedure(pipeline);
	else
		check_table(pipeline);
	return row;
}
