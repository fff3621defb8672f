"""
Tests for L{connectproxy.listeners.http.port}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.interfaces import Arrival, IDialect, IReceiver
from connectproxy.leg import adopt
from connectproxy.listeners.http import kind
from tests.fakes import SETTINGS, FakeReactor, Peer, RecordingSwitchboard, addressOf, pipePair
from tests.listeners.http.test_connection import HEAD, parse


class RecogniseTests(SynchronousTestCase):
    """
    What is taken for HTTP.
    """

    def test_dialect(self) -> None:
        """
        The kind is what it claims to be.
        """
        verifyObject(IDialect, kind)
        self.assertEqual((kind.protocolNames, dict(kind.alpn)), (("http/1.1",), {b"http/1.1": "http/1.1"}))

    def test_first(self) -> None:
        """
        One octet tells: every method begins with a letter, and before it there may be empty
        lines (conformance 19).
        """
        for octets in (b"C", b"GET / HTTP/1.1", b"brew", b"\r", b"\n", b"\r\nGET"):
            self.assertEqual(kind.recognise(octets), "http/1.1", octets)
        for octets in (b"\x05", b"\x04", b"\x16\x03", b"\x00", b" GET", b"1", b"\xe4"):
            self.assertIsNone(kind.recognise(octets), octets)


class ReceiveTests(SynchronousTestCase):
    """
    Connections whose first octets somebody else has read.
    """

    def setUp(self) -> None:
        """
        Have something that takes them.
        """
        self.reactor = FakeReactor()
        self.reactor.advance(1000.0)
        self.board: Any = RecordingSwitchboard(self.reactor, {**SETTINGS, "proxy.name": "name"})
        self.receiver = kind.buildReceiver(self.board)
        self.arrival = Arrival(addressOf("203.0.113.9", 999), "tcp:1", 990.0, "TLSv1.3")

    def receive(self, octets: bytes) -> Peer:
        """
        Hand a connection over.
        """
        client = Peer()
        transport = pipePair(self.reactor, client, Peer()).second
        protocol = self.receiver.receive(self.arrival, "http/1.1")
        adopt(transport, protocol)
        if octets:
            protocol.dataReceived(octets)
        self.reactor.flush()
        return client

    def test_receiver(self) -> None:
        """
        What takes them is what it claims to be, with the switchboard's settings.
        """
        verifyObject(IReceiver, self.receiver)
        self.assertEqual(self.receiver.identifier, "name")
        self.assertEqual(self.receiver.keepTimeout, SETTINGS["timeouts.keep_alive"])

    def test_arrival(self) -> None:
        """
        A request has the address and the time that were found before, and the connection is
        not told of again until it is closed.
        """
        client = self.receive(HEAD)
        (inbound,) = self.board.placed
        request = inbound.request
        self.assertEqual((request.client, request.listener, request.arrived), self.arrival[:3])
        self.assertEqual(request.arrival, self.arrival)
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual((self.board.opened, self.board.closed), (0, 1))

    def test_nothingRead(self) -> None:
        """
        The protocol may have been settled before anything was read.
        """
        client = self.receive(b"")
        client.transport.write(HEAD)
        self.reactor.flush()
        self.assertEqual(len(self.board.placed), 1)

    def test_deadline(self) -> None:
        """
        The head has its deadline from there on.
        """
        client = self.receive(HEAD[:5])
        self.reactor.advance(SETTINGS["timeouts.head"] + 0.5)
        self.reactor.flush()
        self.assertEqual(parse(client.received).status, 408)

    def test_stop(self) -> None:
        """
        Those that are idle can be closed.
        """
        client = self.receive(b"")
        self.receiver.stop()
        self.reactor.flush()
        self.assertTrue(client.ended)
