#!/usr/bin/env python3
"""A scripted S3 server for faults that a real one does not make on demand.

    fake_s3.py LOGFILE FAULTS

Keeps objects in memory, checks no signature, prints "port N". FAULTS is a JSON
list; each entry is used on the first requests that match it:

    {"method": "PUT", "match": "partNumber=2", "times": 1, "do": "status", "status": 503}

"match" is searched in the request target, "range", a pattern, in its Range; "do" is one of
    status     answer with "status" and an error document of "code"; with "retry_after" if given
    error200   status 200 whose body is an error document of "code"
    reset      read half of the request's body, then reset the connection
    cut        send half of the answer's body, then reset
    short      send headers and half of the body in one packet, then close
    hang       answer nothing for "seconds"
    late       answer as usual after "seconds"
    slow       send the answer's body at one kB every 100 ms
    lose       do what is asked, but answer nothing for "seconds"
    ago        begin an upload that says it was begun "seconds" ago
    stall      send half of the answer's body, and then nothing
    replace    before a removal: somebody else puts "theirs" there
    unconditional    know no condition of a removal
    pause      send half of the answer's body, and the rest after two seconds
    extra_key  add a key outside the prefix to a listing
    big        answer with 100 MB of body
    gather     answer as usual half a second after "of" such requests are waiting, or after
               "seconds"; the log has a line "GATHERED" or "WAITED" for each
    whole      send all of an object, whatever range was asked for
    fewer      send a byte less than was asked for, and say so
    grown      say that the object is a byte larger
    no_etag    send no ETag; weak: one that says that it is weak
    changed    the object is another one when this is answered, after a second in which
               others are; removed: there is none
    other      the same, and the condition is not looked at
"request_id" is what the answer calls the request, instead of "req-1".
An entry {"objects": ["b/x", "b/y"], "lines": 1000} makes these: lines of 320 bytes,
"0000000,xxx...", which count up.
Every request is logged as one line: method, target, what was done, and the id of
the access key that signed it, and one more, which begins with a space, if it has a
Range: that, and its If-Match; every connection as a line "CONNECT".
"""

import hashlib
import json
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

LOG = open(sys.argv[1], "a", buffering=1)
FAULTS = json.loads(sys.argv[2])
OBJECTS = {}
UPLOADS = {}
BEGUN = []                      # (id, path, time) of every upload that ever was
LOCK = threading.Lock()
for entry in FAULTS:
    if "objects" in entry:
        made = b"".join(b"%07d,%s\n" % (n, b"x" * 311) for n in range(entry["lines"]))
        OBJECTS.update((key, made) for key in entry["objects"])
