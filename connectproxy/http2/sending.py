"""
What a connection sends: streams take turns, and nothing grows without bound.

There are three things that can hold octets back: a stream's window, the
connection's window (RFC 9113 section 5.2), and the transport, which says so as to a
producer.  While none does, what a stream is given is framed and written at once.
Otherwise it waits in the stream's own queue, whose producer is paused when there is
enough; and when there is room again, the streams that wait take turns, so that none
is delayed by more than one turn of each other.

Control frames overtake all that.  How many of them the transport holds depends on
what the peer sends; so while more than L{CONTROL} octets of them wait, nothing is
read from the peer.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from connectproxy.wire.http2 import PeerSettings, formatData

if TYPE_CHECKING:
    from connectproxy.http2.connection import Connection
    from connectproxy.http2.stream import Stream

__all__ = ["CONTROL", "ENOUGH", "FRAME", "LARGEST", "TURN", "Sender"]

LARGEST = 2**31 - 1
"""The largest window that there can be (RFC 9113 section 6.9.1)."""

FRAME = 65536
"""Octets of a frame's payload at most, whatever the peer would take: as much as is read at once."""

TURN = 65536
"""
Octets that a stream may send before it is another's turn: as many as a transport holds.  The
smaller it is, the more of what is written ends with a small record where there is TLS.
"""

ENOUGH = 65536
"""Octets waiting in a stream's queue from which on its producer is paused; as in Twisted's transports."""

CONTROL = 65536
"""Octets of control frames that may wait for the peer to read them."""


@implementer(IPushProducer)
class Sender:
    """
    The sending side of a connection.

    @ivar window: octets that the peer takes on the connection.
    @ivar frameSize: octets of a frame's payload at most.
    @ivar blocked: the transport has had enough for now.
    @ivar frames: how often octets of a stream have been sent.
    """

    __slots__ = ("_connection", "_control", "_pumping", "_ready", "_transport", "blocked", "frameSize", "frames",
                 "window")  # fmt: skip

    def __init__(self, connection: Connection, transport: Any) -> None:
        self._connection = connection
        self._transport = transport
        self._ready: deque[Stream] = deque()
        self._pumping = False
        self._control = 0
        self.window = PeerSettings().window
        self.frameSize = PeerSettings().frameSize
        self.blocked = False
        self.frames = 0
        transport.registerProducer(self, True)

    def control(self, octets: bytes) -> None:
        """
        Send control frames, ahead of everything that waits.
        """
        self._transport.write(octets)
        if self.blocked:
            before = self._control
            self._control = before + len(octets)
            if before <= CONTROL < self._control:
                self._connection.deafen()

    def data(self, stream: Stream, octets: bytes) -> None:
        """
        Send octets of a stream, or queue them.
        """
        length = len(octets)
        if self.blocked or stream.queued or length > stream.window or length > self.window or self._ready:
            stream.queue.append(octets)
            stream.queued += length
            self.offer(stream)
            return
        stream.window -= length
        self.window -= length
        self.frames += 1
        self._transport.write(formatData(stream.number, octets, self.frameSize))

    def offer(self, stream: Stream) -> None:
        """
        A stream has something to send, or something more.
        """
        if not stream.waiting and (stream.window > 0 or not stream.queued):
            stream.waiting = True
            self._ready.append(stream)
        self.pump()

    def forget(self, stream: Stream) -> None:
        """
        Whatever a stream had to send, nobody wants it any more.
        """
        if stream.waiting:
            stream.waiting = False
            self._ready.remove(stream)

    def pump(self) -> None:
        """
        Let the streams that wait take turns, for as long as the peer takes it.
        """
        if self._pumping:
            return
        self._pumping = True
        ready = self._ready
        try:
            while ready and not self.blocked:
                stream = ready[0]
                if stream.queued and self.window <= 0:
                    break
                ready.popleft()
                if stream.over:
                    stream.waiting = False
                    continue
                octets = stream.take(min(TURN, stream.window, self.window))
                length = len(octets)
                stream.window -= length
                self.window -= length
                self.frames += 1
                end = stream.finishing and not stream.queued
                if end and stream.trailing:
                    if length:
                        self._transport.write(formatData(stream.number, octets, self.frameSize))
                    stream.sendTrailers()
                elif length or end:
                    self._transport.write(formatData(stream.number, octets, self.frameSize, end=end))
                stream.waiting = bool(stream.queued) and stream.window > 0
                if stream.waiting:
                    ready.append(stream)
                stream.drained(end)
        finally:
            self._pumping = False

    def opened(self, increment: int) -> bool:
        """
        The peer takes more on the connection.

        @return: C{False} if it is more than there can be.
        """
        self.window += increment
        if self.window > LARGEST:
            return False
        if self._ready:
            self.pump()
        return True

    def pauseProducing(self) -> None:
        """
        See L{IPushProducer}: the transport holds as much as it likes to.
        """
        self.blocked = True

    def resumeProducing(self) -> None:
        """
        See L{IPushProducer}: the transport has written what it held.
        """
        self.blocked = False
        if self._control > CONTROL:
            self._connection.listen()
        self._control = 0
        self.pump()

    def stopProducing(self) -> None:
        """
        See L{IPushProducer}: the connection is lost, and hears so next.
        """
        self.blocked = True
