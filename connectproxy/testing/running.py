"""
A proxy for tests that have no reactor: it has one of its own, in a thread of its own.

The reactor is not Twisted's global one, which stays as it is: not made, or the test's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

from twisted.internet.defer import maybeDeferred
from twisted.python import threadable
from twisted.python.failure import Failure

from connectproxy.testing.fixture import ProxyFixture

__all__ = ["GUARD", "ReactorThread", "RunningProxy", "runningProxy"]

GUARD = 30.0
"""Seconds after which a call gives up.  No measure of anything: only a way out."""

T = TypeVar("T")


def _newReactor() -> Any:
    """
    A reactor that is nobody else's.
    """
    try:
        from twisted.internet.epollreactor import EPollReactor  # noqa: PLC0415 - it is not everywhere
    except ImportError:
        from twisted.internet.selectreactor import SelectReactor  # noqa: PLC0415

        return SelectReactor()
    return EPollReactor()


class ReactorThread:
    """
    A reactor in a thread.

    @ivar reactor: the reactor; nothing of it may be used but within L{call}.
    """

    def __init__(self) -> None:
        self.reactor = _newReactor()
        self._thread = threading.Thread(target=self._run, name="connectproxy.testing", daemon=True)

    def start(self) -> None:
        """
        Have it run.
        """
        self._thread.start()
        self.call(lambda: None)

    def _run(self) -> None:
        """
        Run, and leave what Twisted keeps for the whole process as it was.
        """
        before = threadable.ioThread

        def restore() -> None:
            threadable.ioThread = before

        self.reactor.callWhenRunning(restore)
        self.reactor.run(installSignalHandlers=False)
        # Descriptors that Twisted leaves to the end of the process.
        self.reactor.waker.connectionLost(None)
        poller = getattr(self.reactor, "_poller", None)
        if poller is not None:
            poller.close()

    def call(self, function: Callable[..., Any], *arguments: Any, timeout: float = GUARD) -> Any:
        """
        Call a function in the reactor's thread.

        @param timeout: how many seconds to wait for the result.
        @return: what it returns, or what the Deferred that it returns fires with.
        @raise Exception: what it raises, or what that Deferred fails with.
        @raise AssertionError: it takes too long; then it is cancelled.
        """
        results: SimpleQueue[Any] = SimpleQueue()
        pending: list[Any] = []

        def begin() -> None:
            pending.append(maybeDeferred(function, *arguments).addBoth(results.put))

        self.reactor.callFromThread(begin)
        try:
            found = results.get(timeout=timeout)
        except Exception:  # noqa: BLE001 - it is the queue's own and says nothing
            self.reactor.callFromThread(lambda: [each.cancel() for each in pending])
            raise AssertionError(f"{function} has had no result after {timeout:g} s") from None
        if isinstance(found, Failure):
            found.raiseException()
        return found

    def stop(self) -> None:
        """
        End it, and wait for the end of the thread.
        """
        if self._thread.is_alive():
            self.reactor.callFromThread(self.reactor.stop)
            self._thread.join(GUARD)


class RunningProxy:
    """
    A proxy in another thread: L{ProxyFixture}, to be used from any.
    """

    def __init__(self, thread: ReactorThread, **options: Any) -> None:
        """
        Have it listen.

        @param options: see L{ProxyFixture}.
        @raise connectproxy.ConfigurationError: all that is wrong with them.
        @raise connectproxy.service.ListenFailed: it can't.
        """
        self._thread = thread
        self._fixture = ProxyFixture(thread.reactor, **options)
        thread.call(self._fixture.start)

    @property
    def url(self) -> str:
        """What to tell clients, as in C{http://127.0.0.1:36001}."""
        return self._fixture.url

    @property
    def host(self) -> str:
        """The address at which it listens."""
        return self._fixture.host

    @property
    def port(self) -> int:
        """The port at which it listens."""
        return self._fixture.port

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its access events so far; see L{ProxyFixture.events}."""
        return list(self._fixture.events)

    def waitForEvents(self, count: int = 1, timeout: float = GUARD) -> list[dict[str, Any]]:
        """
        Wait until there are that many events: that of a tunnel is written when it is over.

        @param timeout: for how many seconds.
        @return: all that there are.
        @raise AssertionError: there are not.
        """
        try:
            self._thread.call(self._fixture.whenEvents, count, timeout=timeout)
        except AssertionError:
            raise AssertionError(
                f"there are not {count} events after {timeout:g} s, but {self.events}"
            ) from None
        return self.events

    def stop(self) -> None:
        """
        Stop it.
        """
        self._thread.call(self._fixture.stop)


@contextmanager
def runningProxy(**options: Any) -> Iterator[RunningProxy]:
    """
    Run a proxy for the time of a C{with}.

    @param options: see L{ProxyFixture}.
    """
    thread = ReactorThread()
    thread.start()
    try:
        proxy = RunningProxy(thread, **options)
        try:
            yield proxy
        finally:
            proxy.stop()
    finally:
        thread.stop()
