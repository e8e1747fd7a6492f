/*-------------------------------------------------------------------------
 *
 * codec.c
 *	  The list of codecs, and the two streams that every codec serves.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/memutils.h"

#include "codec/apart.h"
#include "codec/codec.h"
#include "errors.h"

/* Of what comes out of a compressor, and goes into a decompressor, at once. */
#define BUFFER_SIZE (256 * 1024)

static const LinkCodec *const codecs[] = {
	&link_codec_gzip,
	&link_codec_zstd,
	&link_codec_lz4,
};

struct LinkCompressor
{
	LinkApart  *apart;			/* does it all; NULL: it is done here */
	LinkCodecState state;
	LinkCodecIo io;
	void		(*drain) (void *arg, const char *data, Size size);
	void	   *arg;
	char	   *buffer;
};

struct LinkDecompressor
{
	LinkApart  *apart;			/* does it all; NULL: it is done here */
	LinkCodecState state;
	LinkCodecIo io;
	Size		(*read) (void *arg, void *to, Size size);
	void	   *arg;
	char	   *name;
	char	   *buffer;
	uint64		taken;			/* bytes given to the buffer so far */
	bool		within;			/* a frame has begun and not ended */
	bool		any;			/* a frame has ended */
};

/*
 * The list.
 */

const LinkCodec *
link_codec_find(const char *name)
{
	for (int i = 0; i < lengthof(codecs); i++)
		if (pg_strcasecmp(codecs[i]->name, name) == 0)
			return codecs[i];
	return NULL;
}

const LinkCodec *
link_codec_of_path(const char *path)
{
	Size		len = strlen(path);

	for (int i = 0; i < lengthof(codecs); i++)
	{
		Size		suffix = strlen(codecs[i]->suffix);

		if (len > suffix && pg_strcasecmp(path + len - suffix, codecs[i]->suffix) == 0)
			return codecs[i];
	}
	return NULL;
}

const LinkCodec *
link_codec_of_bytes(const char *bytes, Size size)
{
	for (int i = 0; i < lengthof(codecs); i++)
		if (size >= codecs[i]->magic_size && memcmp(bytes, codecs[i]->magic, codecs[i]->magic_size) == 0)
			return codecs[i];
	return NULL;
}

const char *const *
link_codec_names(void)
{
	static const char *names[lengthof(codecs) + 1];

	for (int i = 0; i < lengthof(codecs); i++)
		names[i] = codecs[i]->name;
	return names;
}

/*
 * The library's handle ends with the memory context.
 */

static void
release_compress(void *arg)
{
	LinkCodecState *state = arg;

	state->codec->release_compress(state->handle);
}

static void
release_decompress(void *arg)
{
	LinkCodecState *state = arg;

	state->codec->release_decompress(state->handle);
}

static void
own_handle(LinkCodecState *state, MemoryContextCallbackFunction release)
{
	if (state->handle == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Compression \"%s\" could not be started.", state->codec->name)));
	state->callback.func = release;
	state->callback.arg = state;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &state->callback);
}

/*
 * Compressing.
 */

LinkCompressor *
link_compressor_begin(const LinkCodec *codec, int level, bool apart,
					  void (*drain) (void *arg, const char *data, Size size), void *arg)
{
	LinkCompressor *compressor = palloc0(sizeof(LinkCompressor));

	compressor->drain = drain;
	compressor->arg = arg;
	if (apart && (compressor->apart = link_apart_begin(codec, false, level, "")) != NULL)
		return compressor;
	compressor->buffer = palloc(BUFFER_SIZE);
	compressor->io.out = compressor->buffer;
	compressor->io.out_size = BUFFER_SIZE;
	compressor->state.codec = codec;
	compressor->state.level = level;
	codec->begin_compress(&compressor->state);
	own_handle(&compressor->state, release_compress);
	return compressor;
}

static void
flush(LinkCompressor *compressor)
{
	if (compressor->io.out > compressor->buffer)
		compressor->drain(compressor->arg, compressor->buffer, compressor->io.out - compressor->buffer);
	compressor->io.out = compressor->buffer;
	compressor->io.out_size = BUFFER_SIZE;
}

