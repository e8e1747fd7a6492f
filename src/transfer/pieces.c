/*-------------------------------------------------------------------------
 *
 * pieces.c
 *	  An object as it is stored, read as ranges of which several are on their
 *	  way at a time.
 *
 * One connection to S3 gives 50 to 90 MB/s, whatever the network.  So a large
 * object comes as ranges over several, which are read in order; the answer to the
 * first tells its size, and the ETag that the others demand.  What cannot be read
 * like that is one stream: where the provider has no way to ask without waiting,
 * and where the first answer names no version or is all of the object.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "errors.h"
#include "transfer/pieces.h"

/*
 * Ranges on their way, with the one that is being read: AWS's own clients take
 * parts of this size too.  A reader has memory for all of its range.
 */
#define IN_FLIGHT 4

/* An object of a listing that is not larger than this is one plain request. */
#define SMALL_SIZE (4 * 1024 * 1024)

struct LinkPieces
{
	LinkSession *session;
	char	   *path;
	int64		size;			/* of the object, -1 if unknown */
	char	   *etag;			/* of all pieces, if there are several */
	LinkReader *readers[IN_FLIGHT]; /* of piece n at n modulo IN_FLIGHT; NULL: none */
	int64		count;			/* of pieces: 1 if it is one stream */
	int64		asked;			/* those that were asked for */
	int64		reading;		/* the one that is being read */
	bool		ranged;			/* the first was asked for as a range */
};

LinkPieces *
link_pieces_begin(LinkSession *session, const char *path, int64 size)
{
	LinkPieces *pieces = palloc0(sizeof(LinkPieces));

	pieces->session = session;
	pieces->path = pstrdup(path);
	pieces->ranged = size < 0 || size > SMALL_SIZE;
	pieces->readers[0] = link_begin_reader(session, path, 0,
										   pieces->ranged ? LINK_PIECE_SIZE : -1, NULL);
	pieces->count = pieces->asked = 1;
	return pieces;
}

static void
ask_more(LinkPieces *pieces)
{
	for (; pieces->asked < Min(pieces->count, pieces->reading + IN_FLIGHT); pieces->asked++)
	{
		int64		offset = pieces->asked * LINK_PIECE_SIZE;

		pieces->readers[pieces->asked % IN_FLIGHT] =
			link_begin_reader(pieces->session, pieces->path, offset,
							  Min(LINK_PIECE_SIZE, pieces->size - offset), pieces->etag);
	}
}

void
link_pieces_await(LinkPieces *pieces)
{
	LinkReader *first = pieces->readers[0];

	if (first)
		link_await_reader(first);
	if (first && pieces->ranged && first->end >= 0 && first->end != first->size)
	{
		/* a part of it: can the rest be had? */
		if (first->etag && first->end == LINK_PIECE_SIZE)
		{
			pieces->etag = pstrdup(first->etag);
			pieces->count = (first->size - 1) / LINK_PIECE_SIZE + 1;
		}
		else
		{
			pieces->readers[0] = NULL;
			link_close_reader(first);
			first = NULL;
		}
	}
	if (first == NULL)
		first = pieces->readers[0] = link_open_reader(pieces->session, pieces->path, 0, -1);
	pieces->size = first->size;
	ask_more(pieces);
}

static void
next_piece(LinkPieces *pieces)
{
	LinkReader **slot = &pieces->readers[pieces->reading % IN_FLIGHT];
	LinkReader *reader = *slot;

	*slot = NULL;
	link_close_reader(reader);
	pieces->reading++;
	ask_more(pieces);

	reader = pieces->readers[pieces->reading % IN_FLIGHT];
	link_await_reader(reader);
	if (reader->size != pieces->size)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("object \"%s\" of link %s was changed while it was read",
						pieces->path, pieces->session->link_name)));
}

Size
link_pieces_read(LinkPieces *pieces, void *to, Size size)
{
	Size		got;

	while ((got = link_read(pieces->readers[pieces->reading % IN_FLIGHT], to, size)) == 0 &&
		   pieces->reading + 1 < pieces->count)
		next_piece(pieces);
	return got;
}

int64
link_pieces_size(const LinkPieces *pieces)
{
	return pieces->size;
}

void
link_pieces_close(LinkPieces *pieces)
{
	for (int i = 0; i < IN_FLIGHT; i++)
		if (pieces->readers[i])
			link_close_reader(pieces->readers[i]);
	pfree(pieces);
}
