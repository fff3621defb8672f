"""
Tests of L{connectproxy.dial}: the same for its connections and for the reactor's
own, over real loopback sockets.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any
from unittest import mock

from twisted.internet import error, reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import IConnector, IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.dial import Outgoing, connectTCPFor

REACTOR: Any = reactor


@implementer(IHalfCloseableProtocol)
class Peer(Protocol):
    """
    Notes what happens to it.
    """

    def __init__(self) -> None:
        self.received = b""
        self.ended = False
        self.made: Deferred[Peer] = Deferred()
        self.readEnded: Deferred[Peer] = Deferred()
        self.lost: Deferred[Exception] = Deferred()
        self.waiting: list[tuple[int, Deferred[bytes]]] = []

    def connectionMade(self) -> None:
        self.made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        for size, waiter in list(self.waiting):
            if len(self.received) >= size:
                self.waiting.remove((size, waiter))
                waiter.callback(self.received)

    def got(self, size: int) -> Deferred[bytes]:
        """A Deferred that fires when so many octets have come."""
        waiter: Deferred[bytes] = Deferred()
        self.waiting.append((size, waiter))
        self.dataReceived(b"")
        return waiter

    def readConnectionLost(self) -> None:
        self.ended = True
        self.readEnded.callback(self)

    def writeConnectionLost(self) -> None:
        """The half-close is done."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(reason.value)


class Caller(ClientFactory):
    """
    Notes what its connector tells it.
    """

    noisy = False

    def __init__(self, peer: Any = None) -> None:
        self.peer = peer
        self.address: Any = None
        self.failed: Deferred[Exception] = Deferred()
        self.gone: Deferred[Exception] = Deferred()

    def buildProtocol(self, addr: Any) -> Any:
        self.address = addr
        return self.peer

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.failed.callback(reason.value)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.gone.callback(reason.value)


class DialContract:
    """
    What a C{connectTCP} for addresses does.
    """

    def connectTCP(self, host: str, port: int, factory: ClientFactory) -> Any:
        """The function under test."""
        raise NotImplementedError

    def listen(self, interface: str = "127.0.0.1") -> Any:
        """A port whose connections end up in C{self.servers}."""
        test: Any = self
        self.servers: list[Peer] = []
        self.accepted: Deferred[Peer] = Deferred()

        def build(addr: Any) -> Peer:
            peer = Peer()
            self.servers.append(peer)
            if not self.accepted.called:
                self.accepted.callback(peer)
            return peer

        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = build  # type: ignore[assignment,method-assign]
        port = REACTOR.listenTCP(0, factory, interface=interface)
        test.addCleanup(port.stopListening)
        return port

    @inlineCallbacks
    def test_carriesBothWays(self) -> Any:
        """
        A connection is made, its factory is told the address, and octets pass.
        """
        test: Any = self
        port = self.listen()
        peer, number = Peer(), port.getHost().port
        factory = Caller(peer)
        connector = self.connectTCP("127.0.0.1", number, factory)
        test.assertTrue(verifyObject(IConnector, connector))
        yield peer.made
        transport: Any = peer.transport
        test.assertTrue(ITCPTransport.providedBy(transport))
        test.assertEqual((factory.address.host, factory.address.port), ("127.0.0.1", number))
        test.assertEqual((transport.getPeer().host, transport.getPeer().port), ("127.0.0.1", number))
        server = yield self.accepted
        yield server.made
        test.assertEqual(transport.getHost(), server.transport.getPeer())
        transport.write(b"up")
        test.assertEqual((yield server.got(2)), b"up")
        server.transport.write(b"down")
        test.assertEqual((yield peer.got(4)), b"down")
        transport.loseConnection()
        reason = yield factory.gone
        test.assertIsInstance(reason, error.ConnectionDone)
        yield server.readEnded
        server.transport.loseConnection()
        yield server.lost

    @inlineCallbacks
    def test_reachesIPv6(self) -> Any:
        """
        An IPv6 address is dialled as it stands.
        """
        test: Any = self
        port = self.listen("::1")
        peer = Peer()
        factory = Caller(peer)
        self.connectTCP("::1", port.getHost().port, factory)
        yield peer.made
        test.assertEqual(factory.address.host, "::1")
        test.assertEqual(peer.transport.getHost().host, "::1")  # type: ignore[union-attr]
        peer.transport.abortConnection()  # type: ignore[union-attr]
        yield factory.gone
        server = yield self.accepted
        yield server.lost

    @inlineCallbacks
    def test_tellsThatItWasRefused(self) -> Any:
        """
        Where nothing listens, the factory hears of C{ConnectionRefusedError}.
        """
        test: Any = self
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            number = sock.getsockname()[1]
        factory = Caller()
        self.connectTCP("127.0.0.1", number, factory)
        reason = yield factory.failed
        test.assertIsInstance(reason, error.ConnectionRefusedError)
        test.assertEqual(reason.osError, errno.ECONNREFUSED)

    @inlineCallbacks
    def test_tellsThatThereIsNoWay(self) -> Any:
        """
        An address that the kernel refuses at once fails with its error number.
        """
        test: Any = self
        factory = Caller()
        self.connectTCP("255.255.255.255", 443, factory)
        reason = yield factory.failed
        test.assertIn(reason.osError, (errno.ENETUNREACH, errno.EACCES, errno.EHOSTUNREACH))

    @inlineCallbacks
    def test_canBeStopped(self) -> Any:
        """
        An attempt that is stopped fails with C{UserError} and leaves no socket.
        """
        test: Any = self
        port = self.listen()
        before = len(os.listdir("/proc/self/fd"))
        factory = Caller(Peer())
        connector = self.connectTCP("127.0.0.1", port.getHost().port, factory)
        connector.disconnect()
        reason = yield factory.failed
        test.assertIsInstance(reason, error.UserError)
        test.assertLessEqual(len(os.listdir("/proc/self/fd")), before + 1)
        yield self._settle()

    @inlineCallbacks
    def _settle(self) -> Any:
        """Let a connection that the kernel may have made be seen and closed."""
        for _ in range(3):
            turn: Deferred[None] = Deferred()
            REACTOR.callLater(0, turn.callback, None)
            yield turn
        for server in self.servers:
            if server.transport is not None and not server.lost.called:
                server.transport.abortConnection()  # type: ignore[attr-defined]
                yield server.lost

    @inlineCallbacks
    def test_closesWhatNobodyWants(self) -> Any:
        """
        A factory that builds no protocol has its connection closed.
        """
        port = self.listen()
        factory = Caller(None)
        self.connectTCP("127.0.0.1", port.getHost().port, factory)
        yield factory.gone
        server = yield self.accepted
        yield server.readEnded
        server.transport.loseConnection()
        yield server.lost

    @inlineCallbacks
    def test_halfCloses(self) -> Any:
        """
        Each direction ends by itself.
        """
        test: Any = self
        port = self.listen()
        peer = Peer()
        factory = Caller(peer)
        self.connectTCP("127.0.0.1", port.getHost().port, factory)
        yield peer.made
        peer.transport.loseWriteConnection()  # type: ignore[union-attr]
        server = yield self.accepted
        yield server.readEnded
        server.transport.write(b"late")
        test.assertEqual((yield peer.got(4)), b"late")
        server.transport.loseConnection()
        yield peer.readEnded
        peer.transport.loseConnection()  # type: ignore[union-attr]
        yield factory.gone

    @inlineCallbacks
    def test_passesAResetOn(self) -> Any:
        """
        A reset is told as C{ConnectionLost}, first to the protocol and then to the
        factory.
        """
        test: Any = self
        port = self.listen()
        peer = Peer()
        factory = Caller(peer)
        self.connectTCP("127.0.0.1", port.getHost().port, factory)
        server = yield self.accepted
        yield server.made
        yield peer.made
        server.transport.abortConnection()
        reason = yield peer.lost
        test.assertIsInstance(reason, error.ConnectionLost)
        test.assertIsInstance((yield factory.gone), error.ConnectionLost)


