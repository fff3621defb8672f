"""
Tests for L{connectproxy.tls.client}: TLS within TLS, as to a hop that is reached through
another one, over the fake pipe and with servers of the standard library's.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from connectproxy.handshake import Landing
from connectproxy.leg import Truncated
from connectproxy.tls import ClientTLS, handshakeRefusal
from connectproxy.tls.client import HandshakeLost
from tests.fakes import FakePipe, FakeReactor, pipePair
from tests.tls.case import VERSIONS, Producer, Within, issued
from tests.tls.clientcase import Answerer, ClientCase, Eager, serverContext


class Carrier(Answerer):
    """
    The first hop: passes what is within its TLS on to the second.
    """

    def __init__(self, second: Answerer, context: Any = None) -> None:
        Answerer.__init__(self, context)
        self.second = second
        second.transport = mock.Mock(write=self.say)
        self.passed = 0

    def _go(self) -> None:
        Answerer._go(self)
        fresh, self.passed = bytes(self.received[self.passed :]), len(self.received)
        if fresh:
            self.second.dataReceived(fresh)


@implementer(IHandshakeListener)
class Asking(Landing):
    """
    What has the connection to the first hop until that is through; as if it had asked.
    """

    def __init__(self, then: Any) -> None:
        self.then = then

    def handshakeCompleted(self) -> None:
        self.handOn(self.then)


class WithinTests(ClientCase):
    """
    The second hop is at the other end of TLS with the first.
    """

    def through(
        self, within: Any, second: Answerer, tls: ClientTLS | None = None, *, first: Any = None
    ) -> tuple[FakeReactor, FakePipe, Carrier]:
        """
        Reach the second hop through the first.
        """
        reactor = FakeReactor()
        carrier = Carrier(second, first)
        inner = (tls or self.tls()).secure(within)
        pipe = pipePair(reactor, self.tls().secure(Asking(inner)), carrier)
        reactor.flush()
        return reactor, pipe, carrier

    def test_bothWays(self) -> None:
        """
        Both handshakes are done, in all combinations of versions, and much is said both ways;
        the first hop gets to see none of it.
        """
        octets = bytes(range(251)) * 4000
        for outer in VERSIONS:
            for inner in VERSIONS:
                within, second = Eager(), Answerer(serverContext(version=inner))
                reactor, _, carrier = self.through(within, second, first=serverContext(version=outer))
                self.assertEqual(within.happened, ["made", "complete"])
                within.transport.write(octets)
                second.say(octets)
                reactor.flush()
                self.assertEqual(second.received, b"one two three" + octets)
                self.assertEqual(within.received, octets)
                self.assertNotIn(b"one two three", carrier.received)

    def test_atOnce(self) -> None:
        """
        The inner one may be put there before the outer one's handshake: its own waits for that.
        """
        reactor, within, second = FakeReactor(), Eager(), Answerer()
        pipePair(reactor, self.tls().secure(self.tls().secure(within)), Carrier(second))
        reactor.flush()
        self.assertEqual(second.received, b"one two three")

    def test_distrusted(self) -> None:
        """
        A second hop that is another one is told at once, though the first keeps the connection
        open; and hears nothing.
        """
        within, second = Eager(), Answerer(serverContext(issued("other.example")))
        _, pipe, carrier = self.through(within, second)
        self.assertEqual(within.happened, ["made", "lost"])
        self.assertFalse(pipe.first.connected)
        self.assertEqual(bytes(second.received), b"")
        self.assertTrue(carrier.established)
        assert within.lost is not None
        found = handshakeRefusal(within.lost, "the next hop b")
        assert found is not None
        self.assertEqual(found.kind, "tls_certificate_error")
        self.assertIn("the next hop b is for other.example", found.detail)

    def test_outerFails(self) -> None:
        """
        If the first hop's TLS fails it is not the second that has failed: in its handshake it
        is lost, and later as any connection is.
        """
        for established in (False, True):
            within, second = Within(), Answerer()
            if not established:
                second.dataReceived = lambda _: None  # type: ignore[method-assign]
            reactor, pipe, carrier = self.through(within, second)
            self.assertEqual("complete" in within.happened, established)
            carrier.transport.write(b"\x17\x03\x03\x00\x20" + bytes(32))
            reactor.flush()
            self.assertFalse(pipe.first.connected)
            assert within.lost is not None
            self.assertFalse(within.lost.check(SSL.Error))
            self.assertTrue(within.lost.check(ConnectionLost if established else HandshakeLost))

    def test_ends(self) -> None:
        """
        An end in order has both close_notifys, from inside to outside; one that has only the
        outer is truncated; a reset is one.
        """
        within, second = Within(), Answerer()
        reactor, pipe, carrier = self.through(within, second)
        second.notify()
        reactor.flush()
        carrier.transport.loseConnection()
        reactor.flush()
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionDone))
        self.assertFalse(within.lost.check(Truncated))
        self.assertTrue(carrier.notified)

        within, second = Within(), Answerer()
        reactor, pipe, carrier = self.through(within, second)
        carrier.notify()
        reactor.flush()
        assert within.lost is not None
        self.assertTrue(within.lost.check(Truncated))

        within, second = Within(), Answerer()
        reactor, pipe, carrier = self.through(within, second)
        pipe.second.abortConnection()
        reactor.flush()
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionLost))

    def test_ours(self) -> None:
        """
        Our own end, and our own abort.
        """
        within, second = Within(), Answerer()
        reactor, _, carrier = self.through(within, second)
        within.transport.write(b"bye")
        within.transport.loseConnection()
        reactor.flush()
        self.assertEqual(second.received, b"bye")
        self.assertTrue(second.notified and carrier.notified)
        self.assertEqual(within.happened[-1], "lost")

        within, second = Within(), Answerer()
        reactor, pipe, carrier = self.through(within, second)
        within.transport.abortConnection()
        reactor.flush()
        self.assertFalse(pipe.first.connected)
        assert within.lost is not None
        self.assertTrue(within.lost.check(ConnectionAborted))

    def test_pressure(self) -> None:
        """
        Flow control goes through both.
        """
        within, second, producer = Within(), Answerer(), Producer()
        reactor, pipe, _ = self.through(within, second)
        within.transport.registerProducer(producer, True)
        pipe.second.pauseProducing()
        within.transport.write(bytes(1 << 20))
        self.assertEqual(producer.told, ["pause"])
        pipe.second.resumeProducing()
        reactor.flush()
        self.assertEqual(producer.told, ["pause", "resume"])
        self.assertEqual(len(second.received), 1 << 20)
        within.transport.pauseProducing()
        second.say(b"hello")
        reactor.flush()
        self.assertEqual(within.received, b"")
        within.transport.resumeProducing()
        reactor.flush()
        self.assertEqual(within.received, b"hello")