FAULTS = [entry for entry in FAULTS if "objects" not in entry]
for entry in FAULTS:
    if entry["do"] == "gather":
        entry["barrier"] = threading.Barrier(entry["of"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def setup(self):
        LOG.write("CONNECT\n")
        super().setup()

    def fault(self):
        with LOCK:
            for f in FAULTS:
                if f.get("times", 1) > 0 and f.get("method", self.command) == self.command \
                        and f.get("match", "") in self.path \
                        and re.search(f.get("range", ""), self.headers.get("Range") or ""):
                    f["times"] = f.get("times", 1) - 1
                    return f
        return None

    def reset(self):
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def answer(self, status, body=b"", headers=None, how=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("x-amz-request-id", self.request_id)
        self.send_header("Content-Length", str(len(body)))
        if how == "short":
            self.close_connection = True
            self._headers_buffer.append(b"\r\n" + body[:len(body) // 2])
            return self.flush_headers()
        self.end_headers()
        if self.command == "HEAD":
            return
        if how == "cut":
            self.wfile.write(body[:len(body) // 2])
            self.reset()
        elif how == "stall":
            self.wfile.write(body[:len(body) // 2])
            time.sleep(60)
            self.reset()
        elif how == "pause":
            self.wfile.write(body[:len(body) // 2])
            time.sleep(2)
            self.wfile.write(body[len(body) // 2:])
        elif how == "slow":
            for i in range(0, len(body), 1024):
                self.wfile.write(body[i:i + 1024])
                time.sleep(0.1)
        else:
            self.wfile.write(body)

    def error(self, status, code, headers={}):
        self.answer(status, ("<?xml version='1.0'?><Error><Code>%s</Code><Message>scripted %s</Message>"
                             "<RequestId>req-1</RequestId></Error>" % (code, code)).encode(),
                    {"Content-Type": "application/xml", **headers})

    def handle_one(self):
        fault = self.fault()
        do = fault["do"] if fault else None
        self.request_id = fault.get("request_id", "req-1") if fault else "req-1"
        signer = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization") or "")
        LOG.write("%s %s %s %s\n" % (self.command, self.path, do or "-", signer.group(1) if signer else "-")
                  + (" %s %s\n" % (self.headers["Range"], self.headers.get("If-Match") or "-") if "Range" in self.headers else ""))
        length = int(self.headers.get("Content-Length") or 0)
        if do == "hang":
            time.sleep(fault.get("seconds", 60))
            return self.reset()
        if do == "reset":
            self.rfile.read(length // 2)
            return self.reset()
        body = self.rfile.read(length)
        if do == "status":
            return self.error(fault["status"], fault.get("code", "SlowDown"),
                              {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {})
        if do == "error200":
            return self.error(200, fault.get("code", "InternalError"))
        if do == "big":
            return self.answer(200, b"x" * (100 << 20))
        if do == "late":
            time.sleep(fault["seconds"])
        if do == "gather":
            try:
                fault["barrier"].wait(fault["seconds"])
                time.sleep(0.5)
                LOG.write("GATHERED\n")
            except threading.BrokenBarrierError:
                LOG.write("WAITED\n")

        url = urllib.parse.urlsplit(self.path)
        key = urllib.parse.unquote(url.path)[1:]
        query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        method = self.command
        if do == "lose":
            self.answer = lambda *args: (time.sleep(fault.get("seconds", 60)), self.reset())
        if method == "POST" and "uploads" in query:
            upload = "u%d" % (len(BEGUN) + 1)
            UPLOADS[upload] = {}
            BEGUN.append((upload, key, time.time() - (fault.get("seconds", 0) if do == "ago" else 0)))
            return self.answer(200, ("<InitiateMultipartUploadResult><UploadId>%s</UploadId>"
                                     "</InitiateMultipartUploadResult>" % upload).encode())
        if method == "PUT" and "partNumber" in query:
            etag = '"%s"' % hashlib.md5(body).hexdigest()
            if query["uploadId"][0] not in UPLOADS:
                return self.error(404, "NoSuchUpload")
            UPLOADS[query["uploadId"][0]][int(query["partNumber"][0])] = body
            return self.answer(200, b"", {"ETag": etag})
        if method == "POST" and "uploadId" in query:
            parts = UPLOADS.get(query["uploadId"][0])
            if parts is None:
                return self.error(404, "NoSuchUpload")
            if not self.put(key, b"".join(parts[n] for n in sorted(parts))):
                return self.error(412, "PreconditionFailed")
            UPLOADS.pop(query["uploadId"][0], None)
            return self.answer(200, b"<CompleteMultipartUploadResult><ETag>&quot;%s&quot;</ETag>"
                                    b"</CompleteMultipartUploadResult>" % hashlib.md5(OBJECTS[key]).hexdigest().encode())
        if method == "DELETE" and "uploadId" in query:
            if UPLOADS.pop(query["uploadId"][0], None) is None:
                return self.error(404, "NoSuchUpload")
            return self.answer(204)
        if method == "GET" and "uploads" in query:
            return self.uploads(key.rstrip("/"), query)
        if method == "GET" and ("list-type" in query or "/" not in key):
            return self.listing(key.rstrip("/"), query, do)
        if method == "PUT":
            if not self.put(key, body):
                return self.error(412, "PreconditionFailed")
            return self.answer(200, b"", {"ETag": '"%s"' % hashlib.md5(body).hexdigest()})
        if method == "DELETE":
            match = self.headers.get("If-Match")
            if do == "replace":
                OBJECTS[key] = b"theirs"
            if do == "unconditional" and match:
                return self.error(501, "NotImplemented")
            if match and key in OBJECTS and match != '"%s"' % hashlib.md5(OBJECTS[key]).hexdigest():
                return self.error(412, "PreconditionFailed")
            OBJECTS.pop(key, None)
            return self.answer(204)
        if do in ("changed", "other", "removed"):
            time.sleep(1)
        if do in ("changed", "other"):
            OBJECTS[key] = OBJECTS[key].replace(b"x", b"y")
        if do == "removed":
            OBJECTS.pop(key, None)
        if key not in OBJECTS:
            return self.error(404, "NoSuchKey")
        data = OBJECTS[key]
        etag = '"%s"' % hashlib.md5(data).hexdigest()
        match = self.headers.get("If-Match")
        if match and match != etag and do != "other":
            return self.error(412, "PreconditionFailed")
        part = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "") if do != "whole" else None
        headers = {"ETag": "W/" + etag if do == "weak" else etag, "Last-Modified": "Mon, 02 Jan 2023 03:04:05 GMT"}
        if do == "no_etag":
            del headers["ETag"]
        if part:
            first = int(part.group(1))
            last = min(int(part.group(2) or len(data)), len(data) - 1)
            if first >= len(data):
                return self.error(416, "InvalidRange")
            last -= do == "fewer"
            headers["Content-Range"] = "bytes %d-%d/%d" % (first, last, len(data) + (do == "grown"))
            return self.answer(206, data[first:last + 1], headers, do)
        return self.answer(200, data, headers, do)

    def put(self, key, data):
        with LOCK:
            if self.headers.get("If-None-Match") == "*" and key in OBJECTS:
                return False
            OBJECTS[key] = data
            return True

    def listing(self, bucket, query, do):
        prefix = query.get("prefix", [""])[0]
        keys = sorted(k[len(bucket) + 1:] for k in OBJECTS if k.startswith(bucket + "/" + prefix))
        if do == "extra_key":
            keys.append("outside/secret")
        rows = "".join("<Contents><Key>%s</Key><Size>%d</Size><ETag>&quot;e&quot;</ETag>"
                       "<LastModified>2023-01-02T03:04:05.000Z</LastModified></Contents>"
                       % (escape(urllib.parse.quote(k) if "encoding-type" in query else k),
                          len(OBJECTS.get(bucket + "/" + k, b""))) for k in keys)
        self.answer(200, ("<ListBucketResult><IsTruncated>false</IsTruncated>%s</ListBucketResult>"
                          % rows).encode(), how=do)

    def uploads(self, bucket, query):
        prefix = query.get("prefix", [""])[0]
        rows = "".join("<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>"
                       % (escape(path[len(bucket) + 1:]), upload,
                          time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(begun)))
                       for upload, path, begun in BEGUN
                       if upload in UPLOADS and path.startswith(bucket + "/" + prefix))
        self.answer(200, ("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>%s"
                          "</ListMultipartUploadsResult>" % rows).encode())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # a client that leaves in the middle is what many tests are about
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


server = Server(("127.0.0.1", 0), Handler)
print("port %d" % server.server_address[1], flush=True)
server.serve_forever()
