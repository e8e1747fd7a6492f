/*-------------------------------------------------------------------------
 *
 * client.h
 *	  A connection of our own to this server: statements that a function cannot
 *	  run, and those in another database.
 *
 * Over its Unix socket as the user that the server runs as, or as
 * link.backup_conninfo has it; each session then has the rights of the current
 * user, by SET ROLE.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_CLIENT_H
#define LINK_CLIENT_H

#include "postgres.h"

#include "nodes/pg_list.h"

typedef struct LinkClient LinkClient;

/* What libpq, and so pg_dump, takes: of the database 'database' of this server. */
extern char *link_client_conninfo(const char *database);

/* Throws for a value that link.backup_conninfo may not have: what is wrong with it, or NULL. */
extern const char *link_client_conninfo_problem(const char *conninfo);

/*
 * Belongs to the current memory context, with which it is closed; what it runs
 * then is cancelled.  08001 if it
 * cannot be made.
 */
extern LinkClient *link_client_open(const char *conninfo);
extern void link_client_close(LinkClient *client);

/* One statement, whose rows nobody wants.  Its error is thrown as it is. */
extern void link_client_run(LinkClient *client, const char *sql);

/* The same, but gives what the server has against it; NULL: nothing. */
extern char *link_client_try(LinkClient *client, const char *sql);

/* The first in two, so that several sessions work at a time. */
extern void link_client_send(LinkClient *client, const char *sql);
extern void link_client_await(LinkClient *client);

/* First column of its rows, char *, which are not NULL. */
extern List *link_client_texts(LinkClient *client, const char *sql);

#endif							/* LINK_CLIENT_H */
