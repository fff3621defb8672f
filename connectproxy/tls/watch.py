"""
Certificates that are renewed while the proxy is up.

Looks every few seconds whether files have changed, and has them read anew; connections
that are up keep what they began with.  All that touches files is done in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from connectproxy.tls.context import ServerTLS

__all__ = ["INTERVAL", "CertificateWatch"]

INTERVAL = 5.0
"""Seconds between two looks."""

_Found = list[tuple[ServerTLS, str]]
"""Whose files were read anew, each with what was wrong with them; empty if nothing was."""


class CertificateWatch:
    """
    Has changed certificates read anew.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        servers: Sequence[ServerTLS],
        interval: float = INTERVAL,
        inThread: Callable[[Callable[[], _Found]], Deferred[_Found]] | None = None,
    ) -> None:
        """
        @param reactor: tells the time, and has a pool of threads.
        @param servers: whose files are watched.
        @param interval: seconds between two looks, more than 0.
        @param inThread: calls a function where it may block; by default in the reactor's
            pool of threads.
        """
        self._reactor = reactor
        self._servers = tuple(servers)
        self._interval = interval
        self._inThread = inThread or self._inPool
        self._next: Any = None
        self._looking: Deferred[None] | None = None
        self._again = False
        self._running = False
        self._failing: dict[ServerTLS, str] = {}
        self._told: dict[ServerTLS, str] = {}

    def _inPool(self, function: Callable[[], _Found]) -> Deferred[_Found]:
        """
        Call a function in the reactor's pool of threads.
        """
        called: Deferred[_Found] = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function)
        return called

    def start(self) -> None:
        """
        Tell what there is, and begin to look.
        """
        self._running = True
        for server in self._servers:
            self._tell(server)
        self._schedule()

    def stop(self) -> None:
        """
        Look no more.  What a thread is doing by now has no effect that is told.
        """
        self._running = self._again = False
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def reload(self) -> None:
        """
        Have all files read anew at once, changed or not; nothing happens before L{start}.
        """
        if not self._running:
            return
        if self._looking is not None:
            self._again = True
            return
        self._next.cancel()
        self._look(forced=True)

    def _schedule(self) -> None:
        """
        Look again later.
        """
        self._next = self._reactor.callLater(self._interval, self._look)

    def _look(self, forced: bool = False) -> None:
        """
        Look now.

        @param forced: read what has not changed, too, and tell of every failure.
        """
        self._next = None
        servers = self._servers
        looking = self._looking = self._inThread(lambda: _read(servers, forced)).addCallback(
            self._found, forced
        )
        looking.addErrback(self._failed)
        looking.addBoth(self._looked)

    def _found(self, found: _Found, forced: bool) -> None:
        """
        Tell what has become of it.

        Whoever renews a certificate replaces two files, one after the other: so what fails
        is told only when it fails in the same way at the next look, and once.
        """
        if not self._running:
            return
        seen: dict[ServerTLS, str] = {}
        for server, problem in found:
            if not problem:
                self._told.pop(server, None)
                self._tell(server)
                continue
            seen[server] = problem
            if forced or (self._failing.get(server) == problem and self._told.get(server) != problem):
                self._told[server] = problem
                self._log.error(
                    "certificates are not read anew, and those from before stay in use: {problem}",
                    problem=problem,
                )
        self._failing = seen

    def _failed(self, failure: Failure) -> None:
        """
        A mistake of ours must not end the watch.
        """
        self._log.failure("looking for new certificates failed", failure)

    def _looked(self, _: None) -> None:
        """
        Go on.
        """
        self._looking = None
        if self._again:
            self._again = False
            self._look(forced=True)
        elif self._running:
            self._schedule()

    def _tell(self, server: ServerTLS) -> None:
        """
        Tell what certificates there are.
        """
        self._log.info(
            "TLS for {names}; the first certificate expires at {expires:%Y-%m-%d %H:%M} UTC",
            names=", ".join(server.names) or "no name",
            expires=server.expires,
        )
        for note in server.notes:
            self._log.warn("{note}", note=note)


def _read(servers: Sequence[ServerTLS], forced: bool) -> _Found:
    """
    Read files anew.  Blocks.
    """
    found: _Found = []
    for server in servers:
        if forced or server.changed():
            problem = ""
            try:
                server.reload()
            except ValueError as error:
                problem = str(error)
            found.append((server, problem))
    return found
