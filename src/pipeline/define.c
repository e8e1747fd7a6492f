/*-------------------------------------------------------------------------
 *
 * define.c
 *	  What a pipeline is: CREATE, ALTER, RENAME, OWNER, DROP.
 *
 * All that can be known without a row to load is checked when it is created, by
 * what a batch will use: the options by COPY's own code, the clauses by
 * analyzing the very statement.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/copy.h"
#include "miscadmin.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/queryenvironment.h"
#include "utils/regproc.h"
#include "utils/resowner.h"

#include "bounds.h"
#include "catalog/privileges.h"
#include "catalog/roles.h"
#include "catalog/tables.h"
#include "catalog/use.h"
#include "errors.h"
#include "pipeline/clauses.h"
#include "pipeline/ddl.h"
#include "pipeline/pipeline.h"
#include "provider/provider.h"
#include "transfer/options.h"

/* SingleStore's own. */
#define DEFAULT_BATCH_INTERVAL 2500
#define DEFAULT_MAX_RETRIES 4

/* Of the rows that the clauses see, for their analysis. */
#define ROWS_NAME "rows"

static LinkPipeline *
find(const char *name)
{
	LinkPipeline *pipeline = link_pipeline_by_name(name);

	if (pipeline == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNDEFINED),
				 errmsg("pipeline %s does not exist", quote_identifier(name))));
	return pipeline;
}

static void
require_owner(const LinkPipeline *pipeline)
{
	if (superuser() || (link_role_exists(pipeline->owner) && has_privs_of_role(GetUserId(), pipeline->owner)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("must be owner of pipeline %s", quote_identifier(pipeline->name))));
}

/* For the log: the use is of its link. */
static void
is_used(const LinkPipeline *pipeline)
{
	LinkRow    *row = link_row_by_id(pipeline->link_id);

	if (row)
		link_use_found(row);
	link_use_detail("pipeline %s", quote_identifier(pipeline->name));
}

LinkPipeline *
link_own_pipeline(const char *name)
{
	LinkPipeline *pipeline = find(name);

	is_used(pipeline);
	require_owner(pipeline);
	return pipeline;
}

LinkPipeline *
link_lock_own_pipeline(const char *name)
{
	LinkPipeline *pipeline = link_own_pipeline(name);
	int64		id = pipeline->id;

	link_lock_pipeline(id);

	/* others may have changed, renamed or dropped it while we waited */
	pipeline = link_pipeline_by_id(id);
	if (pipeline == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNDEFINED),
				 errmsg("pipeline %s does not exist", quote_identifier(name)),
				 errdetail("It was dropped by another session meanwhile.")));
	require_owner(pipeline);
	return pipeline;
}

void
link_wake_for(const LinkPipeline *pipeline)
{
	if (link_pipeline_runs(pipeline))
		link_pipeline_wake();
}

/*
 * Settings.
 */

static int64
in_range(const char *what, int64 value, int64 least, int64 most)
{
	if (value < least || value > most)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("%s must be from " INT64_FORMAT " to " INT64_FORMAT, what, least, most)));
	return value;
}

static void
apply_settings(LinkPipeline *pipeline, const LinkPipelineSettings *settings)
{
	if (settings->batch_interval_given)
		pipeline->batch_interval = in_range("BATCH_INTERVAL", settings->batch_interval, 0, LINK_MAX_BATCH_INTERVAL);
	if (settings->max_partitions_given)
		pipeline->max_partitions = in_range("MAX_PARTITIONS_PER_BATCH", settings->max_partitions, 0, PG_INT32_MAX);
	if (settings->max_retries_given)
		pipeline->max_retries = in_range("MAX_RETRIES_PER_BATCH_PARTITION", settings->max_retries, 0, PG_INT32_MAX);
	if (settings->max_offsets_given)
		pipeline->max_offsets = in_range("MAX_OFFSETS_PER_BATCH_PARTITION", settings->max_offsets, 0, PG_INT64_MAX);
	if (settings->skip_given)
		pipeline->skip = settings->skip;
	if (settings->stop_on_error_given)
		pipeline->stop_on_error = settings->stop_on_error;
}

