#!/usr/bin/env python3
"""What is no broker, or a broker that means ill, on the port of one.

    hostile_kafka.py LOGFILE HOW

    http      speaks HTTP
    huge      says that an answer of 2 GB follows, and sends some of it
    negative  an answer of -1 bytes
    random    random bytes, always the same
    counts    real answers, until one says that there are 2^31-1 brokers
    large     an answer of 64 MB
    endless   begins an answer of 16 MB and never ends it
    closes    greets, and closes the connection at the first question
    silent    takes all and says nothing

Listens on 127.0.0.1 and prints "port N"; the log has a line for each connection.
Messages: https://kafka.apache.org/protocol.html
"""

import random
import socket
import struct
import sys
import threading
import time

LOG = open(sys.argv[1], "ab", buffering=0)
HOW = sys.argv[2]
METADATA, API_VERSIONS = 3, 18
HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nno!\n"


def exact(connection, n):
    data = b""
    while len(data) < n:
        piece = connection.recv(n - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def request(connection):
    body = exact(connection, struct.unpack(">i", exact(connection, 4))[0])
    return struct.unpack(">hhi", body[:8])


def serve(connection):
    LOG.write(b"CONNECT\n")
    try:
        connection.settimeout(20)
        while True:
            key, version, correlation = request(connection)
            if HOW == "http":
                connection.sendall(HTTP)
                return
            if HOW == "huge":
                connection.sendall(struct.pack(">ii", 0x7FFFFFFF, correlation) + b"x" * 100000)
            elif HOW == "negative":
                connection.sendall(struct.pack(">ii", -1, correlation))
            elif HOW == "random":
                connection.sendall(struct.pack(">ii", 4096, correlation) + random.Random(1).randbytes(4092))
            elif HOW == "large":
                connection.sendall(struct.pack(">ii", 64 << 20, correlation) + b"x" * 100000)
            elif HOW == "endless":
                connection.sendall(struct.pack(">ii", 16 << 20, correlation))
                while True:
                    connection.sendall(b"x" * 1024)
                    time.sleep(0.1)
            elif HOW in ("counts", "closes") and key == API_VERSIONS:
                ranges = ((0, 0, 8), (1, 0, 11), (3, 0, 4), (API_VERSIONS, 0, 2))
                error = 0 if version <= 2 else 35
                body = struct.pack(">hi", error, len(ranges)) + b"".join(struct.pack(">hhh", *r) for r in ranges)
                body += struct.pack(">i", 0) if version in (1, 2) else b""
                connection.sendall(struct.pack(">ii", len(body) + 4, correlation) + body)
            elif HOW == "closes":
                return
            elif HOW == "counts":
                body = struct.pack(">ii", 0, 0x7FFFFFFF) + b"\x7f" * 100
                connection.sendall(struct.pack(">ii", len(body) + 4, correlation) + body)
    except (OSError, struct.error):
        pass
    finally:
        connection.close()


server = socket.create_server(("127.0.0.1", 0), backlog=64)
print("port %d" % server.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
