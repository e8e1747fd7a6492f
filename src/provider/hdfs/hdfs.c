/*-------------------------------------------------------------------------
 *
 * hdfs.c
 *	  Hadoop file systems through WebHDFS: the data row, the keys, the session.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/json.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "errors.h"
#include "provider/hdfs/hdfs.h"
#include "provider/list.h"

static void hdfs_validate(struct json_object *credentials, struct json_object *config);
static void hdfs_start(LinkSession *session);
static void hdfs_connect(LinkSession *session);
static void hdfs_authenticate(LinkSession *session);
static void hdfs_end(LinkSession *session);
static void hdfs_refresh(LinkSession *session);
static const char *hdfs_local_path(LinkSession *session, const char *path);

static const char *const authentications[] = {"simple", "kerberos", NULL};

static const LinkOptionDef hdfs_options[] = {
	{"user", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"delegation_token", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	/* a file of the server, below link.file_roots */
	{"kerberos_keytab", LINK_CREDENTIALS, LINK_OPTION_DIRECTORY, LINK_OPTION_AMBIENT},
	{"kerberos_principal", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"webhdfs_url", LINK_CONFIG, LINK_OPTION_URLS, LINK_OPTION_ORIGIN | LINK_OPTION_REQUIRED},
	{"hadoop.security.authentication", LINK_CONFIG, LINK_OPTION_STRING, LINK_OPTION_ORIGIN, .values = authentications},
	/* the bounds that namenodes have out of the box: dfs.replication.max, min-block-size */
	{"replication", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = 512},
	{"block_size", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1024 * 1024, .max = PG_INT32_MAX},
	{NULL}
};

static const LinkProviderOps hdfs_ops = {
	.session_size = sizeof(LinkHdfsSession),
	.start = hdfs_start,
	.connect = hdfs_connect,
	.authenticate = hdfs_authenticate,
	.open_reader = link_hdfs_open_reader,
	.read = link_hdfs_read,
	.close_reader = link_hdfs_close_reader,
	.open_writer = link_hdfs_open_writer,
	.write = link_hdfs_write,
	.prepare = link_hdfs_prepare,
	.publish = link_hdfs_publish,
	.abort = link_hdfs_abort,
	.discard = link_hdfs_discard,
	.remove = link_hdfs_remove,
	.list = link_hdfs_list,
	.stat = link_hdfs_stat,
	.end = hdfs_end,
	.refresh = hdfs_refresh,
	.reap = link_hdfs_reap,
	.local_path = hdfs_local_path,
};

const LinkProvider link_hdfs_provider = {
	.type = "HDFS",
	.path_syntax = "/dir/file",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_CAN_REMOVE,
	.options = hdfs_options,
	.validate = hdfs_validate,
	.ops = &hdfs_ops,
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

static void
hdfs_validate(struct json_object *credentials, struct json_object *config)
{
	const char *keytab = member(credentials, "kerberos_keytab");
	const char *principal = member(credentials, "kerberos_principal");
	const char *authentication = member(config, "hadoop.security.authentication");
	bool		kerberos = authentication && strcmp(authentication, "kerberos") == 0;

	if ((keytab == NULL) != (principal == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"kerberos_keytab\" and \"kerberos_principal\" belong together")));
	if (kerberos && keytab == NULL && member(credentials, "delegation_token") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"hadoop.security.authentication\" \"kerberos\" needs \"kerberos_keytab\" and \"kerberos_principal\", or \"delegation_token\", in CREDENTIALS")));
	if (keytab && !kerberos)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"kerberos_keytab\" needs \"hadoop.security.authentication\": \"kerberos\" in CONFIG")));
	if (member(credentials, "delegation_token") && (keytab || member(credentials, "user")))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"delegation_token\" excludes \"user\" and \"kerberos_keytab\"")));
	if (keytab && member(credentials, "user"))
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("\"kerberos_keytab\" excludes \"user\""),
				 errdetail("The principal says who asks.")));
	if (keytab)
		link_check_server_file("kerberos_keytab", keytab, superuser());
}

/*
 * Sessions.
 */

