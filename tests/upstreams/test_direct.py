"""
Tests for L{connectproxy.upstreams.direct}.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy import names
from connectproxy.address import Networks
from connectproxy.config import configure
from connectproxy.errors import Refused
from connectproxy.interfaces import IPAddress, IUpstream, IUpstreamKind, TunnelRequest, Verdict
from connectproxy.names import Names
from connectproxy.policy import Policy
from connectproxy.race import ATTEMPT_DELAY
from connectproxy.rules.private import PrivateAddresses
from connectproxy.upstreams.direct import RESOLUTION_DELAY, DirectUpstream, kind
from tests.fakes import FakeLookup, FakeReactor, Peer, makeRequest, makeSurroundings

SIX = "2606:4700::1111"
FOUR = "1.1.1.1"


class DirectCase(SynchronousTestCase):
    """
    An upstream with the guard of private addresses.
    """

    def setUp(self) -> None:
        """
        Nobody has asked yet.  The time is not 0, which stands for nothing.
        """
        self.reactor = FakeReactor()
        self.reactor.advance(100.0)
        self.names = Names(self.reactor)
        self.judged: list[tuple[TunnelRequest, IPAddress]] = []
        self.policy = Policy([PrivateAddresses(Networks())])
        self.upstream = DirectUpstream(self.reactor, self.judge, self.names)

    def judge(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        """
        Remember who is judged.
        """
        self.judged.append((request, address))
        return self.policy.decideAddress(request, address)

    def connect(self, target: str = "host.example:443") -> Deferred[Any]:
        """
        Ask for a connection.
        """
        return self.upstream.connect(makeRequest(target), Factory.forProtocol(Peer))

    def lookup(self, version: int) -> FakeLookup:
        """
        The question that is out for one family.
        """
        (found,) = [
            each for each in self.reactor.nameResolver.pending if each.families == (names.FAMILIES[version],)
        ]
        return found  # type: ignore[no-any-return]

    def answer(self, version: int, *addresses: str) -> None:
        """
        Have the look-up for one family answered.
        """
        self.lookup(version).answer(*addresses)

    def dialled(self) -> list[str]:
        """
        The addresses dialled so far.
        """
        return [each.host for each in self.reactor.attempts]

    def refused(self, connecting: Deferred[Any]) -> Refused:
        """
        What it has failed with, having left nothing behind.
        """
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertNotIn("connecting", [each.state for each in self.reactor.attempts])
        return self.failureResultOf(connecting, Refused).value  # type: ignore[no-any-return]


class ResolutionTests(DirectCase):
    """
    Who waits for whose answer (conformance 79).
    """

    def test_interfaces(self) -> None:
        """
        The upstream is one, and its kind as well.
        """
        verifyObject(IUpstream, self.upstream)
        verifyObject(IUpstreamKind, kind)
        self.assertEqual(kind.kindName, "direct")

    def test_address(self) -> None:
        """
        An address is not looked up but dialled at once, after it was judged.
        """
        for target, address in (("1.1.1.1:443", FOUR), ("[2606:4700::1111]:443", SIX)):
            connecting = self.connect(target)
            self.assertEqual(self.dialled()[-1], address)
            self.assertEqual(str(self.judged[-1][1]), address)
            self.reactor.attempts[-1].succeed()
            self.assertEqual(self.successResultOf(connecting).resolved, 0.0)
        self.assertEqual(self.reactor.nameResolver.lookups, [])

    def test_bothAtOnce(self) -> None:
        """
        Both families are asked for at once, with the name in absolute form (conformance 79
        and 80).
        """
        self.connect()
        self.assertEqual(
            [(each.name, each.families) for each in self.reactor.nameResolver.lookups],
            [("host.example.", (names.FAMILIES[6],)), ("host.example.", (names.FAMILIES[4],))],
        )

    def test_sixFirst(self) -> None:
        """
        An answer about IPv6 is used at once; IPv4 joins when it comes.
        """
        self.connect()
        self.answer(6, SIX)
        self.assertEqual(self.dialled(), [SIX])
        self.answer(4, FOUR)
        self.assertEqual(self.dialled(), [SIX])
        self.reactor.advance(ATTEMPT_DELAY)
        self.assertEqual(self.dialled(), [SIX, FOUR])

    def test_fourWaits(self) -> None:
        """
        An answer about IPv4 waits 50 ms for IPv6, and no longer.
        """
        self.assertEqual(RESOLUTION_DELAY, 0.05)
        self.connect()
        self.answer(4, FOUR)
        self.reactor.advance(RESOLUTION_DELAY - 0.001)
        self.assertEqual(self.dialled(), [])
        self.reactor.advance(0.001)
        self.assertEqual(self.dialled(), [FOUR])

    def test_sixInTime(self) -> None:
        """
        If IPv6 comes within that time, it is first.
        """
        self.connect()
        self.answer(4, FOUR)
        self.reactor.advance(RESOLUTION_DELAY / 2)
        self.answer(6, SIX)
        self.assertEqual(self.dialled(), [SIX])
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.reactor.advance(RESOLUTION_DELAY)
        self.assertEqual(self.dialled(), [SIX])
        self.reactor.advance(ATTEMPT_DELAY - RESOLUTION_DELAY)
        self.assertEqual(self.dialled(), [SIX, FOUR])

    def test_sixLate(self) -> None:
        """
        If it comes later, it is dialled when the attempt under way has had its time.
        """
        self.connect()
        self.answer(4, FOUR)
        self.reactor.advance(RESOLUTION_DELAY)
        self.reactor.advance(1.0)
        self.answer(6, SIX)
        self.assertEqual(self.dialled(), [FOUR])
        self.reactor.advance(ATTEMPT_DELAY)
        self.assertEqual(self.dialled(), [FOUR, SIX])

    def test_noSix(self) -> None:
        """
        If there is no IPv6, IPv4 does not wait any longer, whichever answer came first.
        """
        self.connect()
        self.answer(4, FOUR)
        self.answer(6)
        self.assertEqual(self.dialled(), [FOUR])
        self.connect("other.example:443")
        self.answer(6)
        self.answer(4, "1.0.0.1")
        self.assertEqual(self.dialled(), [FOUR, "1.0.0.1"])

    def test_noFour(self) -> None:
        """
        If there is no IPv4, that is not waited upon.
        """
        self.connect()
        self.answer(4)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.answer(6, SIX)
        self.assertEqual(self.dialled(), [SIX])

    def test_cached(self) -> None:
        """
        With both answers known it is dialled at once.
        """
        self.reactor.nameResolver.answers["host.example"] = [FOUR, SIX]
        self.connect()
        self.assertEqual(self.dialled(), [SIX])

    def test_resolved(self) -> None:
        """
        It is told when the first addresses came; an answer without any is none.
        """
        connecting = self.connect()
        self.reactor.advance(0.5)
        self.answer(6)
        self.reactor.advance(0.5)
        self.answer(4, FOUR)
        self.reactor.advance(0.5)
        self.reactor.attempts[0].succeed()
        established = self.successResultOf(connecting)
        self.assertEqual(established.resolved, 101.0)
        self.assertEqual(established.tried, ((FOUR, "connected", 0.5),))

    def test_resolvedOnce(self) -> None:
        """
        What comes later does not count, nor does it after the race.
        """
        connecting = self.connect()
        self.answer(6, SIX)
        self.reactor.advance(1.0)
        self.answer(4, FOUR)
        self.reactor.attempts[0].succeed()
        self.assertEqual(self.successResultOf(connecting).resolved, 100.0)

    def test_lateAnswer(self) -> None:
        """
        An answer after the race changes nothing but the cache.
        """
        connecting = self.connect()
        self.answer(6, SIX)
        self.reactor.attempts[0].succeed()
        self.successResultOf(connecting)
        self.answer(4, FOUR)
        self.assertEqual(self.dialled(), [SIX])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertIsNotNone(self.names.known("host.example.", 4))

    def test_noAddress(self) -> None:
        """
        A name with an address in neither family is refused, and nothing was dialled.
        """
        for order in ((6, 4), (4, 6)):
            connecting = self.connect(f"none{order[0]}.example:443")
            self.answer(order[0])
            self.assertNoResult(connecting)
            self.answer(order[1])
            refused = self.refused(connecting)
            self.assertEqual(refused.refusal.kind, "dns_error")
            self.assertEqual(refused.tried, ())
            self.assertEqual(refused.resolved, 0.0)

    def test_tooMany(self) -> None:
        """
        When too many names are being looked up, the request is refused at once, and the
        other family's look-up, if it was begun, does not bring it back.
        """
        for free in (0, 1):
            self.patch(names, "PENDING", free)
            connecting = self.connect()
            refused = self.refused(connecting)
            self.assertEqual(
                refused.refusal[:3], ("connection_limit_reached", "too many names are being looked up", "")
            )
        self.answer(6, SIX)
        self.assertEqual(self.dialled(), [])


class CancelTests(DirectCase):
    """
    Whoever keeps the deadline gives up.
    """

    def cancel(self, connecting: Deferred[Any]) -> Refused:
        """
        Give up.
        """
        connecting.cancel()
        return self.refused(connecting)

    def test_lookingUp(self) -> None:
        """
        In the phase of looking up it is the look-up that took too long.  The question stays
        with the resolver, and its answer serves the next one who asks.
        """
        refused = self.cancel(self.connect())
        self.assertEqual(refused.refusal.kind, "dns_timeout")
        self.assertEqual(refused.refusal.row.status, 504)
        self.assertEqual(refused.tried, ())
        self.assertEqual([each.waiters for each in self.names._pending.values()], [[], []])
        self.answer(6, SIX)
        self.answer(4, FOUR)
        self.assertEqual(self.dialled(), [])
        self.connect()
        self.assertEqual(self.dialled(), [SIX])

    def test_withIPv4InHand(self) -> None:
        """
        So it is while IPv4 waits for IPv6, and the wait is over.
        """
        connecting = self.connect()
        self.answer(4, FOUR)
        self.assertEqual(self.cancel(connecting).refusal.kind, "dns_timeout")
        self.reactor.advance(1.0)
        self.assertEqual(self.dialled(), [])

    def test_dialling(self) -> None:
        """
        Afterwards it is the destination that was silent; every attempt is aborted and
        told.
        """
        connecting = self.connect()
        self.answer(6, SIX)
        self.answer(4, FOUR)
        self.reactor.advance(ATTEMPT_DELAY)
        self.reactor.advance(ATTEMPT_DELAY)
        refused = self.cancel(connecting)
        self.assertEqual(refused.refusal.kind, "connection_timeout")
        self.assertEqual(refused.tried, ((SIX, "aborted", 0.5), (FOUR, "aborted", 0.25)))
        self.assertEqual(refused.resolved, 100.0)
        self.assertEqual([each.stopped for each in self.reactor.attempts], [True, True])

    def test_address(self) -> None:
        """
        With an address as the target there is no look-up to blame.
        """
        self.assertEqual(self.cancel(self.connect("1.1.1.1:443")).refusal.kind, "connection_timeout")

    def test_oneFamilyIsOut(self) -> None:
        """
        While the one family is dialled the other's look-up is no longer waited for.
        """
        connecting = self.connect()
        self.answer(6, SIX)
        self.assertEqual(self.cancel(connecting).refusal.kind, "connection_timeout")
        self.answer(4, FOUR)
        self.assertEqual(self.dialled(), [SIX])

    def test_failed(self) -> None:
        """
        To cancel what is over does nothing.
        """
        connecting = self.connect("1.1.1.1:443")
        self.reactor.attempts[0].fail(errno.ECONNREFUSED)
        connecting.cancel()
        self.assertEqual(self.refused(connecting).refusal.kind, "connection_refused")


class KindTests(SynchronousTestCase):
    """
    What the configuration makes.
    """

    def test_built(self) -> None:
        """
        It judges by the policy and dials by the reactor that it is given.
        """
        reactor = FakeReactor()
        policy = Policy([PrivateAddresses(Networks.parse("10.0.0.0/8"))])
        upstream = kind.build(makeSurroundings(reactor, settings=configure(), policy=policy), {})
        upstream.connect(makeRequest("10.0.0.1:443"), Factory.forProtocol(Peer))
        self.failureResultOf(
            upstream.connect(makeRequest("127.0.0.1:443"), Factory.forProtocol(Peer)), Refused
        )
        self.assertEqual([each.host for each in reactor.attempts], ["10.0.0.1"])

    def test_otherWay(self) -> None:
        """
        What stands in for the reactor's C{connectTCP} is used instead of it.
        """
        reactor, other = FakeReactor(), FakeReactor()
        upstream = DirectUpstream(reactor, lambda *args: None, Names(reactor), other.connectTCP)
        upstream.connect(makeRequest("10.0.0.1:443"), Factory.forProtocol(Peer))
        self.assertEqual((len(reactor.attempts), len(other.attempts)), (0, 1))
