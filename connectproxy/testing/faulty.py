"""
A server whose connections go wrong as a script says: by itself, or in front of another one.

It runs in whatever reactor it is given, also in one of
L{connectproxy.testing.FakeReactor}, and has no time of its own but the reactor's.  TLS is
not known here: to have faults within it, put a server that speaks TLS behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from connectproxy.testing.faults import Step
from connectproxy.testing.scripted import FaultyConnection

__all__ = ["FaultyServer"]


class FaultyServer:
    """
    Listens, and does with each connection what a script says.

    @ivar connections: all that were accepted, in order.
    @ivar host: where it listens, once it does.
    @ivar port: likewise.
    """

    def __init__(self, reactor: Any, *scripts: Sequence[Step], target: tuple[str, int] | None = None) -> None:
        """
        @param reactor: provides C{IReactorTCP} and C{IReactorTime}.
        @param scripts: for each connection the next one; the last one, or the only one, for
            all that follow.  Behind its last step a connection stays as it is: what comes is
            read, and what the target says is passed on.
        @param target: host and port of the server to stand in front of; L{None} to be a
            server itself.
        """
        self._reactor = reactor
        self._scripts = [tuple(script) for script in scripts] or [()]
        self._target = target
        self._port: Any = None
        self._waiting: list[tuple[int, Deferred[FaultyConnection]]] = []
        self.connections: list[FaultyConnection] = []
        self.host = ""
        self.port = 0

    def start(self, interface: str = "127.0.0.1") -> FaultyServer:
        """
        Listen, at any port that is free.

        @return: itself.
        """
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = self._accept  # type: ignore[method-assign]
        self._port = self._reactor.listenTCP(0, factory, interface=interface)
        where = self._port.getHost()
        self.host, self.port = where.host, where.port
        return self

    def stop(self) -> Deferred[Any]:
        """
        Listen no more, and reset whatever is open.

        @return: a Deferred that fires when all is closed; cancelled, it just stops waiting.
        """
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        return DeferredList([port.stopListening(), *(each.abandon() for each in self.connections)])

    def whenAccepted(self, number: int = 1) -> Deferred[FaultyConnection]:
        """
        @param number: counted from 1.
        @return: a Deferred of that connection.
        """
        if number <= len(self.connections):
            return succeed(self.connections[number - 1])
        accepted: Deferred[FaultyConnection] = Deferred()
        self._waiting.append((number, accepted))
        return accepted

    def _accept(self, addr: IAddress | None) -> FaultyConnection:
        """
        Somebody has connected.
        """
        script = self._scripts[min(len(self.connections), len(self._scripts) - 1)]
        made = FaultyConnection(self._reactor, script, self._target, self._accepted)
        self.connections.append(made)
        return made

    def _accepted(self) -> None:
        """
        Tell who waits for it.
        """
        due = [each for each in self._waiting if each[0] <= len(self.connections)]
        self._waiting = [each for each in self._waiting if each not in due]
        for number, accepted in due:
            accepted.callback(self.connections[number - 1])
