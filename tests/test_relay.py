"""
Tests for L{connectproxy.relay}.
"""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IOpenSSLContextFactory, ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from connectproxy.interfaces import Phase
from connectproxy.leg import Leg
from connectproxy.relay import Timeouts, Tunnel, WiredRelay
from connectproxy.wheel import Wheel
from tests.fakes import FakeReactor, Peer, pipePair
from tests.relaycase import TIMEOUTS, FakeCase, LoopbackCase, Rig
from tests.relaycontract import BulkContract, BytesContract, EndContract
from tests.relayrate import RateContract
from tests.relaystorm import StormContract
from tests.relaytime import TimeContract
from tests.wiredcase import Wired


class FakeWiredTests(
    Wired, BulkContract, BytesContract, EndContract, TimeContract, RateContract, StormContract, FakeCase
):
    """
    The contract over fakes.
    """

    bulk = 2 << 20

    def test_countersExact(self) -> None:
        """
        What is counted when a reset comes is what the other side's kernel has taken, to the
        octet.
        """
        for name in ("client", "origin"):
            rig = self.open(small=True)
            one, other = rig.far(name)
            other.transport.pauseProducing()
            one.transport.write(
                bytes(80_000)
            )  # so much that some waits, and not so much that it hears no more
            self.reactor.flush()
            taken = len(other.transport.socket.inbox)
            self.assertTrue(0 < taken < 80_000)
            one.transport.abortConnection()
            self.reactor.flush()
            outcome = rig.outcomes[0]
            self.assertEqual(outcome.bytesUp + outcome.bytesDown, taken)
            self.assertEqual((outcome.endedBy, outcome.kind), (name, "reset"))


@pytest.mark.integration
class LoopbackWiredTests(
    Wired, BulkContract, BytesContract, EndContract, TimeContract, RateContract, StormContract, LoopbackCase
):
    """
    The contract over loopback sockets.
    """


@pytest.mark.integration
class HundredWiredTests(Wired, BulkContract, LoopbackCase):
    """
    A hundred mebibytes each way.
    """

    bulk = 100 << 20


@implementer(IOpenSSLContextFactory)
class Context:
    """
    Makes TLS contexts: with a certificate for the accepting side, and without one.
    """

    def __init__(self, *, accepting: bool) -> None:
        self._context = SSL.Context(SSL.TLS_METHOD)
        if accepting:
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
            now = datetime.datetime.now(datetime.UTC)
            builder = x509.CertificateBuilder(
                name, name, key.public_key(), 1, now, now + datetime.timedelta(1)
            )
            self._context.use_privatekey(key)
            self._context.use_certificate(builder.sign(key, hashes.SHA256()))

    def getContext(self) -> SSL.Context:
        return self._context


def secured(protocol: Any, *, accepting: bool) -> Any:
    """
    Put TLS under a protocol.

    @return: the protocol of the transport beneath; C{protocol.transport} will be TLS.
    """
    factory = Factory()
    factory.noisy = False
    factory.buildProtocol = lambda addr: protocol  # type: ignore[method-assign]
    wrapping = TLSMemoryBIOFactory(
        Context(accepting=accepting), isClient=not accepting, wrappedFactory=factory
    )
    wrapping.noisy = False
    return wrapping.buildProtocol(None)


