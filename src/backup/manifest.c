/*-------------------------------------------------------------------------
 *
 * manifest.c
 *	  Writing and reading what a backup consists of.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/json.h"

#include <openssl/crypto.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "backup/manifest.h"
#include "bounds.h"
#include "catalog/ddl_internal.h"
#include "catalog/keyring.h"
#include "errors.h"
#include "transfer/source.h"

#define FORMAT 1

/* What the key of the HMAC is derived with, so that it is of no use for anything else. */
#define KEY_PURPOSE "link backup manifest"

/* More than any sentinel has: it is parsed before anything says whose it is. */
#define SENTINEL_BYTES 4096

/*
 * Names.
 */

char *
link_backup_path(const char *path, const char *name)
{
	Size		len = strlen(path);

	return psprintf("%s%s%s", path, len > 0 && path[len - 1] == '/' ? "" : "/", name);
}

char *
link_backup_id_path(const char *path, int64 id, const char *name)
{
	return link_backup_path(path, psprintf(INT64_FORMAT "/%s", id, name));
}

int64
link_backup_of(const LinkBackupObject *object)
{
	return strtoi64(object->path, NULL, 10);
}

List *
link_manifest_objects(const LinkManifest *manifest)
{
	List	   *objects = list_make1(unconstify(LinkBackupObject *, &manifest->definitions));
	ListCell   *lc;

	if (manifest->large_objects.path)
		objects = lappend(objects, unconstify(LinkBackupObject *, &manifest->large_objects));
	foreach(lc, manifest->tables)
		objects = list_concat(objects, ((LinkBackupTable *) lfirst(lc))->parts);
	return objects;
}

/*
 * Keys.
 */

static void
authenticate(const LinkKey *key, const char *text, uint8 hmac[LINK_DIGEST_LENGTH])
{
	uint8		derived[LINK_DIGEST_LENGTH];

	link_hmac(key->key, LINK_KEY_LENGTH, KEY_PURPOSE, strlen(KEY_PURPOSE), derived);
	link_hmac(derived, sizeof(derived), text, strlen(text), hmac);
	OPENSSL_cleanse(derived, sizeof(derived));
}

/*
 * Writing.
 */

static void
append_text(StringInfo json, const char *name, const char *value)
{
	appendStringInfo(json, "%s\"%s\": ", json->data[json->len - 1] == '{' ? "" : ", ", name);
	if (value)
		escape_json(json, value);
	else
		appendStringInfoString(json, "null");
}

static void
append_texts(StringInfo json, const char *name, List *values)
{
	ListCell   *lc;

	appendStringInfo(json, ", \"%s\": [", name);
	foreach(lc, values)
	{
		if (lc != list_head(values))
			appendStringInfoString(json, ", ");
		escape_json(json, lfirst(lc));
	}
	appendStringInfoChar(json, ']');
}

/* Rows of texts. */
static void
append_rows(StringInfo json, const char *name, List *rows)
{
	ListCell   *lc;
	ListCell   *column;

	appendStringInfo(json, ", \"%s\": [", name);
	foreach(lc, rows)
	{
		List	   *row = lfirst(lc);

		appendStringInfoString(json, lc == list_head(rows) ? "[" : ", [");
		foreach(column, row)
		{
			if (column != list_head(row))
				appendStringInfoString(json, ", ");
			escape_json(json, lfirst(column));
		}
		appendStringInfoChar(json, ']');
	}
	appendStringInfoChar(json, ']');
}

static void
append_number(StringInfo json, const char *name, int64 value)
{
	appendStringInfo(json, "%s\"%s\": " INT64_FORMAT, json->data[json->len - 1] == '{' ? "" : ", ", name, value);
}

static void
append_bool(StringInfo json, const char *name, bool value)
{
	appendStringInfo(json, "%s\"%s\": %s", json->data[json->len - 1] == '{' ? "" : ", ", name, value ? "true" : "false");
}

static void
append_object(StringInfo json, const LinkBackupObject *object)
{
	appendStringInfoChar(json, '{');
	append_text(json, "path", object->path);
	append_number(json, "bytes", (int64) object->bytes);
	append_number(json, "text_bytes", (int64) object->text_bytes);
	append_number(json, "rows", (int64) object->rows);
	append_text(json, "sha256", link_digest_text(object->sha256));
	appendStringInfoChar(json, '}');
}

