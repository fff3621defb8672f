"""
The far end of every tunnel: it echoes, sends without end, discards, or both; or it
answers HTTP with a page of 1 KiB.

It runs in the process of the load.  On one core that saves a switch between
processes for every message, and what has arrived can be counted where it
arrived: a proxy that only buffers gains nothing.  It knows nothing of proxies.

Left out: the bytes are not compared (the test suite does that); bulk bytes are
dropped inside the kernel by C{MSG_TRUNC}, tcp(7), and never copied.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from benchmarks.loop import READ, WRITE, Loop
from benchmarks.secure import SecureSocket

__all__ = ["ADDRESSES", "CHUNK", "SERVICES", "Origin", "discard"]

# Several addresses, so that the ports of closed connections in TIME_WAIT last:
# a proxy has some 28,000 ports to call each of them from.
ADDRESSES = tuple(f"127.0.1.{last}" for last in range(1, 9))
SERVICES = ("echo", "source", "sink", "both", "http")

PAGE = (
    b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: benchmark\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Length: 1024\r\n\r\n" + bytes(1024)
)

# Octets offered to the kernel at once.  256 KiB was the fastest of 64 KiB,
# 256 KiB and 1 MiB, and faster than sendfile(2) from memory, whose single
# pages also make more work for a receiver than those of an ordinary send do.
CHUNK = bytes(256 * 1024)
_PIT = bytearray(4 * 1024 * 1024)
_BACKLOG = 4096


def discard(sock: socket.socket | SecureSocket) -> int:
    """
    Drop what has arrived, up to 4 MiB, without copying it.

    @return: octets dropped; 0 at the end of the stream.
    @raise BlockingIOError: nothing is there.
    @raise OSError: the connection was reset.
    """
    if isinstance(sock, SecureSocket):
        return sock.discard()
    return sock.recv_into(_PIT, len(_PIT), socket.MSG_TRUNC)


class _Visit:
    """
    One connection to one of the services, each of which is a method.
    """

    __slots__ = ("fd", "origin", "sock")

    def __init__(self, origin: Origin, sock: socket.socket) -> None:
        self.origin = origin
        self.sock = sock
        self.fd = sock.fileno()

    def end(self) -> None:
        self.origin.leave(self)

    def echo(self) -> None:
        try:
            got = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        try:
            # Messages are far smaller than a socket's buffer, so what does not
            # fit at once is a fault, and shows as one at the other end.
            if not got or self.sock.send(got) != len(got):
                self.end()
        except OSError:
            self.end()

    def http(self) -> None:
        """Answer each head; the load sends no content, and no head before it has its answer."""
        try:
            got = self.sock.recv(65536)
            if got.endswith(b"\r\n\r\n") and self.sock.send(PAGE) == len(PAGE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.end()

    def source(self) -> None:
        try:
            self.sock.send(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self.end()

    def sink(self) -> None:
        try:
            got = discard(self.sock)
        except BlockingIOError:
            return
        except OSError:
            got = 0
        if got:
            self.origin.arrived += got
        else:
            self.end()

    def both(self) -> None:
        self.sink()
        if self.sock.fileno() >= 0:
            self.source()


class Origin:
    """
    All services on all addresses.

    @ivar arrived: octets that C{sink} and C{both} have received so far.
    @ivar visits: the open connections.
    """

    def __init__(self, loop: Loop) -> None:
        """
        Listen, on ports the kernel chooses.

        @raise OSError: an address can't be bound; 127.0.0.0/8 is not local here.
        """
        self.arrived = 0
        self.visits: set[_Visit] = set()
        self._loop = loop
        self._ports: list[socket.socket] = []
        self._targets: dict[str, list[tuple[str, int]]] = {}
        self._turn = 0
        for service in SERVICES:
            for address in ADDRESSES:
                port = socket.create_server((address, 0), backlog=_BACKLOG)
                port.setblocking(False)
                self._ports.append(port)
                self._targets.setdefault(service, []).append((address, port.getsockname()[1]))
                loop.watch(port.fileno(), READ, self._accepter(port, service))

    def _accepter(self, port: socket.socket, service: str) -> Callable[[], None]:
        mask = {"source": WRITE, "both": READ | WRITE}.get(service, READ)

        def accept() -> None:
            try:
                while True:
                    sock, _ = port.accept()
                    sock.setblocking(False)
                    visit = _Visit(self, sock)
                    self.visits.add(visit)
                    self._loop.watch(visit.fd, mask, getattr(visit, service))
            except BlockingIOError:
                return

        return accept

    def target(self, service: str) -> tuple[str, int]:
        """
        Where to send the next tunnel: the addresses take turns.

        @param service: one of L{SERVICES}.
        """
        self._turn += 1
        return self._targets[service][self._turn % len(ADDRESSES)]

    def leave(self, visit: _Visit) -> None:
        """Close one connection."""
        self._loop.forget(visit.fd)
        self.visits.discard(visit)
        visit.sock.close()

    def close(self) -> None:
        """Close every connection and every port."""
        for visit in list(self.visits):
            self.leave(visit)
        for port in self._ports:
            self._loop.forget(port.fileno())
            port.close()
