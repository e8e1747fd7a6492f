#!/usr/bin/env python3
"""A server that means harm, and one that only records: S3 here; Azure, HDFS and
those who hand out tokens by hostile_types.py.

    hostile_s3.py LOGFILE [URL [SECRET]]

Listens on 127.0.0.1 and, where there is one, on ::1, on one port, and prints
"port N". What it does to a request is chosen by the bucket in the path, by the
table at the end of this file; any other bucket is empty. In the URLs of WebHDFS it
is the first component behind /webhdfs/v1, and for those of metadata services it is
set by GET /mode/NAME. URL is where redirects
lead, SECRET what a server that keeps none to itself says. The log has the line "CONNECT" for each connection, then the head of each
request as it came, and "SERVED BUCKET" when its answer is out.
"""

import base64
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

import hostile_types

LOG = open(sys.argv[1], "ab", buffering=0)
ELSEWHERE = sys.argv[2] if len(sys.argv) > 2 else ""
SECRET = sys.argv[3] if len(sys.argv) > 3 else ""
FORMS = [SECRET, base64.b64encode(SECRET.encode()).decode(), urllib.parse.quote(SECRET),
         urllib.parse.quote(SECRET, safe=""), urllib.parse.quote(SECRET, safe="").replace("%2F", "%2f").replace("%2B", "%2b")]
MODE = [""]
LISTING = "<ListBucketResult>%s</ListBucketResult>"
OBJECT = b"".join(b"%07d\n" % i for i in range(1 << 17))


class Request:
    def __init__(self, connection, head):
        self.connection = connection
        self.head = head
        line = head.split(b"\r\n")[0].decode("latin-1")
        self.method, target = line.split(" ")[:2]
        url = urllib.parse.urlsplit(target)
        self.target = target
        path = urllib.parse.unquote(url.path)[1:]
        if path.startswith("webhdfs/v1/"):
            path = path[len("webhdfs/v1/"):]
        elif path.startswith(("latest/", "metadata/", "computeMetadata/")):
            path = MODE[0] + "/" + path
        self.bucket, _, self.key = path.partition("/")
        self.query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}

    def header(self, name):
        found = re.search(rb"\r\n%s: *([^\r]*)" % name.encode(), self.head, re.I)
        return found.group(1).decode("latin-1") if found else None

    def send(self, data):
        self.connection.sendall(data if isinstance(data, bytes) else data.encode())

    def answer(self, status, body=b"", headers=(), length=None):
        body = body if isinstance(body, bytes) else body.encode()
        head = ["HTTP/1.1 %s x" % status, *headers]
        if length != "":
            head.append("Content-Length: %s" % (len(body) if length is None else length))
        self.send("\r\n".join(head).encode("latin-1") + b"\r\n\r\n")
        if self.method != "HEAD":
            self.send(body)

    def error(self, status, code, message="", headers=()):
        self.answer(status, "<Error><Code>%s</Code><Message>%s</Message><RequestId>r-1</RequestId></Error>"
                    % (code, message), headers)

    def listing(self, keys=(), truncated=False, token=None, size="1"):
        self.answer(200, LISTING % ("<EncodingType>url</EncodingType>" + "".join("<Contents><Key>%s</Key><Size>%s</Size></Contents>" % (k, size) for k in keys)
                                    + "<IsTruncated>%s</IsTruncated>" % ("true" if truncated else "false")
                                    + ("<NextContinuationToken>%s</NextContinuationToken>" % token if token else "")))

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionResetError

    def end(self):
        raise ConnectionAbortedError

    def trickle(self, data):
        for i in range(len(data)):
            self.send(data[i:i + 1])
            time.sleep(0.5)

    def first(self):
        """First byte that the request asks for, 0 if for all."""
        found = re.match(r"bytes=(\d+)-", self.header("range") or "")
        return int(found.group(1)) if found else 0


# ---- listings ----

def new_tokens(r):
    r.listing(truncated=True, token="t%d" % (int(r.query.get("continuation-token", "t0")[1:]) + 1))


def endless_keys(r):
    start = int(r.query.get("start-after", "p/0")[2:]) + 1
    r.listing(["p/%012d" % n for n in range(start, start + 1000)], truncated=True)


