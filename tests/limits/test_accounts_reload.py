"""
Tests for L{connectproxy.limits.accounts}: tables that come, go and come back.
"""

from __future__ import annotations

from typing import Any

from connectproxy.config import ConfigurationError
from connectproxy.limits import Accounts, Limit
from tests.limits.case import BOB, EVE, AccountsCase, FakeTunnel, ask, row


class ReloadCase(AccountsCase):
    """
    Other tables while tunnels are open.
    """

    def configure(self, accounts: Accounts, *rows: Any, **more: Any) -> None:
        """
        Put tables in force.
        """
        accounts.configure(rows, **({"store": "memory", "whenAway": "open"} | more))

    def counts(self, accounts: Accounts) -> list[dict[str, int]]:
        """
        What is open, by table.
        """
        return [{key: share.open for key, share in table.shares.items()} for table in accounts._tables]


class ReloadTests(ReloadCase):
    """
    Counts and buckets.
    """

    def test_comes(self) -> None:
        """
        What is open counts in a table that was not there when it was opened.
        """
        accounts = self.accounts()
        first = self.passed(accounts.enter(ask(BOB)))
        self.configure(accounts, Limit("x", tunnels=1), Limit("all", per="all", tunnels=9))
        self.assertEqual(self.counts(accounts), [{"user:bob": 1}, {"all": 1}])
        self.refused(accounts.enter(ask(BOB)), "client_limit_reached")
        first.leave()
        self.assertEqual(self.counts(accounts), [{}, {}])

    def test_goesAndComesBack(self) -> None:
        """
        What was opened before, while the table was gone, and after it all count.
        """
        limit = Limit("x", tunnels=3)
        accounts = self.accounts(limit)
        passes = [self.passed(accounts.enter(ask(BOB)))]
        self.configure(accounts)
        passes.append(self.passed(accounts.enter(ask(BOB))))
        self.configure(accounts, limit)
        passes.append(self.passed(accounts.enter(ask(BOB))))
        self.refused(accounts.enter(ask(BOB)), "client_limit_reached")
        for each in passes:
            each.leave()
        self.assertEqual(self.counts(accounts), [{}])

    def test_fewer(self) -> None:
        """
        With more open than are allowed by now nobody is let in until enough have left.
        """
        accounts = self.accounts(Limit("x", tunnels=3))
        passes = [self.passed(accounts.enter(ask(BOB))) for _ in range(3)]
        self.configure(accounts, Limit("x", tunnels=1))
        passes.pop().leave()
        passes.pop().leave()
        self.refused(accounts.enter(ask(BOB)), "client_limit_reached")
        passes.pop().leave()
        self.passed(accounts.enter(ask(BOB)))

    def test_otherwise(self) -> None:
        """
        What is open moves to another key when it is somebody else who shares the count.
        """
        accounts = self.accounts(Limit("x", tunnels=9))
        self.passed(accounts.enter(ask(BOB)))
        self.passed(accounts.enter(ask(EVE)))
        self.configure(accounts, Limit("x", per="network", tunnels=9))
        self.assertEqual(self.counts(accounts), [{"network:192.0.2.0/24": 2}])
        self.configure(accounts, Limit("x", per="network", tunnels=9), prefixes=(16, 64))
        self.assertEqual(self.counts(accounts), [{"network:192.0.0.0/16": 2}])

    def test_same(self) -> None:
        """
        With the same tables again nothing changes, buckets included.
        """
        limit = Limit("x", tunnels=9, pace=0.1, burst=1)
        accounts = self.accounts(limit)
        first = self.passed(accounts.enter(ask(BOB)))
        table = accounts._tables[0]
        self.configure(accounts, limit)
        self.assertIs(accounts._tables[0], table)
        self.assertEqual(self.counts(accounts), [{"user:bob": 1}])
        self.refused(accounts.enter(ask(BOB)), "rate_limit_reached")
        first.leave()
        self.configure(accounts, limit)
        self.refused(accounts.enter(ask(BOB)), "rate_limit_reached")

    def test_pace(self) -> None:
        """
        To change a table does not give those who were too fast a new start, be they in or
        out; those who were not are forgotten.
        """
        accounts = self.accounts(Limit("x", pace=0.1, burst=1))
        self.passed(accounts.enter(ask(BOB)))
        self.passed(accounts.enter(ask(EVE))).leave()
        self.configure(accounts, Limit("x", pace=0.2, burst=1, tunnels=5))
        for who in (BOB, EVE):
            refusal = self.refused(accounts.enter(ask(who)), "rate_limit_reached")
            self.assertEqual(refusal.fields, (("Retry-After", "5"),))
        self.pause(6)
        self.assertEqual(self.counts(accounts), [{"user:bob": 1}])
        self.configure(accounts, Limit("x", tunnels=5))
        self.passed(accounts.enter(ask(BOB)))
        self.configure(accounts, Limit("x", pace=3, burst=1))
        self.assertEqual(self.counts(accounts), [{"user:bob": 2}])

    def test_idle(self) -> None:
        """
        Who is remembered when the tables change is forgotten in time all the same.
        """
        accounts = self.accounts(Limit("x", pace=0.5, burst=1))
        self.passed(accounts.enter(ask(BOB))).leave()
        entered = self.passed(accounts.enter(ask(EVE)))
        entered.leave()
        self.configure(accounts, Limit("x", pace=0.25, burst=1))
        self.pause(6)
        self.assertEqual((self.counts(accounts), len(self.wheel)), ([{}], 0))

    def test_rates(self) -> None:
        """
        Tunnels that are up get the new rate, in the buckets that they have; a table that
        goes leaves them theirs, and finds them again when it comes back.
        """
        accounts = self.accounts(Limit("x", rate=1000))
        first = self.passed(accounts.enter(ask(BOB)))
        ((up, down),) = first.shapers
        self.configure(accounts, Limit("x", rate=5000))
        self.assertEqual((up.rate, down.rate), (5000, 5000))
        self.assertIs(self.passed(accounts.enter(ask(BOB))).shapers[0][0], up)
        self.configure(accounts, Limit("x", tunnels=5))
        self.assertEqual((up.rate, self.passed(accounts.enter(ask(BOB))).shapers), (5000, ()))
        self.configure(accounts)
        self.configure(accounts, Limit("x", rate=7000))
        self.assertIs(self.passed(accounts.enter(ask(BOB))).shapers[0][0], up)
        self.assertEqual(up.rate, 7000)

    def test_bad(self) -> None:
        """
        Tables that can't be used change nothing.
        """
        accounts = self.accounts(Limit("x", tunnels=1))
        with self.assertRaises(ConfigurationError):
            self.configure(accounts, row(users=("@/nowhere/at/all",)))
        self.passed(accounts.enter(ask(BOB)))
        self.refused(accounts.enter(ask(BOB)), "client_limit_reached")

    def test_full(self) -> None:
        """
        When there is more open than a table tells apart, the rest counts as one.
        """
        accounts = self.accounts(most=2)
        passes = [self.passed(accounts.enter(ask(host=f"192.0.2.{n}"))) for n in range(5)]
        self.configure(accounts, Limit("x", tunnels=9))
        self.assertEqual(sorted(self.counts(accounts)[0].values()), [1, 1, 3])
        for each in passes:
            each.leave()
        self.assertEqual(self.counts(accounts), [{}])