static void
append_table(StringInfo json, const LinkBackupTable *table)
{
	ListCell   *lc;

	appendStringInfoChar(json, '{');
	append_text(json, "name", table->name);
	append_text(json, "columns", table->columns);
	append_text(json, "root", table->root);
	append_number(json, "oid", table->oid);
	append_number(json, "file", table->file);
	append_number(json, "blocks", table->blocks);
	append_text(json, "fingerprint", table->fingerprint);
	append_bool(json, "in_doubt", table->in_doubt);
	appendStringInfoString(json, ", \"parts\": [");
	foreach(lc, table->parts)
	{
		if (lc != list_head(table->parts))
			appendStringInfoString(json, ", ");
		append_object(json, lfirst(lc));
	}
	appendStringInfoString(json, "]}");
}

static void
append_database(StringInfo json, const LinkBackupDatabase *database)
{
	appendStringInfoString(json, ",\n\"database\": {");
	append_text(json, "name", database->name);
	append_text(json, "owner", database->owner);
	append_text(json, "encoding", database->encoding);
	append_text(json, "collate", database->collate);
	append_text(json, "ctype", database->ctype);
	append_text(json, "provider", database->provider);
	append_text(json, "locale", database->locale);
	append_text(json, "icu_rules", database->icu_rules);
	append_text(json, "tablespace", database->tablespace);
	append_number(json, "connection_limit", database->connection_limit);
	append_bool(json, "is_template", database->is_template);
	append_text(json, "comment", database->comment);
	append_rows(json, "settings", database->settings);
	append_bool(json, "has_grants", database->has_grants);
	append_rows(json, "grants", database->grants);
	appendStringInfoChar(json, '}');
}

/* In UTF-8, as JSON is. */
static char *
manifest_text(const LinkManifest *manifest)
{
	StringInfoData json;
	ListCell   *lc;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	append_number(&json, "link_backup", FORMAT);
	append_number(&json, "id", manifest->id);
	append_number(&json, "base", manifest->base);
	append_texts(&json, "schemas", manifest->schemas);
	append_text(&json, "started", manifest->started);
	append_text(&json, "finished", manifest->finished);
	append_text(&json, "system_identifier", psprintf(UINT64_FORMAT, manifest->system_identifier));
	append_number(&json, "timeline", manifest->timeline);
	append_number(&json, "database_oid", manifest->database_oid);
	append_number(&json, "server_version", manifest->server_version);
	append_text(&json, "baseline", psprintf("%X/%X", LSN_FORMAT_ARGS(manifest->baseline)));
	append_database(&json, &manifest->database);
	appendStringInfoString(&json, ",\n\"definitions\": ");
	append_object(&json, &manifest->definitions);
	if (manifest->large_objects.path)
	{
		appendStringInfoString(&json, ",\n\"large_objects\": ");
		append_object(&json, &manifest->large_objects);
	}
	appendStringInfoString(&json, ",\n\"tables\": [");
	foreach(lc, manifest->tables)
	{
		appendStringInfoString(&json, lc == list_head(manifest->tables) ? "\n" : ",\n");
		append_table(&json, lfirst(lc));
	}
	appendStringInfoString(&json, "],\n\"sequences\": [");
	foreach(lc, manifest->sequences)
	{
		LinkBackupSequence *sequence = lfirst(lc);

		appendStringInfoString(&json, lc == list_head(manifest->sequences) ? "\n{" : ",\n{");
		append_text(&json, "name", sequence->name);
		append_number(&json, "last_value", sequence->last_value);
		append_bool(&json, "is_called", sequence->is_called);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoString(&json, "]}\n");
	return pg_server_to_any(json.data, json.len, PG_UTF8);
}

static void
write_object(LinkSession *session, const char *path, const char *text)
{
	LinkWriter *writer = link_open_writer(session, path, false);
	StringInfoData token;

	initStringInfo(&token);
	PG_TRY();
	{
		link_write(writer, text, strlen(text));
		link_prepare(writer, &token);
		link_publish(session, writer->path, false, token.data, token.len);
	}
	PG_CATCH();
	{
		link_undo_writer(writer, &token);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

static char *
sentinel_text(int64 id, const char *manifest, const LinkKey *key)
{
	StringInfoData sentinel;
	uint8		sha256[LINK_DIGEST_LENGTH];
	uint8		hmac[LINK_DIGEST_LENGTH];

	link_digest(manifest, strlen(manifest), sha256);
	authenticate(key, manifest, hmac);
	initStringInfo(&sentinel);
	appendStringInfoChar(&sentinel, '{');
	append_number(&sentinel, "link_backup", FORMAT);
	append_number(&sentinel, "id", id);
	append_text(&sentinel, "manifest_sha256", link_digest_text(sha256));
	append_text(&sentinel, "key_id", key->id);
	append_text(&sentinel, "hmac_sha256", link_digest_text(hmac));
	appendStringInfoString(&sentinel, "}\n");
	return sentinel.data;
}

char *
link_manifest_write(LinkSession *session, const char *path, const LinkManifest *manifest)
{
	char	   *text = manifest_text(manifest);
	char	   *sentinel;
	uint8		sha256[LINK_DIGEST_LENGTH];
	LinkKey		key;

	link_keyring_current(&key, link_nothing_sealed);
	sentinel = sentinel_text(manifest->id, text, &key);
	OPENSSL_cleanse(key.key, sizeof(key.key));
	write_object(session, link_backup_id_path(path, manifest->id, LINK_MANIFEST_OBJECT), text);
	write_object(session, link_backup_id_path(path, manifest->id, LINK_SENTINEL_OBJECT), sentinel);
	link_digest(text, strlen(text), sha256);
	return link_digest_text(sha256);
}

/*
 * Reading.  Whatever is missing or of another type is damage.
 */

LINK_NORETURN static void
damaged(const char *what, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_CORRUPT),
			 errmsg("backup object \"%s\" is damaged", what),
			 errdetail("%s", detail)));
}

