/*-------------------------------------------------------------------------
 *
 * ddl_identity.c
 *	  A link's name, schema and owner, and its end.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "catalog/ddl.h"
#include "catalog/ddl_internal.h"
#include "catalog/pipelines.h"
#include "catalog/roles.h"
#include "catalog/tables.h"
#include "catalog/use.h"
#include "errors.h"

/* Find and lock a link that the current user owns. */
static LinkRow *
lock_own_row(const LinkName *name)
{
	LinkRow    *row = link_lock_row(name, 0);

	if (!link_is_owner(GetUserId(), row))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("must be owner of link %s", link_qualified_name(row))));
	return row;
}

static Datum
name_datum(const char *text)
{
	return DirectFunctionCall1(namein, CStringGetDatum(text));
}

/* The link moves to another name, schema or both; 42710 if something is there. */
static void
move(const LinkRow *row, const char *namespace, const char *name)
{
	Datum		values[LINK_NCOLS] = {0};
	bool		nulls[LINK_NCOLS] = {0};
	bool		replace[LINK_NCOLS] = {0};
	char	   *folded = link_fold_name(name);
	LinkRow    *other;

	link_lock_name(namespace, folded);
	other = link_row_by_name(namespace, name);
	if (other && other->id != row->id)
		link_refuse_duplicate(namespace, name);

	values[LINK_COL_NAMESPACE - 1] = name_datum(namespace);
	values[LINK_COL_NAME - 1] = name_datum(name);
	values[LINK_COL_FOLDED_NAME - 1] = name_datum(folded);
	replace[LINK_COL_NAMESPACE - 1] = true;
	replace[LINK_COL_NAME - 1] = true;
	replace[LINK_COL_FOLDED_NAME - 1] = true;
	link_update_row(row, values, nulls, replace);
}

void
link_rename(const LinkName *name, const char *new_name)
{
	LINK_USE_BEGIN(LINK_VERB_RENAME_LINK, NULL);
	{
		LinkName	target = {NULL, unconstify(char *, new_name)};
		LinkRow    *row;

		link_prevent_write("ALTER LINK");
		link_check_name(&target);
		link_use_detail("to %s", quote_identifier(new_name));
		row = lock_own_row(name);
		link_lock_schema(row->namespace);
		move(row, row->namespace, new_name);
	}
	LINK_USE_END();
}

void
link_set_schema(const LinkName *name, const char *schema)
{
	LINK_USE_BEGIN(LINK_VERB_SET_LINK_SCHEMA, NULL);
	{
		LinkRow    *row;

		link_prevent_write("ALTER LINK");
		link_use_detail("to %s", quote_identifier(schema));
		row = lock_own_row(name);
		link_lock_schema(schema);
		if ((link_acl_on_scope(GetUserId(), schema, NULL) & LINK_ACL_CREATE) == 0)
			link_refuse_create(schema);
		move(row, schema, row->name);
	}
	LINK_USE_END();
}

static void
change_owner(const LinkRow *row, Oid role)
{
	Datum		values[LINK_NCOLS] = {0};
	bool		nulls[LINK_NCOLS] = {0};
	bool		replace[LINK_NCOLS] = {0};

	if (row->owner == role)
		return;
	link_anchor_add(role);
	values[LINK_COL_OWNER - 1] = ObjectIdGetDatum(role);
	replace[LINK_COL_OWNER - 1] = true;
	link_update_row(row, values, nulls, replace);
	link_change_grantor(row->id, row->owner, role);
	link_anchor_release(row->owner);
}

void
link_set_owner(const LinkName *name, Oid role)
{
	LINK_USE_BEGIN(LINK_VERB_SET_LINK_OWNER, NULL);
	{
		LinkRow    *row;

		link_prevent_write("ALTER LINK");
		link_use_detail("to %s", link_role_name(role));
		row = lock_own_row(name);
		if (!link_role_exists(role))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("role with OID %u does not exist", role)));
		link_check_can_set_role(GetUserId(), role);
		change_owner(row, role);
	}
	LINK_USE_END();
}

/* One link of those that are reassigned, if it still is the old owner's. */
static void
reassign(int64 id, Oid old_role, Oid new_role)
{
	LINK_USE_BEGIN(LINK_VERB_SET_LINK_OWNER, NULL);
	{
		LinkRow    *row;

		link_lock_link(id);
		row = link_row_by_id(id);
		if (row && row->owner == old_role)
		{
			link_use_found(row);
			link_use_detail("to %s", link_role_name(new_role));
			change_owner(row, new_role);
		}
	}
	LINK_USE_END();
}

