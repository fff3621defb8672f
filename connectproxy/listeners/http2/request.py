"""
What a request on a stream asks for, and who serves it.

HTTP/2 has no origin form by which a client could say that it means the proxy itself:
what it has connected to is what C{:scheme} and C{:authority} have to name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectproxy.address import Destination, parseAuthority
from connectproxy.errors import Refusal
from connectproxy.interfaces import TunnelRequest
from connectproxy.listeners.http2.answer import Answer
from connectproxy.listeners.http2.exchange import Exchange
from connectproxy.listeners.http2.tunnel import InboundStream
from connectproxy.listeners.http2.websocket import WebSocket
from connectproxy.page import ALLOW, isOwn, page, readHost
from connectproxy.wire.date import date
from connectproxy.wire.forwarding import UPGRADE, loops, maxForwards
from connectproxy.wire.grammar import Limits, escape
from connectproxy.wire.http1 import RequestHead
from connectproxy.wire.http2 import ErrorCode, RequestFields, readRequest
from connectproxy.wire.target import Target, readAuthority

if TYPE_CHECKING:
    from connectproxy.http2.stream import Stream
    from connectproxy.listeners.http2.connection import HTTP2Connection

__all__ = ["Requests"]

_LIMITS = Limits()
_LOOP = Refusal("proxy_loop_detected", "the request has been here before, as its Via or CDN-Loop says")


class Requests:
    """
    Serves the requests of a connection.
    """

    __slots__ = ("_connection", "_reached")

    def __init__(self, connection: HTTP2Connection) -> None:
        self._connection = connection
        self._reached: Any = None

    def begin(self, stream: Stream, section: list[tuple[bytes, bytes]]) -> None:
        """
        A request has come.

        @param section: its fields, as they were sent.
        """
        request = readRequest(section)
        if isinstance(request, Refusal):
            self._malformed(stream, request)
            return
        octets = sum([len(name) + len(value) + 32 for name, value in section])
        if octets > _LIMITS.section or len(request.fields) > _LIMITS.fields:
            words = f"{len(request.fields)} fields with {octets} octets"
            self._reject(stream, request, Refusal("http_request_fields_too_large", words))
        elif request.method == b"CONNECT" and not request.protocol:
            self._connect(stream, request)
        elif stream.readEnded and request.length:
            words = "the body is shorter than its Content-Length"
            self._malformed(stream, Refusal("http_request_error", words))
        elif request.method == b"CONNECT" and request.protocol != UPGRADE:
            words = f"the protocol {escape(request.protocol)} is not served in a CONNECT, only websocket"
            self._reject(stream, request, Refusal("http_method_not_implemented", words))
        elif request.scheme == b"http":
            self._forward(stream, request)
        elif request.scheme == b"https" and self._isOwn(request, readHost(request.authority, secure=True)):
            self._show(stream, request)
        else:
            words = f"the scheme is {escape(request.scheme)}"
            self._reject(stream, request, Refusal("http_scheme_not_supported", words))

    def _malformed(self, stream: Stream, refusal: Refusal) -> None:
        """
        What has come is no request: RFC 9113 section 8.1.1 wants a stream error.
        """
        self._connection.reject(refusal)
        stream.abortConnection(ErrorCode.PROTOCOL_ERROR)
        self._connection.incoming.wasted()

    def _isOwn(self, request: RequestFields, destination: Destination | None) -> bool:
        """
        Whether a request is for the proxy itself.  In clear it looks like one that is to be
        forwarded; to answer it is what forwarding it would come to, without the loop.

        @param destination: what its authority names.
        """
        connection = self._connection
        secure = connection.arrival.tls is not None
        if destination is None or request.protocol or secure is not (request.scheme == b"https"):
            return False
        transport = connection.transport
        if self._reached is None:
            self._reached = transport.getHost()  # a system call, and for every request the same
        asked = getattr(transport.getHandle(), "get_servername", None) if secure else None
        return isOwn(destination, self._reached, None if asked is None else asked())

    def _show(self, stream: Stream, request: RequestFields) -> None:
        """
        The proxy itself is asked for.
        """
        connection = self._connection
        if request.path == b"*":
            self._answer(stream, request, 200)
            return
        method = request.method.decode("ascii")
        status, _, fields, body = page(
            method,
            request.path,
            request.authority,
            self._reached,
            connection.arrival.tls is not None,
            connection.port.identifier,
        )
        encoded = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in fields]
        self._say(stream, request, status, encoded, body)

    def _forward(self, stream: Stream, request: RequestFields) -> None:
        """
        A message is to be forwarded, or a websocket opened at its origin.
        """
        connection = self._connection
        where = readAuthority(request.authority)
        if isinstance(where, Refusal):
            self._reject(stream, request, where)
            return
        if self._isOwn(request, where[0]):
            self._show(stream, request)
            return
        target = Target(where[0], request.path, where[1])
        head = RequestHead(request.method.decode("ascii"), request.path, 1, request.fields)
        if request.method == b"TRACE":
            # It would show the fields that the client did not write itself.
            self._answer(stream, request, 405)
            return
        if loops(head, connection.switchboard.via):
            self._reject(stream, request, _LOOP)
            return
        forwards = maxForwards(head)
        if isinstance(forwards, Refusal):
            self._reject(stream, request, forwards)
        elif forwards == 0:
            self._answer(stream, request, 200)
        else:
            kind = WebSocket if request.protocol else Exchange
            exchange = kind(connection, stream, request, target, None if forwards is None else forwards - 1)
            exchange.begin()
            if exchange.refused:
                connection.incoming.wasted()

    def _answer(self, stream: Stream, request: RequestFields, status: int) -> None:
        """
        Say what is served.
        """
        self._say(stream, request, status, [(b"allow", ALLOW.encode("ascii"))], b"")

    def _say(
        self,
        stream: Stream,
        request: RequestFields,
        status: int,
        fields: list[tuple[bytes, bytes]],
        body: bytes,
    ) -> None:
        """
        Give an answer of the proxy's own that is no refusal.

        @param fields: those that are this answer's own.
        @param body: as the answer to a GET has it.
        """
        connection = self._connection
        shown = escape(
            b"%b://%b%b" % (request.scheme, request.authority, request.path.partition(b"?")[0]), 300
        )
        arrival = connection.arrival._replace(arrived=connection.now())
        connection.switchboard.answered(arrival, "h2", escape(request.method), shown, status)
        whole = [(b"date", date()), *fields, (b"content-length", b"%d" % len(body))]
        Answer(connection, stream, status, whole, b"" if request.method == b"HEAD" else body)

    def _connect(self, stream: Stream, request: RequestFields) -> None:
        """
        A tunnel is wanted.
        """
        connection = self._connection
        destination = parseAuthority(request.authority)
        if isinstance(destination, Refusal):
            self._reject(stream, request, destination)
            return
        if request.length:
            self._reject(stream, request, Refusal("http_request_error", "a CONNECT has no content"))
            return
        fields = request.fields
        if fields and loops(RequestHead("CONNECT", request.authority, 1, fields), connection.switchboard.via):
            self._reject(stream, request, _LOOP)
            return
        arrival = connection.arrival
        wanted = TunnelRequest(
            destination,
            arrival.client,
            arrival.listener,
            "h2",
            "CONNECT",
            request.fields,
            connection.now(),
            None,
            arrival,
            request.authority,
        )
        inbound = InboundStream(connection, stream, wanted)
        stream.protocol = inbound
        connection.switchboard.place(inbound)
        if inbound.refused:
            connection.incoming.wasted()

    def _reject(self, stream: Stream, request: RequestFields, refusal: Refusal) -> None:
        """
        Refuse what is not going to be a request to the switchboard.
        """
        connection = self._connection
        target = escape(request.authority, 300) if b"@" not in request.authority else None
        connection.reject(refusal, escape(request.method), target)
        connection.refuse(stream, refusal, request.fields, withBody=request.method != b"HEAD")
        connection.incoming.wasted()
