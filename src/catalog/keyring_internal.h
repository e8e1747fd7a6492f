/*-------------------------------------------------------------------------
 *
 * keyring_internal.h
 *	  A key ring, where its text comes from and goes to; for keyring*.c only.
 *
 * Texts and rings live in memory that is wiped with the memory context that was
 * current at the call.  No error holds any part of one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_KEYRING_INTERNAL_H
#define LINK_KEYRING_INTERNAL_H

#include "compat.h"

#include "catalog/keyring.h"

typedef struct LinkRing
{
	int			n;				/* at least 1 */
	LinkKey		keys[FLEXIBLE_ARRAY_MEMBER];
} LinkRing;

#define LINK_RING_SIZE(n) (offsetof(LinkRing, keys) + (n) * sizeof(LinkKey))

/*
 * Raise an error of the ring.  'source' says which ring it is ("file \"/x\""):
 * to the log, and to those who may read the parameters that name it.  'hint' may
 * be NULL.
 */
LINK_NORETURN extern void link_ring_fail(int sqlstate, const char *source, const char *message, const char *hint);

/* True if the current user may know where the ring lies. */
extern bool link_ring_source_visible(void);

/* ---- its text (keyring_text.c) ---- */

/* The keys of a text. */
extern LinkRing *link_ring_parse(const char *source, const char *text, Size len);

/* 54000 if the text would be larger than can be read. */
extern char *link_ring_text(const LinkRing *ring, Size *len);

/* ---- a file (keyring_file.c) ---- */

/* The whole text; NULL if there is no such file. */
extern char *link_ring_file_read(const char *path, Size *len);

/*
 * The same, and keep others from replacing the file until *fd is closed by
 * CloseTransientFile(), or the transaction aborts.
 */
extern char *link_ring_file_lock(const char *path, Size *len, int *fd);

/* Make the file, whole or not at all.  False if there is one already. */
extern bool link_ring_file_make(const char *path, const char *text, Size len);

/* Replace the file that the caller has locked. */
extern void link_ring_file_replace(const char *path, const char *text, Size len);

/* ---- a command (keyring_command.c) ---- */

/* What the shell command prints. */
extern char *link_ring_command_read(const char *command, Size *len);

#endif							/* LINK_KEYRING_INTERNAL_H */
