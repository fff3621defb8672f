"""
Tests for L{connectproxy.listeners.http} before a real switchboard: the way of a CONNECT
from its first octet to its event.
"""

from __future__ import annotations

import socket
from typing import Any

from connectproxy.sockets import unsent
from connectproxy.wheel import GRAIN
from connectproxy.wire.http1 import CONNECTED
from tests.fakes import SETTINGS, FakePort, FakeUpstream, Peer, makeSwitchboard
from tests.listeners.http.test_connection import HEAD, ListenerCase


class TunnelCase(ListenerCase):
    """
    A listening port on a switchboard whose connections are made by the test.
    """

    def listen(self, **settings: Any) -> FakePort:
        """
        Open a port.
        """
        return self.listenWith(makeSwitchboard(self.reactor, settings={**SETTINGS, **settings}))

    def listenWith(self, board: Any) -> FakePort:
        """
        Open a port on a switchboard.
        """
        self.board = board
        self.port = self.openPort()
        return self.port

    @property
    def upstream(self) -> FakeUpstream:
        """
        The way out.
        """
        upstream: FakeUpstream = self.board.upstreams["direct"]
        return upstream

    def open(self) -> tuple[Peer, Peer]:
        """
        Open a tunnel.

        @return: the client, with its answer taken away, and the origin.
        """
        client = self.ask(HEAD)
        origin = self.upstream.dials[-1].succeed()
        self.reactor.flush()
        self.assertEqual(bytes(client.received), CONNECTED)
        client.received.clear()
        return client, origin

    def event(self) -> dict[str, Any]:
        """
        The only event.
        """
        (event,) = self.board.ledger.events
        return event  # type: ignore[no-any-return]

    def checkQuiet(self) -> None:
        """
        Nobody is there any more.
        """
        self.assertEqual((self.board.admission.connections, self.board.admission.tunnels), (0, 0))
        self.assertEqual(len(self.board.wheel), 0)


