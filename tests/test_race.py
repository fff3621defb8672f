"""
Tests for L{connectproxy.race}.
"""

from __future__ import annotations

import errno
import gc
import socket
import weakref
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy import race as module
from connectproxy.errors import Refused
from connectproxy.interfaces import IPAddress, TunnelRequest, Verdict
from connectproxy.race import ATTEMPT_DELAY, Race
from tests.fakes import FakeAttempt, FakeReactor, Peer, makeRequest

SIX = ("2001:db8::1", "2001:db8::2", "2001:db8::3")
FOUR = ("192.0.2.1", "192.0.2.2", "192.0.2.3")


class RaceCase(SynchronousTestCase):
    """
    A race whose addresses come from the test.
    """

    def setUp(self) -> None:
        """
        Be ready to start.
        """
        self.reactor = FakeReactor()
        self.judged: list[IPAddress] = []
        self.denials: dict[str, Verdict] = {}
        self.built: list[Any] = []
        self.begin()

    def tearDown(self) -> None:
        """
        Whatever has come of it, a race that is over leaves nothing on the clock and no
        attempt under way.
        """
        if self.race.done:
            self.assertEqual(self.reactor.getDelayedCalls(), [])
            self.assertNotIn("connecting", [each.state for each in self.attempts])

    def begin(self, target: str = "host.example:443") -> None:
        """
        Make a race.
        """
        factory = Factory.forProtocol(Peer)
        original = factory.buildProtocol
        factory.buildProtocol = lambda addr: self.built.append(addr) or original(addr)  # type: ignore[method-assign]
        self.result: Deferred[Any] = Deferred()
        self.race = Race(self.reactor, makeRequest(target), factory, self.judge, self.result)

    def judge(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        """
        The policy.
        """
        self.judged.append(address)
        return self.denials.get(str(address))

    def offer(self, *addresses: str, complete: bool = True) -> None:
        """
        Have addresses.
        """
        self.race.offer([ip_address(each) for each in addresses], complete=complete)

    @property
    def attempts(self) -> list[FakeAttempt]:
        """
        What was dialled.
        """
        return self.reactor.attempts

    def dialled(self) -> list[str]:
        """
        The addresses dialled so far.
        """
        return [each.host for each in self.attempts]

    def refused(self) -> Refused:
        """
        What it has failed with.
        """
        return self.failureResultOf(self.result, Refused).value  # type: ignore[no-any-return]


class OrderTests(RaceCase):
    """
    Which address is dialled when (conformance 79).
    """

    def test_atOnce(self) -> None:
        """
        The first is dialled when it comes, at the port that was asked for, and without a
        timeout of its own: the whole has one.
        """
        self.offer("192.0.2.1")
        (attempt,) = self.attempts
        self.assertEqual((attempt.host, attempt.port, attempt.timeout), ("192.0.2.1", 443, None))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        verifyObject(IProtocolFactory, attempt.factory)

    def test_stagger(self) -> None:
        """
        The next one is dialled 250 ms after the one before, no sooner, and that one is
        left to go on.
        """
        self.assertEqual(ATTEMPT_DELAY, 0.25)
        self.offer(*FOUR)
        for number in (1, 2, 3):
            self.assertEqual(self.dialled(), list(FOUR[:number]))
            self.reactor.advance(ATTEMPT_DELAY - 0.001)
            self.assertEqual(self.dialled(), list(FOUR[:number]))
            self.reactor.advance(0.001)
        self.assertEqual({each.state for each in self.attempts}, {"connecting"})
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_interleaved(self) -> None:
        """
        The families take turns, IPv6 first, each in its own order, until one has no more.
        """
        self.offer(*FOUR[:2], *SIX)
        for _ in range(5):
            self.reactor.advance(ATTEMPT_DELAY)
        self.assertEqual(self.dialled(), [SIX[0], FOUR[0], SIX[1], FOUR[1], SIX[2]])

    def test_otherFamilyIsMissing(self) -> None:
        """
        Where there is only IPv4, it need not wait for a turn of IPv6's.
        """
        self.offer(*FOUR[:2])
        self.assertEqual(self.dialled(), [FOUR[0]])

    def test_failureBringsTheNext(self) -> None:
        """
        When one fails, the next is dialled at once, and the one after that 250 ms later.
        """
        self.offer(*FOUR)
        self.reactor.advance(0.2)
        self.attempts[0].fail(errno.ECONNREFUSED)
        self.assertEqual(self.dialled(), list(FOUR[:2]))
        self.reactor.advance(ATTEMPT_DELAY - 0.001)
        self.assertEqual(self.dialled(), list(FOUR[:2]))
        self.reactor.advance(0.001)
        self.assertEqual(self.dialled(), list(FOUR))

    def test_moreAddresses(self) -> None:
        """
        Addresses that come later join: with an attempt under way the first of them waits
        for its turn like any other.
        """
        self.offer(FOUR[0], complete=False)
        self.reactor.advance(1.0)
        self.offer(SIX[0])
        self.assertEqual(self.dialled(), [FOUR[0]])
        self.reactor.advance(ATTEMPT_DELAY)
        self.assertEqual(self.dialled(), [FOUR[0], SIX[0]])

    def test_moreAddressesInTurn(self) -> None:
        """
        While somebody waits for his turn, those who come join the queue, and nobody's turn
        is put off.
        """
        self.offer(*SIX[:2], complete=False)
        self.reactor.advance(0.1)
        self.offer(FOUR[0])
        self.reactor.advance(0.15)
        self.assertEqual(self.dialled(), [SIX[0], FOUR[0]])
        self.reactor.advance(ATTEMPT_DELAY)
        self.assertEqual(self.dialled(), [SIX[0], FOUR[0], SIX[1]])

    def test_moreAddressesAtLast(self) -> None:
        """
        When all have failed, the next that come are dialled at once; until then it is not
        over.
        """
        self.offer(SIX[0], complete=False)
        self.attempts[0].fail(errno.ENETUNREACH)
        self.assertNoResult(self.result)
        self.offer(FOUR[0])
        self.assertEqual(self.dialled(), [SIX[0], FOUR[0]])

    def test_nothingMore(self) -> None:
        """
        That no more will come ends a race that has failed so far, and no other.
        """
        self.offer(SIX[0], complete=False)
        self.offer(complete=True)
        self.assertNoResult(self.result)
        self.attempts[0].fail(errno.ECONNREFUSED)
        self.assertEqual(self.refused().refusal.kind, "connection_refused")

    def test_bounded(self) -> None:
        """
        Of a name with very many addresses only the first few are tried.
        """
        self.patch(module, "ADDRESSES", 3)
        self.offer(*FOUR[:2], complete=False)
        self.offer(*SIX)
        for _ in range(5):
            self.reactor.advance(ATTEMPT_DELAY)
        self.assertEqual(sorted(self.dialled()), sorted([*FOUR[:2], SIX[0]]))


class WonTests(RaceCase):
    """
    Somebody is connected.
    """

    def test_established(self) -> None:
        """
        The result has the protocol that the factory built, connected; the address; and
        what was tried, with the time that it took.
        """
        self.offer(*FOUR)
        self.reactor.advance(0.125)
        self.race.resolved = 7.0
        origin = self.attempts[0].succeed()
        established = self.successResultOf(self.result)
        self.assertEqual(established.address, "192.0.2.1:443")
        self.assertEqual(established.tried, (("192.0.2.1", "connected", 0.125),))
        self.assertEqual(established.resolved, 7.0)
        self.assertIsInstance(established.protocol, Peer)
        self.assertEqual([each.host for each in self.built], ["192.0.2.1"])
        origin.transport.write(b"hello")
        established.protocol.transport.write(b"good day")
        self.reactor.flush()
        self.assertEqual((established.protocol.received, origin.received), (b"hello", b"good day"))

    def test_six(self) -> None:
        """
        An IPv6 address is shown in brackets, and in C{tried} without.
        """
        self.offer(SIX[0])
        self.attempts[0].succeed()
        established = self.successResultOf(self.result)
        self.assertEqual(established.address, "[2001:db8::1]:443")
        self.assertEqual(established.tried[0].address, "2001:db8::1")

    def test_noDelay(self) -> None:
        """
        The connection has TCP_NODELAY.
        """
        self.offer(FOUR[0])
        self.attempts[0].succeed()
        sock = self.successResultOf(self.result).protocol.transport.socket
        self.assertEqual(sock.options[socket.IPPROTO_TCP, socket.TCP_NODELAY], True)

    def test_losers(self) -> None:
        """
        The others are aborted, and those who wait are not dialled; each attempt is told, in
        the order they were begun (conformance 79).
        """
        self.offer(*FOUR)
        self.attempts[0].fail(errno.ECONNREFUSED)
        self.reactor.advance(ATTEMPT_DELAY)
        self.attempts[2].succeed()
        established = self.successResultOf(self.result)
        self.assertEqual(
            established.tried,
            (
                ("192.0.2.1", "connection_refused", 0.0),
                ("192.0.2.2", "aborted", 0.25),
                ("192.0.2.3", "connected", 0.0),
            ),
        )
        self.assertTrue(self.attempts[1].stopped)
        self.assertEqual(len(self.built), 1)

    def test_winsWhileOthersWait(self) -> None:
        """
        Who is connected before the next one's turn comes ends the race there.
        """
        self.offer(*FOUR)
        self.attempts[0].succeed()
        self.reactor.advance(10)
        self.race.advance()
        self.assertEqual(self.dialled(), [FOUR[0]])

    def test_second(self) -> None:
        """
        One that is connected all the same, after the race, gets no protocol: not an octet
        is sent on it, and it is closed (conformance 79).
        """
        self.offer(*FOUR)
        self.reactor.advance(ATTEMPT_DELAY)
        loser = self.attempts[0].factory
        self.attempts[1].succeed()
        self.assertIsNone(loser.buildProtocol(None))
        self.assertEqual(len(self.built), 1)

    def test_nothingIsReadBefore(self) -> None:
        """
        Between the connection and the hand-over nothing is lost: there is no turn of the
        reactor in between, and what would come is nobody's.
        """
        self.offer(FOUR[0])
        runner = self.attempts[0].factory
        runner.dataReceived(b"octets")
        runner.connectionLost()
        self.assertNoResult(self.result)

    def test_lostLater(self) -> None:
        """
        When the connection is lost the protocol hears of it, and the connector lets go of
        the transport, which would else wait for the garbage collector.
        """
        self.offer(FOUR[0])
        origin = self.attempts[0].succeed()
        protocol = self.successResultOf(self.result).protocol
        origin.transport.loseConnection()
        self.reactor.flush()
        protocol.transport.loseConnection()
        self.reactor.flush()
        self.assertIsNotNone(protocol.lost)
        self.assertIsNone(self.attempts[0].transport)

    def test_nothingIsKept(self) -> None:
        """
        While the tunnel is up nothing of the race is.
        """
        self.offer(*FOUR)
        self.attempts[0].succeed()
        race = weakref.ref(self.race)
        self.begin()
        gc.collect()
        self.assertIsNone(race())
