/*-------------------------------------------------------------------------
 *
 * kafka.c
 *	  Apache Kafka: the data row, the keys, the session, the list of topics.
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

#include "catalog/json.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "errors.h"
#include "http/policy.h"
#include "provider/kafka/kafka.h"
#include "provider/list.h"

static void kafka_validate(struct json_object *credentials, struct json_object *config);
static void kafka_start(LinkSession *session);
static void kafka_connect(LinkSession *session);
static void kafka_list(LinkSession *session, const char *prefix, const char *after, LinkObjectCallback callback, void *arg);
static bool kafka_stat(LinkSession *session, const char *path, LinkObject *object);
static bool kafka_remove(LinkSession *session, const char *path, const char *version);
static const char *kafka_local_path(LinkSession *session, const char *path);

static const char *const protocols[] = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl", NULL};
static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI", NULL};

/* librdkafka gets its tickets through a shell command; tokens are not ours yet */
static const char *const unsupported_mechanisms[] = {"GSSAPI", "OAUTHBEARER", NULL};
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

static const LinkProviderOps kafka_ops = {
	.session_size = sizeof(LinkKafkaSession),
	.start = kafka_start,
	.connect = kafka_connect,
	.authenticate = kafka_connect,
	.open_reader = link_kafka_open_reader,
	.read = link_kafka_read,
	.close_reader = link_kafka_close_reader,
	.partitions = link_kafka_partitions,
	.open_writer = link_kafka_open_writer,
	.write = link_kafka_write,
	.write_message = link_kafka_write_message,
	.prepare = link_kafka_prepare,
	.publish = link_kafka_publish,
	.abort = link_kafka_abort,
	.discard = link_kafka_discard,
	.remove = kafka_remove,
	.list = kafka_list,
	.stat = kafka_stat,
	.local_path = kafka_local_path,
	.reap = link_kafka_reap,
};

const LinkProvider link_kafka_provider = {
	.type = "KAFKA",
	.path_syntax = "topic",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_IS_STREAM,
	.options = kafka_options,
	.validate = kafka_validate,
	.ops = &kafka_ops,
};

/*
 * Checks of CREATE and ALTER LINK.
 */

static const char *
member(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (object == NULL || !json_object_object_get_ex(object, key, &value))
		return NULL;
	return json_object_get_string(value);
}

static const char *const file_keys[] = {"ssl.ca.location", "ssl.certificate.location", "ssl.key.location"};

static void
kafka_validate(struct json_object *credentials, struct json_object *config)
{
	static const char *const tls_keys[] = {"ca_certificate", "ssl.ca.pem", "ssl.ca.location", "ssl.certificate.location",
	"ssl.key.location", "ssl.key.pem", "ssl.key.password", "ssl.certificate.pem"};
	const char *protocol = member(config, "security.protocol");
	const char *mechanism = member(config, "sasl.mechanism");
	bool		sasl = protocol && strncmp(protocol, "sasl_", 5) == 0;
	bool		tls = protocol && (strcmp(protocol, "ssl") == 0 || strcmp(protocol, "sasl_ssl") == 0);

	if (sasl && mechanism == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"security.protocol\" \"%s\" needs \"sasl.mechanism\" in CONFIG", protocol)));
	if (!sasl && (mechanism || member(credentials, "sasl.username") || member(credentials, "sasl.password")))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("SASL needs \"security.protocol\" \"sasl_ssl\" or \"sasl_plaintext\" in CONFIG")));
	if (sasl && (member(credentials, "sasl.username") == NULL || member(credentials, "sasl.password") == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("SASL needs \"sasl.username\" and \"sasl.password\" in CREDENTIALS")));
	for (int i = 0; i < lengthof(tls_keys); i++)
		if (!tls && (member(config, tls_keys[i]) || member(credentials, tls_keys[i])))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("\"%s\" needs \"security.protocol\" \"ssl\" or \"sasl_ssl\" in CONFIG", tls_keys[i])));
	if ((member(config, "ca_certificate") != NULL) + (member(config, "ssl.ca.pem") != NULL) +
		(member(config, "ssl.ca.location") != NULL) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"ca_certificate\", \"ssl.ca.pem\" and \"ssl.ca.location\" exclude each other")));
	for (int i = 0; i < lengthof(file_keys); i++)
		if (member(config, file_keys[i]))
			link_check_server_file(file_keys[i], member(config, file_keys[i]), superuser());
}

/*
 * Sessions.
 */

/* No client yet: a writer needs another than a reader. */
static void
kafka_start(LinkSession *session)
{
	if (link_option_string(session->options, "bootstrap.servers", NULL) == NULL &&
		link_option_strings(session->options, "hosts") == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("link %s has no bootstrap.servers", session->link_name)));
	for (int i = 0; i < lengthof(file_keys); i++)
	{
		const char *file = link_option_string(session->options, file_keys[i], NULL);

		if (file)
			link_check_server_file(file_keys[i], file, superuser_arg(session->owner));
	}
}

