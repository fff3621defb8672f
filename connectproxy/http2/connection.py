"""
What a connection has whichever side it is on (RFC 9113): its streams, its deadlines, and
its end.

What arrives is L{connectproxy.http2.incoming}'s, what is sent is
L{connectproxy.http2.sending}'s.

Of the h2 package only the HPACK is used.  Its connection takes and sends nothing more
behind a GOAWAY in either direction, so that nothing could end in order; a malformed
message is to it the end of every other stream; and it has more work with a frame of
DATA than all the rest of the way of its octets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hpack import Encoder
from twisted.internet.interfaces import IAddress, IReactorTime, ISSLTransport
from twisted.internet.protocol import Protocol

from connectproxy.http2.credit import Credit
from connectproxy.http2.sending import Sender
from connectproxy.wheel import Wheel
from connectproxy.wire.http2 import ErrorCode, Fault, formatGoAway, formatHeaders

if TYPE_CHECKING:
    from connectproxy.http2.incoming import Incoming
    from connectproxy.http2.stream import Stream

__all__ = ["Connection"]


class Connection(Protocol):
    """
    One connection.

    @ivar now: tells the time.
    @ivar wheel: keeps its deadlines.
    @ivar streams: those that are not over, by their numbers.
    @ivar incoming: its receiving side.
    @ivar sender: its sending side.
    @ivar credit: what the peer may send.
    @ivar encoder: writes fields.  It has no table: one that the messages of several
        streams shared would let each find out what is in the others' (RFC 7541 section
        7.1).
    @ivar closing: nothing is read any more.
    @ivar slot: the wheel's, for every deadline of the connection's own.
    @ivar deafSince: when it stopped reading, since more waits for the peer to read it than
        a peer may cause; L{None} while it reads.
    """

    transport: Any
    incoming: Incoming
    sender: Sender
    slot = 0
    closing = False
    deafSince: float | None = None

    def __init__(self, clock: IReactorTime, wheel: Wheel) -> None:
        self.now = clock.seconds
        self.wheel = wheel
        self.streams: dict[int, Stream] = {}
        self.credit = Credit()
        self.encoder = Encoder()
        self.encoder.header_table_size = 0

    # What depends on the side.

    @property
    def resetCode(self) -> ErrorCode:
        """Why a stream is reset that breaks, or is given up."""
        raise NotImplementedError

    def getPeer(self) -> IAddress:
        """
        Where the peer is, for whoever has a stream.
        """
        raise NotImplementedError

    def times(self) -> Iterable[float]:
        """
        The deadlines that there are, in seconds of the clock.
        """
        raise NotImplementedError

    def emptied(self) -> None:
        """
        The last stream is over.
        """
        raise NotImplementedError

    def fail(self, fault: Fault) -> None:
        """
        Close because of a mistake of the peer's: every stream is lost.
        """
        raise NotImplementedError

    def dismissed(self, last: int, code: int) -> None:
        """
        The peer has sent a GOAWAY.

        @param last: the number of the last stream that it has served, or may yet serve.
        @param code: why.
        """
        raise NotImplementedError

    def acknowledged(self) -> None:
        """
        The peer knows our SETTINGS.
        """

    def ponged(self, payload: bytes) -> None:
        """
        The peer has answered a PING.

        @param payload: eight octets.
        """

    def lost(self) -> None:
        """
        Every stream is going to be lost.
        """

    # Streams.

    def streamOver(self, stream: Stream, size: int) -> None:
        """
        A stream is over.

        @param size: what its receiving window had become.
        """
        self.credit.closed(size)
        self.streams.pop(stream.number, None)
        self.incoming.remember(stream.number, reset=stream.resetHere)
        if not self.streams and not self.closing:
            self.emptied()

    def sendHeaders(self, stream: Stream, fields: Any, *, end: bool = False) -> None:
        """
        Send a field section on a stream.

        @param fields: names and values.
        @param end: it is the last that is sent there; nothing must be queued.
        """
        block = self.encoder.encode(fields, huffman=False)
        self.sender.control(formatHeaders(stream.number, block, self.sender.frameSize, end=end))

    # Deadlines.

    def deafen(self) -> None:
        """
        More waits for the peer to read it than a peer may cause: read nothing.
        """
        self.deafSince = self.now()
        self.transport.pauseProducing()
        self.watch()

    def listen(self) -> None:
        """
        The peer has read it.
        """
        self.deafSince = None
        self.transport.resumeProducing()
        self.watch()

    def watch(self) -> None:
        """
        Set the deadline that comes first.
        """
        self.wheel.remove(self)
        first = min(self.times(), default=None)
        if first is not None:
            self.wheel.add(self, max(0.0, first - self.now()))

    def expired(self, now: float) -> float | None:
        """
        A deadline has come, unless what it was for has happened meanwhile.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        raise NotImplementedError

    # The end.

    def goodbye(self, code: ErrorCode, words: str, seconds: float) -> None:
        """
        Say goodbye, and close when that has been written.

        @param words: as L{formatGoAway} takes them.
        @param seconds: how long the peer may take to close.
        """
        self.closing = True
        transport, wheel = self.transport, self.wheel
        taken = 0 if self.incoming.fromServer else self.incoming.highest  # servers begin none
        transport.write(formatGoAway(taken, code, words))
        transport.unregisterProducer()
        transport.resumeProducing()
        if ISSLTransport.providedBy(transport):
            transport.loseConnection()
        else:
            transport.loseWriteConnection()  # a reset could overtake the goodbye
        wheel.remove(self)
        wheel.add(self, seconds)
        self.loseStreams()

    def loseStreams(self) -> None:
        """
        Every stream is lost, and whoever has one resets what it leads to.
        """
        self.sender.blocked = True
        self.lost()
        for stream in list(self.streams.values()):
            stream.wasReset()