class ReactorTests(DialContract, TestCase):
    """
    The contract holds for the reactor's own: it is a contract.
    """

    def connectTCP(self, host: str, port: int, factory: ClientFactory) -> Any:
        return REACTOR.connectTCP(host, port, factory)


class OutgoingTests(DialContract, TestCase):
    """
    The contract holds for the lighter one, and what it promises beyond.
    """

    def connectTCP(self, host: str, port: int, factory: ClientFactory) -> Any:
        return connectTCPFor(REACTOR)(host, port, factory, timeout=None)

    def test_isUsedWhereTheReactorWatchesSockets(self) -> None:
        """
        A reactor that is none of Twisted's for POSIX connects by itself.
        """
        memory = MemoryReactorClock()
        self.assertEqual(connectTCPFor(memory), memory.connectTCP)
        self.assertNotEqual(connectTCPFor(REACTOR), REACTOR.connectTCP)

    @inlineCallbacks
    def test_readsNothingForWhoPausesAtOnce(self) -> Any:
        """
        A protocol that takes the transport over when it is made is not read for,
        until it resumes.
        """
        port = self.listen()
        peer = Peer()
        made = peer.makeConnection

        def paused(transport: Any) -> None:
            transport.pauseProducing()
            made(transport)

        peer.makeConnection = paused  # type: ignore[method-assign]
        factory = Caller(peer)
        self.connectTCP("127.0.0.1", port.getHost().port, factory)
        yield peer.made
        self.assertNotIn(peer.transport, REACTOR.getReaders())
        server = yield self.accepted
        server.transport.write(b"x")
        peer.transport.resumeProducing()  # type: ignore[union-attr]
        self.assertEqual((yield peer.got(1)), b"x")
        peer.transport.abortConnection()  # type: ignore[union-attr]
        yield factory.gone
        yield server.lost

    @inlineCallbacks
    def test_failsLikeTheReactorWithoutDescriptors(self) -> Any:
        """
        Without a descriptor the failure comes by the factory, with its number.
        """
        factory = Caller()

        def none(*args: Any, **named: Any) -> Any:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        with mock.patch("socket.socket", none):
            self.connectTCP("127.0.0.1", 1, factory)
        reason = yield factory.failed
        self.assertEqual(reason.osError, errno.EMFILE)

    @inlineCallbacks
    def test_connectsOnce(self) -> Any:
        """
        A connector can't be made to connect again, and stops only what goes on.
        """
        port = self.listen()
        peer = Peer()
        factory = Caller(peer)
        connector = self.connectTCP("127.0.0.1", port.getHost().port, factory)
        self.assertIsInstance(connector, Outgoing)
        self.assertRaises(RuntimeError, connector.connect)
        yield peer.made
        connector.stopConnecting()
        self.assertEqual(connector.state, "connected")
        connector.disconnect()
        yield factory.gone
        connector.disconnect()
        self.assertEqual(connector.state, "disconnected")
        server = yield self.accepted
        yield server.readEnded
        server.transport.loseConnection()
        yield server.lost
