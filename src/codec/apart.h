/*-------------------------------------------------------------------------
 *
 * apart.h
 *	  A codec at work in a process of its own, so that rows are formatted, or
 *	  parsed, at the same time.
 *
 * The process is a background worker of the class that max_parallel_workers
 * counts.  It gets bytes and gives bytes: it is connected to no database, and
 * knows no link (INTERNALS A2, mode 3).
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_APART_H
#define LINK_APART_H

#include "postgres.h"

#include "codec/codec.h"

typedef struct LinkApart LinkApart;

/*
 * Start one.  NULL if none is to be had.  It ends with the current resource owner
 * or the current memory context, whichever goes first.  'name' is of the object,
 * for messages; the level matters for compressing only.
 */
extern LinkApart *link_apart_begin(const LinkCodec *codec, bool decompress, int level, const char *name);

/*
 * Give it something to compress; what has come out so far goes to 'drain'.  It
 * fails as link_compressor_write() does.
 */
extern void link_apart_write(LinkApart *apart, const char *data, Size size,
							 void (*drain) (void *arg, const char *data, Size size), void *arg);

/* Nothing follows; all the rest goes to 'drain'. */
extern void link_apart_finish(LinkApart *apart,
							  void (*drain) (void *arg, const char *data, Size size), void *arg);

/* As link_decompressor_read(), with what its 'read' is. */
extern Size link_apart_read(LinkApart *apart, void *to, Size size,
							Size (*read) (void *arg, void *to, Size size), void *arg);

#endif							/* LINK_APART_H */
