"""
Tests for L{connectproxy.listeners.http}: what is read, and what becomes of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import twisted
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocolNegotiationFactory
from twisted.python.versions import Version
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy import port
from connectproxy.errors import KINDS
from connectproxy.interfaces import IInboundTunnel, IListenerKind
from connectproxy.listeners.http import kind
from tests.fakes import SETTINGS, FakePort, FakeReactor, Peer, RecordingSwitchboard, addressOf

HEAD = b"CONNECT host.example:443 HTTP/1.1\r\nHost: host.example:443\r\n\r\n"
DESCRIPTION = "tcp:8080:interface=127.0.0.1"


class Answer(NamedTuple):
    """
    A response, taken apart.
    """

    status: int
    reason: str
    fields: dict[str, str]
    body: str


def parse(octets: bytes) -> Answer:
    """
    Take exactly one response apart, strictly.
    """
    head, blank, body = bytes(octets).partition(b"\r\n\r\n")
    assert blank, octets
    line, *rest = head.decode("ascii").split("\r\n")
    version, status, reason = line.split(" ", 2)
    assert version == "HTTP/1.1", line
    fields: dict[str, str] = {}
    for each in rest:
        name, value = each.split(": ", 1)
        assert name.lower() not in fields, name
        fields[name.lower()] = value
    return Answer(int(status), reason, fields, body.decode("utf-8"))


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
        return self.openPort()

    def openPort(self) -> FakePort:
        """
        Open a port on the board.
        """
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

    def refusalOf(self, octets: bytes, kindName: str = "http_request_error") -> Answer:
        """
        The answer to what is refused before anybody is asked: it is of this kind, in the
        answer and in what is recorded, and the connection is on its way to its end.
        """
        before = len(self.board.rejections)
        client = self.ask(octets)
        answer = parse(client.received)
        row = KINDS[kindName]
        self.assertEqual(answer.status, row.status, octets)
        self.assertIn(f"error={row.proxyStatus}", answer.fields["proxy-status"])
        (rejection,) = self.board.rejections[before:]
        self.assertEqual(rejection[0].kind, kindName)
        self.assertIn(rejection[0].detail, answer.body)
        self.assertTrue(client.ended)
        self.assertEqual(self.board.placed, [])
        client.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(len(self.board.wheel), 0)
        return answer

    def placedBy(self, octets: bytes) -> Any:
        """
        The inbound tunnel that comes of a head.
        """
        before = len(self.board.placed)
        client = self.ask(octets)
        self.assertEqual(bytes(client.received), b"")
        (inbound,) = self.board.placed[before:]
        return inbound


class PlacedTests(ListenerCase):
    """
    Heads that become requests.
    """

    def test_interfaces(self) -> None:
        """
        The kind, and what it hands over, are what they claim to be.
        """
        verifyObject(IListenerKind, kind)
        self.assertEqual(kind.kindName, "http")
        inbound = self.placedBy(HEAD)
        verifyObject(IInboundTunnel, inbound)
        verifyObject(IHalfCloseableProtocol, inbound)

    def test_request(self) -> None:
        """
        The request says where to, who asks, and in which words.
        """
        inbound = self.placedBy(HEAD)
        request = inbound.request
        self.assertEqual(str(request.destination), "host.example:443")
        self.assertEqual(request.client, addressOf("192.0.2.7", 51000))
        self.assertEqual(request.listener, DESCRIPTION)
        self.assertEqual((request.protocol, request.method), ("http/1.1", "CONNECT"))
        self.assertEqual(request.fields, ((b"host", b"host.example:443"),))
        self.assertEqual(request.arrived, 1000.0)
        self.assertEqual(self.board.rejections, [])

    def test_deadlineIsOver(self) -> None:
        """
        With the whole head its deadline is gone: what follows has the switchboard's.
        """
        self.connect()
        self.assertEqual(len(self.board.wheel), 1)
        self.placedBy(HEAD)
        self.assertEqual(len(self.board.wheel), 1)

    def test_arrived(self) -> None:
        """
        A request began when its client connected.
        """
        client = self.connect()
        self.reactor.advance(2.0)
        self.send(client, HEAD)
        self.assertEqual(self.board.placed[0].request.arrived, 1000.0)

    def test_byteByByte(self) -> None:
        """
        A head can come one octet at a time; what becomes of it is the same.
        """
        client = self.connect()
        for octet in HEAD:
            self.assertEqual(self.board.placed, [])
            self.send(client, bytes((octet,)))
        (inbound,) = self.board.placed
        self.assertEqual(inbound.request, self.placedBy(HEAD).request)

    def test_sentAtOnce(self) -> None:
        """
        What a client has sent before its connection is accepted is the same as well, and
        is read without another turn of the reactor.
        """
        self.port.pauseProducing()
        client = self.port.connect()
        client.transport.write(HEAD)
        self.reactor.flush()
        self.assertEqual(self.board.placed, [])
        self.port.resumeProducing()
        self.assertEqual(len(self.board.placed), 1)

    def test_emptyLine(self) -> None:
        """
        Empty lines before the request line are passed over (conformance 19).
        """
        self.placedBy(b"\r\n\r\n" + HEAD)

    def test_noContentIsTolerated(self) -> None:
        """
        C{Content-Length: 0} announces nothing (conformance 9).
        """
        self.placedBy(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n")

    def test_otherHost(self) -> None:
        """
        The target alone says where to; a Host that says something else is tolerated
        (conformance 13).
        """
        for host in (b"other.example:80", b"a.example", b""):
            inbound = self.placedBy(b"CONNECT a.example:443 HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
            self.assertEqual(str(inbound.request.destination), "a.example:443")

    def test_oldClient(self) -> None:
        """
        An HTTP/1.0 client need not send Host, and the request says what it spoke
        (conformance 12 and 25).
        """
        inbound = self.placedBy(b"CONNECT a.example:443 HTTP/1.0\r\n\r\n")
        self.assertEqual(inbound.request.protocol, "http/1.0")

    def test_expect(self) -> None:
        """
        An expectation has no meaning here and is passed over; nobody gets a 100
        (conformance 23).
        """
        self.placedBy(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n")

    def test_alpn(self) -> None:
        """
        What the client says of its ALPN is passed on, as a header field like others
        (conformance 24).
        """
        inbound = self.placedBy(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\nALPN: h2\r\n\r\n")
        self.assertIn((b"alpn", b"h2"), inbound.request.fields)

    def test_longLine(self) -> None:
        """
        A long line is read, whatever comes of it (conformance 22).
        """
        self.placedBy(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\nCookie: " + b"x" * 8000 + b"\r\n\r\n")

    def test_destinations(self) -> None:
        """
        Destinations come in one normal form (conformance 3 and 4).
        """
        for target, shown in (
            (b"Host.Example.:443", "host.example:443"),
            (b"[2001:DB8:0::1]:443", "[2001:db8::1]:443"),
            (b"192.0.2.1:443", "192.0.2.1:443"),
            (b"a_b-c.example:00443", "a_b-c.example:443"),
        ):
            inbound = self.placedBy(b"CONNECT %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
            self.assertEqual(str(inbound.request.destination), shown)


class OptionsTests(SynchronousTestCase):
    """
    What a C{[[listen]]} table can say.
    """

    def test_none(self) -> None:
        """
        Nothing but the endpoint yet; what it does not know it names.
        """
        self.assertEqual(kind.parseOptions({}, "[[listen]]"), {})
        with self.assertRaises(ValueError) as caught:
            kind.parseOptions({"tls": 1, "identity": 2}, "line 3 [[listen]]")
        self.assertEqual(str(caught.exception), "line 3 [[listen]]: unknown keys: identity, tls")


class FactoryTests(ListenerCase):
    """
    What belongs to the port.
    """

    def test_settings(self) -> None:
        """
        The settings reach the connections, and the endpoint's description is the
        listener's name.
        """
        port = self.listen(**{"proxy.name": "proxy.example", "timeouts.head": 3.0, "timeouts.linger": 1.0})
        factory = port.factory
        self.assertEqual(
            (factory.identifier, factory.headTimeout, factory.lingerTimeout, factory.description),
            ("proxy.example", 3.0, 1.0, DESCRIPTION),
        )
        self.assertFalse(factory.noisy)

    def test_noDelay(self) -> None:
        """
        A port that can gives its connections TCP_NODELAY once and for all.
        """
        self.assertIs(self.port.factory.noDelay, False)
        asked: list[Any] = []
        self.patch(port, "inheritNoDelay", lambda each: asked.append(each) or True)
        opened = self.listen()
        self.assertIs(opened.factory.noDelay, True)
        self.assertEqual(asked, [opened])

    def test_negotiation(self) -> None:
        """
        Behind TLS a client that asks by ALPN what is spoken is told, where Twisted wants
        to know.
        """
        if twisted.version >= Version("Twisted", 26, 4, 0):
            verifyObject(IProtocolNegotiationFactory, self.port.factory)
        else:
            self.assertFalse(IProtocolNegotiationFactory.providedBy(self.port.factory))
        self.assertEqual(self.port.factory.acceptableProtocols(), [b"http/1.1"])

    def test_counted(self) -> None:
        """
        Every connection is told to the switchboard, when it is opened and when it is
        closed.
        """
        first, second = self.connect(), self.ask(HEAD)
        self.assertEqual((self.board.opened, self.board.closed), (2, 0))
        for number, client in enumerate((first, second)):
            client.transport.abortConnection()
            self.reactor.flush()
            self.assertEqual(self.board.closed, number + 1)
        self.assertEqual(self.port.factory.connections, set())

    def test_descriptor(self) -> None:
        """
        It is told with the number of its descriptor, or -1 where it has none.
        """
        told: list[int] = []
        self.board.connectionOpened = told.append
        self.connect()
        protocol = self.port.factory.buildProtocol(None)
        protocol.makeConnection(object())
        self.assertEqual(told[1], -1)
        self.assertGreater(told[0], 0)
