"""
How fast a client's connection is read and written.

What is written goes past the reactor where that is possible; what the client does not
take stops whoever it comes from.  What can't be read yet is held, one read of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IPushProducer, ISSLTransport
from zope.interface import implementer

from connectproxy.listeners.http.ending import Ending, State
from connectproxy.sockets import unsent, writeNow

if TYPE_CHECKING:
    from connectproxy.listeners.http.exchange import Exchange

__all__ = ["Flow"]


@implementer(IPushProducer)
class Flow(Ending):
    """
    What comes and goes over a client's connection; the producer of its transport.

    @ivar exchange: what is being carried.
    @ivar early: what has come and is not read yet: at most two reads.
    @ivar paused: the client's transport is not read for now.
    @ivar producing: the client's transport has been told to say when it is full.
    @ivar full: the client's transport takes no more for now.
    """

    exchange: Exchange | None = None
    early = b""
    full = False
    paused = False
    producing = False

    def next(self) -> None:
        """
        Read the next request.
        """
        raise NotImplementedError

    @property
    def over(self) -> bool:
        """Whether the client has ended its stream, and all that was in it has been read."""
        return self._ended and not self.early

    def write(self, octets: bytes, *, more: bool) -> None:
        """
        Write a part of a response.

        @param more: whether more of it follows.
        """
        transport: Any = self.transport
        writeNow(transport, octets)
        if not self.producing and (more or unsent(transport) or ISSLTransport.providedBy(transport)):
            self.producing = True
            transport.registerProducer(self, True)

    def standBack(self) -> None:
        """
        No more is written as a response: the transport need not say when it is full.  As
        long as it thought so, it would not close behind what it has.
        """
        if self.producing:
            self.producing = False
            self.transport.unregisterProducer()  # type: ignore[union-attr]

    def hold(self, data: bytes) -> None:
        """
        Keep what can't be read yet, and let no more come.
        """
        self.early += data
        self.pauseReading()

    def pauseReading(self) -> None:
        """
        Let no more come for now.
        """
        self.paused = True
        self.transport.pauseProducing()  # type: ignore[union-attr]

    def resumeReading(self) -> None:
        """
        Let more come again.
        """
        self.paused = False
        self.transport.resumeProducing()  # type: ignore[union-attr]

    def pauseProducing(self) -> None:
        """
        The client takes no more for now.
        """
        self.full = True
        if self.exchange is not None:
            self.exchange.pauseResponse()

    def resumeProducing(self) -> None:
        """
        The client has taken what there was.
        """
        self.full = False
        if self.exchange is not None:
            self.exchange.resumeResponse()
        elif self.state is State.READING and self.early:
            self.next()

    def stopProducing(self) -> None:
        """
        The transport is lost, and says so next.
        """
