/*-------------------------------------------------------------------------
 *
 * unit.c
 *	  Tests of url.c and sigv4.c, as TAP.
 *
 * The signatures are AWS's own: the four examples of "Signature Calculations
 * for the Authorization Header" (S3 API reference) and cases of its Signature
 * Version 4 test suite.  S3 does not normalise paths, so the suite's cases for
 * that are not here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

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
	test_good_urls();
	test_bad_urls();
	test_encoding();
	printf("1..%d\n", n_tests);
	return n_failed == 0 ? 0 : 1;
}