class AcceptedTests(TunnelCase):
    """
    The tunnel is opened.
    """

    def test_answer(self) -> None:
        """
        The answer has neither a length nor a coding, and ends with its blank line
        (conformance 7).
        """
        client = self.ask(HEAD)
        self.upstream.dials[0].succeed()
        self.reactor.flush()
        self.assertEqual(bytes(client.received), b"HTTP/1.1 200 Connection established\r\n\r\n")

    def test_notBefore(self) -> None:
        """
        The answer comes when the destination is connected, and not an octet before
        (conformance 8).
        """
        client = self.ask(HEAD)
        self.reactor.advance(5.0)
        self.reactor.flush()
        self.assertEqual(bytes(client.received), b"")
        self.upstream.dials[0].succeed()
        self.assertTrue(self.connected(client).startswith(b"HTTP/1.1 200 "))

    def connected(self, client: Peer) -> bytes:
        """
        What a client has received after another turn.
        """
        self.reactor.flush()
        return bytes(client.received)

    def test_tunnelBeginsThere(self) -> None:
        """
        What the origin says comes right behind the blank line (conformance 8).
        """
        client = self.ask(HEAD)
        self.upstream.dials[0].succeed(early=b"220 ready\r\n")
        self.assertEqual(self.connected(client), CONNECTED + b"220 ready\r\n")

    def test_behindOthers(self) -> None:
        """
        What proxies on the way have said is told with the 200, and we stand behind them (conformance
        62); the tunnel begins right behind that, and there is no content (conformance 7 and 8).
        """
        self.port = self.listen(**{"proxy.name": "my proxy"})
        client = self.ask(HEAD)
        origin = self.upstream.dials[-1].succeed(members='a; next-hop="b, c", d', early=b"banner")
        self.reactor.flush()
        self.assertEqual(
            bytes(client.received),
            b"HTTP/1.1 200 Connection established\r\n"
            b'Proxy-Status: a; next-hop="b, c", d, "my proxy"\r\n\r\nbanner',
        )
        self.send(client, b"up")
        self.assertEqual(bytes(origin.received), b"up")

    def test_oldClient(self) -> None:
        """
        An HTTP/1.0 client gets the same answer, and is recorded as what it is (conformance
        25).
        """
        client = self.ask(b"CONNECT a.example:443 HTTP/1.0\r\n\r\n")
        self.upstream.dials[0].succeed()
        self.assertEqual(self.connected(client), CONNECTED)
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual(self.event()["protocol"], "http/1.0")

    def test_noDelay(self) -> None:
        """
        The client's connection has TCP_NODELAY, set once: by the port if that can, or
        else with the answer.
        """
        for inherited in (False, True):
            self.port.factory.noDelay = inherited
            client, _ = self.open()
            options = client.transport.socket.other.options
            self.assertEqual(options.get((socket.IPPROTO_TCP, socket.TCP_NODELAY), False), not inherited)

    def test_withTheHead(self) -> None:
        """
        Octets behind the head reach the origin first, whether they came in the same piece
        or while it was dialled for, and so does what comes later (conformance 11).
        """
        client = self.ask(HEAD + b"one ")
        self.send(client, b"two ")
        origin = self.upstream.dials[0].succeed()
        self.send(client, b"three")
        self.assertEqual(bytes(origin.received), b"one two three")
        self.assertEqual(self.connected(client), CONNECTED)

    def test_whileDialling(self) -> None:
        """
        What comes while it is dialled for is held, one read of it, and the rest waits in
        the kernel; nothing is lost and nothing is out of order (conformance 11).
        """
        octets = bytes(range(256)) * 64
        for pieces in ((HEAD, octets), (HEAD + octets,)):
            client = self.connect(capacity=1000)
            for piece in pieces:
                self.send(client, piece)
            taken = len(octets) - unsent(client.transport)
            self.assertLessEqual(taken, 2 * 1000)
            origin = self.upstream.dials[-1].succeed()
            self.reactor.flush()
            self.assertEqual(bytes(origin.received), octets)

    def test_byteByByte(self) -> None:
        """
        Wherever the octets are cut, the origin gets what is behind the head.
        """
        client = self.connect()
        for octet in HEAD + b"hello":
            self.send(client, bytes((octet,)))
        origin = self.upstream.dials[0].succeed()
        self.send(client, b" there")
        self.assertEqual(bytes(origin.received), b"hello there")

    def test_ended(self) -> None:
        """
        A client that has said all it has to say, even before the answer, gets what the
        origin has to say (conformance 14).
        """
        client = self.ask(HEAD + b"hello")
        client.transport.loseWriteConnection()
        self.reactor.flush()
        origin = self.upstream.dials[0].succeed()
        self.reactor.flush()
        self.assertEqual((bytes(origin.received), origin.ended), (b"hello", True))
        origin.transport.write(b"good day")
        origin.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(bytes(client.received), CONNECTED + b"good day")
        self.assertTrue(client.ended)
        self.checkQuiet()

    def test_halfClose(self) -> None:
        """
        The end of one direction is no end of the other (conformance 14).
        """
        client, origin = self.open()
        client.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertTrue(origin.ended)
        origin.transport.write(b"still here")
        self.reactor.flush()
        self.assertEqual(bytes(client.received), b"still here")
        origin.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual((self.event()["end"], self.event()["ended_by"]), ("eof", "client"))
        self.checkQuiet()

    def test_reset(self) -> None:
        """
        A reset is a reset on the other side, at once (conformance 14).
        """
        client, origin = self.open()
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertIsNotNone(origin.lost)
        self.assertEqual((self.event()["end"], self.event()["ended_by"]), ("reset", "client"))
        self.checkQuiet()

    def test_idle(self) -> None:
        """
        A tunnel without traffic is closed in order when its time is over (conformance 16).
        """
        client, origin = self.open()
        self.reactor.advance(SETTINGS["timeouts.idle"] + GRAIN)
        self.reactor.flush()
        self.assertEqual((client.ended, origin.ended), (True, True))
        self.assertEqual(self.event()["end"], "idle_timeout")
        self.checkQuiet()

    def test_headDeadlineIsOver(self) -> None:
        """
        A tunnel is not bound by what a head was.
        """
        client, origin = self.open()
        self.reactor.advance(SETTINGS["timeouts.head"] + SETTINGS["timeouts.linger"])
        self.send(client, b"hello")
        self.assertEqual(bytes(origin.received), b"hello")
