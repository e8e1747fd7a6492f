/*-------------------------------------------------------------------------
 *
 * shortcut.h
 *	  Lines of COPY's text and CSV formats, made short before core reads them.
 *
 * Core splits lines and fields byte by byte, and its input functions read any
 * notation of a value.  A line without peculiarities is split here instead, and
 * its values of common types are read here.  Core is given a line that stands for
 * it: one byte for each value that is ready, the field as it is for each other.
 * Where core calls a type's input function for a value that is ready, it gets that.
 *
 * Whatever is peculiar goes to core as it came, so there is one judge of what a
 * file means, and one that words the errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_SHORTCUT_H
#define LINK_SHORTCUT_H

#include "postgres.h"

#include "commands/copy.h"

typedef struct LinkShortcut LinkShortcut;

/* At most 'size' of the next bytes; 0 at the end. */
typedef Size (*LinkShortcutRead) (void *arg, void *to, Size size);

/*
 * For a COPY that has begun and read nothing; changes its input functions.  NULL,
 * and nothing changed, where nothing is to be gained.  Belongs to the current
 * memory context, which must live until the COPY has ended.
 */
extern LinkShortcut *link_shortcut_begin(CopyFromState cstate, LinkShortcutRead read, void *arg);

/* What COPY's data source callback has to give. */
extern int	link_shortcut_read(LinkShortcut *shortcut, void *to, int at_most);

#endif							/* LINK_SHORTCUT_H */