typedef struct Reader
{
	const char *what;			/* the object, for messages */
	struct json_object *json;
} Reader;

static struct json_object *
member(const Reader *reader, const char *name, enum json_type type, bool may_be_null)
{
	struct json_object *value;

	if (!json_object_object_get_ex(reader->json, name, &value) ||
		!(json_object_is_type(value, type) || (may_be_null && value == NULL)))
		damaged(reader->what, psprintf("Member \"%s\" is missing or of another type.", name));
	return value;
}

static char *
get_text(const Reader *reader, const char *name, bool may_be_null)
{
	struct json_object *value = member(reader, name, json_type_string, may_be_null);

	return value ? pg_any_to_server(json_object_get_string(value), json_object_get_string_len(value), PG_UTF8) : NULL;
}

static List *
texts_of(const Reader *reader, const char *name, struct json_object *values)
{
	List	   *texts = NIL;

	for (size_t i = 0; i < json_object_array_length(values); i++)
	{
		struct json_object *value = json_object_array_get_idx(values, i);

		if (!json_object_is_type(value, json_type_string))
			damaged(reader->what, psprintf("Member \"%s\" is of another type.", name));
		texts = lappend(texts, pg_any_to_server(json_object_get_string(value),
												json_object_get_string_len(value), PG_UTF8));
	}
	return texts;
}

static List *
get_texts(const Reader *reader, const char *name)
{
	return texts_of(reader, name, member(reader, name, json_type_array, false));
}

static List *
get_rows(const Reader *reader, const char *name, int columns)
{
	struct json_object *values = member(reader, name, json_type_array, false);
	List	   *rows = NIL;

	for (size_t i = 0; i < json_object_array_length(values); i++)
	{
		struct json_object *value = json_object_array_get_idx(values, i);

		if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) != columns)
			damaged(reader->what, psprintf("Member \"%s\" is of another type.", name));
		rows = lappend(rows, texts_of(reader, name, value));
	}
	return rows;
}

static int64
get_number(const Reader *reader, const char *name)
{
	return json_object_get_int64(member(reader, name, json_type_int, false));
}

static bool
get_bool(const Reader *reader, const char *name)
{
	return json_object_get_boolean(member(reader, name, json_type_boolean, false));
}

static void
get_digest(const Reader *reader, const char *name, uint8 out[LINK_DIGEST_LENGTH])
{
	if (!link_digest_from_text(get_text(reader, name, false), out))
		damaged(reader->what, psprintf("Member \"%s\" is no SHA-256.", name));
}

