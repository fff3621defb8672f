"""
Tests for L{connectproxy.upstreams.socks}.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.config import configure
from connectproxy.errors import Refused
from connectproxy.interfaces import IHopUpstream, IUpstream, IUpstreamKind
from connectproxy.upstreams import direct, socks
from tests.conformance import UpstreamContract
from tests.fakes import SETTINGS, FakeReactor, Peer, makeRequest, makeSurroundings

HOP = "192.0.2.80"

OPEN5 = b"\x05\x00\x00\x01" + bytes(6)
OPEN4 = b"\x00\x5a" + bytes(6)


def build(reactor: Any, url: str, **more: Any) -> Any:
    """
    Make an upstream.

    @param url: its C{url}, without the host.
    @param more: other keys of its C{[[upstream]]}.
    """
    said = {"name": "corp", "url": f"{url}://{HOP}", "addresses": "unseen", **more}
    options = configure(upstream=[said]).rows["upstream"][0].options
    straight = direct.kind.build(makeSurroundings(reactor, settings=SETTINGS), {})
    return socks.kind.build(makeSurroundings(reactor, reach=lambda name: straight), options)


class SOCKS5ContractTests(UpstreamContract, SynchronousTestCase):
    """
    What holds for every upstream holds for SOCKS 5, with a password.
    """

    kind = socks.kind
    url: ClassVar[str] = "socks5h"
    answers: ClassVar[tuple[bytes, ...]] = (b"\x05\x02", b"\x01\x00", OPEN5)

    def setUp(self) -> None:
        """
        Nobody has asked yet.
        """
        self.assertTrue(verifyObject(IUpstreamKind, self.kind))
        self.reactor = FakeReactor()
        self.reactor.advance(100.0)
        self.built: list[Peer] = []
        self.upstream = build(self.reactor, self.url, credentials="me:secret")
        self.assertTrue(verifyObject(IUpstream, self.upstream))

    def phases(self) -> Mapping[str, tuple[Callable[[], Any], str]]:
        phases: dict[str, tuple[Callable[[], Any], str]] = {"dialling": (self.dial, "connection_timeout")}
        for count in range(len(self.answers)):
            phases[f"{count} answers"] = (lambda count=count: self.answer(count), "next_hop_silent")
        return phases

    def dial(self) -> Any:
        (attempt,) = self.reactor.attempts
        self.assertEqual((attempt.host, attempt.port), (HOP, 1080))
        return attempt

    def answer(self, count: int) -> None:
        """
        Have the hop say as much.
        """
        peer = self.dial().succeed()
        for each in self.answers[:count]:
            self.reactor.flush()
            peer.transport.write(each)
        self.reactor.flush()

    def greet(self, peer: Any) -> None:
        for each in self.answers:
            self.reactor.flush()
            peer.transport.write(each)


class SOCKS4ContractTests(SOCKS5ContractTests):
    """
    And for SOCKS 4A.
    """

    url = "socks4a"
    answers = (OPEN4,)


class SOCKSCase(SynchronousTestCase):
    """
    Asks an upstream.
    """

    def setUp(self) -> None:
        """
        Nobody has asked yet.
        """
        self.reactor = FakeReactor()

    def connect(self, upstream: Any, target: str = "a.example:443") -> Deferred[Any]:
        """
        Ask for a connection.
        """
        connecting: Deferred[Any] = upstream.connect(makeRequest(target), Factory.forProtocol(Peer))
        return connecting

    def hop(self) -> Any:
        """
        The hop's end of the connection.
        """
        return self.reactor.attempts[-1].succeed()

    def lead(self, hop: Any, *answers: bytes) -> bytes:
        """
        Have the hop answer.

        @return: all that it has been told.
        """
        self.reactor.flush()
        for each in answers:
            hop.transport.write(each)
            self.reactor.flush()
        return bytes(hop.received)

    def refused(self, connecting: Deferred[Any]) -> Refused:
        """
        Why there is no connection.
        """
        refused = self.failureResultOf(connecting, Refused).value
        self.reactor.flush()
        self.assertEqual((self.reactor.getReaders(), self.reactor.getDelayedCalls()), ([], []))
        self.assertNotIn("secret", repr(refused.refusal))
        return refused  # type: ignore[no-any-return]


class SaidTests(SOCKSCase):
    """
    What is said to the hop.
    """

    def said(self, url: str, target: str, *answers: bytes, **more: Any) -> bytes:
        """
        All that a hop is told on the way to a destination.
        """
        self.connect(build(self.reactor, url, **more), target).addErrback(lambda failure: None)
        return self.lead(self.hop(), *answers)

    def test_names(self) -> None:
        """
        A name goes on as one: who has names looked up here asks for addresses.
        """
        for url in ("socks5", "socks5h"):
            octets = self.said(url, "a.example:443", b"\x05\x00")
            self.assertEqual(octets, b"\x05\x01\x00\x05\x01\x00\x03\x09a.example\x01\xbb")
        self.assertEqual(
            self.said("socks4a", "a.example:443"), b"\x04\x01\x01\xbb\x00\x00\x00\x01\x00a.example\x00"
        )

    def test_addresses(self) -> None:
        """
        An address goes on as one, IPv6 by SOCKS 5.
        """
        for url in ("socks4", "socks4a"):
            self.assertEqual(self.said(url, "192.0.2.1:443"), b"\x04\x01\x01\xbb\xc0\x00\x02\x01\x00")
        octets = self.said("socks5", "[2001:db8::1]:443", b"\x05\x00")
        self.assertTrue(octets.endswith(b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01\x01\xbb"))

    def test_credentials(self) -> None:
        """
        The password may have colons; SOCKS 4 has a user id only.
        """
        octets = self.said("socks5", "192.0.2.1:443", b"\x05\x02", credentials="me:sec:ret")
        self.assertEqual(octets, b"\x05\x02\x02\x00\x01\x02me\x07sec:ret")
        octets = self.said("socks4", "192.0.2.1:443", credentials="me:secret")
        self.assertEqual(octets, b"\x04\x01\x01\xbb\xc0\x00\x02\x01me\x00")

    def test_introduction(self) -> None:
        """
        A PROXY header goes before everything.
        """
        octets = self.said("socks4", "192.0.2.1:443", proxy_protocol="v1")
        self.assertRegex(octets, rb"^PROXY TCP4 192\.0\.2\.7 \S+ 51000 \d+\r\n\x04\x01")

    def test_secured(self) -> None:
        """
        With TLS below it no protocol is offered by ALPN, which has no name for SOCKS; nothing
        is said before the handshake is done.
        """
        upstream = build(self.reactor, "socks5h+tls", credentials="me:secret")
        self.assertEqual(upstream._hop.tls.options.protocols, ())
        self.connect(upstream)
        octets = self.lead(self.hop())
        self.assertEqual(octets[:1], b"\x16")
        self.assertNotIn(b"http/1.1", octets)

    def test_reach(self) -> None:
        """
        The hop can be connected to without being asked for anything.
        """
        upstream = build(self.reactor, "socks5h")
        self.assertTrue(verifyObject(IHopUpstream, upstream))
        connecting = upstream.reach(makeRequest(), Factory.forProtocol(Peer))
        hop = self.hop()
        self.assertEqual(self.lead(hop), b"")
        self.assertEqual(self.successResultOf(connecting).address, f"{HOP}:1080")


class UnfitTests(SOCKSCase):
    """
    What can't be asked of a hop, and what can't be an upstream.
    """

    def test_namesIn4(self) -> None:
        """
        A hop that speaks plain SOCKS 4 is not asked for a name, nor connected to; the refusal
        says what the operator can do.
        """
        refused = self.refused(self.connect(build(self.reactor, "socks4")))
        self.assertEqual(refused.refusal.kind, "destination_ip_unroutable")
        for words in (
            "the next hop corp speaks SOCKS 4, which has no names",
            "socks4a",
            'addresses = "judged"',
        ):
            self.assertIn(words, refused.refusal.detail)
        self.assertEqual((self.reactor.attempts, refused.hop), ([], ""))

    def test_ipv6In4(self) -> None:
        """
        Nor for an address of IPv6, by either (conformance 76).
        """
        for url in ("socks4", "socks4a"):
            refused = self.refused(self.connect(build(self.reactor, url), "[2001:db8::1]:443"))
            self.assertEqual(refused.refusal.kind, "destination_ip_unroutable")
            self.assertIn("corp speaks SOCKS 4, which has no IPv6", refused.refusal.detail)
        self.assertEqual(self.reactor.attempts, [])

    def test_unusable(self) -> None:
        """
        Credentials that SOCKS has no room for are found before anybody connects, and not
        shown; so is what SOCKS knows nothing of.
        """
        for url, more, words in (
            ("socks5", {"credentials": "secret:" + "x" * 256}, "password has 256 octets"),
            ("socks5", {"credentials": "secret:"}, "password has 0 octets"),
            ("socks4a", {"credentials": "secret" * 50 + ":x"}, "user id"),
            ("socks5h", {"token": "secret"}, "leave token and authentication out"),
            ("socks5h", {"credentials": "me:secret", "authentication": "digest"}, "leave token and auth"),
        ):
            error = self.assertRaises(ValueError, build, self.reactor, url, **more)
            self.assertIn(words, str(error))
            self.assertNotIn("secret", str(error))


class AnswerTests(SOCKSCase):
    """
    What is made of what the hop says and does.
    """

    def ask(self, url: str, *answers: bytes, lose: str = "", **more: Any) -> Refused:
        """
        Have a hop answer and perhaps go, and not open the way.
        """
        connecting = self.connect(build(self.reactor, url, **more))
        hop = self.hop()
        self.lead(hop, *answers)
        if lose:
            getattr(hop.transport, lose)()
            self.reactor.flush()
        refused = self.refused(connecting)
        self.assertIsNotNone(hop.lost)
        self.assertIn("the next hop corp", refused.refusal.detail)
        self.assertEqual(refused.tried, ((HOP, "connected", 0.0),))
        return refused

    def test_authentication(self) -> None:
        """
        A hop that wants to know somebody, or somebody else, is at fault itself.
        """
        for answers, more in (
            ((b"\x05\xff",), {}),
            ((b"\x05\xff",), {"credentials": "me:secret"}),
            ((b"\x05\x02", b"\x01\x01"), {"credentials": "me:secret"}),
        ):
            refused = self.ask("socks5h", *answers, **more)
            self.assertEqual((refused.refusal.kind, refused.hop), ("next_hop_authentication_failed", "corp"))

    def test_destination(self) -> None:
        """
        A destination that can't be reached is not the fault of the hop, however little that
        says: or whoever asks for closed ports could have it taken out.
        """
        for url, answers, kind in (
            ("socks5h", (b"\x05\x00", b"\x05\x01"), "next_hop_failed"),
            ("socks5h", (b"\x05\x00", b"\x05\x02"), "next_hop_denied"),
            ("socks5h", (b"\x05\x00", b"\x05\x05"), "connection_refused"),
            ("socks5h", (b"\x05\x00", b"\x05\x08"), "next_hop_failed"),
            ("socks4a", (b"\x00\x5b",), "next_hop_failed"),
        ):
            refused = self.ask(url, *answers)
            self.assertEqual((refused.refusal.kind, refused.hop), (kind, ""))

    def test_nonsense(self) -> None:
        """
        A hop that speaks something else is at fault.
        """
        for url in ("socks5h", "socks4a"):
            refused = self.ask(url, b"HTTP/1.1 400 Bad Request\r\n\r\n")
            self.assertEqual((refused.refusal.kind, refused.hop), ("next_hop_protocol_error", "corp"))

    def test_gone(self) -> None:
        """
        A hop that goes, in order or not, in whatever phase, is at fault; half a reply is none.
        """
        for lose in ("loseConnection", "abortConnection", "loseWriteConnection"):
            for answers in ((), (b"\x05",), (b"\x05\x00",), (b"\x05\x00", OPEN5[:-1])):
                refused = self.ask("socks5h", *answers, lose=lose)
                self.assertEqual((refused.refusal.kind, refused.hop), ("next_hop_gone", "corp"))

    def test_unreachable(self) -> None:
        """
        A hop that can't be reached at all is named.
        """
        connecting = self.connect(build(self.reactor, "socks5h"))
        self.reactor.attempts[0].fail(errno.ECONNREFUSED)
        refused = self.refused(connecting)
        self.assertEqual((refused.refusal.kind, refused.hop), ("connection_refused", "corp"))
        self.assertIn("the next hop corp refused the connection", refused.refusal.detail)

    def test_octetByOctet(self) -> None:
        """
        Answers that come in single octets open the way with the last one of them, and what
        comes behind is the destination's (conformance 74).
        """
        connecting = self.connect(build(self.reactor, "socks5h", credentials="me:secret"))
        hop = self.hop()
        for answer in (b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x03\x09localhost\x00\x50"):
            self.assertNoResult(connecting)
            self.lead(hop, *(answer[at : at + 1] for at in range(len(answer))))
        self.lead(hop, b"banner")
        self.assertEqual(self.successResultOf(connecting).protocol.received, b"banner")
