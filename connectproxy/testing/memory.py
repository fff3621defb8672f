"""
The fake reactor: time, connections, listening ports, names and threads, all in the hands
of the test.

It has as much of a reactor as this proxy uses: C{IReactorTime}, C{IReactorTCP},
C{IReactorFDSet} and C{IReactorPluggableNameResolver}.  Not a turn is made, and no time
passes, but by a call of the test's.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.base import BaseConnector
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, getConnectError
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableDescriptor,
    IListeningPort,
    IReactorFDSet,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.task import Clock
from twisted.python import log
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.testing.lookups import FakeResolver, FakeThreads
from connectproxy.testing.pipe import KERNEL, FakePipe, FakeSocket, FakeTransport, Peer, addressOf

__all__ = ["FakeAttempt", "FakePort", "FakeReactor", "pipePair"]


class FakeAttempt(BaseConnector):
    """
    One call of C{connectTCP}, and the connector that it returned.

    @ivar host: the address dialled.
    @ivar port: the port.
    @ivar state: C{"connecting"}, C{"connected"} or C{"disconnected"}; Twisted's.
    @ivar timeout: as it was given.
    """

    def __init__(
        self, reactor: FakeReactor, host: str, port: int, factory: Any, timeout: float | None
    ) -> None:
        BaseConnector.__init__(self, factory, timeout, reactor)  # type: ignore[arg-type]
        self.host = host
        self.port = port
        self._connecting = True

    def _makeTransport(self) -> Any:
        return self

    def failIfNotConnected(self, reason: BaseException) -> None:
        """
        Part of what Twisted's connector asks of a transport that is being connected.
        """
        if self._connecting:
            self._connecting = False
            self.connectionFailed(Failure(reason))

    def getDestination(self) -> IAddress:
        return addressOf(self.host, self.port)

    def succeed(self, peer: Any = None, *, capacity: int = KERNEL) -> Any:
        """
        Be connected.

        @param peer: the protocol of the far end; by default a new L{Peer}.
        @return: C{peer}, connected; its C{lost} is set after a turn if nobody wanted the
            connection.
        """
        assert self.state == "connecting", f"the attempt is {self.state}"
        self._connecting = False
        reactor: Any = self.reactor
        peer = Peer() if peer is None else peer
        here, there = addressOf("192.0.2.1", 50000), addressOf(self.host, self.port)
        protocol: Any = self.buildProtocol(there)
        pipe = reactor.pipe(protocol or Peer(), peer, capacity, here, there, begin=False)
        transport: Any = pipe.first
        self.transport = transport
        transport.connector = self
        pipe.second.startReading()
        peer.makeConnection(pipe.second)
        if protocol is None:
            transport.loseConnection()
        else:
            transport.startReading()
            protocol.makeConnection(transport)
        return peer

    def fail(self, reason: int | BaseException) -> None:
        """
        Not be connected.

        @param reason: an errno, which becomes what Twisted makes of it, or an exception.
        """
        assert self.state == "connecting", f"the attempt is {self.state}"
        error = getConnectError((reason, os.strerror(reason))) if isinstance(reason, int) else reason
        self.failIfNotConnected(error)

    @property
    def stopped(self) -> bool:
        """Whether whoever dialled has given it up."""
        return self.state == "disconnected"


@implementer(IListeningPort)
class FakePort:
    """
    What C{listenTCP} returns.

    @ivar waiting: clients that are not accepted yet, since the port is paused.
    @ivar listening: it has not been stopped.
    """

    def __init__(self, reactor: FakeReactor, number: int, factory: Any, interface: str) -> None:
        self._reactor = reactor
        self._address = addressOf(interface or "0.0.0.0", number or 40000 + len(reactor.ports))
        self.factory = factory
        self.listening = False
        self.paused = False
        self.waiting: list[Callable[[], None]] = []

    def startListening(self) -> None:
        self.listening = True
        self.factory.doStart()

    def stopListening(self) -> Deferred[None]:
        self.listening = False
        stopped: Deferred[None] = Deferred()
        self._reactor.callLater(0, self.factory.doStop)
        self._reactor.callLater(0, stopped.callback, None)
        return stopped

    def getHost(self) -> IAddress:
        return self._address

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        waiting, self.waiting = self.waiting, []
        for accept in waiting:
            accept()

    def connect(
        self, peer: Any = None, *, host: str = "192.0.2.7", port: int = 51000, capacity: int = KERNEL
    ) -> Any:
        """
        Be connected to by a client.

        @param peer: the client's protocol; by default a new L{Peer}.
        @param host: the client's address.
        @return: C{peer}, connected.
        """
        assert self.listening, "the port is closed"
        peer = Peer() if peer is None else peer
        here = addressOf(host, port)
        pipe = self._reactor.pipe(peer, Peer(), capacity, here, self._address, begin=False)
        pipe.first.startReading()
        peer.makeConnection(pipe.first)

        def accept() -> None:
            protocol = self.factory.buildProtocol(here)
            if protocol is None:
                pipe.second.loseConnection()
                return
            pipe.second.protocol = protocol
            pipe.second.startReading()
            protocol.makeConnection(pipe.second)

        if self.paused:
            self.waiting.append(accept)
        else:
            accept()
        return peer


@implementer(IReactorTime, IReactorTCP, IReactorFDSet, IReactorPluggableNameResolver)
class FakeReactor(Clock):
    """
    A reactor whose turns the test makes.

    @ivar attempts: every call of C{connectTCP}, in order.
    @ivar ports: every port that C{listenTCP} has opened.
    @ivar nameResolver: a L{FakeResolver}.
    @ivar threads: a L{FakeThreads}.
    """

    def __init__(self) -> None:
        Clock.__init__(self)
        self.attempts: list[FakeAttempt] = []
        self.ports: list[FakePort] = []
        self.nameResolver: Any = FakeResolver()
        self.threads = FakeThreads()
        self._readers: dict[Any, None] = {}
        self._writers: dict[Any, None] = {}
        self._numbers = itertools.count(10)

    # Connections.

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float | None = 30, bindAddress: Any = None
    ) -> FakeAttempt:
        attempt = FakeAttempt(self, host, port, factory, timeout)
        self.attempts.append(attempt)
        attempt.connect()
        return attempt

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> FakePort:
        opened = FakePort(self, port, factory, interface)
        self.ports.append(opened)
        opened.startListening()
        return opened

    def pipe(
        self, first: Any, second: Any, capacity: int, here: IAddress, there: IAddress, *, begin: bool = True
    ) -> FakePipe:
        """
        Two transports that are connected to each other.

        @param first: a protocol, for the end at C{here}.
        @param second: a protocol, for the end at C{there}.
        @param capacity: how much the kernel takes in each direction.
        @param begin: read, and tell the protocols.
        """
        one, two = FakeSocket(next(self._numbers), capacity), FakeSocket(next(self._numbers), capacity)
        one.other, two.other = two, one
        made = FakePipe(
            FakeTransport(one, first, self, here, there), FakeTransport(two, second, self, there, here)
        )
        if begin:
            for transport, protocol in zip(made, (first, second), strict=True):
                transport.startReading()
                protocol.makeConnection(transport)
        return made

    # Names and threads.

    def installNameResolver(self, resolver: Any) -> Any:
        old, self.nameResolver = self.nameResolver, resolver
        return old

    def getThreadPool(self) -> FakeThreads:
        return self.threads

    def callFromThread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)

    def callInThread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.threads.callInThread(function, *args, **kwargs)

    # Descriptors.

    def addReader(self, reader: Any) -> None:
        self._readers[reader] = None

    def addWriter(self, writer: Any) -> None:
        self._writers[writer] = None

    def removeReader(self, reader: Any) -> None:
        self._readers.pop(reader, None)

    def removeWriter(self, writer: Any) -> None:
        self._writers.pop(writer, None)

    def removeAll(self) -> list[Any]:
        both = list({**self._readers, **self._writers})
        self._readers.clear()
        self._writers.clear()
        return both

    def getReaders(self) -> list[Any]:
        return list(self._readers)

    def getWriters(self) -> list[Any]:
        return list(self._writers)

    # Turns.

    def turn(self) -> bool:
        """
        One turn: what is due, then what is readable, then what is writable.

        @return: whether anything happened.
        """
        due = [call for call in self.calls if call.getTime() <= self.seconds()]
        happened = bool(due)
        for call in due:
            if call in self.calls:  # it may have been cancelled by one before it
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
        for reader in self.getReaders():
            if reader in self._readers and getattr(getattr(reader, "socket", None), "readable", False):
                happened = True
                self._serve(reader, reader.doRead, isRead=True)
        for writer in self.getWriters():
            if writer in self._writers and getattr(getattr(writer, "socket", None), "writable", False):
                happened = True
                self._serve(writer, writer.doWrite, isRead=False)
        return happened

    def flush(self, turns: int = 100_000) -> int:
        """
        Make turns until nothing happens any more; time stands still.

        @param turns: when to give up: something spins.
        @return: how many there were.
        """
        for number in range(turns):
            if not self.turn():
                return number
        raise AssertionError(f"still not at rest after {turns} turns: {self._readers}, {self._writers}")

    def _serve(self, descriptor: Any, call: Callable[[], Any], *, isRead: bool) -> None:
        """
        What Twisted's reactors do with a descriptor that is ready.
        """
        try:
            why = call()
        except Exception as error:  # noqa: BLE001  as a reactor does
            log.err()
            why = error
        if not why:
            return
        self.removeReader(descriptor)
        if isRead and isinstance(why, ConnectionDone) and IHalfCloseableDescriptor.providedBy(descriptor):
            descriptor.readConnectionLost(DONE)
            return
        self.removeWriter(descriptor)
        if isinstance(why, ConnectionDone):
            descriptor.connectionLost(DONE)
        elif isinstance(why, ConnectionLost):
            descriptor.connectionLost(LOST)
        else:
            descriptor.connectionLost(Failure(why))


DONE = Failure(ConnectionDone())
LOST = Failure(ConnectionLost())


def pipePair(
    reactor: FakeReactor, first: Any = None, second: Any = None, *, capacity: int = KERNEL
) -> FakePipe:
    """
    Two connected transports.

    @param reactor: makes their turns.
    @param first: the protocol of the one that dialled; by default a new L{Peer}.
    @param second: the protocol of the one that accepted; likewise.
    @param capacity: how many octets the fake kernel takes in each direction before a sender
        has to wait.
    """
    here, there = addressOf("192.0.2.1", 50000), addressOf("198.51.100.1", 443)
    return reactor.pipe(first or Peer(), second or Peer(), capacity, here, there)
