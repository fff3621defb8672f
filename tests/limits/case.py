"""
What the tests of limits have in common: a clock, tables, requests, and a store that the
test can take away.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from connectproxy.errors import Refusal
from connectproxy.interfaces import ProxyUser, TunnelRequest
from connectproxy.limits import Accounts, Limit, Pass
from connectproxy.limits.store import Batch, Entry, IStore, MemoryStore, StoreError
from connectproxy.wheel import GRAIN, Wheel
from tests.fakes import FakeReactor, addressOf, makeRequest

BOB = ProxyUser("bob", frozenset({"ci"}))
EVE = ProxyUser("eve")

NOON = 1_700_000_000 - 1_700_000_000 % 86400 + 12 * 3600
"""When the tests begin: noon of 14 November 2023, a Tuesday, UTC."""


def ask(identity: ProxyUser | None = None, host: str | None = "192.0.2.7") -> TunnelRequest:
    """
    A request of somebody from somewhere; no host for a client at a UNIX socket.
    """
    client = UNIXAddress("/run/x") if host is None else addressOf(host, 50000)
    return makeRequest(client=client, identity=identity)


class FakeTunnel:
    """
    A tunnel of which only the counters matter.
    """

    def __init__(self, up: int = 0, down: int = 0) -> None:
        self.bytesUp = up
        self.bytesDown = down
        self.aborted: list[str] = []

    def abort(self, kind: str) -> None:
        self.aborted.append(kind)


@implementer(IStore)
class FakeStore(MemoryStore):
    """
    A store that fails as long as the test wants it to.

    @ivar away: why it fails; empty if it does not.
    @ivar loses: it does what it is told, and the answer is lost.
    @ivar calls: what was asked of it.
    """

    def __init__(self) -> None:
        MemoryStore.__init__(self, lambda: NOON)
        self.away: Any = ""
        self.loses = False
        self.calls: list[Any] = []

    def add(self, batch: Batch) -> dict[Entry, int]:
        self.calls.append(batch)
        self._fail()
        totals = MemoryStore.add(self, batch)
        if self.loses:
            raise StoreError("the answer was lost")
        return totals

    def get(self, entries: Iterable[Entry]) -> dict[Entry, int]:
        self.calls.append(tuple(entries))
        self._fail()
        return MemoryStore.get(self, entries)

    def close(self) -> None:
        self.calls.append("close")

    def _fail(self) -> None:
        if isinstance(self.away, Exception):
            raise self.away
        if self.away:
            raise StoreError(self.away)

    def count(self, name: str) -> int:
        """
        What is counted under a name.
        """
        return {entry.name: octets for entry, octets in self._counts.items()}.get(name, 0)

    def others(self, name: str, octets: int, until: int = NOON + 12 * 3600) -> None:
        """
        Another proxy has counted octets.
        """
        entry = Entry(name, until)
        self._counts[entry] = self._counts.get(entry, 0) + octets


class AccountsCase(SynchronousTestCase):
    """
    Tests with accounts on a clock.
    """

    def setUp(self) -> None:
        """
        No tables yet.
        """
        self.reactor = FakeReactor()
        self.reactor.advance(NOON)
        self.wheel = Wheel(self.reactor)
        self.store = FakeStore()
        self.opened: list[str] = []

    def opener(self, where: str) -> IStore:
        self.opened.append(where)
        return self.store

    def accounts(self, *rows: Limit, **more: Any) -> Accounts:
        """
        Accounts with tables.
        """
        more = {
            "threads": self.reactor.threads,
            "opener": self.opener,
            "wallTime": self.reactor.seconds,
        } | more
        return Accounts(self.wheel, self.reactor, rows, **more)

    def passed(self, result: object) -> Pass:
        """
        What was let in, at once or by now.
        """
        if isinstance(result, Deferred):
            result = self.successResultOf(result)
        self.assertIsInstance(result, Pass)
        assert isinstance(result, Pass)
        return result

    def refused(self, result: object, kind: str) -> Refusal:
        """
        What was refused, at once or by now.
        """
        if isinstance(result, Deferred):
            result = self.successResultOf(result)
        self.assertIsInstance(result, Refusal)
        assert isinstance(result, Refusal)
        self.assertEqual(result.kind, kind)
        return result

    def pause(self, seconds: float = 1.0) -> None:
        """
        Let time pass, and the wheel be as late as it may.
        """
        steps = int((seconds + 2 * GRAIN) / GRAIN)
        self.reactor.pump([GRAIN] * steps)

    def kept(self, accounts: Accounts) -> list[list[str]]:
        """
        The keys of the shares of each table.
        """
        return [sorted(table.shares) for table in accounts._tables]


def row(**options: Any) -> Any:
    """
    A table of the configuration, as it is written.
    """
    defaults = {
        "name": "ci", "users": (), "groups": (), "clients": (), "per": "user", "tunnels": 0,
        "tunnels_per_second": 0, "burst": 0, "bytes_per_second": 0, "quota": 0, "period": "day",
    }  # fmt: skip
    return SimpleNamespace(options=defaults | options, where="proxy.toml:1 [[limit]]")


DAY = "2023-11-14"
MINE = f"cp:quota:ci:user:bob:{DAY}"
"""Under what the store counts bob's octets."""


class QuotasCase(AccountsCase):
    """
    A thousand octets a day for each user.
    """

    LIMIT = Limit("ci", quota=1000)

    def up(self, accounts: Accounts, up: int = 0, down: int = 0) -> Any:
        """
        Let bob in with a tunnel.

        @return: the pass and the tunnel.
        """
        entered, tunnel = self.passed(accounts.enter(ask(BOB))), FakeTunnel(up, down)
        entered.watch(tunnel)
        return entered, tunnel
