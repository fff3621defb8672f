"""
The near end: a client that opens a tunnel and hands over its socket.

It owns what happens from the socket to the end of the proxy's answer (RFC 9110
section 9.3.6, RFC 1928) and nothing after that: what is sent through the tunnel is
up to L{benchmarks.modes}.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from itertools import cycle

from benchmarks.loop import READ, WRITE, Loop
from benchmarks.secure import SecureSocket

__all__ = ["BASIC", "CONNECT", "DIALECTS", "GET", "SOCKS5", "TLS", "Tunnel"]

CONNECT, SOCKS5, TLS, GET = "connect", "socks5", "tls", "get"
DIALECTS = (CONNECT, SOCKS5, TLS, GET)
"""How a proxy can be spoken to: CONNECT in clear, SOCKS 5, CONNECT within TLS, and GET,
for which it is only connected to."""

BASIC = "basic"
"""CONNECT in clear by a user with a password, for proxies that ask who that is."""

_CREDENTIALS = "Proxy-Authorization: Basic YmVuY2g6YmVuY2htYXJrcw==\r\n"
"""The user bench with the password benchmarks."""

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

    __slots__ = ("_answer", "_dialect", "_failed", "_opened", "_request", "_steps", "fd", "loop", "sock")

    sock: socket.socket | SecureSocket

    def __init__(
        self,
        loop: Loop,
        proxy: tuple[str, int] | None,
        target: tuple[str, int],
        opened: Callable[[Tunnel, bytes], None],
        failed: Callable[[str], None],
        dialect: str = CONNECT,
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
        @param dialect: one of L{DIALECTS}, or L{BASIC}.
        """
        self.loop = loop
        self._opened = opened
        self._failed = failed
        self._answer = b""
        authority = f"{target[0]}:{target[1]}"
        self._dialect = CONNECT if proxy is None else dialect
        self._request = b""
        self._steps: list[tuple[bytes, int]] = []
        if self._dialect == SOCKS5:
            address = socket.inet_aton(target[0]) + target[1].to_bytes(2, "big")
            # Each what to send, and how long the answer to it is.
            self._steps = [(b"\5\1\0", 2), (b"\5\1\0\1" + address, 10)]
        elif self._dialect != GET and proxy is not None:
            said = _CREDENTIALS if self._dialect == BASIC else ""
            self._request = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{said}\r\n".encode("ascii")
        self.sock = sock = socket.socket()
        self.fd = sock.fileno()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((next(_SOURCES), 0))
        code = sock.connect_ex(proxy or target)
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
            self.sock.send(
                b"" if self._dialect == TLS else self._steps[0][0] if self._steps else self._request
            )
        except BlockingIOError:
            if first:
                self.loop.watch(self.fd, WRITE, self._connected)
            return
        except OSError as problem:
            self._fail(problem.strerror or str(problem))
            return
        call = {SOCKS5: self._stepped, TLS: self._shaken}.get(self._dialect, self._answered)
        if first:
            self.loop.watch(self.fd, READ, call)
        else:
            self.loop.calls[self.fd] = call
            self.loop.change(self.fd, READ)
        if self._dialect == TLS:
            self.sock = SecureSocket(self.sock)  # type: ignore[arg-type]
            self._shaken()
        elif not self._request and not self._steps:
            self._opened(self, b"")

    def _shaken(self) -> None:
        """
        Go on with the TLS handshake, and send the request behind it.
        """
        assert isinstance(self.sock, SecureSocket)
        try:
            self.sock.handshake()
            self.sock.send(self._request)
        except BlockingIOError:
            return
        except OSError as problem:
            self._fail(problem.strerror or str(problem))
            return
        self.loop.calls[self.fd] = self._answered

    def _stepped(self) -> None:
        """
        One more answer of SOCKS.
        """
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
        size = self._steps[0][1]
        if len(self._answer) < size:
            return
        answer, rest = self._answer[:size], self._answer[size:]
        # The method that was offered, or the reply that all is well.
        if answer[0] != 5 or answer[1] != 0:
            self._fail(f"answer {answer.hex()}")
            return
        del self._steps[0]
        self._answer = b""
        if not self._steps:
            self._opened(self, rest)
            return
        try:
            self.sock.send(self._steps[0][0])
        except OSError as problem:
            self._fail(problem.strerror or str(problem))

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
