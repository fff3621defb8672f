"""
Tests for L{connectproxy.limits.accounts}: whoever comes and goes, in whatever order.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import Deferred

from connectproxy.address import Networks
from connectproxy.interfaces import ProxyUser
from connectproxy.limits import Accounts, Limit, Pass
from connectproxy.limits.tally import FRESH
from connectproxy.wheel import GRAIN, Wheel
from tests.fakes import FakeReactor
from tests.limits.case import NOON, FakeStore, FakeTunnel, ask

ROWS = (
    Limit("each", tunnels=2),
    Limit("paced", per="client", tunnels=3, pace=0.5, burst=2),
    Limit("near", clients=Networks.parse("192.0.2.0/25"), per="network", tunnels=4, rate=1000),
    Limit("all", per="all", tunnels=6),
    Limit("known", users=frozenset({"*"}), quota=5000),
    Limit("hourly", per="all", quota=9000, period="hour"),
)

WHO = (None, ProxyUser("a"), ProxyUser("b", limits=("near",)))
HOSTS = ("192.0.2.1", "192.0.2.200", "2001:db8::1", None)


class Crowd(RuleBasedStateMachine):
    """
    Clients, tables that change, a store that comes and goes, and time that passes; and
    beside it what is open, counted by the test.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reactor = FakeReactor()
        self.reactor.advance(NOON)
        self.store = FakeStore()
        self.rows: tuple[Limit, ...] = ROWS
        self.accounts = Accounts(
            Wheel(self.reactor), self.reactor, ROWS, threads=self.reactor.threads,
            opener=lambda where: self.store, wallTime=self.reactor.seconds,
        )  # fmt: skip
        self.inside: list[tuple[Any, Pass, FakeTunnel]] = []
        self.waiting: list[tuple[Any, Deferred[Any]]] = []
        self.moved = 0

    def settle(self) -> None:
        """
        Take those in whose answer has come.
        """
        waiting, self.waiting = self.waiting, []
        for request, result in waiting:
            if result.called:
                result.addCallback(lambda found, request=request: self.came(request, found))
            else:
                self.waiting.append((request, result))

    def came(self, request: Any, found: Any) -> None:
        """
        Somebody has been let in, or not.
        """
        if isinstance(found, Pass):
            tunnel = FakeTunnel()
            found.watch(tunnel)
            self.inside.append((request, found, tunnel))

    @rule(who=st.sampled_from(WHO), host=st.sampled_from(HOSTS))
    def enter(self, who: Any, host: Any) -> None:
        """
        Somebody comes.
        """
        request = ask(who, host)
        found = self.accounts.enter(request)
        if isinstance(found, Deferred):
            self.waiting.append((request, found))
            self.settle()
        else:
            self.came(request, found)

    @precondition(lambda self: self.inside)
    @rule(which=st.integers(0, 99), octets=st.integers(0, 1000))
    def leave(self, which: int, octets: int) -> None:
        """
        Somebody goes.
        """
        _, entered, tunnel = self.inside.pop(which % len(self.inside))
        entered.leave(tunnel.bytesUp + octets, tunnel.bytesDown)

    @precondition(lambda self: self.inside)
    @rule(which=st.integers(0, 99), octets=st.integers(0, 1000))
    def move(self, which: int, octets: int) -> None:
        """
        A tunnel moves something.
        """
        self.inside[which % len(self.inside)][2].bytesDown += octets

    @precondition(lambda self: self.waiting)
    @rule()
    def giveUp(self) -> None:
        """
        Somebody does not wait any longer.
        """
        self.waiting.pop(0)[1].cancel()

    @rule(rows=st.sets(st.sampled_from(ROWS)), closed=st.booleans())
    def reload(self, rows: set[Limit], closed: bool) -> None:
        """
        Other tables.
        """
        self.rows = tuple(rows)
        self.accounts.configure(self.rows, "memory", "closed" if closed else "open")
        self.settle()

    @rule(seconds=st.sampled_from((0.5, 1, 2, 5)))
    def wait(self, seconds: float) -> None:
        """
        Time passes.
        """
        self.reactor.pump([GRAIN] * int(seconds / GRAIN))
        self.settle()

    @rule(away=st.booleans(), held=st.booleans())
    def trouble(self, away: bool, held: bool) -> None:
        """
        The store goes away, or hangs, or neither.
        """
        self.store.away = "away" if away else ""
        self.reactor.threads.held = held
        if not held:
            self.reactor.threads.run()
        self.settle()

    @invariant()
    def counts(self) -> None:
        """
        What is open is what is open.
        """
        expected: Counter[tuple[str, str]] = Counter()
        for request in [each[0] for each in self.inside] + [each[0] for each in self.waiting]:
            who = (request.identity, getattr(request.client, "host", None))
            for table, key, _ in self.accounts._search(who):
                expected[table.limit.name, key] += 1
        found = Counter(
            {
                (table.limit.name, key): share.open
                for table in self.accounts._tables
                for key, share in table.shares.items()
                if share.open
            }
        )
        assert found == expected, (found, expected)

    def teardown(self) -> None:
        """
        When all have gone, nothing is left, and nothing more is to be done.
        """
        self.trouble(False, False)
        while self.waiting:
            self.giveUp()
        while self.inside:
            self.leave(0, 5)
        self.reactor.pump([1.0] * 60)
        for _ in range(3):
            self.reactor.pump([1.0] * int(FRESH + 2))
        assert [table.shares for table in self.accounts._tables] == [{}] * len(self.rows)
        assert not self.accounts.passes and not self.accounts._watched
        assert self.accounts.quotas is None or not self.accounts.quotas._tallies
        assert not self.reactor.getDelayedCalls(), self.reactor.getDelayedCalls()


class Limited(Crowd):
    """
    The same with the tables as they are.
    """

    reload: Any = None  # with other tables, more may be open than are allowed

    @invariant()
    def never(self) -> None:
        """
        There are never more than are allowed.
        """
        for table in self.accounts._tables:
            for share in table.shares.values():
                assert not table.limit.tunnels or share.open <= table.limit.tunnels


CrowdTests: Any = Crowd.TestCase
CrowdTests.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
LimitedTests: Any = Limited.TestCase
LimitedTests.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
