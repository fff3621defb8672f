"""
The near end: a client that opens a tunnel and hands over its socket.

It owns what happens from the socket to the end of the proxy's answer (RFC 9110
section 9.3.6) and nothing after that: what is sent through the tunnel is up to
L{benchmarks.modes}.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from itertools import cycle

from benchmarks.loop import READ, WRITE, Loop

__all__ = ["Tunnel"]

# Addresses to call from, for the same reason as the origin has several.
_SOURCES: Iterator[str] = cycle([f"127.0.2.{last}" for last in range(1, 9)])
# ip(7): choose the port at connect(2), when the other end is known.  Without it
# a port is taken for all destinations at once.
_IP_BIND_ADDRESS_NO_PORT = 24
_LONGEST_ANSWER = 65536
_RESET = struct.pack("ii", 1, 0)


class Tunnel:
    """
    One tunnel, from dialling on.

    @ivar sock: the socket; after C{opened} it belongs to whoever was called.
    @ivar fd: its descriptor.
    """

    __slots__ = ("_answer", "_failed", "_opened", "_request", "fd", "loop", "sock")

    def __init__(
        self,
        loop: Loop,
        proxy: tuple[str, int] | None,
        target: tuple[str, int],
        opened: Callable[[Tunnel, bytes], None],
        failed: Callable[[str], None],
    ) -> None:
        """
        Dial.

        @param proxy: address and port of the proxy; L{None} goes to the target
            directly, to see what the load can do.
        @param target: address and port of the origin.
        @param opened: called with the tunnel and what came after the answer's
            head.  The socket is watched for reading; set C{loop.calls[fd]}.
        @param failed: called with the reason, instead of C{opened}; it may be
            called before this constructor returns.
        """
        self.loop = loop
        self._opened = opened
        self._failed = failed
        self._answer = b""
        authority = f"{target[0]}:{target[1]}"
        self._request = b""
        if proxy is not None:
            self._request = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode("ascii")
        self.sock = socket.socket()
        self.fd = self.sock.fileno()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        self.sock.bind((next(_SOURCES), 0))
        code = self.sock.connect_ex(proxy or target)
        if code not in (0, errno.EINPROGRESS):
            self._fail(os.strerror(code))
            return
        self._connected(first=True)

    def _connected(self, first: bool = False) -> None:
        """
        Send the request; on loopback the connection is there already as a rule,
        which saves a wait for the socket to become writable.
        """
        try:
            # An empty send tells whether the connection is there.
            self.sock.send(self._request)
        except BlockingIOError:
            if first:
                self.loop.watch(self.fd, WRITE, self._connected)
            return
        except OSError as problem:
            self._fail(problem.strerror or str(problem))
            return
        call = self._answered
        if first:
            self.loop.watch(self.fd, READ, call)
        else:
            self.loop.calls[self.fd] = call
            self.loop.change(self.fd, READ)
        if not self._request:
            self._opened(self, b"")

    def _answered(self) -> None:
        try:
            got = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as problem:
            self._fail(problem.strerror or str(problem))
            return
        if not got:
            self._fail("closed before an answer")
            return
        self._answer += got
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if not end:
            if len(head) > _LONGEST_ANSWER:
                self._fail("no end of the answer's head")
            return
        status = head.partition(b"\r\n")[0].decode("ascii", "replace")
        if status[9:10] != "2":
            self._fail(f"answer {status[:60]!r}")
            return
        self._answer = b""
        self._opened(self, rest)

    def _fail(self, reason: str) -> None:
        self.close()
        self._failed(reason)

    def close(self, reset: bool = False) -> None:
        """
        Close the socket.

        @param reset: with RST rather than FIN, where bytes are still on their way.
        """
        self.loop.forget(self.fd)
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()
