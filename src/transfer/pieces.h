/*-------------------------------------------------------------------------
 *
 * pieces.h
 *	  An object as it is stored, read as ranges of which several are on their
 *	  way at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PIECES_H
#define LINK_PIECES_H

#include "postgres.h"

#include "provider/provider.h"

typedef struct LinkPieces LinkPieces;

/*
 * In the current memory context.  Its beginning is asked for at once where asking
 * is not waiting: all of it if 'size' (-1: unknown) is small.
 */
extern LinkPieces *link_pieces_begin(LinkSession *session, const char *path, int64 size);

/*
 * Have the first answer: 58P01 if there is no such object.  Then what follows is
 * on its way.  Before all below but close.
 */
extern void link_pieces_await(LinkPieces *pieces);

/*
 * The next bytes, 0 at the end.  All are of one version of the object: XX001 if it
 * is replaced meanwhile.
 */
extern Size link_pieces_read(LinkPieces *pieces, void *to, Size size);

/* Of the whole object, -1 if unknown. */
extern int64 link_pieces_size(const LinkPieces *pieces);

/* Whatever is on its way is dropped. */
extern void link_pieces_close(LinkPieces *pieces);

#endif							/* LINK_PIECES_H */
