/*-------------------------------------------------------------------------
 *
 * object.h
 *	  One object being written: compressed on its way, if asked for, and
 *	  counted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_OBJECT_H
#define LINK_OBJECT_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "port/pg_crc32c.h"

#include "codec/codec.h"
#include "digest.h"
#include "provider/provider.h"

typedef struct LinkObjectWriter
{
	LinkWriter *writer;
	LinkCompressor *compressor; /* NULL: bytes as they are */
	uint64		bytes;			/* as stored, so far */
	uint64		text_bytes;		/* as they came, before the codec */
	bool		summed;			/* 'crc' is kept */
	pg_crc32c	crc;			/* CRC-32C of the bytes as stored */
	LinkDigest *digest;			/* takes the bytes as stored; or NULL: whoever began it sets it */
	MemoryContext context;		/* holds this; a child of the one current at the beginning */
} LinkObjectWriter;

/* 'codec' NULL: bytes as they are; 'apart': it may run in another process. */
extern LinkObjectWriter *link_object_begin(LinkSession *session, const char *path, bool overwrite,
										   const LinkCodec *codec, int level, bool apart, bool summed);

/* May be called in any memory context. */
extern void link_object_write(LinkObjectWriter *object, const char *data, Size size);

/*
 * All is at the provider, or in the token; link_object_free() may follow.  The
 * token is for link_publish() or link_discard().
 */
extern void link_object_prepare(LinkObjectWriter *object, StringInfo token);
extern void link_object_free(LinkObjectWriter *object);

#endif							/* LINK_OBJECT_H */
