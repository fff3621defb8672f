"""
The frames that a client sends: what begins a stream, and what costs more than it moves.

What the frames do on either side is L{connectproxy.http2.incoming}'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectproxy.http2.floods import Budget
from connectproxy.http2.incoming import Incoming
from connectproxy.http2.stream import Stream
from connectproxy.listeners.http2.request import Requests
from connectproxy.wire.http2 import ErrorCode, Fault, FrameReader, formatReset

if TYPE_CHECKING:
    from connectproxy.listeners.http2.connection import HTTP2Connection

__all__ = ["PING", "RESETS", "FromClient"]

PING = b"drained?"
"""What is sent behind the first GOAWAY: whoever answers has read that."""

RESETS = (500, 50)
"""Streams that come to nothing by the client's doing: as many at once, and then so many a second."""


class FromClient(Incoming):
    """
    The receiving side of a client's connection.

    @ivar last: streams with higher numbers than this have been declined; L{None}
        while none are.
    """

    __slots__ = ("_requests", "_resets", "last")

    def __init__(self, connection: HTTP2Connection, now: float) -> None:
        """
        @param now: seconds of the clock.
        """
        Incoming.__init__(self, connection, now, FrameReader())
        self._resets = Budget(*RESETS, now)
        self._requests = Requests(connection)
        self.last: int | None = None

    def wasted(self) -> None:
        """
        A stream has come to nothing by the client's doing.
        """
        if not self._resets.spend(1, self._connection.now()):
            fault = Fault(ErrorCode.ENHANCE_YOUR_CALM, "there are too many streams that come to nothing")
            self._connection.fail(fault)

    def section(self, stream: Stream | None, number: int, fields: Any, *, end: bool) -> None:
        """
        A request, or trailers.
        """
        if stream is None:
            self._begin(number, fields, end)
        elif not stream.takesTrailers or not end:
            self._streamError(stream, ErrorCode.PROTOCOL_ERROR)
        else:
            stream.ended(fields)

    def _begin(self, number: int, fields: list[tuple[bytes, bytes]], end: bool) -> None:
        """
        A new stream, if it may be.
        """
        connection = self._connection
        if not self._isIdle(number) or number % 2 == 0:
            reset = self._closed.get(number)
            if reset:
                self._spend(1)  # trailers that were on their way when we reset the stream
                return
            code = ErrorCode.PROTOCOL_ERROR if reset is None else ErrorCode.STREAM_CLOSED
            connection.fail(
                Fault(code, "a stream is begun with a number that was used, or that is not a client's")
            )
            return
        self.highest = number
        if len(connection.streams) >= connection.port.mostStreams or self.last is not None:
            self.remember(number, reset=True)
            connection.sender.control(formatReset(number, ErrorCode.REFUSED_STREAM))
            self.wasted()
            return
        stream = Stream(connection, number, self.peer.window)
        stream.readEnded = end
        connection.begun(stream)
        self._requests.begin(stream, fields)
