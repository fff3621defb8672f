"""
Tests for L{connectproxy.upstreams.group.probing}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from connectproxy.address import Destination, parseHost
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established
from connectproxy.upstreams.group import probing
from connectproxy.upstreams.group.health import Health, Tolerance
from connectproxy.upstreams.group.member import Member
from connectproxy.upstreams.group.probing import NOWHERE, Probing, reaching
from connectproxy.wheel import Wheel
from tests.fakes import FakeReactor, Peer, pipePair
from tests.upstreams.group.case import Call, FakeHop, ForwardingHop, ReachableHop

TARGET: Any = parseHost("probe.example", 443)


class ProbingCase(SynchronousTestCase):
    """
    The probes of one member.

    @cvar target: where they lead to.
    """

    target: Destination | None = TARGET

    def setUp(self) -> None:
        """
        They have been started, and the first is going to be after five seconds.
        """
        self.reactor = FakeReactor()
        self.reactor.advance(100.0)
        self.hop = ReachableHop(self.reactor, "a")
        member = Member("a", self.hop, Health(self.reactor, Tolerance(3, 5.0, 300.0)))
        self.wheel = Wheel(self.reactor)
        self.found: list[Any] = []
        self.probing = Probing(
            self.reactor, self.wheel, member, self.target, 10.0, 3.0, self.tell, lambda: 0.5
        )
        self.probing.start()

    def tell(self, member: Member, refused: Refused | None) -> None:
        """
        Keep what has been found.
        """
        self.assertEqual(member.name, "a")
        self.found.append(None if refused is None else (refused.refusal.kind, refused.hop))

    def wait(self, seconds: float = 10.25) -> None:
        """
        Let time pass; the wheel is up to a quarter of a second late.
        """
        self.reactor.advance(seconds)
        self.reactor.flush()

    def first(self) -> Call:
        """
        Wait for the first one.
        """
        self.wait(5.25)
        return self.last()

    def last(self) -> Call:
        """
        The last one.
        """
        return self.hop.calls[-1]


class ThroughTests(ProbingCase):
    """
    Through the member.
    """

    def test_request(self) -> None:
        """
        It is a request for a tunnel, by nobody.
        """
        call = self.first()
        request = call.request
        self.assertEqual((call.how, request.destination, request.method), ("connect", TARGET, "CONNECT"))
        self.assertEqual((request.client.host, request.listener, request.user), ("127.0.0.1", "probe", None))  # type: ignore[attr-defined]
        self.assertEqual((request.fields, request.arrived), ((), self.reactor.seconds()))

    def test_passed(self) -> None:
        """
        It is closed as soon as it is open, whatever the far side says, and the next one comes
        after a while.
        """
        peer = self.first().succeed()
        self.assertEqual(self.found, [None])
        self.assertTrue(peer.transport.connected)
        peer.transport.write(b"welcome")
        self.reactor.flush()
        self.assertTrue(peer.ended)
        peer.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(self.reactor.getReaders(), [])
        self.wait(9.0)
        self.assertEqual(len(self.hop.calls), 1)
        self.wait(1.25)
        self.assertEqual(len(self.hop.calls), 2)

    def test_notClosed(self) -> None:
        """
        A far side that does not close gets a reset when the next one begins.
        """
        peer = self.first().succeed()
        self.wait()
        self.assertIsNotNone(peer.lost)
        self.assertEqual(len(self.hop.calls), 2)

    def test_closedMeanwhile(self) -> None:
        """
        One that is closed by the far side at once has been open.
        """
        self.hop.does = lambda call: call.succeed().transport.abortConnection()
        self.wait(5.25)
        self.wait()
        self.assertEqual(self.found, [None, None])

    def test_failed(self) -> None:
        """
        What it has failed with is told, and the next one comes all the same.
        """
        self.first().fail("connection_refused")
        self.wait()
        self.last().fail("next_hop_denied", hop="", received=403)
        self.assertEqual(self.found, [("connection_refused", "a"), ("next_hop_denied", "")])

    def test_slow(self) -> None:
        """
        It has so many seconds, and then it is given up.
        """
        call = self.first()
        self.wait(2.9)
        self.assertEqual(self.found, [])
        self.wait(0.35)
        self.assertTrue(call.cancelled)
        self.assertEqual(self.found, [("next_hop_silent", "a")])
        self.wait()
        self.assertEqual(len(self.hop.calls), 2)

    def test_bug(self) -> None:
        """
        A member with a bug is logged, and probed again.
        """

        def raising(call: Call) -> None:
            raise ZeroDivisionError

        self.hop.does = raising
        self.wait(5.25)
        self.wait()
        self.assertEqual(len(self.hop.calls), 2)
        self.assertEqual((self.found, len(self.flushLoggedErrors(ZeroDivisionError))), ([], 2))

    def test_stop(self) -> None:
        """
        In any phase: nothing is told, and nothing is left.
        """
        for phase in ("waiting", "connecting", "closing", "closed"):
            self.setUp()
            peer = None
            if phase != "waiting":
                call = self.first()
                if phase != "connecting":
                    peer = call.succeed()
                if phase == "closed":
                    peer.transport.loseConnection()
                    self.reactor.flush()
            found = list(self.found)
            self.probing.stop()
            self.wait(60.0)
            self.assertEqual((self.found, len(self.wheel)), (found, 0), phase)
            self.assertEqual(self.reactor.getReaders(), [], phase)
            self.assertTrue(phase != "connecting" or call.cancelled)
            self.assertLessEqual(len(self.hop.calls), 1)


class ReachTests(ProbingCase):
    """
    To the member itself.
    """

    target = None

    def secure(self, call: Call) -> Any:
        """
        Be connected with TLS, the handshake of which is the test's to do.

        @return: the protocol of the probe.
        """
        protocol = call.factory.buildProtocol(None)
        pipe = pipePair(self.reactor, Protocol(), Peer())
        directlyProvides(pipe.first, ISSLTransport)
        protocol.makeConnection(pipe.first)
        self.wrapped = pipe.first.protocol
        call.result.callback(Established(self.wrapped, "a:3128"))
        return protocol

    def test_plain(self) -> None:
        """
        It is connected to, and nothing is said.
        """
        call = self.first()
        self.assertEqual((call.how, call.request.destination), ("reach", NOWHERE))
        peer = call.succeed()
        self.reactor.flush()
        self.assertEqual((self.found, bytes(peer.received), peer.ended), ([None], b"", True))

    def test_secure(self) -> None:
        """
        With TLS, it has to be spoken.
        """
        protocol = self.secure(self.first())
        self.assertEqual(self.found, [])
        protocol.handshakeCompleted()
        self.assertEqual(self.found, [None])
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.found, [None])

    def test_insecure(self) -> None:
        """
        A handshake that fails is the hop's fault.
        """
        protocol = self.secure(self.first())
        protocol.connectionLost(Failure(ConnectionLost()))
        ((kind, hop),) = self.found
        self.assertTrue(kind.startswith(("tls_", "next_hop_")))
        self.assertEqual(hop, "a")

    def test_why(self) -> None:
        """
        Where TLS knows why, that is told; else it is no more than that.
        """
        for refusal, kind in (
            (Refusal("tls_certificate_error", "it has expired"), "tls_certificate_error"),
            (None, "tls_protocol_error"),
        ):
            self.patch(probing, "handshakeRefusal", lambda reason, who, refusal=refusal: refusal)
            self.setUp()
            self.secure(self.first()).connectionLost(Failure(ConnectionLost()))
            self.assertEqual(self.found, [(kind, "a")])

    def test_tooSlow(self) -> None:
        """
        So is one that takes too long, and the connection is reset.
        """
        protocol = self.secure(self.first())
        self.wait(3.25)
        self.assertEqual(self.found, [("next_hop_silent", "a")])
        self.assertFalse(protocol.transport.connected)
        protocol.handshakeCompleted()
        self.assertEqual(len(self.found), 1)

    def test_atOnce(self) -> None:
        """
        A handshake that is over before the connection is told of counts all the same.
        """
        for how in ("completed", "lost"):
            self.setUp()
            call = self.first()
            build = call.factory.buildProtocol

            def built(addr: Any, build: Any = build, how: str = how) -> Any:
                protocol = build(addr)
                if how == "completed":
                    protocol.handshakeCompleted()
                else:
                    protocol.connectionLost(Failure(ConnectionLost()))
                return protocol

            call.factory = Factory()
            call.factory.buildProtocol = built
            self.secure(call)
            self.assertEqual([each is None for each in self.found], [how == "completed"])

    def test_reaching(self) -> None:
        """
        Who can be connected to without a word.
        """
        self.assertEqual(reaching(self.hop), self.hop.reach)
        self.assertIsNone(reaching(ForwardingHop(self.reactor, "b")))
        self.assertIsNone(reaching(FakeHop(self.reactor, "c")))
