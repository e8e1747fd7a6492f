/*-------------------------------------------------------------------------
 *
 * keyring.c
 *	  Fuzz target: any bytes as a master key ring.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/keyring_internal.h"

#include "backend.h"

typedef struct Ring
{
	const char *text;
	Size		len;
	LinkRing   *ring;
} Ring;

void
fuzz_setup(void)
{
}

static void
parse(void *arg)
{
	Ring	   *ring = arg;

	ring->ring = link_ring_parse("file \"/ring\"", ring->text, ring->len);
}

/* What is written is what was read. */
static void
write_again(void *arg)
{
	const Ring *ring = arg;
	Ring		again = {NULL};

	again.text = link_ring_text(ring->ring, &again.len);
	fuzz_expect(strlen(again.text) == again.len);
	if (!fuzz_try(parse, &again))
		fuzz_bug("our own ring cannot be read: %s", again.text);
	fuzz_expect(again.ring->n == ring->ring->n);
	fuzz_expect(memcmp(again.ring->keys, ring->ring->keys, ring->ring->n * sizeof(LinkKey)) == 0);
}

void
fuzz_one(const char *data, Size size)
{
	Ring		ring = {NULL, size, NULL};

	/* not ended by a zero byte */
	ring.text = memcpy(palloc(size), data, size);
	fuzz_hide(true);
	fuzz_privileged = size % 2 == 0;
	if (!fuzz_try(parse, &ring))
		return;
	fuzz_expect(ring.ring->n > 0);
	for (int i = 0; i < ring.ring->n; i++)
		fuzz_expect(link_key_id_usable(ring.ring->keys[i].id, strlen(ring.ring->keys[i].id)));
	if (!fuzz_try(write_again, &ring))
		fuzz_expect(fuzz_error.sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}
