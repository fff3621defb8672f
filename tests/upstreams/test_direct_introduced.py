"""
Tests for L{connectproxy.upstreams.direct}: the PROXY header that a destination gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any, ClassVar

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.race import ATTEMPT_DELAY
from connectproxy.sockets import unsent
from connectproxy.upstreams import direct
from connectproxy.wire.proxyheader import HeaderReader, ProxyHeader, SocketAddress, Transport
from tests.conformance import UpstreamContract
from tests.fakes import SETTINGS, FakeReactor, Peer, addressOf, makeRequest, makeSurroundings

CLIENT = addressOf("192.0.2.7", 51000)
CLIENT6 = addressOf("2001:db8::7", 51000)


class IntroducedContractTests(UpstreamContract, SynchronousTestCase):
    """
    Everything that holds for an upstream holds with a header in front.
    """

    kind = direct.kind
    target = "[2001:db8::1]:443"
    settings: ClassVar[Mapping[str, Any]] = {**SETTINGS, "direct.proxy_protocol": "v2"}

    def phases(self) -> Mapping[str, tuple[Callable[[], Any], str]]:
        return {"dialling": (self.dial, "connection_timeout")}

    def dial(self) -> Any:
        (attempt,) = self.reactor.attempts
        return attempt

    def greet(self, peer: Any) -> None:
        self.reactor.flush()
        self.assertIsInstance(HeaderReader([2]).receive(bytes(peer.received)), ProxyHeader)


class Hasty(Peer):
    """
    Says something as soon as it is connected.
    """

    def connectionMade(self) -> None:
        self.transport.write(b"at once")


class IntroductionTests(SynchronousTestCase):
    """
    What is sent, to whom, and when.
    """

    def setUp(self) -> None:
        """
        Nobody has asked yet.
        """
        self.reactor = FakeReactor()

    def connect(
        self, version: str, client: IAddress = CLIENT, target: str = "198.51.100.1:443", protocol: Any = Peer
    ) -> Deferred[Any]:
        """
        Ask for a connection.
        """
        settings = {**SETTINGS, "direct.proxy_protocol": version}
        upstream = direct.kind.build(makeSurroundings(self.reactor, settings=settings), {})
        return upstream.connect(makeRequest(target, client=client), Factory.forProtocol(protocol))

    def sent(self, *args: Any, **fields: Any) -> bytes:
        """
        All that a destination gets, when its only address has been dialled.
        """
        self.connect(*args, **fields)
        peer = self.reactor.attempts[-1].succeed()
        self.reactor.flush()
        return bytes(peer.received)

    def test_version1(self) -> None:
        """
        The client's address and the one that was dialled, as if there were no proxy
        (conformance 78).
        """
        self.assertEqual(self.sent("v1"), b"PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\r\n")
        self.assertEqual(
            self.sent("v1", CLIENT6, "[2001:db8::1]:443"),
            b"PROXY TCP6 2001:db8::7 2001:db8::1 51000 443\r\n",
        )

    def test_version2(self) -> None:
        """
        So in version 2, which says TCP and no more (conformance 78).
        """
        for client, target in ((CLIENT, "198.51.100.1"), (CLIENT6, "2001:db8::1")):
            octets = self.sent("v2", client, f"[{target}]:443" if ":" in target else f"{target}:443")
            kind: Any = IPv6Address if ":" in target else IPv4Address
            ends = SocketAddress(kind(client.host), 51000), SocketAddress(kind(target), 443)
            self.assertEqual(HeaderReader([2]).receive(octets), ProxyHeader(2, *ends, Transport.TCP))

    def test_otherFamily(self) -> None:
        """
        One header has one family: an IPv4 address is written as a mapped one beside one of
        IPv6, whichever end it is (conformance 78).
        """
        self.assertEqual(
            self.sent("v1", CLIENT, "[2001:db8::1]:443"),
            b"PROXY TCP6 ::ffff:c000:207 2001:db8::1 51000 443\r\n",
        )
        self.assertEqual(self.sent("v1", CLIENT6), b"PROXY TCP6 2001:db8::7 ::ffff:c633:6401 51000 443\r\n")
        octets = self.sent("v2", CLIENT, "[2001:db8::1]:443")
        self.assertEqual(octets[13], 0x21)
        self.assertIn(bytes(10) + b"\xff\xff\xc0\x00\x02\x07", octets)

    def test_scoped(self) -> None:
        """
        A link-local client's zone is this machine's own, and is not told.
        """
        self.assertEqual(
            self.sent("v1", addressOf("fe80::7%eth0", 1), "[2001:db8::1]:443"),
            b"PROXY TCP6 fe80::7 2001:db8::1 1 443\r\n",
        )

    def test_nobody(self) -> None:
        """
        A client on a UNIX socket has no address: the destination is told that it is not
        known, or that the proxy speaks for itself (conformance 78).
        """
        for client in (UNIXAddress("/run/socket"), UNIXAddress(None)):
            self.assertEqual(self.sent("v1", client), b"PROXY UNKNOWN\r\n")
            self.assertEqual(self.sent("v2", client), b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")

    def test_none(self) -> None:
        """
        By default the client says everything that is said.
        """
        self.assertEqual(SETTINGS["direct.proxy_protocol"], "none")
        self.assertEqual(self.sent("none"), b"")

    def test_first(self) -> None:
        """
        It goes before what the protocol has to say, however hasty.
        """
        octets = self.sent("v1", protocol=Hasty)
        self.assertEqual(octets, b"PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\r\nat once")

    def test_atOnce(self) -> None:
        """
        It is in the kernel when the connection is handed over, so that a relay which needs
        a transport without octets of its own can take it.
        """
        connecting = self.connect("v2")
        self.reactor.attempts[0].succeed()
        self.assertEqual(unsent(self.successResultOf(connecting).protocol.transport), 0)

    def test_slowly(self) -> None:
        """
        Where the kernel takes only a part of it the rest follows, and nothing overtakes it.
        """
        connecting = self.connect("v1")
        peer = self.reactor.attempts[0].succeed(capacity=10)
        transport = self.successResultOf(connecting).protocol.transport
        self.assertGreater(unsent(transport), 0)
        transport.write(b"later")
        self.reactor.flush()
        self.assertEqual(peer.received, b"PROXY TCP4 192.0.2.7 198.51.100.1 51000 443\r\nlater")

    def test_winner(self) -> None:
        """
        Of the addresses that are dialled only the one that wins gets a header, its own; the
        loser of the race gets no octet (conformance 79).
        """
        connecting = self.connect("v1", target="host.example:443")
        six, four = sorted(
            self.reactor.nameResolver.pending, key=lambda each: str(each.families), reverse=True
        )
        for lookup in (six, four):
            lookup.answer("198.51.100.1", "2001:db8::1")
        self.reactor.advance(ATTEMPT_DELAY)
        first, second = self.reactor.attempts
        self.assertNoResult(connecting)
        peer = second.succeed()
        self.reactor.flush()
        self.assertTrue(first.stopped)
        self.assertIn(f" {second.host} 51000 443\r\n".encode(), peer.received)
        self.assertEqual(peer.received.count(b"PROXY"), 1)
        self.successResultOf(connecting)
