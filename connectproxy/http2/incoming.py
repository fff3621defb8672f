"""
The frames that a peer sends, and what each of them does.

What a mistake ends is decided here: one that is a stream's ends the stream (RFC 9113
section 5.4.2), one that leaves the two sides with different ideas of the connection
ends that (section 5.4.1).  What a peer may send without its moving anything is bounded
by budgets (section 10.5).

What a field section says, and what begins a stream, is for those who have a side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpack import Decoder, HPACKError, OversizedHeaderListError

from connectproxy.http2.floods import Budget
from connectproxy.http2.sending import FRAME
from connectproxy.http2.stream import Stream
from connectproxy.wire.http2 import (
    ErrorCode,
    Fault,
    Flag,
    FrameReader,
    FrameType,
    PeerSettings,
    formatFrame,
    formatReset,
    formatWindowUpdate,
    readSettings,
)

if TYPE_CHECKING:
    from connectproxy.http2.connection import Connection

__all__ = ["CHEAP", "LIST", "Incoming"]

LIST = 65536
"""Octets of a field section, as RFC 9113 section 10.5.1 counts them; as many as in HTTP/1."""

CHEAP = (4000, 400)
"""
Frames that cost a peer nothing and move nothing: as many at once, and then so many a
second.  A browser sends a few a second.
"""

REMEMBERED = 1000
"""Closed streams of which it is known how they ended."""


class Incoming:
    """
    The receiving side of a connection.

    @cvar fromServer: whether the peer is the server.
    @ivar reader: tells frames apart.
    @ivar highest: the number of the latest stream; only clients begin any.
    @ivar peer: what the peer asks for.
    @ivar greeted: the peer's first SETTINGS have come.
    """

    __slots__ = (
        "_cheap",
        "_closed",
        "_connection",
        "_decoder",
        "_frames",
        "greeted",
        "highest",
        "peer",
        "reader",
    )

    fromServer = False

    def __init__(self, connection: Any, now: float, reader: FrameReader) -> None:
        """
        @param connection: a L{Connection}.
        @param now: seconds of the clock.
        """
        self._connection = connection
        self._cheap = Budget(*CHEAP, now)
        self._closed: dict[int, bool] = {}
        self._decoder = Decoder(2 * LIST)
        self._frames = 0
        self.peer = PeerSettings()
        self.reader = reader
        self.highest = 0
        self.greeted = False

    def receive(self, octets: bytes) -> bool:
        """
        Serve the frames in what has come.

        @return: whether there were any.
        """
        connection: Connection = self._connection
        serve, streams, credit = self._SERVE, connection.streams, connection.credit
        any_ = False
        for kind, flags, number, payload, weight in self.reader.receive(octets):
            any_ = True
            if not kind and self.greeted:
                increment = credit.received(weight)
                if increment:
                    connection.sender.control(formatWindowUpdate(0, increment))
                stream = streams.get(number)
                if stream is None or stream.readEnded:
                    self._outOfPlace(number, stream)
                elif not stream.received(payload, weight):
                    self._streamError(stream, ErrorCode.FLOW_CONTROL_ERROR)
                elif flags:
                    if not stream.over:
                        stream.ended()
                elif payload:
                    self._cheap.earn(1)
                else:
                    self._spend(1)
            elif not self.greeted and (kind != FrameType.SETTINGS or flags & Flag.ACK):
                connection.fail(Fault(ErrorCode.PROTOCOL_ERROR, "the first frame is no SETTINGS"))
            elif kind < len(serve):
                serve[kind](self, flags, number, payload)
            else:
                self._spend(1)  # an extension that nobody knows (section 5.5)
            if connection.closing:
                return True
        if self.reader.fault is not None:
            connection.fail(self.reader.fault)
        return any_

    # What depends on the side.

    def section(self, stream: Stream | None, number: int, fields: Any, *, end: bool) -> None:
        """
        A field section has come.

        @param stream: the stream that it came on; L{None} where there is none.
        @param fields: names and values.
        @param end: the peer's direction ends with it.
        """
        raise NotImplementedError

    def wasted(self) -> None:
        """
        A stream has come to nothing by the peer's doing.
        """

    def settled(self) -> None:
        """
        The peer has said what it asks for, for the first time or anew.
        """

    # Budgets, and what is over.

    def _spend(self, tokens: float) -> None:
        """
        The peer has sent what moves nothing.
        """
        if not self._cheap.spend(tokens, self._connection.now()):
            fault = Fault(ErrorCode.ENHANCE_YOUR_CALM, "there are too many frames that move nothing")
            self._connection.fail(fault)

    def served(self) -> None:
        """
        A stream has got what it asked for.
        """
        self._cheap.earn(2)

    def remember(self, number: int, *, reset: bool) -> None:
        """
        A stream is over.  That is known for a while, to tell frames that were on their way
        from those that are mistakes.

        @param reset: we have reset it, so that the peer need not have known.
        """
        closed = self._closed
        closed[number] = reset
        if len(closed) > REMEMBERED:
            del closed[next(iter(closed))]

    def _streamError(self, stream: Stream, code: ErrorCode) -> None:
        """
        A mistake that ends one stream.
        """
        stream.abortConnection(code)
        self.wasted()

    def _isIdle(self, number: int) -> bool:
        """
        Whether a stream has never been begun.
        """
        return number > self.highest or number % 2 == 0

    def _outOfPlace(self, number: int, stream: Stream | None) -> None:
        """
        DATA where there should be none.
        """
        connection = self._connection
        if stream is not None:
            self._streamError(stream, ErrorCode.STREAM_CLOSED)
        elif self._isIdle(number):
            connection.fail(Fault(ErrorCode.PROTOCOL_ERROR, "DATA came on a stream that was not begun"))
        elif self._closed.get(number):
            self._spend(0.1)  # it was on its way when we reset the stream
        else:
            connection.sender.control(formatReset(number, ErrorCode.STREAM_CLOSED))
            self.remember(number, reset=True)
            self._spend(10)

    # What the frames do, by their types.

    def _headers(self, flags: int, number: int, block: bytes) -> None:
        """
        A field block: a request, a response, or trailers.
        """
        try:
            fields: Any = self._decoder.decode(block, raw=True)
        except OversizedHeaderListError:
            self._connection.fail(
                Fault(ErrorCode.ENHANCE_YOUR_CALM, "a field section is far larger than allowed")
            )
            return
        except (HPACKError, IndexError, ValueError, TypeError):  # older releases of hpack let all of them out
            self._connection.fail(Fault(ErrorCode.COMPRESSION_ERROR, "a field block can't be decompressed"))
            return
        stream = self._connection.streams.get(number)
        if stream is not None and stream.readEnded:
            self._streamError(stream, ErrorCode.STREAM_CLOSED)
        else:
            self.section(stream, number, fields, end=bool(flags & Flag.END_STREAM))

    def _priority(self, flags: int, number: int, payload: bytes) -> None:
        """
        Priorities mean nothing any more (section 5.3.2).
        """
        stream = self._connection.streams.get(number)
        if len(payload) != 5 and stream is not None:
            self._streamError(stream, ErrorCode.FRAME_SIZE_ERROR)
        self._spend(1)

    def _rstStream(self, flags: int, number: int, payload: bytes) -> None:
        """
        The peer gives a stream up.
        """
        if len(payload) != 4:
            self._connection.fail(Fault(ErrorCode.FRAME_SIZE_ERROR, "a RST_STREAM has not four octets"))
            return
        if self._isIdle(number):
            self._connection.fail(Fault(ErrorCode.PROTOCOL_ERROR, "a stream is reset that was not begun"))
            return
        stream = self._connection.streams.get(number)
        answered = stream is None or stream.answered
        if stream is not None:
            stream.wasReset(int.from_bytes(payload))
        if answered:
            self._spend(1)
        else:
            self.wasted()

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        """
        What the peer asks for; or it knows what we asked for.
        """
        connection, sender = self._connection, self._connection.sender
        self._spend(1)
        if connection.closing:
            return  # nothing comes behind a goodbye
        if flags & Flag.ACK:
            if payload:
                connection.fail(
                    Fault(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS has a payload")
                )
            else:
                connection.acknowledged()
            return
        asked = readSettings(payload, self.peer, fromServer=self.fromServer)
        if isinstance(asked, Fault):
            connection.fail(asked)
            return
        self.greeted = True
        delta = asked.window - self.peer.window
        self.peer = asked
        sender.frameSize = min(asked.frameSize, FRAME)
        sender.control(formatFrame(FrameType.SETTINGS, Flag.ACK, 0))
        for stream in list(connection.streams.values()) if delta else ():
            if not stream.opened(delta):
                connection.fail(Fault(ErrorCode.FLOW_CONTROL_ERROR, "the SETTINGS make a window too large"))
                return
        self.settled()

    def _pushPromise(self, flags: int, number: int, payload: bytes) -> None:
        """
        A client has nothing to push (section 8.4), and no server has leave to.
        """
        self._connection.fail(
            Fault(ErrorCode.PROTOCOL_ERROR, "a PUSH_PROMISE came, which nobody may send here")
        )

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        """
        Answer; or hear the answer.
        """
        if len(payload) != 8:
            self._connection.fail(Fault(ErrorCode.FRAME_SIZE_ERROR, "a PING has not eight octets"))
            return
        if flags & Flag.ACK:
            self._connection.ponged(payload)
        else:
            self._connection.sender.control(formatFrame(FrameType.PING, Flag.ACK, 0, payload))
        self._spend(1)

    def _goAway(self, flags: int, number: int, payload: bytes) -> None:
        """
        The peer will begin no more streams, or take no more.
        """
        if len(payload) < 8:
            self._connection.fail(Fault(ErrorCode.FRAME_SIZE_ERROR, "a GOAWAY is too short"))
            return
        self._spend(1)
        if not self._connection.closing:
            last, code = int.from_bytes(payload[:4]) & 0x7FFFFFFF, int.from_bytes(payload[4:8])
            self._connection.dismissed(last, code)

    def _windowUpdate(self, flags: int, number: int, payload: bytes) -> None:
        """
        The peer takes more.  Updates that answer to frames of DATA cost nothing.
        """
        connection, sender = self._connection, self._connection.sender
        if len(payload) != 4:
            connection.fail(Fault(ErrorCode.FRAME_SIZE_ERROR, "a WINDOW_UPDATE has not four octets"))
            return
        if self._frames != sender.frames:
            self._cheap.earn(3 * (sender.frames - self._frames))
            self._frames = sender.frames
        self._spend(1)
        increment = int.from_bytes(payload) & 0x7FFFFFFF
        if not number:
            if not increment:
                connection.fail(Fault(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE is of nothing"))
            elif not sender.opened(increment):
                connection.fail(
                    Fault(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window is made too large")
                )
            return
        stream = connection.streams.get(number)
        if stream is not None:
            if not increment:
                self._streamError(stream, ErrorCode.PROTOCOL_ERROR)
            elif not stream.opened(increment):
                self._streamError(stream, ErrorCode.FLOW_CONTROL_ERROR)
        elif self._isIdle(number):
            connection.fail(
                Fault(ErrorCode.PROTOCOL_ERROR, "a window is opened of a stream that was not begun")
            )

    _SERVE: Any = (
        None, _headers, _priority, _rstStream, _settings, _pushPromise, _ping, _goAway, _windowUpdate,
    )  # fmt: skip
    """By type.  DATA is served where it is read, and CONTINUATION is read into HEADERS."""
