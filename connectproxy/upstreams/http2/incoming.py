"""
The frames that a next hop sends.

What the frames do on either side is L{connectproxy.http2.incoming}'s.  A tunnel has no
fields behind its answer (RFC 9113 section 8.5), and a next hop begins no streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectproxy.http2.incoming import Incoming
from connectproxy.wire.http2 import ErrorCode, Fault, FrameReader

if TYPE_CHECKING:
    from connectproxy.http2.stream import Stream
    from connectproxy.upstreams.http2.opening import Opening

__all__ = ["FromHop"]


class FromHop(Incoming):
    """
    The receiving side of a connection to a next hop.
    """

    __slots__ = ()

    fromServer = True

    def __init__(self, connection: Opening, now: float) -> None:
        """
        @param now: seconds of the clock.
        """
        Incoming.__init__(self, connection, now, FrameReader(b""))

    def section(self, stream: Stream | None, number: int, fields: Any, *, end: bool) -> None:
        """
        An answer.
        """
        if stream is not None:
            if stream.answered:
                self._streamError(stream, ErrorCode.PROTOCOL_ERROR)
            else:
                self._spend(1)
                stream.protocol.answered(fields, end=end)
        elif self._isIdle(number):
            self._connection.fail(
                Fault(ErrorCode.PROTOCOL_ERROR, "an answer came on a stream that was not begun")
            )
        else:
            self._spend(1)  # it was on its way when we reset the stream

    def settled(self) -> None:
        """
        See L{Incoming.settled}.
        """
        self._connection.settled()
