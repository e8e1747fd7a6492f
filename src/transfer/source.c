/*-------------------------------------------------------------------------
 *
 * source.c
 *	  The bytes of an object, as a stream, and the objects that a path names.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "utils/memutils.h"

#include "codec/codec.h"
#include "digest.h"
#include "errors.h"
#include "transfer/pieces.h"
#include "transfer/progress.h"
#include "transfer/source.h"

/*
 * COPY asks for at most 64 kB at a time; one call of a provider is worth four
 * of these.
 */
#define BUFFER_SIZE (256 * 1024)

struct LinkSource
{
	LinkSession *session;
	char	   *path;
	LinkPieces *stored;
	MemoryContext context;		/* of all memory below, the provider's too */
	LinkDecompressor *decompressor; /* NULL: bytes as they are */
	uint64		bytes;			/* as stored */
	LinkDigest *digest;			/* of these; NULL: they may be any */
	uint8		expected[LINK_DIGEST_LENGTH];
	bool		text_limited;	/* what decompression gives */
	uint64		text_bytes;		/* then: as much as may still come */
	char	   *buffer;
	Size		used;			/* of the buffer: given away */
	Size		filled;			/* of the buffer: delivered */
	char		magic[LINK_CODEC_MAGIC];	/* first bytes, read to tell the codec */
	Size		magic_used;
	Size		magic_size;
};

/* ---- which objects ---- */

typedef struct ObjectList
{
	List	   *objects;
	MemoryContext context;
} ObjectList;

/* What a source needs to know of it. */
static LinkObject *
make_object(const char *path, int64 size)
{
	LinkObject *object = palloc0(sizeof(LinkObject));

	object->path = pstrdup(path);
	object->size = size;
	return object;
}

static bool
add_object(const LinkObject *object, void *arg)
{
	ObjectList *list = arg;
	MemoryContext caller = MemoryContextSwitchTo(list->context);

	list->objects = lappend(list->objects, make_object(object->path, object->size));
	MemoryContextSwitchTo(caller);
	return true;
}

List *
link_source_objects(LinkSession *session, const char *path)
{
	ObjectList	list = {NIL, CurrentMemoryContext};
	Size		len = strlen(path);

	if (!link_path_is_glob(path) && (len == 0 || path[len - 1] != '/'))
		return list_make1(make_object(path, -1));

	link_list(session, path, true, add_object, &list);
	if (list.objects == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_NO_OBJECT),
				 errmsg("no object of link %s matches \"%s\"", session->link_name, path)));
	return list.objects;
}

/* ---- its bytes ---- */

static void
check_digest(LinkSource *source)
{
	uint8		found[LINK_DIGEST_LENGTH];

	link_digest_end(source->digest, found);
	source->digest = NULL;
	if (!link_digest_equal(found, source->expected))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("object \"%s\" of link %s is not what it was when it was written",
						source->path, source->session->link_name),
				 errdetail("Its SHA-256 is another one.")));
}

static Size
read_provider(LinkSource *source, void *to, Size size)
{
	int64		whole = link_source_size(source);
	MemoryContext caller = MemoryContextSwitchTo(source->context);
	Size		got;

	CHECK_FOR_INTERRUPTS();
	got = link_pieces_read(source->stored, to, size);
	MemoryContextSwitchTo(caller);

	source->bytes += got;
	if (source->digest && got > 0)
		link_digest_add(source->digest, to, got);
	if (link_progress_moved && got > 0)
		link_progress_moved(got);
	if (got == 0 && whole >= 0 && source->bytes < (uint64) whole)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("object \"%s\" of link %s is cut off",
						source->path, source->session->link_name),
				 errdetail("%llu of its %lld bytes arrived.",
						   (unsigned long long) source->bytes, (long long) whole)));
	if (source->digest && got == 0)
		check_digest(source);
	return got;
}

/* What nobody has asked for counts too. */
static void
read_rest(LinkSource *source)
{
	char	   *rest = palloc(BUFFER_SIZE);

	while (source->digest)
		(void) read_provider(source, rest, BUFFER_SIZE);
	pfree(rest);
}

/* As stored, from the very first byte: of a decompressor, and without one for all. */
static Size
read_stored(void *arg, void *to, Size size)
{
	LinkSource *source = arg;
	Size		part = Min(size, source->magic_size - source->magic_used);

	if (part == 0)
		return read_provider(source, to, size);
	memcpy(to, source->magic + source->magic_used, part);
	source->magic_used += part;
	return part;
}

