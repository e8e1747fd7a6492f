/*-------------------------------------------------------------------------
 *
 * bounds.h
 *	  Every bound on what the outside may make us hold or do (SECURITY 25).
 *
 * Each with its reason.  A bound that is hit is a clear error, never a
 * truncation.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_BOUNDS_H
#define LINK_BOUNDS_H

/* S3, GCS and Azure all end object names at 1,024 bytes. */
#define LINK_MAX_PATH 1024

/* 1,000 keys of 1,024 bytes, XML-escaped, with their metadata: below 10 MB. */
#define LINK_MAX_LIST_PAGE (10 * 1024 * 1024)

/*
 * Pages in a row without an object.  S3 sends some where a bucket holds mostly
 * deleted versions, each after it has passed over a thousand of these.
 */
#define LINK_MAX_EMPTY_PAGES 1000

/*
 * What a server gives us to send back in a URL: tokens of listings, ids of
 * uploads.  Real ones have 30 to 2,000 characters; servers take URLs of about 8 kB.
 */
#define LINK_MAX_TOKEN 4096

/* An error document or a completion answer is a few hundred bytes. */
#define LINK_MAX_SMALL_ANSWER (1024 * 1024)

/* What of an error document is read as JSON: with a stack trace it has some 10 kB. */
#define LINK_MAX_REFUSAL (32 * 1024)

/*
 * One answer of a Kafka broker: what was fetched, 16 MB, or what it knows of some
 * 100,000 partitions.  More where message.max.bytes is larger.
 */
#define LINK_MAX_KAFKA_ANSWER (32 * 1024 * 1024)

/* All headers of one answer, with the interim ones before it; real servers send a few kB. */
#define LINK_MAX_HEADERS (64 * 1024)

/* Option documents are flat; 32 leaves room for provider answers. */
#define LINK_MAX_JSON_DEPTH 32

/*
 * Memory of a parsed JSON text.  A page of a listing of HDFS, 1,000 entries, takes
 * 3 MB; a text of 10 MB of "{}," would take 2.6 GB.
 */
#define LINK_MAX_JSON_TREE (32 * 1024 * 1024)

/* CREDENTIALS and CONFIG: a service account key is 2.4 kB, a CA bundle 250 kB. */
#define LINK_MAX_OPTIONS (1024 * 1024)

/* One secret: a service account key with room; each is searched for in errors. */
#define LINK_MAX_SECRET (64 * 1024)

/* read_file returns a bytea, which must stay far below 1 GB with its copies. */
#define LINK_MAX_READ_FILE (256 * 1024 * 1024)

/* A key ring of hundreds of rotations. */
#define LINK_MAX_KEY_RING (64 * 1024)

/*
 * Slower than this many bytes a second for request_timeout: the transfer is
 * dead.  A modem of 1995 is faster.
 */
#define LINK_LOW_SPEED 1024

/* Bytes that a stream which breaks has to have got on by, for its retries to begin anew. */
#define LINK_MIN_PROGRESS (64 * 1024)

/*
 * ms that the completion of an upload may take: minutes, in which S3 sends a
 * blank now and then.
 */
#define LINK_MAX_COMPLETION (15 * 60 * 1000)

/*
 * Objects that a listing may pass over to find those that are asked for: a
 * bucket of ten million takes 10,000 requests.
 */
#define LINK_MAX_LISTED 10000000

/*
 * Memory of the entries of directories that are being listed, each with those
 * above it: HDFS gives them in an order that is not ours.  A quarter of a million names.
 */
#define LINK_MAX_LISTED_MEMORY (32 * 1024 * 1024)

/*
 * Directories in a row that hold no file, so that a tree without end is one: a
 * branch of it is as deep as a path is long, but there may be two at each level.
 */
#define LINK_MAX_EMPTY_DIRECTORIES 10000

/* From 1970 to the year 10000: servers may tell times that no timestamp holds. */
#define LINK_MAX_SECONDS INT64CONST(253402300800)

/*
 * ms between two looks at a link that is being used: REVOKE, DROP and new
 * credentials take effect within it, and it costs one index scan.
 */
#define LINK_RECHECK_INTERVAL 5000

/* ms between two looks for work: a pipeline that rests for longer than a day is a cron job. */
#define LINK_MAX_BATCH_INTERVAL (24 * 60 * 60 * 1000)

#endif							/* LINK_BOUNDS_H */
