/*-------------------------------------------------------------------------
 *
 * unit.c
 *	  Tests of url.c, sigv4.c, shared_key.c and jwt.c, as TAP.
 *
 * The signatures are the vendors' own.  AWS: the four examples of "Signature
 * Calculations for the Authorization Header" (S3 API reference) and cases of its
 * Signature Version 4 test suite.  S3 does not normalise paths, so the suite's
 * cases for that are not here.  For the others the source is beside each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "common/base64.h"

#include "http/jwt.h"
#include "http/shared_key.h"
#include "http/sigv4.h"
#include "http/url.h"

static int	n_tests = 0;
static int	n_failed = 0;

static void
check(bool ok, const char *name)
{
	n_tests++;
	if (!ok)
		n_failed++;
	printf("%sok %d - %s\n", ok ? "" : "not ", n_tests, name);
}

static void
check_text(const char *got, const char *expected, const char *name)
{
	bool		ok = strcmp(got, expected) == 0;

	check(ok, name);
	if (!ok)
		printf("#  got      %s\n#  expected %s\n", got, expected);
}

/*
 * Signatures.
 */

#define MAX_PAIRS 6

typedef struct Vector
{
	const char *name;
	const char *method;
	const char *path;
	LinkSigV4Pair query[MAX_PAIRS];
	LinkSigV4Pair headers[MAX_PAIRS];
	const char *payload;		/* its hash, if not that of nothing */
	const char *signed_headers;
	const char *signature;
} Vector;

typedef struct Suite
{
	const char *access_key_id;
	const char *secret_access_key;
	const char *service;
	time_t		now;
	const Vector *vectors;
	int			n_vectors;
} Suite;

#define S3_HOST {"host", "examplebucket.s3.amazonaws.com"}
#define S3_DATE {"x-amz-date", "20130524T000000Z"}
#define S3_EMPTY {"x-amz-content-sha256", LINK_SHA256_EMPTY}
#define PUT_HASH "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

static const Vector s3_vectors[] = {
	{
		"S3: GET Object", "GET", "/test.txt", {{0}},
		{S3_HOST, {"range", "bytes=0-9"}, S3_EMPTY, S3_DATE}, NULL,
		"host;range;x-amz-content-sha256;x-amz-date",
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
	},
	{
		"S3: PUT Object", "PUT", "/test%24file.text", {{0}},
		{{"x-amz-storage-class", "REDUCED_REDUNDANCY"}, S3_HOST,
			{"date", "Fri, 24 May 2013 00:00:00 GMT"}, S3_DATE,
		{"x-amz-content-sha256", PUT_HASH}}, PUT_HASH,
		"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
		"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
	},
	{
		"S3: GET Bucket Lifecycle", "GET", "/", {{"lifecycle", ""}},
		{S3_HOST, S3_DATE, S3_EMPTY}, NULL,
		"host;x-amz-content-sha256;x-amz-date",
		"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
	},
	{
		"S3: Get Bucket (List Objects)", "GET", "/", {{"prefix", "J"}, {"max-keys", "2"}},
		{S3_HOST, S3_EMPTY, S3_DATE}, NULL,
		"host;x-amz-content-sha256;x-amz-date",
		"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
	},
};

