/*-------------------------------------------------------------------------
 *
 * kafka_client.c
 *	  A client of librdkafka: its configuration, its events, its end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "bounds.h"
#include "compat.h"
#include "errors.h"
#include "guc.h"
#include "http/policy.h"
#include "provider/kafka/kafka.h"

/* ms for one call, unless operation.timeout.ms or request_timeout says otherwise */
#define DEFAULT_TIMEOUT 60000

/* ms between attempts to connect; librdkafka's 10 s are longer than many a restart. */
#define MAX_BACKOFF 1000

/* A destroyed client ends its threads within this; they hold nothing of ours. */
#define PURGE_TIMEOUT 100

/*
 * Options of a link that go to librdkafka as they are; the table of keys has
 * checked them.
 */
static const char *const passed_on[] = {
	"security.protocol", "sasl.mechanism", "sasl.username", "sasl.password",
	"ssl.key.password", "ssl.key.pem", "ssl.certificate.pem", "ssl.ca.pem",
	"ssl.ca.location", "ssl.certificate.location", "ssl.key.location",
	"client.id", "broker.address.family", "socket.timeout.ms", "socket.keepalive.enable",
	"metadata.max.age.ms", "message.max.bytes", "retry.backoff.ms"
};
static const char *const for_producers[] = {
	"message.timeout.ms", "request.timeout.ms", "linger.ms", "batch.size", "batch.num.messages",
	"compression.codec", "compression.level", "partitioner"
};
static const char *const for_consumers[] = {
	"fetch.message.max.bytes", "fetch.min.bytes", "fetch.wait.max.ms", "isolation.level"
};

/* Bounds of what the keys of every type become. */
#define MIN_SETUP_TIMEOUT 1000
#define MIN_RETRIES 1			/* an idempotent producer has to have one */

/* Closed at exit: their threads use libraries that exit() takes down (INTERNALS B9). */
static dlist_head clients = DLIST_STATIC_INIT(clients);

static void
block_signals(sigset_t *saved)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
}

static void
unblock_signals(const sigset_t *saved)
{
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/*
 * The end.
 */

static void
release_queue(rd_kafka_queue_t *queue)
{
	if (queue == NULL)
		return;
	rd_kafka_queue_io_event_enable(queue, -1, NULL, 0);
	rd_kafka_queue_destroy(queue);
}

void
link_kafka_close(LinkKafkaClient *client)
{
	sigset_t	saved;

	if (client->rk == NULL)
		return;
	block_signals(&saved);
	release_queue(client->queue);
	release_queue(client->messages);
	if (client->producer)
	{
		/* nothing may keep the client from its end: what was not acknowledged is lost anyway */
		(void) rd_kafka_purge(client->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
							  RD_KAFKA_PURGE_F_NON_BLOCKING);
		(void) rd_kafka_flush(client->rk, PURGE_TIMEOUT);
	}
	rd_kafka_destroy_flags(client->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	unblock_signals(&saved);
	client->rk = NULL;
	client->queue = client->messages = NULL;
	if (client->event_fd >= 0)
	{
		close(client->event_fd);
		ReleaseExternalFD();
	}
	client->event_fd = -1;
	free(client->allowed_hosts);
	dlist_delete(&client->node);
}

/* MemoryContextCallback */
static void
release_client(void *arg)
{
	link_kafka_close(arg);
}

/* before_shmem_exit */
static void
close_all_clients(int code, Datum arg)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &clients)
		link_kafka_close(dlist_container(LinkKafkaClient, node, iter.cur));
}

/*
 * Configuration.
 */

/*
 * Called by threads of librdkafka, before each connection to a broker, also to
 * those that a broker names.  'id' is "sasl_ssl://host:port/5", and without the
 * protocol where it is plain text.
 */
