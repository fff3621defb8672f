"""
Floods of what moves nothing; conformance 43.
"""

from __future__ import annotations

from typing import Any

from connectproxy.wire.http2 import ErrorCode, FrameType, formatData, formatFrame, formatReset, formatSettings
from connectproxy.wire.http2 import formatWindowUpdate as update
from tests.listeners.http2.case import HTTP2Case
from tests.listeners.http2.client import connectFields


class FloodTests(HTTP2Case):
    """
    Each sort of flood ends with GOAWAY and ENHANCE_YOUR_CALM, and costs the proxy a bounded
    lot.
    """

    def flood(self, client: Any, octets: bytes, times: int) -> None:
        """
        Send something many times; the proxy has to end it.
        """
        for _ in range(times // 100):
            client.transport.write(octets * 100)
            self.flush()
            if client.goodbyes:
                break
        self.assertEqual([code for _, code in client.goodbyes], [ErrorCode.ENHANCE_YOUR_CALM])
        self.assertTrue(client.ended)
        reasons = [event["reason"] for event in self.events if event["event"] == "refusal"]
        self.assertIn("ENHANCE_YOUR_CALM", reasons[-1])

    def test_frames(self) -> None:
        """
        PING, SETTINGS, PRIORITY, frames that nobody knows, empty DATA, window updates without
        DATA, and resets of what is over (conformance 43).
        """
        for octets in (
            formatFrame(FrameType.PING, 0, 0, bytes(8)),
            formatSettings({}),
            formatFrame(FrameType.SETTINGS, 1, 0),
            formatFrame(FrameType.PRIORITY, 0, 1, bytes(5)),
            formatFrame(0x42, 0, 0, b"?"),
            formatData(1, b"", 16384),
            formatFrame(FrameType.DATA, 8, 1, b"\0"),
            update(0, 1),
            update(1, 1),
            formatReset(1, 8),
        ):
            client = self.raw()
            client.connect(1)
            self.flush()
            self.dials[-1].succeed()
            self.flood(client, octets, 6000)

    def test_oneGoodbye(self) -> None:
        """
        A frame that is too much and wrong as well is answered by one goodbye.
        """
        client = self.raw()
        connection: Any = next(iter(self.port.factory.connections))
        connection.incoming._cheap.left = -1e6
        client.transport.write(update(0, 0))
        self.flush()
        self.assertEqual([code for _, code in client.goodbyes], [ErrorCode.ENHANCE_YOUR_CALM])

    def test_rapidReset(self) -> None:
        """
        Requests that are reset before they have their answer (conformance 43).
        """
        client = self.raw()
        number = 1
        while not client.goodbyes and number < 4000:
            client.connect(number)
            client.transport.write(formatReset(number, 8))
            number += 2
            self.flush()
        self.assertEqual([code for _, code in client.goodbyes], [ErrorCode.ENHANCE_YOUR_CALM])
        self.assertTrue(all(dial.cancelled for dial in self.dials))
        self.assertLess(len(self.dials), 600)

    def test_madeToReset(self) -> None:
        """
        Requests that the proxy is made to reset: malformed, or beyond the limit of streams
        (conformance 43).
        """
        client = self.raw()
        number = 1
        while not client.goodbyes and number < 4000:
            client.ask(number, [(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")])
            number += 2
            self.flush()
        self.assertEqual([code for _, code in client.goodbyes], [ErrorCode.ENHANCE_YOUR_CALM])

    def test_refusedByRule(self) -> None:
        """
        Requests that are refused without anybody being asked.
        """
        client = self.raw()
        number = 1
        while not client.goodbyes and number < 4000:
            client.connect(number, "nowhere")
            number += 2
            self.flush()
        self.assertEqual([code for _, code in client.goodbyes], [ErrorCode.ENHANCE_YOUR_CALM])

    def test_refusedAtOnce(self) -> None:
        """
        Requests that the switchboard refuses without asking anybody else, tunnels and messages.
        """
        message = [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/")]
        for fields in (connectFields("a.example:443"), message):
            client = self.raw()
            self.board.draining = True
            number = 1
            while not client.goodbyes and number < 4000:
                client.ask(number, fields, end=True)
                number += 2
                self.flush()
            self.assertEqual([code for _, code in client.goodbyes], [ErrorCode.ENHANCE_YOUR_CALM])
            self.board.draining = False

    def test_lastStraw(self) -> None:
        """
        A frame that is one too many and wrong as well ends the connection once.
        """
        client = self.raw()
        connection: Any = next(iter(self.port.factory.connections))
        connection.incoming._cheap.left = 0.5
        client.transport.write(formatSettings({2: 2}))
        self.flush()
        self.assertEqual([code for _, code in client.goodbyes], [ErrorCode.ENHANCE_YOUR_CALM])

    def test_nothingBehind(self) -> None:
        """
        A frame that is one too many has no other answer than the goodbye, which is the last
        that comes, and comes once.
        """
        for octets in (formatSettings({}), formatFrame(FrameType.GOAWAY, 0, 0, bytes(8))):
            client = self.raw()
            client.connect(1)
            self.flush()
            self.dials[-1].succeed()
            (connection,) = (each for each in self.port.factory.connections if not each.closing)
            connection.incoming._cheap.left = 0.5
            written: list[bytes] = []
            self.patch(connection.transport, "write", written.append)
            client.transport.write(octets)
            self.flush()
            self.assertEqual([each[3] for each in written], [FrameType.GOAWAY])

    def test_continuations(self) -> None:
        """
        A field block over more frames than it could need (conformance 43).
        """
        client = self.raw()
        client.transport.write(formatFrame(FrameType.HEADERS, 0, 1, b"\x82"))
        self.flood(client, formatFrame(FrameType.CONTINUATION, 0, 1, b""), 200)

    def test_largeSection(self) -> None:
        """
        A field section that unfolds to more than it may be.
        """
        client = self.raw()
        # A literal field of 4,000 octets that goes into the table, and then 2,000 references to it.
        bomb = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 2000
        client.transport.write(formatFrame(FrameType.HEADERS, 4, 1, bomb))
        self.flush()
        self.assertEqual([code for _, code in client.goodbyes], [ErrorCode.ENHANCE_YOUR_CALM])

    def test_useEarns(self) -> None:
        """
        Who moves octets may send as many updates and pings as that takes.
        """
        client = self.client()
        number, origin = self.tunnel(client)
        for _ in range(8000):
            client.put(number, b"x")
            client.h2.ping(bytes(8))
            client.send()
            origin.transport.write(b"y")
            self.flush()
            client.h2.increment_flow_control_window(1)
            client.h2.increment_flow_control_window(1, number)
            client.send()
        self.flush()
        self.assertEqual(client.goodbyes, [])
        self.assertEqual(len(origin.received), 8000)

    def test_endsByReset(self) -> None:
        """
        A client that ends its tunnels by resets, once they were of use, may do so for ever.
        """
        client = self.client()
        for _ in range(1500):
            number, origin = self.tunnel(client)
            client.put(number, b"x")
            self.flush()
            client.cancel(number)
            self.flush()
            self.assertTrue(origin.lost)
        self.assertEqual(client.goodbyes, [])
