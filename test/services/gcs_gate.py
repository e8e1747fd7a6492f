#!/usr/bin/env python3
"""What Google has in front of its storage: OAuth tokens, the metadata server, and
the rules that the servers behind it do not know.

    gcs_gate.py CONFIG.json

POST /token gives an access token for a service account's assertion, whose RS256
signature and claims are verified. GET /computeMetadata/v1/... gives one to whoever
asks as a virtual machine would. POST /gate/expire ends all tokens. Every other
request needs a token (or, on XML paths, an HMAC signature, which the server behind
verifies) and goes on to fake-gcs-server (JSON API) or versitygw (XML API; signed
anew). As at Google the objects are the same behind both: what the JSON API wrote is
copied to versitygw, and what it is asked for is fetched from there before. Logs one
line a request: method, target, status, how it was authenticated.
"""

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import secrets
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
import xml.etree.ElementTree
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONFIG = json.load(open(sys.argv[1]))
LOG = open(CONFIG["log"], "a", buffering=1)
TOKENS = {}    # token: (account, scopes, end)
SESSIONS = {}  # upload_id: Range of the last 308
LOCK = threading.Lock()
SCOPE = "https://www.googleapis.com/auth/"
WRITERS = {SCOPE + s for s in ("cloud-platform", "devstorage.read_write", "devstorage.full_control")}
READERS = WRITERS | {SCOPE + "devstorage.read_only", SCOPE + "cloud-platform.read-only"}
SAME = {"content-type": "contentType", "content-encoding": "contentEncoding", "content-language": "contentLanguage",
        "content-disposition": "contentDisposition", "cache-control": "cacheControl"}
HOP = {"connection", "transfer-encoding", "keep-alive", "te", "upgrade", "expect"}


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def issue(account, scopes):
    token = "ya29." + secrets.token_urlsafe(40)
    with LOCK:
        TOKENS[token] = (account, scopes, time.time() + CONFIG["ttl"])
    return {"access_token": token, "expires_in": CONFIG["ttl"], "token_type": "Bearer"}


def check_assertion(assertion):
    """The account and scopes of a signed assertion; ValueError tells what is wrong."""
    head, claims, signature = assertion.split(".")
    signed = (head + "." + claims).encode()
    head, claims = json.loads(unbase64(head)), json.loads(unbase64(claims))
    account = CONFIG["accounts"].get(claims.get("iss"))
    if not account:
        raise ValueError("account not found")
    if head.get("alg") != "RS256" or head.get("kid", account["kid"]) != account["kid"]:
        raise ValueError("algorithm or key id")
    path = f"{CONFIG['folder']}/signature.{secrets.token_hex(8)}"
    with open(path, "wb") as f:
        f.write(unbase64(signature))
    ok = subprocess.run(["openssl", "dgst", "-sha256", "-verify", account["public_key"], "-signature", path],
                        input=signed, capture_output=True).returncode == 0
    os.unlink(path)
    if not ok:
        raise ValueError("Invalid JWT Signature.")
    now = time.time()
    if claims.get("aud") not in CONFIG["audiences"]:
        raise ValueError("audience")
    if not claims["iat"] - 60 <= now < claims["exp"] <= claims["iat"] + 3600:
        raise ValueError("Token must be a short-lived token (60 minutes) and in a reasonable timeframe")
    scopes = set(claims.get("scope", "").split())
    if not scopes:
        raise ValueError("scope")
    return claims["iss"], scopes


def quote(text, safe="-_.~"):
    return urllib.parse.quote(text, safe=safe)


