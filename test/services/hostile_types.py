"""What hostile_s3.py does beside S3: Azure's listings and blocks, WebHDFS, and
those who hand out tokens (OAuth, STS, the metadata services).

behaviours(URL, SECRET) is the table: what a case does to a request.
"""

import json
import time

AZURE = "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults>%s</EnumerationResults>"
STS = ("<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"
       "<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>")
LATER = "2099-01-01T00:00:00Z"
HTML = "<html><body>Sign in to continue: true</body></html>"


# ---- Azure ----

# made once: it takes longer than a client waits
ATTRIBUTES = "<EnumerationResults %s/>" % " ".join('a%x=""' % n for n in range(1000000))


def blobs(names=(), marker="", size="1"):
    return AZURE % ("<Blobs>" + "".join("<Blob><Name>%s</Name><Properties><Content-Length>%s</Content-Length></Properties></Blob>" % (n, size)
                                        for n in names) + "</Blobs><NextMarker>%s</NextMarker>" % marker)


def page(*arg, **more):
    return lambda r: r.answer(200, blobs(*arg, **more))


def new_markers(r):
    r.answer(200, blobs(marker="m%d" % (int(r.query.get("marker", "m0")[1:]) + 1)))


def endless_blobs(r):
    start = int(r.query.get("marker", "0"))
    r.answer(200, blobs(["p/%012d" % n for n in range(start, start + 1000)], marker=str(start + 1000)))


def azure_bomb(r):
    entities = "".join('<!ENTITY e%d "%s">' % (n + 1, "&e%d;" % n * 10) for n in range(1, 12))
    r.answer(200, '<!DOCTYPE x [<!ENTITY e1 "boom">%s]>' % entities + blobs(["p/&e12;"]))


def writes(block, final):
    """An upload: the answer to each block, and to their list or to a blob in one piece."""
    def behave(r):
        if r.method == "PUT" and r.query.get("comp") == "block":
            block(r)
        elif r.method == "PUT":
            final(r)
        else:
            r.error(404, "BlobNotFound")
    return behave


def created(r):
    r.answer(201, headers=['ETag: "e"'])


def another_was_faster(r):
    """There is a blob by now, for who asks whether there is."""
    if r.header("if-none-match") == "*":
        r.error(409, "BlobAlreadyExists")
    else:
        created(r)


def forged_azure(r):
    r.answer(403, "<Error><Code>A\nFORGED line 1</Code><Message>\r\nFORGED line 2\t\u009b31m\u202e</Message></Error>",
             ["x-ms-request-id: \x1b[31mFORGED\x07\x08\x7f\x9b\xff", "x-ms-error-code: \x1bFORGED"])


# ---- who hands out tokens ----

def oauth(**members):
    return lambda r: r.answer(200, json.dumps({"access_token": "good", "expires_in": 3600, **members}))


def text(body, status=200):
    return lambda r: r.answer(status, body)


def drip(r):
    r.send("HTTP/1.1 200 x\r\nContent-Length: 100000\r\n\r\n")
    r.trickle(b"{" * 100000)


def imds(token="token", role="role", **members):
    """AWS: the token of the service, the name of the role, its credentials."""
    def behave(r):
        if r.method == "PUT":
            r.answer(200, token)
        elif r.key.endswith("/"):
            r.answer(200, role)
        else:
            r.answer(200, json.dumps({"AccessKeyId": "ASIAHOSTILE", "SecretAccessKey": "s", "Token": "t", "Expiration": LATER, **members}))
    return behave


def sts(*values, then=None):
    """The credentials; 'then' to every other request."""
    values = list(values) + ["ASIAHOSTILE", "secret-of-the-role", "token-of-the-role", LATER][len(values):]

    def behave(r):
        if r.method == "POST":
            r.answer(200, STS % tuple(values))
        else:
            then(r)
    return behave


def refused(r):
    r.error(401, "ExpiredToken", "for ever")