static void
hdfs_start(LinkSession *session)
{
	LinkHdfsSession *hdfs = (LinkHdfsSession *) session;
	const LinkOptions *options = session->options;
	const char *keytab = link_option_string(options, "kerberos_keytab", NULL);
	LinkHttpConfig config = {0};
	ListCell   *lc;

	foreach(lc, link_option_strings(options, "webhdfs_url"))
	{
		LinkUrl    *url = palloc0(sizeof(LinkUrl));
		const char *reason;

		if (!link_url_parse(lfirst(lc), url, &reason))
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_OPTION),
					 errmsg("webhdfs_url of link %s is not valid", session->link_name),
					 errdetail("%s", reason)));
		hdfs->namenodes = lappend(hdfs->namenodes, url);
	}
	if (hdfs->namenodes == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("link %s has no webhdfs_url", session->link_name)));
	if (keytab)
		link_check_server_file("kerberos_keytab", keytab, superuser_arg(session->owner));

	config.ca_certificate = link_option_string(options, "ca_certificate", NULL);
	config.connect_timeout = link_option_integer(options, "connect_timeout", 0);
	config.request_timeout = link_option_integer(options, "request_timeout", 0);
	config.max_retries = link_option_integer(options, "max_retries", -1);
	config.options = options;
	config.link_name = session->link_name;
	config.link_id = session->link_id;
	config.link_version = session->link_version;
	hdfs->names = link_http_create(&config);
	link_http_set_retry_hook(hdfs->names, link_hdfs_retry_hook);
	config.link_id = 0;			/* datanodes come and go */
	hdfs->data = link_http_create(&config);
	link_http_set_retry_hook(hdfs->data, link_hdfs_retry_hook);
}

/* Whoever answers in the way of WebHDFS is a namenode. */
static void
hdfs_connect(LinkSession *session)
{
	LinkHdfsSession *hdfs = (LinkHdfsSession *) session;
	LinkHdfsRequest *request = link_hdfs_request(hdfs, "GET", "/", "op=GETFILESTATUS", "reach the namenode");

	(void) link_hdfs_perform(request);
	link_hdfs_free(request);
}

static void
hdfs_authenticate(LinkSession *session)
{
	(void) link_hdfs_ask((LinkHdfsSession *) session, "GET", "/", "op=GETHOMEDIRECTORY", "authenticate");
}

static void
hdfs_end(LinkSession *session)
{
	link_http_end(((LinkHdfsSession *) session)->names);
}

static void
hdfs_refresh(LinkSession *session)
{
	LinkHdfsSession *hdfs = (LinkHdfsSession *) session;

	link_http_use_options(hdfs->names, session->options);
	link_http_use_options(hdfs->data, session->options);
}

/*
 * "hdfs://host:port/dir/file" is "/dir/file" of the namenode 'host', which has to
 * be one of webhdfs_url or of "hosts" (SECURITY 15).  The port is that of another
 * protocol, and ignored.
 */
static const char *
hdfs_local_path(LinkSession *session, const char *path)
{
	LinkHdfsSession *hdfs = (LinkHdfsSession *) session;
	const char *scheme_end = strstr(path, "://");
	const char *authority;
	const char *slash;
	char	   *host;
	ListCell   *lc;
	int			n = 0;

	if (scheme_end == NULL)
		return path;
	if (strncmp(path, "hdfs://", 7) != 0 && strncmp(path, "webhdfs://", 10) != 0 &&
		strncmp(path, "swebhdfs://", 11) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("path of link %s has a scheme that is not supported", session->link_name),
				 errhint("Use hdfs:// or webhdfs://, or a path that begins with \"/\".")));
	authority = scheme_end + 3;
	slash = strchr(authority, '/');
	if (slash == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_BAD_OPTION),
				 errmsg("path of link %s names no file", session->link_name)));
	host = pnstrdup(authority, strcspn(authority, ":/"));
	authority = pnstrdup(authority, slash - authority);
	foreach(lc, hdfs->namenodes)
	{
		LinkUrl    *node = lfirst(lc);

		if (pg_strcasecmp(node->host, host) == 0)
		{
			hdfs->active = n;
			return slash;
		}
		n++;
	}

	/* a name of the file system as a whole (HA), which CONFIG vouches for; with a port, for that one */
	foreach(lc, link_option_strings(session->options, "hosts"))
		if (pg_strcasecmp(lfirst(lc), host) == 0 || pg_strcasecmp(lfirst(lc), authority) == 0)
			return slash;
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("link %s may not be used for another host", session->link_name),
			 errdetail("The host of a path has to be in \"webhdfs_url\" or \"hosts\" of the CONFIG.")));
}
