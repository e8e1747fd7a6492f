/*-------------------------------------------------------------------------
 *
 * list.h
 *	  The data row of every provider, for the list in provider.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_PROVIDER_LIST_H
#define LINK_PROVIDER_LIST_H

#include "provider/provider.h"

extern const LinkProvider link_s3_provider;
extern const LinkProvider link_azure_provider;
extern const LinkProvider link_gcs_provider;
extern const LinkProvider link_hdfs_provider;
extern const LinkProvider link_kafka_provider;
extern const LinkProvider link_fs_provider;

#endif							/* LINK_PROVIDER_LIST_H */
