"""
Notices files that have changed: the configuration, lists, users, keys, certificates.

Looks every few seconds what the files look like, and says so when they look otherwise
than those that are in force: not at once, but when they have looked the same twice, since
whoever changes several does so one after the other.  Knows nothing of what is in them.
All that touches files is done in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["INTERVAL", "RETRY", "FileWatch", "Stamps", "stamps"]

INTERVAL = 2.5
"""Seconds between two looks: a change is in force after two to three of them."""

RETRY = 60.0
"""
Seconds after which what could not be used is tried again, though it looks the same: the
reason may lie in a file that is not known yet, since what names it could not be used.
"""

Stamps = Mapping[str, tuple[int, ...]]
"""What files look like, by their names."""


def stamps(files: Iterable[str]) -> Stamps:
    """
    What shows that a file has changed: times of modification and of change (a mode, an
    owner, a renaming) in nanoseconds, size, inode.  Blocks.

    @return: nothing but the name where there is no such file.
    """
    seen: dict[str, tuple[int, ...]] = {}
    for name in files:
        try:
            found = os.stat(name)
        except (OSError, ValueError):
            seen[name] = ()
        else:
            seen[name] = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_dev, found.st_ino)
    return seen


class FileWatch:
    """
    Looks at files.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        changed: Callable[[], Any],
        interval: float = INTERVAL,
        inThread: Callable[[Callable[[], Stamps]], Deferred[Stamps]] | None = None,
    ) -> None:
        """
        @param reactor: tells the time, and has a pool of threads.
        @param changed: is called when files have changed; what it does ends with a call of
            L{used} or L{failed}.
        @param interval: seconds between two looks, more than 0.
        @param inThread: calls a function where it may block; by default in the reactor's
            pool of threads.
        """
        self._reactor = reactor
        self._changed = changed
        self._interval = interval
        self._inThread = inThread or self._inPool
        self._next: Any = None
        self._running = False
        self._used: Stamps = {}
        self._failed: Stamps | None = None
        self._failedAt = 0.0
        self._before: Stamps | None = None

    def _inPool(self, function: Callable[[], Stamps]) -> Deferred[Stamps]:
        """
        Call a function in the reactor's pool of threads.
        """
        called: Deferred[Stamps] = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function)
        return called

    def start(self) -> None:
        """
        Begin to look, if that has not been done.
        """
        if not self._running:
            self._running = True
            self._schedule()

    def stop(self) -> None:
        """
        Look no more.  What a thread sees by now is of no consequence.
        """
        self._running = False
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def used(self, seen: Stamps) -> None:
        """
        Files are in force that looked like this before they were read.
        """
        self._used = seen
        self._failed = self._before = None

    def failed(self, seen: Stamps) -> None:
        """
        Files that looked like this can't be used; those from before stay in force.
        """
        self._failed = seen
        self._failedAt = self._reactor.seconds()
        self._before = None

    def _schedule(self) -> None:
        """
        Look again later.
        """
        self._next = self._reactor.callLater(self._interval, self._look)

    def _look(self) -> None:
        """
        Look now.
        """
        self._next = None
        files = {**self._used, **(self._failed or {})}
        looking = self._inThread(lambda: stamps(files)).addCallback(self._seen)
        looking.addErrback(self._broken).addBoth(self._looked)

    def _seen(self, seen: Stamps) -> None:
        """
        Compare.
        """
        if not self._running:
            return
        before, self._before = self._before, seen
        if all(seen.get(name) == stamp for name, stamp in self._used.items()):
            self._failed = None
            return
        if seen == self._failed and self._reactor.seconds() - self._failedAt < RETRY:
            return
        if seen == before:
            self._before = None
            self._changed()

    def _broken(self, failure: Failure) -> None:
        """
        A mistake of ours must not end the watch.
        """
        self._log.failure("looking for changed files failed", failure)

    def _looked(self, _: object) -> None:
        """
        Go on.
        """
        if self._running:
            self._schedule()
