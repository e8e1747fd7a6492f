/*-------------------------------------------------------------------------
 *
 * fn_operate.c
 *	  SQL functions of those who operate the server: status, master keys, uploads
 *	  that were left behind.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/json.h"

#include "access/xlog.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "catalog/ddl_internal.h"
#include "catalog/keyring.h"
#include "catalog/seal.h"
#include "catalog/stats.h"
#include "catalog/tables.h"
#include "catalog/use.h"
#include "errors.h"
#include "guc.h"
#include "hygiene.h"
#include "provider/provider.h"
#include "statement/function.h"
#include "transfer/orphans.h"

PG_FUNCTION_INFO_V1(link_fn_abort_uploads);
PG_FUNCTION_INFO_V1(link_fn_status);
PG_FUNCTION_INFO_V1(link_fn_add_master_key);
PG_FUNCTION_INFO_V1(link_fn_retire_master_key);
PG_FUNCTION_INFO_V1(link_fn_reseal);

static void
put_item(ReturnSetInfo *rsinfo, const char *item, const char *value)
{
	Datum		values[2];
	bool		nulls[2] = {0};

	values[0] = CStringGetTextDatum(item);
	values[1] = CStringGetTextDatum(value);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* "S3, FS": those in this build, or those only known. */
static char *
provider_names(bool built)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; link_provider_nth(i) != NULL; i++)
		if ((link_provider_nth(i)->ops != NULL) == built)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", link_provider_nth(i)->type);
	return names.data;
}

static char *
key_ids(void)
{
	StringInfoData ids;
	ListCell   *lc;

	initStringInfo(&ids);
	foreach(lc, link_keyring_ids())
		appendStringInfo(&ids, "%s%s", ids.len > 0 ? ", " : "", (char *) lfirst(lc));
	return ids.len > 0 ? ids.data : pstrdup("none");
}

Datum
link_fn_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	put_item(rsinfo, "library version", LINK_VERSION);
	put_item(rsinfo, "server version", PG_VERSION);
	put_item(rsinfo, "preloaded", link_hygiene_preload());
	put_item(rsinfo, "providers", provider_names(true));
	put_item(rsinfo, "providers not in this build", provider_names(false));
	put_item(rsinfo, "key ring", link_keyring_source());
	put_item(rsinfo, "key ids", key_ids());
	put_item(rsinfo, "allowed hosts", link_allowed_hosts);
	put_item(rsinfo, "statistics", link_stats_shared() ? "of all sessions" : "of this session");
	put_item(rsinfo, "links", psprintf("%d", list_length(link_rows(NULL, InvalidOid))));
	put_item(rsinfo, "orphaned uploads", link_orphans_text());
	return (Datum) 0;
}

Datum
link_fn_abort_uploads(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LinkName	name;
	TimestampTz before;
	ListCell   *lc;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", "older_than")));
	if (!PG_ARGISNULL(0))
		name = link_arg_name(fcinfo, 0, "link");
	before = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
													 TimestampTzGetDatum(GetCurrentTimestamp()),
													 PG_GETARG_DATUM(1)));
	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_abort_uploads(PG_ARGISNULL(0) ? NULL : &name, before))
	{
		LinkOrphan *orphan = lfirst(lc);
		Datum		values[4];
		bool		nulls[4] = {0};

		nulls[0] = orphan->link == NULL;
		values[0] = orphan->link ? CStringGetTextDatum(orphan->link) : (Datum) 0;
		nulls[1] = orphan->path == NULL;
		values[1] = orphan->path ? CStringGetTextDatum(orphan->path) : (Datum) 0;
		nulls[2] = TIMESTAMP_IS_NOBEGIN(orphan->started);
		values[2] = TimestampTzGetDatum(orphan->started);
		values[3] = CStringGetTextDatum(orphan->outcome);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static char *
add_master_key(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the key ring is changed on the primary server only")));
	if (link_keyring_ids() == NIL && !link_nothing_sealed())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no master key ring"),
				 errdetail("A new one is not made, because credentials are sealed with a key of the one that is missing."),
				 errhint("Put the ring file back in its place.")));
	return link_keyring_add();
}

