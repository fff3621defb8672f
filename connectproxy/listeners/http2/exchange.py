"""
One request on a stream that is forwarded as a message to an origin of HTTP/1.1, and
its response (RFC 9113 section 8, RFC 9110 section 7.6).

Streams both bodies, each only as fast as it is taken.  A response that is cut short
resets the stream and is never ended (RFC 9113 section 8.1.1).

The origin's side is L{connectproxy.origin}'s; how its heads are written is
L{connectproxy.wire.forwarding}'s.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.errors import Refusal
from connectproxy.interfaces import (
    STALE,
    Established,
    ICarriage,
    IInboundExchange,
    Terms,
)
from connectproxy.leg import Leg
from connectproxy.listeners.http2.carriage import Carriage
from connectproxy.origin import OriginConnection
from connectproxy.wire.date import date
from connectproxy.wire.fields import endToEnd
from connectproxy.wire.forwarding import SAFE, HopForm, formatOriginHead
from connectproxy.wire.framing import CHUNKED, NONE, Delimiter, Framing, formatChunk, formatTrailers
from connectproxy.wire.http2 import ErrorCode, readTrailers
from connectproxy.wire.response import ResponseHead

__all__ = ["Exchange"]


@implementer(IInboundExchange, ICarriage)
class Exchange(Carriage):
    """
    One request and its response.
    """

    def begin(self) -> None:
        """
        Hand it to the switchboard.
        """
        stream = self._stream
        stream.protocol = self
        stream.takesTrailers = True
        self._connection.switchboard.forward(self)

    # What the switchboard asks for.

    def idle(self, way: Hashable) -> Established | None:
        """
        See L{IInboundExchange.idle}.
        """
        request = self.request
        self._key = (way, request.destination, request.user)
        self._origin = origin = self._connection.pool.take(self._key, self.message)
        return None if origin is None else origin.established

    def accept(self, established: Established, terms: Terms | None = None) -> Exchange:
        """
        See L{IInboundExchange.accept}.
        """
        self._terms = terms
        self.finished = Deferred()
        origin = self._origin
        if origin is None or origin.established is not established:
            origin = OriginConnection(established, self._clock, self._wheel, self._connection.port.patience)
            self._origin = origin
        self._began = self._connection.now()
        stream = self._stream
        more = self._framing is not NONE
        stream.registerProducer(origin, True)
        form = established.form
        head = self._formatHead(form)
        if form is not None:
            self._sent = head
        origin.begin(
            self,
            self._method.decode("ascii"),
            head,
            more=more,
            upgrade=self._UPGRADE,
            terms=terms,
        )
        if more and self._origin is origin and not origin.blocked:
            stream.resumeProducing()
        return self

    def _formatHead(self, form: HopForm | None) -> bytes:
        """
        The head of the request for the origin, or for a next hop.
        """
        target = self._target
        return formatOriginHead(
            self._method,
            target.path,
            target.hostField,
            self._asked.fields,
            self._connection.switchboard.via,
            received=b"2.0",
            framing=self._framing,
            maxForwards=self._forwards,
            form=form,
        )

    def refuse(self, refusal: Refusal) -> None:
        """
        See L{IInboundExchange.refuse}.
        """
        self._whenLost = None
        self._over = self.refused = True
        self._giveUp()
        self._answer(refusal)

    def whenLost(self, callback: Callable[[], None]) -> None:
        """
        See L{IInboundExchange.whenLost}.
        """
        self._whenLost = callback

    # What the client does.

    def dataReceived(self, octets: bytes) -> None:
        """
        Something of the request's body.
        """
        origin: Any = self._origin
        self._up += len(octets)
        if self._framing is CHUNKED:
            octets = formatChunk(octets)
        elif self._up > self._framing.length:
            self._malformed("the body is longer than its Content-Length")
            return
        origin.write(octets)

    def readConnectionLost(self) -> None:
        """
        That was all of the request's body.
        """
        origin: Any = self._origin
        if self._framing is not CHUNKED:
            if self._up != self._framing.length:
                self._malformed("the body is shorter than its Content-Length")
                return
        else:
            trailers = readTrailers(self._stream.trailers)
            if isinstance(trailers, Refusal):
                self._malformed(trailers.detail)
                return
            origin.write(formatTrailers(trailers))
        origin.finish()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The stream is over: the client has all of the response, or has given up.
        """
        if self._complete:
            whole = reason.check(ConnectionDone) is not None
            self._finish("origin" if whole else "client", "complete" if whole else "reset")
        elif self._origin is not None:
            self._giveUp()
            self._finish("client", "client_gone" if self._status is None else "reset")
        elif self._whenLost is not None:
            whenLost, self._whenLost = self._whenLost, None
            whenLost()

    def overdue(self, now: float) -> None:
        """
        The client does not read the end of the response.
        """
        self._complete = False
        self._cut(ErrorCode.CANCEL)
        self._finish("proxy", "idle_timeout")

    # What the origin says: see ResponseSink.

    def interim(self, head: ResponseHead) -> None:
        """
        An interim response: on to the client.
        """
        self._connection.sendHeaders(self._stream, self._fields(head, NONE))

    def _fields(self, head: ResponseHead, framing: Framing) -> list[tuple[bytes, bytes]]:
        """
        The fields of a response for the client.
        """
        fields = endToEnd(head.fields)
        keeps = framing.kind is Delimiter.LENGTH or (
            framing.kind is Delimiter.NONE and head.status not in (204, 205)
        )
        if not keeps or head.status < 200:
            fields = [field for field in fields if field[0] != b"content-length"]
        if head.status >= 200 and all(name != b"date" for name, _ in fields):
            fields.append((b"date", date()))
        via = b"1.%d %b" % (head.minor, self._connection.switchboard.via)
        return [(b":status", b"%d" % head.status), *fields, (b"via", via)]

    def respond(self, head: ResponseHead, framing: Framing, octets: bytes, done: bool) -> None:
        """
        The final response.
        """
        if head.status == 407:
            self._challenged(head)
            return
        stream = self._stream
        origin: Any = self._origin
        self._status = head.status
        self._connection.incoming.served()
        stream.answered = True
        fields = self._fields(head, framing)
        bare = done and not octets and not origin.trailers
        stream.sendHeaders(fields, end=bare)
        self.content(octets, done)

    def content(self, octets: bytes, done: bool) -> None:
        """
        More of the body.
        """
        stream = self._stream
        self._down += len(octets)
        if not done:
            stream.write(octets)
            return
        origin: Any = self._origin
        self._origin = None
        if origin.reusable:
            self._connection.pool.put(self._key, origin)
        stream.unregisterProducer()
        self._complete = True
        self.within(self._connection.port.patience.silence)
        stream.writeLast(octets, list(origin.trailers))

    def switched(self, head: ResponseHead, leg: Leg) -> None:
        """
        The origin speaks another protocol, which nobody has asked for here.
        """
        leg.transport.abortConnection()  # type: ignore[union-attr]
        self._origin = None
        self._fail(Refusal("http_upgrade_failed", "the origin switched protocols unasked"))

    def failed(self, refusal: Refusal, begun: bool, stale: bool) -> None:
        """
        The origin has failed.
        """
        self._origin = None
        if stale and self._framing is NONE and self._method.decode("ascii") in SAFE:
            self._stream.unregisterProducer()
            self._finish("origin", STALE)
        elif begun:
            late = refusal.kind == "http_response_timeout"
            self._cut(ErrorCode[refusal.row.h2])
            self._finish("proxy" if late else "origin", "idle_timeout" if late else "truncated", refusal)
        else:
            self._fail(refusal)

    def pauseRequest(self) -> None:
        """
        The origin takes no more of the body for now.
        """
        self._stream.pauseProducing()

    def resumeRequest(self) -> None:
        """
        It does again.
        """
        self._stream.resumeProducing()
