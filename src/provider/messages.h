/*-------------------------------------------------------------------------
 *
 * messages.h
 *	  From which messages the lines of a stream came.
 *
 * A reader of a stream gives messages as lines, and whoever parses them is behind
 * it by what is buffered in between.  Where a session asks for it, the reader
 * writes down what a message has besides its value, for the parser to find by
 * the number of the line.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_MESSAGES_H
#define LINK_MESSAGES_H

#include "postgres.h"

typedef struct LinkMessages LinkMessages;

typedef struct LinkMessage
{
	int32		partition;
	int64		offset;
	int64		timestamp;		/* ms since 1970; -1: it has none */
	const char *key;			/* NULL: it has none */
	Size		key_size;
} LinkMessage;

extern LinkMessages *link_messages_create(void);

/* A message that was given as so many lines.  The key is copied. */
extern void link_messages_add(LinkMessages *messages, const LinkMessage *message, uint64 lines);

/*
 * That of a line, counted from 1; NULL if there is none.  Lines are asked for in
 * order: those before are forgotten.  Lives until the next call.
 */
extern const LinkMessage *link_messages_at(LinkMessages *messages, uint64 line);

#endif							/* LINK_MESSAGES_H */