Datum
link_fn_add_master_key(PG_FUNCTION_ARGS)
{
	char	   *id = NULL;

	LINK_USE_BEGIN(LINK_VERB_ADD_MASTER_KEY, NULL);
	{
		link_use_found_name("*.*");
		id = add_master_key();
		link_use_detail("%s", id);
	}
	LINK_USE_END();
	PG_RETURN_TEXT_P(cstring_to_text(id));
}

static void
retire_master_key(char *id)
{
	int			sealed = 0;
	ListCell   *lc;

	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the key ring is changed on the primary server only")));
	foreach(lc, link_rows(NULL, InvalidOid))
	{
		LinkRow    *row = lfirst(lc);
		char	   *used = row->credentials ? link_sealed_key_id(row->credentials) : NULL;

		if (used && strcmp(used, id) == 0)
			sealed++;
	}
	if (sealed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("master key \"%s\" still seals %d links of this database", id, sealed),
				 errhint("Run link.reseal() first, in every database.")));
	link_keyring_retire(id);
	ereport(NOTICE,
			(errmsg("master key \"%s\" is retired", id),
			 errdetail("Links of other databases, dumps and backups that it sealed cannot be opened any more.")));
}

Datum
link_fn_retire_master_key(PG_FUNCTION_ARGS)
{
	char	   *id = link_arg_text(fcinfo, 0, "id");

	LINK_USE_BEGIN(LINK_VERB_RETIRE_MASTER_KEY, NULL);
	{
		link_use_found_name("*.*");
		link_use_detail("%s", id);
		retire_master_key(id);
	}
	LINK_USE_END();
	PG_RETURN_VOID();
}

/* Never: whatever is to be resealed was sealed with a key of a ring. */
static bool
no_new_ring(void)
{
	return false;
}

/* Seal the link again; false if its key is not in the ring. */
static bool
reseal_row(const LinkRow *row, const LinkKey *current)
{
	Datum		values[LINK_NCOLS] = {0};
	bool		nulls[LINK_NCOLS] = {0};
	bool		replace[LINK_NCOLS] = {0};
	struct json_object *config;
	char	   *id = link_sealed_key_id(row->credentials);
	char	   *origin;
	char	   *text;
	Size		len;
	LinkKey    *key = link_secret_alloc(sizeof(LinkKey));

	if (id == NULL || !link_keyring_find(id, key) || row->provider == NULL)
	{
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("link %s cannot be opened, and stays as it is", link_qualified_name(row)),
				 errdetail("Its master key \"%s\" is not in the ring.", id ? id : "?")));
		return false;
	}
	config = link_json_parse("CONFIG", row->config, strlen(row->config));
	origin = link_options_origin(row->provider->options, NULL, config);
	text = link_unseal(row->credentials, row->id, row->type, origin, link_qualified_name(row), &len);
	values[LINK_COL_CREDENTIALS - 1] =
		PointerGetDatum(link_seal(current, row->id, row->type, origin, text, len));
	replace[LINK_COL_CREDENTIALS - 1] = true;
	link_update_row(row, values, nulls, replace);
	return true;
}

static int64
reseal(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link reseal",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = CurrentMemoryContext;
	LinkKey    *current = link_secret_alloc(sizeof(LinkKey));
	int64		count = 0;
	ListCell   *lc;

	link_prevent_write("link.reseal");
	if (link_nothing_sealed())
		return 0;
	link_keyring_current(current, no_new_ring);
	foreach(lc, link_rows(NULL, InvalidOid))
	{
		LinkRow    *row;

		link_lock_link(((LinkRow *) lfirst(lc))->id);
		MemoryContextSwitchTo(context);
		row = link_row_by_id(((LinkRow *) lfirst(lc))->id);
		if (row && row->credentials && reseal_row(row, current))
			count++;
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);	/* wipes */
	}
	MemoryContextDelete(context);
	return count;
}

Datum
link_fn_reseal(PG_FUNCTION_ARGS)
{
	int64		count = 0;

	LINK_USE_BEGIN(LINK_VERB_RESEAL, NULL);
	{
		link_use_found_name("*.*");
		count = reseal();
		link_use_moved(count, 0);
	}
	LINK_USE_END();
	PG_RETURN_INT64(count);
}
