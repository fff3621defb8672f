"""
What each frame does, and what each mistake ends; RFC 9113 sections 5.1, 5.4 and 6.
"""

from __future__ import annotations

from typing import Any

from hpack import Decoder

from connectproxy.wire.http2 import (
    PREFACE,
    ErrorCode,
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


class ConnectionErrorTests(HTTP2Case):
    """
    Mistakes that end the connection.
    """

    def fails(self, code: ErrorCode, *octets: bytes) -> None:
        """
        Send something behind the request of a tunnel that is up, on stream 1: the connection
        is closed with a code, and the tunnel is reset with it.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        origin = self.dials[-1].succeed()
        self.flush()
        client.transport.write(b"".join(octets))
        self.flush()
        self.assertEqual([found for _, found in client.goodbyes], [code], octets)
        self.assertTrue(client.ended)
        self.assertTrue(origin.lost)
        refused = [event for event in self.events if event["event"] == "refusal"]
        self.assertIn(code.name, refused[-1]["reason"])

    def test_preface(self) -> None:
        """
        What does not begin with the preface and SETTINGS is not HTTP/2 (section 3.4).
        """
        for octets in (
            b"GET / HTTP/1.1\r\n\r\n",
            PREFACE[:-1] + b"x",
            PREFACE + formatFrame(FrameType.PING, 0, 0, bytes(8)),
            PREFACE + ACK,
            PREFACE + formatData(1, b"x", 16384),
        ):
            client = self.port.connect(Raw())
            client.transport.write(octets)
            self.flush()
            self.assertEqual(client.goodbyes, [(0, ErrorCode.PROTOCOL_ERROR)], octets)

    def test_sizes(self) -> None:
        """
        Frames that are longer than allowed, or not as long as their type is (section 4.2).
        """
        size = ErrorCode.FRAME_SIZE_ERROR
        self.fails(size, formatFrame(FrameType.DATA, 0, 1, bytes(16385)))
        self.fails(size, formatFrame(FrameType.RST_STREAM, 0, 1, bytes(3)))
        self.fails(size, formatFrame(FrameType.PING, 0, 0, bytes(7)))
        self.fails(size, formatFrame(FrameType.SETTINGS, 0, 0, bytes(5)))
        self.fails(size, formatFrame(FrameType.SETTINGS, 1, 0, bytes(6)))
        self.fails(size, formatFrame(FrameType.WINDOW_UPDATE, 0, 0, bytes(5)))
        self.fails(size, formatFrame(FrameType.GOAWAY, 0, 0, bytes(7)))
        self.fails(size, formatFrame(FrameType.HEADERS, 0x24, 3, bytes(4)))
        self.fails(size, formatFrame(FrameType.HEADERS, 0xC, 3, b""))

    def test_streams(self) -> None:
        """
        Frames on streams that they have no place on.
        """
        protocol = ErrorCode.PROTOCOL_ERROR
        self.fails(protocol, formatData(0, b"x", 16384))
        self.fails(protocol, formatData(3, b"x", 16384))
        self.fails(protocol, formatData(2, b"x", 16384))
        self.fails(protocol, formatFrame(FrameType.HEADERS, 4, 0, b"\x82"))
        self.fails(protocol, formatFrame(FrameType.HEADERS, 4, 2, b"\x82"))
        self.fails(protocol, formatFrame(FrameType.PRIORITY, 0, 0, bytes(5)))
        self.fails(protocol, formatReset(0, 8))
        self.fails(protocol, formatReset(3, 8))
        self.fails(protocol, formatFrame(FrameType.SETTINGS, 0, 1))
        self.fails(protocol, formatFrame(FrameType.PING, 0, 1, bytes(8)))
        self.fails(protocol, formatFrame(FrameType.GOAWAY, 0, 1, bytes(8)))
        self.fails(protocol, formatWindowUpdate(3, 1))
        self.fails(protocol, formatFrame(FrameType.PUSH_PROMISE, 4, 1, bytes(5)))

    def test_numbers(self) -> None:
        """
        A stream's number is used once, and they only go up (section 5.1.1).
        """
        block = Raw().encoder.encode([(":method", "CONNECT"), (":authority", "nowhere")])
        refused = formatHeaders(7, block, 16384, end=True)
        again = formatHeaders(7, Raw().encoder.encode([]), 16384)
        self.fails(ErrorCode.STREAM_CLOSED, refused, again)
        self.fails(ErrorCode.PROTOCOL_ERROR, refused, formatHeaders(5, b"", 16384))

    def test_continuations(self) -> None:
        """
        Nothing may come between the frames of a field block, and none without one (section
        6.10).
        """
        protocol = ErrorCode.PROTOCOL_ERROR
        begun = formatFrame(FrameType.HEADERS, 0, 3, b"\x82")
        self.fails(protocol, begun, formatFrame(FrameType.PING, 0, 0, bytes(8)))
        self.fails(protocol, begun, formatData(1, b"x", 16384))
        self.fails(protocol, begun, formatFrame(FrameType.CONTINUATION, 4, 5, b""))
        self.fails(protocol, begun, formatFrame(0x42, 0, 3, b""))
        self.fails(protocol, formatFrame(FrameType.CONTINUATION, 4, 1, b""))

    def test_compression(self) -> None:
        """
        A field block that can't be decompressed leaves nobody knowing what the next one says.
        """
        for block in (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x00\x85", b"\xff\x20", b"\x3f\xff\xff\x7f"):
            self.fails(ErrorCode.COMPRESSION_ERROR, formatFrame(FrameType.HEADERS, 4, 3, block))

    def test_settings(self) -> None:
        """
        Settings with values that they can't have (section 6.5.2).
        """
        self.fails(ErrorCode.PROTOCOL_ERROR, formatSettings({2: 2}))
        self.fails(ErrorCode.PROTOCOL_ERROR, formatSettings({5: 16383}))
        self.fails(ErrorCode.FLOW_CONTROL_ERROR, formatSettings({4: 1 << 31}))
        increased = formatWindowUpdate(1, (1 << 31) - 1 - 65535)
        self.fails(ErrorCode.FLOW_CONTROL_ERROR, increased, formatSettings({4: 65536}))

    def test_windows(self) -> None:
        """
        A window that is opened by nothing, or by too much (section 6.9).
        """
        self.fails(ErrorCode.PROTOCOL_ERROR, formatWindowUpdate(0, 0))
        self.fails(ErrorCode.FLOW_CONTROL_ERROR, formatWindowUpdate(0, (1 << 31) - 1))

    def test_padding(self) -> None:
        """
        More padding than frame (section 6.1).
        """
        protocol = ErrorCode.PROTOCOL_ERROR
        self.fails(protocol, formatFrame(FrameType.DATA, 8, 1, b"\x01"))
        self.fails(protocol, formatFrame(FrameType.DATA, 8, 1, b""))
        self.fails(protocol, formatFrame(FrameType.HEADERS, 0xC, 3, b"\x05\x82"))


class StreamErrorTests(HTTP2Case):
    """
    Mistakes that end one stream; the others and the connection go on.
    """

    def fails(self, code: ErrorCode, *octets: bytes, number: int = 1) -> None:
        """
        Send something while two tunnels are up: a stream is reset with a code, the tunnel on
        3 is not.
        """
        client = self.raw()
        client.connect(1)
        client.connect(3)
        self.flush()
        origin, sibling = (dial.succeed() for dial in self.dials[-2:])
        self.flush()
        client.transport.write(b"".join(octets))
        client.transport.write(formatData(3, b"goes on", 16384))
        self.flush()
        self.assertEqual(client.resets, [(number, code)], octets)
        self.assertEqual(client.goodbyes, [])
        self.assertEqual(bytes(sibling.received), b"goes on")
        if number == 1:
            self.assertTrue(origin.lost)

    def test_malformed(self) -> None:
        """
        A malformed request; conformance 38 and 41.  What is malformed is
        L{connectproxy.wire.http2.head}'s to say.
        """
        for fields in (
            [(":method", "CONNECT"), (":authority", "a:1"), (":scheme", "http"), (":path", "/")],
            [(":method", "CONNECT"), (":authority", "a:1"), ("connection", "close")],
        ):
            client = self.raw()
            client.ask(1, fields)
            self.flush()
            self.assertEqual(client.resets, [(1, ErrorCode.PROTOCOL_ERROR)])
            client.connect(3)
            self.flush()
            self.assertEqual(str(self.dials[-1].request.destination), "example.com:443")
            self.assertEqual(self.events[-1]["error"], "http_request_error")

    def test_halfClosed(self) -> None:
        """
        Octets, or fields, behind the end of the stream (section 5.1).
        """
        end = formatData(1, b"", 16384, end=True)
        self.fails(ErrorCode.STREAM_CLOSED, end, formatData(1, b"more", 16384))
        self.fails(ErrorCode.STREAM_CLOSED, end, formatHeaders(1, b"", 16384, end=True))

    def test_closed(self) -> None:
        """
        Octets on a stream that is over.
        """
        self.fails(ErrorCode.STREAM_CLOSED, formatReset(1, 8), formatData(1, b"more", 16384))

    def test_trailers(self) -> None:
        """
        Fields on a tunnel, whether they end it or not (conformance 39).
        """
        self.fails(ErrorCode.PROTOCOL_ERROR, formatHeaders(1, b"", 16384, end=True))
        self.fails(ErrorCode.PROTOCOL_ERROR, formatHeaders(1, b"", 16384))

    def test_windows(self) -> None:
        """
        A stream's window that is opened by nothing, or by too much.
        """
        self.fails(ErrorCode.PROTOCOL_ERROR, formatWindowUpdate(1, 0))
        self.fails(ErrorCode.FLOW_CONTROL_ERROR, formatWindowUpdate(1, (1 << 31) - 1))

    def test_priority(self) -> None:
        """
        A PRIORITY of the wrong length.
        """
        self.fails(ErrorCode.FRAME_SIZE_ERROR, formatFrame(FrameType.PRIORITY, 0, 1, bytes(4)))

    def test_tooMany(self) -> None:
        """
        Streams beyond the limit are declined so that they can be asked for again; conformance
        43.
        """
        limited = HTTP2Case("setUp")
        limited.settings = {"limits.streams": 2}
        limited.setUp()
        client = limited.raw()
        for number in (1, 3, 5):
            client.connect(number)
        limited.flush()
        self.assertEqual(client.resets, [(5, ErrorCode.REFUSED_STREAM)])
        self.assertEqual(len(limited.dials), 2)
        client.transport.write(formatReset(1, 8))
        client.connect(7)
        limited.flush()
        self.assertEqual(len(limited.dials), 3)


class IgnoredTests(HTTP2Case):
    """
    What is no mistake, though it may look like one.
    """

    def assertFine(self, *octets: bytes) -> Any:
        """
        Send something while a tunnel is up on 1: it goes on.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        origin = self.dials[-1].succeed()
        self.flush()
        client.transport.write(b"".join(octets))
        client.transport.write(formatData(1, b"goes on", 16384))
        self.flush()
        self.assertEqual((client.goodbyes, bytes(origin.received)), ([], b"goes on"), octets)
        return client

    def test_extensions(self) -> None:
        """
        Frames, settings and flags that nobody knows (section 5.5).
        """
        self.assertFine(formatFrame(0xFA, 0xFF, 1, b"?"), formatFrame(9 + 1, 0, 0), formatSettings({0xFA: 1}))
        self.assertFine(formatFrame(FrameType.PING, 0xFE, 0, bytes(8)))

    def test_priorities(self) -> None:
        """
        Priorities on streams in any state, on themselves as well.
        """
        itself = (1).to_bytes(4) + b"\x10"
        for number in (1, 2, 3, 99):
            self.assertFine(formatFrame(FrameType.PRIORITY, 0, number, itself))

    def test_ping(self) -> None:
        """
        A PING is answered, an answer is not.
        """
        client = self.assertFine(
            formatFrame(FrameType.PING, 0, 0, b"anyone??"), formatFrame(FrameType.PING, 1, 0, bytes(8))
        )
        self.assertEqual(client.frames(FrameType.PING), [(1, 0, b"anyone??")])

    def test_onTheirWay(self) -> None:
        """
        Frames on a stream that we have reset: the client need not have known.
        """
        encode = Raw().encoder.encode
        bad = formatHeaders(3, encode([(":method", "CONNECT")]), 16384)
        client = self.assertFine(
            bad,
            formatData(3, b"on its way", 16384),
            formatWindowUpdate(3, 1),
            formatHeaders(3, b"", 16384, end=True),
            formatReset(3, 8),
        )
        self.assertEqual(client.resets, [(3, ErrorCode.PROTOCOL_ERROR)])

    def test_goAway(self) -> None:
        """
        A client that says goodbye keeps its tunnels until they end; then the connection is
        closed.
        """
        client = self.assertFine(formatGoAway(0, 0))
        client.transport.write(formatReset(1, 8))
        self.flush()
        self.assertEqual(client.goodbyes, [(1, ErrorCode.NO_ERROR)])
        client = self.raw()
        client.transport.write(formatGoAway(0, 0))
        self.flush()
        self.assertTrue(client.ended)

    def test_tableSize(self) -> None:
        """
        Whatever table a client would keep for our fields, it can read them: the first answer
        does without one, be it a refusal or not, and so do those that follow.
        """
        for size in (0, 100, 1 << 30):
            client = self.raw(settings={1: size})
            for number, target in (
                (1, "example.com:443"),
                (3, "nowhere"),
                (5, "nowhere"),
                (7, "example.com:443"),
            ):
                client.connect(number, target)
                self.flush()
                if target != "nowhere":
                    self.dials[-1].succeed()
                    self.flush()
            decoder = Decoder()
            decoder.max_allowed_table_size = size
            answers = [decoder.decode(block)[0] for _, _, block in client.frames(FrameType.HEADERS)]
            self.assertEqual([status for _, status in answers], ["200", "400", "400", "200"])
            self.assertEqual(decoder.header_table_size, 0)

    def test_forgets(self) -> None:
        """
        How streams ended is not remembered for ever.
        """
        client = self.client()
        for _ in range(1100):
            number, _ = self.tunnel(client)
            client.cancel(number)
            self.reactor.advance(0.05)
            self.flush()
        connection: Any = next(iter(self.port.factory.connections))
        self.assertLessEqual(len(connection.incoming._closed), 1000)

    def test_connectionWindow(self) -> None:
        """
        The connection's window is opened again without any stream's doing.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        connection: Any = next(iter(self.port.factory.connections))
        connection.credit._room = (1 << 29) + 10
        client.transport.write(formatData(1, bytes(100), 16384))
        self.flush()
        last = client.frames(FrameType.WINDOW_UPDATE)[-1]
        self.assertEqual((last[1], int.from_bytes(last[2])), (0, (1 << 29) + 90))