#define HOST {"host", "example.amazonaws.com"}
#define DATE {"x-amz-date", "20150830T123600Z"}
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static const Vector general_vectors[] = {
	{
		"get-vanilla", "GET", "/", {{0}}, {HOST, DATE}, NULL, "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	},
	{
		"post-vanilla", "POST", "/", {{0}}, {HOST, DATE}, NULL, "host;x-amz-date",
		"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
	},
	{
		"get-unreserved", "GET", "/" UNRESERVED, {{0}}, {HOST, DATE}, NULL, "host;x-amz-date",
		"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"
	},
	{
		"get-vanilla-query-unreserved", "GET", "/", {{UNRESERVED, UNRESERVED}},
		{HOST, DATE}, NULL, "host;x-amz-date",
		"9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"
	},
	{
		"get-vanilla-query-order-key-case", "GET", "/", {{"Param2", "value2"}, {"Param1", "value1"}},
		{HOST, DATE}, NULL, "host;x-amz-date",
		"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
	},
	{
		"get-header-key-duplicate", "GET", "/", {{0}},
		{HOST, {"my-header1", "value2"}, {"my-header1", "value2"}, {"my-header1", "value1"}, DATE},
		NULL, "host;my-header1;x-amz-date",
		"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"
	},
	{
		"get-header-value-order", "GET", "/", {{0}},
		{HOST, {"my-header1", "value4"}, {"my-header1", "value1"}, {"my-header1", "value3"},
		{"my-header1", "value2"}, DATE}, NULL, "host;my-header1;x-amz-date",
		"08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"
	},
	{
		"get-header-value-trim", "GET", "/", {{0}},
		{HOST, {"my-header1", " value1"}, {"my-header2", " \"a   b   c\""}, DATE},
		NULL, "host;my-header1;my-header2;x-amz-date",
		"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"
	},
	{
		"post-header-key-sort", "POST", "/", {{0}},
		{DATE, {"my-header1", "value1"}, HOST}, NULL, "host;my-header1;x-amz-date",
		"c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"
	},
};

static const Suite suites[] = {
	{
		"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3", 1369353600,
		s3_vectors, lengthof(s3_vectors)
	},
	{
		"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service", 1440938160,
		general_vectors, lengthof(general_vectors)
	},
};

static int
count_pairs(const LinkSigV4Pair *pairs)
{
	int			n = 0;

	while (n < MAX_PAIRS && pairs[n].name)
		n++;
	return n;
}

static void
to_request(const Suite *suite, const Vector *vector, LinkSigV4Request *request)
{
	memset(request, 0, sizeof(*request));
	request->access_key_id = suite->access_key_id;
	request->secret_access_key = suite->secret_access_key;
	request->region = "us-east-1";
	request->service = suite->service;
	request->now = suite->now;
	request->method = vector->method;
	request->encoded_path = vector->path;
	request->query = vector->query;
	request->n_query = count_pairs(vector->query);
	request->headers = vector->headers;
	request->n_headers = count_pairs(vector->headers);
	request->payload_hash = vector->payload ? vector->payload : LINK_SHA256_EMPTY;
}

static void
test_vectors(const Suite *suite)
{
	char		date[17];

	link_sigv4_date(suite->now, date);
	for (int i = 0; i < suite->n_vectors; i++)
	{
		const Vector *vector = &suite->vectors[i];
		LinkSigV4Request request;
		StringInfoData out;
		char	   *expected;

		to_request(suite, vector, &request);
		expected = psprintf("AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/%s/aws4_request,"
							"SignedHeaders=%s,Signature=%s", suite->access_key_id, date,
							suite->service, vector->signed_headers, vector->signature);
		initStringInfo(&out);
		check(link_sigv4_authorization(&request, &out), vector->name);
		check_text(out.data, expected, vector->name);
	}
}

static void
test_intermediate_texts(void)
{
	LinkSigV4Request request;
	StringInfoData out;
	char		hash[LINK_SHA256_HEX_LENGTH + 1];

	to_request(&suites[0], &s3_vectors[0], &request);
	initStringInfo(&out);
	link_sigv4_canonical_request(&request, &out);
	check_text(out.data,
			   "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\n"
			   "x-amz-content-sha256:" LINK_SHA256_EMPTY "\nx-amz-date:20130524T000000Z\n\n"
			   "host;range;x-amz-content-sha256;x-amz-date\n" LINK_SHA256_EMPTY, "canonical request");
	resetStringInfo(&out);
	check(link_sigv4_string_to_sign(&request, &out), "string to sign is made");
	check_text(out.data,
			   "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
			   "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972", "string to sign");

	resetStringInfo(&out);
	request.query = NULL;
	request.n_query = 0;
	request.encoded_path = "/a//b/../c";
	link_sigv4_canonical_request(&request, &out);
	check(strncmp(out.data, "GET\n/a//b/../c\n", 15) == 0, "a path is signed as it is");

	check(link_sha256_hex("", 0, hash), "SHA-256 of nothing");
	check_text(hash, LINK_SHA256_EMPTY, "is the constant");
	check(link_sha256_hex("Welcome to Amazon S3.", 21, hash), "SHA-256 of the PUT example");
	check_text(hash, PUT_HASH, "is its payload hash");
}

/*
 * Azure's Shared Key.
 */

#define MS_2015 {"x-ms-version", "2015-02-21"}, {"x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"}
#define SIGNED_2015 "x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
#define GET_NOTHING "GET\n\n\n\n\n\n\n\n\n\n\n\n"

/*
 * https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key
 * (which gives no key); then https://github.com/Azure/go-autorest,
 * autorest/authorization_storage_test.go, with key and signature.  The last one
 * has every place filled, by the page's list of them, signed by Python's hmac.
 */
static const struct
{
	const char *name;
	LinkSharedKeyRequest request;
	LinkSigV4Pair query[MAX_PAIRS];
	LinkSigV4Pair headers[12];
	const char *to_sign;
	const char *signature;		/* with the key "YmFy"; or NULL */
}			shared_keys[] =
{
	{
		"container metadata", {"myaccount", "GET", "/mycontainer"},
		{{"restype", "container"}, {"comp", "metadata"}, {"timeout", "20"}}, {MS_2015},
		GET_NOTHING SIGNED_2015 "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
	},
	{
		"no length of nothing", {"myaccount", "PUT", "/mycontainer"},
		{{"restype", "container"}, {"timeout", "30"}}, {MS_2015},
		"PUT\n\n\n\n\n\n\n\n\n\n\n\n" SIGNED_2015 "/myaccount/mycontainer\nrestype:container\ntimeout:30"
	},
	{
		"list of blobs", {"myaccount", "GET", "/mycontainer"},
		{{"restype", "container"}, {"comp", "list"}, {"include", "snapshots"}, {"include", "metadata"},
		{"include", "uncommittedblobs"}}, {MS_2015},
		GET_NOTHING SIGNED_2015 "/myaccount/mycontainer\ncomp:list\ninclude:metadata,snapshots,uncommittedblobs\nrestype:container"
	},
	{
		"blob", {"myaccount", "GET", "/mycontainer/myblob"}, {{0}}, {MS_2015},
		GET_NOTHING SIGNED_2015 "/myaccount/mycontainer/myblob"
	},
	{
		"TestNewSharedKeyAuthorizer", {"golangrocksonazure", "GET", "/some/blob.dat"}, {{0}},
		{{"accept-charset", "UTF-8"}, {"content-type", "application/json"}, {"x-ms-date", "Wed, 23 Sep 2015 16:40:05 GMT"},
		{"x-ms-version", "2015-02-21"}, {"accept", "application/json;odata=nometadata"}},
		"GET\n\n\n\n\napplication/json\n\n\n\n\n\n\nx-ms-date:Wed, 23 Sep 2015 16:40:05 GMT\nx-ms-version:2015-02-21\n"
		"/golangrocksonazure/some/blob.dat",
		"nYRqgbumDOTPs+Vv1FLH+hm0KPjwwt+Fmj/i16W+lO0="
	},
	{
		"TestNewSharedKeyAuthorizerWithRoot", {"golangrocksonazure", "GET", "/"},
		{{"comp", "properties"}, {"restype", "service"}},
		{{"accept-charset", "UTF-8"}, {"content-type", "application/json"}, {"x-ms-date", "Tue, 10 Mar 2020 10:04:41 GMT"},
		{"x-ms-version", "2018-11-09"}, {"accept", "application/json;odata=nometadata"}},
		"GET\n\n\n\n\napplication/json\n\n\n\n\n\n\nx-ms-date:Tue, 10 Mar 2020 10:04:41 GMT\nx-ms-version:2018-11-09\n"
		"/golangrocksonazure/\ncomp:properties\nrestype:service",
		"BfdIC0K5OwkRbZjewqRXgjQJ2PBMZDoaBCCL3qhrEIs="
	},
	{
		"every header", {"acct", "PUT", "/c/a%20b%2Bc", 11}, {{"comp", "block"}, {"blockid", "QUJD+w=="}},
		{{"range", "bytes=0-9"}, {"x-ms-version", "2021-12-02"}, {"content-md5", "sQqNsWTgdUEFt6mb5y4/5Q=="},
			{"if-none-match", "*"}, {"if-match", "\"e\""}, {"date", "d"}, {"content-encoding", "gzip"}, {"content-language", "en"},
		{"content-type", "text/plain"}, {"if-modified-since", "m"}, {"if-unmodified-since", "u"}, {"x-ms-blob-type", "BlockBlob"}},
		"PUT\ngzip\nen\n11\nsQqNsWTgdUEFt6mb5y4/5Q==\ntext/plain\nd\nm\n\"e\"\n*\nu\nbytes=0-9\n"
		"x-ms-blob-type:BlockBlob\nx-ms-version:2021-12-02\n/acct/c/a%20b%2Bc\nblockid:QUJD+w==\ncomp:block",
		"qU0c5zHutXaFo/zeAIHQK5YYFUfFLy1kEWcda37zVIo="
	},
};

static void
test_shared_key(void)
{
	StringInfoData out;
	const char *problem;
	char		long_key[400];

	initStringInfo(&out);
	for (int i = 0; i < lengthof(shared_keys); i++)
	{
		LinkSharedKeyRequest request = shared_keys[i].request;
		const char *name = shared_keys[i].name;

		request.query = shared_keys[i].query;
		request.n_query = count_pairs(shared_keys[i].query);
		request.headers = shared_keys[i].headers;
		while (request.n_headers < lengthof(shared_keys[i].headers) && request.headers[request.n_headers].name)
			request.n_headers++;
		resetStringInfo(&out);
		link_shared_key_string_to_sign(&request, &out);
		check_text(out.data, shared_keys[i].to_sign, name);
		if (shared_keys[i].signature == NULL)
			continue;
		resetStringInfo(&out);
		check(link_shared_key_authorization(&request, "YmFy", &out, &problem), name);
		check_text(out.data, psprintf("SharedKey %s:%s", request.account, shared_keys[i].signature), name);
	}

	memset(long_key, 'A', sizeof(long_key) - 1);
	long_key[sizeof(long_key) - 1] = '\0';
	resetStringInfo(&out);
	check(!link_shared_key_authorization(&shared_keys[0].request, "no base64!", &out, &problem), "a key that is not base64");
	check_text(problem, "It is not base64.", "  why");
	check(!link_shared_key_authorization(&shared_keys[0].request, "", &out, &problem) &&
		  !link_shared_key_authorization(&shared_keys[0].request, long_key, &out, &problem) && out.len == 0, "or none, or too long");
}

/*
 * JSON Web Tokens.
 */

/* The key of RFC 7515, A.2.1 (https://www.rfc-editor.org/rfc/rfc7515#appendix-A.2), as PEM: published, so no secret. */
static const char *const rfc_key =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO\n"
	"jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL\n"
	"aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn\n"
	"juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5\n"
	"ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf\n"
	"toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg\n"
	"VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW\n"
	"PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G\n"
	"O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj\n"
	"kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6\n"
	"XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB\n"
	"4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K\n"
	"pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr\n"
	"0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE\n"
	"lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6\n"
	"kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP\n"
	"rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw\n"
	"kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp\n"
	"5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2\n"
	"9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/\n"
	"evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG\n"
	"yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj\n"
	"OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2\n"
	"tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3\n"
	"ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56\n"
	"03k2+ZQwVK0JKSHuLFkuQ3U=\n"
	"-----END PRIVATE KEY-----\n";

/* A.2.1, the signature of this key and these two texts; the line ends are the RFC's. */
static const char *const rfc_header = "{\"alg\":\"RS256\"}";
static const char *const rfc_claims = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
static const char *const rfc_token =
	"eyJhbGciOiJSUzI1NiJ9."
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Q"
	"c_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTy"
	"WzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwu"
	"sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5A"
	"XLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/*
 * https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests:
 * the header and the claim set as the page has them, and as it encodes them.
 */
static const LinkJwtAssertion google = {
	NULL, "761326798069-r5mljlln1rd4lrbhg75efgigp36m78j5@developer.gserviceaccount.com",
	"https://www.googleapis.com/auth/prediction", "https://accounts.google.com/o/oauth2/token", 1328550785
};
static const char *const google_token =
	"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."
	"eyJpc3MiOiI3NjEzMjY3OTgwNjktcjVtbGpsbG4xcmQ0bHJiaGc3NWVmZ2lncDM2bTc4ajVAZGV2"
	"ZWxvcGVyLmdzZXJ2aWNlYWNjb3VudC5jb20iLCJzY29wZSI6Imh0dHBzOi8vd3d3Lmdvb2dsZWFw"
	"aXMuY29tL2F1dGgvcHJlZGljdGlvbiIsImF1ZCI6Imh0dHBzOi8vYWNjb3VudHMuZ29vZ2xlLmNv"
	"bS9vL29hdXRoMi90b2tlbiIsImV4cCI6MTMyODU1NDM4NSwiaWF0IjoxMzI4NTUwNzg1fQ" ".";

/* Without its signature, as texts; the token is none of ours if it has no two dots. */
static char *
decode_token(const char *token)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int part = 0; part < 2 && strchr(token, '.'); part++)
	{
		size_t		len = strchr(token, '.') - token;
		char		padded[2048];
		char		bytes[2048];
		int			n;

		snprintf(padded, sizeof(padded), "%.*s%s", (int) len, token, &"==="[(len + 3) % 4]);
		for (char *p = padded; *p; p++)
			*p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
		n = pg_b64_decode(padded, (int) strlen(padded), (void *) bytes, sizeof(bytes));
		appendStringInfo(&text, "%.*s\n", Max(n, 0), bytes);
		token += len + 1;
	}
	return text.data;
}

