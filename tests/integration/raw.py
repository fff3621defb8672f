"""
The client's and the origin's side of a tunnel as plain sockets, both in the test's hand.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import NamedTuple

from tests.integration.running import GUARD

__all__ = [
    "Answer",
    "SilentOrigin",
    "connect",
    "head",
    "listening",
    "nameOf",
    "readAnswer",
    "readExactly",
    "readToEnd",
    "reset",
]


class Answer(NamedTuple):
    """
    What the proxy answers.

    @ivar fields: the header fields, their names in lower case.
    @ivar body: all that came behind the head until the end of the stream, in a refusal.
    """

    status: int
    fields: dict[str, str]
    body: str


def connect(port: int, host: str = "127.0.0.1") -> socket.socket:
    """
    Connect to the proxy.
    """
    sock = socket.create_connection((host, port), GUARD)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def listening(host: str = "127.0.0.1", backlog: int = 128) -> socket.socket:
    """
    An origin's port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.create_server((host, 0), family=family, backlog=backlog)
    sock.settimeout(GUARD)
    return sock


def nameOf(sock: socket.socket) -> str:
    """
    A client as events name it; to be asked before the socket is closed.
    """
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def head(target: str) -> bytes:
    """
    A request for a tunnel.
    """
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("latin-1")


def readExactly(sock: socket.socket, size: int) -> bytes:
    """
    Read so many octets, or up to the end if that comes first.
    """
    octets = bytearray()
    while len(octets) < size and (more := sock.recv(min(size - len(octets), 1 << 18))):
        octets += more
    return bytes(octets)


def readToEnd(sock: socket.socket) -> tuple[bytes, str]:
    """
    @return: what came, and C{"eof"} or C{"reset"}.
    """
    octets = bytearray()
    try:
        while more := sock.recv(1 << 18):
            octets += more
    except ConnectionError:
        return bytes(octets), "reset"
    return bytes(octets), "eof"


def readAnswer(sock: socket.socket) -> Answer:
    """
    Read an answer, and nothing of what follows a success.

    @raise ConnectionError: there is none.
    """
    octets = b""
    while not octets.endswith(b"\r\n\r\n"):
        more = sock.recv(1)
        if not more:
            raise ConnectionAbortedError(f"the proxy has closed after {octets!r}")
        octets += more
    first, *lines = octets.decode("latin-1").split("\r\n")[:-2]
    version, status, _ = first.split(" ", 2)
    assert version == "HTTP/1.1", first
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.lower()
        # One field for each challenge and each proxy; no other may come twice.
        assert name not in fields or name in ("proxy-authenticate", "via"), lines
        fields[name] = f"{fields[name]}, {value.strip()}" if name in fields else value.strip()
    body = "" if status == "200" else readToEnd(sock)[0].decode()
    return Answer(int(status), fields, body)


def reset(sock: socket.socket) -> None:
    """
    Close a connection by a reset.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class SilentOrigin:
    """
    A port that leaves a dialler without an answer: its queue of connections is full, so the
    kernel drops what comes.
    """

    def __init__(self) -> None:
        self._port = listening(backlog=0)
        self.port: int = self._port.getsockname()[1]
        self._queue: list[socket.socket] = []
        while True:
            sock = socket.socket()
            self._queue.append(sock)
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", self.port))
            if not select.select([], [sock], [], 0.2)[1]:
                return

    def close(self) -> None:
        """
        Let go of the port.
        """
        for each in (*self._queue, self._port):
            each.close()