/* Brokers say nothing to whom they do not know: both steps are one. */
static void
kafka_connect(LinkSession *session)
{
	LinkKafkaSession *kafka = (LinkKafkaSession *) session;
	LinkKafkaClient *client = link_kafka_open(kafka, false, NULL);

	rd_kafka_metadata_destroy(link_kafka_metadata(kafka, client, NULL, "could not reach the brokers"));
	link_kafka_close(client);
}

/*
 * "host:port,host:port/topic" is "topic" at these brokers, each of which has to be
 * one of bootstrap.servers or of "hosts" (SECURITY 15).
 */
static bool
names_broker(const char *list, const char *broker)
{
	char	   *copy = pstrdup(list);

	for (char *state = NULL, *known = strtok_r(copy, ", ", &state); known;
		 known = strtok_r(NULL, ", ", &state))
		if (pg_strcasecmp(known, broker) == 0)
			return true;
	return false;
}

static bool
broker_known(LinkSession *session, const char *broker)
{
	char	   *host = pnstrdup(broker, strcspn(broker, ":"));
	ListCell   *lc;

	if (names_broker(link_option_string(session->options, "bootstrap.servers", ""), broker))
		return true;
	foreach(lc, link_option_strings(session->options, "hosts"))
		if (pg_strcasecmp(lfirst(lc), host) == 0 || pg_strcasecmp(lfirst(lc), broker) == 0)
			return true;
	return false;
}

static const char *
kafka_local_path(LinkSession *session, const char *path)
{
	LinkKafkaSession *kafka = (LinkKafkaSession *) session;
	const char *slash = strchr(path, '/');
	const char *colon = strchr(path, ':');
	char	   *brokers;
	char	   *copy;

	/* topics have no colon in their names */
	if (slash == NULL || colon == NULL || colon > slash)
		return path;
	brokers = pnstrdup(path, slash - path);
	copy = pstrdup(brokers);
	for (char *state = NULL, *broker = strtok_r(copy, ",", &state); broker;
		 broker = strtok_r(NULL, ",", &state))
		if (!broker_known(session, broker))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_NO_PRIVILEGE),
					 errmsg("link %s may not be used for another host", session->link_name),
					 errdetail("The brokers of a path have to be in \"bootstrap.servers\" or \"hosts\" of the CONFIG.")));
	kafka->brokers = MemoryContextStrdup(session->context, brokers);
	return slash + 1;
}

/*
 * Topics.
 */

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

static void
kafka_list(LinkSession *session, const char *prefix, const char *after, LinkObjectCallback callback, void *arg)
{
	LinkKafkaSession *kafka = (LinkKafkaSession *) session;
	LinkKafkaClient *client = link_kafka_open(kafka, false, NULL);
	const struct rd_kafka_metadata *metadata = link_kafka_metadata(kafka, client, NULL, "could not list topics");
	List	   *names = NIL;
	ListCell   *lc;

	for (int i = 0; i < metadata->topic_cnt; i++)
	{
		const char *name = metadata->topics[i].topic;

		/* those of Kafka itself are hidden, as its own tools hide them */
		if (strncmp(name, prefix, strlen(prefix)) == 0 && strncmp(name, "__", 2) != 0)
			names = lappend(names, pstrdup(name));
	}
	rd_kafka_metadata_destroy(metadata);
	link_kafka_close(client);
	list_sort(names, compare_names);
	foreach(lc, names)
	{
		LinkObject	object = {lfirst(lc), -1};

		TIMESTAMP_NOBEGIN(object.last_modified);
		if (!callback(&object, arg))
			break;
	}
}

static bool
kafka_stat(LinkSession *session, const char *path, LinkObject *object)
{
	LinkKafkaSession *kafka = (LinkKafkaSession *) session;
	LinkKafkaClient *client = link_kafka_open(kafka, false, NULL);
	char	   *topic = pnstrdup(path, strcspn(path, "/"));
	const struct rd_kafka_metadata *metadata = link_kafka_metadata(kafka, client, topic, "could not look up a topic");
	bool		found = metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;

	rd_kafka_metadata_destroy(metadata);
	link_kafka_close(client);
	memset(object, 0, sizeof(*object));
	object->size = -1;
	TIMESTAMP_NOBEGIN(object->last_modified);
	return found;
}

/* Never called: LINK_CAN_REMOVE is not set. */
static bool
kafka_remove(LinkSession *session, const char *path, const char *version)
{
	elog(ERROR, "topics are not removed");
}
