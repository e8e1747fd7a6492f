/*-------------------------------------------------------------------------
 *
 * kafka.c
 *	  Apache Kafka: the data row.
 *
 * Keys are librdkafka's own, those of this list alone (SECURITY 24): none loads
 * code, runs a command, or turns a verification off.  Bounds of numbers are
 * those of its CONFIGURATION.md, narrowed to int.  The brokers may also be named
 * in a path, where bootstrap.servers or hosts allow it (SECURITY 15), so no key
 * is required.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/list.h"

static const char *const protocols[] = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl", NULL};
static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI", NULL};

/* librdkafka gets its tickets through a shell command */
static const char *const unsupported_mechanisms[] = {"GSSAPI", NULL};
static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};
static const char *const families[] = {"any", "v4", "v6", NULL};
static const char *const isolations[] = {"read_uncommitted", "read_committed", NULL};
static const char *const partitioners[] = {"random", "consistent", "consistent_random", "murmur2",
	"murmur2_random", "fnv1a", "fnv1a_random", NULL};

static const LinkOptionDef kafka_options[] = {
	{"sasl.username", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"sasl.password", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	{"ssl.key.password", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	{"ssl.key.pem", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET | LINK_OPTION_TEXT},
	{"ssl.certificate.pem", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_TEXT},

	{"bootstrap.servers", LINK_CONFIG, LINK_OPTION_STRING, LINK_OPTION_ORIGIN},
	{"security.protocol", LINK_CONFIG, LINK_OPTION_STRING, LINK_OPTION_ORIGIN, .values = protocols},
	{"sasl.mechanism", LINK_CONFIG, LINK_OPTION_STRING, LINK_OPTION_ORIGIN, .values = mechanisms,
	.unsupported_values = unsupported_mechanisms},
	{"ssl.ca.pem", LINK_CONFIG, LINK_OPTION_STRING, LINK_OPTION_ORIGIN | LINK_OPTION_TEXT},
	/* files of the server, below link.file_roots */
	{"ssl.ca.location", LINK_CONFIG, LINK_OPTION_DIRECTORY, LINK_OPTION_ORIGIN | LINK_OPTION_AMBIENT},
	{"ssl.certificate.location", LINK_CONFIG, LINK_OPTION_DIRECTORY, LINK_OPTION_AMBIENT},
	{"ssl.key.location", LINK_CONFIG, LINK_OPTION_DIRECTORY, LINK_OPTION_AMBIENT},

	/* ours: how long one call may take, whether a statement is one transaction */
	{"operation.timeout.ms", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = PG_INT32_MAX},
	{"transactional", LINK_CONFIG, LINK_OPTION_BOOLEAN},

	{"transaction.timeout.ms", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1000, .max = PG_INT32_MAX},
	{"client.id", LINK_CONFIG, LINK_OPTION_STRING},
	{"broker.address.family", LINK_CONFIG, LINK_OPTION_STRING, .values = families},
	{"socket.timeout.ms", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 10, .max = 300000},
	{"socket.keepalive.enable", LINK_CONFIG, LINK_OPTION_BOOLEAN},
	{"metadata.max.age.ms", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = 86400000},
	{"message.max.bytes", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1000, .max = 1000000000},
	{"message.timeout.ms", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 0, .max = PG_INT32_MAX},
	{"request.timeout.ms", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = 900000},
	{"retry.backoff.ms", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = 300000},
	{"linger.ms", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 0, .max = 900000},
	{"batch.size", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = PG_INT32_MAX},
	{"batch.num.messages", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = 1000000},
	{"compression.codec", LINK_CONFIG, LINK_OPTION_STRING, .values = codecs},
	{"compression.level", LINK_CONFIG, LINK_OPTION_INTEGER, .min = -1, .max = 12},
	{"partitioner", LINK_CONFIG, LINK_OPTION_STRING, .values = partitioners},
	{"fetch.message.max.bytes", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = 1000000000},
	{"fetch.min.bytes", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = 100000000},
	{"fetch.wait.max.ms", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 0, .max = 300000},
	{"isolation.level", LINK_CONFIG, LINK_OPTION_STRING, .values = isolations},
	{NULL}
};

const LinkProvider link_kafka_provider = {
	.type = "KAFKA",
	.path_syntax = "topic",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_IS_STREAM,
	.options = kafka_options,
};
