"""
Threads in which passwords are hashed, a few of their own.

To hash a password takes a good part of a second of one core, on purpose.  In the reactor's
thread everything would stand still meanwhile; in its thread pool the look-up of names
would queue behind guesses.  So there are threads for this alone, and few may wait for
them: who comes when the queue is full is told so at once.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

__all__ = ["Busy", "Hashing", "Wasted"]

THREADS = min(4, max(2, os.cpu_count() or 2))
"""Hashes that are made at once: each may take a core, and tens of MiB."""

WAITING = 64
"""How many may wait: with four threads and a quarter of a second each, four seconds."""


class Busy(Exception):
    """
    As many wait already as may; nothing was begun.
    """


class Wasted(Exception):
    """
    Nobody wants to know any more what a thread computes at the moment.
    """


class _Job:
    """
    One call that is to be made in a thread.
    """

    __slots__ = ("arguments", "failed", "function", "result", "waiting")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments
        self.failed = False
        self.result: Any = None
        self.waiting: Deferred[Any] | None = None

    def run(self) -> None:
        """
        Make the call, in a thread.
        """
        try:
            self.result = self.function(*self.arguments)
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            self.failed = True
            self.result = error.with_traceback(None)  # whose frames have the password
        self.arguments = ()


class Hashing:
    """
    Makes calls in threads, in the order in which they were asked for.
    """

    def __init__(
        self, reactor: Any, *, threads: int = THREADS, waiting: int = WAITING, executor: Any = None
    ) -> None:
        """
        @param reactor: provides C{IReactorFromThreads}.
        @param threads: how many calls are made at once, at least 1.
        @param waiting: how many more may be waited for, from 0.
        @param executor: makes them: has C{submit} and C{shutdown} of
            L{concurrent.futures.Executor}; by default threads, which begin with the
            first call.
        """
        self._reactor = reactor
        self._executor = executor or ThreadPoolExecutor(threads, "connectproxy-hash")
        self._threads = threads
        self._most = waiting
        self._running: dict[_Job, None] = {}
        self._queue: OrderedDict[_Job, None] = OrderedDict()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many calls have not begun."""
        return len(self._queue)

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """
        Make a call in a thread.

        @return: fires with what it returns, or fails with what it raises, without the
            frames; fails at once with L{Busy}.  Cancelled, a call that waits is never
            made, and of one that has begun nobody hears any more: it fails with L{Wasted}.
        """
        if self._closed or len(self._queue) >= self._most + max(0, self._threads - len(self._running)):
            return fail(Busy())
        job = _Job(function, arguments)
        result: Deferred[Any] = Deferred(lambda result: self._drop(job, result))
        job.waiting = result
        self._queue[job] = None
        self._next()
        return result

    def close(self) -> None:
        """
        Make no more calls: those that wait are cancelled.  Does not wait for those that
        have begun, of which nobody hears any more.
        """
        self._closed = True
        for job in [*self._running, *self._queue]:
            if job.waiting is not None:
                job.waiting.cancel()
        self._executor.shutdown(wait=False)

    def _drop(self, job: _Job, result: Deferred[Any]) -> None:
        """
        Nobody wants to know any more.
        """
        job.waiting = None
        if self._queue.pop(job, self) is None:
            job.arguments = ()
        elif not self._closed:
            result.errback(Failure(Wasted()))

    def _next(self) -> None:
        """
        Begin with those that waited longest.
        """
        while self._queue and len(self._running) < self._threads:
            job, _ = self._queue.popitem(last=False)
            self._running[job] = None
            self._executor.submit(self._work, job)

    def _work(self, job: _Job) -> None:
        """
        Make a call, in a thread.
        """
        job.run()
        self._reactor.callFromThread(self._done, job)

    def _done(self, job: _Job) -> None:
        """
        A call has been made.
        """
        del self._running[job]
        if not self._closed:
            self._next()
        waiting, job.waiting = job.waiting, None
        if waiting is None:
            return
        if job.failed:
            waiting.errback(Failure(job.result))
        else:
            waiting.callback(job.result)