/* "<id>/data/name": nothing else may be named. */
static void
check_path(const Reader *reader, const char *path)
{
	Size		digits = strspn(path, "0123456789");
	const char *rest = path + digits;

	if (digits == 0 || (strncmp(rest, "/data/", 6) != 0 && strncmp(rest, "/schema/", 8) != 0) ||
		strchr(strchr(rest + 1, '/') + 1, '/') != NULL || !link_path_usable(path) || link_path_is_glob(path))
		damaged(reader->what, "It names an object outside of the backups.");
}

static void
get_object(const Reader *reader, LinkBackupObject *object)
{
	object->path = get_text(reader, "path", false);
	check_path(reader, object->path);
	object->bytes = (uint64) get_number(reader, "bytes");
	object->text_bytes = (uint64) get_number(reader, "text_bytes");
	object->rows = (uint64) get_number(reader, "rows");
	get_digest(reader, "sha256", object->sha256);
}

static Reader
inner(const Reader *reader, struct json_object *json)
{
	Reader		result = {reader->what, json};

	if (!json_object_is_type(json, json_type_object))
		damaged(reader->what, "A member is of another type.");
	return result;
}

static LinkBackupTable *
get_table(const Reader *reader)
{
	LinkBackupTable *table = palloc0(sizeof(LinkBackupTable));
	struct json_object *parts = member(reader, "parts", json_type_array, false);

	table->name = get_text(reader, "name", false);
	table->columns = get_text(reader, "columns", false);
	table->root = get_text(reader, "root", true);
	table->oid = (Oid) get_number(reader, "oid");
	table->file = (Oid) get_number(reader, "file");
	table->blocks = (BlockNumber) get_number(reader, "blocks");
	table->fingerprint = get_text(reader, "fingerprint", false);
	table->in_doubt = get_bool(reader, "in_doubt");
	for (size_t i = 0; i < json_object_array_length(parts); i++)
	{
		Reader		part = inner(reader, json_object_array_get_idx(parts, i));
		LinkBackupObject *object = palloc0(sizeof(LinkBackupObject));

		get_object(&part, object);
		table->parts = lappend(table->parts, object);
	}
	return table;
}

static void
get_database(const Reader *reader, LinkBackupDatabase *database)
{
	Reader		of = inner(reader, member(reader, "database", json_type_object, false));

	database->name = get_text(&of, "name", false);
	database->owner = get_text(&of, "owner", false);
	database->encoding = get_text(&of, "encoding", false);
	database->collate = get_text(&of, "collate", true);
	database->ctype = get_text(&of, "ctype", true);
	database->provider = get_text(&of, "provider", false);
	database->locale = get_text(&of, "locale", true);
	database->icu_rules = get_text(&of, "icu_rules", true);
	database->tablespace = get_text(&of, "tablespace", false);
	database->connection_limit = get_number(&of, "connection_limit");
	database->is_template = get_bool(&of, "is_template");
	database->comment = get_text(&of, "comment", true);
	database->settings = get_rows(&of, "settings", 3);
	database->has_grants = get_bool(&of, "has_grants");
	database->grants = get_rows(&of, "grants", 4);
}

static void
get_sequences(const Reader *reader, LinkManifest *manifest)
{
	struct json_object *sequences = member(reader, "sequences", json_type_array, false);

	for (size_t i = 0; i < json_object_array_length(sequences); i++)
	{
		Reader		of = inner(reader, json_object_array_get_idx(sequences, i));
		LinkBackupSequence *sequence = palloc0(sizeof(LinkBackupSequence));

		sequence->name = get_text(&of, "name", false);
		sequence->last_value = get_number(&of, "last_value");
		sequence->is_called = get_bool(&of, "is_called");
		manifest->sequences = lappend(manifest->sequences, sequence);
	}
}

static XLogRecPtr
get_lsn(const Reader *reader, const char *name)
{
	unsigned int high;
	unsigned int low;

	if (sscanf(get_text(reader, name, false), "%X/%X", &high, &low) != 2)
		damaged(reader->what, psprintf("Member \"%s\" is no LSN.", name));
	return ((XLogRecPtr) high << 32) | low;
}

