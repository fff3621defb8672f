"""
A proxy for a test, in the reactor that the test has.

It is a real one, on a port of the loopback interface that is free, with a configuration
that suits tests: it leads to any port of this machine, and whatever is up when it is stopped
is cut off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import globalLogPublisher

from connectproxy.config import configure
from connectproxy.ledger import formatLine
from connectproxy.service import ProxyService
from connectproxy.testing.faults import Step
from connectproxy.testing.faulty import FaultyServer

__all__ = ["DEFAULTS", "ProxyFixture", "ProxyMixin"]

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "access_log": {"file": "none"},
    "allow": {"networks": ["127.0.0.0/8", "::1"], "ports": "any"},
    "timeouts": {"drain": 0},
}
"""The keys that have another default than usual."""


class ProxyFixture:
    """
    One proxy.

    @ivar service: the L{connectproxy.ProxyService}.
    @ivar events: its access events so far, each as a line of an access log has it; see
        docs/log.md.
    @ivar host: where it listens, once it does.
    @ivar port: likewise.
    @ivar url: what to tell clients.
    """

    def __init__(self, reactor: Any, **options: Any) -> None:
        """
        @param reactor: as L{connectproxy.ProxyService} takes it.
        @param options: the tables of a configuration, as
            L{configure<connectproxy.config.loader.configure>} takes them.  What they do not
            say is as in L{DEFAULTS}, and it listens at a free port of 127.0.0.1 unless there
            is C{listen}.
        @raise connectproxy.ConfigurationError: all that is wrong with them.
        """
        tables = {"listen": [{"endpoint": "127.0.0.1:0"}], **DEFAULTS, **options}
        for table, defaults in DEFAULTS.items():
            if isinstance(tables[table], Mapping):
                tables[table] = {**defaults, **tables[table]}
        self.service = ProxyService(reactor, configure(**tables))
        self.events: list[dict[str, Any]] = []
        self._ledger: Any = None
        self._observer: Any = self._observe
        self._waiting: list[tuple[int, Deferred[list[dict[str, Any]]]]] = []
        self.host = ""
        self.port = 0
        self.url = ""

    def start(self) -> Deferred[ProxyFixture]:
        """
        Have it listen.

        @return: a Deferred of this; it fails with L{connectproxy.service.ListenFailed}.
        """
        return maybeDeferred(self._start)

    def _start(self) -> ProxyFixture:
        service: Any = self.service
        service.startService()
        self._ledger = service._parts.ledger  # events do not say which proxy they are of
        globalLogPublisher.addObserver(self._observer)
        where, listener = service.addresses[0], service.config.listeners[0]
        self.host, self.port = getattr(where, "host", ""), getattr(where, "port", 0)
        if self.host:
            secure = listener.options["tls_certificate"] or listener.endpoint.startswith("ssl:")
            host = f"[{self.host}]" if ":" in self.host else self.host
            self.url = f"{'https' if secure else 'http'}://{host}:{self.port}"
        return self

    def stop(self) -> Deferred[None]:
        """
        Stop it.

        @return: a Deferred that fires when nothing of it is left.
        """
        if self._ledger is None:
            return succeed(None)

        def stopped(result: Any) -> Any:
            globalLogPublisher.removeObserver(self._observer)
            self._ledger = None
            return result

        return self.service.stopService().addBoth(stopped)

    def whenEvents(self, count: int) -> Deferred[list[dict[str, Any]]]:
        """
        Wait for events: that of a tunnel is written when it is over.

        @return: a Deferred of L{events} that fires as soon as there are that many; cancelled,
            it just stops waiting.
        """
        if len(self.events) >= count:
            return succeed(self.events)
        waiting: Deferred[list[dict[str, Any]]] = Deferred(self._forget)
        self._waiting.append((count, waiting))
        return waiting

    def _forget(self, waiting: Deferred[Any]) -> None:
        """
        Nobody waits any more.
        """
        self._waiting = [each for each in self._waiting if each[1] is not waiting]

    def _observe(self, event: Mapping[str, Any]) -> None:
        """
        Take what is logged and is an event of this proxy.
        """
        if getattr(event.get("log_logger"), "source", None) is not self._ledger:
            return
        self.events.append(json.loads(formatLine(event["event"])))
        due = [each for each in self._waiting if each[0] <= len(self.events)]
        self._waiting = [each for each in self._waiting if each not in due]
        for _, waiting in due:
            waiting.callback(self.events)


class ProxyMixin:
    """
    For a L{twisted.trial.unittest.TestCase}: what is started ends with the test.
    """

    addCleanup: Any

    def startProxy(self, reactor: Any, **options: Any) -> Deferred[ProxyFixture]:
        """
        Start a proxy.

        @param reactor: the one that the test runs in.
        @param options: see L{ProxyFixture}.
        @return: a Deferred of it.
        """
        fixture = ProxyFixture(reactor, **options)
        self.addCleanup(fixture.stop)
        return fixture.start()

    def startFaults(
        self, reactor: Any, *scripts: Sequence[Step], target: tuple[str, int] | None = None
    ) -> FaultyServer:
        """
        Start a server that goes wrong; see L{FaultyServer}.
        """
        server = FaultyServer(reactor, *scripts, target=target)
        self.addCleanup(server.stop)
        return server.start()
