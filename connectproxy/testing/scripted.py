"""
One connection that goes wrong as a script says; what has them is
L{connectproxy.testing.faulty}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.testing.behind import Flow, Target, endStream
from connectproxy.testing.faults import Close, Forward, HalfClose, Read, Reset, Say, Stall, Step

__all__ = ["FaultyConnection"]

HELD = 65536
"""Octets of a target's that are held while the script does not let them through."""

BEATS = 20.0
"""How often in a second there are octets where there is a rate, unless it is lower."""


@implementer(IHalfCloseableProtocol)
class FaultyConnection(Protocol):
    """
    One connection, and the one to the target, if there is one.

    @ivar received: all that the client has said and was read.
    @ivar sent: how many octets have been sent to it.
    @ivar step: what is being done; L{None} when the script is at its end.
    @ivar ended: the client has ended its stream.
    @ivar lost: why the connection was lost; L{None} while it is not.
    """

    transport: Any
    step: Step | None = None
    ended = False
    lost: Failure | None = None

    def __init__(
        self,
        reactor: Any,
        script: Sequence[Step],
        target: tuple[str, int] | None,
        accepted: Callable[[], None],
    ) -> None:
        """
        @param accepted: called when the script begins.
        """
        self._reactor = reactor
        self._script = iter(script)
        self._where = target
        self._target: Target | None = None
        self._connector: Any = None
        self._said = False
        self._accepted = accepted
        self._read = 0
        self._left: int | None = None
        self._source = bytearray()
        self._pending = bytearray()
        self._call: Any = None
        self._done: list[Deferred[None]] = []
        self._flow = self._back = Flow(self, None)
        self.received = bytearray()
        self.sent = 0

    # The client.

    def connectionMade(self) -> None:
        """
        Begin, after a connection to the target.
        """
        if self._where is None:
            self.begin()
            return
        self.transport.pauseProducing()
        self._target = Target(self)
        factory = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: self._target  # type: ignore[method-assign]
        factory.clientConnectionFailed = lambda connector, reason: self._reset()  # type: ignore[method-assign]
        self._connector = self._reactor.connectTCP(*self._where, factory)

    def begin(self) -> None:
        """
        All that is needed is there.
        """
        if self._target is not None:
            self._flow = Flow(self, self._target.transport)
            self.transport.registerProducer(self._flow, True)
            self._back = Flow(self, self.transport)
            self._target.transport.registerProducer(self._back, True)
        self._accepted()
        self._next()
        self.go()

    def dataReceived(self, data: bytes) -> None:
        """
        Keep it, and pass it on.
        """
        self.received += data
        if self._target is not None:
            self._target.transport.write(data)
        self._look()

    def readConnectionLost(self) -> None:
        """
        The client has ended its stream.
        """
        self.ended = True
        if self._target is not None:
            endStream(self._target.transport)
        if self._said:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Our own end of stream has been sent.
        """

    def _endHere(self) -> None:
        """
        Send the end of our stream; after both there is nothing left to do.
        """
        self._said = True
        endStream(self.transport)
        if self.ended:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The client's connection is closed.
        """
        self.lost = reason
        self._finish()
        target = self._target
        if target is not None and target.transport is None:
            self._connector.disconnect()
        elif target is not None and target.ended and self.ended:
            target.transport.loseConnection()
        elif target is not None:
            target.transport.abortConnection()
        self._tell()

    # The target.

    def targetSaid(self, data: bytes) -> None:
        """
        The target has sent something.
        """
        self._pending += data
        self._pump()
        if len(self._pending) >= HELD:
            self._target.transport.pauseProducing()  # type: ignore[union-attr]

    def targetLost(self, reason: Failure) -> None:
        """
        The connection to the target is closed.
        """
        if self.lost is None and not reason.check(ConnectionDone):
            self._reset()
        self._pump()
        self._tell()

    # The script.

    def _next(self) -> None:
        """
        Go on with the script.
        """
        self.step = step = next(self._script, None)
        self._source, self._left = self._pending, None
        if isinstance(step, Say):
            self._source, self._left = bytearray(step.octets), len(step.octets)
        elif isinstance(step, Forward):
            self._left = step.octets
        elif isinstance(step, Stall):
            self.transport.pauseProducing()
            if step.seconds is not None:
                self._call = self._reactor.callLater(step.seconds, self._stalled)
        elif isinstance(step, Read):
            self._look()
        elif isinstance(step, HalfClose):
            self._endHere()
            self._next()
        elif isinstance(step, Close):
            self._finish()
            self.transport.unregisterProducer()
            self.transport.loseConnection()
        elif isinstance(step, Reset):
            self._reset()
        self._pump()

    def _stalled(self) -> None:
        """
        It has been long enough.
        """
        self._call = None
        self._next()
        self.go()

    def _look(self) -> None:
        """
        See whether what is waited for has come.
        """
        step = self.step
        if isinstance(step, Read):
            if isinstance(step.until, int):
                end = self._read + step.until
                found = len(self.received) >= end
            else:
                place = self.received.find(step.until, self._read)
                found, end = place >= 0, place + len(step.until)
            if found:
                self._read = end
                self._next()

    def go(self) -> None:
        """
        Read what may be read, and send what may be sent.
        """
        if isinstance(self.step, Stall) or self.lost is not None:
            return
        if not self._back.full:
            self.transport.resumeProducing()
        self._pump()

    def _pump(self) -> None:
        """
        Send what the script lets through.
        """
        step = self.step
        if not isinstance(step, Say | Forward | None) or self._call is not None or self._flow.full:
            return
        if self.lost is not None:
            return
        rate = 0.0 if step is None else step.rate
        most = len(self._source) if self._left is None else min(self._left, len(self._source))
        if rate:
            most = min(most, max(1, int(rate / BEATS)))
        octets = bytes(self._source[:most])
        del self._source[:most]
        if octets:
            self.sent += most
            if rate:
                self._call = self._reactor.callLater(most / rate, self._again)
            self.transport.write(octets)
        if self._left is not None:
            self._left -= most
            if not self._left and self._call is None:
                self._next()
                return
        self.refill()

    def _again(self) -> None:
        """
        The next octets are due.
        """
        self._call = None
        if self._left == 0:
            self._next()
        else:
            self._pump()

    def refill(self) -> None:
        """
        Let the target go on, or pass on that it has come to its end.
        """
        target = self._target
        if target is None or len(self._pending) >= HELD or self._source is not self._pending:
            return
        if not target.ended:
            if not self._flow.full:
                target.transport.resumeProducing()
        elif not self._pending and self._call is None:
            self._endHere()

    # The end.

    def _reset(self) -> None:
        """
        Reset both ends.
        """
        self._finish()
        self.transport.abortConnection()

    def _finish(self) -> None:
        """
        Nothing more is going to happen by itself.
        """
        self._script = iter(())
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def abandon(self) -> Deferred[None]:
        """
        Reset it, whatever it is at.

        @return: a Deferred that fires when both ends are closed.
        """
        done: Deferred[None] = Deferred()
        self._done.append(done)
        if self.lost is None:
            self._reset()
        self._tell()
        return done

    def _tell(self) -> None:
        """
        Tell who waits for the end.
        """
        target = self._target
        if self.lost is not None and (target is None or target.transport is None or target.lost is not None):
            done, self._done = self._done, []
            for each in done:
                each.callback(None)
