/*-------------------------------------------------------------------------
 *
 * gzip.c
 *	  gzip members (RFC 1952) by zlib.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <zlib.h>

#include "codec/codec.h"

/* Of deflateInit2 and inflateInit2: the largest window, and 16 for gzip's header and trailer. */
#define GZIP_WINDOW (MAX_WBITS + 16)

/* Of deflateInit2; zlib's own default. */
#define MEM_LEVEL 8

static void
begin_compress(LinkCodecState *state)
{
	z_stream   *z = calloc(1, sizeof(z_stream));

	if (z && deflateInit2(z, state->level, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
	{
		free(z);
		z = NULL;
	}
	state->handle = z;
}

static void
begin_decompress(LinkCodecState *state)
{
	z_stream   *z = calloc(1, sizeof(z_stream));

	if (z && inflateInit2(z, GZIP_WINDOW) != Z_OK)
	{
		free(z);
		z = NULL;
	}
	state->handle = z;
}

static void
release_compress(void *handle)
{
	deflateEnd(handle);
	free(handle);
}

static void
release_decompress(void *handle)
{
	inflateEnd(handle);
	free(handle);
}

static void
give(z_stream *z, const LinkCodecIo *io)
{
	z->next_in = (Bytef *) unconstify(char *, io->in);
	z->avail_in = Min(io->in_size, PG_INT32_MAX);
	z->next_out = (Bytef *) io->out;
	z->avail_out = Min(io->out_size, PG_INT32_MAX);
}

static void
take(const z_stream *z, LinkCodecIo *io)
{
	io->in_size -= (const char *) z->next_in - io->in;
	io->in = (const char *) z->next_in;
	io->out_size -= (char *) z->next_out - io->out;
	io->out = (char *) z->next_out;
}

static const char *
compress_step(LinkCodecState *state, LinkCodecIo *io, bool finish, bool *done)
{
	z_stream   *z = state->handle;
	int			result;

	give(z, io);
	result = deflate(z, finish && z->avail_in == io->in_size ? Z_FINISH : Z_NO_FLUSH);
	take(z, io);
	*done = result == Z_STREAM_END;
	return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR ? NULL :
		z->msg ? z->msg : zError(result);
}

static const char *
decompress_step(LinkCodecState *state, LinkCodecIo *io, bool *ended)
{
	z_stream   *z = state->handle;
	int			result;

	give(z, io);
	result = inflate(z, Z_NO_FLUSH);
	take(z, io);
	*ended = result == Z_STREAM_END;
	if (*ended)
		result = inflateReset(z);
	if (result == Z_NEED_DICT)
		return "it needs a dictionary";
	return result == Z_OK || result == Z_BUF_ERROR ? NULL : z->msg ? z->msg : zError(result);
}

const LinkCodec link_codec_gzip = {
	.name = "gzip",
	.suffix = ".gz",
	.magic = {0x1F, 0x8B},
	.magic_size = 2,
	.min_level = 1,
	.max_level = 9,
	.default_level = 6,
	.begin_compress = begin_compress,
	.begin_decompress = begin_decompress,
	.release_compress = release_compress,
	.release_decompress = release_decompress,
	.compress = compress_step,
	.decompress = decompress_step,
};
