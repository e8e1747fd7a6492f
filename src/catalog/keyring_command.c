/*-------------------------------------------------------------------------
 *
 * keyring_command.c
 *	  Running link.master_key_command.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <unistd.h>

#include "utils/memutils.h"

#include "bounds.h"
#include "catalog/keyring_internal.h"
#include "catalog/seal.h"
#include "child.h"
#include "errors.h"
#include "guc.h"

#define SOURCE "what link.master_key_command prints"

static uint32
wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = link_wait_event("LinkMasterKeyCommand");
	return event;
}

/* In the child: only calls that are safe after fork. */
static int
run(void *command)
{
	execl("/bin/sh", "sh", "-c", (char *) command, (char *) NULL);
	return 127;
}

/* errno tells why. */
LINK_NORETURN static void
fail(const char *doing)
{
	if (errno == ETIMEDOUT)
		link_ring_fail(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, SOURCE,
					   psprintf("link.master_key_command did not end within %d ms", link_master_key_timeout),
					   "Raise link.master_key_timeout, or look at why the command takes so long.");
	link_ring_fail(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, SOURCE,
				   psprintf("could not %s link.master_key_command: %m", doing), NULL);
}

char *
link_ring_command_read(const char *text, Size *len)
{
	char	   *output = link_secret_alloc(LINK_MAX_KEY_RING + 1);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link master key command",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	LinkChild  *child = link_child_start("link.master_key_command", run, unconstify(char *, text), NULL,
										 link_master_key_timeout, wait_event());
	ssize_t		got;
	int			status;

	*len = 0;
	while ((got = link_child_read(child, output + *len, LINK_MAX_KEY_RING + 1 - *len)) > 0)
	{
		*len += got;
		if (*len > LINK_MAX_KEY_RING)
			link_ring_fail(ERRCODE_CONFIG_FILE_ERROR, SOURCE,
						   psprintf("link.master_key_command printed more than %d bytes", LINK_MAX_KEY_RING),
						   NULL);
	}
	if (got < 0)
		fail("read from");
	if (link_child_wait(child, &status) < 0)
		fail("wait for");
	if (status != 0)
		link_ring_fail(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, SOURCE,
					   psprintf("link.master_key_command failed: %s", wait_result_to_str(status)),
					   "What it says is not logged: run it as the user of the server to see.");
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return output;
}
