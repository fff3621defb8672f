"""
Tests for L{connectproxy.datagrams.route}.
"""

from __future__ import annotations

from ipaddress import ip_address
from itertools import permutations
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.datagrams.route import Lookup, Route
from connectproxy.names import Names, TooManyLookups
from tests.datagrams.test_flow import to
from tests.fakes import FakeReactor


class FakeNames:
    """
    Look-ups that the test answers.

    @ivar asked: every name with the family.
    @ivar given: what was given for them.
    @ivar cancelled: the families of which it was cancelled.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.given: list[Deferred[Any]] = []
        self.cancelled: list[int] = []

    def lookup(self, name: str, version: int) -> Deferred[Any]:
        self.asked.append((name, version))
        self.given.append(Deferred(lambda _: self.cancelled.append(version)))
        return self.given[-1]


class LookupTests(SynchronousTestCase):
    """
    Both look-ups of one name.
    """

    def setUp(self) -> None:
        """
        Begin one.
        """
        self.names: Any = FakeNames()
        self.done: list[tuple[Any, bool]] = []
        self.lookup = self.begin()

    def begin(self) -> Lookup:
        """
        Ask for C{a.example}.
        """
        lookup = Lookup(lambda addresses, asked: self.done.append((addresses, asked)))
        lookup.begin(self.names, "a.example.")
        return lookup

    def given(self, version: int) -> Deferred[Any]:
        """
        What was given last for a family.
        """
        return self.names.given[-2 if version == 4 else -1]  # type: ignore[no-any-return]

    def test_begin(self) -> None:
        """
        Both families are asked for at once, and nothing waits yet.
        """
        self.assertEqual(self.names.asked, [("a.example.", 4), ("a.example.", 6)])
        self.assertEqual((self.done, self.lookup.waiting), ([], []))

    def test_order(self) -> None:
        """
        It is done when both are answered, and has IPv4 first, whichever came first.
        """
        results = {4: ("four", "vier"), 6: ("six",)}
        for versions in permutations((4, 6)):
            self.done.clear()
            self.begin()
            for version in versions:
                self.assertEqual(self.done, [])
                self.given(version).callback(results[version])
            self.assertEqual(self.done, [(("four", "vier", "six"), True)])

    def test_failed(self) -> None:
        """
        What could not be asked for has no addresses; those of the other family hold, and it is
        said that one is missing.
        """
        for version, other in permutations((4, 6)):
            self.done.clear()
            self.begin()
            self.given(version).errback(TooManyLookups("512 look-ups are under way"))
            self.given(other).callback(("an address",))
            self.assertEqual(self.done, [(("an address",), False)])

    def test_nothing(self) -> None:
        """
        A name without an address was asked for all the same.
        """
        for version in (4, 6):
            self.given(version).callback(())
        self.assertEqual(self.done, [((), True)])

    def test_stop(self) -> None:
        """
        Stopped, it cancels what is not answered yet, and is never done; however much was.
        """
        for answered in ((), (4,), (6,), (4, 6)):
            self.lookup = self.begin()
            for version in answered:
                self.given(version).callback(("an address",))
            self.done.clear()
            self.names.cancelled.clear()
            self.lookup.stop()
            self.assertEqual(self.names.cancelled, [each for each in (4, 6) if each not in answered])
            self.assertEqual(self.done, [])

    def test_atOnce(self) -> None:
        """
        What is known already is there before C{begin} returns.
        """
        reactor = FakeReactor()
        reactor.nameResolver.answers["a.example"] = ("2001:db8::1", "192.0.2.1")
        self.names = Names(reactor)
        self.begin()
        self.assertEqual(self.done, [((ip_address("192.0.2.1"), ip_address("2001:db8::1")), True)])


class RouteTests(SynchronousTestCase):
    """
    One destination.
    """

    def test_new(self) -> None:
        """
        Of a new one nothing is known, and nothing has to be.
        """
        destination = to("a.example:53")
        route = Route(destination, 12.5)
        self.assertEqual((route.destination, route.expires), (destination, 12.5))
        self.assertEqual((route.targets, route.lookup), ((), None))
