"""
Whatever a client sends, nothing raises, nothing is left, and it does not depend on how the
octets were cut.
"""

from __future__ import annotations

import re
from typing import Any

from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from connectproxy.wire.http2 import (
    PREFACE,
    FrameType,
    formatData,
    formatFrame,
    formatGoAway,
    formatHeaders,
    formatReset,
    formatSettings,
    formatWindowUpdate,
)
from tests.listeners.http2.case import ACK, HTTP2Case, Raw
from tests.listeners.http2.client import connectFields


def block(fields: list[tuple[str, str]]) -> bytes:
    """
    A field block that leaves the table as it is.
    """
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(fields)


def message(method: str, *more: tuple[str, str]) -> bytes:
    """
    The block of a request for an http URL.
    """
    return block(
        [(":method", method), (":scheme", "http"), (":authority", "a.example"), (":path", "/"), *more]
    )


BLOCKS = (
    block(connectFields("a.example:443")),
    block(connectFields("nowhere")),
    message("GET"),
    message("POST", ("content-length", "5")),
    message("CONNECT", (":protocol", "websocket")),
    message("HEAD", ("connection", "x")),
    block([("trailer", "x")]),
    b"\xff\xff",
)

numbers = st.integers(0, 9)
frames = st.one_of(
    st.builds(
        lambda number, octets, end: formatData(number, octets, 16384, end=end),
        numbers,
        st.binary(max_size=20),
        st.booleans(),
    ),
    st.builds(
        lambda number, which, end: formatHeaders(number, BLOCKS[which], 16384, end=end),
        st.sampled_from((1, 3, 5, 7, 9, 2)),
        st.integers(0, len(BLOCKS) - 1),
        st.booleans(),
    ),
    st.builds(
        lambda which, flags: formatFrame(FrameType.HEADERS, flags, 9, BLOCKS[which]),
        st.integers(0, 7),
        st.integers(0, 255),
    ),
    st.builds(formatReset, numbers, st.integers(0, 20)),
    st.builds(formatWindowUpdate, numbers, st.sampled_from((0, 1, 100000, (1 << 31) - 1))),
    st.builds(
        lambda key, value: formatSettings({key: value}),
        st.integers(0, 9),
        st.sampled_from((0, 1, 2, 16384, 100000, 1 << 31)),
    ),
    st.builds(formatFrame, st.integers(0, 11), st.integers(0, 255), numbers, st.binary(max_size=12)),
    st.just(formatFrame(FrameType.PING, 0, 0, bytes(8))),
    st.just(formatGoAway(0, 0)),
    st.just(formatData(1, bytes(3000), 16384)),
)


class MutantTests(HTTP2Case):
    """
    Frames in any order, with anything in them.
    """

    def play(self, sent: list[bytes], size: int, doings: list[int]) -> tuple[bytes, int]:
        """
        Send frames, and do something to the origins now and then.

        @param size: of the pieces that they come in.
        @return: what came back, and how many destinations were asked for.
        """
        HTTP2Case.setUp(self)
        client = self.port.connect(Raw())
        self.flush()
        connection: Any = next(iter(self.port.factory.connections))
        octets = PREFACE + formatSettings({}) + ACK + b"".join(sent)
        for at in range(0, len(octets), size):
            # Past the transport, so that an exception is not caught by the reactor.
            connection.dataReceived(octets[at : at + size])
        self.flush()
        answer = re.sub(rb"\w{3}, .{20} GMT", b"now", bytes(client.received))
        for index, doing in enumerate(doings[: len(self.dials)]):
            dial = self.dials[index]
            if dial.cancelled or dial.result.called:
                continue
            if doing == 0:
                dial.fail("dns_error")
                continue
            origin = dial.succeed(
                early=b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc" if doing == 1 else b""
            )
            self.flush()
            if doing > 1:
                origin.transport.write(b"x" * 100000)
            if doing == 3:
                origin.transport.abortConnection()
            elif doing == 4:
                origin.transport.loseConnection()
            self.flush()
        client.transport.abortConnection()
        self.flush()
        for dial in self.dials:
            self.assertTrue(dial.cancelled or dial.result.called)
        self.assertEqual((self.board.admission.tunnels, self.board.admission.connections), (0, 0))
        self.assertEqual(self.reactor.getReaders(), [])
        return answer, len(self.dials)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(frames, max_size=12), st.integers(1, 60), st.lists(st.integers(0, 4), max_size=6))
    def test_anything(self, sent: list[bytes], size: int, doings: list[int]) -> None:
        """
        However it is cut, the same is answered; and when the client has gone nothing is left.
        """
        self.assertEqual(self.play(sent, size, doings), self.play(sent, 1 << 20, doings))

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=300), st.integers(1, 300))
    def test_noise(self, octets: bytes, size: int) -> None:
        """
        Octets that are no frames.
        """
        self.play([octets], size, [])