/*
 * CREATE.
 */

/* The schemas of now, by oid, without those of the session. */
static List *
schemas_of_now(void)
{
	List	   *schemas = fetch_search_path(false);
	ListCell   *lc;

	foreach(lc, schemas)
		if (isAnyTempNamespace(lfirst_oid(lc)))
			schemas = foreach_delete_current(schemas, lc);
	return schemas;
}

/*
 * By name: the owner may change, and "$user" would mean others then.  Temporary
 * tables come last, as for SECURITY DEFINER functions.
 */
static char *
pinned_path(List *schemas)
{
	StringInfoData path;
	ListCell   *lc;

	initStringInfo(&path);
	foreach(lc, schemas)
		appendStringInfo(&path, "%s, ", quote_identifier(get_namespace_name(lfirst_oid(lc))));
	appendStringInfoString(&path, "pg_temp");
	return path.data;
}

/* They are other clauses of a pipeline, or mean nothing to one. */
static void
check_options(const LinkCreatePipelineArgs *args)
{
	static const struct
	{
		const char *name;
		const char *instead;
	}			not_here[] = {
		{"where", "Use the WHERE clause of the pipeline."},
		{"on_error", "Use SKIP ... ERRORS."},
		{"reject_limit", "Use SKIP ... ERRORS."},
		{"log_verbosity", "Use SKIP ... ERRORS."},
		{"freeze", "A pipeline loads into a table that others use."},
	};
	LinkTransferOptions wanted;
	CopyFormatOptions checked = {0};
	ListCell   *lc;

	foreach(lc, args->options)
		for (int i = 0; i < lengthof(not_here); i++)
			if (strcmp(lfirst_node(DefElem, lc)->defname, not_here[i].name) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_SYNTAX_ERROR),
						 errmsg("option \"%s\" is not one of a pipeline", not_here[i].name),
						 errhint("%s", not_here[i].instead)));
	link_transfer_options(NULL, args->options, true, args->path, &wanted);
	ProcessCopyOptions(NULL, &checked, true, wanted.copy);

	foreach(lc, args->fields)
		if (((LinkPipelineField *) lfirst(lc))->path != NIL && !wanted.json)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("only fields of format json have paths")));
	if (wanted.header && wanted.json)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("format json has no header")));
}

/* Some errors only the planner finds, as whether an index is there for ON CONFLICT.  It runs as the table's owner. */
static void
check_plan(Query *query, Oid owner)
{
	Oid			user;
	int			context;
	ListCell   *lc;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	AcquireRewriteLocks(query, true, false);
	foreach(lc, QueryRewrite(query))
		if (lfirst_node(Query, lc)->commandType != CMD_UTILITY)
			(void) pg_plan_query(lfirst_node(Query, lc), "", 0, NULL);
	SetUserIdAndSecContext(user, context);
}

/* The columns that FORCE_NULL and the like name are fields: COPY would ask only when there are rows. */
static void
check_forced(const LinkPipeline *pipeline, TupleDesc row)
{
	ListCell   *lc;

	foreach(lc, link_format_options_from_json(pipeline->options))
	{
		DefElem    *option = lfirst_node(DefElem, lc);
		ListCell   *name;

		if (option->arg == NULL || !IsA(option->arg, List))
			continue;
		foreach(name, (List *) option->arg)
		{
			int			i = 0;

			while (i < row->natts - LINK_SOURCE_COLUMNS &&
				   strcmp(NameStr(TupleDescAttr(row, i)->attname), strVal(lfirst(name))) != 0)
				i++;
			if (i == row->natts - LINK_SOURCE_COLUMNS)
				ereport(ERROR,
						(errcode(ERRCODE_UNDEFINED_COLUMN),
						 errmsg("\"%s\" of option \"%s\" is not a field of the pipeline",
								strVal(lfirst(name)), option->defname)));
		}
	}
}