static int
connect_allowed(int fd, const struct sockaddr *address, int len, const char *id, void *opaque)
{
	LinkKafkaClient *client = opaque;
	const char *protocol = id ? strstr(id, "://") : NULL;
	const char *host = protocol ? protocol + 3 : id;
	const char *colon;
	char		name[256];
	size_t		n;
	LinkPolicyRefusal refusal;

	if (host == NULL)
		return EACCES;
	n = strcspn(host, "/");
	colon = memrchr(host, ':', n);
	if (colon == NULL || (size_t) (colon - host) >= sizeof(name))
		return EACCES;
	memcpy(name, host, colon - host);
	name[colon - host] = '\0';
	if (!link_policy_allows_address(client->allowed_hosts, name, atoi(colon + 1), client->tls, address, &refusal))
	{
		uint32		none = LINK_KAFKA_REFUSED_NONE;

		if (pg_atomic_compare_exchange_u32(&client->refused, &none, LINK_KAFKA_REFUSED_WRITING))
		{
			client->refusal = refusal;
			pg_write_barrier();
			pg_atomic_write_u32(&client->refused, LINK_KAFKA_REFUSED);
		}
		return EACCES;
	}

	/* the socket does not block: librdkafka waits for the rest */
	return connect(fd, address, len) == 0 || errno == EINPROGRESS ? 0 : errno;
}

/*
 * A text of librdkafka, or of a broker, for a message of ours (SECURITY 20).
 * Secrets go first: one that is escaped would not be found any more.
 */
static char *
presentable(const LinkKafkaSession *session, const char *text)
{
	char	   *scrubbed;

	if (strlen(text) > LINK_KAFKA_MAX_TEXT)
		return "(A long text is left out.)";
	scrubbed = link_options_scrub(session->base.options, text);
	return link_printable(scrubbed, strlen(scrubbed));
}

static void
set(LinkKafkaSession *session, rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char		problem[512];

	if (rd_kafka_conf_set(conf, name, value, problem, sizeof(problem)) == RD_KAFKA_CONF_OK)
		return;
	rd_kafka_conf_destroy(conf);
	ereport(ERROR,
			(errcode(ERRCODE_LINK_BAD_OPTION),
			 errmsg("invalid value of \"%s\" of link %s", name, session->base.link_name),
			 errdetail("%s", presentable(session, problem))));
}

static void
set_options(LinkKafkaSession *session, rd_kafka_conf_t *conf, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
	{
		const char *value = link_option_text(session->base.options, names[i]);

		if (value)
			set(session, conf, names[i], value);
	}
}

/*
 * The keys that every type has, by the names that they have here.  request_timeout
 * is in link_kafka_timeout().
 */
static void
set_common(LinkKafkaSession *session, rd_kafka_conf_t *conf, bool producer)
{
	const LinkOptions *options = session->base.options;
	const char *ca_certificate = link_option_string(options, "ca_certificate", NULL);
	int			connect_timeout = link_option_integer(options, "connect_timeout", 0);
	int			max_retries = link_option_integer(options, "max_retries", -1);
	int			largest = Max(link_option_integer(options, "message.max.bytes", 0),
							  link_option_integer(options, "fetch.message.max.bytes", 0));

	set(session, conf, "receive.message.max.bytes",
		psprintf("%d", Max(LINK_MAX_KAFKA_ANSWER, largest + LINK_MAX_SMALL_ANSWER)));
	set(session, conf, "reconnect.backoff.max.ms", CppAsString2(MAX_BACKOFF));
	if (ca_certificate)
		set(session, conf, "ssl.ca.pem", ca_certificate);
	if (connect_timeout > 0)
		set(session, conf, "socket.connection.setup.timeout.ms", psprintf("%d", Max(connect_timeout, MIN_SETUP_TIMEOUT)));
	if (producer && max_retries >= 0)
		set(session, conf, "message.send.max.retries", psprintf("%d", Max(max_retries, MIN_RETRIES)));
}

/*
 * Every broker that CONFIG or a path names has to be one that may be connected
 * to, so that the error comes before the connection does.
 */
static void
check_brokers(const char *brokers, bool tls)
{
	char	   *copy = pstrdup(brokers);

	for (char *state = NULL, *broker = strtok_r(copy, ", ", &state); broker;
		 broker = strtok_r(NULL, ", ", &state))
	{
		char	   *colon = strrchr(broker, ':');
		int			port = 9092;

		if (colon && strchr(broker, ':') == colon)
		{
			*colon = '\0';
			port = atoi(colon + 1);
		}
		link_policy_check_host(broker, port, tls, false);
	}
}

