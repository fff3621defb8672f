"""
Tests for L{connectproxy.auth.cache}.
"""

from __future__ import annotations

from unittest.mock import patch

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth import cache
from connectproxy.auth.cache import Successes
from connectproxy.interfaces import ProxyUser
from tests.auth.case import SECRET

ZOE = ProxyUser("zoë")


class SuccessesTests(SynchronousTestCase):
    """
    Credentials that were right a moment ago (conformance 67).
    """

    def setUp(self) -> None:
        """
        For a minute.
        """
        self.clock = Clock()
        self.cache = Successes(self.clock, 60)

    def test_lifetime(self) -> None:
        """
        They are believed as long as the configuration says, and no more from then on.
        """
        key = self.cache.key(b"one")
        self.assertIs(self.cache.get(key), None)
        self.cache.put(key, ZOE)
        self.clock.advance(59.9)
        self.assertEqual(self.cache.get(key), ZOE)
        self.clock.advance(0.1)
        self.assertIs(self.cache.get(key), None)
        self.assertEqual(self.cache._users, {})

    def test_shorter(self) -> None:
        """
        What ends before is not believed after its end, and what has ended not at all.
        """
        key = self.cache.key(b"one")
        self.cache.put(key, ZOE, 5.0)
        self.clock.advance(5)
        self.assertIs(self.cache.get(key), None)
        self.cache.put(key, ZOE, 3600.0)
        self.clock.advance(60)
        self.assertIs(self.cache.get(key), None)
        self.cache.put(key, ZOE, -1.0)
        self.assertEqual(self.cache._users, {})

    def test_off(self) -> None:
        """
        Without a lifetime nothing is kept.
        """
        self.cache = Successes(self.clock, 0)
        self.cache.put(self.cache.key(b"one"), ZOE)
        self.assertEqual(self.cache._users, {})

    def test_bounded(self) -> None:
        """
        The one that was right longest ago goes first.
        """
        keys = [self.cache.key(b"%d" % each) for each in range(4)]
        with patch.object(cache, "MOST", 3):
            for each in (0, 1, 2, 0, 3):
                self.cache.put(keys[each], ZOE)
        self.assertEqual([self.cache.get(key) is not None for key in keys], [True, False, True, True])

    def test_secret(self) -> None:
        """
        What is kept has nothing of the credentials, and is no use with another key
        (conformance 69).
        """
        key = self.cache.key(SECRET.encode())
        self.assertNotEqual(key, Successes(self.clock, 60).key(SECRET.encode()))
        self.assertNotEqual(key, self.cache.key(SECRET.encode() + b" "))
        self.cache.put(key, ZOE)
        self.assertNotIn(SECRET, repr(vars(self.cache)))
