"""
A tunnel as a transport: both of its ends, resets, and what is held.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ISSLTransport, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from connectproxy.http2.credit import FIRST, LARGEST_STREAM
from connectproxy.http2.sending import ENOUGH
from connectproxy.leg import Leg
from connectproxy.relay import WiredRelay
from connectproxy.wheel import Wheel
from connectproxy.wire.http2 import ErrorCode, FrameType
from tests.fakes import KERNEL, Peer, addressOf, pipePair
from tests.upstreams.http2.case import HopCase


class Plain(Protocol):
    """
    A protocol that knows no half-close.
    """

    lost: Failure | None = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class TransportTests(HopCase):
    """
    The transport that a protocol sees.
    """

    def setUp(self) -> None:
        HopCase.setUp(self)
        connecting = self.connect()
        self.far = self.hop()
        self.far.answer(1)
        self.flush()
        self.protocol = self.successResultOf(connecting).protocol
        self.stream = self.protocol.transport

    def test_interfaces(self) -> None:
        """
        It is a transport, a consumer and a producer, and none with TLS: it does half-close.
        """
        for interface in (ITransport, IConsumer, IPushProducer):
            self.assertTrue(verifyObject(interface, self.stream))
        self.assertFalse(ISSLTransport.providedBy(self.stream))
        self.assertEqual(self.stream.getPeer(), addressOf("198.51.100.1", 3128))
        self.assertEqual(self.stream.getHost(), addressOf("192.0.2.1", 50000))

    def test_ourEndFirst(self) -> None:
        """
        Our end is END_STREAM; the destination may say more, and then ends.
        """
        self.stream.write(b"last")
        self.stream.loseWriteConnection()
        self.flush()
        self.assertEqual((bytes(self.far.octets[1]), self.far.endings), (b"last", [1]))
        self.far.put(1, b"answer", end=True)
        self.flush()
        self.assertEqual((bytes(self.protocol.received), self.protocol.ended), (b"answer", True))
        self.stream.loseConnection()
        self.assertTrue(self.protocol.lost.check(ConnectionDone))
        self.assertEqual(self.far.resetFrames, [])
        self.assertEqual(self.pool.state()["tunnels"], 0)

    def test_theirEndFirst(self) -> None:
        """
        The destination's end is told, and we may say more.
        """
        self.far.put(1, b"", end=True)
        self.flush()
        self.assertTrue(self.protocol.ended)
        self.assertIs(self.protocol.lost, None)
        self.stream.write(b"more")
        self.stream.loseConnection()
        self.flush()
        self.assertEqual((bytes(self.far.octets[1]), self.far.endings), (b"more", [1]))
        self.assertTrue(self.protocol.lost.check(ConnectionDone))

    def test_closedAsTCPDoes(self) -> None:
        """
        Whoever closes first ends its direction and waits: the other's end closes it without a
        reset, however late.
        """
        self.stream.write(b"goodbye")
        self.stream.loseConnection()
        self.stream.loseConnection()
        self.flush()
        self.assertEqual((bytes(self.far.octets[1]), self.far.endings), (b"goodbye", [1]))
        self.assertIs(self.protocol.lost, None)
        self.far.put(1, b"", end=True)
        self.flush()
        self.assertTrue(self.protocol.lost.check(ConnectionDone))
        self.assertEqual(self.far.resetFrames, [])

    def test_nobodyListens(self) -> None:
        """
        Octets that come when nobody is left to take them reset the stream, but not before all that
        we had to say has been sent.
        """
        (connection,) = self.pool._open
        connection.sender.blocked = True
        self.stream.write(b"last words")
        self.stream.loseConnection()
        self.far.put(1, b"not heard")
        self.flush()
        self.assertIs(self.protocol.lost, None)
        connection.sender.resumeProducing()
        self.flush()
        self.assertEqual((bytes(self.far.octets[1]), self.far.resets), (b"last words", {1: ErrorCode.CANCEL}))
        self.assertTrue(self.protocol.lost.check(ConnectionDone))

    def test_nobodyListensLater(self) -> None:
        """
        The same when they come afterwards.
        """
        self.stream.loseConnection()
        self.flush()
        self.far.put(1, b"not heard")
        self.flush()
        self.assertEqual(self.far.resets, {1: ErrorCode.CANCEL})
        self.assertEqual(bytes(self.protocol.received), b"")

    def test_aborted(self) -> None:
        """
        A reset of ours is a CANCEL.
        """
        self.stream.abortConnection()
        self.flush()
        self.assertEqual(self.far.resets, {1: ErrorCode.CANCEL})
        self.assertTrue(self.protocol.lost.check(ConnectionAborted))
        self.stream.wasReset(ErrorCode.CANCEL)

    def test_wasReset(self) -> None:
        """
        A reset of the next hop's loses the connection, as one of TCP does.
        """
        self.far.reset(1, ErrorCode.CONNECT_ERROR)
        self.flush()
        self.assertTrue(self.protocol.lost.check(ConnectionLost))

    def test_wasResetAfterAll(self) -> None:
        """
        A reset without an error behind the end of the stream is none: what came before it still
        counts, also where it is held (RFC 9113 section 8.1).
        """
        self.far.put(1, b"all", end=True)
        self.far.reset(1, ErrorCode.NO_ERROR)
        self.flush()
        self.assertEqual((bytes(self.protocol.received), self.protocol.ended), (b"all", True))
        self.assertTrue(self.protocol.lost.check(ConnectionDone))

    def test_wasResetWhileHeld(self) -> None:
        """
        The same while it is paused; whoever writes meanwhile is not left waiting.
        """
        told: list[str] = []

        class Producer:
            def pauseProducing(self) -> None:
                told.append("pause")

            def resumeProducing(self) -> None:
                told.append("resume")

        (connection,) = self.pool._open
        self.stream.pauseProducing()
        connection.sender.blocked = True
        self.stream.registerProducer(Producer(), True)
        self.stream.write(bytes(ENOUGH))
        self.far.put(1, b"all", end=True)
        self.far.reset(1, ErrorCode.NO_ERROR)
        self.flush()
        self.assertEqual(told, ["pause", "resume"])
        self.assertEqual((self.protocol.lost, self.stream.queued), (None, 0))
        connection.sender.resumeProducing()
        self.flush()
        self.assertEqual(self.far.frames(FrameType.DATA), [])  # nothing goes to a stream that was reset
        self.stream.resumeProducing()
        self.assertEqual((bytes(self.protocol.received), self.protocol.ended), (b"all", True))
        self.assertTrue(self.protocol.lost.check(ConnectionDone))

    def test_wasResetWhileHeldAndIdle(self) -> None:
        """
        The same where nobody writes.
        """
        self.stream.pauseProducing()
        self.far.put(1, b"all", end=True)
        self.far.reset(1, ErrorCode.NO_ERROR)
        self.flush()
        self.stream.write(b"nobody takes it")
        self.assertEqual((self.protocol.lost, self.stream.queued), (None, 0))
        self.stream.loseConnection()
        self.assertTrue(self.protocol.lost.check(ConnectionDone))

    def test_endOfWhatIsClosed(self) -> None:
        """
        Octets that come with the end, when nobody is left to take them, reset the stream as any do.
        """
        self.stream.loseConnection()
        self.flush()
        self.far.put(1, b"too late", end=True)
        self.flush()
        self.assertEqual(self.far.resetFrames, [(1, ErrorCode.CANCEL)])

    def test_wasResetWithoutAnError(self) -> None:
        """
        Before the end of the stream it is a reset all the same.
        """
        self.far.put(1, b"not all")
        self.far.reset(1, ErrorCode.NO_ERROR)
        self.flush()
        self.assertTrue(self.protocol.lost.check(ConnectionLost))

    def test_noHalfClose(self) -> None:
        """
        A protocol that knows no half-close is closed at the end, as by TCP; what it has written
        is sent.
        """
        plain = Plain()
        self.stream.protocol = plain
        plain.makeConnection(self.stream)
        self.stream.write(b"all that I had to say")
        self.far.put(1, b"", end=True)
        self.flush()
        assert plain.lost
        self.assertTrue(plain.lost.check(ConnectionDone))
        self.assertEqual((bytes(self.far.octets[1]), self.far.endings), (b"all that I had to say", [1]))
        self.assertEqual(self.far.resetFrames, [])

    def test_connectionLost(self) -> None:
        """
        With the connection all of its tunnels are lost.
        """
        self.far.transport.abortConnection()
        self.flush()
        self.assertTrue(self.protocol.lost.check(ConnectionLost))
        self.assertNothingLeft()


class RelayTests(HopCase):
    """
    Between a client and a destination, with the relay that serves everything.
    """

    def setUp(self) -> None:
        HopCase.setUp(self)
        self.relay = WiredRelay(self.reactor, Wheel(self.reactor))

    def buildProtocol(self, addr: Any) -> Any:
        return Leg()

    def join(self, far: Any, capacity: int = KERNEL) -> tuple[int, Any, Any]:
        """
        Have a tunnel with a client.

        @return: its number, the client, and what the relay has made of it.
        """
        number, leg = self.tunnel(far)
        client = Peer()
        near = Leg()
        pipePair(self.reactor, near, client, capacity=capacity)
        tunnel = self.relay.join(near, leg)
        self.flush()
        return number, client, tunnel

    def first(self, **options: Any) -> Any:
        """
        Have the connection.
        """
        self.connect()
        return self.hop(**options)

    def test_bothWays(self) -> None:
        """
        Octets pass, the ends one by one, and the tunnel ends in order.
        """
        far = self.first()
        number, client, tunnel = self.join(far)
        client.transport.write(b"up" * 50000)
        client.transport.loseWriteConnection()
        self.flush()
        self.assertEqual((bytes(far.octets[number]), far.endings), (b"up" * 50000, [number]))
        far.put(number, b"down" * 10000, end=True)
        self.flush()
        self.assertEqual((bytes(client.received), client.ended), (b"down" * 10000, True))
        outcome = self.successResultOf(tunnel.finished)
        self.assertEqual((outcome.kind, outcome.bytesUp, outcome.bytesDown), ("eof", 100000, 40000))
        self.assertEqual(far.resetFrames, [])

    def test_clientResets(self) -> None:
        """
        A client's reset resets the stream.
        """
        far = self.first()
        number, client, tunnel = self.join(far)
        client.transport.abortConnection()
        self.flush()
        self.assertEqual(far.resets, {number: ErrorCode.CANCEL})
        self.assertEqual(self.successResultOf(tunnel.finished).kind, "reset")

    def test_hopResets(self) -> None:
        """
        A reset stream resets the client.
        """
        far = self.first()
        number, client, tunnel = self.join(far)
        far.reset(number, ErrorCode.CONNECT_ERROR)
        self.flush()
        self.assertTrue(client.lost and client.lost.check(ConnectionLost))
        outcome = self.successResultOf(tunnel.finished)
        self.assertEqual((outcome.kind, outcome.endedBy), ("reset", "origin"))

    def test_stalledClient(self) -> None:
        """
        A client that does not read stops its stream, whose window bounds what is held of it; the
        others on the connection do not notice, and what was held comes in order when it reads on.
        """
        far = self.first()
        number, client, _ = self.join(far, capacity=4096)
        client.transport.pauseProducing()
        sent = 0
        for _ in range(100):
            window = far.h2.local_flow_control_window(number)
            if not window:
                break
            far.put(number, b"%07d," % sent * (window // 8) + bytes(window % 8))
            sent += window
            self.flush()
        self.assertEqual(far.h2.local_flow_control_window(number), 0)
        self.assertLess(sent, 4 * FIRST + 4096)
        other, quick, _ = self.join(far)
        for _ in range(60):
            far.put(other, bytes(30000))
            self.flush()
        self.assertEqual(len(quick.received), 1800000)
        client.transport.resumeProducing()
        self.flush()
        self.assertEqual(len(client.received), sent)
        self.assertGreater(far.h2.local_flow_control_window(number), 0)

    def test_manyStalled(self) -> None:
        """
        A hundred stalled tunnels hold a bounded lot, and one that is not stalled has its way.
        """
        far = self.first()
        held = 0
        for _ in range(98):
            number, client, _ = self.join(far, capacity=1024)
            client.transport.pauseProducing()
            while window := far.h2.local_flow_control_window(number):
                far.put(number, bytes(min(window, 16384)))
                held += min(window, 16384)
                self.flush()
        number, client, _ = self.join(far)
        far.put(number, b"through")
        self.flush()
        self.assertEqual(bytes(client.received), b"through")
        self.assertEqual(len(self.way.dials), 1)
        self.assertLess(held, 98 * (4 * FIRST + 4096))

    def test_windowGrows(self) -> None:
        """
        The window of a tunnel whose client keeps up grows to its limit, and no further.
        """
        far = self.first()
        number, client, _ = self.join(far)
        largest = 0
        for _ in range(400):
            window = far.h2.local_flow_control_window(number)
            largest = max(largest, window)
            far.put(number, bytes(min(60000, window)))
            self.flush()
        self.assertGreater(largest, LARGEST_STREAM // 2)
        self.assertLessEqual(largest, LARGEST_STREAM)
        self.assertTrue(client.received)

    def test_stalledDestination(self) -> None:
        """
        A destination that takes nothing pauses its client; the others on the connection do not
        notice.
        """
        far = self.first(window=100000)
        far.h2.increment_flow_control_window(1 << 24)
        far.send()
        far.reading = False
        number, client, tunnel = self.join(far)
        other, quick, _ = self.join(far)
        client.transport.write(bytes(1 << 20))
        self.flush()
        self.assertEqual(len(far.octets[number]), 100000)
        self.assertLess(tunnel.bytesUp, 100001)
        held = tunnel.origin.transport.queued
        self.assertLess(held, ENOUGH + 65536)
        self.assertGreater(len(client.transport.dataBuffer) + client.transport._tempDataLen, 0)
        quick.transport.write(b"not held up")
        self.flush()
        self.assertEqual(bytes(far.octets[other]), b"not held up")
        for _ in range(20):
            far.h2.increment_flow_control_window(1 << 16, number)
            far.send()
            self.flush()
        self.assertEqual(len(far.octets[number]), 1 << 20)

    def test_fairness(self) -> None:
        """
        When the connection has been full, those that wait take turns.
        """
        far = self.first(window=1 << 20)
        far.reading = False
        clients = [self.join(far) for _ in range(4)]
        for _, client, _ in clients:
            client.transport.write(bytes(300000))
        self.flush()
        far.h2.increment_flow_control_window(4 * 65536)
        far.send()
        self.flush()
        each = [len(far.octets.get(number, b"")) for number, _, _ in clients]
        self.assertGreaterEqual(min(each), 65535)
        self.assertEqual(sum(each), 65535 + 4 * 65536)
