"""
What a connection sends: turns, windows, and a client that does not read.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from connectproxy.http2 import sending
from connectproxy.http2.sending import CONTROL, ENOUGH
from connectproxy.wire.http2 import FrameType, formatFrame, formatSettings, formatWindowUpdate
from tests.listeners.http2.case import HTTP2Case


def dataSizes(octets: bytes) -> list[int]:
    """
    The sizes of the DATA frames in something.
    """
    found = []
    while octets:
        size = int.from_bytes(octets[:3])
        if octets[3] == FrameType.DATA:
            found.append(size)
        octets = octets[9 + size :]
    return found


class WindowTests(HTTP2Case):
    """
    The client's windows are kept to, and what they hold back holds nobody else; conformance
    42.
    """

    def test_streamWindow(self) -> None:
        """
        A stream gets what its window takes; its origin is paused with no more than a bounded
        rest; its siblings notice nothing (conformance 42).
        """
        client = self.client(window=1 << 17, reading=False)
        stalled, origin = self.tunnel(client)
        quick, sibling = self.tunnel(client)
        origin.transport.write(bytes(1 << 20))
        self.flush()
        self.assertLess(len(client.heard(stalled).octets), (1 << 17) + 1)
        got = len(client.heard(stalled).octets)
        left = len(origin.transport.dataBuffer) + len(origin.transport._tempDataBuffer)
        self.assertGreater(left, 0)
        self.assertLess((1 << 20) - got - len(origin.transport.dataBuffer), ENOUGH + 4 * 65536)
        client.h2.increment_flow_control_window(1 << 20)
        client.send()
        sibling.transport.write(b"not held up")
        self.flush()
        self.assertEqual(bytes(client.heard(quick).octets), b"not held up")
        for _ in range(40):
            client.h2.increment_flow_control_window(1 << 16, stalled)
            client.h2.increment_flow_control_window(1 << 16)
            client.send()
            self.flush()
        self.assertEqual(len(client.heard(stalled).octets), 1 << 20)

    def test_connectionWindow(self) -> None:
        """
        When the connection's window is open again, the streams that waited take turns.
        """
        turn = 10000
        self.patch(sending, "TURN", turn)
        client = self.client(window=65535, reading=False)
        tunnels = [self.tunnel(client) for _ in range(4)]
        for index, (_, origin) in enumerate(tunnels):
            origin.transport.write(b"%d" % index * 60000)
        self.flush()
        before = [len(client.heard(number).octets) for number, _ in tunnels]
        self.assertEqual(sum(before), 65535)
        client.h2.increment_flow_control_window(3 * turn)
        client.send()
        self.flush()
        after = [len(client.heard(number).octets) for number, _ in tunnels]
        grown = [b - a for a, b in zip(before, after, strict=True)]
        self.assertEqual(sum(grown), 3 * turn)
        self.assertEqual(sorted(grown)[1:], [turn] * 3)
        client.h2.increment_flow_control_window(1 << 20)
        client.send()
        self.flush()
        for index, (number, _) in enumerate(tunnels):
            self.assertEqual(bytes(client.heard(number).octets), b"%d" % index * 60000)

    def test_settingsChangeWindows(self) -> None:
        """
        SETTINGS move the windows of streams that there are already, below zero as well
        (RFC 9113 section 6.9.2).
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        origin = self.dials[0].succeed()
        origin.transport.write(bytes(1000))
        self.flush()
        client.transport.write(formatSettings({4: 500}))
        origin.transport.write(bytes(600))
        self.flush()
        octets = sum(len(payload) for _, _, payload in client.frames(FrameType.DATA))
        self.assertEqual(octets, 1000)
        client.transport.write(formatWindowUpdate(1, 600))
        self.flush()
        octets = sum(len(payload) for _, _, payload in client.frames(FrameType.DATA))
        self.assertEqual(octets, 1100)
        client.transport.write(formatSettings({4: 65535}))
        self.flush()
        octets = sum(len(payload) for _, _, payload in client.frames(FrameType.DATA))
        self.assertEqual(octets, 1600)

    def test_windowThatShrinks(self) -> None:
        """
        A stream whose window has gone when its turn comes lets the next one go first.
        """
        client = self.raw()
        for number in (1, 3):
            client.connect(number)
        self.flush()
        first, second = (dial.succeed() for dial in self.dials)
        first.transport.write(bytes(65535))
        self.flush()
        client.transport.write(formatWindowUpdate(1, 1000))
        first.transport.write(b"x" * 500)
        second.transport.write(b"y" * 500)
        self.flush()
        client.transport.write(formatSettings({4: 65000}) + formatWindowUpdate(3, 1000))
        client.transport.write(formatSettings({4: 60000}) + formatWindowUpdate(0, 600))
        self.flush()
        came = [payload[:1] for _, number, payload in client.frames(FrameType.DATA) if number == 3]
        self.assertEqual(came, [b"y"])
        octets = b"".join(payload for _, number, payload in client.frames(FrameType.DATA) if number == 1)
        self.assertNotIn(b"x", octets)

    def test_endWaitsForOctets(self) -> None:
        """
        The end of a stream goes behind what is queued, with the last frame of it.
        """
        client = self.client(window=65535, reading=False)
        number, origin = self.tunnel(client)
        origin.transport.write(bytes(100000))
        origin.transport.loseWriteConnection()
        self.flush()
        self.assertFalse(client.heard(number).ended)
        client.h2.increment_flow_control_window(100000, number)
        client.h2.increment_flow_control_window(100000)
        client.send()
        self.flush()
        self.assertEqual((len(client.heard(number).octets), client.heard(number).ended), (100000, True))

    def test_largerFrames(self) -> None:
        """
        Frames are as large as the client takes them, and no larger.
        """
        for size, most in ((16384, 16384), (32768, 32768), (1 << 20, 65536)):
            client = self.raw(settings={5: size, 4: 1 << 20})
            client.transport.write(formatWindowUpdate(0, 1 << 20))
            client.connect(1)
            self.flush()
            self.dials[-1].succeed().transport.write(bytes(200000))
            self.flush()
            sizes = dataSizes(bytes(client.received))
            self.assertEqual((sum(sizes), max(sizes)), (200000, most))