static void
test_tokens(void)
{
	LinkJwtAssertion assertion = google;
	StringInfoData out;
	const char *problem;

	initStringInfo(&out);
	check(link_jwt_rs256(&out, rfc_header, rfc_claims, rfc_key, &problem), "RFC 7515, A.2 is signed");
	check_text(out.data, rfc_token, "  the RFC's signature");

	resetStringInfo(&out);
	check(link_jwt_assertion(&out, &assertion, rfc_key, &problem), "Google's example is signed");
	out.data[Min(out.len, strlen(google_token))] = '\0';
	check_text(out.data, google_token, "  header and claim set of the page");

	assertion.key_id = "370ab79b4513eb9bad7c9bd16a95cb76b5b2a56a";
	assertion.issuer = "a\"b\\c\n";
	resetStringInfo(&out);
	check(link_jwt_assertion(&out, &assertion, rfc_key, &problem), "an assertion with a key id");
	check_text(decode_token(out.data),
			   "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"370ab79b4513eb9bad7c9bd16a95cb76b5b2a56a\"}\n"
			   "{\"iss\":\"a\\\"b\\\\c\\u000a\",\"scope\":\"https://www.googleapis.com/auth/prediction\","
			   "\"aud\":\"https://accounts.google.com/o/oauth2/token\",\"exp\":1328554385,\"iat\":1328550785}\n",
			   "  names it, and escapes what JSON demands");
	check(!link_jwt_assertion(&out, &assertion, "no key", &problem), "no key, no token");
	check_text(problem, "It is not a private RSA key in PEM form.", "  why");
}

