/*-------------------------------------------------------------------------
 *
 * zstd.c
 *	  Zstandard frames (RFC 8878) by libzstd.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "codec/codec.h"

/*
 * The window that a frame may ask the reader to hold, as a power of two: that of
 * the zstd command.  All levels but --ultra need 8 MiB at most.
 */
#define MAX_WINDOW 27

/* Levels above this are the command's --ultra, and take hundreds of MiB. */
#define MAX_LEVEL 19

static void
begin_compress(LinkCodecState *state)
{
	ZSTD_CCtx  *z = ZSTD_createCCtx();

	if (z && (ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, state->level)) ||
			  ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1))))
	{
		ZSTD_freeCCtx(z);
		z = NULL;
	}
	state->handle = z;
}

static void
begin_decompress(LinkCodecState *state)
{
	ZSTD_DCtx  *z = ZSTD_createDCtx();

	if (z && ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, MAX_WINDOW)))
	{
		ZSTD_freeDCtx(z);
		z = NULL;
	}
	state->handle = z;
}

static void
release_compress(void *handle)
{
	ZSTD_freeCCtx(handle);
}

static void
release_decompress(void *handle)
{
	ZSTD_freeDCtx(handle);
}

static void
take(LinkCodecIo *io, const ZSTD_inBuffer *in, const ZSTD_outBuffer *out)
{
	io->in += in->pos;
	io->in_size -= in->pos;
	io->out += out->pos;
	io->out_size -= out->pos;
}

static const char *
compress_step(LinkCodecState *state, LinkCodecIo *io, bool finish, bool *done)
{
	ZSTD_inBuffer in = {io->in, io->in_size, 0};
	ZSTD_outBuffer out = {io->out, io->out_size, 0};
	size_t		result = ZSTD_compressStream2(state->handle, &out, &in, finish ? ZSTD_e_end : ZSTD_e_continue);

	take(io, &in, &out);
	*done = finish && result == 0;
	return ZSTD_isError(result) ? ZSTD_getErrorName(result) : NULL;
}

static const char *
decompress_step(LinkCodecState *state, LinkCodecIo *io, bool *ended)
{
	ZSTD_inBuffer in = {io->in, io->in_size, 0};
	ZSTD_outBuffer out = {io->out, io->out_size, 0};
	size_t		result = ZSTD_decompressStream(state->handle, &out, &in);

	take(io, &in, &out);
	*ended = result == 0;
	return ZSTD_isError(result) ? ZSTD_getErrorName(result) : NULL;
}

const LinkCodec link_codec_zstd = {
	.name = "zstd",
	.suffix = ".zst",
	.magic = {0x28, 0xB5, 0x2F, 0xFD},
	.magic_size = 4,
	.min_level = 1,
	.max_level = MAX_LEVEL,
	.default_level = 3,
	.begin_compress = begin_compress,
	.begin_decompress = begin_decompress,
	.release_compress = release_compress,
	.release_decompress = release_decompress,
	.compress = compress_step,
	.decompress = decompress_step,
};