/* What a batch will run, analyzed. */
static Query *
batch_query(const LinkPipeline *pipeline, Relation rel)
{
	QueryEnvironment *environment = create_queryEnv();
	EphemeralNamedRelation rows = palloc0(sizeof(EphemeralNamedRelationData));

	rows->md.name = ROWS_NAME;
	rows->md.reliddesc = InvalidOid;
	rows->md.tupdesc = link_pipeline_row_desc(pipeline, rel);
	rows->md.enrtype = ENR_NAMED_TUPLESTORE;
	register_ENR(environment, rows);
	return rel ? link_pipeline_insert_query(pipeline, rel, ROWS_NAME, environment) :
		link_pipeline_select_query(pipeline, ROWS_NAME, environment);
}

/* Would the clauses mean the same along this path? */
static bool
means_the_same(const LinkPipeline *pipeline, Relation rel, const Query *query, char *path)
{
	LinkPipeline other = *pipeline;
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool same = false;

	other.clause_path = path;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		same = equal(batch_query(&other, rel), query);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		if (geterrcode() == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return same;
}

/*
 * Those of the schemas without which the clauses would mean something else: nobody
 * who may create in the others can later put in what fits the same names better.
 */
static char *
least_path(const LinkPipeline *pipeline, Relation rel, const Query *query)
{
	List	   *schemas = schemas_of_now();

	for (int i = 0; i < list_length(schemas);)
	{
		List	   *fewer = list_delete_nth_cell(list_copy(schemas), i);

		if (means_the_same(pipeline, rel, query, pinned_path(fewer)))
			schemas = fewer;
		else
			i++;
	}
	return pinned_path(schemas);
}

/* By analyzing what a batch will run. */
static void
check_clauses(LinkPipeline *pipeline)
{
	Relation	rel = pipeline->signature ? NULL : table_open(pipeline->table, AccessShareLock);
	Query	   *query = batch_query(pipeline, rel);

	check_forced(pipeline, link_pipeline_row_desc(pipeline, rel));
	pipeline->clause_path = least_path(pipeline, rel, query);
	if (rel)
	{
		int			nest = NewGUCNestLevel();

		link_pipeline_set_path(pipeline);
		check_plan(query, rel->rd_rel->relowner);
		AtEOXact_GUC(false, nest);
		table_close(rel, NoLock);
	}
}

static bool
one_is_enough(const LinkObject *object, void *arg)
{
	return false;
}

/* Does the link lead anywhere, and may it touch the path? */
static void
try_source(const LinkRow *row, const char *path)
{
	LinkSession *session = link_open(row);

	session->provider->ops->connect(session);
	session->provider->ops->authenticate(session);
	link_list(session, path, true, one_is_enough, NULL);
	link_close(session);
}

static void
set_target(LinkPipeline *pipeline, const LinkCreatePipelineArgs *args)
{
	if (OidIsValid(args->table) == OidIsValid(args->procedure))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("a pipeline loads into a table or a procedure"),
				 errhint("Give one of the two.")));
	pipeline->table = args->table;
	pipeline->procedure = args->procedure;
	if (OidIsValid(args->table))
		return;
	pipeline->signature = format_procedure_extended(args->procedure,
													FORMAT_PROC_FORCE_QUALIFY | FORMAT_PROC_INVALID_AS_NULL);
	if (pipeline->signature == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("procedure with OID %u does not exist", args->procedure)));
	if (args->fields == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("a pipeline into a procedure needs a list of fields"),
				 errdetail("They are the columns of the table that the procedure reads.")));
	if (args->on_conflict)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("ON CONFLICT is for pipelines into a table only")));
}