/* What is not its own is its base's. */
static void
check_ids(const Reader *reader, const LinkManifest *manifest)
{
	ListCell   *lc;

	if (manifest->base < 0 || manifest->base >= manifest->id)
		damaged(reader->what, "It builds on a backup that cannot be its base.");
	foreach(lc, link_manifest_objects(manifest))
	{
		int64		id = link_backup_of(lfirst(lc));

		if (id != manifest->id && (manifest->base == 0 || id != manifest->base))
			damaged(reader->what, "It names an object of a backup that it does not build on.");
	}
}

static LinkManifest *
manifest_from_text(const char *what, const char *text)
{
	LinkManifest *manifest = palloc0(sizeof(LinkManifest));
	Reader		reader = {what, link_json_parse_own(what, text, strlen(text))};
	Reader		definitions;
	struct json_object *tables;
	struct json_object *large_objects;

	manifest->id = get_number(&reader, "id");
	manifest->base = get_number(&reader, "base");
	manifest->schemas = get_texts(&reader, "schemas");
	manifest->started = get_text(&reader, "started", false);
	manifest->finished = get_text(&reader, "finished", false);
	manifest->system_identifier = strtou64(get_text(&reader, "system_identifier", false), NULL, 10);
	manifest->timeline = (uint32) get_number(&reader, "timeline");
	manifest->database_oid = (Oid) get_number(&reader, "database_oid");
	manifest->server_version = (int) get_number(&reader, "server_version");
	manifest->baseline = get_lsn(&reader, "baseline");
	get_database(&reader, &manifest->database);
	definitions = inner(&reader, member(&reader, "definitions", json_type_object, false));
	get_object(&definitions, &manifest->definitions);
	if (json_object_object_get_ex(reader.json, "large_objects", &large_objects))
	{
		Reader		of = inner(&reader, large_objects);

		get_object(&of, &manifest->large_objects);
	}
	tables = member(&reader, "tables", json_type_array, false);
	for (size_t i = 0; i < json_object_array_length(tables); i++)
	{
		Reader		table = inner(&reader, json_object_array_get_idx(tables, i));

		manifest->tables = lappend(manifest->tables, get_table(&table));
	}
	get_sequences(&reader, manifest);
	check_ids(&reader, manifest);
	return manifest;
}

/* All of an object, with a zero behind it. */
static char *
read_object(LinkSession *session, const char *path, int longest)
{
	LinkSource *source = link_source_open(session, path);
	StringInfoData text;
	Size		got;

	initStringInfo(&text);
	do
	{
		enlargeStringInfo(&text, 64 * 1024);
		got = link_source_read(source, text.data + text.len, text.maxlen - text.len - 1);
		text.len += got;
		if (text.len > longest)
			damaged(path, "It is longer than any that we write.");
	} while (got > 0);
	text.data[text.len] = '\0';
	link_source_close(source);
	if (strlen(text.data) != text.len)
		damaged(path, "It holds a zero byte.");
	return text.data;
}

/*
 * The sentinel is what we would write of this manifest, to the byte; otherwise one
 * of them was changed, and it is not the manifest if one of its sums is there.
 */
static void
verify(int64 id, const Reader *sentinel, const char *found, const char *manifest_path, const char *manifest)
{
	uint8		wanted_sha256[LINK_DIGEST_LENGTH];
	uint8		wanted_hmac[LINK_DIGEST_LENGTH];
	uint8		sha256[LINK_DIGEST_LENGTH];
	uint8		hmac[LINK_DIGEST_LENGTH];
	char	   *key_id = get_text(sentinel, "key_id", false);
	char	   *expected;
	LinkKey		key;

	get_digest(sentinel, "manifest_sha256", wanted_sha256);
	get_digest(sentinel, "hmac_sha256", wanted_hmac);
	if (!link_key_id_usable(key_id, strlen(key_id)))
		damaged(sentinel->what, "Member \"key_id\" names no key.");
	if (!link_keyring_find(key_id, &key))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the backup was written under key \"%s\", which is not in the key ring", key_id),
				 errdetail("Backup object \"%s\" says so.", sentinel->what),
				 errhint("A backup is restored by a server that has the key ring of the one that wrote it.")));
	expected = sentinel_text(id, manifest, &key);
	authenticate(&key, manifest, hmac);
	OPENSSL_cleanse(key.key, sizeof(key.key));
	if (strlen(found) == strlen(expected) && CRYPTO_memcmp(found, expected, strlen(expected)) == 0)
		return;
	link_digest(manifest, strlen(manifest), sha256);
	damaged(link_digest_equal(sha256, wanted_sha256) || link_digest_equal(hmac, wanted_hmac) ? sentinel->what : manifest_path,
			"It is not what the server that has the key has written.");
}

