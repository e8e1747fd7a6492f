/*-------------------------------------------------------------------------
 *
 * count.h
 *	  What the HTTP engine has sent in this process.
 *
 * The engine only adds.  Whoever wants to know what a piece of work took sets
 * the struct aside, clears it, and puts it back afterwards.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_HTTP_COUNT_H
#define LINK_HTTP_COUNT_H

#include "postgres.h"

/* Real servers' ids have 16 to 60 characters; a longer one is not kept. */
#define LINK_REQUEST_ID_SIZE 128

typedef struct LinkHttpCounts
{
	uint64		requests;		/* put on the wire, each attempt by itself */
	uint64		retries;		/* those that were another attempt at the same */

	/*
	 * What the server calls the request that it answered last, "" if it did not
	 * say; scrubbed, not yet made printable.
	 */
	char		request_id[LINK_REQUEST_ID_SIZE];
} LinkHttpCounts;

extern LinkHttpCounts link_http_counts;

#endif							/* LINK_HTTP_COUNT_H */