class QuotaReloadTests(ReloadCase):
    """
    Quotas that come and go while tunnels are open.
    """

    QUOTA = Limit("x", quota=1000)

    def test_quotaComes(self) -> None:
        """
        What tunnels move from then on is charged, and not what they have moved before.
        """
        accounts = self.accounts()
        tunnel = FakeTunnel(500, 0)
        entered = self.passed(accounts.enter(ask(BOB)))
        entered.watch(tunnel)
        other = Limit("y", per="all", quota=10_000)
        self.configure(accounts, other)
        tunnel.bytesUp += 30
        self.configure(accounts, other, self.QUOTA)
        tunnel.bytesDown += 100
        self.pause()
        self.assertEqual(self.store.count("cp:quota:x:user:bob:2023-11-14"), 100)
        self.assertEqual(self.store.count("cp:quota:y:all:2023-11-14"), 130)
        self.configure(accounts)
        tunnel.bytesDown += 5
        self.pause()
        entered.leave(530, 105)
        self.pause()
        self.assertEqual(self.store.count("cp:quota:x:user:bob:2023-11-14"), 100)

    def test_lowered(self) -> None:
        """
        A quota that is lowered below what is used ends what is up at the next look, and
        what is known of it needs not be asked for again.
        """
        accounts = self.accounts(self.QUOTA)
        tunnel = FakeTunnel()
        self.passed(accounts.enter(ask(BOB))).watch(tunnel)
        tunnel.bytesUp = 600
        self.pause()
        self.configure(accounts, self.QUOTA._replace(quota=500))
        self.store.calls.clear()
        self.refused(accounts.enter(ask(BOB)), "quota_exceeded")
        self.assertEqual((self.store.calls, tunnel.aborted), ([], []))
        self.pause()
        self.assertEqual(tunnel.aborted, ["quota_exceeded"])

    def test_period(self) -> None:
        """
        With another period it is another count.
        """
        accounts = self.accounts(self.QUOTA)
        entered = self.passed(accounts.enter(ask(BOB)))
        entered.watch(FakeTunnel(70))
        self.configure(accounts, self.QUOTA._replace(period="month"))
        entered.leave(100)
        self.pause()
        self.assertEqual(self.store.count("cp:quota:x:user:bob:2023-11-14"), 70)
        self.assertEqual(self.store.count("cp:quota:x:user:bob:2023-11"), 30)
        self.pause(12)
        quotas = accounts.quotas
        assert quotas is not None
        self.assertEqual(quotas._tallies, {})

    def test_tableGone(self) -> None:
        """
        Nothing is kept of a quota that is gone.
        """
        accounts = self.accounts(self.QUOTA)
        self.passed(accounts.enter(ask(BOB)))
        self.configure(accounts)
        quotas = accounts.quotas
        assert quotas is not None
        self.assertEqual(quotas._tallies, {})

    def test_store(self) -> None:
        """
        With another store what has been counted goes to the one that was, and what is
        counted from then on to the new one.
        """
        accounts = self.accounts(self.QUOTA, store="sqlite:one")
        self.passed(accounts.enter(ask(EVE)))
        entered = self.passed(accounts.enter(ask(BOB)))
        entered.watch(FakeTunnel(70))
        one = self.store
        self.store = type(one)()
        self.configure(accounts, self.QUOTA, store="sqlite:two")
        entered.leave(100)
        self.pause()
        name = "cp:quota:x:user:bob:2023-11-14"
        self.assertEqual((one.count(name), self.store.count(name)), (70, 30))
        self.assertEqual((one.calls[-1], self.opened), ("close", ["sqlite:one", "sqlite:two"]))
