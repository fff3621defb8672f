"""
What an exchange of messages on a stream is made of, and how it comes to its end.

Owns what becomes of the stream and of the origin's connection when the response is
never begun, cut short or not read, and what is told of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from connectproxy.errors import Refusal
from connectproxy.interfaces import STALE, ITunnel, Outcome, Phase, Terms, TunnelRequest
from connectproxy.origin import Deadline, OriginConnection
from connectproxy.wire.framing import CHUNKED, NONE, Delimiter, Framing
from connectproxy.wire.http2 import ErrorCode, RequestFields
from connectproxy.wire.response import ResponseHead
from connectproxy.wire.target import Target

if TYPE_CHECKING:
    from connectproxy.http2.stream import Stream
    from connectproxy.listeners.http2.connection import HTTP2Connection

__all__ = ["Carriage"]


class Carriage(Deadline):
    """
    One request and its response, as far as it has come.

    @ivar request: what the switchboard judges.
    @ivar refused: it was, and nothing has been asked for at the origin.
    @ivar finished: see L{ICarriage<connectproxy.interfaces.ICarriage>}.
    @ivar relayName: likewise.
    @cvar _METHOD: what the origin is asked with instead of the request's method.
    @cvar _UPGRADE: whether the origin is offered another protocol.
    """

    relayName = "forward"
    finished: Deferred[Outcome]
    _METHOD = b""
    _UPGRADE = False

    def __init__(
        self,
        connection: HTTP2Connection,
        stream: Stream,
        asked: RequestFields,
        target: Target,
        forwards: int | None,
    ) -> None:
        """
        @param forwards: the new value of C{Max-Forwards}.
        """
        arrival = connection.arrival
        switchboard = connection.switchboard
        self._clock = switchboard.clock
        self._wheel = switchboard.wheel
        self._connection = connection
        self._stream = stream
        self._asked = asked
        self._target = target
        self._forwards = forwards
        self._framing = self._frame()
        self._origin: OriginConnection | None = None
        self._tunnel: ITunnel | None = None
        self._whenLost: Callable[[], None] | None = None
        self._key: Any = None
        self._terms: Terms | None = None
        self._sent = b""
        self._status: int | None = None
        self._up = self._down = 0
        self._began = 0.0
        self._repeats = self._complete = self._over = self.refused = False
        self._method = self._METHOD or asked.method
        self.request = TunnelRequest(
            target.destination,
            arrival.client,
            arrival.listener,
            "h2",
            asked.method.decode("ascii"),
            asked.fields,
            connection.now(),
            None,
            arrival,
            b"%b://%b%b" % (asked.scheme, asked.authority, b"" if asked.path == b"*" else asked.path),
        )

    def _frame(self) -> Framing:
        """
        What delimits the request's body towards the origin.
        """
        length = self._asked.length
        if self._stream.readEnded:
            return NONE if length is None else Framing(Delimiter.LENGTH, 0)
        return CHUNKED if length is None else Framing(Delimiter.LENGTH, length)

    @property
    def message(self) -> bool:
        """See L{IInboundExchange<connectproxy.interfaces.IInboundExchange>}."""
        return not self._UPGRADE

    def _challenged(self, head: ResponseHead) -> None:
        """
        The response is a 407.  It never goes on: the client would take it for ours.  A next hop
        is asked once more if that makes sense, and nothing of the body has gone there.
        """
        origin: Any = self._origin
        stream = self._stream
        form = origin.established.form
        if form is None:
            self._fail(Refusal("http_protocol_error", "the status is 407, which is for proxies"))
            return
        unsent = self._framing is NONE or not (self._up or stream.readEnded)
        if form.challenged(head, self._sent) and unsent and not self._repeats:
            self._repeats = True
            stream.pauseProducing()
            self._giveUp()
            self._finish("origin", STALE)
        else:
            self._fail(form.refusal(head))

    def _malformed(self, detail: str) -> None:
        """
        The request turns out to be none (RFC 9113 section 8.1.1).
        """
        refusal = Refusal("http_request_error", detail)
        self._cut(ErrorCode[refusal.row.h2])
        self._finish("client", "truncated", refusal)
        self._connection.incoming.wasted()

    def _fail(self, refusal: Refusal) -> None:
        """
        There is no response; say why.
        """
        self._giveUp()
        self._status = refusal.row.status
        self._finish("origin", "refused", refusal)
        self._answer(refusal)

    def _answer(self, refusal: Refusal) -> None:
        """
        Answer a refusal.
        """
        asked, target = self._asked.fields, str(self._target.destination)
        self._connection.refuse(self._stream, refusal, asked, target, withBody=self._method != b"HEAD")

    def _giveUp(self) -> None:
        """
        There is no use for the origin any more.
        """
        self._stream.unregisterProducer()
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.abort()

    def _cut(self, code: ErrorCode) -> None:
        """
        Reset the stream, and the origin.
        """
        self._over = True
        self._whenLost = None
        self._giveUp()
        self._stream.abortConnection(code)

    def abort(self, kind: str) -> None:
        """
        See L{ITunnel.abort}.
        """
        if self._tunnel is not None:
            self._tunnel.abort(kind)
        elif not self._over:
            self._complete = False
            self._cut(ErrorCode.CANCEL)
            self._finish("proxy", kind)

    def _finish(self, endedBy: str, kind: str, refusal: Refusal | None = None) -> None:
        """
        Tell how it went.
        """
        if kind != STALE:
            self._whenLost = None
            self._over = True
        self.forget()
        seconds = self._connection.now() - self._began
        self.finished.callback(
            Outcome(endedBy, Phase.RELAYING, kind, self._up, self.bytesDown, seconds, self._status, refusal)
        )

    @property
    def bytesUp(self) -> int:
        """Octets of the request's content that have gone to the origin."""
        return self._up if self._tunnel is None else self._tunnel.bytesUp

    @property
    def bytesDown(self) -> int:
        """Octets of the response's content that have gone to the client."""
        return self._down - self._stream.queued if self._tunnel is None else self._tunnel.bytesDown
