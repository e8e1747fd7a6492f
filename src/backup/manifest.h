/*-------------------------------------------------------------------------
 *
 * manifest.h
 *	  What a backup consists of, as the objects manifest.json and BACKUP_COMPLETE
 *	  of it say.
 *
 * Below the path that the user gives, a backup is the folder of its id:
 *
 *	<id>/schema/definitions.dump	pg_dump, custom format: sections pre-data and post-data
 *	<id>/schema/large_objects.dump	the same, of large objects; only if there are any
 *	<id>/data/<table>.<oid>_0000.zst	rows, as COPY's text format, by zstd
 *	<id>/manifest.json				this
 *	<id>/BACKUP_COMPLETE			last: SHA-256 of the manifest, and its HMAC
 *
 * The HMAC-SHA256 is under a key derived from one of the ring, which the sentinel
 * names (SECURITY 29): nothing of a backup is believed before it.  The manifest
 * has the SHA-256 of each object, which whoever reads one compares.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_MANIFEST_H
#define LINK_MANIFEST_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "digest.h"
#include "provider/provider.h"

#define LINK_DEFINITIONS_OBJECT "schema/definitions.dump"
#define LINK_LARGE_OBJECTS_OBJECT "schema/large_objects.dump"
#define LINK_MANIFEST_OBJECT "manifest.json"
#define LINK_SENTINEL_OBJECT "BACKUP_COMPLETE"

/* An object; its path is below that of the backups, and so begins with an id. */
typedef struct LinkBackupObject
{
	char	   *path;
	uint64		bytes;			/* as stored */
	uint64		text_bytes;		/* of rows, before they were compressed */
	uint64		rows;
	uint8		sha256[LINK_DIGEST_LENGTH];
} LinkBackupObject;

/* A table that has rows of its own. */
typedef struct LinkBackupTable
{
	char	   *name;			/* qualified, quoted */
	char	   *columns;		/* "(a, b)" quoted, as COPY takes it; "" for none */
	char	   *root;			/* rows may belong to other partitions when restored: load them through this; or NULL */
	Oid			oid;			/* what it was, for a differential backup: */
	Oid			file;			/* relfilenode */
	BlockNumber blocks;
	char	   *fingerprint;	/* of its definition */
	bool		in_doubt;		/* it may hold what this backup has not seen: copy it next time */
	List	   *parts;			/* LinkBackupObject * */
} LinkBackupTable;

typedef struct LinkBackupSequence
{
	char	   *name;			/* qualified, quoted */
	int64		last_value;
	bool		is_called;
} LinkBackupSequence;

/* How to create the database; what a version does not have is NULL. */
typedef struct LinkBackupDatabase
{
	char	   *name;
	char	   *owner;
	char	   *encoding;
	char	   *collate;
	char	   *ctype;
	char	   *provider;		/* "c", "i", "b" */
	char	   *locale;			/* of providers other than libc */
	char	   *icu_rules;
	char	   *tablespace;
	int64		connection_limit;
	bool		is_template;
	char	   *comment;		/* NULL: none */
	List	   *settings;		/* of ALTER DATABASE, ALTER ROLE: lists of role or "", parameter, value */
	bool		has_grants;		/* others than those that every database has: */
	List	   *grants;			/* lists of grantor, grantee or "" for PUBLIC, privilege, "t" with grant option */
} LinkBackupDatabase;

typedef struct LinkManifest
{
	int64		id;				/* microseconds since 1970 of its beginning */
	int64		base;			/* of a differential one; else 0 */
	LinkBackupDatabase database;
	List	   *schemas;		/* char *, that it is of; NIL: all of the database */
	char	   *started;		/* ISO 8601, UTC */
	char	   *finished;
	uint64		system_identifier;
	uint32		timeline;
	Oid			database_oid;
	int			server_version; /* PG_VERSION_NUM */
	XLogRecPtr	baseline;		/* all pages of before are in it */
	LinkBackupObject definitions;
	LinkBackupObject large_objects; /* path NULL: there are none */
	List	   *tables;			/* LinkBackupTable * */
	List	   *sequences;		/* LinkBackupSequence * */
} LinkManifest;

/* All its objects but the manifest and the sentinel, as LinkBackupObject *. */
extern List *link_manifest_objects(const LinkManifest *manifest);

/* "<path>/<name>", where 'path' is that of the backups, with or without a slash at its end. */
extern char *link_backup_path(const char *path, const char *name);
extern char *link_backup_id_path(const char *path, int64 id, const char *name);

/* Write manifest and sentinel, in this order.  Gives the SHA-256 of the manifest, as text. */
extern char *link_manifest_write(LinkSession *session, const char *path, const LinkManifest *manifest);

/*
 * Read and verify those of a backup.  58P01: there is no such backup, or no whole
 * one; 55000: the ring lacks its key; XX001: it is not what was written, or of a
 * format that this version does not know.
 */
extern LinkManifest *link_manifest_read(LinkSession *session, const char *path, int64 id);

/* The same, but for these errors gives NULL, and the message. */
extern LinkManifest *link_manifest_try_read(LinkSession *session, const char *path, int64 id, char **error);

/* Of which backup an object is: itself, or its base. */
extern int64 link_backup_of(const LinkBackupObject *object);

/* Ids of the backups at a path that have a sentinel, which is not verified; newest first. */
extern List *link_backup_ids(LinkSession *session, const char *path);

/* 'id', or for 0 the newest one; 58P01 if there is none. */
extern int64 link_backup_find(LinkSession *session, const char *path, int64 id);

#endif							/* LINK_MANIFEST_H */
