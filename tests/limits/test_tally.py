"""
Tests for L{connectproxy.limits.tally}: quotas, and what becomes of those who have used them up.
"""

from __future__ import annotations

from connectproxy.errors import Refusal
from connectproxy.limits import Limit
from tests.limits.case import BOB, EVE, MINE, NOON, FakeTunnel, QuotasCase, ask


class PeriodTests(QuotasCase):
    """
    One period after the other.
    """

    def test_nextPeriod(self) -> None:
        """
        A new period begins at 0, for tunnels that are up as well.
        """
        accounts = self.accounts(self.LIMIT)
        entered, tunnel = self.up(accounts, 900)
        self.pause()
        self.reactor.rightNow = NOON + 12 * 3600 + 1.0
        tunnel.bytesUp += 300
        self.pause()
        self.assertEqual(tunnel.aborted, [])
        self.assertEqual(self.store.count("cp:quota:ci:user:bob:2023-11-15"), 300)
        self.up(accounts)
        entered.leave(1200, 0)

    def test_nextPeriodAsked(self) -> None:
        """
        Who comes in a new period is held to that one, which the store is asked about.
        """
        accounts = self.accounts(self.LIMIT)
        self.up(accounts, 1000)
        self.pause()
        self.refused(accounts.enter(ask(BOB)), "quota_exceeded")
        self.reactor.rightNow = NOON + 12 * 3600 + 1.0
        self.store.others("cp:quota:ci:user:bob:2023-11-15", 5, NOON + 36 * 3600)
        self.passed(accounts.enter(ask(BOB)))
        self.assertEqual(accounts._tables[0].shares["user:bob"].tally.total, 5)  # type: ignore[union-attr]


class ExceededTests(QuotasCase):
    """
    Quotas that are used up.
    """

    def test_refused(self) -> None:
        """
        Nobody is let in until the period ends, which the refusal says.
        """
        accounts = self.accounts(self.LIMIT)
        self.passed(accounts.enter(ask(BOB))).leave(600, 400)
        refusal = self.refused(accounts.enter(ask(BOB)), "quota_exceeded")
        self.assertEqual(
            refusal,
            Refusal(
                "quota_exceeded",
                "limit ci: 1000 octets per day for user bob",
                "limit ci",
                fields=(("Retry-After", str(12 * 3600)),),
            ),
        )
        self.assertEqual(accounts.passes, set())
        self.passed(accounts.enter(ask(EVE)))

    def test_givenBack(self) -> None:
        """
        Who is refused by a quota counts for no other limit.
        """
        accounts = self.accounts(Limit("n", tunnels=1, pace=1, burst=1), self.LIMIT)
        self.store.others(MINE, 1000)
        for _ in range(3):
            self.refused(accounts.enter(ask(BOB)), "quota_exceeded")
        self.assertEqual(accounts._tables[0].shares["user:bob"].open, 0)

    def test_ended(self) -> None:
        """
        What is up is ended at the next look, each by its own C{abort} where one is given;
        others go on.
        """
        accounts = self.accounts(self.LIMIT)
        entered, tunnel = self.up(accounts, 999)
        flow, ended = FakeTunnel(), list[str]()
        self.passed(accounts.enter(ask(BOB))).watch(flow, ended.append)
        other = FakeTunnel(500)
        self.passed(accounts.enter(ask(EVE))).watch(other)
        self.pause()
        self.assertEqual((tunnel.aborted, ended), ([], []))
        tunnel.bytesDown += 1
        self.pause()
        self.assertEqual((tunnel.aborted, ended), (["quota_exceeded"], ["quota_exceeded"]))
        self.assertEqual((flow.aborted, other.aborted), ([], []))
        entered.leave(999, 1)

    def test_endedInTurn(self) -> None:
        """
        One that leaves while it is being ended, and one whose end fails, keep no other
        from its end, and what is charged goes on.
        """
        accounts = self.accounts(self.LIMIT)
        entered, tunnel = self.up(accounts, 2000)
        tunnel.abort = lambda kind: entered.leave(2000, 0)
        _, broken = self.up(accounts)

        def fail(kind: str) -> None:
            raise ZeroDivisionError

        broken.abort = fail
        _, last = self.up(accounts)
        self.pause()
        self.assertEqual(last.aborted, ["quota_exceeded"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        last.bytesUp += 5
        self.pause()
        self.assertEqual(self.store.count(MINE), 2005)

    def test_byOthers(self) -> None:
        """
        What other proxies have used counts: who moves anything is ended as soon as the
        store says so, and nobody is let in.
        """
        accounts = self.accounts(self.LIMIT)
        _, tunnel = self.up(accounts)
        self.store.others(MINE, 995)
        tunnel.bytesUp = 5
        self.pause()
        self.assertEqual(tunnel.aborted, ["quota_exceeded"])
        self.refused(accounts.enter(ask(BOB)), "quota_exceeded")

    def test_raised(self) -> None:
        """
        When the store says that less is used, as after somebody has reset it, it is
        believed, no later than some seconds after it said otherwise.
        """
        accounts = self.accounts(self.LIMIT)
        self.store.others(MINE, 1000)
        self.refused(accounts.enter(ask(BOB)), "quota_exceeded")
        self.store.others(MINE, -900)
        self.refused(accounts.enter(ask(BOB)), "quota_exceeded")
        self.reactor.advance(11)
        self.passed(accounts.enter(ask(BOB)))