LinkKafkaClient *
link_kafka_open(LinkKafkaSession *session, bool producer, const char *transactional_id)
{
	static bool registered = false;
	const LinkOptions *options = session->base.options;
	const char *protocol = link_option_string(options, "security.protocol", "plaintext");
	const char *brokers = session->brokers ? session->brokers :
		link_option_string(options, "bootstrap.servers", "");
	LinkKafkaClient *client = palloc0(sizeof(LinkKafkaClient));
	rd_kafka_conf_t *conf;
	static const uint64 one = 1;
	char		problem[512];
	sigset_t	saved;

	link_policy_check_key_log();
	client->event_fd = -1;
	client->producer = producer;
	client->session = session;
	pg_atomic_init_u32(&client->refused, LINK_KAFKA_REFUSED_NONE);
	client->tls = strcmp(protocol, "ssl") == 0 || strcmp(protocol, "sasl_ssl") == 0;
	check_brokers(brokers, client->tls);
	if (!registered)
	{
		before_shmem_exit(close_all_clients, (Datum) 0);
		registered = true;
	}
	session->trouble[0] = '\0';
	session->login_refused = false;
	session->refusal.problem[0] = '\0';

	conf = rd_kafka_conf_new();
	set(session, conf, "bootstrap.servers", brokers);
	set_options(session, conf, passed_on, lengthof(passed_on));
	set_common(session, conf, producer);
	set(session, conf, "log.queue", "true");
	if (producer)
	{
		set_options(session, conf, for_producers, lengthof(for_producers));
		set(session, conf, "enable.idempotence", "true");

		/* bounded memory: each message takes 150 bytes more than it has */
		set(session, conf, "queue.buffering.max.kbytes", "16384");
		set(session, conf, "queue.buffering.max.messages", "200000");
		if (transactional_id)
		{
			set(session, conf, "transactional.id", transactional_id);
			set(session, conf, "transaction.timeout.ms",
				psprintf("%d", link_option_integer(options, "transaction.timeout.ms", 900000)));
		}
	}
	else
	{
		set_options(session, conf, for_consumers, lengthof(for_consumers));

		/* positions are ours: no group is joined, nothing is committed */
		set(session, conf, "group.id", "link");
		set(session, conf, "enable.auto.commit", "false");
		set(session, conf, "enable.auto.offset.store", "false");
		set(session, conf, "enable.partition.eof", "true");
		set(session, conf, "auto.offset.reset", "error");
		set(session, conf, "queued.min.messages", CppAsString2(LINK_KAFKA_QUEUED_MESSAGES));
		set(session, conf, "queued.max.messages.kbytes", CppAsString2(LINK_KAFKA_QUEUED_KBYTES));
		if (rd_kafka_version() >= 0x02020000)
			set(session, conf, "fetch.queue.backoff.ms", "5");
	}
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
	client->allowed_hosts = strdup(link_allowed_hosts);
	rd_kafka_conf_set_opaque(conf, client);
	rd_kafka_conf_set_connect_cb(conf, connect_allowed);

	if (!AcquireExternalFD())
	{
		rd_kafka_conf_destroy(conf);
		free(client->allowed_hosts);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files")));
	}
	client->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	block_signals(&saved);
	client->rk = client->event_fd >= 0 && client->allowed_hosts ?
		rd_kafka_new(producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, problem, sizeof(problem)) : NULL;
	unblock_signals(&saved);
	if (client->rk == NULL)
	{
		rd_kafka_conf_destroy(conf);
		if (client->event_fd >= 0)
			close(client->event_fd);
		ReleaseExternalFD();
		free(client->allowed_hosts);
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("link %s cannot be used for Kafka", session->base.link_name),
				 errdetail("%s", presentable(session, problem))));
	}
	dlist_push_tail(&clients, &client->node);
	client->callback.func = release_client;
	client->callback.arg = client;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &client->callback);

	client->queue = rd_kafka_queue_get_main(client->rk);
	(void) rd_kafka_set_log_queue(client->rk, client->queue);
	rd_kafka_queue_io_event_enable(client->queue, client->event_fd, &one, sizeof(one));
	if (!producer)
	{
		client->messages = rd_kafka_queue_get_consumer(client->rk);
		rd_kafka_queue_io_event_enable(client->messages, client->event_fd, &one, sizeof(one));
	}
	return client;
}

/*
 * Events.
 */

static void
note_trouble(LinkKafkaSession *session, const char *text)
{
	strlcpy(session->trouble, strlen(text) > LINK_KAFKA_MAX_TEXT ? "" : text, sizeof(session->trouble));
}