def bomb(r):
    entities = "".join('<!ENTITY e%d "%s">' % (n + 1, "&e%d;" % n * 10) for n in range(1, 12))
    r.answer(200, '<!DOCTYPE x [<!ENTITY e1 "boom">%s]>' % entities
             + LISTING % "<Contents><Key>p/&e12;</Key><Size>1</Size></Contents>")


def attributes(r):
    names = " ".join('a%x=""' % n for n in range(1000000))
    r.answer(200, "<ListBucketResult %s><IsTruncated>false</IsTruncated></ListBucketResult>" % names)


def tag_without_end(r):
    r.answer(200, '<ListBucketResult x="%s"/>' % (">" * 9000000))


def many_tags(r):
    """Each as long as may be, so that reading takes its time."""
    tag = "<a " + " ".join('a%x=""' % n for n in range(3500)) + "/>"
    r.answer(200, "<ListBucketResult>%s</ListBucketResult>" % (tag * (9900000 // len(tag))))


def deep(r):
    r.answer(200, "<ListBucketResult>" + "<a>" * 1000000 + "</a>" * 1000000 + "</ListBucketResult>")


# ---- headers ----

def long_line(r):
    r.send("HTTP/1.1 200 x\r\nx: ")
    while True:
        r.send(b"y" * 1000000)


def many_headers(r):
    r.send("HTTP/1.1 200 x\r\n")
    while True:
        r.send(b"x-more: y\r\n" * 10000)


def continues(r):
    while True:
        r.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def slow_continues(r):
    while True:
        r.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.5)


# ---- objects ----

def object_head(r, first=None, etag="one"):
    """That the object follows from 'first' on, if not all of it."""
    headers = ['ETag: "%s"' % etag, "Content-Length: %d" % (len(OBJECT) - (first or 0))]
    if first is not None:
        headers.append("Content-Range: bytes %d-%d/%d" % (first, len(OBJECT) - 1, len(OBJECT)))
    r.send("\r\n".join(["HTTP/1.1 %d x" % (200 if first is None else 206), *headers]) + "\r\n\r\n")


def broken_off(rest):
    """An object whose first answer breaks in the middle; then comes the rest."""
    def behave(r):
        if r.first() == 0:
            object_head(r)
            r.send(OBJECT[:300000])
            time.sleep(0.1)
            r.reset()
        rest(r)
    return behave


def part(r, first, etag="one"):
    object_head(r, first, etag)
    r.send(OBJECT[first:])


def whole(r):
    object_head(r)
    r.send(OBJECT)


def slowly(r):
    object_head(r, r.first() or None)
    r.trickle(OBJECT[r.first():])


def drip(r):
    """One byte more with each request."""
    object_head(r, r.first() or None)
    r.send(OBJECT[r.first():][:1])
    time.sleep(0.02)
    r.reset()


def piece(r, first, last, etag='"one"', size=20 << 20, sent=None):
    r.send("HTTP/1.1 206 x\r\n%sContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n"
           % ("ETag: %s\r\n" % etag if etag else "", first, last, size, last - first + 1))
    r.send(OBJECT[:64] * ((last - first + 1) // 64) if sent is None else sent)


def in_pieces(others, size=20 << 20):
    """An object whose first piece is as it should be."""
    def behave(r):
        first, last = map(int, r.header("range")[6:].split("-"))
        if first == 0:
            piece(r, first, last, size=size)
        else:
            others(r, first, last)
    return behave


def no_length(r):
    """Cut off, which nobody could tell."""
    r.answer(200, OBJECT[:1000], length="")
    r.end()


def endless(r):
    r.send('HTTP/1.1 200 x\r\nETag: "one"\r\nTransfer-Encoding: chunked\r\n\r\n')
    while True:
        r.send(b"100000\r\n" + OBJECT + b"\r\n")


def blanks(r):
    """As S3 does while it completes an upload."""
    r.send("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for part in [" "] * 9 + ["<CompleteMultipartUploadResult/>"]:
        r.send("%x\r\n%s\r\n" % (len(part), part))
        time.sleep(0.3)
    r.send("0\r\n\r\n")


def upload(identity, etag, final):
    def behave(r):
        if r.method == "POST" and "uploads" in r.query:
            r.answer(200, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>" % identity)
        elif r.method == "PUT":
            r.answer(200, headers=["ETag: " + etag])
        elif r.method == "POST":
            r.answer(200, final) if isinstance(final, str) else final(r)
        elif r.method == "DELETE":
            r.answer(204)
        else:
            r.error(404, "NoSuchKey")
    return behave


def forged(r):
    """Bytes that a log or a terminal obeys; a header may hold any of them."""
    r.answer(403, "<Error><Code>A\nFORGED line 1</Code><Message>\r\nFORGED line 2\t\u009b31m\u202e</Message></Error>",
             ["x-amz-request-id: \x1b[31mFORGED\x07\x08\x7f\x9b\xff"])


BEHAVIOURS = {
    "repeated-token": lambda r: r.listing(truncated=True, token="again"),
    "no-token": lambda r: r.listing(truncated=True),
    "new-tokens": new_tokens,
    "long-token": lambda r: r.listing(truncated=True, token="t" * 20000),
    "endless-keys": endless_keys,
    "same-page": lambda r: r.listing(["p/a", "p/b"], truncated=True),
    "descending": lambda r: r.listing(["p/b", "p/a"]),
    "outside": lambda r: r.listing(["p/a", "q/" + SECRET]),
    "odd-keys": lambda r: r.listing(["p/%0AFORGED", "p/../x", "p//x", "p/a"]),
    "long-key": lambda r: r.listing(["p/" + "k" * 20000], truncated=True),
    "negative": lambda r: r.listing(["p/a"], size="-1"),
    "no-number": lambda r: r.listing(["p/a"], size="1e3"),
    "too-large": lambda r: r.listing(["p/a"], size="9223372036854775808"),
    "bomb": bomb,
    "attributes": attributes,
    "tag-without-end": tag_without_end,
    "many-tags": many_tags,
    "huge-text": lambda r: r.answer(200, "<x>FORGED " + "x" * 10200000),
    "deep": deep,
    "nested": lambda r: r.answer(200, LISTING % ("<a>" * 20 + "</a>" * 20)),
    "external": lambda r: r.answer(200, '<!DOCTYPE x SYSTEM "http://%s/external-fetched"><x/>' % r.header("host")),
    "not-utf8": lambda r: r.answer(200, b"<ListBucketResult><Prefix>\xff\xfe</Prefix></ListBucketResult>"),
    "cut-xml": lambda r: r.answer(200, "<ListBucketResult><IsTruncated>false</IsTruncated>"),
    "html": lambda r: r.answer(200, "<html><body>Sign in to continue</body></html>"),
    "long-line": long_line,
    "many-headers": many_headers,
    "continues": continues,
    "slow-continues": slow_continues,
    "slow-head": lambda r: r.trickle(b"HTTP/1.1 200 x\r\nContent-Length: 1000\r\n\r\n" * 10),
    "slow-page": lambda r: (r.send("HTTP/1.1 200 x\r\nContent-Length: 1000\r\n\r\n"), r.trickle(b"x" * 1000)),
    "slow-object": slowly,
    "no-http": lambda r: (r.send(b"\x00\x01\x02 220 smtp ready\r\n"), r.end()),
    "status-0": lambda r: r.answer("000"),
    "switching": lambda r: r.answer(101, headers=["Upgrade: x", "Connection: Upgrade"]),
    "nul-header": lambda r: (r.send(b"HTTP/1.1 200 x\r\nx: a\0b\r\nContent-Length: 0\r\n\r\n")),
    "loop": lambda r: r.answer(302, headers=["Location: http://%s%s" % (r.header("host"), r.target)]),
    "negative-length": lambda r: r.answer(200, "x", length="-5"),
    "huge-length": lambda r: r.answer(200, "x", length="99999999999999999999"),
    "two-lengths": lambda r: r.answer(200, "xyz", headers=["Content-Length: 1"], length="3"),
    "short": lambda r: (r.answer(200, OBJECT[:1000], ['ETag: "one"'], length=2000), r.end()),
    "no-length": no_length,
    "endless": endless,
    "unasked-206": lambda r: r.listing(["p/a"]) if "list-type" in r.query else r.answer(206, "xyz", ["Content-Range: bytes 5-7/100"]),
    "unasked-416": lambda r: r.listing(["p/a"]) if "list-type" in r.query else r.answer(416, headers=["Content-Range: bytes */5"]),
    "piece-shifted": in_pieces(lambda r, first, last: piece(r, first + 64, last)),
    "piece-longer": in_pieces(lambda r, first, last: piece(r, first, last + 64)),
    "piece-shorter": in_pieces(lambda r, first, last: piece(r, first, last - 64)),
    "piece-whole": in_pieces(lambda r, first, last: whole(r)),
    "piece-cut": in_pieces(lambda r, first, last: (piece(r, first, last, sent=b"0000000\n"), r.reset())),
    "piece-version": in_pieces(lambda r, first, last: piece(r, first, last, '"two"')),
    "piece-anonymous": in_pieces(lambda r, first, last: piece(r, first, last, None)),
    "piece-404": in_pieces(lambda r, first, last: r.error(404, "NoSuchKey")),
    "piece-412": in_pieces(lambda r, first, last: r.error(412, "PreconditionFailed")),
    "piece-416": in_pieces(lambda r, first, last: r.error(416, "InvalidRange")),
    "piece-huge": in_pieces(lambda r, first, last: r.error(416, "InvalidRange"), size=(1 << 63) - 1),
    "rest": broken_off(lambda r: part(r, r.first())),
    "other-range": broken_off(lambda r: part(r, r.first() - 8)),
    "other-version": broken_off(lambda r: part(r, r.first(), "two")),
    "whole-again": broken_off(whole),
    "drip": drip,
    "upload-id": upload("u" * 20000, '"e"', ""),
    "part-etag": upload("u1", '"' + "e" * 1000 + '"', ""),
    "completion": upload("u1", '"e"', "<html/>"),
    "blanks": upload("u1", '"e"', blanks),
    "busy": lambda r: r.error(503, "SlowDown", headers=["Retry-After: 50"]),
    "refuse": lambda r: r.error(403, "AccessDenied"),
    "forged": forged,
    "echo-code": lambda r: r.error(403, SECRET, "x", ["x-amz-request-id: " + SECRET]),
    "echo-region": lambda r: r.error(301, "PermanentRedirect", headers=["x-amz-bucket-region: " + SECRET]),
}
for n, form in enumerate(FORMS):
    BEHAVIOURS["echo-%d" % n] = lambda r, form=form: r.error(403, "X", "it was [%s]" % form)
for status in (301, 302, 303, 307, 308):
    BEHAVIOURS["to-%d" % status] = lambda r, status=status: r.answer(
        status, headers=["Location: %s%s" % (ELSEWHERE, r.target)])
MORE = hostile_types.behaviours(ELSEWHERE, SECRET)
assert not BEHAVIOURS.keys() & MORE.keys()
BEHAVIOURS.update(MORE)


def serve(connection):
    LOG.write(b"CONNECT\n")
    data = b""
    try:
        while True:
            while b"\r\n\r\n" not in data:
                more = connection.recv(1 << 16)
                if not more:
                    if data:
                        LOG.write(data + b"\n")
                    return
                data += more
                if data[:1] == b"\x16":  # TLS: whatever it is, it came
                    LOG.write(repr(data).encode() + b"\n")
                    return
            head, _, data = data.partition(b"\r\n\r\n")
            LOG.write(head + b"\n")
            request = Request(connection, head)
            length = int(request.header("content-length") or 0)
            body = bytearray(data)
            while len(body) < length:
                more = connection.recv(1 << 20)
                if not more:
                    return
                body += more
            data = bytes(body[length:])
            behaviour = BEHAVIOURS.get(request.bucket, lambda r: r.listing())
            if request.bucket == "mode":
                MODE[0] = request.key
                behaviour = lambda r: r.answer(204)
            if request.method == "CONNECT":
                behaviour = BEHAVIOURS["refuse"]
            behaviour(request)
            LOG.write(b"SERVED %s\n" % request.bucket.encode())
    except OSError:
        pass
    finally:
        connection.close()


def listen(server):
    while True:
        connection = server.accept()[0]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


servers = [socket.create_server(("127.0.0.1", 0), backlog=64)]
port = servers[0].getsockname()[1]
try:
    servers.append(socket.create_server(("::1", port), family=socket.AF_INET6, backlog=64))
except OSError:
    pass
for server in servers[1:]:
    threading.Thread(target=listen, args=(server,), daemon=True).start()
print("port %d" % port, flush=True)
listen(servers[0])
