/*-------------------------------------------------------------------------
 *
 * lz4.c
 *	  LZ4 frames by liblz4.
 *
 * https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <lz4frame.h>
#include <lz4hc.h>

#include "codec/codec.h"

/* What is given to the library at once, so that what comes out of it fits into LINK_CODEC_ROOM. */
#define PIECE (64 * 1024)

static const LZ4F_preferences_t *
preferences(int level)
{
	static LZ4F_preferences_t chosen;

	memset(&chosen, 0, sizeof(chosen));
	chosen.frameInfo.blockSizeID = LZ4F_max64KB;
	chosen.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
	chosen.compressionLevel = level;
	return &chosen;
}

static void
begin_compress(LinkCodecState *state)
{
	LZ4F_cctx  *z = NULL;

	Assert(LZ4F_compressBound(PIECE, preferences(state->level)) + LZ4F_HEADER_SIZE_MAX <= LINK_CODEC_ROOM);
	if (LZ4F_isError(LZ4F_createCompressionContext(&z, LZ4F_VERSION)))
		z = NULL;
	state->handle = z;
}

static void
begin_decompress(LinkCodecState *state)
{
	LZ4F_dctx  *z = NULL;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&z, LZ4F_VERSION)))
		z = NULL;
	state->handle = z;
}

static void
release_compress(void *handle)
{
	LZ4F_freeCompressionContext(handle);
}

static void
release_decompress(void *handle)
{
	LZ4F_freeDecompressionContext(handle);
}

static const char *
compress_step(LinkCodecState *state, LinkCodecIo *io, bool finish, bool *done)
{
	Size		piece = Min(io->in_size, PIECE);
	size_t		result = 0;

	*done = false;
	if (!state->begun)
		result = LZ4F_compressBegin(state->handle, io->out, io->out_size, preferences(state->level));
	else if (piece > 0)
		result = LZ4F_compressUpdate(state->handle, io->out, io->out_size, io->in, piece, NULL);
	else if (finish)
		result = LZ4F_compressEnd(state->handle, io->out, io->out_size, NULL);
	if (LZ4F_isError(result))
		return LZ4F_getErrorName(result);
	io->out += result;
	io->out_size -= result;
	if (state->begun)
	{
		io->in += piece;
		io->in_size -= piece;
		*done = finish && piece == 0;
	}
	state->begun = true;
	return NULL;
}

static const char *
decompress_step(LinkCodecState *state, LinkCodecIo *io, bool *ended)
{
	size_t		taken = io->in_size;
	size_t		made = io->out_size;
	size_t		result = LZ4F_decompress(state->handle, io->out, &made, io->in, &taken, NULL);

	if (LZ4F_isError(result))
		return LZ4F_getErrorName(result);
	io->in += taken;
	io->in_size -= taken;
	io->out += made;
	io->out_size -= made;
	*ended = result == 0;
	return NULL;
}

const LinkCodec link_codec_lz4 = {
	.name = "lz4",
	.suffix = ".lz4",
	.magic = {0x04, 0x22, 0x4D, 0x18},
	.magic_size = 4,
	.min_level = 1,
	.max_level = LZ4HC_CLEVEL_MAX,
	.default_level = 1,
	.begin_compress = begin_compress,
	.begin_decompress = begin_decompress,
	.release_compress = release_compress,
	.release_decompress = release_decompress,
	.compress = compress_step,
	.decompress = decompress_step,
};
