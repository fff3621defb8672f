"""
Tests for L{connectproxy.auth.throttle}.
"""

from __future__ import annotations

from unittest.mock import patch

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth import throttle
from connectproxy.auth.throttle import DAY, LONGEST, PER_USER, Throttle, sourceOf


class SourceTests(SynchronousTestCase):
    """
    What counts as one source.
    """

    def source(self, host: str) -> object:
        """
        The source of an address of IP.
        """
        kind = IPv6Address if ":" in host else IPv4Address
        return sourceOf(kind("TCP", host, 1))

    def test_ipv4(self) -> None:
        """
        Each IPv4 address is one, also where it comes as IPv6.
        """
        self.assertEqual(self.source("192.0.2.1"), self.source("::ffff:192.0.2.1"))
        self.assertNotEqual(self.source("192.0.2.1"), self.source("192.0.2.2"))

    def test_ipv6(self) -> None:
        """
        All of a /64 is one, and no IPv4 address.
        """
        self.assertEqual(self.source("2001:db8::1"), self.source("2001:db8::ffff:0:0:1"))
        self.assertNotEqual(self.source("2001:db8::1"), self.source("2001:db8:0:1::1"))
        self.assertEqual(self.source("fe80::1%eth0"), self.source("fe80::1"))
        self.assertNotEqual(self.source("::1"), self.source("0.0.0.0"))

    def test_others(self) -> None:
        """
        Clients without an address of IP are one source.
        """
        self.assertEqual(sourceOf(UNIXAddress(b"/run/x")), sourceOf(UNIXAddress(None)))
        self.assertNotEqual(sourceOf(UNIXAddress(None)), self.source("0.0.0.0"))


class ThrottleTests(SynchronousTestCase):
    """
    Wrong credentials, counted (conformance 70).
    """

    def setUp(self) -> None:
        """
        Ten a minute.
        """
        self.clock = Clock()
        self.throttle = Throttle(self.clock, 10, 60.0)

    def guess(self, source: object, user: bytes, times: int) -> None:
        """
        Guess wrong several times.
        """
        for _ in range(times):
            self.throttle.wrong(source, user)  # type: ignore[arg-type]

    def test_source(self) -> None:
        """
        After as many as are allowed, a source has to wait, whoever it says it is; another
        one does not.
        """
        self.guess("a", b"one", 9)
        self.assertEqual(self.throttle.wait("a", b"one"), 0)
        self.guess("a", b"one", 1)
        self.assertEqual(self.throttle.wait("a", b"one"), 6)
        self.assertEqual(self.throttle.wait("a", b"two"), 6)
        self.assertEqual(self.throttle.wait("a", b""), 6)
        self.assertEqual(self.throttle.wait("b", b"one"), 0)

    def test_time(self) -> None:
        """
        With time it is listened to again, for one guess at a time, and in the end for all.
        """
        self.guess("a", b"one", 10)
        self.clock.advance(5.9)
        self.assertEqual(self.throttle.wait("a", b"one"), 1)
        self.clock.advance(0.2)
        self.assertEqual(self.throttle.wait("a", b"one"), 0)
        self.guess("a", b"one", 1)
        self.assertEqual(self.throttle.wait("a", b"one"), 6)
        self.clock.advance(600)
        self.assertEqual(self.throttle.wait("a", b"one"), 0)
        self.guess("a", b"one", 9)
        self.assertEqual(self.throttle.wait("a", b"one"), 0)

    def test_debt(self) -> None:
        """
        Guesses that were under way when it was too many already count as well.
        """
        self.guess("a", b"one", 30)
        self.assertEqual(self.throttle.wait("a", b"one"), 21 * 6)

    def test_debtEnds(self) -> None:
        """
        Who has sent thousands in a second has not shut its address out for hours.
        """
        for _ in range(5000):
            self.throttle.wrong(1, b"")
        self.assertEqual(self.throttle.wait(1, b""), 60 * LONGEST - 54)
        self.clock.advance(60 * LONGEST - 54)
        self.assertEqual(self.throttle.wait(1, b""), 0)

    def test_user(self) -> None:
        """
        From many sources a user can be guessed at five times as often, and no more.
        """
        for each in range(10 * PER_USER):
            self.assertEqual(self.throttle.wait(each, b"one"), 0)
            self.guess(each, b"one", 1)
        self.assertEqual(self.throttle.wait("new", b"one"), 2)
        self.assertEqual(self.throttle.wait("new", b"two"), 0)

    def test_proved(self) -> None:
        """
        Who has been that user from there within a day is not shut out by others' guesses,
        but is by its own.
        """
        self.throttle.right("home", b"one")
        for each in range(10 * PER_USER):
            self.guess(each, b"one", 1)
        self.assertEqual(self.throttle.wait("home", b"one"), 0)
        self.assertEqual(self.throttle.wait("away", b"one"), 2)
        self.guess("home", b"one", 10)
        self.assertEqual(self.throttle.wait("home", b"one"), 6)
        self.clock.advance(DAY + 1)
        for each in range(10 * PER_USER):
            self.guess(each, b"one", 1)
        self.assertEqual(self.throttle.wait("home", b"one"), 2)

    def test_off(self) -> None:
        """
        With no limit nobody waits, and nothing is kept.
        """
        self.throttle = Throttle(self.clock, 0, 60.0)
        self.guess("a", b"one", 1000)
        self.throttle.right("a", b"one")
        self.assertEqual(self.throttle.wait("a", b"one"), 0)
        self.assertEqual(len(self.throttle._proved), 0)

    def test_bounded(self) -> None:
        """
        The tables do not grow without bound: what was added to longest ago goes first.
        """
        with patch.object(throttle, "MOST", 3):
            self.guess("a", b"one", 10)
            for each in range(3):
                self.guess(each, b"%d" % each, 1)
                self.throttle.right(each, b"%d" % each)
            self.throttle.right("b", b"one")
        self.assertEqual(self.throttle.wait("a", b""), 0)
        tables = self.throttle._sources._debts, self.throttle._users._debts, self.throttle._proved  # type: ignore[union-attr]
        self.assertEqual([len(each) for each in tables], [3, 3, 3])

    def test_forgotten(self) -> None:
        """
        What has been made up for is dropped when it is looked at.
        """
        self.guess("a", b"one", 1)
        self.clock.advance(60)
        self.assertEqual(self.throttle.wait("a", b"one"), 0)
        self.assertEqual(self.throttle._sources._debts, {})  # type: ignore[union-attr]
