/*-------------------------------------------------------------------------
 *
 * messages.c
 *	  From which messages the lines of a stream came: a queue of those that were
 *	  given and not parsed yet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "utils/memutils.h"

#include "provider/messages.h"

typedef struct Entry
{
	dlist_node	node;
	LinkMessage message;
	uint64		last_line;
} Entry;

struct LinkMessages
{
	MemoryContext context;
	dlist_head	entries;
	uint64		lines;			/* given so far */
};

LinkMessages *
link_messages_create(void)
{
	LinkMessages *messages = palloc0(sizeof(LinkMessages));

	messages->context = AllocSetContextCreate(CurrentMemoryContext, "link messages", ALLOCSET_DEFAULT_SIZES);
	dlist_init(&messages->entries);
	return messages;
}

void
link_messages_add(LinkMessages *messages, const LinkMessage *message, uint64 lines)
{
	Entry	   *entry = MemoryContextAlloc(messages->context, sizeof(Entry) + message->key_size);
	char	   *key = (char *) (entry + 1);

	entry->message = *message;
	if (message->key)
	{
		memcpy(key, message->key, message->key_size);
		entry->message.key = key;
	}
	messages->lines += lines;
	entry->last_line = messages->lines;
	dlist_push_tail(&messages->entries, &entry->node);
}

const LinkMessage *
link_messages_at(LinkMessages *messages, uint64 line)
{
	while (!dlist_is_empty(&messages->entries))
	{
		Entry	   *entry = dlist_container(Entry, node, dlist_head_node(&messages->entries));

		if (entry->last_line >= line)
			return &entry->message;
		dlist_delete(&entry->node);
		pfree(entry);
	}
	return NULL;
}
