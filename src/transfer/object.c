/*-------------------------------------------------------------------------
 *
 * object.c
 *	  One object being written: compressed on its way, if asked for, and
 *	  counted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "transfer/object.h"
#include "transfer/progress.h"

/* The codec's drain, and without a codec the whole way. */
static void
store(void *arg, const char *data, Size size)
{
	LinkObjectWriter *object = arg;

	link_write(object->writer, data, size);
	object->bytes += size;
	if (object->summed)
		COMP_CRC32C(object->crc, data, size);
	if (object->digest)
		link_digest_add(object->digest, data, size);
	if (link_progress_moved)
		link_progress_moved(size);
}

LinkObjectWriter *
link_object_begin(LinkSession *session, const char *path, bool overwrite,
				  const LinkCodec *codec, int level, bool apart, bool summed)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link object",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkObjectWriter *object = palloc0(sizeof(LinkObjectWriter));

	object->context = context;
	object->summed = summed;
	INIT_CRC32C(object->crc);
	if (codec)
		object->compressor = link_compressor_begin(codec, level, apart, store, object);
	object->writer = link_open_writer(session, path, overwrite);
	MemoryContextSwitchTo(caller);
	return object;
}

/* The executor's contexts are no place for a provider's memory. */
void
link_object_write(LinkObjectWriter *object, const char *data, Size size)
{
	MemoryContext caller = MemoryContextSwitchTo(object->context);

	CHECK_FOR_INTERRUPTS();
	object->text_bytes += size;
	if (object->compressor)
		link_compressor_write(object->compressor, data, size);
	else
		store(object, data, size);
	MemoryContextSwitchTo(caller);
}

void
link_object_prepare(LinkObjectWriter *object, StringInfo token)
{
	MemoryContext caller = MemoryContextSwitchTo(object->context);

	if (object->compressor)
		link_compressor_finish(object->compressor);
	FIN_CRC32C(object->crc);
	link_prepare(object->writer, token);
	MemoryContextSwitchTo(caller);
}

void
link_object_free(LinkObjectWriter *object)
{
	link_close_writer(object->writer);
	MemoryContextDelete(object->context);
}
