"""
What a stream receives: what is held, and what is credited; conformance 42.
"""

from __future__ import annotations

from typing import Any

from connectproxy.http2.credit import FIRST, LARGEST_STREAM
from connectproxy.wire.http2 import ErrorCode, FrameType, formatData, formatFrame
from tests.listeners.http2.case import HTTP2Case


class CreditTests(HTTP2Case):
    """
    Credit is given back for what the origin has taken; conformance 42.
    """

    def stall(self, client: Any) -> tuple[int, Any]:
        """
        A tunnel whose origin does not read, with as much sent as the client may.
        """
        number, origin = self.tunnel(client, capacity=4096)
        origin.transport.pauseProducing()
        sent = 0
        for _ in range(100):
            window = client.h2.local_flow_control_window(number)
            if not window:
                break
            client.put(number, bytes(window))
            sent += window
            self.flush()
        self.assertEqual(client.h2.local_flow_control_window(number), 0)
        self.sent = sent
        return number, origin

    def test_stalled(self) -> None:
        """
        An origin that does not read stops its stream: what the proxy has taken of it is no
        more than two windows and what its transport holds.  The siblings do not notice, and
        what was held comes in order when the origin reads on (conformance 42).
        """
        client = self.client()
        number, origin = self.stall(client)
        self.assertLess(self.sent, 4 * FIRST + 4096)
        other, sibling = self.tunnel(client)
        for _ in range(30):
            client.put(other, bytes(30000))
            self.flush()
        self.assertEqual(len(sibling.received), 900000)
        origin.transport.resumeProducing()
        self.flush()
        self.assertEqual(len(origin.received), self.sent)
        self.assertGreater(client.h2.local_flow_control_window(number), FIRST // 2)

    def test_manyStalled(self) -> None:
        """
        As many stalled streams as there may be, each with all it may send, hold a bounded lot,
        and one that is not stalled has its way (conformance 42).
        """
        client = self.client()
        held = 0
        for _ in range(60):
            self.stall(client)
            held += self.sent
        other, sibling = self.tunnel(client)
        client.put(other, b"through")
        self.flush()
        self.assertEqual(bytes(sibling.received), b"through")
        self.assertLess(held, 60 * (4 * FIRST + 4096))

    def test_grows(self) -> None:
        """
        The window of a stream that is taken from grows up to its limit, no further.
        """
        client = self.client()
        number, origin = self.tunnel(client)
        largest = 0
        for _ in range(400):
            largest = max(largest, client.h2.local_flow_control_window(number))
            client.put(number, bytes(min(60000, client.h2.local_flow_control_window(number))))
            self.flush()
        self.assertGreater(largest, LARGEST_STREAM // 2)
        self.assertLessEqual(largest, LARGEST_STREAM)
        self.assertTrue(origin.received)

    def test_smallFramesAreSmall(self) -> None:
        """
        What is held of a thousand small frames is their octets.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        client.transport.write(formatData(1, bytes(5000), 1))
        self.flush()
        connection: Any = next(iter(self.port.factory.connections))
        (stream,) = connection.streams.values()
        self.assertEqual((len(stream._held), type(stream._held)), (5000, bytearray))

    def test_padding(self) -> None:
        """
        Padding counts, and is credited with the octets, also if it was held.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        padded = formatFrame(FrameType.DATA, 8, 1, b"\xff" + b"x" + bytes(255))
        client.transport.write(padded * 100)
        self.flush()
        origin = self.dials[0].succeed()
        self.flush()
        client.transport.write(padded * 100)
        self.flush()
        self.assertEqual(bytes(origin.received), b"x" * 200)
        (increment,) = [
            int.from_bytes(payload) for _, number, payload in client.frames(FrameType.WINDOW_UPDATE) if number
        ]
        self.assertGreater(increment, FIRST // 2 + FIRST)

    def test_tooMuch(self) -> None:
        """
        A client that sends more than its window has is reset, and what it did to others
        not.
        """
        client = self.raw()
        client.connect(1)
        client.connect(3)
        self.flush()
        client.transport.write(formatData(1, bytes(FIRST + 1), 16384))
        self.flush()
        self.assertEqual(client.resets, [(1, ErrorCode.FLOW_CONTROL_ERROR)])
        self.assertEqual(client.goodbyes, [])