static bool
compress_step(LinkCompressor *compressor, bool finish)
{
	const LinkCodec *codec = compressor->state.codec;
	const char *problem;
	bool		done = false;

	if (compressor->io.out_size < LINK_CODEC_ROOM)
		flush(compressor);
	problem = codec->compress(&compressor->state, &compressor->io, finish, &done);
	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compress with %s: %s", codec->name, problem)));
	return done;
}

void
link_compressor_write(LinkCompressor *compressor, const char *data, Size size)
{
	if (compressor->apart)
	{
		link_apart_write(compressor->apart, data, size, compressor->drain, compressor->arg);
		return;
	}
	compressor->io.in = data;
	compressor->io.in_size = size;
	while (compressor->io.in_size > 0)
		(void) compress_step(compressor, false);
}

void
link_compressor_finish(LinkCompressor *compressor)
{
	if (compressor->apart)
	{
		link_apart_finish(compressor->apart, compressor->drain, compressor->arg);
		return;
	}
	compressor->io.in = NULL;
	compressor->io.in_size = 0;
	while (!compress_step(compressor, true))
		;
	flush(compressor);
}

/*
 * Decompressing.
 */

LinkDecompressor *
link_decompressor_begin(const LinkCodec *codec, const char *name, bool apart,
						Size (*read) (void *arg, void *to, Size size), void *arg)
{
	LinkDecompressor *decompressor = palloc0(sizeof(LinkDecompressor));

	decompressor->read = read;
	decompressor->arg = arg;
	if (apart && (decompressor->apart = link_apart_begin(codec, true, 0, name)) != NULL)
		return decompressor;
	decompressor->name = pstrdup(name);
	decompressor->buffer = palloc(BUFFER_SIZE);
	decompressor->state.codec = codec;
	codec->begin_decompress(&decompressor->state);
	own_handle(&decompressor->state, release_decompress);
	return decompressor;
}

LINK_NORETURN static void
raise_corrupt(const LinkDecompressor *decompressor, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_LINK_CORRUPT),
			 errmsg("could not decompress \"%s\" with %s: %s", decompressor->name,
					decompressor->state.codec->name, problem),
			 errdetail("This is at byte " UINT64_FORMAT " of the object.",
					   decompressor->taken - decompressor->io.in_size)));
}

/* Have something to take in; false at the end. */
static bool
fill(LinkDecompressor *decompressor)
{
	if (decompressor->io.in_size == 0)
	{
		decompressor->io.in = decompressor->buffer;
		decompressor->io.in_size = decompressor->read(decompressor->arg, decompressor->buffer, BUFFER_SIZE);
		decompressor->taken += decompressor->io.in_size;
	}
	return decompressor->io.in_size > 0;
}

Size
link_decompressor_read(LinkDecompressor *decompressor, void *to, Size size)
{
	const LinkCodec *codec = decompressor->state.codec;
	LinkCodecIo *io = &decompressor->io;

	if (decompressor->apart)
		return link_apart_read(decompressor->apart, to, size, decompressor->read, decompressor->arg);
	io->out = to;
	io->out_size = size;
	while (io->out == (char *) to)
	{
		const char *problem;
		bool		ended = false;
		bool		more = fill(decompressor);
		Size		in_before = io->in_size;

		if (!more && !decompressor->within)
		{
			if (decompressor->any)
				return 0;
			raise_corrupt(decompressor, "the object is empty");
		}
		problem = codec->decompress(&decompressor->state, io, &ended);
		if (problem)
			raise_corrupt(decompressor, decompressor->any && !decompressor->within ?
						  "what follows the end of the compressed data is none" : problem);
		if (io->in_size < in_before)
			decompressor->within = true;
		if (ended)
		{
			decompressor->within = false;
			decompressor->any = true;
		}
		else if (!more && io->out == (char *) to)
			raise_corrupt(decompressor, "the object ends in the middle of the compressed data");
	}
	return io->out - (char *) to;
}
