"""
Tests for L{connectproxy.testing.memory}: what dials and listens in memory does what the real
one does, by the same tests.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorFDSet,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.protocol import ClientFactory, Factory
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from connectproxy.testing import FakeReactor, Peer, pipePair
from connectproxy.testing.lookups import FakeResolver
from connectproxy.testing.pipe import addressOf
from tests.loopback import REACTOR, LoopbackTestCase
from tests.pipecontract import DialContract


class FakeDialTests(DialContract, TestCase):
    """
    The fake reactor.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.cause: Any = None

    def dial(self, factory: Any) -> Any:
        attempt = self.reactor.connectTCP("192.0.2.1", 443, factory)
        self.cause = attempt.succeed
        return attempt

    def dialNobody(self, factory: Any) -> Any:
        attempt = self.reactor.connectTCP("192.0.2.1", 443, factory)
        self.cause = lambda: attempt.fail(errno.ECONNREFUSED)
        return attempt

    def until(self, condition: Any) -> Deferred[None]:
        cause, self.cause = self.cause, None
        if cause is not None:
            cause()
        self.reactor.flush()
        self.assertTrue(condition())
        return succeed(None)


class Accepted(Peer):
    """
    The far end of a connection that was dialled; closes when the other does.
    """

    def __init__(self, adopted: list[Any]) -> None:
        Peer.__init__(self, closeAtEnd=True)
        self._adopted = adopted

    def connectionMade(self) -> None:
        self._adopted.append(self.transport)


class LoopbackDialTests(DialContract, LoopbackTestCase):
    """
    The real one: integration.
    """

    def dial(self, factory: Any) -> Any:
        accepting = Factory()
        accepting.noisy = False
        accepting.buildProtocol = lambda addr: Accepted(self.adopted)  # type: ignore[method-assign]
        port = REACTOR.listenTCP(0, accepting, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return REACTOR.connectTCP("127.0.0.1", port.getHost().port, factory)

    def dialNobody(self, factory: Any) -> Any:
        one, two = self.sockets()
        number = one.getsockname()[1]
        one.close()
        two.close()
        return REACTOR.connectTCP("127.0.0.1", number, factory)


class FakeReactorTests(SynchronousTestCase):
    """
    What only the fakes have.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()

    def listen(self) -> tuple[Any, list[Peer]]:
        """
        @return: a fake port, and the protocols of what it accepts.
        """
        accepted: list[Peer] = []

        def build(addr: Any) -> Peer:
            accepted.append(Peer())
            return accepted[-1]

        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = build  # type: ignore[method-assign]
        return self.reactor.listenTCP(8080, factory, interface="127.0.0.1"), accepted

    def test_interfaces(self) -> None:
        """
        The fakes have what they claim to have.
        """
        for interface in (IReactorTime, IReactorTCP, IReactorFDSet, IReactorPluggableNameResolver):
            self.assertTrue(verifyObject(interface, self.reactor))
        self.assertTrue(verifyObject(IListeningPort, self.listen()[0]))

    def test_nothingBySelf(self) -> None:
        """
        Nothing moves without a turn.
        """
        pipe = pipePair(self.reactor)
        pipe.first.write(b"x")
        self.assertEqual(pipe.second.protocol.received, b"")
        self.assertGreater(self.reactor.flush(), 0)
        self.assertEqual(pipe.second.protocol.received, b"x")
        self.assertEqual(self.reactor.flush(), 0)

    def test_spinning(self) -> None:
        """
        What never comes to rest is a failure.
        """

        def again() -> None:
            self.reactor.callLater(0, again)

        again()
        self.assertRaises(AssertionError, self.reactor.flush, 100)

    def test_brokenProtocol(self) -> None:
        """
        A protocol that raises loses its connection, and the error is logged.
        """
        pipe = pipePair(self.reactor)
        peer = pipe.second.protocol
        peer.dataReceived = lambda data: 1 / 0
        pipe.first.write(b"x")
        self.reactor.flush()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(peer.lost.check(ZeroDivisionError))

    def test_port(self) -> None:
        """
        A port accepts; paused, it lets clients wait; stopped, it has none.
        """
        port, accepted = self.listen()
        client = port.connect(host="192.0.2.9")
        self.assertEqual(accepted[0].transport.getPeer(), addressOf("192.0.2.9", 51000))
        self.assertEqual(port.getHost(), addressOf("127.0.0.1", 8080))
        port.pauseProducing()
        port.connect()
        self.assertEqual(len(accepted), 1)
        port.resumeProducing()
        self.assertEqual(len(accepted), 2)
        client.transport.write(b"x")
        stopped = port.stopListening()
        self.reactor.flush()
        self.successResultOf(stopped)
        self.assertEqual(accepted[0].received, b"x")
        self.assertRaises(AssertionError, port.connect)

    def test_unwanted(self) -> None:
        """
        A port whose factory builds nothing closes the connection.
        """
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
        client = self.reactor.listenTCP(0, factory).connect()
        self.reactor.flush()
        self.assertTrue(client.ended)

    def test_attempt(self) -> None:
        """
        An attempt says where it goes, and what it is told when it is over does nothing.
        """
        attempt = self.reactor.connectTCP("192.0.2.1", 443, ClientFactory.forProtocol(Peer))
        self.assertEqual(attempt.getDestination(), addressOf("192.0.2.1", 443))
        self.assertFalse(attempt.stopped)
        attempt.succeed()
        attempt.failIfNotConnected(ConnectionDone())
        self.assertEqual(attempt.state, "connected")

    def test_resolver(self) -> None:
        """
        Another resolver can be put in the place of the fake one, which comes back.
        """
        old, other = self.reactor.nameResolver, FakeResolver()
        self.assertIs(self.reactor.installNameResolver(other), old)
        self.assertIs(self.reactor.nameResolver, other)

    def test_threads(self) -> None:
        """
        Calls from and in threads are calls.
        """
        told: list[int] = []
        self.reactor.callFromThread(told.append, 1)
        self.reactor.callInThread(told.append, 2)
        self.assertEqual(told, [1, 2])
        self.assertIs(self.reactor.getThreadPool(), self.reactor.threads)

    def test_descriptors(self) -> None:
        """
        What is watched can be asked, and taken away at once.
        """
        pipe = pipePair(self.reactor)
        pipe.first.write(b"x")
        self.assertEqual(self.reactor.getReaders(), list(pipe))
        self.assertEqual(self.reactor.getWriters(), [pipe.first])
        self.assertEqual(self.reactor.removeAll(), list(pipe))
        self.assertEqual(
            (self.reactor.flush(), self.reactor.getReaders(), self.reactor.getWriters()), (0, [], [])
        )

    def test_cancelledInTheSameTurn(self) -> None:
        """
        A call that one before it has cancelled is not made.
        """
        told: list[int] = []
        self.reactor.callLater(0, lambda: other.cancel())
        other = self.reactor.callLater(0, told.append, 1)
        self.reactor.flush()
        self.assertEqual(told, [])
