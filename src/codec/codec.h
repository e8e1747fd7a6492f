/*-------------------------------------------------------------------------
 *
 * codec.h
 *	  The contract between transfers and the codecs: bytes in, bytes out.
 *
 * A codec is a const row (LinkCodec).  Adding one: a file, and one line in
 * codec.c.  A codec knows neither links nor formats.
 *
 * What a codec makes is one frame (gzip: member) as the command of its name
 * writes it; what it reads may be several, one behind the other, as those
 * commands read them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_CODEC_H
#define LINK_CODEC_H

#include "postgres.h"

/* Enough of an object's beginning to tell its codec. */
#define LINK_CODEC_MAGIC 4

/* What a step of a codec may take, and where it puts what it makes. */
typedef struct LinkCodecIo
{
	const char *in;
	Size		in_size;
	char	   *out;
	Size		out_size;
} LinkCodecIo;

/* A codec's own state; 'handle' is of its library and ends with the memory context. */
typedef struct LinkCodecState
{
	const struct LinkCodec *codec;
	MemoryContextCallback callback;
	void	   *handle;
	int			level;
	bool		begun;			/* for the codec's own use */
} LinkCodecState;

typedef struct LinkCodec
{
	const char *name;			/* "gzip": as in the option */
	const char *suffix;			/* ".gz" */
	unsigned char magic[LINK_CODEC_MAGIC];
	int			magic_size;
	int			min_level;
	int			max_level;
	int			default_level;

	/*
	 * Both make state->handle, or leave it NULL when memory is out; release frees
	 * one.
	 */
	void		(*begin_compress) (LinkCodecState *state);
	void		(*begin_decompress) (LinkCodecState *state);
	void		(*release_compress) (void *handle);
	void		(*release_decompress) (void *handle);

	/*
	 * Move on, taking from the front of 'in' and adding to 'out'.  With
	 * 'finish' nothing follows 'in': true when all is in the output.  Called with
	 * at least LINK_CODEC_ROOM free in 'out'.  Returns NULL, or what is wrong.
	 */
	const char *(*compress) (LinkCodecState *state, LinkCodecIo *io, bool finish, bool *done);

	/* The same way back; *ended: a frame is complete, and what follows is another. */
	const char *(*decompress) (LinkCodecState *state, LinkCodecIo *io, bool *ended);
} LinkCodec;

/* What one step may want to put down at once: a block of lz4 and its header. */
#define LINK_CODEC_ROOM (160 * 1024)

/* By name, any case; NULL if no build knows it. */
extern const LinkCodec *link_codec_find(const char *name);

/* By the ending of a path, any case; NULL if it has none of theirs. */
extern const LinkCodec *link_codec_of_path(const char *path);

/* By the first bytes of an object, as many as there are; NULL if it is none of theirs. */
extern const LinkCodec *link_codec_of_bytes(const char *bytes, Size size);

/* NULL-terminated, for the hint of the nearest. */
extern const char *const *link_codec_names(void);

/* ---- compressing ---- */

typedef struct LinkCompressor LinkCompressor;

/*
 * Belongs to the current memory context; 'drain' takes what comes out, at least
 * once.  'apart': in a process of its own (apart.h), if one is to be had.
 */
extern LinkCompressor *link_compressor_begin(const LinkCodec *codec, int level, bool apart,
											 void (*drain) (void *arg, const char *data, Size size), void *arg);
extern void link_compressor_write(LinkCompressor *compressor, const char *data, Size size);
extern void link_compressor_finish(LinkCompressor *compressor);

/* ---- decompressing ---- */

typedef struct LinkDecompressor LinkDecompressor;

/*
 * Belongs to the current memory context.  'read' gives the next bytes as they
 * are stored, 0 at the end and only there.  'name' is the object's, for messages;
 * 'apart' as above.
 */
extern LinkDecompressor *link_decompressor_begin(const LinkCodec *codec, const char *name, bool apart,
												 Size (*read) (void *arg, void *to, Size size), void *arg);

/*
 * At most 'size' of the next bytes; 0 at the end and only there.  XX001, with the
 * place in the object as it is stored, for what is no frame of the codec, is cut
 * off or does not match its checksum.
 */
extern Size link_decompressor_read(LinkDecompressor *decompressor, void *to, Size size);

/* ---- the list's entries ---- */

extern const LinkCodec link_codec_gzip;
extern const LinkCodec link_codec_zstd;
extern const LinkCodec link_codec_lz4;

#endif							/* LINK_CODEC_H */
