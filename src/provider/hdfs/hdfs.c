/*-------------------------------------------------------------------------
 *
 * hdfs.c
 *	  Hadoop file systems through WebHDFS: the data row.
 *
 * The namenodes may also be named in a path, where webhdfs_url or hosts allow it
 * (SECURITY 15), so no key is required.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "provider/list.h"

static const char *const authentications[] = {"simple", "kerberos", NULL};

static const LinkOptionDef hdfs_options[] = {
	{"user", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"delegation_token", LINK_CREDENTIALS, LINK_OPTION_STRING, LINK_OPTION_SECRET},
	/* a file of the server, below link.file_roots */
	{"kerberos_keytab", LINK_CREDENTIALS, LINK_OPTION_DIRECTORY, LINK_OPTION_AMBIENT},
	{"kerberos_principal", LINK_CREDENTIALS, LINK_OPTION_STRING},
	{"webhdfs_url", LINK_CONFIG, LINK_OPTION_URLS, LINK_OPTION_ORIGIN},
	{"hadoop.security.authentication", LINK_CONFIG, LINK_OPTION_STRING, LINK_OPTION_ORIGIN, .values = authentications},
	/* the bounds that namenodes have out of the box: dfs.replication.max, min-block-size */
	{"replication", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1, .max = 512},
	{"block_size", LINK_CONFIG, LINK_OPTION_INTEGER, .min = 1024 * 1024, .max = PG_INT32_MAX},
	{NULL}
};

const LinkProvider link_hdfs_provider = {
	.type = "HDFS",
	.path_syntax = "/dir/file",
	.features = LINK_CAN_READ | LINK_CAN_WRITE | LINK_CAN_LIST | LINK_CAN_REMOVE,
	.options = hdfs_options,
};
