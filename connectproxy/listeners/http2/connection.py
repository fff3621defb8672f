"""
A client's HTTP/2 connection (RFC 9113): its beginning and its end, its deadlines, and
the streams that it has.

What arrives is L{connectproxy.listeners.http2.incoming}'s; what a connection has on either
side, and what is sent, is L{connectproxy.http2}'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from connectproxy.errors import Refusal
from connectproxy.http2.connection import Connection
from connectproxy.http2.sending import LARGEST, Sender
from connectproxy.interfaces import Arrival
from connectproxy.listeners.http2.answer import Answer
from connectproxy.listeners.http2.incoming import PING, FromClient
from connectproxy.origin import OriginPool
from connectproxy.sockets import readNow, setNoDelay
from connectproxy.wire.http2 import ErrorCode, Fault, FrameType, formatFrame, formatGoAway
from connectproxy.wire.refusal import explain

if TYPE_CHECKING:
    from connectproxy.http2.stream import Stream
    from connectproxy.listeners.http2.port import HTTP2Port

__all__ = ["HTTP2Connection"]

IDLE = 16
"""How many idle connections to origins a client's connection may leave; it has many requests at once."""


class HTTP2Connection(Connection):
    """
    One client's connection.

    @ivar port: what it shares with the others of its port.
    @ivar arrival: the connection, as what stands before this found it; L{None} until
        it is connected where nothing does.
    @ivar pool: idle connections to origins.
    """

    incoming: FromClient
    _requested = False
    _leaving = False
    _headSince: float | None = None
    _ackSince: float | None = None
    _idleSince: float | None = None
    _pingSince: float | None = None

    def __init__(self, port: HTTP2Port, client: Any, arrival: Arrival | None = None) -> None:
        """
        @param client: the client's address, where C{arrival} does not say it.
        """
        self.port = port
        self.switchboard: Any = port.switchboard
        Connection.__init__(self, self.switchboard.clock, self.switchboard.wheel)
        self.arrival: Any = arrival
        self._client = client
        self.pool = OriginPool(IDLE)

    @property
    def resetCode(self) -> ErrorCode:
        """
        The connection to the destination broke (RFC 9113 section 8.5), unless it is the
        proxy that stops.
        """
        return ErrorCode.CANCEL if self.switchboard.draining else ErrorCode.CONNECT_ERROR

    def getPeer(self) -> IAddress:
        """See L{Connection.getPeer}: the client's address."""
        peer: IAddress = self.arrival.client
        return peer

    # The beginning.

    def connectionMade(self) -> None:
        """
        Say what holds here, and begin to wait for a request.
        """
        port, transport, switchboard = self.port, self.transport, self.switchboard
        port.connections.add(self)
        now = self._headSince = self._ackSince = self.now()
        self.incoming = FromClient(self, now)
        self.sender = Sender(self, transport)
        data = b""
        if self.arrival is None:
            if not port.noDelay:
                setNoDelay(transport)
            self.arrival = Arrival(self._client, port.description, now)
            switchboard.connectionOpened(transport.fileno() if hasattr(transport, "fileno") else -1)
            data = readNow(transport)
        self.sender.control(port.greeting)
        self.watch()
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
            self.watch()
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
            self.watch()

    def emptied(self) -> None:
        """
        See L{Connection.emptied}.
        """
        if self._leaving:
            self.leave()
        else:
            self._idleSince = self.now()
            self.watch()

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
            self.watch()

    def times(self) -> list[float]:
        """
        See L{Connection.times}.
        """
        port = self.port
        every = (
            (self._headSince, port.headTimeout),
            (self._ackSince, port.headTimeout),
            (self._idleSince, port.idleTimeout),
            (self.deafSince, port.idleTimeout),
            (self._pingSince, port.lingerTimeout),
        )
        return [since + seconds for since, seconds in every if since is not None]

    def expired(self, now: float) -> float | None:
        """
        See L{Connection.expired}.
        """
        port = self.port
        if self.closing or (self.deafSince is not None and now >= self.deafSince + port.idleTimeout):
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
            return min(self.times(), default=now) - now or None
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
        self.watch()

    def ponged(self, payload: bytes = PING) -> None:
        """
        The client knows that it is to begin no more streams: name the last.
        """
        if payload == PING and self._pingSince is not None:
            self._pingSince = None
            self.incoming.last = self.incoming.highest
            self.sender.control(formatGoAway(self.incoming.highest, ErrorCode.NO_ERROR))
            self.watch()

    def dismissed(self, last: int, code: int) -> None:
        """
        The client will begin no more streams: close when the last one is over.
        """
        self._leaving = True
        if not self.streams:
            self.leave()

    def leave(self) -> None:
        """
        Close in order: there is nothing more to serve.
        """
        self.goodbye(ErrorCode.NO_ERROR, "", self.port.lingerTimeout)

    def fail(self, fault: Fault) -> None:
        """
        Close because of a mistake of the client's: every stream is lost.
        """
        if not self.closing:
            self.reject(Refusal("http_request_error", f"{fault.detail} ({fault.code.name})"))
            self.goodbye(fault.code, fault.detail, self.port.lingerTimeout)

    def lost(self) -> None:
        """
        See L{Connection.lost}.
        """
        self.pool.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is closed.
        """
        reader = self.incoming.reader
        if not self.closing and not self._requested and reader.unfinished and reader.started:
            self.reject(None)
        self.closing = True
        self.wheel.remove(self)
        self.port.connections.discard(self)
        self.loseStreams()
        self.switchboard.connectionClosed()