/* What is no answer to anybody: the state of brokers. */
static bool
take_note(LinkKafkaSession *session, rd_kafka_event_t *event)
{
	const char *text;
	const char *facility;
	int			level;

	switch (rd_kafka_event_type(event))
	{
		case RD_KAFKA_EVENT_ERROR:
			if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
				rd_kafka_event_error_is_fatal(event))
				return false;

			/* what follows from a refused login says less, and that all are down says nothing */
			if (session->login_refused ||
				(rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && session->trouble[0]))
				return true;
			session->login_refused = rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__AUTHENTICATION;
			note_trouble(session, rd_kafka_event_error_string(event));
			return true;
		case RD_KAFKA_EVENT_LOG:
			if (rd_kafka_event_log(event, &facility, &text, &level) == 0 && level <= 3 &&
				!session->login_refused)
				note_trouble(session, text);
			return true;
		case RD_KAFKA_EVENT_NONE:
			return true;
		default:
			return false;
	}
}

static void
note_refusal(LinkKafkaClient *client)
{
	if (pg_atomic_read_u32(&client->refused) != LINK_KAFKA_REFUSED)
		return;
	pg_read_barrier();
	client->session->refusal = client->refusal;
}

rd_kafka_event_t *
link_kafka_event_now(LinkKafkaClient *client)
{
	rd_kafka_event_t *event;
	sigset_t	saved;

	note_refusal(client);
	for (;;)
	{
		block_signals(&saved);
		event = rd_kafka_queue_poll(client->queue, 0);
		unblock_signals(&saved);
		if (event == NULL || !take_note(client->session, event))
			return event;
		rd_kafka_event_destroy(event);
	}
}

/* Before a look at the queues, so that nothing that comes after it is missed. */
static void
empty_event_fd(LinkKafkaClient *client)
{
	uint64		count;

	(void) !read(client->event_fd, &count, sizeof(count));
}

bool
link_kafka_wait(LinkKafkaClient *client, TimestampTz deadline)
{
	long		wait = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

	if (wait <= 0)
		return false;
	if (WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						  client->event_fd, wait, link_wait_event("LinkKafka")) & WL_LATCH_SET)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return true;
}

rd_kafka_event_t *
link_kafka_event(LinkKafkaClient *client, TimestampTz deadline)
{
	rd_kafka_event_t *event;

	do
	{
		empty_event_fd(client);
		event = link_kafka_event_now(client);
	} while (event == NULL && link_kafka_wait(client, deadline));
	return event;
}

int
link_kafka_messages(LinkKafkaClient *client, rd_kafka_message_t **messages, int n)
{
	rd_kafka_event_t *event;
	sigset_t	saved;

	empty_event_fd(client);
	if ((event = link_kafka_event_now(client)) != NULL)
		rd_kafka_event_destroy(event);
	block_signals(&saved);
	n = rd_kafka_consume_batch_queue(client->messages, 0, messages, n);
	unblock_signals(&saved);
	return Max(n, 0);
}

int
link_kafka_timeout(const LinkKafkaSession *session)
{
	return link_option_integer(session->base.options, "operation.timeout.ms",
							   link_option_integer(session->base.options, "request_timeout", DEFAULT_TIMEOUT));
}

/*
 * Errors.
 */

/* In what librdkafka says of an answer that it will not read; "HTTP" read as its length. */
#define BAD_FRAME "Invalid response size"
#define HTTP_AS_SIZE "1213486160"

static int
error_code(rd_kafka_resp_err_t code)
{
	switch (code)
	{
		case RD_KAFKA_RESP_ERR__AUTHENTICATION:
		case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
		case RD_KAFKA_RESP_ERR__SSL:
			return ERRCODE_LINK_BAD_CREDENTIALS;
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
			return ERRCODE_LINK_NO_PRIVILEGE;
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
			return ERRCODE_LINK_NO_OBJECT;
		case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
		case RD_KAFKA_RESP_ERR__INVALID_ARG:
			return ERRCODE_LINK_BAD_OPTION;
		case RD_KAFKA_RESP_ERR__BAD_MSG:
			return ERRCODE_LINK_PROTOCOL;
		case RD_KAFKA_RESP_ERR__TRANSPORT:
		case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
		case RD_KAFKA_RESP_ERR__RESOLVE:
		case RD_KAFKA_RESP_ERR__TIMED_OUT:
			return ERRCODE_LINK_UNREACHABLE;
		default:
			return ERRCODE_LINK_FAILED;
	}
}

