"""
The control socket: how the operator's commands speak to a proxy that is up.

A UNIX socket that its owner alone may use (mode 0600); whoever can connect may do all that
there is.  A client sends one line of JSON, C{{"command": NAME}}, and gets one line of JSON,
after which the connection is closed.  Lines, connections and the time that one may take are
bounded.  Knows no command: these are functions that it is given.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

__all__ = ["CONNECTIONS", "PATIENCE", "ControlPort", "Occupied"]

CONNECTIONS = 16
"""How many clients there may be at once; more are closed at once."""

PATIENCE = 10.0
"""Seconds that a client may take to ask, and to take the answer."""

LONGEST = 4096
"""Octets of a question."""

Commands = Mapping[str, Callable[[], Any]]
"""What to call for each command; its result, or its Deferred's, goes to the client as JSON."""


class Occupied(Exception):
    """
    The socket can't be opened; the text says why.
    """


class ControlPort(Factory):
    """
    The socket.
    """

    noisy = False

    _log = Logger()

    def __init__(self, reactor: Any, path: str, commands: Commands) -> None:
        """
        @param reactor: provides C{IReactorUNIX} and C{IReactorTime}.
        @param path: where the socket is to be.
        @param commands: by name.
        """
        self.reactor = reactor
        self.path = path
        self.commands = commands
        self.connections: set[_Connection] = set()
        self._port: Any = None

    def open(self) -> None:
        """
        Make the socket.  What a dead process has left is replaced.

        @raise Occupied: it can't be made.
        """
        try:
            _clear(self.path)
            # It is bound, then given its mode, and listens only then.
            self._port = self.reactor.listenUNIX(self.path, self, mode=0o600)
        except Exception as error:
            reason: Any = getattr(error, "socketError", None) or error
            if isinstance(error, Occupied):
                reason = error
            why = getattr(reason, "strerror", None) or str(reason)
            raise Occupied(f"can't open the control socket {self.path}: {why}") from error

    def close(self) -> Deferred[None]:
        """
        Remove the socket, and close what is open.

        @return: a Deferred that fires when it is gone.
        """
        for each in tuple(self.connections):
            each.transport.abortConnection()
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        return maybeDeferred(port.stopListening).addErrback(self._missing, port)

    def _missing(self, failure: Failure, port: Any) -> None:
        """
        Somebody has removed the file already, at which Twisted stops half-way.
        """
        failure.trap(OSError)
        port.socket.close()

    def buildProtocol(self, addr: IAddress | None) -> _Connection | None:
        """
        See L{twisted.internet.interfaces.IProtocolFactory}.
        """
        return _Connection(self) if len(self.connections) < CONNECTIONS else None

    def answer(self, line: bytes) -> Deferred[dict[str, Any]]:
        """
        Do what a line asks for.

        @return: a Deferred of what to say; it does not fail.
        """
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError):
            asked = None
        name = asked.get("command") if isinstance(asked, dict) else None
        if not isinstance(name, str):
            return succeed({"error": 'a line of JSON is expected, such as {"command": "status"}'})
        if name not in self.commands:
            return succeed(
                {"error": f"there is no command {name[:40]!a}; there are {', '.join(self.commands)}"}
            )
        return maybeDeferred(self.commands[name]).addErrback(self._failed)

    def _failed(self, failure: Failure) -> dict[str, Any]:
        """
        A bug of ours.
        """
        self._log.failure("a command failed", failure)
        return {"error": "the proxy failed; its log has more"}


class _Connection(LineOnlyReceiver):
    """
    One client: one question, one answer.
    """

    transport: Any  # LineOnlyReceiver says less of it than connectionMade knows
    delimiter = b"\n"
    MAX_LENGTH = LONGEST

    def __init__(self, port: ControlPort) -> None:
        self._port = port
        self._asked = False
        self._answering: Deferred[None] | None = None
        self._deadline: Any = None

    def connectionMade(self) -> None:
        """
        Wait for the question, but not for ever.
        """
        self._port.connections.add(self)
        self._expect()

    def _expect(self) -> None:
        """
        Give the client its time.
        """
        self._deadline = self._port.reactor.callLater(PATIENCE, self._expired)

    def _expired(self) -> None:
        """
        It has taken too long.
        """
        self._deadline = None
        self.transport.abortConnection()

    def lineReceived(self, line: bytes) -> None:
        """
        Answer the first line; what comes behind it is nobody's.
        """
        if self._asked:
            return
        self._asked = True
        self._deadline.cancel()
        self._deadline = None
        self._answering = self._port.answer(line).addCallback(self._say)

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        See L{LineOnlyReceiver.lineLengthExceeded}.
        """
        self.transport.abortConnection()

    def _say(self, answer: dict[str, Any]) -> None:
        """
        Answer, and close when the client has taken it.
        """
        if self in self._port.connections:
            self._expect()
            self.transport.write(json.dumps(answer).encode("ascii") + b"\n")
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        What was asked for is done all the same.
        """
        self._port.connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _clear(path: str) -> None:
    """
    Remove the socket of a process that is dead.

    @raise Occupied: it is something else, or somebody answers there.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Occupied("there is something else of that name; remove it, or name another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                os.unlink(path)
                return
            if error.errno != errno.EAGAIN:  # its queue is full, so it is alive
                raise
    raise Occupied("a proxy that is up answers there; each needs a control.socket of its own")
