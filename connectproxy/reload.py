"""
Reload: puts what was prepared in the place of what is in force, or tells why not.

One at a time: what is asked for while one is under way, which may have read its files
already, is done once afterwards.  The work that takes long is done in a thread, in which
Python is told to let the reactor's thread have its turn more often.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from connectproxy.prepare import Prepared, Unusable, discard

__all__ = ["Reloaded", "Reloader"]

SWITCH = 0.0005
"""
Seconds after which a thread that computes lets another one have its turn.  Whatever the
reactor's thread asks of the kernel may cost it one such wait, and the way of a CONNECT asks
several times.  While 100,000 names were read, one in a hundred took more than 21 ms with
Python's own 5 ms, and more than 8 ms with this, which is as much as without a reload.
"""


class Reloaded(NamedTuple):
    """
    What has become of a reload.

    @ivar id: of the configuration that is in force now.
    @ivar problems: why it is the one from before; empty if it is the new one.
    @ivar notes: what has changed but takes a restart.
    """

    id: str
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Reloader:
    """
    Does reloads.

    @ivar last: what has become of the last one; L{None} before there was any.
    @ivar at: when that was, in seconds since 1970.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        build: Callable[[], Prepared],
        swap: Callable[[Prepared], None],
        failed: Callable[[Unusable], None],
        current: Callable[[], str],
        wall: Callable[[], float],
    ) -> None:
        """
        @param reactor: has a pool of threads.
        @param build: reads everything; is called in a thread, and raises L{Unusable}.
        @param swap: puts it into force.
        @param failed: is told that it can't be.
        @param current: the id of the configuration in force.
        @param wall: tells the time of day, in seconds since 1970.
        """
        self._reactor = reactor
        self._build = build
        self._swap = swap
        self._failed = failed
        self._current = current
        self._wall = wall
        self._running = False
        self._stopped = False
        self._asked: list[Deferred[Reloaded]] = []
        self._pending: list[Deferred[Reloaded]] = []
        self._told: tuple[str, ...] = ()
        self.last: Reloaded | None = None
        self.at = 0.0

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self._running

    def reload(self) -> Deferred[Reloaded]:
        """
        Read everything anew, and take it up if all of it can be used.

        @return: a Deferred of what has become of it, which does not fail; cancelled, it
            just stops waiting.
        """
        self._told = ()  # whoever asks is told
        return self._ask()

    def changed(self) -> None:
        """
        Files have changed: the same, but what fails as it has before is not told again.
        """
        if not self._running:
            self._ask()

    def _ask(self) -> Deferred[Reloaded]:
        """
        Have it done.
        """
        asked: Deferred[Reloaded] = Deferred(self._forget)
        self._pending.append(asked)
        self._next()
        return asked

    def stop(self) -> None:
        """
        What is under way comes to nothing.
        """
        self._stopped = True
        self._end(Reloaded(self._current(), ("the proxy is being stopped",)))
        self._asked, self._pending = self._pending, []
        self._end(Reloaded(self._current(), ("the proxy is being stopped",)))

    def _forget(self, asked: Deferred[Reloaded]) -> None:
        """
        Somebody does not wait any more.
        """
        for each in (self._asked, self._pending):
            if asked in each:
                each.remove(asked)

    def _next(self) -> None:
        """
        Begin, if nothing is under way and somebody has asked.
        """
        if self._running or self._stopped or not self._pending:
            return
        self._running = True
        self._asked, self._pending = self._pending, []
        pool = self._reactor.getThreadPool()
        building = deferToThreadPool(self._reactor, pool, _patiently, self._build)
        building.addCallbacks(self._built, self._unusable).addErrback(self._broken).addBoth(self._done)

    def _built(self, prepared: Prepared) -> Reloaded | None:
        """
        Take it up.
        """
        if self._stopped:
            discard(prepared.regime)
            return None
        before = self._current()
        self._swap(prepared)
        now = self._current()
        self._told = ()
        self._log.info("the configuration {id} is in force; before it was {before}", id=now, before=before)
        for note in prepared.notes:
            self._log.warn("{note}", note=note)
        return Reloaded(now, notes=prepared.notes)

    def _unusable(self, failure: Failure) -> Reloaded | None:
        """
        Tell why not.
        """
        failure.trap(Unusable)
        error: Any = failure.value
        if self._stopped:
            return None
        self._failed(error)
        problems: tuple[str, ...] = error.problems
        if problems != self._told:
            self._told = problems
            for problem in problems:
                self._log.error("{problem}", problem=problem)
            self._log.error(
                "nothing is read anew: the configuration {id} from before stays in force", id=self._current()
            )
        return Reloaded(self._current(), problems)

    def _broken(self, failure: Failure) -> Reloaded:
        """
        A bug of ours.
        """
        self._log.failure("a reload failed", failure)
        return Reloaded(self._current(), ("the proxy failed; its log has more",))

    def _done(self, reloaded: Reloaded | None) -> None:
        """
        Tell whoever has asked, and go on.
        """
        self._running = False
        if reloaded is None:
            return
        self.last, self.at = reloaded, self._wall()
        self._end(reloaded)
        self._next()

    def _end(self, reloaded: Reloaded) -> None:
        """
        Tell whoever has asked.
        """
        asked, self._asked = self._asked, []
        for each in asked:
            each.callback(reloaded)


def _patiently(build: Callable[[], Prepared]) -> Prepared:
    """
    Call a function that computes for long, beside a reactor.  Blocks.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(min(interval, SWITCH))
    try:
        return build()
    finally:
        sys.setswitchinterval(interval)
