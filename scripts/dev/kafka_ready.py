"""Exits 0 when the broker on 127.0.0.1:PORT answers a metadata request and names itself in the answer, else 1.

The request is Metadata version 5 of https://kafka.apache.org/protocol#The_Messages_Metadata, for no topic. It needs no
client library, and no JVM that takes a second to start.
"""

import socket
import struct
import sys

METADATA, VERSION, CORRELATION = 3, 5, 7
TIMEOUT_S = 5
ANSWER_MAX = 1 << 20


def read_exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError("closed in mid-answer")
        data += more
    return data


def brokers(port: int) -> list[tuple[str, int]]:
    """Asks for the cluster's brokers; raises OSError while it is away, ValueError on an answer that is none."""
    header = struct.pack(">hhih", METADATA, VERSION, CORRELATION, -1)
    body = struct.pack(">i?", 0, False)
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
        (size,) = struct.unpack(">i", read_exactly(connection, 4))
        if not 0 < size <= ANSWER_MAX:
            raise ValueError(f"an answer of {size} bytes")
        answer = read_exactly(connection, size)
    correlation, _throttle_ms, count = struct.unpack_from(">iii", answer)
    if correlation != CORRELATION:
        raise ValueError("the answer to another question")
    found, at = [], 12
    for _ in range(count):
        _node, length = struct.unpack_from(">ih", answer, at)
        at += 6
        host = answer[at : at + length].decode()
        (broker_port,) = struct.unpack_from(">i", answer, at + length)
        (rack_length,) = struct.unpack_from(">h", answer, at + length + 4)
        at += length + 6 + max(rack_length, 0)
        found.append((host, broker_port))
    return found


def main() -> int:
    port = int(sys.argv[1])
    try:
        return 0 if ("127.0.0.1", port) in brokers(port) else 1
    except (OSError, ValueError, struct.error):
        return 1


if __name__ == "__main__":
    sys.exit(main())
