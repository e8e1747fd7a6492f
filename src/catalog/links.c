/*-------------------------------------------------------------------------
 *
 * links.c
 *	  Names of links, and rows of link.link as structs.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "parser/scansup.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "catalog/links.h"
#include "catalog/tables.h"
#include "errors.h"
#include "provider/provider.h"

char *
link_fold_name(const char *name)
{
	char	   *folded = pstrdup(name);

	for (char *p = folded; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return folded;
}

static void
bad_name(const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("invalid link name: \"%s\"", text),
			 errhint("Write it as name or schema.name, with double quotes around a part that needs them.")));
}

/*
 * One part of a name, from *p on: quoted ("" stands for ") or up to a dot.
 * NULL if malformed.
 */
static char *
name_part(const char **p, bool *quoted)
{
	StringInfoData part;
	const char *s = *p;

	initStringInfo(&part);
	*quoted = *s == '"';
	if (*quoted)
	{
		for (s++; *s != '\0'; s++)
		{
			if (*s == '"' && s[1] != '"')
				break;
			if (*s == '"')
				s++;
			appendStringInfoChar(&part, *s);
		}
		if (*s++ != '"')
			return NULL;
	}
	else
	{
		while (*s != '\0' && *s != '.' && *s != '"')
			appendStringInfoChar(&part, *s++);
		while (part.len > 0 && scanner_isspace(part.data[part.len - 1]))
			part.data[--part.len] = '\0';
	}
	*p = s;
	return part.len > 0 ? part.data : NULL;
}

LinkName
link_parse_name(const char *text)
{
	LinkName	result = {NULL, NULL};
	const char *p = text;
	bool		quoted;
	char	   *part;

	while (scanner_isspace(*p))
		p++;
	part = name_part(&p, &quoted);
	if (part == NULL)
		bad_name(text);
	while (scanner_isspace(*p))
		p++;
	if (*p == '.')
	{
		result.namespace = quoted ? part : downcase_identifier(part, strlen(part), false, false);
		p++;
		while (scanner_isspace(*p))
			p++;
		part = name_part(&p, &quoted);
		if (part == NULL)
			bad_name(text);
		while (scanner_isspace(*p))
			p++;
	}
	if (*p != '\0')
		bad_name(text);
	result.name = part;
	link_check_name(&result);
	return result;
}

char *
link_parse_plain_name(const char *what, const char *text)
{
	const char *p = text;
	bool		quoted;
	char	   *name;

	while (scanner_isspace(*p))
		p++;
	name = name_part(&p, &quoted);
	while (scanner_isspace(*p))
		p++;
	if (name == NULL || *p != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid %s name: \"%s\"", what, text),
				 errhint("It has no schema; one with a dot or a quote in it is written in double quotes.")));
	link_check_plain_name(what, name);
	return name;
}

void
link_check_plain_name(const char *what, const char *name)
{
	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("%s name is too long", what),
				 errdetail("A name has at most %d bytes.", NAMEDATALEN - 1)));
	for (const unsigned char *p = (const unsigned char *) name; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("%s name holds a control character", what)));
}

void
link_check_name(const LinkName *name)
{
	if (name->namespace)
		link_check_plain_name("schema", name->namespace);
	link_check_plain_name("link", name->name);
}

char *
link_qualified_name(const LinkRow *row)
{
	return quote_qualified_identifier(row->namespace, row->name);
}

static char *
text_column(HeapTuple tuple, TupleDesc desc, AttrNumber column)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(datum);
}

static TimestampTz
time_column(HeapTuple tuple, TupleDesc desc, AttrNumber column)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(datum);
}

