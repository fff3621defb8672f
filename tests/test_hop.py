"""
Tests for L{connectproxy.hop}; what is said to hops of each kind is with the kinds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import configure
from connectproxy.errors import Refusal, Refused
from connectproxy.hop import BLAMED, Hop, missed
from connectproxy.interfaces import Established, TunnelRequest
from connectproxy.leg import Leg
from connectproxy.wire.negotiation import Again, Passage
from tests.fakes import FakeReactor, FakeUpstream, makeRequest, makeSurroundings
from tests.tls.case import authority, issued
from tests.tls.clientcase import Answerer, serverContext


class Words:
    """
    A negotiation that ends as the first word of what it hears says.
    """

    def begin(self) -> bytes:
        return b"please"

    def receive(self, octets: bytes) -> Any:
        word, _, rest = octets.partition(b" ")
        ends = {
            b"yes": Passage(rest, members="far; error=x"),
            b"no": Refusal("next_hop_denied", "it says no"),
            b"broken": Refusal("next_hop_protocol_error", "it says nonsense"),
            b"again": Again(Refusal("next_hop_authentication_failed", "it wants more")),
        }
        return ends.get(word, b"")


class HopCase(SynchronousTestCase):
    """
    A hop at 192.0.2.1:3128 that is reached by a way of the test's.
    """

    keys: Any = {"url": "http://192.0.2.1:3128"}

    def setUp(self) -> None:
        """
        One that says what L{Words} does.
        """
        self.reactor = FakeReactor()
        self.way = FakeUpstream(self.reactor)
        (row,) = configure(upstream=[{"name": "corp", **self.keys}]).rows["upstream"]
        self.hop = Hop(makeSurroundings(self.reactor, reach=lambda name: self.way), row.options)
        self.talks = 0

    def talk(self, request: TunnelRequest) -> Any:
        self.talks += 1
        return Words()

    def through(self) -> Deferred[Established]:
        return self.hop.through(makeRequest(), Factory.forProtocol(Leg), self.talk)

    def refused(self, connecting: Deferred[Established]) -> Any:
        return self.failureResultOf(connecting, Refused).value


class ThroughTests(HopCase):
    """
    L{Hop.through}.
    """

    def test_passes(self) -> None:
        """
        The hop is connected to and spoken with; what it leaves over reaches the protocol that is
        wanted before all else, and what it is told of the connection is the hop's.
        """
        connecting = self.through()
        dial = self.way.dials[0]
        self.assertEqual(str(dial.request.destination), "192.0.2.1:3128")
        peer = dial.succeed()
        self.reactor.flush()
        self.assertEqual(peer.received, b"please")
        self.assertNoResult(connecting)
        peer.transport.write(b"yes left")
        self.reactor.flush()
        established = self.successResultOf(connecting)
        self.assertEqual(established.protocol.held, b"left")
        self.assertEqual(established.address, "198.51.100.1:3128")
        self.assertEqual((established.seen, established.members), ("", "far; error=x"))

    def test_atOnce(self) -> None:
        """
        It may all be said before the way has told that it is up.
        """
        connecting = self.through()
        self.way.dials[0].succeed(early=b"yes left")
        self.assertEqual(self.successResultOf(connecting).protocol.held, b"left")

    def test_refused(self) -> None:
        """
        What the hop refuses is not its fault; what it does wrong is.  The connection is closed.
        """
        for word, kind, blamed in (
            (b"no", "next_hop_denied", ""),
            (b"broken", "next_hop_protocol_error", "corp"),
        ):
            connecting = self.through()
            peer = self.way.dials[-1].succeed(early=word)
            refused = self.refused(connecting)
            self.assertEqual((refused.refusal.kind, refused.hop), (kind, blamed))
            self.assertEqual(len(refused.tried), 1)
            self.reactor.flush()
            self.assertTrue(peer.lost)

    def test_again(self) -> None:
        """
        It is asked once more, on another connection, and not a third time.
        """
        connecting = self.through()
        self.way.dials[0].succeed(early=b"again")
        self.assertEqual((len(self.way.dials), self.talks), (2, 2))
        self.way.dials[1].succeed(early=b"again")
        refused = self.refused(connecting)
        self.assertEqual((refused.refusal.kind, refused.hop), ("next_hop_authentication_failed", "corp"))
        self.assertEqual(len(self.way.dials), 2)

    def test_gone(self) -> None:
        """
        A hop that closes has failed.
        """
        connecting = self.through()
        peer = self.way.dials[0].succeed()
        peer.transport.abortConnection()
        self.reactor.flush()
        refused = self.refused(connecting)
        self.assertEqual((refused.refusal.kind, refused.hop), ("next_hop_gone", "corp"))
        self.assertIn("next hop corp", refused.refusal.detail)

    def test_notReached(self) -> None:
        """
        One that can't be connected to is named by its name, not by its address.
        """
        for kind, words in (
            ("connection_refused", "refused the connection"),
            ("dns_error", "has a name without an address"),
            ("proxy_loop_detected", "could not be connected to: it is this proxy"),
        ):
            connecting = self.through()
            self.way.dials[-1].fail(kind, "it is this proxy")
            refused = self.refused(connecting)
            self.assertEqual((refused.refusal.kind, refused.hop), (kind, "corp"))
            self.assertEqual(refused.refusal.detail, f"the next hop corp {words}")

    def test_nothingToSay(self) -> None:
        """
        What its protocol has no way to say is refused without a connection.
        """
        refusal = Refusal("destination_ip_unroutable", "no")
        connecting = self.hop.through(makeRequest(), Factory.forProtocol(Leg), lambda request: refusal)
        self.assertEqual(self.refused(connecting).refusal, refusal)
        self.assertEqual(self.way.dials, [])

    def test_cancelledEarly(self) -> None:
        """
        Given up while the hop is dialled, that is given up.
        """
        connecting = self.through()
        connecting.cancel()
        self.assertTrue(self.way.dials[0].cancelled)
        self.assertEqual(self.refused(connecting).refusal.kind, "connection_timeout")

    def test_cancelledLate(self) -> None:
        """
        Given up while it does not answer, the connection is closed and the hop is at fault.
        """
        connecting = self.through()
        peer = self.way.dials[0].succeed()
        self.reactor.flush()
        connecting.cancel()
        refused = self.refused(connecting)
        self.assertEqual((refused.refusal.kind, refused.hop), ("next_hop_silent", "corp"))
        self.reactor.flush()
        self.assertTrue(peer.lost)

    def test_judged(self) -> None:
        """
        The hop is no destination of the client's.
        """
        self.through()
        self.assertTrue(self.way.dials[0].request.judged)

    def test_noProtocol(self) -> None:
        """
        Where what wants the connection can't be built, it is closed, and nobody waits.
        """

        class Bad(Factory):
            def buildProtocol(self, addr: Any) -> Any:
                raise ZeroDivisionError

        connecting = self.hop.through(makeRequest(), Bad(), self.talk)
        peer = self.way.dials[0].succeed()
        peer.transport.write(b"yes")
        self.reactor.flush()
        self.failureResultOf(connecting, ZeroDivisionError)
        self.assertTrue(peer.lost)

    def test_notAgain(self) -> None:
        """
        Nor does anybody wait where there is a bug in what would be said the second time.
        """
        talks = [Words()]
        connecting = self.hop.through(makeRequest(), Factory.forProtocol(Leg), lambda request: talks.pop())
        self.way.dials[0].succeed(early=b"again")
        self.failureResultOf(connecting, IndexError)

    def test_againCancelled(self) -> None:
        """
        Given up while it is asked once more, only that is left to be given up.
        """
        connecting = self.through()
        self.way.dials[0].succeed(early=b"again")
        connecting.cancel()
        self.assertTrue(self.way.dials[1].cancelled)
        self.assertEqual(self.refused(connecting).refusal.kind, "connection_timeout")

    def test_blamed(self) -> None:
        """
        What a hop is at fault for are kinds of refusal.
        """
        for kind in BLAMED:
            self.assertTrue(Refusal(kind).row.status >= 500)


class MissedTests(SynchronousTestCase):
    """
    L{missed}.
    """

    def test_named(self) -> None:
        """
        A hop before it that has failed stays the one.
        """
        failure = Failure(Refused(Refusal("next_hop_gone", "the next hop first"), hop="first"))
        self.assertIs(missed(failure, "corp"), failure)

    def test_bug(self) -> None:
        """
        What is no refusal is passed on.
        """
        failure = Failure(ZeroDivisionError())
        self.assertIs(missed(failure, "corp"), failure)

    def test_noRule(self) -> None:
        """
        A rule about the hop's own address is none about the request.
        """
        refused: Any = missed(Failure(Refused(Refusal("proxy_loop_detected", "x", "own"))), "corp").value
        self.assertEqual(refused.refusal.rule, "")


class IntroducedTests(HopCase):
    """
    A hop that is told who the client is.
    """

    keys: Any = {"url": "http://192.0.2.1:3128", "proxy_protocol": "v1"}

    def test_header(self) -> None:
        """
        The header goes first.
        """
        self.through()
        peer = self.way.dials[0].succeed()
        self.reactor.flush()
        self.assertEqual(bytes(peer.received), b"PROXY TCP4 192.0.2.7 198.51.100.1 51000 3128\r\nplease")

    def test_noAddress(self) -> None:
        """
        A connection that leads to no address is one to nowhere.
        """
        self.through()
        dial = self.way.dials[0]
        protocol: Any = dial.factory.buildProtocol(None)

        class Within:
            written = b""
            protocol: Any = None

            def getPeer(self) -> Any:
                return None

            def write(self, octets: bytes) -> None:
                self.written += octets

        transport = Within()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        self.assertEqual(transport.written, b"PROXY TCP4 192.0.2.7 0.0.0.0 51000 3128\r\nplease")


class SecureTests(HopCase):
    """
    A hop within TLS.
    """

    keys: Any = {"url": "https://192.0.2.1:3128"}

    def test_handshakeFirst(self) -> None:
        """
        The handshake goes first, and what is said is not in clear.
        """
        self.through()
        peer = self.way.dials[0].succeed()
        self.reactor.flush()
        self.assertEqual(bytes(peer.received[:2]), b"\x16\x03")
        self.assertNotIn(b"please", peer.received)

    def test_noTLS(self) -> None:
        """
        What is no TLS is told as that.
        """
        connecting = self.through()
        peer = self.way.dials[0].succeed()
        self.reactor.flush()
        peer.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.reactor.flush()
        refused = self.refused(connecting)
        self.assertEqual((refused.refusal.kind, refused.hop), ("tls_protocol_error", "corp"))

    def test_gone(self) -> None:
        """
        One that closes has said nothing about TLS.
        """
        connecting = self.through()
        peer = self.way.dials[0].succeed()
        peer.transport.abortConnection()
        self.reactor.flush()
        refused = self.refused(connecting)
        self.assertEqual(refused.hop, "corp")
        self.assertIn(refused.refusal.kind, ("next_hop_gone", "tls_protocol_error"))


class OpenTests(HopCase):
    """
    L{Hop.open}.
    """

    keys: Any = {"url": "http://192.0.2.1:3128", "proxy_protocol": "v1"}

    def open(self) -> Deferred[Established]:
        return self.hop.open(makeRequest(), Factory.forProtocol(Leg))

    def test_opened(self) -> None:
        """
        The connection is that of the protocol that is wanted, whatever has begun it.
        """
        connecting = self.open()
        peer = self.way.dials[0].succeed()
        established = self.successResultOf(connecting)
        self.assertIsInstance(established.protocol, Leg)
        self.assertEqual((established.seen, established.address), ("", "198.51.100.1:3128"))
        established.protocol.transport.write(b"hello")
        self.reactor.flush()
        self.assertTrue(bytes(peer.received).endswith(b" 3128\r\nhello"), peer.received)

    def test_notReached(self) -> None:
        """
        It is the hop's fault where it can't be connected to, or that takes too long.
        """
        connecting = self.open()
        self.way.dials[0].fail()
        self.assertEqual(self.refused(connecting).hop, "corp")
        connecting = self.open()
        connecting.cancel()
        self.assertEqual(self.refused(connecting).hop, "corp")


class SecureOpenTests(HopCase):
    """
    The same within TLS.
    """

    def setUp(self) -> None:
        """
        A hop whose certificate has to be the tests'.
        """
        file = self.mktemp()
        Path(file).write_bytes(authority().certificatePEM)
        self.keys = {"url": "https://192.0.2.1:3128", "ca": file}
        HopCase.setUp(self)
        self.connecting = self.hop.open(makeRequest(), Factory.forProtocol(Leg))

    def test_opened(self) -> None:
        """
        It is open when the hop has shown who it is, and carries what the protocol says, within
        TLS.
        """
        answerer = self.way.dials[0].succeed(Answerer(serverContext(issued("192.0.2.1"))))
        self.assertNoResult(self.connecting)
        self.reactor.flush()
        established = self.successResultOf(self.connecting)
        self.assertIsInstance(established.protocol, Leg)
        established.protocol.transport.write(b"hello")
        self.reactor.flush()
        self.assertEqual(bytes(answerer.received), b"hello")

    def test_stranger(self) -> None:
        """
        One that is somebody else is told as that.
        """
        self.way.dials[0].succeed(Answerer(serverContext(issued("other.example"))))
        self.reactor.flush()
        refused = self.refused(self.connecting)
        self.assertEqual((refused.refusal.kind, refused.hop), ("tls_certificate_error", "corp"))

    def test_silent(self) -> None:
        """
        One that says nothing is given up with the request.
        """
        peer = self.way.dials[0].succeed()
        self.connecting.cancel()
        self.assertEqual(self.refused(self.connecting).refusal.kind, "next_hop_silent")
        self.reactor.flush()
        self.assertTrue(peer.lost)
