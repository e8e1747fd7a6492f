/*-------------------------------------------------------------------------
 *
 * hdfs.c
 *	  Fuzz target: what namenodes and datanodes could answer.
 *
 *-------------------------------------------------------------------------
 */
#include "answers.h"

#include "errors.h"
#include "provider/hdfs/hdfs.h"
#include "provider/list.h"

#include "backend.h"

#define TOKEN "{\"delegation_token\": \"" FUZZ_SECRET "\"}"
#define USER "{\"user\": \"me\"}"
#define ONE "{\"webhdfs_url\": \"http://name\"}"
#define TLS "{\"webhdfs_url\": \"https://name\"}"
#define PAIR "{\"webhdfs_url\": [\"http://name\", \"http://other:50070/x\"], \"replication\": 2, \"block_size\": 1048576}"

void
fuzz_setup(void)
{
}

static void
list(LinkSession *session)
{
	StringInfoData last;

	initStringInfo(&last);
	link_hdfs_list(session, "/dir/a", fuzz_listed, &last);
	fuzz_expect(last.len == 0 || strncmp(last.data, "/dir/a", 6) == 0);
}

static void
list_all(LinkSession *session)
{
	StringInfoData last;

	initStringInfo(&last);
	link_hdfs_list(session, "/", fuzz_listed, &last);
}

static void
look(LinkSession *session)
{
	fuzz_look(session, "/dir/file");
}

static void
read_file(LinkSession *session)
{
	fuzz_read(session, "/dir/file");
}

static void
remove_file(LinkSession *session)
{
	link_hdfs_remove(session, "/dir/file", NULL);
	link_hdfs_remove(session, "/dir/file", "1-2-3");
}

static void
write_file(LinkSession *session)
{
	fuzz_write(session, "/dir/file", false, 5);
}

static void
overwrite(LinkSession *session)
{
	fuzz_write(session, "/dir/file", true, 0);
}

/* Where a redirect leads to: nowhere but WebHDFS of a host, as safe as the namenode. */
static void
locate(LinkSession *session)
{
	char	   *location = link_hdfs_locate((LinkHdfsSession *) session, "GET", "/dir/file", "op=OPEN", "read");
	const char *host = strstr(location, "://") + 3;
	const char *path = strchr(host, '/');
	char	   *origin = pnstrdup(location, path - location);
	const char *reason;
	LinkUrl		url;

	fuzz_expect(strncmp(path, "/webhdfs/v1/", 12) == 0);
	fuzz_expect(memchr(host, '@', path - host) == NULL);
	fuzz_expect(link_url_parse(origin, &url, &reason));
	fuzz_expect(url.tls || strncmp(linitial(link_option_strings(session->options, "webhdfs_url")), "http:", 5) == 0);
	fuzz_expect(strstr(path, "/../") == NULL || strstr(path, "/../") > path + strcspn(path, "?#"));
}

static void
reap(LinkSession *session)
{
	LinkReap	reap = {.path = "/dir/file",.upload = "/dir/.link-0.tmp",.timeout = 1000};

	(void) link_hdfs_reap(session, &reap);
	fuzz_touch(reap.detail);
	reap.upload = "/dir/other";
	fuzz_expect(link_hdfs_reap(session, &reap) == LINK_REAP_FAILED);
}

static void
authenticate(LinkSession *session)
{
	session->provider->ops->authenticate(session);
}

static const FuzzAction actions[] = {
	{"list", &link_hdfs_provider, TOKEN, ONE, list},
	{"list all", &link_hdfs_provider, TOKEN, ONE, list_all},
	{"look", &link_hdfs_provider, TOKEN, ONE, look},
	{"read", &link_hdfs_provider, TOKEN, ONE, read_file},
	{"remove", &link_hdfs_provider, USER, ONE, remove_file},
	{"write", &link_hdfs_provider, TOKEN, ONE, write_file},
	{"write pair", &link_hdfs_provider, USER, PAIR, write_file},
	{"overwrite", &link_hdfs_provider, TOKEN, ONE, overwrite},
	{"locate", &link_hdfs_provider, TOKEN, ONE, locate},
	{"locate tls", &link_hdfs_provider, TOKEN, TLS, locate},
	{"reap", &link_hdfs_provider, TOKEN, ONE, reap},
	{"authenticate", &link_hdfs_provider, TOKEN, PAIR, authenticate},
	{NULL}
};

void
fuzz_one(const char *data, Size size)
{
	fuzz_act(actions, data, size);
}
