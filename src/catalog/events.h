/*-------------------------------------------------------------------------
 *
 * events.h
 *	  Links follow what happens to their schemas and roles.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_EVENTS_H
#define LINK_EVENTS_H

/* Install the hook for what fires no event trigger; called once from _PG_init. */
extern void link_events_init(void);

/*
 * Before a command that may give a procedure another name, and after it (procedures.c).
 */
extern void link_procedures_remember(void);
extern void link_procedures_follow(void);

#endif							/* LINK_EVENTS_H */
