"""
Tests for L{connectproxy.limits.quotas}: a store that does not answer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.logger import capturedLogs

from connectproxy.limits import Accounts, Limit, quotas
from connectproxy.limits.quotas import AGAIN
from tests.limits.case import BOB, DAY, EVE, MINE, QuotasCase, ask


class AwayTests(QuotasCase):
    """
    A store that does not answer.
    """

    def away(self, accounts: Accounts, why: Any = "it is gone") -> list[Any]:
        """
        Let bob move octets, and the store be away.

        @return: what was logged.
        """
        self.entered, self.tunnel = self.up(accounts, 10)
        self.store.away = why
        with capturedLogs() as events:
            self.pause(1)
        return events

    def test_open(self) -> None:
        """
        What is counted here goes on, is held to the quota, and is written when the store
        is back, each octet once.
        """
        accounts = self.accounts(self.LIMIT, store="redis://u:secret@h:1/0?x=secret")
        self.store.others(MINE, 5)
        events = self.away(accounts)
        (event,) = events
        self.assertEqual((event["where"], event["why"]), ("redis:h:1/0", "it is gone"))
        self.assertIn("counted here", event["meanwhile"])
        self.up(accounts, 900)
        with capturedLogs() as events:
            self.pause(3)
        self.assertEqual(events, [])
        _, tunnel = self.up(accounts, 100)
        self.pause(1)
        self.assertEqual(tunnel.aborted, ["quota_exceeded"])
        self.refused(accounts.enter(ask(BOB)), "quota_exceeded")
        self.store.away = ""
        with capturedLogs() as events:
            self.pause(AGAIN[1])
        self.assertEqual(
            [event["log_format"] for event in events], ["the store of quotas ({where}) answers again"]
        )
        self.assertEqual(self.store.count(MINE), 1015)

    def test_closed(self) -> None:
        """
        Nobody is let in who has a quota; what is up goes on, and so do those without.
        """
        accounts = self.accounts(self.LIMIT._replace(users=frozenset({"*"})), whenAway="closed")
        (event,) = self.away(accounts)
        self.assertIn("limits.when_away", event["meanwhile"])
        refusal = self.refused(accounts.enter(ask(BOB)), "quota_unavailable")
        self.assertEqual((refusal.rule, refusal.fields), ("limit ci", ()))
        self.refused(accounts.enter(ask(EVE)), "quota_unavailable")
        self.passed(accounts.enter(ask()))
        self.assertEqual(self.tunnel.aborted, [])
        self.entered.leave(20, 0)
        self.store.away = ""
        self.pause(4)
        self.passed(accounts.enter(ask(BOB)))
        self.assertEqual(self.store.count(MINE), 20)

    def test_fromTheStart(self) -> None:
        """
        A store that has never answered is asked again for as long as somebody has a
        quota, though nothing is to be written.
        """
        accounts = self.accounts(self.LIMIT, whenAway="closed")
        self.store.away = "it is gone"
        self.refused(accounts.enter(ask(BOB)), "quota_unavailable")
        self.store.away = ""
        self.pause(2)
        self.assertEqual(self.store.calls[-1], ())
        self.passed(accounts.enter(ask(BOB)))

    def test_reloaded(self) -> None:
        """
        Whether tunnels are opened while it is away can be changed while it is.
        """
        accounts = self.accounts(self.LIMIT)
        self.away(accounts)
        accounts.configure((self.LIMIT,), "memory", "closed")
        self.refused(accounts.enter(ask(BOB)), "quota_unavailable")

    def test_backOff(self) -> None:
        """
        It is asked again after a second, then two, four, and so on, up to half a minute;
        and once it has answered it begins anew.
        """
        accounts = self.accounts(self.LIMIT)
        self.away(accounts)
        times = []
        for _ in range(4 * 120):
            before = len(self.store.calls)
            self.reactor.advance(0.25)
            times += [self.reactor.seconds()] * (len(self.store.calls) - before)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        for gap, least in zip(gaps, (2, 4, 8, 16, 30, 30), strict=False):
            self.assertTrue(least <= gap <= least + 2.5, gaps)
        self.assertIn(len(gaps), (5, 6))

    def test_lostAnswer(self) -> None:
        """
        A batch whose answer was lost is sent again as it was, so that nothing counts twice.
        """
        accounts = self.accounts(self.LIMIT)
        _, tunnel = self.up(accounts, 10)
        self.store.loses = True
        self.pause(1)
        tunnel.bytesUp += 5
        self.store.loses = False
        self.pause(5)
        self.assertEqual(self.store.count(MINE), 15)
        batches = [call for call in self.store.calls if isinstance(call, tuple) and hasattr(call, "origin")]
        self.assertEqual([batch.number for batch in batches], [1, 1, 2])

    def test_bounded(self) -> None:
        """
        What waits for the store is bounded; that something is lost is told once.
        """
        self.patch(quotas, "CHUNK", 2)
        accounts = self.accounts(Limit("ci", per="client", quota=10**6))
        self.away(accounts)
        assert accounts.quotas is not None
        accounts.quotas._most = 5
        with capturedLogs() as events:
            for number in range(100, 120):
                entered = self.passed(accounts.enter(ask(host=f"192.0.2.{number}")))
                entered.leave(7, 0)
        self.assertEqual([event["log_level"].name for event in events], ["error"])
        self.assertEqual(len(accounts.quotas._pending), 5)
        self.store.away = ""
        self.pause(4)
        total = sum(self.store.count(f"cp:quota:ci:client:192.0.2.{n}:{DAY}") for n in range(256))
        self.assertEqual(total, 10 + 5 * 7)
        self.assertEqual(len(accounts.quotas._pending), 0)

    def test_bug(self) -> None:
        """
        A failure that is none of the store's is logged with its traceback, and the same
        happens as when the store is away.
        """
        accounts = self.accounts(self.LIMIT)
        self.away(accounts, ZeroDivisionError("here"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.passed(accounts.enter(ask(BOB)))

    def test_noStore(self) -> None:
        """
        So it is when there is no such store.
        """
        accounts = self.accounts(self.LIMIT, store="cloud:9", opener=quotas.openStore)
        with capturedLogs() as events:
            self.passed(accounts.enter(ask(BOB)))
        self.assertIn("cloud:9 is no store", events[0]["why"])
        self.successResultOf(accounts.stop())  # there is nothing to close

    def test_callerFails(self) -> None:
        """
        Whoever is told of an answer and fails does not stop the counting.
        """
        accounts = self.accounts(self.LIMIT)
        self.reactor.threads.held = True
        accounts.enter(ask(BOB))
        assert accounts.quotas is not None

        def fail() -> None:
            raise ZeroDivisionError

        self.store.others(MINE, 1000)
        accounts.quotas._changed = fail
        self.reactor.threads.run()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.reactor.threads.held = False
        self.refused(accounts.enter(ask(BOB)), "quota_exceeded")
