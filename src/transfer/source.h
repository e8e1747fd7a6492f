/*-------------------------------------------------------------------------
 *
 * source.h
 *	  The bytes of an object, as a stream, and the objects that a path names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_SOURCE_H
#define LINK_SOURCE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "codec/codec.h"
#include "provider/provider.h"

typedef struct LinkSource LinkSource;

/*
 * The objects that 'path' names, as LinkObject *: itself, or what matches when it
 * is a glob or a prefix that ends in '/', in order.  58P01 if none match; an object
 * named in full is looked for only when it is opened, its size is -1.
 */
extern List *link_source_objects(LinkSession *session, const char *path);

/*
 * An object as it is stored, in the current memory context.  Its beginning, up to
 * LINK_PIECE_SIZE, is asked for at once, so that it comes while others are read.
 */
extern LinkSource *link_source_begin(LinkSession *session, const LinkObject *object);

/* Have its answer: 58P01 if there is no such object.  Before all that follows. */
extern void link_source_await(LinkSource *source);

/* Both at once. */
extern LinkSource *link_source_open(LinkSession *session, const char *path);

/*
 * Before the first read: its bytes are compressed, with 'codec', or with
 * whatever its path's ending or its first bytes tell.
 */
extern void link_source_decompress(LinkSource *source, const LinkCodec *codec);
extern void link_source_detect(LinkSource *source);

/*
 * Pass over the next 'lines' lines, as they stand in the file: each ends in LF,
 * CR LF or CR, whatever a format makes of it.
 */
extern void link_source_skip(LinkSource *source, int64 lines);

/*
 * At most 'size' of the next bytes; 0 at the end and only there.  XX001 if the
 * object ends before the size that its provider told, or is not what its codec
 * makes.  May be called in any memory context.
 */
extern Size link_source_read(LinkSource *source, void *to, Size size);

/* Of the whole object, -1 if unknown. */
extern int64 link_source_size(const LinkSource *source);

/* What the provider has delivered so far, as stored. */
extern uint64 link_source_bytes(const LinkSource *source);

extern void link_source_close(LinkSource *source);

#endif							/* LINK_SOURCE_H */
