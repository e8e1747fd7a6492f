#!/usr/bin/env python3
"""An S3 server with very many objects, of which it makes up the names.

    names_s3.py NAMES [MS]      each object is sent so many ms after it was asked for

Checks no signature, prints "port N". Every bucket holds 0000000000.csv and so on,
NAMES of them, each with one line. Knows ListObjectsV2 with prefix and start-after,
GET of an object, PUT /names/N, from which on there are N names, and GET /asked:
how many listings and names were asked for.
"""

import bisect
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAMES = [int(sys.argv[1])]
DELAY = int(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0
LATE = []                       # names that do not fit into the row
ASKED = [0, 0]
LOCK = threading.Lock()
PAGE = 1000
CONTENTS = ("<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            "<ETag>&quot;e&quot;</ETag><Size>%d</Size></Contents>")


def line(name):
    return ("%s\n" % name.removesuffix(".csv").lstrip("0").rjust(1, "0")).encode()


def page_after(prefix, after):
    """Up to PAGE names, and whether there are more."""
    after = max(after, "")
    first = 0
    if after[:10].isdigit() and len(after) >= 10:
        first = int(after[:10]) + (after >= "%s.csv" % after[:10])
    names = ["%010d.csv" % n for n in range(first, min(first + PAGE + 1, NAMES[0]))]
    names = sorted(names + [n for n in LATE if n > after])
    names = [n for n in names if n.startswith(prefix)]
    return names[:PAGE], len(names) > PAGE


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, body, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        what, _, value = self.path[1:].partition("/")
        with LOCK:
            if what == "names":
                NAMES[0] = int(value)
            else:
                bisect.insort(LATE, value)
        self.answer(b"")

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query).items()}
        bucket, _, key = urllib.parse.unquote(url.path)[1:].partition("/")
        if bucket == "asked":
            with LOCK:
                return self.answer(b"%d %d\n" % tuple(ASKED))
        if "list-type" not in query:
            time.sleep(DELAY)
            return self.answer(line(key))
        with LOCK:
            names, more = page_after(query.get("prefix", ""), query.get("start-after", ""))
            ASKED[0] += 1
            ASKED[1] += len(names)
        self.answer(("<ListBucketResult><IsTruncated>%s</IsTruncated>%s</ListBucketResult>" % (
            "true" if more else "false", "".join(CONTENTS % (n, len(line(n))) for n in names))).encode())


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print("port %d" % server.server_port, flush=True)
server.serve_forever()