/* What is written over an object may come to more than a disk holds before its sum tells. */
static Size
read_decompressed(LinkSource *source, void *to, Size size)
{
	Size		got = link_decompressor_read(source->decompressor, to, size);

	if (source->text_limited && got > source->text_bytes)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("object \"%s\" of link %s is not what it was when it was written",
						source->path, source->session->link_name),
				 errdetail("Decompressed it is larger.")));
	source->text_bytes -= got;
	return got;
}

static Size
read_plain(LinkSource *source, void *to, Size size)
{
	return source->decompressor ? read_decompressed(source, to, size) : read_stored(source, to, size);
}

/* By the measure of core's parallel scans. */
static bool
worth_a_process(const LinkSource *source)
{
	return max_parallel_workers_per_gather > 0 && !IsParallelWorker() &&
		link_source_size(source) >= (int64) min_parallel_table_scan_size * BLCKSZ;
}

void
link_source_decompress(LinkSource *source, const LinkCodec *codec)
{
	MemoryContext caller = MemoryContextSwitchTo(source->context);

	source->decompressor = link_decompressor_begin(codec, source->path, worth_a_process(source),
												   read_stored, source);
	MemoryContextSwitchTo(caller);
}

/* disable_gunzip is SingleStore's: gzip goes through as it is. */
void
link_source_detect(LinkSource *source)
{
	const LinkCodec *codec = link_codec_of_path(source->path);
	Size		got;

	if (codec == NULL)
	{
		while (source->magic_size < sizeof(source->magic) &&
			   (got = read_provider(source, source->magic + source->magic_size,
									sizeof(source->magic) - source->magic_size)) > 0)
			source->magic_size += got;
		codec = link_codec_of_bytes(source->magic, source->magic_size);
	}
	if (codec == &link_codec_gzip &&
		link_option_boolean(source->session->options, "disable_gunzip", false))
		return;
	if (codec)
		link_source_decompress(source, codec);
}

/* Have at least one byte in the buffer; false at the end. */
static bool
fill_buffer(LinkSource *source)
{
	if (source->used == source->filled)
	{
		source->used = 0;
		source->filled = 0;
		source->filled = read_plain(source, source->buffer, BUFFER_SIZE);
	}
	return source->filled > 0;
}

void
link_source_skip(LinkSource *source, int64 lines)
{
	bool		after_cr = false;

	while ((lines > 0 || after_cr) && fill_buffer(source))
	{
		char		byte = source->buffer[source->used];

		if (after_cr && byte == '\n')
			after_cr = false;	/* the rest of a CR LF, counted by its CR */
		else if (lines == 0)
			break;
		else
		{
			after_cr = byte == '\r';
			if (after_cr || byte == '\n')
				lines--;
		}
		source->used++;
	}
}

LinkSource *
link_source_begin(LinkSession *session, const LinkObject *object)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link source",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkSource *source = palloc0(sizeof(LinkSource));

	source->context = context;
	source->session = session;
	source->path = pstrdup(object->path);
	source->stored = link_pieces_begin(session, source->path, object->size);
	if (object->sha256)
	{
		source->digest = link_digest_begin();
		memcpy(source->expected, object->sha256, LINK_DIGEST_LENGTH);
	}
	source->text_bytes = object->text_bytes;
	source->text_limited = object->text_bytes > 0;
	MemoryContextSwitchTo(caller);
	return source;
}

void
link_source_await(LinkSource *source)
{
	MemoryContext caller = MemoryContextSwitchTo(source->context);

	source->buffer = palloc(BUFFER_SIZE);
	link_pieces_await(source->stored);
	MemoryContextSwitchTo(caller);
}

LinkSource *
link_source_open(LinkSession *session, const char *path)
{
	LinkObject	object = {.path = unconstify(char *, path),.size = -1};
	LinkSource *source = link_source_begin(session, &object);

	link_source_await(source);
	return source;
}

Size
link_source_read(LinkSource *source, void *to, Size size)
{
	Size		part;

	/* whoever asks for much needs no buffer in between */
	if (source->used == source->filled && size >= BUFFER_SIZE)
		return read_plain(source, to, size);
	if (!fill_buffer(source))
		return 0;
	part = Min(size, source->filled - source->used);
	memcpy(to, source->buffer + source->used, part);
	source->used += part;
	return part;
}

int64
link_source_size(const LinkSource *source)
{
	return link_pieces_size(source->stored);
}

uint64
link_source_bytes(const LinkSource *source)
{
	return source->bytes;
}

void
link_source_close(LinkSource *source)
{
	read_rest(source);
	link_pieces_close(source->stored);
	MemoryContextDelete(source->context);
}
