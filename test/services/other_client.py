#!/usr/bin/env python3
"""The vendors' own libraries, for tests: run by the Python of clients.sh.

    other_client.py azure|gcs    commands on standard input, an answer to each on standard output

A command and its answer are JSON objects, a line each; "how" chooses among the ways
to log in. Names are those of objects in "bucket" (a container at Azure).

    {"op": "make", "bucket": B}                         makes the bucket
    {"op": "put", "bucket": B, "prefix": P, "dir": D}   every file of folder D, as P and its path there
    {"op": "get", "bucket": B, "prefix": P, "dir": D}   every object below P, into D, as it is stored
    {"op": "put_encoded", "bucket": B, "name": N, "file": F}   with Content-Encoding: gzip
    {"op": "list", "bucket": B, "prefix": P}            {"objects": {NAME: SIZE}}
    {"op": "head", "bucket": B, "name": N}              what is known of it; what is not set is left out
    {"op": "sas", "bucket": B}                          {"sas": TOKEN}, azure only
"""

import datetime
import json
import os
import sys

PART = 5 * 1024 * 1024
TIMEOUT = 60


def files(folder):
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            yield path, os.path.relpath(path, folder)


class Azure:
    def __init__(self):
        from azure.storage.blob import BlobServiceClient
        self.account, self.key = os.environ["LINK_AZURE_ACCOUNT"], os.environ["LINK_AZURE_KEY"]
        self.plain = f"{os.environ['LINK_AZURE_ENDPOINT']}/{self.account}"
        self.secure = f"{os.environ['LINK_AZURE_TLS_ENDPOINT']}/{self.account}"
        self.service = BlobServiceClient
        self.tokens = {}

    def container(self, c):
        key = {"account_name": self.account, "account_key": self.key}
        url, credential = {"key": (self.plain, key), "tls": (self.secure, key),
                           "sas": (self.plain, self.tokens.get(c["bucket"]))}[c["how"]]
        service = self.service(url, credential, connection_verify=os.environ["LINK_AZURE_CA"], retry_total=0,
                               connection_timeout=TIMEOUT, read_timeout=TIMEOUT, max_single_put_size=PART, max_block_size=PART,
                               max_single_get_size=PART, max_chunk_get_size=PART)
        return service.get_container_client(c["bucket"])

    def make(self, c):
        self.container(c).create_container()

    def sas(self, c):
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        self.tokens[c["bucket"]] = generate_container_sas(self.account, c["bucket"], self.key, expiry=end, permission=ContainerSasPermissions(
            read=True, create=True, write=True, delete=True, list=True))
        return {"sas": self.tokens[c["bucket"]]}

    def put(self, c):
        container = self.container(c)
        for path, name in files(c["dir"]):
            with open(path, "rb") as f:
                container.upload_blob(c["prefix"] + name, f)

    def put_encoded(self, c):
        from azure.storage.blob import ContentSettings
        with open(c["file"], "rb") as f:
            self.container(c).upload_blob(c["name"], f, content_settings=ContentSettings(content_encoding="gzip"))

    def get(self, c):
        container = self.container(c)
        for blob in container.list_blobs(name_starts_with=c["prefix"]):
            path = os.path.join(c["dir"], blob.name[len(c["prefix"]):])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                container.download_blob(blob.name, decompress=False).readinto(f)

    def list(self, c):
        pages = self.container(c).list_blobs(name_starts_with=c["prefix"], results_per_page=100)
        return {"objects": {b.name: b.size for b in pages}}

    def head(self, c):
        p = self.container(c).get_blob_client(c["name"]).get_blob_properties()
        s = p.content_settings
        return {"size": p.size, "kind": p.blob_type.value, "metadata": p.metadata, "content-type": s.content_type,
                "content-encoding": s.content_encoding, "content-language": s.content_language,
                "content-disposition": s.content_disposition, "cache-control": s.cache_control, "tags": p.tag_count}


class Gcs:
    def __init__(self):
        os.environ["REQUESTS_CA_BUNDLE"] = os.environ["LINK_GCS_CA"]
        from google.cloud import storage
        from google.oauth2 import service_account
        account = service_account.Credentials.from_service_account_file(
            os.environ["LINK_GCS_KEY_FILE"], scopes=["https://www.googleapis.com/auth/devstorage.read_write"])
        self.client = storage.Client(project="link-test", credentials=account,
                                     client_options={"api_endpoint": os.environ["LINK_GCS_TLS_ENDPOINT"]})

    def blob(self, c, name, size=0):
        return self.client.bucket(c["bucket"]).blob(name, chunk_size=PART if size > PART else None)

    def make(self, c):
        self.client.create_bucket(c["bucket"], timeout=TIMEOUT)

    def put(self, c):
        """What is large goes in chunks of one upload (JSON API), or, "how" being xml, as a multipart upload of the XML API."""
        for path, name in files(c["dir"]):
            size = os.path.getsize(path)
            blob = self.blob(c, c["prefix"] + name, size)
            if c["how"] == "xml" and size > PART:
                from google.cloud.storage import transfer_manager
                transfer_manager.upload_chunks_concurrently(path, blob, chunk_size=PART, max_workers=2, checksum="md5",
                                                            worker_type=transfer_manager.THREAD)
            else:
                blob.upload_from_filename(path, timeout=TIMEOUT)

    def put_encoded(self, c):
        blob = self.blob(c, c["name"])
        blob.content_encoding = "gzip"
        blob.upload_from_filename(c["file"], timeout=TIMEOUT)

    def get(self, c):
        for found in self.client.list_blobs(c["bucket"], prefix=c["prefix"], timeout=TIMEOUT):
            path = os.path.join(c["dir"], found.name[len(c["prefix"]):])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.blob(c, found.name, found.size).download_to_filename(path, raw_download=True, timeout=TIMEOUT)

    def list(self, c):
        pages = self.client.list_blobs(c["bucket"], prefix=c["prefix"], timeout=TIMEOUT)
        return {"objects": {b.name: b.size for b in pages}}

    def head(self, c):
        b = self.client.bucket(c["bucket"]).get_blob(c["name"], timeout=TIMEOUT)
        return {"size": b.size, "metadata": b.metadata, "content-type": b.content_type, "content-encoding": b.content_encoding,
                "content-language": b.content_language, "content-disposition": b.content_disposition,
                "cache-control": b.cache_control}


def main():
    client = {"azure": Azure, "gcs": Gcs}[sys.argv[1]]()
    for line in sys.stdin:
        c = json.loads(line)
        answer = getattr(client, c["op"])(c) or {}
        print(json.dumps({k: v for k, v in answer.items() if v or k in ("size", "objects")}), flush=True)


main()
