"""
Tests for L{connectproxy.listeners.socks.port}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy import port
from connectproxy.interfaces import Arrival, IDialect, IReceiver
from connectproxy.leg import adopt
from connectproxy.listeners.socks import SOCKSProxyFactory, kind
from connectproxy.wire.socks import formatRequest5
from tests.fakes import SETTINGS, FakePort, FakeReactor, Peer, RecordingSwitchboard, addressOf, pipePair

DESCRIPTION = "tcp:1080:interface=192.0.2.1"
ASKED = formatRequest5("host.example", 443)
HELLO = b"\x05\x01\x00"


class ListenerCase(SynchronousTestCase):
    """
    A listening port, as the service opens it, before a switchboard that does nothing.
    """

    def setUp(self) -> None:
        """
        Listen.
        """
        self.reactor = FakeReactor()
        self.reactor.advance(1000.0)
        self.board: Any = RecordingSwitchboard(self.reactor)
        self.port = self.listen()

    def listen(self, **settings: Any) -> FakePort:
        """
        Open a port.
        """
        self.board.settings = {**SETTINGS, **settings}
        options = kind.parseOptions({}, "[[listen]]")
        self.successResultOf(kind.listen(self.reactor, DESCRIPTION, options, self.board))
        return self.reactor.ports[-1]

    def connect(self, **others: Any) -> Peer:
        """
        Be a client.
        """
        client: Peer = self.port.connect(**others)
        self.reactor.flush()
        return client

    def send(self, client: Peer, octets: bytes) -> None:
        """
        Say something.
        """
        client.transport.write(octets)
        self.reactor.flush()

    def ask(self, octets: bytes) -> Peer:
        """
        Connect and say something.
        """
        client = self.connect()
        self.send(client, octets)
        return client


class KindTests(ListenerCase):
    """
    The kind of listener.
    """

    def test_interfaces(self) -> None:
        """
        The kind, and what takes connections, are what they claim to be.
        """
        self.assertTrue(verifyObject(IDialect, kind))
        self.assertTrue(verifyObject(IReceiver, kind.buildReceiver(self.board)))
        self.assertEqual(
            (kind.kindName, kind.protocolNames, dict(kind.alpn)), ("socks", ("socks5", "socks4"), {})
        )

    def test_options(self) -> None:
        """
        There are none; what it does not know it names.
        """
        self.assertEqual(kind.parseOptions({}, "[[listen]]"), {})
        with self.assertRaises(ValueError) as caught:
            kind.parseOptions({"udp": 1, "bind": 2}, "line 3 [[listen]]")
        self.assertEqual(str(caught.exception), "line 3 [[listen]]: unknown keys: bind, udp")

    def test_recognise(self) -> None:
        """
        One octet is enough: of a greeting there may be no more than three, and then the
        client waits.
        """
        for octet in range(256):
            expected = {5: "socks5", 4: "socks4"}.get(octet)
            self.assertEqual(kind.recognise(bytes([octet])), expected)
            self.assertEqual(kind.recognise(bytes([octet]) + b"\x01\x00"), expected)

    def test_settings(self) -> None:
        """
        The settings reach the connections, and the endpoint's description is the listener's
        name; lingering stays within the ten seconds of RFC 1928 section 6.
        """
        port = self.listen(**{"timeouts.head": 3.0, "timeouts.linger": 1.0, "socks.udp": False})
        factory: SOCKSProxyFactory = port.factory
        self.assertEqual(
            (factory.headTimeout, factory.lingerTimeout, factory.udp, factory.description),
            (3.0, 1.0, False, DESCRIPTION),
        )
        self.assertFalse(factory.noisy)
        port = self.listen(**{"timeouts.linger": 60.0})
        self.assertEqual((port.factory.lingerTimeout, port.factory.udp), (9.0, True))

    def test_noDelay(self) -> None:
        """
        A port that can gives its connections TCP_NODELAY once and for all; of a port of
        several protocols it is not this one's matter.
        """
        self.assertIs(self.port.factory.noDelay, False)
        asked: list[Any] = []
        self.patch(port, "inheritNoDelay", lambda each: asked.append(each) or True)
        opened = self.listen()
        self.assertIs(opened.factory.noDelay, True)
        self.assertEqual(asked, [opened])
        self.assertIs(kind.buildReceiver(self.board).noDelay, True)

    def test_stop(self) -> None:
        """
        When the port is closed, who has not asked yet is not going to be served; who waits
        for an answer gets it.
        """
        silent, begun, waiting = self.connect(), self.ask(HELLO), self.ask(HELLO + ASKED)
        self.port.stopListening()
        self.reactor.advance(0)
        self.reactor.flush()
        self.assertEqual((bytes(silent.received), silent.ended), (b"", True))
        self.assertEqual((bytes(begun.received), begun.ended), (b"\x05\x00" + REFUSED, True))
        self.assertEqual((bytes(waiting.received), waiting.ended), (b"\x05\x00", False))
        (rejection,) = self.board.rejections
        self.assertEqual(rejection[0].kind, "proxy_draining")
        self.assertEqual(self.port.factory.reading, set())


REFUSED = b"\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00"


class ReceiverTests(ListenerCase):
    """
    Connections that somebody else has accepted.
    """

    def receive(self, arrived: float, octets: bytes) -> Peer:
        """
        Have one received, with octets that were read before.
        """
        arrival = Arrival(
            addressOf("203.0.113.9", 4711), "tcp:8080", arrived, "TLSv1.3", None, addressOf("192.0.2.250", 99)
        )
        self.arrival = arrival
        self.receiver = kind.buildReceiver(self.board)
        protocol = self.receiver.receive(arrival, "socks5")
        pipe = pipePair(self.reactor)
        adopt(pipe.second, protocol)
        protocol.dataReceived(octets)
        self.reactor.flush()
        client: Any = pipe.first.protocol
        return client

    def test_request(self) -> None:
        """
        The request says what is known of the connection; who has accepted it has told of
        it, and only its end is told here.
        """
        client = self.receive(995.0, HELLO + ASKED)
        (inbound,) = self.board.placed
        request = inbound.request
        self.assertEqual(
            (request.client, request.listener, request.arrived, request.arrival),
            (self.arrival.client, "tcp:8080", 995.0, self.arrival),
        )
        self.assertEqual((self.board.opened, self.board.closed), (0, 0))
        client.transport.abortConnection()
        self.reactor.flush()
        self.assertEqual((self.board.opened, self.board.closed), (0, 1))

    def test_deadline(self) -> None:
        """
        The time for the request has begun with the connection, whoever had it then, and may
        be over already.
        """
        for arrived, left in ((980.0, 10.0), (900.0, 0.0)):
            client = self.receive(arrived + self.reactor.seconds() - 1000.0, HELLO)
            if left:
                self.reactor.advance(left - 0.5)
                self.reactor.flush()
                self.assertFalse(client.ended)
            self.reactor.advance(1.0)
            self.reactor.flush()
            self.assertTrue(client.ended)
            self.assertEqual(self.board.rejections[-1][0].kind, "http_request_timeout")

    def test_rejected(self) -> None:
        """
        What comes to nothing is recorded with the client's own address.
        """
        self.receive(1000.0, b"\x05\x01\x09")
        (rejection,) = self.board.rejections
        self.assertEqual(rejection[1:5], (self.arrival.client, "tcp:8080", "socks5", 1000.0))

    def test_stop(self) -> None:
        """
        To stop is the same as for a port.
        """
        client = self.receive(1000.0, HELLO)
        self.receiver.stop()
        self.reactor.flush()
        self.assertTrue(client.ended)
        self.assertEqual(self.receiver.reading, set())