# ---- WebHDFS ----

def status(**members):
    return {"type": "FILE", "length": 5, "modificationTime": 1, "fileId": 7, "pathSuffix": "", **members}


def document(**members):
    return json.dumps({"FileStatus": status(**members)})


def directory(entries, remaining=0):
    return json.dumps({"DirectoryListing": {"partialListing": {"FileStatuses": {"FileStatus": entries}}, "remainingEntries": remaining}})


def exception(name, message="it was so"):
    return json.dumps({"RemoteException": {"exception": name, "javaClassName": "java." + name, "message": message}})


def missing(r):
    r.answer(404, exception("FileNotFoundException"))


def hdfs(length=5, open=None, create=None, append=None, rename="", delete='{"boolean": true}', beside=missing, there=None):
    """A namenode and datanode in one. 'there' is the length that the hidden file is said to have."""
    sizes = {}

    def datanode(r):
        return "http://%s/webhdfs/v1/%s/%s?%s&at=datanode" % (r.header("host"), r.bucket, r.key, "&".join("%s=%s" % kv for kv in r.query.items()))

    def behave(r):
        op, name = r.query.get("op"), r.key.rsplit("/", 1)[-1]
        if op in ("OPEN", "CREATE", "APPEND") and "at" not in r.query:
            r.answer(307, headers=["Location: " + datanode(r)])
        elif op == "OPEN":
            open(r) if open else r.answer(200, "x" * int(r.query["length"]))
        elif op in ("CREATE", "APPEND"):
            sizes[name] = sizes.get(name, 0) + int(r.header("content-length"))
            given = create if op == "CREATE" else append
            given(r) if given else r.answer(201 if op == "CREATE" else 200)
        elif op == "GETFILESTATUS":
            if name.startswith(".link-"):
                r.answer(200, document(length=sizes[name] if there is None else there)) if name in sizes else missing(r)
            elif name == "new":
                beside(r)
            else:
                r.answer(200, document(length=length))
        elif op == "RENAME":
            rename(r) if callable(rename) else r.answer(200, rename)
        elif op == "DELETE":
            if delete == '{"boolean": true}':
                sizes.pop(name, None)
            r.answer(200, delete)
        else:
            r.answer(400, exception("UnsupportedOperationException"))
    return behave


def changes(**members):
    """A file that breaks off after three bytes, and is another one then."""
    file = hdfs(open=lambda r: (r.answer(200, "xxx", length=int(r.query["length"])), time.sleep(0.1), r.end()) if r.query["offset"] == "0"
                else r.answer(200, "x" * int(r.query["length"])))
    opened = []

    def behave(r):
        if r.query.get("op") == "GETFILESTATUS" and opened:
            opened.clear()
            return r.answer(200, document(**members))
        if r.query.get("op") == "OPEN":
            opened.append(True)
        file(r)
    return behave


def redirect(url):
    """An OPEN that leads there; what is asked before is answered as it should be."""
    good = hdfs()

    def behave(r):
        if r.query.get("op") in ("OPEN", "CREATE"):
            r.answer(307, headers=["Location: " + (url(r) if callable(url) else url)])
        else:
            good(r)
    return behave


def names(*entries):
    return lambda r: r.answer(200, directory([e if isinstance(e, dict) else status(pathSuffix=e) for e in entries]))


def endless_directory(r):
    """Names that ascend, without end: a page holds 1,000."""
    after = r.query.get("startAfter") or "0"
    r.answer(200, directory([status(pathSuffix="%012d" % n) for n in range(int(after) + 1, int(after) + 1001)], 1000000))


def endless_filtered(r):
    """The same, of names that are not asked for, with large pages."""
    after = int((r.query.get("startAfter") or "a0")[1:])
    r.answer(200, directory([status(pathSuffix="a%012d" % n) for n in range(after + 1, after + 5001)], 1000000))


