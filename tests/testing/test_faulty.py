"""
Tests for L{connectproxy.testing.faulty}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.testing import FakeReactor, FaultyServer, Forward, Peer, Reset, Say
from tests.loopback import REACTOR, LoopbackTestCase


class ServerTests(SynchronousTestCase):
    """
    Which connection gets which script.
    """

    def setUp(self) -> None:
        """
        A reactor in memory.
        """
        self.reactor = FakeReactor()

    def connect(self) -> Any:
        """
        Connect once more.
        """
        client = self.reactor.ports[-1].connect()
        self.reactor.flush()
        return client

    def test_scripts(self) -> None:
        """
        Each connection has the next one, and those behind the last one have that.
        """
        server = FaultyServer(self.reactor, [Say(b"1")], iter([Say(b"2")])).start()
        self.assertEqual([self.connect().received for _ in range(4)], [b"1", b"2", b"2", b"2"])
        self.assertEqual(len(server.connections), 4)

    def test_where(self) -> None:
        """
        It says where it listens.
        """
        server = FaultyServer(self.reactor).start("127.0.0.3")
        self.assertEqual((server.host, server.port), ("127.0.0.3", self.reactor.ports[0].getHost().port))
        self.assertGreater(server.port, 0)

    def test_accepted(self) -> None:
        """
        A connection can be waited for, by its number; nobody has to wait for it.
        """
        server = FaultyServer(self.reactor).start()
        second = server.whenAccepted(2)
        given = server.whenAccepted(3)
        self.connect()
        self.assertNoResult(second)
        self.assertIs(self.successResultOf(server.whenAccepted()), server.connections[0])
        self.connect()
        self.assertIs(self.successResultOf(second), server.connections[1])
        given.cancel()
        self.failureResultOf(given)
        self.connect()

    def test_stop(self) -> None:
        """
        It listens no more, and all connections are reset; that it is done a second time, or
        without having been started, does not matter.
        """
        server = FaultyServer(self.reactor)
        self.successResultOf(server.stop())
        server.start()
        client = self.connect()
        stopped = server.stop()
        self.reactor.flush()
        self.successResultOf(stopped)
        self.assertIsNot(client.lost, None)
        self.assertRaises(AssertionError, self.reactor.ports[0].connect)
        self.successResultOf(server.stop())


class RealTests(LoopbackTestCase):
    """
    With real sockets: integration.
    """

    async def test_real(self) -> None:
        """
        In front of a real server, what a client hears is what the script says.
        """
        said = Peer(closeAtEnd=True)
        said.connectionMade = lambda: said.transport.write(b"hello, world")  # type: ignore[method-assign]
        target = REACTOR.listenTCP(0, Factory.forProtocol(lambda: said), interface="127.0.0.1")
        self.addCleanup(target.stopListening)
        where = target.getHost()
        server = FaultyServer(REACTOR, [Forward(5), Reset()], target=(where.host, where.port)).start()
        self.addCleanup(server.stop)
        client = Peer()
        REACTOR.connectTCP(server.host, server.port, _Once(client))
        await server.whenAccepted()
        await self.until(lambda: client.lost is not None and said.lost is not None)
        self.assertIn(bytes(client.received), (b"", b"hello"))


class _Once(Factory):
    """
    Connects one protocol.
    """

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self._given = protocol

    def buildProtocol(self, addr: Any) -> Any:
        return self._given

    def startedConnecting(self, connector: Any) -> None:
        pass

    def clientConnectionLost(self, connector: Any, reason: Any) -> None:
        pass
