#!/usr/bin/env python3
"""A Kafka broker that lets nobody in, and writes down every byte that arrives.

    fake_kafka.py LOGFILE [PORT | CERT KEY]

It takes the login (SASL PLAIN and SCRAM) of whoever connects and refuses it in the
words that it came in. With CERT and KEY over TLS; a connection that does not begin
with a handshake is written down and closed. Listens on 127.0.0.1, on PORT or a free
one, and prints "port N".

The log has the line "CONNECT" for each connection and then all that came: of TLS the
plain text.

Messages: https://kafka.apache.org/protocol.html
"""

import socket
import ssl
import struct
import sys
import threading

LOG = open(sys.argv[1], "ab", buffering=0)
TLS = None
if len(sys.argv) > 3:
    TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TLS.load_cert_chain(sys.argv[2], sys.argv[3])
    # whoever has a certificate may show it
    TLS.verify_mode = ssl.CERT_OPTIONAL
    TLS.load_verify_locations(sys.argv[2])

SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 17, 18, 36
AUTHENTICATION_FAILED = 58
SUPPORTED = ((0, 0, 8), (1, 0, 11), (3, 0, 8), (SASL_HANDSHAKE, 0, 1), (API_VERSIONS, 0, 2), (SASL_AUTHENTICATE, 0, 0))


def string(data):
    return struct.pack(">h", len(data)) + data


def exact(connection, n):
    data = b""
    while len(data) < n:
        piece = connection.recv(n - len(data))
        if not piece:
            raise ConnectionError
        LOG.write(piece)
        data += piece
    return data


def answer(connection, correlation, body):
    connection.sendall(struct.pack(">ii", len(body) + 4, correlation) + body)


def serve(connection):
    LOG.write(b"CONNECT\n")
    try:
        connection.settimeout(20)
        if TLS:
            first = connection.recv(1, socket.MSG_PEEK)
            if first != b"\x16":
                LOG.write(connection.recv(1 << 16))
                return
            connection = TLS.wrap_socket(connection, server_side=True)
        while True:
            size = struct.unpack(">i", exact(connection, 4))[0]
            if not 8 <= size <= 1 << 20:
                return
            body = exact(connection, size)
            key, version, correlation = struct.unpack(">hhi", body[:8])
            if key == API_VERSIONS:
                # a version that we do not know is answered as version 0
                error = 0 if version <= 2 else 35
                ranges = b"".join(struct.pack(">hhh", *s) for s in SUPPORTED)
                text = struct.pack(">hi", error, len(SUPPORTED)) + ranges
                answer(connection, correlation, text + (struct.pack(">i", 0) if version in (1, 2) else b""))
            elif key == SASL_HANDSHAKE:
                names = (b"PLAIN", b"SCRAM-SHA-256", b"SCRAM-SHA-512")
                answer(connection, correlation, struct.pack(">hi", 0, len(names)) + b"".join(map(string, names)))
            elif key == SASL_AUTHENTICATE:
                at = 10 + max(struct.unpack(">h", body[8:10])[0], 0)
                said = body[at + 4:].replace(b"\0", b" ")
                answer(connection, correlation, struct.pack(">h", AUTHENTICATION_FAILED)
                       + string(b"Refused " + said) + struct.pack(">i", 0))
                return
            else:
                return
    except (OSError, struct.error):
        pass
    finally:
        connection.close()


server = socket.create_server(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) == 3 else 0), backlog=64)
print("port %d" % server.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
