"""
Tests for L{connectproxy.names}.
"""

from __future__ import annotations

import gc
import weakref
from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IResolutionReceiver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy import names
from connectproxy.names import NEGATIVE_TTL, PATIENCE, TTL, Names, TooManyLookups
from tests.fakes import FakeLookup, FakeReactor

NAME = "host.example."


class NamesTests(SynchronousTestCase):
    """
    Without a hosts file: every name goes to the reactor's resolver.
    """

    def setUp(self) -> None:
        """
        Nobody has asked yet.
        """
        self.reactor = FakeReactor()
        self.names = Names(self.reactor)

    @property
    def asked(self) -> list[FakeLookup]:
        """
        What the resolver was asked.
        """
        lookups: list[FakeLookup] = self.reactor.nameResolver.lookups
        return lookups

    def look(self, name: str = NAME, version: int = 4, *answer: str) -> list[str]:
        """
        Ask, answer if it gets as far as the resolver, and return the addresses.
        """
        before = len(self.asked)
        lookup = self.names.lookup(name, version)
        if len(self.asked) > before:
            self.asked[-1].answer(*answer)
        return list(map(str, self.successResultOf(lookup)))

    def test_receiver(self) -> None:
        """
        What the resolver is given is what it expects.
        """
        verifyObject(IResolutionReceiver, names._Receiver(lambda found: None))

    def test_absolute(self) -> None:
        """
        The name is asked with its trailing dot, so that no search list applies; one family
        at a time, and for TCP (conformance 80).
        """
        calls: list[Any] = []
        resolver = self.reactor.nameResolver
        original = resolver.resolveHostName
        resolver.resolveHostName = lambda *args: calls.append(args) or original(*args)
        self.names.lookup(NAME, 6)
        self.names.lookup(NAME, 4)
        self.assertEqual(
            [call[1:] for call in calls],
            [(NAME, 0, [IPv6Address], "TCP"), (NAME, 0, [IPv4Address], "TCP")],
        )

    def test_order(self) -> None:
        """
        The addresses come in the resolver's order, which is that of RFC 6724.
        """
        found = self.look(NAME, 4, "192.0.2.9", "192.0.2.1", "192.0.2.5")
        self.assertEqual(found, ["192.0.2.9", "192.0.2.1", "192.0.2.5"])

    def test_families(self) -> None:
        """
        Each family has an answer of its own.
        """
        self.assertEqual(self.look(NAME, 6, "2001:db8::1"), ["2001:db8::1"])
        self.assertEqual(self.look(NAME, 4, "192.0.2.1"), ["192.0.2.1"])
        self.assertEqual(len(self.asked), 2)

    def test_types(self) -> None:
        """
        What comes is L{ipaddress}'s, to be classified as it is.
        """
        lookup = self.names.lookup(NAME, 6)
        self.asked[0].answer("2001:db8::1")
        self.assertEqual(self.successResultOf(lookup), (ip_address("2001:db8::1"),))

    def test_duplicates(self) -> None:
        """
        An address that is told twice is one.
        """
        self.assertEqual(
            self.look(NAME, 4, "192.0.2.1", "192.0.2.2", "192.0.2.1"), ["192.0.2.1", "192.0.2.2"]
        )

    def test_scopes(self) -> None:
        """
        A scope, which names an interface of this machine, is left away, and what is left
        is compared.
        """
        self.assertEqual(self.look(NAME, 6, "fe80::1%eth0", "fe80::1%lo"), ["fe80::1"])

    def test_coalesced(self) -> None:
        """
        Who asks while the same question is out waits for the same answer.
        """
        waiting = [self.names.lookup(NAME, 4) for _ in range(3)]
        other = self.names.lookup(NAME, 6)
        self.assertEqual(len(self.asked), 2)
        for each in waiting:
            self.assertNoResult(each)
        self.asked[0].answer("192.0.2.1")
        for each in waiting:
            self.assertEqual(self.successResultOf(each), (ip_address("192.0.2.1"),))
        self.assertNoResult(other)

    def test_cached(self) -> None:
        """
        An answer serves for C{TTL} seconds and not an instant longer; asking does not
        prolong it.
        """
        self.look(NAME, 4, "192.0.2.1")
        self.reactor.advance(TTL / 2)
        self.assertEqual(self.look(), ["192.0.2.1"])
        self.reactor.advance(TTL / 2 - 0.01)
        self.assertEqual(self.look(), ["192.0.2.1"])
        self.assertEqual(len(self.asked), 1)
        self.reactor.advance(0.01)
        self.assertEqual(self.look(NAME, 4, "192.0.2.2"), ["192.0.2.2"])
        self.assertEqual(len(self.asked), 2)

    def test_negative(self) -> None:
        """
        That a name has no address is remembered as well, for a shorter time.
        """
        self.assertEqual(self.look(), [])
        self.reactor.advance(NEGATIVE_TTL - 0.01)
        self.assertEqual(self.look(), [])
        self.assertEqual(len(self.asked), 1)
        self.reactor.advance(0.01)
        self.assertEqual(self.look(NAME, 4, "192.0.2.1"), ["192.0.2.1"])
        self.assertLess(NEGATIVE_TTL, TTL)

    def test_known(self) -> None:
        """
        The cache can be asked without a look-up: it tells what it has, that there is
        nothing, or that it does not know, and what has expired is let go.
        """
        self.assertIsNone(self.names.known(NAME, 4))
        self.look(NAME, 4, "192.0.2.1")
        self.look("none.example.", 4)
        self.assertEqual(self.names.known(NAME, 4), (ip_address("192.0.2.1"),))
        self.assertEqual(self.names.known("none.example.", 4), ())
        self.assertIsNone(self.names.known(NAME, 6))
        self.reactor.advance(TTL)
        self.assertIsNone(self.names.known(NAME, 4))
        self.assertIsNone(self.names.known(NAME, 4))
        self.assertEqual(len(self.asked), 2)

    def test_bounded(self) -> None:
        """
        No more than C{ENTRIES} answers are kept; the one unused for longest goes first.
        """
        self.patch(names, "ENTRIES", 3)
        for name in ("a.", "b.", "c."):
            self.look(name, 4, "192.0.2.1")
        self.look("a.")
        self.look("d.", 4, "192.0.2.1")
        self.assertIsNone(self.names.known("b.", 4))
        for name in ("a.", "c.", "d."):
            self.assertIsNotNone(self.names.known(name, 4), name)

    def test_renewed(self) -> None:
        """
        An answer that is renewed counts as the latest used.
        """
        self.patch(names, "ENTRIES", 2)
        self.look("a.", 4, "192.0.2.1")
        self.reactor.advance(TTL)
        self.look("b.", 4, "192.0.2.1")
        self.look("a.", 4, "192.0.2.1")
        self.look("c.", 4, "192.0.2.1")
        self.assertIsNone(self.names.known("b.", 4))
        self.assertIsNotNone(self.names.known("a.", 4))

    def test_tooMany(self) -> None:
        """
        No more than C{PENDING} questions are out at once: a further one fails, while who
        asks for one that is out, or for what is known, is served.
        """
        self.patch(names, "PENDING", 2)
        self.look("known.", 4, "192.0.2.1")
        self.names.lookup("a.", 4)
        self.names.lookup("a.", 6)
        failure = self.failureResultOf(self.names.lookup("b.", 4), TooManyLookups)
        self.assertIn("2 look-ups", str(failure.value))
        self.assertNoResult(self.names.lookup("a.", 4))
        self.assertEqual(self.look("known."), ["192.0.2.1"])
        self.asked[1].answer()
        self.assertEqual(self.look("b.", 4, "192.0.2.2"), ["192.0.2.2"])

    def test_cancelOne(self) -> None:
        """
        One who gives up fails at once; the look-up and who else waits are left alone.
        """
        first, second = (self.names.lookup(NAME, 4) for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.asked[0].answer("192.0.2.1")
        self.assertEqual(self.successResultOf(second), (ip_address("192.0.2.1"),))
        self.assertFalse(self.asked[0].cancelled)

    def test_cancelAll(self) -> None:
        """
        Where nobody waits any more the answer is kept for the next one who asks, who does
        not ask the resolver again.
        """
        lookup = self.names.lookup(NAME, 4)
        lookup.cancel()
        self.failureResultOf(lookup, CancelledError)
        self.assertFalse(self.asked[0].cancelled)
        again = self.names.lookup(NAME, 4)
        self.assertEqual(len(self.asked), 1)
        self.asked[0].answer("192.0.2.1")
        self.assertEqual(self.successResultOf(again), (ip_address("192.0.2.1"),))
        self.assertEqual(self.look(), ["192.0.2.1"])

    def test_cancelledIsNotKept(self) -> None:
        """
        Who has given up is not remembered for as long as the resolver takes.
        """
        lookup = self.names.lookup(NAME, 4)
        lookup.cancel()
        self.failureResultOf(lookup, CancelledError)
        gone = weakref.ref(lookup)
        del lookup
        gc.collect()
        self.assertIsNone(gone())

    def test_cancelAfterwards(self) -> None:
        """
        To cancel what has been answered does nothing.
        """
        lookup = self.names.lookup(NAME, 4)
        self.asked[0].answer("192.0.2.1")
        lookup.cancel()
        self.assertEqual(self.successResultOf(lookup), (ip_address("192.0.2.1"),))

    def test_cancelledByAnother(self) -> None:
        """
        One who is told first may cancel one who would be told next.
        """
        first, second = (self.names.lookup(NAME, 4) for _ in range(2))
        first.addCallback(lambda found: second.cancel())
        self.asked[0].answer("192.0.2.1")
        self.failureResultOf(second, CancelledError)

    def test_askingAgainAtOnce(self) -> None:
        """
        Who asks again from within the answer is served from the cache.
        """
        lookup: Deferred[Any] = self.names.lookup(NAME, 4)
        lookup.addCallback(lambda found: self.names.lookup(NAME, 4))
        self.asked[0].answer("192.0.2.1")
        self.assertEqual(self.successResultOf(lookup), (ip_address("192.0.2.1"),))

    def test_lost(self) -> None:
        """
        A question that is never answered, as when the resolver itself has failed for want
        of descriptors, does not make the name dead for good: after a time it is asked
        anew.  If the first answer comes after all, it serves.
        """
        waiting = self.names.lookup(NAME, 4)
        self.reactor.advance(PATIENCE - 0.01)
        self.names.lookup(NAME, 4)
        self.assertEqual(len(self.asked), 1)
        self.reactor.advance(0.01)
        again = self.names.lookup(NAME, 4)
        self.assertEqual(len(self.asked), 2)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.asked[0].answer("192.0.2.1")
        self.assertEqual(self.successResultOf(again), (ip_address("192.0.2.1"),))
        self.asked[1].answer("192.0.2.2")
        self.assertEqual(self.look(), ["192.0.2.2"])

    def test_lostMakeRoom(self) -> None:
        """
        Nor do they take the room of others for good.
        """
        self.patch(names, "PENDING", 2)
        self.names.lookup("a.", 4)
        self.reactor.advance(1.0)
        self.names.lookup("b.", 4)
        self.failureResultOf(self.names.lookup("c.", 4), TooManyLookups)
        self.reactor.advance(PATIENCE - 1.0)
        self.assertEqual(self.look("c.", 4, "192.0.2.1"), ["192.0.2.1"])
        self.names.lookup("d.", 4)
        self.failureResultOf(self.names.lookup("e.", 4), TooManyLookups)

    def test_bounds(self) -> None:
        """
        How long and how much: half a minute for an answer and for a question, 3 s for no
        answer; 4096 answers and 512 questions.
        """
        self.assertEqual((TTL, NEGATIVE_TTL, PATIENCE), (30.0, 3.0, 30.0))
        self.assertEqual((names.ENTRIES, names.PENDING), (4096, 512))

    def test_nothingOnTheClock(self) -> None:
        """
        The cache needs no timer.
        """
        self.look(NAME, 4, "192.0.2.1")
        self.names.lookup("other.", 4)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
