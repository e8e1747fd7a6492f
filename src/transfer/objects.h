/*-------------------------------------------------------------------------
 *
 * objects.h
 *	  The objects that one export writes: how they are called, and that all of
 *	  them become visible at its end, or none (SECURITY 32).
 *
 * Objects are written one after the other; each is prepared when the next
 * begins, and waits at the provider, unseen.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_OBJECTS_H
#define LINK_OBJECTS_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "port/atomics.h"

#include "transfer/object.h"
#include "transfer/options.h"

typedef struct LinkObjectSet LinkObjectSet;

/*
 * Belongs to the current memory context.  'numbered': there may be several, so
 * their paths get numbers; else there is one, and 'path' is its name.  'next' is
 * the number to be given next, shared by all processes of an export.  'wanted'
 * and 'path' must stay.
 */
extern LinkObjectSet *link_objects_begin(LinkSession *session, const char *path, bool numbered,
										 pg_atomic_uint32 *next, const LinkTransferOptions *wanted);

/* Objects from now on go into this folder below the path ("day=1/hour=2"), numbered anew. */
extern void link_objects_folder(LinkObjectSet *set, const char *folder);

/* Bytes of the object that is being written, which is begun if there is none. */
extern void link_objects_write(LinkObjectSet *set, const char *data, Size size);
extern uint64 link_objects_current_size(const LinkObjectSet *set);

/* No more of the current object, which has so many rows.  It is begun if there is none. */
extern void link_objects_finish(LinkObjectSet *set, uint64 rows);

/* As stored, of all objects so far. */
extern uint64 link_objects_bytes(const LinkObjectSet *set);

extern int	link_objects_count(const LinkObjectSet *set);

/*
 * What a worker has prepared becomes the leader's: each object is one message.
 */
extern void link_objects_send(LinkObjectSet *set, void (*send) (void *arg, const char *data, Size size), void *arg);
extern void link_objects_receive(LinkObjectSet *set, const char *data, Size size);

/* For PG_CATCH: it comes too late, and is taken back.  Never throws. */
extern void link_objects_refuse(LinkObjectSet *set, const char *data, Size size);

/*
 * All of them become visible, the manifest last if one is wanted.  If that
 * fails, those that were are removed again.  List of LinkObjectResult * in the
 * current memory context.
 */
extern List *link_objects_publish(LinkObjectSet *set);

/* For PG_CATCH: nothing stays.  Never throws, never waits long. */
extern void link_objects_undo(LinkObjectSet *set);

#endif							/* LINK_OBJECTS_H */