/* Crashes empty it, and what was loaded is not loaded again. */
static void
warn_unlogged(const LinkPipeline *pipeline)
{
	if (pipeline->signature == NULL &&
		get_rel_persistence(pipeline->table) == RELPERSISTENCE_UNLOGGED)
		ereport(WARNING,
				(errmsg("%s is unlogged", link_pipeline_target(pipeline)),
				 errdetail("After a crash it is empty, and the pipeline does not load again what it has loaded.")));
}

/* Positions that mean nothing at the new source. */
static void
forget_positions(const LinkPipeline *old, const LinkPipeline *new, const LinkRow *row)
{
	ScanKeyData key;

	if (old->link_id == new->link_id &&
		(!(row->provider->features & LINK_IS_STREAM) || strcmp(old->path, new->path) == 0))
		return;
	link_key_int64(&key, PIPELINE_FILE_COL_PIPELINE, old->id);
	link_table_delete_all(PIPELINE_FILE_TABLE, PIPELINE_FILE_INDEX, 1, &key);
	link_key_int64(&key, PIPELINE_CURSOR_COL_PIPELINE, old->id);
	link_table_delete_all(PIPELINE_CURSOR_TABLE, PIPELINE_CURSOR_INDEX, 1, &key);
}

/* DROP LINK waits from here on, and then finds the pipeline.  Not before: a link that is tried may take long. */
static void
keep_link(const LinkRow *row)
{
	link_lock_link(row->id);
	if (link_row_by_id(row->id) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNDEFINED),
				 errmsg("link %s does not exist", link_qualified_name(row)),
				 errdetail("It was dropped by another session meanwhile.")));
}

/* Of the name, locked if it is to be replaced; NULL: there is none. */
static LinkPipeline *
existing(const LinkCreatePipelineArgs *args)
{
	LinkPipeline *old;

	link_lock_name("", link_fold_name(args->name));
	old = link_pipeline_by_name(args->name);
	return old && args->or_replace ? link_lock_own_pipeline(args->name) : old;
}

static void
create(const LinkCreatePipelineArgs *args)
{
	LinkPipeline *pipeline = palloc0(sizeof(LinkPipeline));
	LinkPipeline *old;
	LinkRow    *row;

	link_prevent_write("CREATE PIPELINE");
	if (args->or_replace && args->if_not_exists)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("OR REPLACE and IF NOT EXISTS exclude each other")));
	link_check_plain_name("pipeline", args->name);
	row = link_lookup_name(&args->link, LINK_ACL_READ);
	old = existing(args);
	link_use_detail("pipeline %s%s", quote_identifier(args->name), old ? ", replaced" : "");
	if (old && !args->or_replace)
	{
		ereport(args->if_not_exists ? NOTICE : ERROR,
				(errcode(ERRCODE_LINK_DUPLICATE),
				 args->if_not_exists ?
				 errmsg("pipeline %s already exists, skipping", quote_identifier(old->name)) :
				 errmsg("pipeline %s already exists", quote_identifier(old->name))));
		return;
	}

	if (old)
		*pipeline = *old;
	else
	{
		pipeline->name = unconstify(char *, args->name);
		pipeline->owner = GetUserId();
	}
	pipeline->link_id = row->id;
	pipeline->path = unconstify(char *, args->path);
	pipeline->signature = NULL;
	set_target(pipeline, args);
	check_options(args);
	pipeline->options = link_format_options_to_json(args->options);
	pipeline->fields = link_fields_to_json(args->fields);
	pipeline->set_clause = unconstify(char *, args->set_clause);
	pipeline->where_clause = unconstify(char *, args->where_clause);
	pipeline->on_conflict = unconstify(char *, args->on_conflict);
	pipeline->search_path = pinned_path(schemas_of_now());
	pipeline->clause_path = pipeline->search_path;
	pipeline->batch_interval = DEFAULT_BATCH_INTERVAL;
	pipeline->max_partitions = 0;
	pipeline->max_retries = DEFAULT_MAX_RETRIES;
	pipeline->max_offsets = 0;
	pipeline->skip = 0;
	pipeline->stop_on_error = true;
	apply_settings(pipeline, &args->settings);

	row = link_pipeline_check_rights(pipeline);
	check_clauses(pipeline);
	if (!args->force)
		try_source(row, pipeline->path);
	warn_unlogged(pipeline);
	keep_link(row);

	if (old)
	{
		forget_positions(old, pipeline, row);
		link_pipeline_update(pipeline);
		link_wake_for(pipeline);
		return;
	}
	link_anchor_add(pipeline->owner);
	link_pipeline_insert(pipeline);
}

