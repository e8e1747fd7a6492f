/*-------------------------------------------------------------------------
 *
 * keyring.h
 *	  The master keys: from link.master_key_command, else link.master_key_file,
 *	  else link_master.key in the data directory (SECURITY 18, INTERNALS B4).
 *
 * The ring is JSON text:
 *
 *	{"link_key_ring": 1,
 *	 "keys": [{"id": "<text>", "key": "<base64 of 32 bytes>"}, ...]}
 *
 * The last key is the one that seals; all of them open.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_KEYRING_H
#define LINK_KEYRING_H

#include "postgres.h"

#include "nodes/pg_list.h"

#define LINK_KEY_LENGTH 32		/* AES-256 */
#define LINK_KEY_ID_LENGTH 32	/* longest key id, in bytes */

typedef struct LinkKey
{
	char		id[LINK_KEY_ID_LENGTH + 1];
	uint8		key[LINK_KEY_LENGTH];
} LinkKey;

/*
 * The key that seals, from the ring as it is now, whatever is cached.  Where
 * there is no ring file and may_create() says so, the file is made (WARNING if
 * it lies in the data directory); it must say no while sealed rows exist.  The
 * key is a copy in *key, to be wiped.
 */
extern void link_keyring_current(LinkKey *key, bool (*may_create) (void));

/*
 * The key 'id'; re-reads the ring once if it is unknown.  False if there is
 * none.  Throws if the ring cannot be read at all.
 */
extern bool link_keyring_find(const char *id, LinkKey *key);

/* Where the ring comes from ("command", "file /path", "default file /path", "none yet"). */
extern char *link_keyring_source(void);

/* List of char *: ids in ring order; NIL if there is no ring. */
extern List *link_keyring_ids(void);

/*
 * Add a fresh key to the ring file; returns its id.  Refused (55000) when the
 * ring is a command, and in recovery.  Makes the file if there is none: the
 * caller asks first whether sealed rows miss it.
 */
extern char *link_keyring_add(void);

/* Remove a key from the ring file.  22023 if unknown, 55000 if it is the current one. */
extern void link_keyring_retire(const char *id);

/* May the text (len bytes) be a key id: 1 to LINK_KEY_ID_LENGTH visible ASCII but " and \? */
extern bool link_key_id_usable(const char *id, Size len);

#endif							/* LINK_KEYRING_H */
