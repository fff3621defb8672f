"""
An answer of the proxy's own on a stream: a refusal, or a page.

Whatever the client sends on the stream meanwhile is of no interest.  It is told so
behind the answer, by a reset that is no error (RFC 9113 section 8.1), unless it has
ended its direction itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from connectproxy.wire.http2 import ErrorCode

if TYPE_CHECKING:
    from connectproxy.http2.stream import Stream
    from connectproxy.listeners.http2.connection import HTTP2Connection

__all__ = ["Answer"]


class Answer:
    """
    Sees an answer off.

    @ivar slot: the wheel's, for the time that the client may take to read it.
    """

    __slots__ = ("_connection", "_stream", "slot")

    def __init__(
        self,
        connection: HTTP2Connection,
        stream: Stream,
        status: int,
        fields: list[tuple[bytes, bytes]],
        body: bytes,
    ) -> None:
        """
        Begin.

        @param fields: names in lower case.
        @param body: the content; for the answer to HEAD, nothing.
        """
        self._connection = connection
        self._stream = stream
        self.slot = 0
        stream.protocol = self
        stream.answered = True
        connection.sendHeaders(stream, [(b":status", b"%d" % status), *fields])
        stream.write(body)
        stream.loseConnection()
        if not stream.over:
            connection.switchboard.wheel.add(self, connection.port.lingerTimeout)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The answer has been sent, or nobody wants it.
        """
        self._connection.switchboard.wheel.remove(self)

    def expired(self, now: float) -> None:
        """
        The client does not read it.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        self._stream.abortConnection(ErrorCode.CANCEL)
