"""
Tests for L{connectproxy.limits.accounts}: who is let in.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from connectproxy.errors import Refusal
from connectproxy.interfaces import ProxyUser
from connectproxy.limits import Limit
from connectproxy.limits import accounts as accountsModule
from connectproxy.limits.share import SOON
from tests.limits.case import BOB, EVE, AccountsCase, ask


class TunnelsTests(AccountsCase):
    """
    How many at once.
    """

    def test_nothingHolds(self) -> None:
        """
        Without a table, or with none that holds, everybody is let in, and nothing is left
        afterwards.
        """
        for rows in ((), (Limit("x", users=frozenset({"eve"}), tunnels=1),)):
            accounts = self.accounts(*rows)
            passes = [self.passed(accounts.enter(ask(BOB))) for _ in range(3)]
            for each in passes:
                self.assertEqual(each.shapers, ())
                each.leave(1, 2)
            self.assertEqual((accounts.passes, self.kept(accounts)), (set(), [[]] * len(rows)))
        self.pause()
        self.assertEqual(len(self.wheel), 0)

    def test_tunnels(self) -> None:
        """
        As many as are allowed, and one more when one has left; others have their own;
        conformance 43.
        """
        accounts = self.accounts(Limit("ci", tunnels=2))
        first, _ = (self.passed(accounts.enter(ask(BOB))) for _ in range(2))
        refusal = self.refused(accounts.enter(ask(BOB)), "client_limit_reached")
        self.assertEqual(
            refusal,
            Refusal(
                "client_limit_reached", "limit ci: 2 tunnels at once for user bob", "limit ci", fields=SOON
            ),
        )
        self.passed(accounts.enter(ask(EVE)))
        self.passed(accounts.enter(ask()))
        first.leave()
        first.leave()  # it does not count twice
        self.passed(accounts.enter(ask(BOB)))
        self.refused(accounts.enter(ask(BOB)), "client_limit_reached")

    def test_per(self) -> None:
        """
        A count is shared by those whom the table says.
        """
        for per, hosts, expected in (
            ("client", ("192.0.2.1", "192.0.2.2", "192.0.2.1"), [True, True, False]),
            ("network", ("192.0.2.1", "192.0.3.1", "192.0.2.2"), [True, True, False]),
            ("network", ("2001:db8::1", "2001:db8:0:1::1", "2001:db8::2"), [True, True, False]),
            ("all", ("192.0.2.1", "2001:db8::1", None), [True, False, False]),
            ("user", (None, "192.0.2.1", None), [True, True, False]),
        ):
            accounts = self.accounts(Limit("x", per=per, tunnels=1))
            found = [not isinstance(accounts.enter(ask(host=host)), Refusal) for host in hosts]
            self.assertEqual(found, expected, per)

    def test_every(self) -> None:
        """
        Every table that holds has to let it in; one that does not takes back what the
        others have counted.
        """
        accounts = self.accounts(
            Limit("each", tunnels=5, pace=1, burst=2), Limit("all", per="all", tunnels=1)
        )
        first = self.passed(accounts.enter(ask(BOB)))
        refusal = self.refused(accounts.enter(ask(EVE)), "client_limit_reached")
        self.assertEqual((refusal.rule, refusal.detail), ("limit all", "limit all: 1 tunnels at once in all"))
        each = accounts._tables[0]
        self.assertEqual(each.shares["user:eve"].open, 0)
        self.assertTrue(each.shares["user:eve"].pace.full)  # type: ignore[union-attr]
        first.leave()
        self.pause(3)
        self.assertEqual(self.kept(accounts), [[], []])

    def test_named(self) -> None:
        """
        A user is held to the tables that its identity names; of those that there are
        none of it is told once.
        """
        accounts = self.accounts(Limit("slow", users=frozenset({"x"}), tunnels=1))
        bob = ProxyUser("bob", limits=("slow", "gone"))
        with capturedLogs() as events:
            self.passed(accounts.enter(ask(bob)))
            self.refused(accounts.enter(ask(bob)), "client_limit_reached")
            self.passed(accounts.enter(ask(bob._replace(name="eve"), host="192.0.2.99")))
        self.assertEqual([event["name"] for event in events], ["gone"])

    def test_manyNames(self) -> None:
        """
        Of very many names that there are none of it is not told for ever.
        """
        self.patch(accountsModule, "TOLD", 2)
        accounts = self.accounts(Limit("slow"))
        with capturedLogs() as events:
            self.passed(accounts.enter(ask(ProxyUser("bob", limits=("a", "b", "c")))))
        self.assertEqual([event["name"] for event in events], ["a", "b"])


class ShapersTests(AccountsCase):
    """
    The buckets that relays take from.
    """

    def test_shapers(self) -> None:
        """
        One pair of each table that shapes: those of the same user are the same, those of
        another are others.
        """
        accounts = self.accounts(
            Limit("a", rate=1000), Limit("b", tunnels=9), Limit("c", per="all", rate=5000)
        )
        bob, bob2, eve = (self.passed(accounts.enter(ask(who))).shapers for who in (BOB, BOB, EVE))
        self.assertEqual([[bucket.rate for bucket in pair] for pair in bob], [[1000, 1000], [5000, 5000]])
        self.assertIsNot(bob[0][0], bob[0][1])
        self.assertEqual([[bucket is other for bucket, other in zip(*both, strict=True)] for both in zip(bob, bob2, strict=True)], [[True] * 2] * 2)  # fmt: skip
        self.assertIsNot(bob[0][0], eve[0][0])
        self.assertIs(bob[1][0], eve[1][0])

    def test_kept(self) -> None:
        """
        A pair that has been emptied is kept until it is full: to close and open again
        brings nothing.
        """
        accounts = self.accounts(Limit("a", rate=1000))
        entered = self.passed(accounts.enter(ask(BOB)))
        ((up, _),) = entered.shapers
        up.charge(5000)
        entered.leave()
        self.pause(2)
        again = self.passed(accounts.enter(ask(BOB)))
        self.assertIs(again.shapers[0][0], up)
        again.leave()
        self.pause(8)
        self.assertEqual(self.kept(accounts), [[]])


class StopTests(AccountsCase):
    """
    The end of it.
    """

    def test_stop(self) -> None:
        """
        Without quotas there is nothing to wait for, and nothing is left on the wheel,
        whoever leaves afterwards.
        """
        accounts = self.accounts(Limit("x", pace=1))
        entered = self.passed(accounts.enter(ask(BOB)))
        accounts._wake()
        done = accounts.stop()
        self.assertIsInstance(done, Deferred)
        self.assertIsNone(self.successResultOf(done))
        entered.leave()
        self.assertEqual(len(self.wheel), 0)
        self.assertEqual(self.opened, [])