/*
 * URLs.
 */

static void
test_good_urls(void)
{
	static const struct
	{
		const char *text;
		bool		tls;
		const char *host;
		int			port;
		const char *path;
		const char *authority;
	}			good[] =
	{
		{"https://s3.amazonaws.com", true, "s3.amazonaws.com", 443, "", "s3.amazonaws.com"},
		{"HTTP://Example.COM:9000/", false, "example.com", 9000, "", "example.com:9000"},
		{"https://h:443/a/b//", true, "h", 443, "/a/b", "h"},
		{"http://10.0.0.5:80/x%20y", false, "10.0.0.5", 80, "/x%20y", "10.0.0.5"},
		{"http://[::1]:8080", false, "::1", 8080, "", "[::1]:8080"},
		{"https://[FD00::1]/p", true, "fd00::1", 443, "/p", "[fd00::1]"},
		{"https://my_host-1.x/a@b:c", true, "my_host-1.x", 443, "/a@b:c", "my_host-1.x"},
	};

	for (int i = 0; i < lengthof(good); i++)
	{
		LinkUrl		url;
		const char *reason;

		if (!link_url_parse(good[i].text, &url, &reason))
		{
			check(false, good[i].text);
			continue;
		}
		check(url.tls == good[i].tls && url.port == good[i].port, good[i].text);
		check_text(url.host, good[i].host, "  host");
		check_text(url.path, good[i].path, "  path");
		check_text(link_url_authority(&url), good[i].authority, "  authority");
	}
}

