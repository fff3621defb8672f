"""
Tests for L{connectproxy.way}.
"""

from __future__ import annotations

from errno import ECONNREFUSED
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError, DNSLookupError
from twisted.internet.error import ConnectionRefusedError as Unwilling
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from connectproxy.config import configure
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established, IUpstream
from connectproxy.leg import Leg
from connectproxy.way import EndpointWay, wayTo
from tests.fakes import FakeReactor, makeRequest, makeSurroundings, pipePair


@implementer(IStreamClientEndpoint)
class FakeEndpoint:
    """
    Connects when the test says so.
    """

    def __init__(self) -> None:
        self.factory: Any = None
        self.cancelled = False
        self.result: Deferred[Any] = Deferred(self._cancel)

    def _cancel(self, result: Deferred[Any]) -> None:
        self.cancelled = True

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        self.factory = protocolFactory
        return self.result


def row(**keys: Any) -> Any:
    """
    The options of one upstream.
    """
    (found,) = configure(upstream=[{"name": "corp", **keys}]).rows["upstream"]
    return found.options


class EndpointWayTests(SynchronousTestCase):
    """
    L{EndpointWay}.
    """

    def setUp(self) -> None:
        """
        A way by an endpoint of the test's.
        """
        self.reactor = FakeReactor()
        self.endpoint = FakeEndpoint()
        self.way = EndpointWay(self.reactor, lambda request: self.endpoint, "corp")
        self.connecting = self.way.connect(makeRequest(), Factory.forProtocol(Leg))

    def succeed(self) -> Established:
        self.reactor.advance(2)
        self.endpoint.factory.doStart()
        protocol = self.endpoint.factory.buildProtocol(None)
        self.pipe = pipePair(self.reactor, protocol)
        self.endpoint.factory.doStop()
        self.endpoint.result.callback(protocol)
        return self.successResultOf(self.connecting)

    def test_interface(self) -> None:
        """
        It is an upstream.
        """
        verifyObject(IUpstream, self.way)

    def test_connected(self) -> None:
        """
        The protocol that is wanted has the transport, with nothing in between.
        """
        established = self.succeed()
        self.assertIsInstance(established.protocol, Leg)
        self.assertIs(self.pipe.first.protocol, established.protocol)
        self.assertEqual(established.address, "198.51.100.1:443")
        (attempt,) = established.tried
        self.assertEqual((attempt.result, attempt.seconds), ("connected", 2.0))
        self.assertEqual(established.seen, "")

    def test_noProtocol(self) -> None:
        """
        Where what wants the connection can't be built, it is closed, and nobody waits.
        """

        class Bad(Factory):
            def buildProtocol(self, addr: Any) -> Any:
                raise ZeroDivisionError

        self.endpoint = FakeEndpoint()
        connecting = self.way.connect(makeRequest(), Bad())
        landing = self.endpoint.factory.buildProtocol(None)
        pipe = pipePair(self.reactor, landing)
        self.endpoint.result.callback(landing)
        self.failureResultOf(connecting, ZeroDivisionError)
        self.reactor.flush()
        self.assertTrue(pipe.first.disconnected)

    def test_failures(self) -> None:
        """
        What the endpoint says becomes a refusal.
        """
        for error, kind in (
            (Unwilling(osError=ECONNREFUSED), "connection_refused"),
            (ConnectTimeout(), "connection_timeout"),
            (ConnectingCancelledError(IPv4Address("TCP", "192.0.2.1", 80)), "connection_timeout"),
            (DNSLookupError("no"), "dns_error"),
            (ValueError("what"), "destination_unavailable"),
        ):
            self.setUp()
            self.endpoint.result.errback(error)
            refused: Any = self.failureResultOf(self.connecting, Refused).value
            self.assertEqual(refused.refusal.kind, kind)
            self.assertEqual([each.result for each in refused.tried], [kind])

    def test_refused(self) -> None:
        """
        A refusal is passed on as it is.
        """
        refused = Refused(Refusal("next_hop_denied"))
        self.endpoint.result.errback(refused)
        self.assertIs(self.failureResultOf(self.connecting, Refused).value, refused)

    def test_cancelled(self) -> None:
        """
        Given up, the endpoint is given up, and it fails as what took too long.
        """
        self.connecting.cancel()
        self.assertTrue(self.endpoint.cancelled)
        refused: Any = self.failureResultOf(self.connecting, Refused).value
        self.assertEqual(refused.refusal.kind, "connection_timeout")

    def test_addresses(self) -> None:
        """
        Whatever an endpoint calls an address can be shown.
        """
        from connectproxy.way import _shown

        for address, text in (
            (IPv4Address("TCP", "192.0.2.1", 80), "192.0.2.1:80"),
            (IPv6Address("TCP", "2001:db8::1", 80), "[2001:db8::1]:80"),
            (UNIXAddress("/run/x"), "unix:/run/x"),
            (object(), "object"),
        ):
            self.assertEqual(_shown(address), text)


class WayToTests(SynchronousTestCase):
    """
    L{wayTo}.
    """

    def test_straight(self) -> None:
        """
        Without more it is the way that leads to hops, or that of the upstream before it.
        """
        asked = []

        def reach(name: str) -> Any:
            asked.append(name)
            return name

        surroundings = makeSurroundings(FakeReactor(), reach=reach)
        self.assertEqual(wayTo(surroundings, row(url="http://192.0.2.1")), "")
        self.assertEqual(wayTo(surroundings, row(url="http://192.0.2.1", via="first")), "first")
        self.assertEqual(asked, ["", "first"])

    def test_endpoints(self) -> None:
        """
        A UNIX socket and a description are endpoints, made at once.
        """
        reactor = FakeReactor()
        surroundings = makeSurroundings(reactor)
        for options in (row(url="http+unix:///run/x"), row(url="http:", endpoint="unix:/run/x")):
            way: Any = wayTo(surroundings, options)
            endpoint = way._endpointFor(makeRequest())
            self.assertEqual(endpoint._path, "/run/x")

    def test_wrong(self) -> None:
        """
        A description that Twisted does not understand is told when it is read.
        """
        for text in ("nothing:x", "tcp:x", "tls:"):
            error = self.assertRaises(
                ValueError, wayTo, makeSurroundings(FakeReactor()), row(url="http:", endpoint=text)
            )
            self.assertIn(text, str(error))