LinkManifest *
link_manifest_read(LinkSession *session, const char *path, int64 id)
{
	char	   *sentinel_path = link_backup_id_path(path, id, LINK_SENTINEL_OBJECT);
	char	   *manifest_path = link_backup_id_path(path, id, LINK_MANIFEST_OBJECT);
	LinkObject	object = {0};
	LinkManifest *manifest;
	Reader		sentinel;
	char	   *found;
	char	   *text;

	if (!link_stat(session, sentinel_path, &object))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_OBJECT),
				 errmsg("there is no whole backup " INT64_FORMAT " at \"%s\" of link %s", id, path, session->link_name),
				 errdetail("There is no object \"%s\".", sentinel_path)));
	found = read_object(session, sentinel_path, SENTINEL_BYTES);
	sentinel.what = sentinel_path;
	sentinel.json = link_json_parse_own(sentinel_path, found, strlen(found));
	if (get_number(&sentinel, "link_backup") != FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_UNSUPPORTED),
				 errmsg("backup object \"%s\" is of a format that this version does not know", sentinel_path)));
	text = read_object(session, manifest_path, LINK_MAX_READ_FILE);
	verify(id, &sentinel, found, manifest_path, text);
	manifest = manifest_from_text(manifest_path, text);
	if (manifest->id != id)
		damaged(manifest_path, "It is that of another backup.");
	return manifest;
}

LinkManifest *
link_manifest_try_read(LinkSession *session, const char *path, int64 id, char **error)
{
	MemoryContext caller = CurrentMemoryContext;
	LinkManifest *volatile manifest = NULL;

	*error = NULL;
	PG_TRY();
	{
		manifest = link_manifest_read(session, path, id);
	}
	PG_CATCH();
	{
		ErrorData  *data;

		MemoryContextSwitchTo(caller);
		data = CopyErrorData();
		if (data->sqlerrcode != ERRCODE_LINK_CORRUPT && data->sqlerrcode != ERRCODE_LINK_UNSUPPORTED &&
			data->sqlerrcode != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE && data->sqlerrcode != ERRCODE_LINK_NO_OBJECT)
			PG_RE_THROW();
		FlushErrorState();
		*error = data->message;
	}
	PG_END_TRY();
	return manifest;
}

/*
 * Which are there.
 */

typedef struct Ids
{
	const char *prefix;
	List	   *ids;			/* int64 * */
	MemoryContext context;
} Ids;

static bool
take_id(const LinkObject *object, void *arg)
{
	Ids		   *ids = arg;
	const char *rest = object->path + strlen(ids->prefix);
	char	   *end;
	int64		id = strtoi64(rest, &end, 10);

	if (id > 0 && strcmp(end, "/" LINK_SENTINEL_OBJECT) == 0)
	{
		MemoryContext caller = MemoryContextSwitchTo(ids->context);
		int64	   *copy = palloc(sizeof(int64));

		*copy = id;
		ids->ids = lcons(copy, ids->ids);
		MemoryContextSwitchTo(caller);
	}
	return true;
}

List *
link_backup_ids(LinkSession *session, const char *path)
{
	char	   *prefix = link_backup_path(path, "");
	Ids			ids = {prefix, NIL, CurrentMemoryContext};

	/* in order of their paths, and ids have sixteen digits for the next 250 years */
	link_list(session, psprintf("%s*/" LINK_SENTINEL_OBJECT, prefix), false, take_id, &ids);
	return ids.ids;
}

int64
link_backup_find(LinkSession *session, const char *path, int64 id)
{
	List	   *ids;

	if (id != 0)
		return id;
	ids = link_backup_ids(session, path);
	if (ids == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_OBJECT),
				 errmsg("there is no whole backup at \"%s\" of link %s", path, session->link_name)));
	return *(int64 *) linitial(ids);
}