LinkRow *
link_row_from_tuple(HeapTuple tuple, TupleDesc desc)
{
	LinkRow    *row = palloc0(sizeof(LinkRow));
	bool		isnull;
	Datum		datum;
	Datum	   *keys;
	int			n;

	row->id = DatumGetInt64(heap_getattr(tuple, LINK_COL_ID, desc, &isnull));
	row->namespace = pstrdup(NameStr(*DatumGetName(heap_getattr(tuple, LINK_COL_NAMESPACE, desc, &isnull))));
	row->name = pstrdup(NameStr(*DatumGetName(heap_getattr(tuple, LINK_COL_NAME, desc, &isnull))));
	row->type = text_column(tuple, desc, LINK_COL_TYPE);
	row->provider = link_provider_find(row->type);
	row->owner = DatumGetObjectId(heap_getattr(tuple, LINK_COL_OWNER, desc, &isnull));
	row->description = text_column(tuple, desc, LINK_COL_DESCRIPTION);

	datum = heap_getattr(tuple, LINK_COL_CONFIG, desc, &isnull);
	row->config = JsonbToCString(NULL, &DatumGetJsonbP(datum)->root, 0);

	datum = heap_getattr(tuple, LINK_COL_CREDENTIALS, desc, &isnull);
	row->credentials = isnull ? NULL : DatumGetByteaPCopy(datum);

	datum = heap_getattr(tuple, LINK_COL_CREDENTIAL_KEYS, desc, &isnull);
	deconstruct_array(DatumGetArrayTypeP(datum), TEXTOID, -1, false, TYPALIGN_INT,
					  &keys, NULL, &n);
	row->credential_keys = palloc(sizeof(char *) * Max(n, 1));
	row->n_credential_keys = n;
	for (int i = 0; i < n; i++)
		row->credential_keys[i] = TextDatumGetCString(keys[i]);

	row->created_at = time_column(tuple, desc, LINK_COL_CREATED_AT);
	row->altered_at = time_column(tuple, desc, LINK_COL_ALTERED_AT);
	row->credentials_changed_at = time_column(tuple, desc, LINK_COL_CREDENTIALS_CHANGED_AT);
	row->tid = tuple->t_self;

	/* whatever is at this place was put there by one command of one transaction */
	row->version = ((uint64) HeapTupleHeaderGetRawXmin(tuple->t_data) << 32) ^
		((uint64) ItemPointerGetBlockNumber(&tuple->t_self) << 11) ^
		ItemPointerGetOffsetNumber(&tuple->t_self);
	return row;
}

static LinkRow *
one_row(const char *index, int nkeys, ScanKey keys)
{
	LinkScan	scan;
	HeapTuple	tuple;
	LinkRow    *row = NULL;

	link_scan_begin(&scan, LINK_TABLE, index, nkeys, keys);
	tuple = link_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
		row = link_row_from_tuple(tuple, RelationGetDescr(scan.rel));
	link_scan_end(&scan);
	return row;
}

LinkRow *
link_row_by_id(int64 id)
{
	ScanKeyData key;

	link_key_int64(&key, LINK_COL_ID, id);
	return one_row(LINK_ID_INDEX, 1, &key);
}

LinkRow *
link_row_by_name(const char *namespace, const char *name)
{
	ScanKeyData keys[2];
	NameData	schema;
	NameData	folded;

	namestrcpy(&schema, namespace);
	namestrcpy(&folded, link_fold_name(name));
	link_key_name(&keys[0], LINK_COL_NAMESPACE, &schema);
	link_key_name(&keys[1], LINK_COL_FOLDED_NAME, &folded);
	return one_row(LINK_NAME_INDEX, 2, keys);
}

static int
row_id_cmp(const ListCell *a, const ListCell *b)
{
	const LinkRow *x = lfirst(a);
	const LinkRow *y = lfirst(b);

	return (x->id > y->id) - (x->id < y->id);
}

List *
link_rows(const char *namespace, Oid owner)
{
	LinkScan	scan;
	HeapTuple	tuple;
	ScanKeyData key;
	NameData	schema;
	List	   *rows = NIL;

	if (namespace)
	{
		namestrcpy(&schema, namespace);
		link_key_name(&key, LINK_COL_NAMESPACE, &schema);
		link_scan_begin(&scan, LINK_TABLE, LINK_NAME_INDEX, 1, &key);
	}
	else if (OidIsValid(owner))
	{
		link_key_oid(&key, LINK_COL_OWNER, owner);
		link_scan_begin(&scan, LINK_TABLE, LINK_OWNER_INDEX, 1, &key);
	}
	else
		link_scan_begin(&scan, LINK_TABLE, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = link_scan_next(&scan)))
		rows = lappend(rows, link_row_from_tuple(tuple, RelationGetDescr(scan.rel)));
	link_scan_end(&scan);
	list_sort(rows, row_id_cmp);
	return rows;
}
