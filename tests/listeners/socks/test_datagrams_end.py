"""
Tests for L{connectproxy.listeners.socks.datagrams}: how an association ends.
"""

from __future__ import annotations

from typing import Any

from connectproxy.listeners.socks import kind
from connectproxy.sockets import LINGER_OCTETS
from tests.fakes import SETTINGS, Peer, makeSwitchboard
from tests.listeners.socks.test_datagrams import DatagramCase, associate


class EndTests(DatagramCase):
    """
    How an association ends, with the real switchboard.
    """

    def setUp(self) -> None:
        """
        Have one.
        """
        DatagramCase.setUp(self)
        self.board = makeSwitchboard(self.reactor)
        self.board.datagrams = self.way
        self.successResultOf(self.listenAgain())

    def listenAgain(self) -> Any:
        """
        Listen with the real switchboard.
        """
        opening = kind.listen(self.reactor, "tcp:1081:interface=192.0.2.1", {}, self.board)
        self.port = self.reactor.ports[-1]
        return opening

    def begin(self) -> Peer:
        """
        Have an association.
        """
        client = self.ask(associate())
        self.udp = self.network.sockets[-1]
        self.assertEqual((len(client.received), len(self.board.associations)), (12, 1))
        return client

    def assertOver(self, client: Peer, end: str, endedBy: str) -> None:
        """
        All of it has ended, both ways.
        """
        self.reactor.flush()
        (event,) = self.board.ledger.events
        self.assertEqual((event["end"], event["ended_by"]), (end, endedBy))
        self.assertEqual(self.board.associations, set())
        self.assertTrue(all(each.closed for each in self.network.sockets))
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(self.board.admission.connections, 0)
        self.assertEqual((self.reactor.getReaders(), len(self.board.wheel)), ([], 0))

    def test_clientEnds(self) -> None:
        """
        It ends with its TCP connection, in whatever way that goes; conformance 73.
        """
        for way in ("loseConnection", "abortConnection", "loseWriteConnection"):
            client = self.begin()
            self.say(self.datagram())
            getattr(client.transport, way)()
            self.assertOver(client, "eof", "client")
            self.board.ledger.events.clear()

    def test_idle(self) -> None:
        """
        When nothing is passed on for long, the client's connection is closed as well.
        """
        client = self.begin()
        self.reactor.advance(SETTINGS["timeouts.idle"] + 1.0)
        self.reactor.flush()
        self.assertTrue(client.ended)
        self.assertOver(client, "idle_timeout", "proxy")

    def test_idleAndStays(self) -> None:
        """
        A client that does not close then is no matter: nothing waits for it.
        """
        client = self.begin()
        self.board.abort("drain_timeout")
        self.reactor.advance(SETTINGS["timeouts.linger"] + 1.0)
        self.assertOver(client, "drain_timeout", "proxy")

    def test_socketLost(self) -> None:
        """
        Without its socket the connection has no meaning: it is closed.
        """
        client = self.begin()
        reader = next(each for each in self.reactor.getReaders() if hasattr(each, "host"))
        reader.connectionLost(None)
        self.assertOver(client, "aborted", "proxy")
        self.assertTrue(client.ended)

    def test_endedBefore(self) -> None:
        """
        A client that has ended its stream by the time of its answer is gone.
        """
        placed: list[Any] = []
        self.patch(self.board, "associate", placed.append)
        client = self.ask(associate())
        client.transport.loseWriteConnection()
        self.reactor.flush()
        del self.board.associate
        self.board.associate(placed[0])
        self.assertOver(client, "eof", "client")

    def test_flood(self) -> None:
        """
        A client that sends without end by TCP is cut off.
        """
        client = self.begin()
        self.send(client, bytes(LINGER_OCTETS + 65536))
        self.assertIsNot(client.lost, None)
        self.assertOver(client, "eof", "client")

    def test_refused(self) -> None:
        """
        A refusal is answered like any other.
        """
        self.board.draining = True
        client = self.ask(associate())
        self.assertEqual(bytes(client.received)[2:4], b"\x05\x01")
        self.assertEqual(self.network.sockets, [])
        self.assertOver(client, "refused", "proxy")
