"""
A client's HTTP/2 connection (RFC 9113): its beginning and its end, its deadlines, and
the streams that it has.

What arrives is L{connectproxy.listeners.http2.incoming}'s, what is sent is
L{connectproxy.listeners.http2.sending}'s.

Of the h2 package only the HPACK is used.  Its connection takes and sends nothing more
behind a GOAWAY in either direction, so that nothing could end in order; a malformed
request is to it the end of every other stream; and it has more work with a frame of
DATA than all the rest of the way of its octets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpack import Encoder
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival
from connectproxy.listeners.http2.answer import Answer
from connectproxy.listeners.http2.credit import Credit
from connectproxy.listeners.http2.incoming import PING, Incoming
from connectproxy.listeners.http2.sending import LARGEST, Sender
from connectproxy.origin import OriginPool
from connectproxy.sockets import readNow, setNoDelay
from connectproxy.wire.http2 import ErrorCode, Fault, FrameType, formatFrame, formatGoAway, formatHeaders
from connectproxy.wire.refusal import explain

if TYPE_CHECKING:
    from connectproxy.listeners.http2.port import HTTP2Port
    from connectproxy.listeners.http2.stream import Stream

__all__ = ["HTTP2Connection"]

IDLE = 16
"""How many idle connections to origins a client's connection may leave; it has many requests at once."""