class TLSTests(SynchronousTestCase):
    """
    One side of the tunnel is Twisted's TLS, which has no half-close.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.wheel = Wheel(self.reactor)
        self.relay = WiredRelay(self.reactor, self.wheel, TIMEOUTS)

    def open(self, *, tls: str, early: bytes = b"", ended: bool = False) -> Rig:
        """
        @param tls: which side has TLS.
        @param early: what the client's leg holds.
        @param ended: whether the client's leg has come to its end.
        """
        client, origin = Peer(), Peer()
        legs: dict[str, Any] = {}
        transports: dict[str, Any] = {}
        for name, far in (("client", client), ("origin", origin)):
            leg = legs[name] = Leg()
            if name == tls:
                pipePair(self.reactor, secured(far, accepting=False), secured(leg, accepting=True))
            else:
                pipePair(self.reactor, far, leg)
            transports[name] = leg.transport
        self.reactor.flush()
        legs["client"].held = early
        legs["client"].ended = ended
        tunnel = self.relay.join(legs["client"], legs["origin"])
        return Rig(client, origin, (transports["client"], transports["origin"]), tunnel)

    def test_bytes(self) -> None:
        """
        Octets go both ways, more of them than all buffers hold, and the early ones first.
        """
        for tls in ("client", "origin"):
            rig = self.open(tls=tls, early=b"early")
            rig.client.transport.write(bytes(1 << 20))
            rig.origin.transport.write(bytes(2 << 20))
            self.reactor.flush()
            self.assertEqual(rig.origin.received, b"early" + bytes(1 << 20))
            self.assertEqual(rig.client.received, bytes(2 << 20))
            self.assertEqual((rig.tunnel.bytesUp, rig.tunnel.bytesDown), (5 + (1 << 20), 2 << 20))

    def test_boundedMemory(self) -> None:
        """
        Who does not read stops the other from being read, through TLS as well.
        """
        for tls in ("client", "origin"):
            for slow in ("client", "origin"):
                rig = self.open(tls=tls)
                reader, writer = rig.far(slow)
                raw = getattr(reader.transport, "transport", reader.transport)
                raw.pauseProducing()
                writer.transport.write(bytes(4 << 20))
                self.reactor.flush()
                self.assertGreater(rig.tunnel.bytesUp + rig.tunnel.bytesDown, 0)
                self.assertLess(rig.tunnel.bytesUp + rig.tunnel.bytesDown, 1 << 20)
                raw.resumeProducing()
                self.reactor.flush()
                self.assertEqual(len(reader.received), 4 << 20)

    def test_endClosesTLS(self) -> None:
        """
        An end of stream towards a side with TLS closes that side, and with it the tunnel,
        after all that came before has been written; conformance 15.
        """
        for tls in ("client", "origin"):
            rig = self.open(tls=tls)
            secure, plain = rig.far(tls)
            self.assertTrue(ISSLTransport.providedBy(secure.transport))
            plain.transport.write(bytes(300_000))
            plain.transport.loseWriteConnection()
            self.reactor.flush()
            self.assertEqual(len(secure.received), 300_000)
            self.assertTrue(secure.lost.check(ConnectionDone))
            self.assertTrue(plain.ended)
            outcome = rig.outcomes[0]
            self.assertEqual(outcome[:3], ("origin" if tls == "client" else "client", Phase.RELAYING, "eof"))

    def test_endedBefore(self) -> None:
        """
        Where the client has ended before the tunnel to a side with TLS begins, that side
        still gets what the client had sent.
        """
        rig = self.open(tls="origin", early=b"early", ended=True)
        self.reactor.flush()
        self.assertEqual(rig.origin.received, b"early")
        self.assertTrue(rig.origin.lost.check(ConnectionDone))
        self.assertEqual(rig.outcomes[0][:5], ("client", Phase.RELAYING, "eof", 5, 0))

    def test_closeOfTLS(self) -> None:
        """
        The closing of a side with TLS ends both directions, after all that came before has
        been written to the other; conformance 15.
        """
        for tls in ("client", "origin"):
            rig = self.open(tls=tls)
            secure, plain = rig.far(tls)
            plain.transport.pauseProducing()
            secure.transport.write(bytes(300_000))
            secure.transport.loseConnection()
            self.reactor.flush()
            plain.transport.resumeProducing()
            self.reactor.flush()
            self.assertEqual(len(plain.received), 300_000)
            self.assertTrue(plain.ended)
            self.assertEqual(rig.outcomes[0][:3], (tls, Phase.RELAYING, "eof"))

    def test_reset(self) -> None:
        """
        A reset goes through TLS in both directions.
        """
        for tls in ("client", "origin"):
            for name in ("client", "origin"):
                rig = self.open(tls=tls)
                one, other = rig.far(name)
                one.transport.abortConnection()
                self.reactor.flush()
                self.assertEqual((rig.outcomes[0].endedBy, rig.outcomes[0].kind), (name, "reset"))
                self.assertFalse(other.lost.check(ConnectionDone))

    def test_silentPeer(self) -> None:
        """
        TLS that is to be closed waits for its peer; the deadline does not.
        """
        rig = self.open(tls="client")
        rig.client.transport.transport.pauseProducing()
        rig.origin.transport.write(b"x")
        rig.origin.transport.loseConnection()
        self.reactor.flush()
        self.assertEqual(rig.outcomes, [])
        self.reactor.advance(20.5)
        self.reactor.flush()
        self.assertEqual(rig.outcomes[0].kind, "eof")
        self.assertEqual(len(self.wheel), 0)


class Bare(Tunnel):
    """
    A tunnel without bytes.
    """

    bytesUp = bytesDown = 0  # type: ignore[assignment]

    def end(self, endedBy: str, kind: str, *, orderly: bool = False) -> None:
        self.endedBy, self.kind = endedBy, kind
        self.conclude()


class TunnelTests(SynchronousTestCase):
    """
    L{Tunnel} has the deadlines and the outcome, whoever moves the bytes.
    """

    def test_moves(self) -> None:
        """
        What moves bytes says how, and counts them.
        """
        clock = Clock()
        tunnel = Tunnel(clock, Wheel(clock), TIMEOUTS)
        self.assertRaises(NotImplementedError, lambda: tunnel.bytesUp)
        self.assertRaises(NotImplementedError, lambda: tunnel.bytesDown)
        self.assertRaises(NotImplementedError, tunnel.end, "proxy", "aborted")

    def test_seconds(self) -> None:
        """
        The outcome says how long the tunnel lasted, and no deadline is left.
        """
        clock = Clock()
        wheel = Wheel(clock)
        tunnel = Bare(clock, wheel, TIMEOUTS)
        tunnel.watch()
        clock.advance(7)
        tunnel.abort("drain_timeout")
        outcome = self.successResultOf(tunnel.finished)
        self.assertEqual(outcome[:6], ("proxy", Phase.RELAYING, "drain_timeout", 0, 0, 7.0))
        self.assertEqual(len(wheel), 0)

    def test_shortestDeadline(self) -> None:
        """
        Of several deadlines the first one counts, also where a half-open tunnel would have
        longer.
        """
        for limits, kind, seconds in (
            (Timeouts(60, 20, 30), "lifetime_exceeded", 30),
            (Timeouts(30, 20, 60), "idle_timeout", 30),
            (Timeouts(0, 20, 60), "lifetime_exceeded", 60),
            (Timeouts(30, 0, 0), "idle_timeout", 30),
        ):
            clock = Clock()
            tunnel = Bare(clock, Wheel(clock), limits)
            tunnel.watch()
            clock.advance(seconds - 0.5)
            self.assertNoResult(tunnel.finished)
            clock.advance(0.75)
            self.assertEqual(self.successResultOf(tunnel.finished).kind, kind)
        clock = Clock()
        tunnel = Bare(clock, Wheel(clock), Timeouts(0, 20, 15))
        tunnel.watch()
        tunnel.halfClosed("client")
        clock.advance(15.25)
        self.assertEqual(self.successResultOf(tunnel.finished).kind, "lifetime_exceeded")


class WiredRelayTests(SynchronousTestCase):
    """
    What is L{WiredRelay}'s alone.
    """

    def test_serves(self) -> None:
        """
        It serves every pair of transports, and has a name for events.
        """
        clock = Clock()
        relay = WiredRelay(clock, Wheel(clock))
        self.assertTrue(relay.canJoin(Leg(), Leg()))
        self.assertEqual(relay.relayName, "wired")
        relay.stop()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_nothingElseOnTheReadPath(self) -> None:
        """
        The transports deliver to the tunnel itself and to nothing in between.
        """
        reactor = FakeReactor()
        relay = WiredRelay(reactor, Wheel(reactor))
        listening, leg = Protocol(), Leg()
        near = pipePair(reactor, Peer(), listening).second, pipePair(reactor, leg, Peer()).first
        tunnel = relay.join(Leg.of(near[0], b"", ended=False), leg)
        self.assertEqual((near[0].protocol, near[1].protocol), (tunnel.client, tunnel.origin))