void
link_create_pipeline(const LinkCreatePipelineArgs *args)
{
	LINK_USE_BEGIN(LINK_VERB_CREATE_PIPELINE, args->path);
	{
		create(args);
	}
	LINK_USE_END();
}

/*
 * The rest.
 */

void
link_alter_pipeline(const char *name, const LinkPipelineSettings *settings)
{
	LINK_USE_BEGIN(LINK_VERB_ALTER_PIPELINE, NULL);
	{
		LinkPipeline *pipeline;

		link_prevent_write("ALTER PIPELINE");
		pipeline = link_lock_own_pipeline(name);
		apply_settings(pipeline, settings);
		link_pipeline_update(pipeline);
		link_wake_for(pipeline);
	}
	LINK_USE_END();
}

void
link_rename_pipeline(const char *name, const char *new_name)
{
	LINK_USE_BEGIN(LINK_VERB_ALTER_PIPELINE, NULL);
	{
		LinkPipeline *pipeline;
		LinkPipeline *other;

		link_prevent_write("ALTER PIPELINE");
		link_check_plain_name("pipeline", new_name);
		pipeline = link_lock_own_pipeline(name);
		link_use_detail("pipeline %s, renamed to %s", quote_identifier(pipeline->name), quote_identifier(new_name));
		link_lock_name("", link_fold_name(new_name));
		other = link_pipeline_by_name(new_name);
		if (other && other->id != pipeline->id)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_DUPLICATE),
					 errmsg("pipeline %s already exists", quote_identifier(other->name))));
		pipeline->name = unconstify(char *, new_name);
		link_pipeline_update(pipeline);
	}
	LINK_USE_END();
}

void
link_set_pipeline_owner(const char *name, Oid role)
{
	LINK_USE_BEGIN(LINK_VERB_ALTER_PIPELINE, NULL);
	{
		LinkPipeline *pipeline;
		Oid			old_owner;

		link_prevent_write("ALTER PIPELINE");
		pipeline = link_lock_own_pipeline(name);
		old_owner = pipeline->owner;
		link_use_detail("pipeline %s, owner to %s", quote_identifier(pipeline->name), link_role_name(role));
		if (!link_role_exists(role))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("role with OID %u does not exist", role)));
		link_check_can_set_role(GetUserId(), role);
		if (old_owner != role)
		{
			pipeline->owner = role;
			(void) link_pipeline_check_rights(pipeline);
			link_anchor_add(role);
			link_pipeline_update(pipeline);
			link_anchor_release(old_owner);
			link_wake_for(pipeline);
		}
	}
	LINK_USE_END();
}

void
link_drop_pipeline(const char *name, bool if_exists)
{
	LINK_USE_BEGIN(LINK_VERB_DROP_PIPELINE, NULL);
	{
		link_prevent_write("DROP PIPELINE");
		if (if_exists && link_pipeline_by_name(name) == NULL)
			ereport(NOTICE,
					(errmsg("pipeline %s does not exist, skipping", quote_identifier(name))));
		else
		{
			LinkPipeline *pipeline = link_lock_own_pipeline(name);

			link_pipeline_delete(pipeline);
			link_wake_for(pipeline);
		}
	}
	LINK_USE_END();
}
