"""
One stream as a transport: what a relay, or whatever else has it, reads and writes.

Its two directions end one by one, as those of TCP do (RFC 9113 section 8.5), so it
does half-close.  What it receives is L{connectproxy.http2.inflow}'s; what it
is given to send stands here, until L{connectproxy.http2.sending} takes it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IConsumer, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.http2.inflow import Inflow
from connectproxy.http2.sending import ENOUGH, LARGEST
from connectproxy.wire.http2 import ErrorCode, formatReset

if TYPE_CHECKING:
    from connectproxy.http2.connection import Connection

__all__ = ["Stream"]

CHUNKS = 128
"""Pieces that a queue may have; more are put together, since each costs more than its octets."""


@implementer(ITransport, IConsumer, IPushProducer)
class Stream(Inflow):
    """
    One stream, from its request to its end.

    @ivar protocol: what it delivers to.  Before there is a tunnel that is whoever
        answers the request, and nothing is delivered but the loss.
    @ivar resetHere: it was reset from here.
    @ivar writeEnded: our direction has been ended, and the peer told.
    @ivar window: octets that the peer takes on this stream.
    @ivar queue: what waits to be sent; C{queued} says how many octets, and
        at the end, how many were not.
    @ivar waiting: it is among those that take turns.
    @ivar finishing: our direction ends behind what is queued.
    @ivar producerPaused: its producer has been told to wait.
    """

    __slots__ = (
        "__weakref__", "_lastFields", "_offset", "_producer", "finishing", "producerPaused", "queue", "queued",
        "resetHere", "waiting", "window", "writeEnded",
    )  # fmt: skip

    def __init__(self, connection: Connection, number: int, window: int) -> None:
        """
        @param window: octets that the peer takes at first.
        """
        Inflow.__init__(self, connection, number)
        self.window = window
        self._lastFields: list[tuple[bytes, bytes]] | None = None
        self.queue: deque[bytes] = deque()
        self.queued = 0
        self._offset = 0
        self._producer: Any = None
        self.producerPaused = False
        self.waiting = self.finishing = self.writeEnded = self.resetHere = False

    # What goes to the peer.

    def write(self, octets: bytes) -> None:
        """
        See L{ITransport}.
        """
        if self.finishing or self.over or not octets:
            return
        self._connection.sender.data(self, octets)
        if len(self.queue) > CHUNKS:
            self.queue = deque((bytes(self._gather(self.queued)),))
        if self.queued >= ENOUGH and self._producer is not None and not self.producerPaused:
            self.producerPaused = True
            self._producer.pauseProducing()

    def sendHeaders(self, fields: list[tuple[bytes, bytes]], *, end: bool = False) -> None:
        """
        Send the fields of a response; nothing has been written yet.

        @param end: nothing will be.
        """
        self._connection.sendHeaders(self, fields, end=end)
        if end:
            self.finishing = self.writeEnded = True

    def writeLast(self, octets: bytes, trailers: list[tuple[bytes, bytes]] | None = None) -> None:
        """
        Write, and close behind it.

        @param octets: perhaps none.
        @param trailers: fields to send behind them, if there are any.
        """
        if self.finishing or self.over:
            self.loseConnection()
            return
        if octets:
            self.queue.append(octets)
            self.queued += len(octets)
        self._lastFields = trailers or None
        self.loseConnection()

    @property
    def trailing(self) -> bool:
        """Whether there are fields to send behind the octets."""
        return self._lastFields is not None

    def sendTrailers(self) -> None:
        """
        Everything that was queued has been sent: send the trailers, and with them the end.
        """
        self._connection.sendHeaders(self, self._lastFields or [], end=True)

    def writeSequence(self, parts: Any) -> None:
        """
        See L{ITransport}.
        """
        self.write(b"".join(parts))

    def take(self, most: int) -> bytes | memoryview:
        """
        What is next of the queue.

        @param most: how many octets, at most; nothing if it is not positive.
        """
        most = min(most, self.queued)
        if most <= 0:
            return b""
        self.queued -= most
        return self._gather(most)

    def _gather(self, left: int) -> bytes | memoryview:
        """
        Take so many octets off the queue's pieces.
        """
        parts: list[bytes | memoryview] = []
        queue = self.queue
        while left:
            first = queue[0]
            part = (
                memoryview(first)[self._offset : self._offset + left]
                if self._offset or len(first) > left
                else first
            )
            parts.append(part)
            left -= len(part)
            self._offset += len(part)
            if self._offset == len(first):
                queue.popleft()
                self._offset = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def drained(self, end: bool) -> None:
        """
        Something of the queue has been sent.

        @param end: and with it the end of our direction.
        """
        if end:
            self.writeEnded = True
            if self._closing:
                self._close()
        elif self.producerPaused and self.queued * 2 <= ENOUGH:
            self.producerPaused = False
            self._producer.resumeProducing()

    def opened(self, increment: int) -> bool:
        """
        The peer takes more, or, after a change of its settings, less.

        @return: C{False} if it is more than there can be.
        """
        self.window += increment
        if self.window > LARGEST:
            return False
        if self.queued and self.window > 0:
            self._connection.sender.offer(self)
        return True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See L{IConsumer}.

        @param streaming: it is one that is paused, and not one that is asked.
        """
        if self.over:
            producer.stopProducing()
            return
        self._producer = producer
        if self.queued >= ENOUGH:
            self.producerPaused = True
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """
        See L{IConsumer}.
        """
        self._producer = None
        self.producerPaused = False

    # Ends.

    def wasReset(self, code: int | None = None) -> None:
        """
        The peer has reset the stream, or the connection is lost.

        @param code: the peer's reason; L{None} where it is the connection that is lost.
        """
        self._conclude(Failure(ConnectionLost()))

    def stopProducing(self) -> None:
        """
        See L{IPushProducer}: whoever took what came from here has gone.
        """
        self.loseConnection()

    def loseWriteConnection(self) -> None:
        """
        End our direction, behind what is queued.
        """
        if not self.finishing and not self.over:
            self.finishing = True
            self._connection.sender.offer(self)

    def loseConnection(self) -> None:
        """
        See L{ITransport}: close, behind what is queued.
        """
        if self._closing or self.over:
            return
        self._closing = True
        self._held.clear()
        if self.writeEnded:
            self._close()
        else:
            self.loseWriteConnection()

    def _close(self) -> None:
        """
        Our direction has ended, and nobody wants to know of the peer's.  If that is
        still open, the peer is told that it need send no more (RFC 9113 section 8.1).
        """
        if not self.readEnded:
            self._tellReset(ErrorCode.NO_ERROR)
        self._conclude(Failure(ConnectionDone()))

    def abortConnection(self, code: ErrorCode | None = None) -> None:
        """
        Reset the stream, whatever is queued.

        @param code: why; by default what the connection has for it.
        """
        if self.over:
            return
        if code is None:
            code = self._connection.resetCode
        if not (self.readEnded and self.writeEnded):
            self._tellReset(code)
        self._conclude(Failure(ConnectionAborted()))

    def _tellReset(self, code: ErrorCode) -> None:
        """Reset the stream towards the peer."""
        self.resetHere = True
        self._connection.sender.control(formatReset(self.number, code))

    def _conclude(self, reason: Failure) -> None:
        """
        It is over; the protocol hears of it last.
        """
        if self.over:
            return
        self.over = True
        self.queue.clear()
        self._held.clear()
        self._producer = None
        protocol, self.protocol = self.protocol, None
        self._connection.streamOver(self, self._size)
        if protocol is not None:
            protocol.connectionLost(reason)

    def getPeer(self) -> IAddress:
        """See L{ITransport}: where the peer is."""
        return self._connection.getPeer()

    def getHost(self) -> IAddress:
        """See L{ITransport}."""
        host: IAddress = self._connection.transport.getHost()
        return host
