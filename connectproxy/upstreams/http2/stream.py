"""
A tunnel through a next hop, as a transport: what a relay, or another hop's protocol, reads
and writes.

L{connectproxy.http2.stream} is most of it.  What is added is how it closes.  A server may
reset what it has answered (RFC 9113 section 8.1); to a next hop a reset would mean to reset
the destination, with all that is still on its way.  So it closes as TCP does: it ends its
direction, waits for the other's end, and resets the stream only when octets come that nobody
is left to take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure

from connectproxy.http2.stream import Stream
from connectproxy.wire.http2 import ErrorCode

if TYPE_CHECKING:
    from connectproxy.upstreams.http2.connection import HopConnection

__all__ = ["HopStream"]


class HopStream(Stream):
    """
    One stream, from the request on it to its end.

    @ivar code: by which the next hop has reset it; L{None} if it has not.
    """

    __slots__ = ("_unheard", "code")

    def __init__(self, connection: HopConnection, number: int, window: int) -> None:
        """
        @param window: octets that the next hop takes at first.
        """
        Stream.__init__(self, connection, number, window)
        self.code: int | None = None
        self._unheard = False
        self._paused = False  # who asks is told of octets that come before the answer

    def _tellEnd(self) -> None:
        """
        Tell the protocol of the end; one that knows no half-close is closed, as by TCP.
        """
        if self._endTold or self._closing:
            return
        if IHalfCloseableProtocol.providedBy(self.protocol):
            Stream._tellEnd(self)
        else:
            self._endTold = True
            self.loseConnection()
        if self.code is not None and not self.over:
            self._conclude(Failure(ConnectionDone()))

    def ended(self, trailers: list[tuple[bytes, bytes]] | None = None) -> None:
        """
        The next hop has ended its direction.
        """
        Stream.ended(self, trailers)
        if self._closing and self.writeEnded and not self.over:
            self._close()

    def wasReset(self, code: int | None = None) -> None:
        """
        The next hop has reset the stream, or the connection is lost.

        A reset without an error, behind the end of its direction, says no more than that it
        takes nothing any more; what it has sent before still counts (RFC 9113 section 8.1).
        """
        if self.over:
            return
        self.code = code
        if code != ErrorCode.NO_ERROR or not self.readEnded:
            Stream.wasReset(self, code)
            return
        self.finishing = self.writeEnded = True
        self.queue.clear()
        self.queued = 0
        self._connection.sender.forget(self)
        if self._endTold or self._closing:
            self._conclude(Failure(ConnectionDone()))
        elif self.producerPaused:
            self.producerPaused = False
            self._producer.resumeProducing()

    def _unwanted(self) -> None:
        """
        Octets have come while it is being closed.
        """
        self._unheard = True
        if self.writeEnded:
            self._close()

    def _close(self) -> None:
        """
        Our direction has ended, and nobody wants to know of the other.
        """
        if self._unheard and not self.readEnded:
            self._tellReset(ErrorCode.CANCEL)
        elif not self.readEnded:
            return
        self._conclude(Failure(ConnectionDone()))
