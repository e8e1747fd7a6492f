/*-------------------------------------------------------------------------
 *
 * fn_links.c
 *	  SQL functions that make, change, remove and show links.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "catalog/ddl.h"
#include "catalog/roles.h"
#include "catalog/show.h"
#include "errors.h"
#include "statement/function.h"

PG_FUNCTION_INFO_V1(link_fn_create_link);
PG_FUNCTION_INFO_V1(link_fn_alter_link);
PG_FUNCTION_INFO_V1(link_fn_set_link_config);
PG_FUNCTION_INFO_V1(link_fn_set_link_credential);
PG_FUNCTION_INFO_V1(link_fn_rename_link);
PG_FUNCTION_INFO_V1(link_fn_set_link_schema);
PG_FUNCTION_INFO_V1(link_fn_set_link_owner);
PG_FUNCTION_INFO_V1(link_fn_drop_link);
PG_FUNCTION_INFO_V1(link_fn_reassign_owned);
PG_FUNCTION_INFO_V1(link_fn_show_links);
PG_FUNCTION_INFO_V1(link_fn_show_create_link);
PG_FUNCTION_INFO_V1(link_fn_visible_links);

Datum
link_fn_create_link(PG_FUNCTION_ARGS)
{
	LinkCreateArgs args = {0};

	args.name = link_arg_name(fcinfo, 0, "name");
	args.type = link_arg_text(fcinfo, 1, "type");
	args.credentials = link_arg_secret(fcinfo, 2);
	args.config = link_arg_secret(fcinfo, 3);
	args.description = link_arg_text_or_null(fcinfo, 4);
	args.or_replace = link_arg_bool(fcinfo, 5, "or_replace");
	args.if_not_exists = link_arg_bool(fcinfo, 6, "if_not_exists");
	args.validate = link_arg_bool(fcinfo, 7, "validate");
	link_create(&args);
	PG_RETURN_VOID();
}

Datum
link_fn_alter_link(PG_FUNCTION_ARGS)
{
	LinkAlterArgs args = {{0}};

	args.name = link_arg_name(fcinfo, 0, "name");
	args.config.json = link_arg_secret(fcinfo, 1);
	args.config.given = args.config.json != NULL;
	args.credentials.json = link_arg_secret(fcinfo, 2);
	args.credentials.given = args.credentials.json != NULL;
	args.description = link_arg_text_or_null(fcinfo, 3);
	args.description_given = args.description != NULL;
	if (!args.config.given && !args.credentials.given && !args.description_given)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("nothing to alter"),
				 errhint("Give config, credentials or description.")));
	link_alter(&args);
	PG_RETURN_VOID();
}

static void
set_key(FunctionCallInfo fcinfo, LinkAlterArgs *args, LinkClauseChange *clause)
{
	args->name = link_arg_name(fcinfo, 0, "name");
	clause->given = true;
	clause->key = link_arg_text(fcinfo, 1, "key");
	clause->value = link_arg_secret(fcinfo, 2);
	link_alter(args);
}

Datum
link_fn_set_link_config(PG_FUNCTION_ARGS)
{
	LinkAlterArgs args = {{0}};

	set_key(fcinfo, &args, &args.config);
	PG_RETURN_VOID();
}

Datum
link_fn_set_link_credential(PG_FUNCTION_ARGS)
{
	LinkAlterArgs args = {{0}};

	set_key(fcinfo, &args, &args.credentials);
	PG_RETURN_VOID();
}

Datum
link_fn_rename_link(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "name");
	LinkName	target = link_arg_name(fcinfo, 1, "new_name");

	if (target.namespace)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("the new name of a link has no schema"),
				 errhint("Use link.set_link_schema() to move it.")));
	link_rename(&name, target.name);
	PG_RETURN_VOID();
}

Datum
link_fn_set_link_schema(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "name");
	char	   *schema = link_arg_text(fcinfo, 1, "schema");

	link_set_schema(&name, link_parse_schema(schema));
	PG_RETURN_VOID();
}

Datum
link_fn_set_link_owner(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "name");

	link_set_owner(&name, PG_GETARG_OID(1));
	PG_RETURN_VOID();
}

Datum
link_fn_drop_link(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "name");

	link_drop(&name, PG_GETARG_BOOL(1), PG_GETARG_BOOL(2));
	PG_RETURN_VOID();
}

Datum
link_fn_reassign_owned(PG_FUNCTION_ARGS)
{
	link_reassign_owned(list_make1_oid(PG_GETARG_OID(0)), PG_GETARG_OID(1));
	PG_RETURN_VOID();
}

/*
 * Showing.
 */

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

static Datum
config_datum(const LinkRow *row)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(row->config));
}

Datum
link_fn_show_links(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *schema = PG_ARGISNULL(0) ? link_current_schema() : link_arg_text(fcinfo, 0, "schema");
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);

	/* the default is current_schema(): a name as it is, not an identifier */
	if (!OidIsValid(get_namespace_oid(schema, true)))
		schema = link_parse_schema(schema);
	get_namespace_oid(schema, false);
	foreach(lc, link_visible_rows(schema))
	{
		LinkRow    *row = lfirst(lc);
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = CStringGetTextDatum(row->name);
		values[1] = CStringGetTextDatum(row->type);
		values[2] = text_or_null(row->description, &nulls[2]);
		values[3] = config_datum(row);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
link_fn_show_create_link(PG_FUNCTION_ARGS)
{
	LinkName	name = link_arg_name(fcinfo, 0, "name");

	PG_RETURN_TEXT_P(cstring_to_text(link_show_create(&name)));
}

Datum
link_fn_visible_links(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, link_visible_rows(NULL))
	{
		LinkRow    *row = lfirst(lc);
		Datum		values[10];
		bool		nulls[10] = {0};
		Datum	   *keys = palloc(sizeof(Datum) * Max(row->n_credential_keys, 1));

		for (int i = 0; i < row->n_credential_keys; i++)
			keys[i] = CStringGetTextDatum(row->credential_keys[i]);
		nulls[0] = !OidIsValid(get_namespace_oid(row->namespace, true));
		values[0] = CStringGetTextDatum(row->namespace);
		values[1] = CStringGetTextDatum(row->name);
		values[2] = CStringGetTextDatum(row->type);
		values[3] = text_or_null(row->description, &nulls[3]);
		values[4] = config_datum(row);
		values[5] = CStringGetTextDatum(link_role_name(row->owner));
		values[6] = PointerGetDatum(construct_array(keys, row->n_credential_keys, TEXTOID, -1, false,
													TYPALIGN_INT));
		values[7] = TimestampTzGetDatum(row->credentials_changed_at);
		nulls[7] = row->credentials_changed_at == 0;
		values[8] = TimestampTzGetDatum(row->created_at);
		values[9] = TimestampTzGetDatum(row->altered_at);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
