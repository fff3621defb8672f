"""
Tests for L{connectproxy.auth.checks}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.auth.checks import GIVEN_UP, Check
from connectproxy.interfaces import ProxyUser

ZOE = ProxyUser("zoë")


class CheckTests(SynchronousTestCase):
    """
    One check that several wait for.
    """

    def setUp(self) -> None:
        """
        One that waits for the test.
        """
        self.cancelled: list[Any] = []
        self.asked: Deferred[Any] = Deferred(self.cancel)
        self.check = Check(b"zo\xc3\xab", "basic")
        self.check.begin(self.asked)

    def cancel(self, asked: Deferred[Any]) -> None:
        """
        What the authenticator makes of it.
        """
        self.cancelled.append(asked)
        asked.callback(GIVEN_UP)

    def test_told(self) -> None:
        """
        Everybody hears the answer.
        """
        waiting = [self.check.wait() for _ in range(3)]
        self.assertFalse(self.check.over)
        self.asked.callback(ZOE)
        self.assertEqual([self.successResultOf(each) for each in waiting], [ZOE] * 3)
        self.assertEqual((self.check.over, self.check.answer), (True, ZOE))

    def test_leave(self) -> None:
        """
        One who leaves is told so, and the others hear the answer.
        """
        first, second = self.check.wait(), self.check.wait()
        first.cancel()
        self.assertEqual(self.successResultOf(first), GIVEN_UP)
        self.assertEqual(self.cancelled, [])
        self.asked.callback(ZOE)
        self.assertEqual(self.successResultOf(second), ZOE)

    def test_allLeave(self) -> None:
        """
        When nobody waits any more the check is cancelled.
        """
        waiting = [self.check.wait() for _ in range(2)]
        self.check.cancel()
        self.assertEqual([self.successResultOf(each) for each in waiting], [GIVEN_UP] * 2)
        self.assertEqual(self.cancelled, [self.asked])
        self.assertTrue(self.check.over)

    def test_atOnce(self) -> None:
        """
        An answer that was there at once is there.
        """
        check = Check(b"", "token")
        asked: Deferred[Any] = Deferred()
        asked.callback(ZOE)
        check.begin(asked)
        self.assertEqual((check.over, check.answer), (True, ZOE))

    def test_leaveWhileTold(self) -> None:
        """
        Who is told may make others leave.
        """
        first, second = self.check.wait(), self.check.wait()
        heard: list[Any] = []
        second.addCallback(lambda answer: (heard.append(answer), first.cancel()))
        self.asked.callback(ZOE)
        self.assertEqual((heard, self.successResultOf(first)), ([ZOE], GIVEN_UP))
        self.assertEqual(self.cancelled, [])

    def test_shows(self) -> None:
        """
        It does not show who it is about (conformance 69).
        """
        self.assertEqual(repr(self.check), "<Check of 0>")
