/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Everything that differs between PostgreSQL 15 and 18, and nothing else.
 *
 * No other file may test PG_VERSION_NUM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_COMPAT_H
#define LINK_COMPAT_H

#include "postgres.h"

#include "access/genam.h"
#include "common/jsonapi.h"
#include "datatype/timestamp.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "link builds on PostgreSQL 15 to 18"
#endif

/*
 * A function that does not return: before everything else in its declaration,
 * where 18's own word has to stand.
 */
#ifdef pg_noreturn
#define LINK_NORETURN pg_noreturn
#else
#define LINK_NORETURN pg_attribute_noreturn()
#endif

/* VARDATA and its kin left postgres.h in 16. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 160000
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"

/* One entry point for object ACL checks came with 16. */
#define link_namespace_aclcheck(nspid, roleid, mode) \
	pg_namespace_aclcheck(nspid, roleid, mode)
#define link_database_aclcheck(dbid, roleid, mode) \
	pg_database_aclcheck(dbid, roleid, mode)
#define link_procedure_aclcheck(procid, roleid, mode) \
	pg_proc_aclcheck(procid, roleid, mode)
#define link_database_ownercheck(dbid, roleid) pg_database_ownercheck(dbid, roleid)
#define link_namespace_ownercheck(nspid, roleid) pg_namespace_ownercheck(nspid, roleid)
#define link_extension_ownercheck(extid, roleid) pg_extension_ownercheck(extid, roleid)
#else
#include "catalog/pg_extension.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"

#define link_namespace_aclcheck(nspid, roleid, mode) \
	object_aclcheck(NamespaceRelationId, nspid, roleid, mode)
#define link_database_aclcheck(dbid, roleid, mode) \
	object_aclcheck(DatabaseRelationId, dbid, roleid, mode)
#define link_procedure_aclcheck(procid, roleid, mode) \
	object_aclcheck(ProcedureRelationId, procid, roleid, mode)
#define link_database_ownercheck(dbid, roleid) object_ownercheck(DatabaseRelationId, dbid, roleid)
#define link_namespace_ownercheck(nspid, roleid) object_ownercheck(NamespaceRelationId, nspid, roleid)
#define link_extension_ownercheck(extid, roleid) object_ownercheck(ExtensionRelationId, extid, roleid)
#endif

/* Before 17 a background worker cannot be of a role that cannot log in. */
#ifdef BGWORKER_BYPASS_ROLELOGINCHECK
#define LINK_BGW_BYPASS_LOGIN BGWORKER_BYPASS_ROLELOGINCHECK
#else
#define LINK_BGW_BYPASS_LOGIN 0
#endif

/* May 'member' become 'role'?  16 told membership and SET ROLE apart. */
#if PG_VERSION_NUM >= 160000
#define link_check_can_set_role(member, role) check_can_set_role(member, role)
#define link_can_set_role(member, role) member_can_set_role(member, role)
#else
#define link_check_can_set_role(member, role) check_is_member_of_role(member, role)
#define link_can_set_role(member, role) is_member_of_role(member, role)
#endif

/* Named wait events for extensions came with 17; before it there is one for all. */
static inline uint32
link_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	(void) name;
	return PG_WAIT_EXTENSION;
#endif
}

/* ANALYZE and VACUUM of a list of VacuumRelation, within the caller's transaction. */
#if PG_VERSION_NUM >= 160000
#define link_vacuum(relations, params) vacuum(relations, params, NULL, CurrentMemoryContext, false)
#else
#define link_vacuum(relations, params) vacuum(relations, params, NULL, false)
#endif

/* What COPY FROM can do with rows that it cannot read. */
#define LINK_COPY_HAS_ON_ERROR (PG_VERSION_NUM >= 170000)
#define LINK_COPY_HAS_REJECT_LIMIT (PG_VERSION_NUM >= 180000)

/* Rows that on_error left out. */
#if PG_VERSION_NUM >= 170000
#define link_copy_skipped(cstate) ((uint64) (cstate)->num_errors)
#else
#define link_copy_skipped(cstate) ((void) (cstate), (uint64) 0)
#endif

/* How many it may leave out; 0: any number. */
#if PG_VERSION_NUM >= 180000
#define link_copy_reject_limit(cstate) ((uint64) (cstate)->opts.reject_limit)
#else
#define link_copy_reject_limit(cstate) ((void) (cstate), (uint64) 0)
#endif

/* A marker for a column's default came with 16, FORCE_NULL and FORCE_NOT_NULL for all with 17. */
#if PG_VERSION_NUM >= 160000
#define link_copy_has_default_marker(opts) ((opts)->default_print != NULL)
#else
#define link_copy_has_default_marker(opts) false
#endif
#if PG_VERSION_NUM >= 170000
#define link_copy_forces_nulls(opts) \
	((opts)->force_null != NIL || (opts)->force_null_all || \
	 (opts)->force_notnull != NIL || (opts)->force_notnull_all)
