"""
Octets by period, from the tallies to the store and back.

What is counted here is gathered and written about once a second, all of it at once, in a
thread of its own; the answer says what all proxies have counted together.

A store that does not answer is away, which is logged, and is asked again after a second,
then after two, four and so on.  What has been counted meanwhile is kept for it, of a
bounded number of entries.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from secrets import token_hex
from time import time
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from connectproxy.limits.limit import Limit
from connectproxy.limits.period import periodAt
from connectproxy.limits.store import Batch, Entry, IStore, StoreError, openStore, placeOf
from connectproxy.limits.tally import Tally
from connectproxy.wheel import Wheel

__all__ = ["Quotas"]

ANSWER = 3.0
"""Seconds that a request waits for the store."""

GOODBYE = 3.0
"""Seconds that the store has for the last of all, when the proxy stops."""

AGAIN = (1.0, 30.0)
"""Seconds until a store that is away is asked again: at first, and at most."""

CHUNK = 5000
"""Entries that are written at once: so many take a store some hundredths of a second."""

MOST = 100_000
"""Entries that are kept for a store that is away."""


class _Question:
    """
    A request that waits for counts.

    @ivar slot: the wheel's.
    """

    def __init__(self, quotas: Quotas, entries: tuple[Entry, ...]) -> None:
        self.slot = 0
        self.entries = entries
        self.answer: Deferred[bool] = Deferred(lambda answer: quotas._answer(self, False))
        self._quotas = quotas

    def expired(self, now: float) -> None:
        """
        @see: L{connectproxy.wheel.Timed.expired}
        """
        self._quotas._slow()


class Quotas:
    """
    The tallies, and what is written of them.

    @ivar away: the store does not answer.
    @ivar open: whether tunnels are opened all the same, then.
    @ivar seconds: tells the time of the proxy's clock.
    @ivar wallTime: tells the seconds since the epoch.
    @ivar moment: them, when it was last looked: what is charged in one go belongs to one
        moment, and to look each time would cost as much as all the rest.
    """

    _log = Logger()

    def __init__(
        self,
        wheel: Wheel,
        reactor: Any,
        where: str,
        whenAway: str,
        changed: Callable[[], None],
        *,
        opener: Callable[[str], IStore] = openStore,
        threads: Any = None,
        wallTime: Callable[[], float] = time,
        most: int = MOST,
    ) -> None:
        """
        @param where: the store; see L{openStore}.
        @param whenAway: C{"open"} or C{"closed"}.
        @param changed: is called when the store has said that a quota is used up.
        @param opener: makes the store, where it may block.
        @param threads: a pool of one thread; by default one is made when it is needed.
        @param wallTime: seconds since the epoch.
        @param most: entries that are kept for a store that is away.
        """
        self._wheel = wheel
        self._reactor = reactor
        self.seconds: Callable[[], float] = reactor.seconds
        self._where = where
        self._opener = opener
        self._threads = threads
        self._ownThreads = threads is None
        self.wallTime = wallTime
        self.moment = wallTime()
        self._changed = changed
        self._most = most
        self._store: IStore | None = None  # the thread's
        self._origin = token_hex(8)
        self._number = 0
        self._tallies: dict[Entry, Tally] = {}
        self._pending: dict[Entry, int] = {}
        self._batch: Batch | None = None
        self._waiting: dict[_Question, None] = {}
        self._working = False
        self._lost = False
        self._pause = AGAIN[0]
        self._retry = 0.0
        self._ending: Callable[[], None] | None = None
        self.away = False
        self.open = whenAway == "open"

    def look(self) -> None:
        """
        Look at the clock, before something is charged.
        """
        self.moment = self.wallTime()

    @property
    def busy(self) -> bool:
        """
        Whether L{turn} has something to do, now or later.
        """
        return self._working or self.away or bool(self._pending or self._batch)

    def tally(self, limit: Limit, key: str) -> Tally:
        """
        The tally of those who share a key.
        """
        tally = Tally(self, f"cp:quota:{quote(limit.name, safe='')}:{key}", limit)
        self.roll(tally)
        return tally

    def roll(self, tally: Tally) -> None:
        """
        Begin the period that is.
        """
        self.forget(tally)
        period = periodAt(tally.period, self.moment)
        tally.entry = entry = Entry(f"{tally.name}:{period.label}", period.end)
        known = self._tallies.get(entry)
        tally.total, tally.read = (known.total, known.read) if known is not None else (0, None)
        tally.local = self._unwritten(entry)
        self._tallies[entry] = tally

    def _unwritten(self, entry: Entry) -> int:
        """
        What has been counted and is not, as far as is known, in the store.
        """
        held = self._batch.octets.get(entry, 0) if self._batch is not None else 0
        return self._pending.get(entry, 0) + held

    def forget(self, tally: Tally) -> None:
        """
        A tally is not used any more.
        """
        if self._tallies.get(tally.entry) is tally:
            del self._tallies[tally.entry]

    def charge(self, entry: Entry, octets: int) -> None:
        """
        Have octets written.
        """
        pending = self._pending
        if entry in pending:
            pending[entry] += octets
        elif len(pending) < self._most:
            pending[entry] = octets
        elif not self._lost:
            self._lost = True
            self._log.error(
                "what more than {most} users or addresses have used of their quotas waits for the store ({where});"
                " of others it is lost",
                most=self._most,
                where=placeOf(self._where),
            )

    def ask(self, tallies: Iterable[Tally]) -> Deferred[bool]:
        """
        Have tallies read from the store.

        @return: a Deferred of whether it was asked to the end; what came of it is in the
            tallies.  It does not fail; cancelled, it fires with C{False}.
        """
        question = _Question(self, tuple(tally.entry for tally in tallies))
        self._waiting[question] = None
        self._wheel.add(question, ANSWER)
        if not self._working:
            self._work(None)
        return question.answer

    def _answer(self, question: _Question, asked: bool = True) -> None:
        """
        A request waits no longer.
        """
        if question in self._waiting:
            del self._waiting[question]
            self._wheel.remove(question)
            question.answer.callback(asked)

    def turn(self) -> None:
        """
        Write what there is to write, if it is not being done.  Called about once a second.
        """
        idle = not (self.away or self._pending or self._batch)
        if not self._working and not idle and (not self.away or self.seconds() >= self._retry):
            self._work(self._next())

    def _next(self) -> Batch | None:
        """
        The batch that had no answer, or a new one of what is pending.
        """
        if self._batch is None and self._pending:
            self._number += 1
            rest, self._pending = self._pending, {}
            octets = dict(islice(rest.items(), CHUNK))
            if len(rest) > CHUNK:
                self._pending = {entry: rest[entry] for entry in rest if entry not in octets}
            self._batch = Batch(self._origin, self._number, octets)
            self._lost = False
        return self._batch

    def _work(self, batch: Batch | None) -> None:
        """
        Have the thread write a batch and read what is asked for.
        """
        if self._threads is None:
            self._threads = ThreadPool(0, 1, "quotas")
            # It may hang in the system when the process is to end.
            self._threads.threadFactory = partial(threading.Thread, daemon=True)
            self._threads.start()
        questions = tuple(self._waiting)
        entries = {entry: None for question in questions for entry in question.entries}
        self._working = True
        working = deferToThreadPool(self._reactor, self._threads, self._blocking, batch, tuple(entries))
        working.addCallbacks(self._succeeded, self._failed, callbackArgs=(batch, questions))
        working.addErrback(self._broken)

    def _blocking(self, batch: Batch | None, entries: tuple[Entry, ...]) -> dict[Entry, int]:
        """
        What the thread does.
        """
        store = self._store
        if store is None:
            store = self._store = self._opener(self._where)
        totals = store.add(batch) if batch is not None else {}
        return totals | store.get(entries) if entries or batch is None else totals

    def _succeeded(
        self, totals: dict[Entry, int], batch: Batch | None, questions: tuple[_Question, ...]
    ) -> None:
        """
        The store has answered.
        """
        self._working = False
        if batch is not None:
            self._batch = None
        now, over = self.seconds(), False
        for entry, total in totals.items():
            tally = self._tallies.get(entry)
            if tally is not None:
                tally.total, tally.read = total, now
                tally.local = self._unwritten(entry)
                over = over or tally.over
        self._pause = AGAIN[0]
        if self.away:
            self.away = False
            self._log.info("the store of quotas ({where}) answers again", where=placeOf(self._where))
        for question in questions:
            self._answer(question)
        if over:
            self._changed()
        self._goOn()

    def _goOn(self) -> None:
        """
        Do what can't wait for the next turn.
        """
        if self._working:
            return
        if self._ending is not None:
            self._ending()
        elif not self.away and (self._waiting or len(self._pending) > CHUNK):
            self._work(self._next() if len(self._pending) > CHUNK else None)

    def _failed(self, failure: Failure) -> None:
        """
        The store has not answered, or what we did with it was wrong.
        """
        self._working = False
        if failure.check(StoreError):
            self._goAway(str(failure.value))
        else:
            self._log.failure("the store of quotas ({where}) failed", failure, where=placeOf(self._where))
            self._goAway("there is a bug in the proxy")
        self._retry = self.seconds() + self._pause
        self._pause = min(2 * self._pause, AGAIN[1])
        self._goOn()

    def _broken(self, failure: Failure) -> None:
        """
        Somebody who was told of an answer has failed.
        """
        self._log.failure("an answer of the store of quotas was lost", failure)

    def _slow(self) -> None:
        """
        The store takes too long.
        """
        self._goAway(f"no answer within {ANSWER:g} seconds")

    def _goAway(self, why: str) -> None:
        """
        The store is away: nobody waits for it.
        """
        if not self.away:
            self.away = True
            self._log.error(
                "the store of quotas ({where}) does not answer: {why}; {meanwhile}",
                where=placeOf(self._where),
                why=why,
                meanwhile="quotas are counted here meanwhile"
                if self.open
                else "no tunnels with a quota are opened meanwhile (limits.when_away)",
            )
        for question in tuple(self._waiting):
            self._answer(question)

    def stop(self) -> Deferred[None]:
        """
        Write what there is to write, if the store answers, and close it.

        @return: a Deferred that fires when that is done, or has taken too long.  It does
            not fail, and is not to be cancelled.
        """
        for question in tuple(self._waiting):
            self._answer(question, False)
        done: Deferred[None] = Deferred()
        if self._threads is None and not self._pending:
            done.callback(None)
            return done
        patience = self._reactor.callLater(GOODBYE, done.callback, None)

        def closed(ignored: object) -> None:
            if self._ownThreads:
                self._threads.stop()  # the thread has nothing to do, so this does not wait
            if patience.active():
                patience.cancel()
                done.callback(None)

        def end() -> None:
            batch = None if self.away else self._next()
            if batch is not None:
                self._work(batch)
            else:
                self._ending = None
                deferToThreadPool(self._reactor, self._threads, self._close).addBoth(closed)

        self._ending = end
        self._goOn()
        return done

    def _close(self) -> None:
        """
        Close the store, in the thread.
        """
        store, self._store = self._store, None
        if store is not None:
            store.close()
