"""
A client of HTTP/2 for the load: one connection within TLS, and tunnels as its streams.

It speaks as much of RFC 9113 as a tunnel needs and checks nothing that a proxy does
right; windows it keeps to.  What goes through the tunnels is up to L{benchmarks.h2}.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import cache
from struct import Struct

from benchmarks.loop import READ, WRITE, Loop

__all__ = ["WINDOW", "Session", "Stream"]

_HEAD = Struct(">HBBBL")
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _UPDATE = 0, 1, 3, 4, 6, 7, 8

WINDOW = 16 << 20
"""Octets of each receiving window; half of it is given back at a time."""

_SIZES = bytes(range(0x20, 0x3F))

_FRAME = 16384
_RECORD = 16384
_HELD = 262144


@cache
def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    length = len(payload)
    return _HEAD.pack(length >> 8, length & 255, kind, flags, stream) + payload


class Stream:
    """
    One tunnel.

    @ivar opened: called when it is there.
    @ivar heard: called with octets that came through it.
    @ivar lost: called with the reason when it ends; nothing is called after that.
    @ivar room: called when there is room to send again.
    @ivar window: octets that it may send.
    """

    __slots__ = ("_owed", "heard", "lost", "number", "opened", "room", "session", "window")

    def __init__(self, session: Session, number: int) -> None:
        self.session = session
        self.number = number
        self.window = session.initial
        self._owed = 0
        self.opened: Callable[[], None] = _nothing
        self.heard: Callable[[memoryview], None] = _drop
        self.lost: Callable[[str], None] = _ignore
        self.room: Callable[[], None] | None = None

    def send(self, octets: bytes) -> bool:
        """
        Send a message.

        @return: C{False} if a window does not let it.
        """
        session, length = self.session, len(octets)
        if length > self.window or length > session.window:
            return False
        self.window -= length
        session.window -= length
        session.write(_frame(_DATA, 0, self.number, octets))
        return True

    def took(self, count: int) -> None:
        """
        Give credit for what came, in large steps.
        """
        self._owed += count
        if self._owed * 2 >= WINDOW:
            self.session.write(_frame(_UPDATE, 0, self.number, self._owed.to_bytes(4, "big")))
            self._owed = 0

    def reset(self) -> None:
        """
        End it.
        """
        if self.session.streams.pop(self.number, None) is not None:
            self.session.write(_frame(_RESET, 0, self.number, (8).to_bytes(4, "big")))


class Session:
    """
    One connection to a proxy.

    @ivar failed: why it is of no use any more; empty while it is.
    @ivar ready: the proxy's SETTINGS have come.
    @ivar initial: the window of new streams.
    """

    def __init__(self, loop: Loop, proxy: tuple[str, int]) -> None:
        """
        Connect; this waits for the handshake.
        """
        self.loop = loop
        raw = socket.create_connection(proxy)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = _context().wrap_socket(raw)
        self.failed = "" if self._sock.selected_alpn_protocol() == "h2" else "no HTTP/2"
        self._sock.setblocking(False)
        self.streams: dict[int, Stream] = {}
        self.initial = self.window = 65535
        self.ready = False
        self._next = 1
        self._held = b""
        self._out = bytearray()
        self._owed = 0
        self._writing = False
        self._inside = False
        settings = (4).to_bytes(2, "big") + WINDOW.to_bytes(4, "big")
        self._out += _PREFACE + _frame(_SETTINGS, 0, 0, settings)
        self._out += _frame(_UPDATE, 0, 0, (WINDOW - 65535).to_bytes(4, "big"))
        self.fd = self._sock.fileno()
        loop.watch(self.fd, READ, self._serve)
        self._flush()

    def open(self, target: tuple[str, int]) -> Stream:
        """
        Ask for a tunnel.
        """
        stream = Stream(self, self._next)
        self.streams[self._next] = stream
        authority = f"{target[0]}:{target[1]}".encode("ascii")
        # Literal fields without indexing (RFC 7541 section 6.2.2): :method and :authority.
        block = b"\x02\x07CONNECT\x01" + bytes([len(authority)]) + authority
        self.write(_frame(_HEADERS, 4, self._next, block))
        self._next += 2
        return stream

    def write(self, octets: bytes) -> None:
        """
        Send frames.
        """
        self._out += octets
        if not self._inside and len(self._out) == len(octets):
            self._flush()

    @property
    def full(self) -> bool:
        """Whether there is enough to send as it is."""
        return len(self._out) > _HELD

    def _flush(self) -> None:
        out, sent = self._out, 0
        try:
            with memoryview(out) as view:
                while sent < len(out):
                    sent += self._sock.send(view[sent : sent + _RECORD])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError as problem:
            self.failed = str(problem)
        del out[:sent]
        wanted = bool(out) or any(
            each.room is not None and each.window >= _FRAME for each in self.streams.values()
        )
        if wanted != self._writing:
            self._writing = wanted
            self.loop.change(self.fd, READ | WRITE if wanted else READ)

    def _serve(self) -> None:
        """
        Whatever the socket is ready for.
        """
        self._inside = True
        if self._out:
            self._flush()
        parts = [self._held] if self._held else []
        try:
            while len(parts) < 16:
                part = self._sock.recv(65536)
                if not part:
                    self.failed = "closed"
                    break
                parts.append(part)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as problem:
            self.failed = str(problem)
        octets = parts[0] if len(parts) == 1 else b"".join(parts)
        self._held = octets[self._read(octets) :]
        if not self.full:
            for stream in [each for each in self.streams.values() if each.room is not None]:
                if self.full:
                    break
                stream.room()  # type: ignore[misc]
        self._inside = False
        self._flush()
        if self.failed:
            self.loop.forget(self.fd)
            for stream in list(self.streams.values()):
                self._end(stream, self.failed)

    def _read(self, octets: bytes) -> int:
        """
        @return: how many octets were whole frames.
        """
        at, end, streams = 0, len(octets), self.streams
        view = memoryview(octets)
        unpack = _HEAD.unpack_from
        while end - at >= 9:
            upper, lower, kind, flags, number = unpack(octets, at)
            size = upper << 8 | lower
            if end - at < 9 + size:
                break
            payload = view[at + 9 : at + 9 + size]
            at += 9 + size
            stream = streams.get(number)
            if kind == _DATA:
                self._owed += size
                if self._owed * 2 >= WINDOW:
                    self.write(_frame(_UPDATE, 0, 0, self._owed.to_bytes(4, "big")))
                    self._owed = 0
                if stream is not None:
                    stream.heard(payload)
                    if flags & 1:
                        self._end(stream, "ended")
            else:
                self._control(kind, flags, number, stream, payload)
        return at

    def _control(
        self, kind: int, flags: int, number: int, stream: Stream | None, payload: memoryview
    ) -> None:
        if kind == _HEADERS and stream is not None:
            # RFC 7541: changes of the table's size may stand in front of the indexed field :status 200.
            if bytes(payload).lstrip(_SIZES)[:1] == b"\x88":
                stream.opened()
            else:
                self._end(stream, f"answer {bytes(payload[:8]).hex()}")
        elif kind == _RESET and stream is not None:
            self._end(stream, f"reset {int.from_bytes(payload, 'big')}")
        elif kind == _UPDATE:
            increment = int.from_bytes(payload, "big")
            if stream is not None:
                stream.window += increment
            elif not number:
                self.window += increment
        elif kind == _SETTINGS and not flags & 1:
            for at in range(0, len(payload), 6):
                if payload[at : at + 2] == b"\0\4":
                    self.initial = int.from_bytes(payload[at + 2 : at + 6], "big")
            self.ready = True
            self.write(_frame(_SETTINGS, 1, 0, b""))
        elif kind == _PING and not flags & 1:
            self.write(_frame(_PING, 1, 0, bytes(payload)))
        elif kind == _GOAWAY:
            self.failed = f"GOAWAY {int.from_bytes(payload[4:8], 'big')}"

    def _end(self, stream: Stream, reason: str) -> None:
        if self.streams.pop(stream.number, None) is not None:
            stream.lost(reason)

    def close(self) -> None:
        """
        Close the connection.
        """
        self.loop.forget(self.fd)
        self._sock.close()


def _nothing() -> None:
    pass


def _drop(_octets: memoryview) -> None:
    pass


def _ignore(_reason: str) -> None:
    pass
