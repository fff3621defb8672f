"""
One side of a wired tunnel: what stands between its transport and the other side's.

A side keeps nothing of what it passes on: the transports' buffers and flow control do
the rest.  What becomes of the tunnel when a side ends is L{connectproxy.relay}'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.shaping import Valve
from connectproxy.sockets import pendingError, unsent, writeNow

if TYPE_CHECKING:
    from connectproxy.relay import WiredTunnel

__all__ = ["MeteredSide", "Side"]


@implementer(IHalfCloseableProtocol, IPushProducer)
class Side(Protocol):
    """
    One side of a wired tunnel: what its transport delivers, the other's is given.
    So it is the producer of the other's transport.

    @ivar peer: the other side.
    @ivar count: octets passed on to the other side's transport.
    @ivar ended: this side will deliver no more.
    @ivar open: the transport is not closed yet.
    """

    peer: Side
    ended = False
    open = True
    count = 0

    def __init__(self, tunnel: WiredTunnel, name: str) -> None:
        self.tunnel = tunnel
        self.name = name

    @property
    def producer(self) -> Any:
        """
        What the other side's transport is told is its producer.
        """
        return self

    @property
    def taken(self) -> int:
        """
        Octets from this side that the other side's socket has taken; for
        transports with layers, that were given to the other transport and are not
        queued there.
        """
        return self.count - unsent(self.peer.transport) if self.peer.open else self.count

    def dataReceived(self, data: bytes) -> None:
        """
        Pass it on; the transports' buffers and the producers do the rest.
        """
        self.tunnel.active = self.tunnel.clock.seconds()
        self.count += len(data)
        if self.peer.open:  # else it was lost in this turn of the reactor
            writeNow(self.peer.transport, data)  # type: ignore[arg-type]

    def begin(self, held: bytes) -> None:
        """
        Pass on what came before the tunnel.
        """
        self.dataReceived(held)

    def start(self, ended: bool) -> None:
        """
        Begin to read.

        @param ended: the end of this side's stream has come before the tunnel.
        """
        if ended:
            self.readConnectionLost()
        elif not getattr(self.peer.transport, "producerPaused", False):
            self.transport.resumeProducing()  # type: ignore[union-attr]

    def pauseProducing(self) -> None:
        """
        The other side's transport has enough for now.
        """
        self.transport.pauseProducing()  # type: ignore[union-attr]

    def resumeProducing(self) -> None:
        """
        The other side's transport has written what it had.
        """
        self.transport.resumeProducing()  # type: ignore[union-attr]

    def stopProducing(self) -> None:
        """
        The other side's transport is lost, and says so next.  Were this one its
        producer itself, it would close before anybody knew of a reset.
        """

    def readConnectionLost(self) -> None:
        """
        The end of this side's stream, with its other direction still open.
        """
        if not self.ended:
            self.ended = True
            if not self.peer.open:
                return  # the other side was lost in this turn of the reactor, and this one closes already
            if pendingError(self.transport):
                self.tunnel.end(self.name, "reset")
            else:
                self.tunnel.sideEnded(self)

    def writeConnectionLost(self) -> None:
        """
        The half-close that was asked for has been done.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The transport is closed, by whomever.
        """
        self.peer.count -= unsent(self.transport)
        self.open = False
        self.tunnel.sideLost(self, reason)


class MeteredSide(Side):
    """
    One side of a tunnel whose rate is limited.

    @ivar valve: stands between it and the other side's transport.
    """

    _held = b""
    _ended = False

    def __init__(self, tunnel: WiredTunnel, name: str, buckets: Sequence[Any]) -> None:
        Side.__init__(self, tunnel, name)
        self.valve = Valve(buckets, tunnel.clock, self)

    @property
    def producer(self) -> Valve:
        """
        See L{Side.producer}.
        """
        return self.valve

    def begin(self, held: bytes) -> None:
        """
        See L{Side.begin}.  It may have to wait: or a new tunnel would always be good
        for some octets.
        """
        if self.valve.allowance():
            self.dataReceived(held)
        else:
            self._held = held

    def start(self, ended: bool) -> None:
        """
        See L{Side.start}.
        """
        if self._held:
            self._ended = ended
            self.pauseProducing()
        elif ended or self.valve.full:
            Side.start(self, ended)
        else:
            self.valve.start()

    def dataReceived(self, data: bytes) -> None:
        """
        Pass it on, and read no more than there may be.
        """
        Side.dataReceived(self, data)
        self.valve.passed(len(data))

    def resumeProducing(self) -> None:
        """
        There may be more, and the other side's transport has room.
        """
        if self._held:
            held, self._held = self._held, b""
            self.dataReceived(held)
            if self._ended:
                self.readConnectionLost()
                return
            if self.valve.full or self.valve.waiting:
                return
        Side.resumeProducing(self)

    def readConnectionLost(self) -> None:
        """
        The end of this side's stream: the other direction's limit is none of its business.
        """
        self.valve.stop()
        Side.readConnectionLost(self)