static void
test_bad_urls(void)
{
	static const char *const bad[] = {
		"", "s3.amazonaws.com", "ftp://h/", "https:/h", "https://", "https:///path",
		"https://user@h/", "https://user:secret@h/", "https://h/?a=b", "https://h?a", "https://h/#f", "https://h#f",
		"https://h:0", "https://h:65536", "https://h:", "https://h:12x", "https://h:1:2", "https://::1/",
		"https://[::1", "https://[::1]x", "https://[1.2.3.4]", "https://[]",
		"https://-h/", "https://.h/", "https://h./", "https://a..b/", "https://a b/", "https://h\\x/", "https://h%20/",
		"https://h\r\nx: y/", "https://h/a b", "https://h/a\nb", "https://h/%", "https://h/%2", "https://h/%zz",
		"https://h/../x", "https://h/a/..", "https://h/./a", "https://h/a\\b", "https://h/\x80", "https://h\xc3\xa4/",
	};

	for (int i = 0; i < lengthof(bad); i++)
	{
		LinkUrl		url;
		const char *reason = NULL;
		bool		refused = !link_url_parse(bad[i], &url, &reason);
		char		name[64];

		snprintf(name, sizeof(name), "bad URL %d is refused with a reason", i + 1);
		check(refused && reason && reason[strlen(reason) - 1] == '.', name);
	}
}

