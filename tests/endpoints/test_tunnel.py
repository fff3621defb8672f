"""
Tests for L{connectproxy.endpoints.tunnel}: what holds whatever is spoken, tried with CONNECT;
the way is open.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from zope.interface.verify import verifyObject

from connectproxy.endpoints import CONNECTClientEndpoint
from connectproxy.endpoints.tunnel import destinationOf
from tests.endpoints.case import OPEN, Application, Applications, EndpointCase, TunnelCase
from tests.fakes import Peer


class PassageTests(TunnelCase):
    """
    The way is open.
    """

    def test_interface(self) -> None:
        """
        It is an endpoint, and says where to and by what.
        """
        endpoint = self.endpoint(credentials=("ann", "secret"))
        verifyObject(IStreamClientEndpoint, endpoint)
        self.assertTrue(repr(endpoint).startswith("<CONNECTClientEndpoint origin.example:443 over <"))
        self.assertNotIn("secret", repr(endpoint))

    def test_hasTheTransport(self) -> None:
        """
        The application's protocol is the transport's own, so that nothing of it is lost; its
        factory is told the proxy's address, as the transport says it.
        """
        results = self.connect(self.endpoint())
        proxy = self.accept()
        self.assertEqual((results, self.applications.addresses), ([], []))
        self.say(proxy, OPEN)
        (application,) = results
        self.assertIsInstance(application, Application)
        self.assertIs(application.transport.protocol, application)
        self.assertEqual(self.applications.addresses, [application.transport.getPeer()])
        application.transport.write(b"hello")
        self.reactor.flush()
        self.assertTrue(proxy.received.endswith(b"\r\n\r\nhello"))

    def test_order(self) -> None:
        """
        The protocol is connected; then whoever has asked is told, and can still set it up;
        then it receives what came behind the answer, then the rest.
        """
        factory = Applications()
        self.endpoint().connect(factory).addCallback(lambda made: made.heard.append("fired"))
        proxy = self.accept()
        application: list[Any] = []
        factory.make = lambda: application.append(Application()) or application[0]  # type: ignore[func-returns-value]
        self.say(proxy, OPEN + b"early")
        self.say(proxy, b"late")
        self.assertEqual(application[0].heard, ["made", "fired", b"early", b"late"])

    def test_closedAtOnce(self) -> None:
        """
        Who closes the connection as soon as it is there, receives nothing more.
        """
        for close in ("loseConnection", "abortConnection"):
            self.setUp()
            done = self.endpoint().connect(self.applications)
            kept: list[Any] = []

            def lose(made: Any, close: str = close, kept: list[Any] = kept) -> None:
                kept.append(made)
                getattr(made.transport, close)()

            done.addCallback(lose)
            self.say(self.accept(), OPEN + b"early")
            reason = ConnectionDone if close == "loseConnection" else ConnectionAborted
            self.assertEqual(kept[0].heard, ["made", reason])

    def test_halfClose(self) -> None:
        """
        Either side may end its stream and go on reading.
        """
        results = self.connect(self.endpoint())
        proxy = self.accept()
        self.say(proxy, OPEN)
        application = results[0]
        application.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertTrue(proxy.ended)
        self.say(proxy, b"still here")
        proxy.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual(application.heard[:4], ["made", "half-closed", b"still here", "ended"])

    def test_lost(self) -> None:
        """
        The protocol is told why its connection went.
        """
        for close, reason in (("loseConnection", ConnectionDone), ("abortConnection", ConnectionLost)):
            self.setUp()
            results = self.connect(self.endpoint())
            proxy = self.accept()
            self.say(proxy, OPEN)
            getattr(proxy.transport, close)()
            self.reactor.flush()
            results[0].transport.loseConnection()
            self.reactor.flush()
            self.assertEqual(results[0].heard[-1], reason)
            self.assertEqual(self.applications.turns, ["start", "stop"])

    def test_chain(self) -> None:
        """
        An endpoint leads to the proxy of another one, and what comes glued is sorted out.
        """
        inner = CONNECTClientEndpoint(self.proxy, "second.example", 8080)
        results = self.connect(CONNECTClientEndpoint(inner, "origin.example", 443))
        proxy = self.accept()
        self.assertEqual(proxy.received.split()[1], b"second.example:8080")
        del proxy.received[:]
        self.say(proxy, OPEN + OPEN + b"early")
        self.assertEqual(results[0].heard, ["made", b"early"])
        self.assertIs(results[0].transport.protocol, results[0])
        self.assertTrue(proxy.received.startswith(b"CONNECT origin.example:443 "))
        self.assertEqual(self.applications.turns, ["start"])
        results[0].transport.loseConnection()
        self.assertAtRest()
        self.assertEqual(self.applications.turns, ["start", "stop"])

    def test_to(self) -> None:
        """
        Another destination beyond the same proxy.
        """
        other = self.endpoint(headers=[("X-Who", "me")]).to("::1", 80)
        self.connect(other)
        self.assertTrue(self.accept().received.startswith(b"CONNECT [::1]:80 HTTP/1.1\r\n"))
        with self.assertRaises(ValueError):
            other.to("", 80)


class LeftTests(TunnelCase):
    """
    Nothing is between the transport and those who are connected by others' wrappers.
    """

    def test_connectProtocol(self) -> None:
        """
        A protocol by itself can be connected.
        """
        peer = Peer()
        connectProtocol(self.endpoint(), peer)
        self.say(self.accept(), OPEN + b"hello")
        self.assertEqual(peer.received, b"hello")

    def test_notHalfCloseable(self) -> None:
        """
        A protocol that knows no half-close is closed by the end of the peer's stream.
        """
        made: list[Any] = []

        class Plain(Protocol):
            def connectionLost(self, reason: Any = None) -> None:
                made.append(reason.type)

        self.connect(self.endpoint(), Factory.forProtocol(Plain))
        proxy = self.accept()
        self.say(proxy, OPEN)
        proxy.transport.loseWriteConnection()
        self.reactor.flush()
        self.assertEqual(made, [ConnectionDone])


class DestinationTests(EndpointCase):
    """
    What an application may call a destination.
    """

    def test_forms(self) -> None:
        """
        Names in octets or characters, addresses with brackets and without.
        """
        for host, expected in (
            ("Origin.Example.", "origin.example:1"),
            (b"origin.example", "origin.example:1"),
            ("b\xfccher.example", "xn--bcher-kva.example:1"),
            ("192.0.2.1", "192.0.2.1:1"),
            ("2001:DB8::1", "[2001:db8::1]:1"),
            ("[::1]", "[::1]:1"),
        ):
            self.assertEqual(str(destinationOf(host, 1)), expected)

    def test_none(self) -> None:
        """
        Anything else is a mistake of the caller's, and said at once.
        """
        for host, port in (
            ("", 1),
            ("a b", 1),
            ("a\r\nb", 1),
            ("127.1", 1),
            ("a", 0),
            ("a", 65536),
            ("\u2028", 1),
        ):
            with self.assertRaises(ValueError):
                destinationOf(host, port)
