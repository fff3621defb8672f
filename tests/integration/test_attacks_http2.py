"""
A client of HTTP/2 that sends frames of its own making, against a running proxy: each attack
ends as it should, costs little, and leaves the others alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import pytest
from hpack import Encoder

from connectproxy.wire.http2 import PREFACE, ErrorCode, FrameType, formatFrame
from tests.integration.origins import Web
from tests.integration.program import PAGE, OnePortCase
from tests.integration.raw import connect, nameOf
from tests.integration.running import waitFor
from tests.integration.streams import Session

pytestmark = pytest.mark.integration

Frame = tuple[int, int, int, bytes]

Fields = list[tuple[str, str]]


class Raw:
    """
    A connection that obeys nobody.

    @ivar number: of the stream that is next.
    """

    def __init__(self, port: int) -> None:
        self.sock = connect(port)
        self.encoder = Encoder()
        self.number = 1
        self._held = b""
        self.sock.sendall(PREFACE + formatFrame(FrameType.SETTINGS, 0, 0))

    def ask(self, fields: Fields, *, end: bool = True) -> bytes:
        """
        The frame that begins a stream.
        """
        number, self.number = self.number, self.number + 2
        block = self.encoder.encode(fields, huffman=False)
        return formatFrame(FrameType.HEADERS, 4 | end, number, block)

    def frames(self, until: Callable[[Frame], bool] = lambda frame: False) -> list[Frame]:
        """
        What comes, up to such a frame, or up to the end.
        """
        found: list[Frame] = []
        while True:
            while len(self._held) >= 9 and len(self._held) >= (end := 9 + int.from_bytes(self._held[:3])):
                kind, flags = self._held[3:5]
                found.append((kind, flags, int.from_bytes(self._held[5:9]), self._held[9:end]))
                self._held = self._held[end:]
                if until(found[-1]):
                    return found
            try:
                more = self.sock.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                return found
            self._held += more

    def close(self) -> None:
        """
        Close it.
        """
        self.sock.close()


def resets(number: int) -> Callable[[Frame], bool]:
    """
    Knows a frame that resets a stream.
    """
    return lambda frame: frame[0] == FrameType.RST_STREAM and frame[2] == number


class AttackCase(OnePortCase):
    """
    A web server to attack.
    """

    def setUp(self) -> None:
        """
        Have one.
        """
        super().setUp()
        self.far = self.closing(Web({"/": PAGE}, tls=False))

    def fields(self, *more: tuple[str, str], method: str = "GET") -> Fields:
        """
        A request for its page.
        """
        return [
            (":method", method),
            (":scheme", "http"),
            (":authority", self.far.address),
            (":path", "/"),
            *more,
        ]

    def raw(self) -> Raw:
        """
        A connection to the proxy.
        """
        return self.closing(Raw(self.proxy.port))

    def assertServed(self) -> None:
        """
        Somebody else is served all the while.
        """
        session = self.closing(Session(self.proxy.port))
        stream = session.streams[session.ask(*self.fields(), end=True)]
        session.until(lambda: stream.over)
        self.assertEqual((stream.status, bytes(stream.octets)), (200, PAGE))


class MalformedTests(AttackCase):
    """
    Requests that HTTP/1 would read otherwise than HTTP/2.
    """

    def test_fields(self) -> None:
        """
        No field becomes two, or something else, in the request to the origin: the stream is
        reset, and there is one event (RFC 9113 section 10.3).
        """
        for field in (
            ("X", "y"), ("a b", "c"), ("a:b", "c"), ("a\r\nb", "c"), ("x", "a\r\nb: c"), ("x", "a\nb"),
            ("x", "a\0b"), ("x", " a"), ("", "y"), ("transfer-encoding", "chunked"), ("connection", "x"),
            ("te", "gzip"), ("content-length", "-1"), ("content-length", "1, 1"), (":path", "/x"), ("host", "x"),
        ):  # fmt: skip
            raw = self.raw()
            name = nameOf(raw.sock)
            raw.sock.sendall(raw.ask(self.fields(field)))
            *_, last = raw.frames(resets(1))
            self.assertEqual(last[3], ErrorCode.PROTOCOL_ERROR.to_bytes(4), field)
            event = self.proxy.event(name)
            self.assertEqual((event["event"], event["error"]), ("refusal", "http_request_error"), field)
            raw.close()
        self.assertEqual(len(self.proxy.events()), 16)

    def test_lengths(self) -> None:
        """
        A body that is not as long as its Content-Length is no body (RFC 9113 section 8.1.1).
        """
        for length in ("2", "4"):
            raw = self.raw()
            asked = raw.ask(self.fields(("content-length", length), method="POST"), end=False)
            raw.sock.sendall(asked + formatFrame(FrameType.DATA, 1, 1, b"abc"))
            *_, last = raw.frames(resets(1))
            self.assertEqual(last[3], ErrorCode.PROTOCOL_ERROR.to_bytes(4))
            raw.close()
        self.assertServed()

    def test_bomb(self) -> None:
        """
        A block that grows by decompression to more than a request may have ends the connection
        before it has grown.
        """
        raw = self.raw()
        before = self.proxy.memory()
        block = raw.encoder.encode(self.fields(("x", "y" * 4000))) + b"\xbe" * 60000
        pieces = [block[at : at + 16000] for at in range(0, len(block), 16000)]
        raw.sock.sendall(formatFrame(FrameType.HEADERS, 1, 1, pieces[0]))
        for index, piece in enumerate(pieces[1:], 2):
            raw.sock.sendall(formatFrame(FrameType.CONTINUATION, 4 * (index == len(pieces)), 1, piece))
        *_, last = raw.frames()
        self.assertEqual((last[0], last[3][4:8]), (FrameType.GOAWAY, ErrorCode.ENHANCE_YOUR_CALM.to_bytes(4)))
        self.assertLess(self.proxy.memory() - before, 4 << 20)


class FloodTests(AttackCase):
    """
    Frames that cost a client nothing.
    """

    def flood(self, make: Callable[[Raw], bytes], *, begin: bool = False) -> None:
        """
        Send the same again and again, and read what comes.

        @param begin: on a stream that leads to the origin.
        """
        raw = self.raw()
        before = self.proxy.memory()
        if begin:
            raw.sock.sendall(raw.ask([(":method", "CONNECT"), (":authority", self.far.address)], end=False))

        def send() -> None:
            with contextlib.suppress(OSError):
                for _ in range(400):
                    raw.sock.sendall(make(raw))

        thread = threading.Thread(target=send)
        thread.start()
        frames = raw.frames()
        thread.join()
        self.assertEqual(frames[-1][0], FrameType.GOAWAY)
        self.assertEqual(frames[-1][3][4:8], ErrorCode.ENHANCE_YOUR_CALM.to_bytes(4), frames[-1])
        self.assertLess(self.proxy.memory() - before, 16 << 20)
        raw.close()

    def test_idle(self) -> None:
        """
        Frames that move nothing come to an end, of whatever type (RFC 9113 section 10.5).
        """
        for make, begin in (
            (formatFrame(FrameType.PING, 0, 0, bytes(8)), False),
            (formatFrame(FrameType.SETTINGS, 0, 0, b"\0\4\0\1\0\0"), False),
            (formatFrame(FrameType.PRIORITY, 0, 7, bytes(5)), False),
            (formatFrame(FrameType.WINDOW_UPDATE, 0, 0, b"\0\0\0\1"), False),
            (formatFrame(FrameType.DATA, 0, 1), True),
            (formatFrame(FrameType.DATA, 8, 1, b"\x05" + bytes(5)), True),
            (formatFrame(99, 0, 1), False),  # nobody knows it
        ):
            self.flood(lambda raw, make=make: make * 50, begin=begin)  # type: ignore[misc]
        self.assertServed()

    def test_resets(self) -> None:
        """
        So do requests that are given up at once, and those that the proxy is made to reset.
        """
        for spoiled in (
            lambda number: formatFrame(FrameType.RST_STREAM, 0, number, b"\0\0\0\x08"),
            lambda number: formatFrame(FrameType.WINDOW_UPDATE, 0, number, bytes(4)),
            lambda number: formatFrame(FrameType.DATA, 0, number, b"x"),
        ):
            self.flood(
                lambda raw, spoiled=spoiled: b"".join(  # type: ignore[misc]
                    [raw.ask(self.fields()) + spoiled(raw.number - 2) for _ in range(25)]
                )
            )
        waitFor(lambda: len(self.proxy.events()) < 3 * 1100, "no more events than requests")
        self.assertServed()
