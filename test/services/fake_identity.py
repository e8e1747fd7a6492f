#!/usr/bin/env python3
"""Who hands out identities, scripted: AWS STS and instance metadata, Entra ID and
Azure's instance metadata, Google's; behind a proxy, the vendors' own hosts; and a
recorder of what links of each type with HTTP ask for.

    fake_identity.py LOGFILE SETTINGS [CERT KEY]

SETTINGS is a JSON object: "seconds" that what is given out is good for (3600),
"refuse": requests whose target or body has this text are refused, with all that
they said in the answer; "busy": likewise, with HTTP 503; "token": the access token to give out; "slow":
seconds that an uploaded part takes.

Objects are kept as S3's, Azure's and WebHDFS's are; a listing of blobs has two pages.
CONNECT to any host ends here too: TLS with CERT, then as below. Prints "port N".
Logs one line a request: method, host and target, headers as "name=value" of those
that begin with x- or metadata or are authorization or range, the body of those that ask for
tokens, and "length=" the bytes of the body.
"""

import json
import re
import ssl
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG = open(sys.argv[1], "a", buffering=1)
SETTINGS = json.loads(sys.argv[2])
GCE_TOKEN = "/computeMetadata/v1/instance/service-accounts/default/token"
OBJECTS = {}
COUNT = [0]


def expiry():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + SETTINGS.get("seconds", 3600)))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, body="", headers=None):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for k, v in (headers or {}).items():
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def give(self):
        COUNT[0] += 1
        return "ASIAFAKE%06d" % COUNT[0], "fake/secret+%06d/ofthisidentity" % COUNT[0], "fake-session-token-%06d/+=" % COUNT[0]

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        form = dict(urllib.parse.parse_qsl(body.decode("latin-1"))) if self.command == "POST" else {}
        asks = "Action" in form or "grant_type" in form
        shown = " ".join(f"{k.lower()}={v}" for k, v in self.headers.items()
                         if k.lower().startswith(("x-", "metadata")) or k.lower() in ("authorization", "range"))
        LOG.write(f"{self.command} {self.headers['Host']}{self.path} {shown} {body.decode() if asks else ''} length={len(body)}\n")
        if SETTINGS.get("busy") and SETTINGS["busy"] in self.path:
            return self.answer(503)
        if SETTINGS.get("refuse") and SETTINGS["refuse"] in self.path + (body.decode() if asks else ""):
            said = f"{self.headers} {body.decode()}".replace("&", "&amp;").replace("<", "&lt;")
            return self.answer(403, f"<Error><Code>Refused</Code><Message>{said}</Message></Error>")
        if "Action" in form:
            key, secret, token = self.give()
            return self.answer(200, f"<{form['Action']}Response><{form['Action']}Result><Credentials><AccessKeyId>{key}</AccessKeyId>"
                               f"<SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>"
                               f"<Expiration>{expiry()}</Expiration></Credentials></{form['Action']}Result></{form['Action']}Response>")
        if "grant_type" in form or url.path == "/metadata/identity/oauth2/token" or url.path == GCE_TOKEN:
            if self.command == "GET" and (self.headers.get("Metadata") != "true" if url.path != GCE_TOKEN
                                          else self.headers.get("Metadata-Flavor") != "Google"):
                return self.answer(400)
            return self.answer(200, json.dumps({"access_token": SETTINGS["token"], "token_type": "Bearer",
                                                "expires_in": str(SETTINGS.get("seconds", 3600))}))
        if url.path == "/latest/api/token" and self.command == "PUT":
            return self.answer(200, "imds-token-of-the-machine")
        if url.path.startswith("/latest/meta-data/iam/security-credentials/"):
            if self.headers.get("x-aws-ec2-metadata-token") != "imds-token-of-the-machine":
                return self.answer(401)
            if url.path.endswith("/"):
                return self.answer(200, "machine-role")
            key, secret, token = self.give()
            return self.answer(200, json.dumps({"Code": "Success", "AccessKeyId": key, "SecretAccessKey": secret,
                                                "Token": token, "Expiration": expiry()}))
        if url.path.startswith("/webhdfs/v1"):
            return self.hdfs(url, body)
        return self.s3(url, body)

    def hdfs(self, url, body):
        """https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html; we are the datanode too."""
        query = dict(urllib.parse.parse_qsl(url.query))
        op, here = query["op"], self.headers["Host"] + "/webhdfs/v1"
        key = self.headers["Host"] + url.path
        if op in ("CREATE", "APPEND", "OPEN") and "datanode" not in query:
            scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
            return self.answer(307, headers={"Location": f"{scheme}://{self.headers['Host']}{self.path}&datanode=1"})

        def status(k):
            return {"type": "FILE", "length": len(OBJECTS[k]), "modificationTime": 1, "fileId": 7, "pathSuffix": k.rpartition("/")[2]}
        if op == "CREATE":
            OBJECTS[key] = body
            return self.answer(201)
        if op == "LISTSTATUS_BATCH":
            found = [status(k) for k in sorted(OBJECTS) if k.rpartition("/")[0] == key.rstrip("/")]
            return self.answer(200, json.dumps({"DirectoryListing": {"partialListing": {"FileStatuses": {"FileStatus": found}},
                                                                     "remainingEntries": 0}}))
        if key not in OBJECTS:
            return self.answer(404, json.dumps({"RemoteException": {"exception": "FileNotFoundException", "message": "none"}}))
        if op == "RENAME":
            OBJECTS[here + query["destination"]] = OBJECTS.pop(key)
            return self.answer(200)
        if op == "GETFILESTATUS":
            return self.answer(200, json.dumps({"FileStatus": status(key)}))
        return self.answer(200, OBJECTS[key] if op == "OPEN" else '{"boolean": true}')

    def s3(self, url, body):
        key = self.headers["Host"] + url.path
        if "comp=list" in url.query:
            second = urllib.parse.parse_qs(url.query).get("marker") == ["page 2/+"]
            return self.answer(200, "<EnumerationResults><Blobs><Blob><Name>%s</Name><Properties><Content-Length>%d</Content-Length>"
                               "</Properties></Blob></Blobs><NextMarker>%s</NextMarker></EnumerationResults>"
                               % (("second", 2, "") if second else ("first", 1, "page 2/+")))
        if "list-type=2" in url.query:
            prefix = key + "/" + dict(urllib.parse.parse_qsl(url.query)).get("prefix", "")
            return self.answer(200, "<ListBucketResult><IsTruncated>false</IsTruncated>%s</ListBucketResult>" % "".join(
                "<Contents><Key>%s</Key><Size>%d</Size></Contents>" % (k[len(key) + 1:], len(OBJECTS[k]))
                for k in sorted(OBJECTS) if k.startswith(prefix)))
        if self.command == "POST" and "uploads" in url.query:
            return self.answer(200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        if self.command == "POST":
            return self.answer(200, "<CompleteMultipartUploadResult><ETag>x-1</ETag></CompleteMultipartUploadResult>")
        if self.command == "PUT":
            time.sleep(SETTINGS.get("slow", 0) if "partNumber" in url.query else 0)
            OBJECTS[key] = body
            return self.answer(200, headers={"ETag": '"e"'})
        if key in OBJECTS:
            return self.answer(200, OBJECTS[key], {"ETag": '"e"'})
        return self.answer(404, "<Error><Code>NoSuchKey</Code></Error>")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


server = Server(("127.0.0.1", 0), Handler)
print("port %d" % server.server_address[1], flush=True)
server.serve_forever()