class BlockedTests(HTTP2Case):
    """
    A client that does not read.
    """

    def test_everythingIsBounded(self) -> None:
        """
        All origins are paused, and what is held is bounded; when the client reads on, all of
        it comes.
        """
        client = self.client(window=1 << 24)
        tunnels = [self.tunnel(client) for _ in range(8)]
        client.transport.pauseProducing()
        for index, (_, origin) in enumerate(tunnels):
            origin.transport.write(b"%d" % index * (1 << 20))
        self.flush()
        connection: Any = next(iter(self.port.factory.connections))
        self.assertTrue(connection.sender.blocked)
        held = [stream.queued for stream in connection.streams.values()]
        self.assertLess(max(held), ENOUGH + 65536)
        for stream in connection.streams.values():
            self.assertTrue(stream.producerPaused or stream.queued < ENOUGH)
        client.transport.resumeProducing()
        self.flush()
        for index, (number, _) in enumerate(tunnels):
            self.assertEqual(bytes(client.heard(number).octets), b"%d" % index * (1 << 20))

    def test_controlFrames(self) -> None:
        """
        A client that asks for answers and reads none is not read any more; it is closed when
        its time is up.
        """
        client = self.raw()
        client.connect(1)
        client.transport.pauseProducing()
        self.flush()
        origin = self.dials[0].succeed()
        origin.transport.write(bytes(65535))
        self.flush()
        for _ in range(40):
            client.transport.write(formatFrame(FrameType.PING, 0, 0, b"anyone??") * 200)
            self.flush()
        connection: Any = next(iter(self.port.factory.connections))
        held = len(connection.transport.dataBuffer) + connection.transport._tempDataLen
        self.assertLess(held, 2 * CONTROL + 65536 + 4000 * 17)
        self.assertFalse(connection.closing)
        self.reactor.advance(61)
        self.flush()
        self.assertTrue(origin.lost)
        self.assertEqual(self.board.admission.connections, 0)

    def test_controlFramesRead(self) -> None:
        """
        When it reads after all, it is read again.
        """
        client = self.raw()
        client.connect(1)
        self.flush()
        client.transport.pauseProducing()
        origin = self.dials[0].succeed()
        origin.transport.write(bytes(65535))
        self.flush()
        client.transport.write(formatFrame(FrameType.PING, 0, 0, b"anyone??") * 3900)
        self.flush()
        connection: Any = next(iter(self.port.factory.connections))
        connection.deafen()
        self.flush()
        client.transport.resumeProducing()
        connection.sender._control = CONTROL + 1
        self.flush()
        self.assertEqual(len(client.frames(FrameType.PING)), 3900)
        self.reactor.advance(61)
        self.flush()
        self.assertFalse(client.lost or client.ended)

    def test_producer(self) -> None:
        """
        The sending side is the producer of the transport; when that is lost, it just stops.
        """
        client = self.client()
        connection: Any = next(iter(self.port.factory.connections))
        self.assertTrue(verifyObject(IPushProducer, connection.sender))
        connection.sender.stopProducing()
        self.assertTrue(connection.sender.blocked)
        self.assertFalse(client.lost)

    def test_resetLeavesTheTurns(self) -> None:
        """
        A stream that is reset while it waits for its turn is passed over.
        """
        client = self.client(window=65535, reading=False)
        first, origin = self.tunnel(client)
        origin.transport.write(bytes(65535))
        self.flush()
        waiting = [self.tunnel(client) for _ in range(3)]
        for _, other in waiting:
            other.transport.write(b"waiting")
        self.flush()
        client.cancel(waiting[0][0])
        self.flush()
        client.h2.increment_flow_control_window(1000)
        client.send()
        self.flush()
        heard = [bytes(client.heard(number).octets) for number, _ in waiting]
        self.assertEqual(heard, [b"", b"waiting", b"waiting"])
        self.assertIs(client.heard(first).reset, None)
