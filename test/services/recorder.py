#!/usr/bin/env python3
"""A server that writes down every byte that arrives, and answers as whatever the
asker takes it for: S3, GCS, Azure Blob Storage, WebHDFS, and those who hand out
tokens.

    recorder.py LOGFILE SETTINGS

SETTINGS is a JSON object: "token": the access token to give out; "role": access
key id, secret and session token to give out; "location": where redirects lead, and
WebHDFS those who read a file. Listens on 127.0.0.1 and, where there is one, on ::1, on one
port, and prints "port N". It is empty, but an object that is asked for is "hello".

What has "to-NNN" in its path is redirected with that status, to the same path at
"location". A request whose path has "echo-FORM" is refused in the words of the request, also as its id: FORM is
"plain", "base64", "url" or "lower" (url with lower case). What has "page" instead of
"echo" is refused so too, but not in the form that errors have.

Who hands out tokens below a path that has "give-NNN" does so with that status, and
without saying how long they are good for.

The log has the line "CONNECT" for each connection and then all that came, as it came.
"""

import base64
import json
import re
import socket
import sys
import threading
import urllib.parse
from xml.sax.saxutils import escape

LOG = open(sys.argv[1], "ab", buffering=0)
SETTINGS = json.loads(sys.argv[2])
REQUEST_IDS = ("x-amz-request-id", "x-ms-request-id", "x-guploader-uploadid")
FORMS = {
    "plain": lambda s: s,
    "base64": lambda s: base64.b64encode(s.encode("latin-1")).decode(),
    "url": lambda s: urllib.parse.quote(s, safe=""),
    "lower": lambda s: re.sub("%..", lambda m: m.group().lower(), urllib.parse.quote(s, safe="")),
}


class Request:
    def __init__(self, connection, head, body):
        self.connection = connection
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target = lines[0].split(" ")[:2]
        self.path, _, self.query = self.target.partition("?")
        self.headers = [(k.lower(), v.strip()) for k, _, v in (line.partition(":") for line in lines[1:])]
        self.body = body.decode("latin-1")

    def answer(self, status, body="", *headers):
        body = body.encode("latin-1")
        head = ["HTTP/1.1 %d x" % status, "Content-Length: %d" % len(body), *headers]
        self.connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + (b"" if self.method == "HEAD" else body))

    def values(self):
        """All that could be a secret: of headers, the query and the form."""
        values = [v.split(" ", 1)[-1] for k, v in self.headers
                  if k == "authorization" or k.startswith("x-")]
        for text in (self.query, self.body if "grant_type" in self.body or "Action=" in self.body else ""):
            values += [v for _, v in urllib.parse.parse_qsl(text)]
        return [v for v in values if len(v) > 15] + [self.query]

    def json(self, status, value):
        # some write a slash so
        self.answer(status, json.dumps(value).replace("/", "\\/"), "Content-Type: application/json")

    def echo(self, how, form):
        said = " ".join(FORMS[form](v) for v in self.values())
        ids = ["%s: %s" % (name, FORMS[form](self.values()[0])) for name in REQUEST_IDS]
        if how == "page":
            self.answer(403, "<html>Sign in: %s</html>" % said, *ids)
        elif self.path.startswith("/webhdfs/"):
            self.json(403, {"RemoteException": {"exception": "IOException", "message": "Refused " + said}})
        elif "grant_type" in self.body:
            self.json(401, {"error": "invalid_client", "error_description": "Refused " + said})
        elif "Action=" in self.body:
            self.answer(403, "<ErrorResponse><Error><Code>Refused</Code><Message>Refused %s</Message></Error></ErrorResponse>" % escape(said))
        else:
            self.answer(403, "<Error><Code>Refused</Code><Message>Refused %s</Message></Error>" % escape(said), *ids)


def webhdfs(r):
    status = {"type": "FILE", "length": 5, "modificationTime": 1, "fileId": 7}
    if "op=OPEN" in r.query and "location" not in SETTINGS:
        r.answer(200, "hello")
    elif "op=OPEN" in r.query:
        r.answer(307, "", "Location: %s%s?op=OPEN&offset=0" % (SETTINGS["location"], r.path))
    elif "op=LISTSTATUS_BATCH" in r.query:
        r.json(200, {"DirectoryListing": {"partialListing": {"FileStatuses": {"FileStatus": []}}, "remainingEntries": 0}})
    else:
        r.json(200, {"FileStatus": status, "Path": "/user/x", "boolean": True})


def serve_request(r):
    to = re.search(r"to-(30\d)", r.path)
    if to:
        return r.answer(int(to[1]), "", "Location: %s%s" % (SETTINGS["location"], r.target))
    echo = re.search(r"(echo|page)-(\w+)", r.path)
    if echo and (r.method != "HEAD") and not ("op=GETFILESTATUS" in r.query and "late" in r.path):
        return r.echo(*echo.groups())
    if r.path.startswith("/webhdfs/v1"):
        return webhdfs(r)
    give = re.search(r"give-(\d+)", r.path)
    if give and "Action=" in r.body:
        return r.answer(int(give[1]), "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"
                        "<SessionToken>%s</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>" % tuple(SETTINGS["role"]))
    if give:
        return r.json(int(give[1]), {"access_token": SETTINGS["token"]})
    if "Action=" in r.body:
        return r.answer(200, "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>%s</AccessKeyId>"
                        "<SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken>"
                        "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
                        % tuple(SETTINGS["role"]))
    if "grant_type" in r.body or "/metadata/" in r.path or "/computeMetadata/" in r.path:
        return r.json(200, {"access_token": SETTINGS["token"], "token_type": "Bearer", "expires_in": 3600})
    if r.method in ("PUT", "POST"):
        return r.answer(200 if "AWS4" in str(r.headers) else 201, "", 'ETag: "e"')
    if r.method == "HEAD":
        return r.answer(404)
    if "comp=list" in r.query:
        return r.answer(200, "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>")
    if "list-type=2" in r.query:
        return r.answer(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
    r.answer(200, "hello", 'ETag: "e"')


def serve(connection):
    LOG.write(b"CONNECT\n")
    data = b""

    def more():
        piece = connection.recv(1 << 16)
        if not piece:
            raise ConnectionError
        LOG.write(piece)
        return piece

    try:
        while True:
            while b"\r\n\r\n" not in data:
                data += more()
            head, _, data = data.partition(b"\r\n\r\n")
            length = int((re.search(rb"\r\ncontent-length: *(\d+)", head, re.I) or [0, 0])[1])
            if b"100-continue" in head:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while len(data) < length:
                data += more()
            serve_request(Request(connection, head, data[:length]))
            data = data[length:]
            LOG.write(b"\n")
    except (OSError, ValueError):
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