#else
#define link_copy_forces_nulls(opts) ((opts)->force_null != NIL || (opts)->force_notnull != NIL)
#endif

/*
 * The rights that a command needs on its table: fields requiredPerms and
 * insertedCols, and the check that throws.  16 moved them out of the range
 * table entry.
 */
#if PG_VERSION_NUM >= 160000
typedef RTEPermissionInfo LinkTableRights;
#define link_table_rights(nsitem) ((nsitem)->p_perminfo)
#define link_check_table_rights(pstate, rights) \
	((void) ExecCheckPermissions((pstate)->p_rtable, list_make1(rights), true))
#else
typedef RangeTblEntry LinkTableRights;
#define link_table_rights(nsitem) ((nsitem)->p_rte)
#define link_check_table_rights(pstate, rights) \
	((void) ExecCheckRTPerms((pstate)->p_rtable, true))
#endif

/* Only to have core check it: begun for the client, and nothing is sent before the first row. */
#if PG_VERSION_NUM >= 160000
#define link_begin_copy_to(pstate, rel, columns, options) \
	BeginCopyTo(pstate, rel, NULL, InvalidOid, NULL, false, NULL, columns, options)
#else
#define link_begin_copy_to(pstate, rel, columns, options) \
	BeginCopyTo(pstate, rel, NULL, InvalidOid, NULL, false, columns, options)
#endif

/* Nothing of an Append is left to be decided while it runs. */
#if PG_VERSION_NUM >= 180000
#define link_append_is_plain(append) ((append)->part_prune_index < 0 && (append)->nasyncplans == 0)
#else
#define link_append_is_plain(append) ((append)->part_prune_info == NULL && (append)->nasyncplans == 0)
#endif

/* Run a query to its end, once; 18 dropped the argument that says "once". */
#if PG_VERSION_NUM >= 180000
#define link_executor_run(desc) ExecutorRun(desc, ForwardScanDirection, 0)
#else
#define link_executor_run(desc) ExecutorRun(desc, ForwardScanDirection, 0, true)
#endif

/* Intervals may be infinite from 17 on. */
#ifdef INTERVAL_NOT_FINITE
#define LINK_INTERVAL_NOT_FINITE(i) INTERVAL_NOT_FINITE(i)
#define LINK_INTERVAL_IS_NOBEGIN(i) INTERVAL_IS_NOBEGIN(i)
#else
#define LINK_INTERVAL_NOT_FINITE(i) false
#define LINK_INTERVAL_IS_NOBEGIN(i) false
#endif

/*
 * Core's JSON parser: 16 gave its actions a result, 17 another way to begin.
 */
#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType LinkJsonResult;
#define LINK_JSON_SUCCESS JSON_SUCCESS
#else
typedef void LinkJsonResult;
#define LINK_JSON_SUCCESS
#endif

#if PG_VERSION_NUM >= 170000
#define link_json_lex(text, len) \
	makeJsonLexContextCstringLen(NULL, text, len, GetDatabaseEncoding(), true)
#else
#define link_json_lex(text, len) \
	makeJsonLexContextCstringLen(text, len, GetDatabaseEncoding(), true)
#endif

/*
 * Relations and their files, which 16 gave new names, and a type of their own to
 * the paths of 18: of a BufferTag the file's number, and is it of the relation?
 */
#if PG_VERSION_NUM >= 160000
#define link_buffer_file(tag) BufTagGetRelNumber(tag)
#define link_buffer_is_of(tag, rel) BufTagMatchesRelFileLocator(tag, &(rel)->rd_locator)
#else
#define link_buffer_file(tag) ((tag)->rnode.relNode)
#define link_buffer_is_of(tag, rel) RelFileNodeEquals((tag)->rnode, (rel)->rd_node)
#endif
#if PG_VERSION_NUM >= 180000
#define link_relation_path(rel) pstrdup(relpathperm((rel)->rd_locator, MAIN_FORKNUM).str)
#elif PG_VERSION_NUM >= 160000
#define link_relation_path(rel) relpathperm((rel)->rd_locator, MAIN_FORKNUM)
#else
#define link_relation_path(rel) relpathperm((rel)->rd_node, MAIN_FORKNUM)
#endif

/* 18 lets a module tell its name and version. */
#ifdef PG_MODULE_MAGIC_EXT
#define LINK_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "link", .version = LINK_VERSION)
#else
#define LINK_MODULE_MAGIC PG_MODULE_MAGIC
#endif

#endif							/* LINK_COMPAT_H */