static void
test_encoding(void)
{
	StringInfoData out;
	char		label[65];
	char		hex[9];

	initStringInfo(&out);
	link_url_encode(&out, UNRESERVED, false);
	check_text(out.data, UNRESERVED, "unreserved characters stay");
	resetStringInfo(&out);
	link_url_encode(&out, "a/b c+%\xc3\xa4*'()", true);
	check_text(out.data, "a/b%20c%2B%25%C3%A4%2A%27%28%29", "all others are encoded, the slash kept");
	resetStringInfo(&out);
	link_url_encode(&out, "a/b", false);
	check_text(out.data, "a%2Fb", "or not");

	memset(label, 'a', 64);
	label[64] = '\0';
	check(!link_is_dns_label(label), "64 bytes are no DNS label");
	label[63] = '\0';
	check(link_is_dns_label(label), "63 are");
	check(link_is_dns_label("us-east-1") && link_is_dns_label("0"), "digits and inner hyphens");
	check(!link_is_dns_label("") && !link_is_dns_label("-a") && !link_is_dns_label("a-") &&
		  !link_is_dns_label("a.b") && !link_is_dns_label("A") && !link_is_dns_label("a_b") &&
		  !link_is_dns_label("a/b") && !link_is_dns_label("a\n"), "nothing else");

	link_hex_encode((const uint8 *) "\x00\x9f\xff\x10", 4, hex);
	check_text(hex, "009fff10", "hexadecimal");
}

int
main(void)
{
	for (int i = 0; i < lengthof(suites); i++)
		test_vectors(&suites[i]);
	test_intermediate_texts();
	test_shared_key();
	test_tokens();
	test_good_urls();
	test_bad_urls();
	test_encoding();
	printf("1..%d\n", n_tests);
	return n_failed == 0 ? 0 : 1;
}