void
link_kafka_raise(LinkKafkaSession *session, const char *what, rd_kafka_resp_err_t code, const char *text)
{
	const char *more = session->trouble;
	const LinkPolicyRefusal *refusal = &session->refusal;
	int			sqlstate = error_code(code);

	/* the reason is in what was said before */
	if (sqlstate == ERRCODE_LINK_UNREACHABLE && session->login_refused)
		sqlstate = ERRCODE_LINK_BAD_CREDENTIALS;
	if (sqlstate == ERRCODE_LINK_UNREACHABLE && strstr(more, BAD_FRAME))
	{
		sqlstate = ERRCODE_LINK_PROTOCOL;
		text = strstr(more, BAD_FRAME " " HTTP_AS_SIZE) ? "the server speaks HTTP, not Kafka's protocol" :
			"the answer is not one of Kafka's protocol, or too large";
	}
	if (sqlstate == ERRCODE_LINK_BAD_CREDENTIALS)
		text = "authentication failed";
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s through link %s: %s", what, session->base.link_name,
					presentable(session, text ? text : rd_kafka_err2str(code))),
			 refusal->problem[0] && sqlstate == ERRCODE_LINK_UNREACHABLE ?
			 errdetail("Kafka's code is %s. A broker's %s.", rd_kafka_err2name(code), refusal->problem) :
			 errdetail("Kafka's code is %s.%s%s", rd_kafka_err2name(code), more[0] ? " " : "",
					   presentable(session, more)),
			 refusal->problem[0] && sqlstate == ERRCODE_LINK_UNREACHABLE ?
			 errhint("Add \"%s\" to link.allowed_hosts.", refusal->entry) : 0));
}

void
link_kafka_raise_error(LinkKafkaSession *session, const char *what, rd_kafka_error_t *error)
{
	rd_kafka_resp_err_t code = rd_kafka_error_code(error);
	char	   *text = pstrdup(rd_kafka_error_string(error));

	rd_kafka_error_destroy(error);
	link_kafka_raise(session, what, code, text);
}

const struct rd_kafka_metadata *
link_kafka_metadata(LinkKafkaSession *session, LinkKafkaClient *client, const char *topic, const char *what)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_kafka_timeout(session));
	rd_kafka_topic_t *handle = NULL;
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code;
	sigset_t	saved;

	if (topic && (handle = rd_kafka_topic_new(client->rk, topic, NULL)) == NULL)
		link_kafka_raise(session, what, rd_kafka_last_error(), NULL);
	for (;;)
	{
		rd_kafka_event_t *event;

		block_signals(&saved);
		code = rd_kafka_metadata(client->rk, topic == NULL, handle, &metadata, LINK_KAFKA_SLICE);
		unblock_signals(&saved);
		if ((event = link_kafka_event_now(client)) != NULL)
			rd_kafka_event_destroy(event);
		if ((code != RD_KAFKA_RESP_ERR__TIMED_OUT && code != RD_KAFKA_RESP_ERR__TRANSPORT) ||
			GetCurrentTimestamp() >= deadline || QueryCancelPending || ProcDiePending ||
			session->login_refused)
			break;
		pg_usleep(10000);
	}
	if (handle)
		rd_kafka_topic_destroy(handle);
	CHECK_FOR_INTERRUPTS();
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		link_kafka_raise(session, what, code, NULL);
	return metadata;
}

rd_kafka_resp_err_t
link_kafka_offsets(LinkKafkaSession *session, LinkKafkaClient *client, rd_kafka_topic_partition_list_t *list)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), link_kafka_timeout(session));
	rd_kafka_resp_err_t code;
	sigset_t	saved;

	do
	{
		rd_kafka_event_t *event;

		block_signals(&saved);
		code = rd_kafka_offsets_for_times(client->rk, list, LINK_KAFKA_SLICE);
		unblock_signals(&saved);
		if ((event = link_kafka_event_now(client)) != NULL)
			rd_kafka_event_destroy(event);
	} while ((code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT) &&
			 GetCurrentTimestamp() < deadline && !QueryCancelPending && !ProcDiePending && !session->login_refused);
	return code;
}