/* For the log: the use is of its link. */
static void
pipeline_used(const LinkPipeline *pipeline)
{
	LinkRow    *row = link_row_by_id(pipeline->link_id);

	if (row)
		link_use_found(row);
}

/* What the new owner may not do stops it, at its next batch. */
static void
reassign_pipeline(int64 id, Oid old_role, Oid new_role)
{
	LINK_USE_BEGIN(LINK_VERB_ALTER_PIPELINE, NULL);
	{
		LinkPipeline *pipeline;

		link_lock_pipeline(id);
		pipeline = link_pipeline_by_id(id);
		if (pipeline && pipeline->owner == old_role && old_role != new_role)
		{
			pipeline_used(pipeline);
			link_use_detail("pipeline %s, owner to %s", quote_identifier(pipeline->name), link_role_name(new_role));
			link_anchor_add(new_role);
			pipeline->owner = new_role;
			link_pipeline_update(pipeline);
			link_anchor_release(old_role);
		}
	}
	LINK_USE_END();
}

void
link_reassign_owned(List *old_roles, Oid new_role)
{
	ListCell   *lc;

	link_prevent_write("REASSIGN OWNED");
	foreach(lc, old_roles)
		if (!has_privs_of_role(GetUserId(), lfirst_oid(lc)))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_NO_PRIVILEGE),
					 errmsg("permission denied to reassign links"),
					 errdetail("You need the privileges of role %s.", link_role_name(lfirst_oid(lc)))));
	if (!has_privs_of_role(GetUserId(), new_role))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_PRIVILEGE),
				 errmsg("permission denied to reassign links"),
				 errdetail("You need the privileges of role %s.", link_role_name(new_role))));

	foreach(lc, old_roles)
	{
		ListCell   *cell;

		foreach(cell, link_rows(NULL, lfirst_oid(lc)))
			reassign(((LinkRow *) lfirst(cell))->id, lfirst_oid(lc), new_role);
		foreach(cell, link_pipelines(0, lfirst_oid(lc)))
			reassign_pipeline(((LinkPipeline *) lfirst(cell))->id, lfirst_oid(lc), new_role);
	}
}

void
link_refuse_pipelines(const LinkRow *row)
{
	StringInfoData detail;
	ListCell   *lc;

	initStringInfo(&detail);
	foreach(lc, link_pipelines(row->id, InvalidOid))
		appendStringInfo(&detail, "%spipeline %s depends on link %s", detail.len > 0 ? "\n" : "",
						 quote_identifier(((LinkPipeline *) lfirst(lc))->name), link_qualified_name(row));
	if (detail.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop link %s because pipelines depend on it", link_qualified_name(row)),
				 errdetail_internal("%s", detail.data),
				 errhint("Use DROP ... CASCADE to drop the dependent objects too.")));
}

static void
remove_pipeline(const LinkPipeline *pipeline)
{
	LINK_USE_BEGIN(LINK_VERB_DROP_PIPELINE, NULL);
	{
		pipeline_used(pipeline);
		link_use_detail("pipeline %s", quote_identifier(pipeline->name));
		ereport(NOTICE, (errmsg("drop cascades to pipeline %s", quote_identifier(pipeline->name))));
		link_pipeline_delete(pipeline);
	}
	LINK_USE_END();
}

void
link_remove_pipelines(List *pipelines)
{
	ListCell   *lc;

	foreach(lc, pipelines)
		remove_pipeline(lfirst(lc));
}

static void
remove_row(const LinkRow *row)
{
	link_remove_pipelines(link_pipelines(row->id, InvalidOid));
	link_remove_grants(link_grants_at(row->id, ""));
	link_table_delete(LINK_TABLE, (ItemPointer) &row->tid);
	link_anchor_release(row->owner);
}

void
link_remove_row(const LinkRow *row)
{
	LINK_USE_BEGIN(LINK_VERB_DROP_LINK, NULL);
	{
		link_use_found(row);
		remove_row(row);
	}
	LINK_USE_END();
}

void
link_drop(const LinkName *name, bool if_exists, bool cascade)
{
	LINK_USE_BEGIN(LINK_VERB_DROP_LINK, NULL);
	{
		link_prevent_write("DROP LINK");
		if (if_exists && link_lookup_missing_ok(name, LINK_ACL_DROP) == NULL)
			ereport(NOTICE,
					(errmsg("link %s does not exist, skipping",
							name->namespace ? quote_qualified_identifier(name->namespace, name->name) : quote_identifier(name->name))));
		else
		{
			LinkRow    *row = link_lock_row(name, LINK_ACL_DROP);

			if (!cascade)
				link_refuse_pipelines(row);
			remove_row(row);
		}
	}
	LINK_USE_END();
}