def sign(method, path, query, headers):
    """The target of a request to versitygw; headers get the signature."""
    query = "&".join(f"{quote(k)}={quote(v)}" for k, v in sorted(query.items()))
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers.update({"host": f"127.0.0.1:{CONFIG['s3']}", "x-amz-date": now, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    names = sorted(k for k in headers if k in ("host", "content-md5", "if-none-match") or k.startswith("x-amz-"))
    request = "\n".join([method, path, query, "".join(f"{k}:{headers[k].strip()}\n" for k in names),
                         ";".join(names), "UNSIGNED-PAYLOAD"])
    scope = f"{now[:8]}/auto/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + CONFIG["secret"]).encode()
    for part in (now[:8], "auto", "s3", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={CONFIG['access']}/{scope}, "
                                f"SignedHeaders={';'.join(names)}, Signature={key.hex()}")
    return path + ("?" + query if query else "")


class Both:
    """The same objects behind both APIs."""

    def __init__(self):
        self.lock = threading.Lock()
        self.etags = {}    # (bucket, name): of the object in versitygw that fake-gcs-server has too

    def xml(self, method, path, query=None, headers=None, body=None):
        headers = headers or {}
        c = http.client.HTTPConnection("127.0.0.1", CONFIG["s3"], timeout=300)
        c.request(method, sign(method, path, query or {}, headers), body, headers)
        r = c.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()

    def json(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", CONFIG["emulator"], timeout=300)
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()

    @staticmethod
    def object_path(bucket, name):
        return f"/{bucket}/{quote(name, '/-_.~')}"

    def bring(self, bucket, name, etag=None):
        """From versitygw to fake-gcs-server, unless it has that version."""
        key = (bucket, name)
        if etag and self.etags.get(key) == etag:
            return
        status, headers, data = self.xml("GET", self.object_path(bucket, name))
        if status == 404:
            self.json("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name)}")
            self.etags.pop(key, None)
        elif status == 200 and self.etags.get(key) != headers["etag"]:
            about = {"name": name, "metadata": {k[11:]: v for k, v in headers.items() if k.startswith("x-amz-meta-")}}
            about.update((json_name, headers[k]) for k, json_name in SAME.items() if k in headers)
            edge = secrets.token_hex(16)
            body = (f"--{edge}\r\nContent-Type: application/json\r\n\r\n{json.dumps(about)}\r\n"
                    f"--{edge}\r\nContent-Type: {about['contentType']}\r\n\r\n").encode() + data + f"\r\n--{edge}--\r\n".encode()
            self.json("POST", "/storage/v1/b", json.dumps({"name": bucket}), {"Content-Type": "application/json"})
            self.json("POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=multipart", body,
                      {"Content-Type": f"multipart/related; boundary={edge}"})
            self.etags[key] = headers["etag"]

    def bring_all(self, bucket, prefix):
        query, found = {"list-type": "2", "prefix": prefix}, {}
        while True:
            status, _, data = self.xml("GET", f"/{bucket}", query)
            if status != 200:
                return
            page = xml.etree.ElementTree.fromstring(data)
            space = page.tag.partition("}")[0] + "}" if page.tag[0] == "{" else ""
            found.update((o.findtext(space + "Key"), o.findtext(space + "ETag")) for o in page.iter(space + "Contents"))
            query["continuation-token"] = page.findtext(space + "NextContinuationToken")
            if not query["continuation-token"]:
                break
        gone = {n for b, n in self.etags if b == bucket and n.startswith(prefix)} - set(found)
        for name, etag in [*found.items(), *((name, None) for name in gone)]:
            self.bring(bucket, name, etag)

    def before(self, path, query):
        """Before a request of the JSON API that reads."""
        parts = path.partition("/storage/v1/b/")[2].split("/")
        with self.lock:
            if len(parts) == 3 and parts[1] == "o" and parts[2]:
                self.bring(parts[0], urllib.parse.unquote(parts[2]))
            elif parts[1:] == ["o"]:
                self.bring_all(parts[0], query.get("prefix", ""))

    def after(self, method, path, data):
        """After one that changed something."""
        with self.lock:
            if method == "DELETE":
                bucket, _, name = path.partition("/storage/v1/b/")[2].partition("/o/")
                self.xml("DELETE", self.object_path(bucket, urllib.parse.unquote(name)))
                return
            made = json.loads(data or b"{}")
            if made.get("kind") == "storage#bucket":
                self.xml("PUT", f"/{made['name']}")
            elif made.get("kind") == "storage#object":
                _, headers, data = self.json("GET", f"/download/storage/v1/b/{made['bucket']}/o/{quote(made['name'])}?alt=media",
                                             headers={"Accept-Encoding": "gzip"})
                about = {"x-amz-meta-" + k: v for k, v in (made.get("metadata") or {}).items()}
                about.update((k, made[json_name]) for k, json_name in SAME.items() if made.get(json_name))
                _, headers, _ = self.xml("PUT", self.object_path(made["bucket"], made["name"]), None, about, data)
                self.etags[(made["bucket"], made["name"])] = headers.get("etag")


BOTH = Both()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    how = "-"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=None, kind="application/json"):
        LOG.write(f"{self.command} {self.path} {status} {self.how}\n")
        self.send_response(status)
        for k, v in (headers or {}).items():
            self.send_header(k, v)
        if body:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message):
        """In the dialect of the API; what is left of the body is not read."""
        self.close_connection = True
        headers = {"Connection": "close"}
        if status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="https://accounts.google.com/"'
        if self.xml:
            body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
            return self.answer(status, body.encode(), headers, "application/xml; charset=UTF-8")
        body = {"error": {"code": status, "message": message, "errors": [{"reason": code, "message": message}]}}
        return self.answer(status, json.dumps(body).encode(), headers)

    def body(self):
        """The request's body, whole."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if size == 0:
                    return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def handle_any(self):
        self.how, self.length = "-", None
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.xml = not url.path.startswith(("/storage/v1/", "/upload/storage/v1/", "/download/storage/v1/"))
        if url.path == "/token" and self.command == "POST":
            return self.token()
        if url.path.startswith("/computeMetadata/"):
            return self.metadata(url.path)
        if url.path == "/gate/expire" and self.command == "POST":
            with LOCK:
                TOKENS.clear()
            return self.answer(204)
        if not self.authorized():
            return None
        return self.xml_api(url) if self.xml else self.json_api(url)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = handle_any

    def token(self):
        form = dict(urllib.parse.parse_qsl(self.body().decode()))
        try:
            if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
                raise ValueError("grant_type")
            account, scopes = check_assertion(form["assertion"])
        except (ValueError, KeyError, TypeError) as e:
            body = {"error": "invalid_grant", "error_description": str(e)}
            return self.answer(400, json.dumps(body).encode())
        self.how = account
        return self.answer(200, json.dumps(issue(account, scopes)).encode())

    def metadata(self, path):
        if self.headers.get("Metadata-Flavor") != "Google" or self.headers.get("X-Forwarded-For"):
            return self.answer(403)
        if path != "/computeMetadata/v1/instance/service-accounts/default/token":
            return self.answer(404)
        self.how = "instance"
        return self.answer(200, json.dumps(issue(CONFIG["instance"], WRITERS)).encode(), {"Metadata-Flavor": "Google"})

    def authorized(self):
        given = self.headers.get("Authorization", "")
        self.hmac = self.xml and given.startswith(("AWS4-HMAC-SHA256 ", "GOOG4-HMAC-SHA256 "))
        if self.hmac:
            self.how = "hmac"
            return True
        if not given and self.query.get("upload_id") in SESSIONS:
            self.how = "session"    # a session's address is a credential in itself
            return True
        with LOCK:
            account, scopes, end = TOKENS.get(given[7:] if given.startswith("Bearer ") else "", (None, (), 0))
        if not account or end < time.time():
            self.refuse(401, "AuthenticationRequired" if self.xml else "authError", "Invalid Credentials")
            return False
        self.how = account
        needed = READERS if self.command in ("GET", "HEAD") else WRITERS
        if account in CONFIG["denied"] or not needed & set(scopes):
            self.refuse(403, "AccessDenied" if self.xml else "forbidden",
                        f"{account} does not have storage access to the object.")
            return False
        return True

    def forward(self, host, path, headers):
        """(status, headers, body) of the server behind."""
        body = self.body()
        headers = {k: v for k, v in headers.items() if k.lower() not in HOP | {"content-length"}}
        if body or self.command in ("PUT", "POST"):
            headers["Content-Length"] = str(len(body))
        c = http.client.HTTPConnection(*host, timeout=300)
        c.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
        for k, v in headers.items():
            c.putheader(k, v)
        c.endheaders(body)
        r = c.getresponse()
        data = r.read()
        c.close()
        return r.status, {k: v for k, v in r.getheaders() if k.lower() not in HOP | {"content-length", "date", "server"}}, data

    def give(self, status, headers, data):
        LOG.write(f"{self.command} {self.path} {status} {self.how}\n")
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k, v)
        if self.command == "HEAD" and self.length is not None:
            self.send_header("Content-Length", self.length)
        elif status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(data)

    length = None

    def json_api(self, url):
        port = CONFIG["emulator"]
        session = self.query.get("upload_id")
        span = self.headers.get("Content-Range", "")
        if session and span.startswith("bytes */") and session in SESSIONS and self.command == "PUT":
            # fake-gcs-server would take the question for the end of the upload
            self.body()
            done = SESSIONS[session]
            return self.answer(308, headers={"Range": done} if done else None)
        if session and span.endswith("/*") and "-" in span:
            first, last = span.split()[1].split("/")[0].split("-")
            if (int(last) - int(first) + 1) % 262144:
                return self.refuse(400, "badRequest", "Invalid request. chunk sizes are multiples of 256 KiB")
        if url.path.endswith("/compose") and self.query.get("ifGenerationMatch") == "0":
            c = http.client.HTTPConnection("127.0.0.1", port)
            c.request("GET", url.path[:-len("/compose")])
            if c.getresponse().status == 200:
                return self.refuse(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        if self.command in ("GET", "HEAD"):
            BOTH.before(url.path, self.query)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "authorization"}
        status, headers, data = self.forward(("127.0.0.1", port), self.path, headers)
        for k in list(headers):
            if k.lower() == "location":
                where = urllib.parse.urlsplit(headers[k])
                headers[k] = where._replace(scheme=self.server.scheme, netloc=self.headers["Host"]).geturl()
                SESSIONS[dict(urllib.parse.parse_qsl(where.query)).get("upload_id")] = None
        if session in SESSIONS:
            if status == 308:
                SESSIONS[session] = headers.get("Range")
                data = b""
            else:
                SESSIONS.pop(session)
        if self.command not in ("GET", "HEAD") and status in (200, 204):
            BOTH.after(self.command, url.path, data)
        if self.command == "DELETE" and status == 200:
            status, data = 204, b""
        return self.give(status, headers, data)

    def xml_api(self, url):
        conditions = [k for k in self.headers if k.lower().startswith("x-goog-if-") or
                      k.lower() in ("if-none-match", "if-match")]
        if conditions and self.command in ("PUT", "POST", "DELETE"):
            if "uploads" in self.query or "uploadId" in self.query:
                return self.refuse(400, "NotImplemented", "A header or query you provided requested a function that is not implemented.")
            if any(k.lower().startswith("if-") for k in conditions):
                return self.refuse(400, "InvalidArgument", "If-Match and If-None-Match are for retrieving")
        headers = {}
        for k, v in self.headers.items():
            k = k.lower()
            if k == "x-goog-api-client":
                continue    # what the client is; nothing of the object
            if k == "x-goog-if-generation-match" and v == "0":
                headers["if-none-match"] = "*"
            elif self.hmac:
                headers[k] = v
            elif k == "x-goog-hash" and v.startswith("md5="):
                headers["content-md5"] = v[4:]
            elif k not in ("authorization", "host"):
                headers["x-amz-" + k[7:] if k.startswith("x-goog-") else k] = v
        path = self.path
        if not self.hmac:
            path = sign(self.command, quote(urllib.parse.unquote(url.path), "/-_.~"), self.query, headers)
        status, headers, data = self.forward(("127.0.0.1", CONFIG["s3"]), path, headers)
        etag = headers.get("ETag", "").strip('"')
        if self.command == "PUT" and status == 200 and len(etag) == 32:
            # Google says what it has got; an ETag of versitygw is the MD5 of a part, or of a whole object
            headers["x-goog-hash"] = "md5=" + base64.b64encode(bytes.fromhex(etag)).decode()
        if self.command == "HEAD":
            self.length = next((v for k, v in headers.items() if k.lower() == "content-length"), None)
        return self.give(status, {("x-goog-" + k[6:] if k.lower().startswith("x-amz-") else k): v for k, v in headers.items()}, data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    scheme = "http"

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


def main():
    plain = Server(("127.0.0.1", CONFIG["port"]), Handler)
    secure = Server(("127.0.0.1", CONFIG["tls_port"]), Handler)
    secure.scheme = "https"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CONFIG["cert"], CONFIG["key"])
    # the handshake in the connection's own thread, not in accept
    secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    secure.serve_forever()


main()