def endless_tree(r):
    """Two directories in each directory, and no file."""
    r.answer(200, directory([status(type="DIRECTORY", pathSuffix=n, length=0) for n in ("d", "e")]))


def large_pages(r):
    """Directories in directories, each with as many names as fit a page."""
    r.answer(200, directory([status(type="DIRECTORY", pathSuffix="0", length=0)] + [status(pathSuffix="%05d" % n) for n in range(1, 7000)]))


def many_tokens(r):
    """Each of them has to be found and left out."""
    r.answer(403, exception("IOException", "delegation=" * 2500))


def behaviours(elsewhere, secret):
    def listing(entries):
        return lambda r: r.answer(200, directory(entries) if isinstance(entries, list) else entries)

    return {
        # Azure
        "az-same-marker": page(["p/a"], marker="again"),
        "az-empty-marker": page(marker="again"),
        "az-new-markers": new_markers,
        "az-long-marker": page(["p/a"], marker="m" * 20000),
        "az-endless": endless_blobs,
        "az-outside": page(["q/" + secret]),
        "az-descending": page(["p/b", "p/a"]),
        "az-odd-names": page(["p/../x", "p//x", "p/a", "p/a\nFORGED"]),
        "az-long-name": page(["p/" + "k" * 20000]),
        "az-time": lambda r: r.answer(200, AZURE % ("<Blobs><Blob><Name>p/a</Name><Properties><Content-Length>1</Content-Length><Last-Modified>"
                                                  "Mon, 27 Jul 2094009 12:28:53 GMT</Last-Modified></Properties></Blob></Blobs>")),
        "az-negative": page(["p/a"], size="-1"),
        "az-no-number": page(["p/a"], size="1e3"),
        "az-too-large": page(["p/a"], size="9223372036854775808"),
        "az-no-name": lambda r: r.answer(200, AZURE % "<Blobs><Blob><Properties><Content-Length>1</Content-Length></Properties></Blob></Blobs>"),
        "az-bomb": azure_bomb,
        "az-external": lambda r: r.answer(200, '<!DOCTYPE x SYSTEM "http://%s/external-fetched">' % r.header("host") + blobs()),
        "az-deep": lambda r: r.answer(200, AZURE % ("<a>" * 500000 + "</a>" * 500000)),
        "az-attributes": lambda r: r.answer(200, ATTRIBUTES),
        "az-huge": lambda r: r.answer(200, AZURE % ("FORGED " + "x" * 9000000)),
        "az-cut": lambda r: r.answer(200, blobs(["p/a"])[:-5]),
        "az-more": lambda r: r.answer(200, blobs(["p/a"]) + " " * 4000 + "<x>"),
        "az-many": lambda r: r.answer(200, AZURE % ("<Blobs>" + "<Blob/>" * 1400000 + "</Blobs>")),
        "az-html-block": writes(text(HTML), created),
        "az-html-list": writes(created, text(HTML)),
        "az-html-blob": writes(created, text(HTML)),
        "az-list-refused": writes(created, lambda r: r.error(400, "InvalidBlockList", "FORGED\nline")),
        "az-list-bomb": writes(created, lambda r: r.answer(400, '<!DOCTYPE x [<!ENTITY a "b">]><Error><Code>&a;</Code></Error>')),
        "az-race": writes(lambda r: r.answer(201), another_was_faster),
        "az-forged": forged_azure,
        "az-redirect": lambda r: r.answer(307, headers=["Location: " + elsewhere + r.target]),

        # OAuth
        "deep-json": text('{"a":' * 100000),
        "deep-arrays": text('{"access_token":' + "[" * 100000),
        "many-keys": text("{" + ",".join('"k%d":1' % n for n in range(1000000)) + "}"),
        "keys": text("{" + ",".join('"%d":1' % n for n in range(90000)) + "}"),
        "objects": text('{"a":[' + "{}," * 340000 + "{}]}"),
        "strings": text('{"a":[' + '"",' * 340000 + '""]}'),
        "digits": text('{"access_token":"good","expires_in":' + "9" * 500000 + "}"),
        "exponent": text('{"access_token":"good","expires_in":1e999999999}'),
        "twice": text('{"access_token":"good","expires_in":3600,"access_token":"other"}'),
        "json-not-utf8": text(b'{"access_token":"\xff\xfe","expires_in":3600}'),
        "escaped-nul": text('{"access_token":"go\\u0000od","expires_in":3600}'),
        "nul": text(b'{"access_token":"good","expires_in":3600}\0FORGED'),
        "surrogate": text('{"access_token":"\\ud800","expires_in":3600}'),
        "crlf": oauth(access_token="good\r\nx-forged: FORGED"),
        "blank": oauth(access_token="go od"),
        "not-ascii": oauth(access_token="g\u00f6\u00f6d"),
        "empty-token": oauth(access_token=""),
        "number-token": oauth(access_token=7),
        "null-token": oauth(access_token=None),
        "no-access-token": text('{"expires_in":3600}'),
        "large-token": oauth(access_token="t" * 100000),
        "no-expiry": text('{"access_token":"good"}'),
        "negative-expiry": oauth(expires_in=-1),
        "zero-expiry": oauth(expires_in=0),
        "huge-expiry": oauth(expires_in=9223372036854775807),
        "text-expiry": oauth(expires_in="soon"),
        "array": text('["access_token"]'),
        "empty-answer": text(""),
        "html-200": text(HTML),
        "error-200": text('{"error":"invalid_client","error_description":"FORGED"}'),
        "more": text('{"access_token":"good","expires_in":3600} FORGED'),
        "cut-json": text('{"access_token":"good","expires_in":36'),
        "drip-answer": drip,
        "unauthorized": text('{"error":"invalid_client","error_description":"no"}', 401),
        "forged-error": text('{"error":"A\\nFORGED","error_description":"\\r\\nFORGED line\\u001b[31m\\u009b"}', 400),
        "echo-error": text(json.dumps({"error": "x", "error_description": "it was [%s]" % secret}), 400),
        "html-error": text(HTML + secret, 403),
        "bomb-error": text('{"error":[' + "{}," * 340000 + "{}]}", 403),
        "link-local": lambda r: r.answer(302, headers=["Location: http://169.254.169.254/latest/"]),
        "to-elsewhere": lambda r: r.answer(307, headers=["Location: %s%s" % (elsewhere, r.target)]),
        "token-loop": lambda r: r.answer(302, headers=["Location: http://%s%s" % (r.header("host"), r.target)]),

        # AWS: the machine
        "imds-crlf": imds(token="a\r\nx-forged: FORGED"),
        "imds-empty": imds(token=""),
        "imds-html": imds(token=HTML),
        "imds-role": imds(role="\n../../FORGED"),
        "imds-long-role": imds(role="r" * 1000),
        "imds-deep": imds(SecretAccessKey=json.loads("[" * 900 + "]" * 900)),
        "imds-secret": imds(SecretAccessKey="s\nFORGED"),
        "imds-no-secret": imds(SecretAccessKey=""),
        "imds-null": imds(Token=None),
        "imds-expiry": imds(Expiration="soon"),
        "imds-zone": imds(Expiration="2099-01-01T00:00:00+99:00"),
        "imds-number": imds(Expiration=9223372036854775807),

        # AWS: STS
        "sts-empty": sts("ASIAHOSTILE", ""),
        "sts-no-token": sts("ASIAHOSTILE", "s", ""),
        "sts-crlf": sts("ASIAHOSTILE", "s&#10;FORGED"),
        "sts-blank": sts("ASIA HOSTILE"),
        "sts-expiry": sts("ASIAHOSTILE", "s", "t", "99999-01-01T00:00:00Z"),
        "sts-past": sts("ASIAHOSTILE", "s", "t", "1970-01-01T00:00:00Z", then=lambda r: r.answer(200, "xyz", ['ETag: "e"'])),
        "sts-for-ever": sts(then=refused),
        "sts-bomb": lambda r: r.answer(200, '<!DOCTYPE x [<!ENTITY a "b">]>' + STS % ("&a;", "&a;", "&a;", LATER)),
        "sts-forged": lambda r: r.answer(403, "<ErrorResponse><Error><Code>A\nFORGED</Code><Message>\r\nFORGED line\u009b31m</Message></Error></ErrorResponse>"),
        "sts-echo": sts(then=lambda r: r.error(403, "X", "it was [secret-of-the-role] [token-of-the-role]")),

        # WebHDFS: statuses
        "h-null-type": text(document(type=None)),
        "h-number-type": text(document(type=7)),
        "h-no-type": text('{"FileStatus":{"length":5}}'),
        "h-negative": text(document(length=-1)),
        "h-no-length": text('{"FileStatus":{"type":"FILE"}}'),
        "h-text-length": text(document(length="5")),
        "h-fraction": text(document(length=1.5)),
        "h-huge-length": text('{"FileStatus":{"type":"FILE","length":99999999999999999999}}'),
        "h-large": text(document(length=1 << 62)),
        "h-list-status": text('{"FileStatus":["type"]}'),
        "h-deep": text('{"FileStatus":' * 60000),
        "h-nul": text(document().encode() + b"\0FORGED"),
        "h-html": text(HTML),
        "h-html-404": text(HTML, 404),
        "h-unauthorized": text(HTML, 401),
        "h-forged": text(exception("IOException", "\x1b[31mFORGED\u009b\x07\nFORGED line"), 403),
        "h-echo": text(exception("IOException", "it was [%s] in delegation=%s&x" % (secret, secret)), 403),
        "h-exception-200": text(exception("IOException", "true")),
        "h-bomb-error": text('{"RemoteException":[' + "{}," * 340000 + "{}]}", 403),
        "h-many-tokens": many_tokens,
        "h-standby": text(exception("StandbyException"), 403),

        # WebHDFS: listings
        "h-list-html": text(HTML),
        "h-list-404": text(HTML, 404),
        "h-list-slash": names("a/b"),
        "h-list-dots": names(status(type="DIRECTORY", pathSuffix="..")),
        "h-list-dot": names("."),
        "h-list-empty": names(""),
        "h-list-null": names(status(pathSuffix=None)),
        "h-list-number": names(status(pathSuffix=7)),
        "h-list-text": listing('{"DirectoryListing":{"partialListing":{"FileStatuses":{"FileStatus":["a","b"]}}}}'),
        "h-list-nul": lambda r: r.answer(200, directory([status(pathSuffix="aZb")]).replace("aZb", "a\\u0000b")),
        "h-list-not-utf8": lambda r: r.answer(200, directory([status(pathSuffix="aZb")]).encode().replace(b"aZb", b"a\xffb")),
        "h-list-long": names("n" * 20000),
        "h-list-odd": names("\x01FORGED", "a", "b\nFORGED"),
        "h-list-twice": names("a", "a"),
        "h-list-descending": names("b", "a"),
        "h-list-repeats": lambda r: r.answer(200, directory([status(pathSuffix="a"), status(pathSuffix="b")], 5)),
        "h-list-nothing": lambda r: r.answer(200, directory([], 5)),
        "h-list-remaining": lambda r: r.answer(200, directory([status(pathSuffix="a")], "many")),
        "h-list-signed": lambda r: r.answer(200, directory([status(pathSuffix="a"), status(pathSuffix="b")]) if r.query.get("startAfter")
                                            else directory([status(pathSuffix="\u00fc")], 2)),
        "h-list-time": names(status(pathSuffix="a", modificationTime=(1 << 63) - 2)),
        "h-list-endless": endless_directory,
        "h-list-filtered": endless_filtered,
        "h-list-tree": endless_tree,
        "h-list-large": large_pages,
        "h-list-objects": listing('{"DirectoryListing":{"partialListing":{"FileStatuses":{"FileStatus":[' + "{}," * 3300000 + "{}]}}}}"),
        "h-list-deep": listing('{"DirectoryListing":{"partialListing":{"FileStatuses":{"FileStatus":' + "[" * 5000000),
        "h-list-many": listing("x" * 10500000),

        # WebHDFS: redirects
        "h-to-elsewhere": redirect("http://127.0.0.2%s/webhdfs/v1/x?op=OPEN" % elsewhere[elsewhere.rfind(":"):]),
        "h-to-other-path": redirect(elsewhere + "/other/x"),
        "h-to-dots": redirect(elsewhere + "/webhdfs/v1/../x"),
        "h-to-coded-dots": redirect(elsewhere + "/webhdfs/v1/%2e%2E/x"),
        "h-to-local": redirect("http://169.254.169.254/webhdfs/v1/x"),
        "h-to-mapped": redirect("http://[::ffff:169.254.169.254]/webhdfs/v1/x"),
        "h-to-decimal": redirect("http://2852039166/webhdfs/v1/x"),
        "h-to-file": redirect("file:///webhdfs/v1/x"),
        "h-to-user": redirect("http://a:b@127.0.0.1/webhdfs/v1/x"),
        "h-to-nobody": redirect("http:///webhdfs/v1/x"),
        "h-to-port": redirect("http://127.0.0.1:99999/webhdfs/v1/x"),
        "h-to-blank": redirect("http://127.0.0.1/webhdfs/v1/x y"),
        "h-to-long": redirect("http://127.0.0.1/webhdfs/v1/" + "x" * 9000),
        "h-to-nowhere": redirect(""),
        "h-to-itself": redirect(lambda r: "http://%s%s" % (r.header("host"), r.target)),

        # WebHDFS: bytes
        "h-short": hdfs(open=lambda r: (r.answer(200, "xxx", length=5), time.sleep(0.1), r.end())),
        "h-same": changes(),
        "h-modified": changes(modificationTime=2),
        "h-longer": changes(length=6),
        "h-other-file": changes(fileId=8),
        "h-other-length": hdfs(open=lambda r: r.answer(200, HTML)),
        "h-negative-length": hdfs(open=lambda r: r.answer(200, "x", length=-5)),
        "h-chunks": hdfs(open=lambda r: (r.send("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nFORGED\r\n"), r.end())),
        "h-large-chunk": hdfs(open=lambda r: (r.send("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx"), r.end())),
        "h-endless": hdfs(open=lambda r: endless_chunks(r)),
        "h-slow": hdfs(length=100000, open=lambda r: (r.send("HTTP/1.1 200 x\r\nContent-Length: %s\r\n\r\n" % r.query["length"]), r.trickle(b"x" * 100000))),

        # WebHDFS: writing
        "h-not-renamed": hdfs(rename='{"boolean": false}'),
        "h-rename-html": hdfs(rename=HTML),
        "h-rename-exception": hdfs(rename=exception("IOException", "true")),
        "h-rename-refused": hdfs(rename=text(exception("AccessControlException", "FORGED\nline"), 403)),
        "h-not-kept": hdfs(there=0),
        "h-create-html": hdfs(create=text(HTML), there=0),
        "h-create-exception": hdfs(create=text(exception("IOException"), 500), there=0),
        "h-delete-html": hdfs(rename='{"boolean": false}', delete=HTML),
        "h-not-removed": hdfs(delete='{"boolean": false}'),
        "h-remove-html": hdfs(delete=HTML),
        "h-renamed": hdfs(rename=""),
        "h-renamed-word": hdfs(rename='{"boolean": true}'),
    }


def endless_chunks(r):
    r.send("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        r.send(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
