"""
Who has how much open, opens how many in a second, and has used how many octets: what the
C{[[limit]]} tables allow, and what counts against them.

A request is held to every table that holds for it.  Which those are, and with whom it
shares each count, depends on who asks and from where alone, and is remembered for those
who have asked last.  Whoever is let in has a L{Pass} until it is over; of these the counts
are made anew when the tables change, so that they are right whenever tables come, go and
come back.

The octets of all tunnels with a quota are looked at once a second, by one deadline on the
wheel for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from time import time
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from connectproxy.errors import Refusal
from connectproxy.interfaces import TunnelRequest
from connectproxy.limits.limit import Limit, Prefixes, Row, addressOf, buildLimits
from connectproxy.limits.passes import Pass, Who
from connectproxy.limits.quotas import Quotas
from connectproxy.limits.share import MOST, Share, Table, retryAfter
from connectproxy.limits.store import IStore, openStore
from connectproxy.wheel import Wheel

__all__ = ["Accounts"]

TURN = 1.0
"""Seconds between two looks at what tunnels have moved."""

REMEMBERED = 4096
"""Clients for whom it is remembered which tables hold."""

SWEPT = 5000
"""Idle shares of a table that are looked at in a turn."""

TOLD = 1000
"""Names of tables that there are not, of which it is told that somebody is to be held to them."""

_Found = tuple[tuple[Table, str, str], ...]
"""The tables that hold, each with the key and the words of the share."""


class Accounts:
    """
    The limits that are in force, and what counts against them.

    @ivar passes: of all who are in.
    @ivar quotas: the counts of octets; L{None} as long as there has been no quota.
    @ivar slot: the wheel's.
    """

    _log = Logger()

    def __init__(
        self,
        wheel: Wheel,
        clock: Any,
        rows: Iterable[Row | Limit] = (),
        store: str = "memory",
        whenAway: str = "open",
        prefixes: tuple[int, int] = Prefixes(),
        *,
        opener: Callable[[str], IStore] = openStore,
        threads: Any = None,
        wallTime: Callable[[], float] = time,
        most: int = MOST,
    ) -> None:
        """
        @param clock: the reactor: tells the time, and takes calls from threads.
        @param rows: the tables; see L{buildLimits}, which reads the files that they name.
        @param store: what keeps the counts of quotas; see L{openStore}.
        @param whenAway: C{"open"} or C{"closed"}: whether tunnels with a quota are opened
            while the store does not answer.
        @param prefixes: what a network of clients is; see L{Prefixes}.
        @param opener: makes the store.
        @param threads: a pool of one thread for the store; by default one is made.
        @param wallTime: seconds since the epoch.
        @param most: how many of those that share a count a table tells apart.
        @raise ConfigurationError: as L{buildLimits}.
        """
        self._wheel = wheel
        self._clock = clock
        self._more: dict[str, Any] = {"opener": opener, "threads": threads, "wallTime": wallTime}
        self._most = most
        self.slot = 0
        self.passes: set[Pass] = set()
        self.quotas: Quotas | None = None
        self._watched: set[Pass] = set()
        self._rows: tuple[Limit, ...] = ()
        self._tables: tuple[Table, ...] = ()
        self._store = store
        self._prefixes = Prefixes()
        self._unknown: set[str] = set()
        self._stopped = False
        self._find = lru_cache(REMEMBERED)(self._search)
        self.configure(rows, store, whenAway, prefixes)

    def configure(
        self, rows: Iterable[Row | Limit], store: str, whenAway: str, prefixes: tuple[int, int] = Prefixes()
    ) -> None:
        """
        Put other tables in force.  What is open is counted as if they had always been;
        those that keep their name keep what they know of the pace of their clients, and
        the buckets that tunnels take from have their new rates.

        @param rows: as for the constructor, as is all the rest.
        @raise ConfigurationError: as L{buildLimits}; nothing has changed then.
        """
        limits, wanted = buildLimits(rows), Prefixes(*prefixes)
        if self.quotas is not None:
            self.quotas.open = whenAway == "open"
        if (limits, store, wanted) == (self._rows, self._store, self._prefixes):
            return
        self.look()
        for each in self.passes:
            each.charge()
        if self.quotas is not None and store != self._store:
            self.quotas.stop()
            self.quotas = None
        if self.quotas is None and any(limit.quota for limit in limits):
            self.quotas = Quotas(self._wheel, self._clock, store, whenAway, self._enforce, **self._more)
        self._store = store
        self._replace(limits, wanted)

    def _replace(self, limits: tuple[Limit, ...], prefixes: Prefixes) -> None:
        """
        Have tables for other limits, and count all passes in them.
        """
        known: dict[str, dict[str, Share]] = {}
        for each in self.passes:
            for share in each.shaped:
                known.setdefault(share.table.limit.name, {})[share.key] = share
        before = {table.limit.name: table for table in self._tables}
        for name, table in before.items():
            known[name] = known.get(name, {}) | table.shares
        same = prefixes == self._prefixes
        tables: list[Table] = []
        for limit in limits:
            former = before.get(limit.name)
            if former is None or not (same and former.limit == limit and former.quotas is self.quotas):
                former = Table(limit, self._clock, self.quotas, self._most, known.get(limit.name))
            tables.append(former)
        self._rows, self._tables, self._prefixes = limits, tuple(tables), prefixes
        self._find = lru_cache(REMEMBERED)(self._search)
        for each in self.passes:
            for share in each.shares:
                share.open = 0
        for each in self.passes:
            found = self._find(each.who)
            each.shares = tuple(table.restore(key, words) for table, key, words in found)
            each.metered = any(share.tally is not None for share in each.shares)
        for table in tables:
            table.restored()
        for table in before.values():
            if table not in tables:
                table.drop()
        self._watched = {each for each in self.passes if each.watched}
        if limits:
            self._wake()

    def _search(self, who: Who) -> _Found:
        """
        Find the tables that hold for somebody.
        """
        identity, host = who
        ip = addressOf(host)
        if identity is not None:
            self._tell(identity.limits)
        return tuple(
            (table, *table.limit.key(identity, ip, self._prefixes))
            for table in self._tables
            if table.limit.holds(identity, ip)
        )

    def _tell(self, names: Iterable[str]) -> None:
        """
        Log, once for each, that there are no tables of some names.
        """
        for name in names:
            if name not in self._unknown and all(limit.name != name for limit in self._rows):
                if len(self._unknown) < TOLD:
                    self._unknown.add(name)
                    self._log.warn("a user is to be held to limit {name!a}, and there is none", name=name)

    def enter(self, request: TunnelRequest) -> Pass | Refusal | Deferred[Pass | Refusal]:
        """
        Count a request, if the limits let it in.

        @return: what it has until it is over; or why it is not let in, and nothing is
            counted; or, where the store has to be asked how much of a quota is used, a
            Deferred of either, which does not fail.  Cancelled, it fires with a refusal.
        """
        who = (request.identity, getattr(request.client, "host", None))
        entered = Pass(self, who)
        found = self._find(who)
        if found:
            refusal = self._take(entered, found)
            if refusal is not None:
                return refusal
            if entered.metered:
                return self._meter(entered)
        self.passes.add(entered)
        return entered

    def _take(self, entered: Pass, found: _Found) -> Refusal | None:
        """
        Count one more in every share.

        @return: why not; then nothing is counted.
        """
        shares: list[Share] = []
        for table, key, words in found:
            share = table.shares.get(key) or table.share(key, words)
            refusal = table.take(share)
            if refusal is not None:
                for each in shares:
                    each.table.giveBack(each)
                self._wake()
                return refusal
            shares.append(share)
            if share.tally is not None:
                entered.metered = True
            if table.limit.rate and share.pair is not None:
                entered.shaped += (share,)
                entered.shapers += (share.pair,)
        entered.shares = tuple(shares)
        return None

    def _meter(self, entered: Pass) -> Pass | Refusal | Deferred[Pass | Refusal]:
        """
        See whether there is something left of every quota.
        """
        self.passes.add(entered)
        tallies = [share.tally for share in entered.shares if share.tally is not None and share.tally.due()]
        quotas = self.quotas
        if not tallies or quotas is None:
            return self._judge(True, entered)
        return quotas.ask(tallies).addCallback(self._judge, entered)

    def _judge(self, asked: bool, entered: Pass) -> Pass | Refusal:
        """
        Decide by what is known of the quotas.

        @param asked: the store has been asked, as far as needed.
        """
        refusal = self._short(entered) if asked else None
        if asked and refusal is None:
            return entered
        self.passes.discard(entered)
        for share in entered.shares:
            share.table.giveBack(share)
        self._wake()
        return refusal or Refusal("quota_unavailable", "nobody waits for the answer any more")

    def _short(self, entered: Pass) -> Refusal | None:
        """
        Why a quota does not let somebody in.
        """
        for share in entered.shares:
            tally, label = share.tally, share.table.label
            if tally is None:
                continue
            if tally.over:
                limit = share.table.limit
                detail = f"{label}: {limit.quota} octets per {limit.period} {share.words}"
                return Refusal("quota_exceeded", detail, label, fields=retryAfter(tally.left()))
            if tally.unsure:
                return Refusal("quota_unavailable", f"{label}: the store of quotas does not answer", label)
        return None

    def watch(self, entered: Pass) -> None:
        """
        Look at what a pass is for, if there is a quota.
        """
        if entered.metered and entered in self.passes:
            self._watched.add(entered)
            self._wake()

    def look(self) -> None:
        """
        Look at the clock, before something is charged.
        """
        if self.quotas is not None:
            self.quotas.look()

    def left(self, gone: Pass) -> None:
        """
        Count a pass no more.
        """
        self._watched.discard(gone)
        for share in gone.shares:
            share.table.leave(share)
        gone.shares = ()
        self._wake()

    def _wake(self) -> None:
        """
        Have the next turn come.
        """
        if not self.slot and not self._stopped:
            self._wheel.add(self, TURN)

    def expired(self, now: float) -> float | None:
        """
        Charge what has been moved, have it written, and forget who is idle.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        quotas = self.quotas
        if quotas is not None:
            self._enforce()
            quotas.turn()
        more = [table.sweep(SWEPT) for table in self._tables]
        if any(more) or self._watched or (quotas is not None and quotas.busy):
            return TURN
        return None

    def _charge(self) -> None:
        """
        Charge what all have moved that have a quota.
        """
        self.look()
        for each in self._watched:
            each.charge()

    def _enforce(self) -> None:
        """
        Charge what all have moved, and end those that have no quota left.
        """
        self._charge()
        for each in [each for each in self._watched if each.over]:
            try:
                each.cut()
            except Exception:  # noqa: BLE001 - one tunnel's bug is not the others'
                self._log.failure("a tunnel without quota could not be ended")

    def stop(self) -> Deferred[None]:
        """
        Write what has been counted, and close the store; there are no tunnels any more.

        @return: a Deferred that fires when that is done, or has taken too long, and does
            not fail.  It is not to be cancelled.
        """
        self._stopped = True
        self._wheel.remove(self)
        if self.quotas is None:
            return succeed(None)
        self._charge()
        return self.quotas.stop()
