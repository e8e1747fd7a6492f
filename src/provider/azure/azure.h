/*-------------------------------------------------------------------------
 *
 * azure.h
 *	  Inside the AZURE provider: what its dialect adds to the S3 code.
 *
 * https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-rest-api
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINK_AZURE_H
#define LINK_AZURE_H

#include "postgres.h"

#include "provider/s3/s3.h"

/* ---- azure_sign.c ---- */

extern void link_azure_sign(LinkS3Request *request, const LinkS3Credentials *credentials);
extern void link_azure_credentials(LinkS3Session *s3, LinkS3Credentials *credentials);
extern void link_azure_conceal(LinkOptions *options);
extern const char *link_azure_query_suffix(const LinkS3Session *s3);

/* ---- azure_blob.c ---- */

extern void link_azure_object_headers(LinkS3Request *request);
extern char *link_azure_upload_id(void);
extern void link_azure_part_query(LinkS3Request *request, const char *upload_id, int number);
extern LinkS3Request *link_azure_complete(LinkS3Session *s3, const char *path,
										  const char *upload_id, int n_parts);
extern void link_azure_list_query(LinkS3Request *request, const char *prefix, const char *token);
extern void link_azure_read_page(LinkS3Request *request, LinkS3Page *page);
extern void link_azure_authenticate(LinkSession *session);

#endif							/* LINK_AZURE_H */
