"""
Tests for L{connectproxy.limits.share}: who is remembered, and for how long.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs

from connectproxy.errors import Refusal
from connectproxy.limits import Limit
from connectproxy.limits.share import retryAfter
from tests.limits.case import BOB, AccountsCase, ask


class PaceTests(AccountsCase):
    """
    How many per second.
    """

    def test_pace(self) -> None:
        """
        As many at once as the burst has, then one whenever there is one again; a refusal
        says when.
        """
        accounts = self.accounts(Limit("ci", pace=0.5, burst=2))
        for _ in range(2):
            self.passed(accounts.enter(ask(BOB))).leave()
        refusal = self.refused(accounts.enter(ask(BOB)), "rate_limit_reached")
        self.assertEqual(refusal.detail, "limit ci: 0.5 tunnels per second for user bob")
        self.assertEqual((refusal.rule, refusal.fields), ("limit ci", (("Retry-After", "2"),)))
        self.reactor.advance(1.5)
        refusal = self.refused(accounts.enter(ask(BOB)), "rate_limit_reached")
        self.assertEqual(refusal.fields, (("Retry-After", "1"),))
        self.reactor.advance(0.5)
        self.passed(accounts.enter(ask(BOB)))

    def test_forgotten(self) -> None:
        """
        Who has nothing open is remembered until a new bucket would be the same.
        """
        accounts = self.accounts(Limit("ci", pace=0.5, burst=2))
        self.passed(accounts.enter(ask(BOB))).leave()
        self.pause(1)
        self.assertEqual(self.kept(accounts), [["user:bob"]])
        self.pause(2)
        self.assertEqual(self.kept(accounts), [[]])
        self.pause(2)
        self.assertEqual(len(self.wheel), 0)

    def test_refusedOnly(self) -> None:
        """
        Who is only ever refused is forgotten as well.
        """
        accounts = self.accounts(Limit("ci", pace=0.5, burst=1))
        self.passed(accounts.enter(ask(BOB))).leave()
        self.refused(accounts.enter(ask(BOB)), "rate_limit_reached")
        self.pause(4)
        self.assertEqual((self.kept(accounts), len(self.wheel)), ([[]], 0))

    def test_backAgain(self) -> None:
        """
        Who comes back while it is remembered is not forgotten under its feet.
        """
        accounts = self.accounts(Limit("ci", pace=1, burst=1))
        self.passed(accounts.enter(ask(BOB))).leave()
        self.reactor.advance(1)
        second = self.passed(accounts.enter(ask(BOB)))
        self.pause(5)
        self.assertEqual(accounts._tables[0].shares["user:bob"].open, 1)
        second.leave()
        self.pause(2)
        self.assertEqual(self.kept(accounts), [[]])


class CrowdTests(AccountsCase):
    """
    More clients than can be told apart.
    """

    def test_overflow(self) -> None:
        """
        Those beyond what is remembered share one count, which is told once; nobody has
        more than one client may.
        """
        accounts = self.accounts(Limit("x", per="client", tunnels=2), most=3)
        with capturedLogs() as events:
            passes = [self.passed(accounts.enter(ask(host=f"192.0.2.{n}"))) for n in range(5)]
            refusal = self.refused(accounts.enter(ask(host="192.0.2.77")), "client_limit_reached")
            self.passed(accounts.enter(ask(host="192.0.2.1")))
        self.assertIn("for all that can't be told apart", refusal.detail)
        self.assertEqual([event["log_level"].name for event in events], ["warn"])
        self.assertEqual(len(accounts._tables[0].shares), 4)
        with capturedLogs() as events:
            for each in passes:
                each.leave()
        self.assertEqual([event["log_level"].name for event in events], ["info"])
        self.assertEqual(self.kept(accounts), [["client:192.0.2.1"]])

    def test_flood(self) -> None:
        """
        However many come and go, the table is bounded, and those who are idle make room.
        """
        accounts = self.accounts(Limit("x", per="client", pace=10, burst=10), most=50)
        for number in range(2000):
            self.reactor.advance(0.01)
            result: Any = accounts.enter(ask(host=f"10.0.{number >> 8}.{number & 255}"))
            if not isinstance(result, Refusal):
                result.leave()
            self.assertLessEqual(len(accounts._tables[0].shares), 51)
        self.pause(2)
        self.assertEqual(self.kept(accounts), [[]])

    def test_retryAfter(self) -> None:
        """
        Whole seconds, rounded up, and at least one.
        """
        for seconds, shown in (
            (0.0, "1"),
            (0.2, "1"),
            (1.0, "1"),
            (1.01, "2"),
            (-5.0, "1"),
            (86400, "86400"),
        ):
            self.assertEqual(retryAfter(seconds), (("Retry-After", shown),))