class HTTP2Connection(Protocol):
    """
    One client's connection.

    @ivar port: what it shares with the others of its port.
    @ivar arrival: the connection, as what stands before this found it; L{None} until
        it is connected where nothing does.
    @ivar streams: those that are not over, by their numbers.
    @ivar incoming: its receiving side.
    @ivar sender: its sending side.
    @ivar credit: what the client may send.
    @ivar pool: idle connections to origins.
    @ivar encoder: writes the fields of answers.  It has no table: one that the answers of
        several origins shared would let each find out what is in the others' (RFC 7541
        section 7.1).
    @ivar closing: nothing is read any more.
    @ivar slot: the wheel's, for every deadline of the connection's own.
    """

    transport: Any
    incoming: Incoming
    sender: Sender
    slot = 0
    closing = False
    _requested = False
    _leaving = False
    _headSince: float | None = None
    _ackSince: float | None = None
    _idleSince: float | None = None
    _deafSince: float | None = None
    _pingSince: float | None = None

    def __init__(self, port: HTTP2Port, client: Any, arrival: Arrival | None = None) -> None:
        """
        @param client: the client's address, where C{arrival} does not say it.
        """
        self.port = port
        self.switchboard: Any = port.switchboard
        self.now = self.switchboard.clock.seconds
        self.arrival: Any = arrival
        self._client = client
        self.streams: dict[int, Stream] = {}
        self.credit = Credit()
        self.pool = OriginPool(IDLE)
        self.encoder = Encoder()
        self.encoder.header_table_size = 0

    # The beginning.

    def connectionMade(self) -> None:
        """
        Say what holds here, and begin to wait for a request.
        """
        port, transport, switchboard = self.port, self.transport, self.switchboard
        port.connections.add(self)
        now = self._headSince = self._ackSince = self.now()
        self.incoming = Incoming(self, now)
        self.sender = Sender(self, transport)
        data = b""
        if self.arrival is None:
            if not port.noDelay:
                setNoDelay(transport)
            self.arrival = Arrival(self._client, port.description, now)
            switchboard.connectionOpened(transport.fileno() if hasattr(transport, "fileno") else -1)
            data = readNow(transport)
        self.sender.control(port.greeting)
        self._watch()
        if data:
            self.dataReceived(data)

    def dataReceived(self, data: bytes) -> None:
        """
        Serve what has come; and see that a head that has begun also ends.
        """
        if self.closing:
            return
        progress = self.incoming.receive(data)
        if not self._requested or self.closing:
            return
        if not self.incoming.reader.unfinished:
            self._headSince = None
        elif self._headSince is None:
            self._headSince = self.now()
            self._watch()
        elif progress:
            self._headSince = self.now()

    # Streams.

    def begun(self, stream: Stream) -> None:
        """
        There is a stream more.
        """
        self.streams[stream.number] = stream
        if not self._requested or self._idleSince is not None:
            self._requested = True
            self._headSince = self._idleSince = None
            self._watch()

    def streamOver(self, stream: Stream, size: int) -> None:
        """
        A stream is over.

        @param size: what its receiving window had become.
        """
        self.credit.closed(size)
        self.streams.pop(stream.number, None)
        self.incoming.remember(stream.number, reset=stream.resetHere)
        if not self.streams and not self.closing:
            if self._leaving:
                self.leave()
            else:
                self._idleSince = self.now()
                self._watch()

    def sendHeaders(self, stream: Stream, fields: list[tuple[bytes, bytes]], *, end: bool = False) -> None:
        """
        Send a field section on a stream.

        @param end: it is the last that is sent there; nothing must be queued.
        """
        block = self.encoder.encode(fields, huffman=False)
        self.sender.control(formatHeaders(stream.number, block, self.sender.frameSize, end=end))

    def refuse(
        self,
        stream: Stream,
        refusal: Refusal,
        asked: tuple[tuple[bytes, bytes], ...],
        target: str = "",
        *,
        withBody: bool = True,
    ) -> None:
        """
        Answer on a stream with a refusal.

        @param asked: as L{explain} takes it.
        @param target: likewise.
        @param withBody: C{False} for the answer to HEAD.
        """
        fields, body = explain(refusal, self.port.identifier, asked, target)
        encoded = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in fields]
        Answer(self, stream, refusal.row.status, encoded, body if withBody else b"")

    def reject(self, refusal: Refusal | None, method: str | None = None, target: str | None = None) -> None:
        """
        Have an event written for what never became a request.
        """
        arrival = self.arrival
        arrived = self.now() if self._requested else arrival.arrived
        self.switchboard.rejected(
            refusal, arrival.client, arrival.listener, "h2", arrived, method, target, arrival
        )

    # Deadlines.

    def acknowledged(self) -> None:
        """
        The client knows our SETTINGS.
        """
        if self._ackSince is not None:
            self._ackSince = None
            self._watch()

    def deafen(self) -> None:
        """
        More waits for the client to read it than a client may cause: read nothing.
        """
        self._deafSince = self.now()
        self.transport.pauseProducing()
        self._watch()

    def listen(self) -> None:
        """
        The client has read it.
        """
        self._deafSince = None
        self.transport.resumeProducing()
        self._watch()

    def _times(self) -> list[float]:
        """
        The deadlines that there are, in seconds of the clock.
        """
        port = self.port
        every = (
            (self._headSince, port.headTimeout),
            (self._ackSince, port.headTimeout),
            (self._idleSince, port.idleTimeout),
            (self._deafSince, port.idleTimeout),
            (self._pingSince, port.lingerTimeout),
        )
        return [since + seconds for since, seconds in every if since is not None]

    def _watch(self) -> None:
        """
        Set the deadline that comes first.
        """
        wheel = self.switchboard.wheel
        wheel.remove(self)
        times = self._times()
        if times:
            wheel.add(self, min(times) - self.now())

    def expired(self, now: float) -> float | None:
        """
        A deadline has come, unless what it was for has happened meanwhile.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        port = self.port
        if self.closing or (self._deafSince is not None and now >= self._deafSince + port.idleTimeout):
            self.transport.abortConnection()
        elif self._headSince is not None and now >= self._headSince + port.headTimeout:
            if self.incoming.reader.unfinished and self.incoming.reader.started:
                words = f"there was no whole head after {port.headTimeout:g} s"
                self.reject(Refusal("http_request_timeout", words))
            self.leave()
        elif self._ackSince is not None and now >= self._ackSince + port.headTimeout:
            self.fail(Fault(ErrorCode.SETTINGS_TIMEOUT, "the SETTINGS were not acknowledged"))
        elif self._idleSince is not None and now >= self._idleSince + port.idleTimeout:
            self.leave()
        elif self._pingSince is not None and now >= self._pingSince + port.lingerTimeout:
            self.ponged()
        else:
            return min(self._times(), default=now) - now or None
        return None

    # The end.

    def stop(self) -> None:
        """
        The proxy is being stopped.  Two GOAWAY are sent, so that no stream is lost that
        the client has begun before it knew (RFC 9113 section 6.8).
        """
        if self.closing or self._pingSince is not None or self.incoming.last is not None:
            return
        if not self.streams:
            self.leave()
            return
        self._leaving = True
        self._pingSince = self.now()
        self.sender.control(
            formatGoAway(LARGEST, ErrorCode.NO_ERROR) + formatFrame(FrameType.PING, 0, 0, PING)
        )
        self._watch()

    def ponged(self) -> None:
        """
        The client knows that it is to begin no more streams: name the last.
        """
        if self._pingSince is not None:
            self._pingSince = None
            self.incoming.last = self.incoming.highest
            self.sender.control(formatGoAway(self.incoming.highest, ErrorCode.NO_ERROR))
            self._watch()

    def leaveWhenDone(self) -> None:
        """
        Close when the last stream is over.
        """
        self._leaving = True
        if not self.streams:
            self.leave()

    def leave(self) -> None:
        """
        Close in order: there is nothing more to serve.
        """
        self._end(ErrorCode.NO_ERROR, "")

    def fail(self, fault: Fault) -> None:
        """
        Close because of a mistake of the client's: every stream is lost.
        """
        if not self.closing:
            self.reject(Refusal("http_request_error", f"{fault.detail} ({fault.code.name})"))
            self._end(fault.code, fault.detail)

    def _end(self, code: ErrorCode, words: str) -> None:
        """
        Say goodbye, and close when that has been written.
        """
        self.closing = True
        transport, wheel = self.transport, self.switchboard.wheel
        transport.write(formatGoAway(self.incoming.highest, code, words))
        transport.unregisterProducer()
        transport.resumeProducing()
        if ISSLTransport.providedBy(transport):
            transport.loseConnection()
        else:
            transport.loseWriteConnection()  # a reset could overtake the goodbye
        wheel.remove(self)
        wheel.add(self, self.port.lingerTimeout)
        self._loseStreams()

    def _loseStreams(self) -> None:
        """
        Every stream is lost, and whoever has one resets what it leads to.
        """
        self.sender.blocked = True
        self.pool.close()
        for stream in list(self.streams.values()):
            stream.wasReset()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed.
        """
        reader = self.incoming.reader
        if not self.closing and not self._requested and reader.unfinished and reader.started:
            self.reject(None)
        self.closing = True
        self.switchboard.wheel.remove(self)
        self.port.connections.discard(self)
        self._loseStreams()
        self.switchboard.connectionClosed()
