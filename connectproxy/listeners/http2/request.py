"""
What a request on a stream asks for, and who serves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectproxy.address import parseAuthority
from connectproxy.errors import Refusal
from connectproxy.interfaces import TunnelRequest
from connectproxy.listeners.http2.answer import Answer
from connectproxy.listeners.http2.exchange import Exchange
from connectproxy.listeners.http2.tunnel import InboundStream
from connectproxy.listeners.http2.websocket import WebSocket
from connectproxy.wire.forwarding import UPGRADE, loops, maxForwards
from connectproxy.wire.grammar import Limits, escape
from connectproxy.wire.http1 import RequestHead
from connectproxy.wire.http2 import ErrorCode, RequestFields, readRequest
from connectproxy.wire.target import Target, readAuthority

if TYPE_CHECKING:
    from connectproxy.listeners.http2.connection import HTTP2Connection
    from connectproxy.listeners.http2.stream import Stream

__all__ = ["Requests"]

ALLOW = b"CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
"""What is served, as far as it can be listed: of methods that nobody knows here, all are forwarded."""

_LIMITS = Limits()


class Requests:
    """
    Serves the requests of a connection.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: HTTP2Connection) -> None:
        self._connection = connection

    def begin(self, stream: Stream, section: list[tuple[bytes, bytes]]) -> None:
        """
        A request has come.

        @param section: its fields, as they were sent.
        """
        request = readRequest(section)
        if isinstance(request, Refusal):
            # Malformed: RFC 9113 section 8.1.1 wants a stream error.
            self._connection.reject(request)
            stream.abortConnection(ErrorCode.PROTOCOL_ERROR)
            self._connection.incoming.wasted()
            return
        octets = sum([len(name) + len(value) + 32 for name, value in section])
        if octets > _LIMITS.section or len(request.fields) > _LIMITS.fields:
            words = f"{len(request.fields)} fields with {octets} octets"
            self._reject(stream, request, Refusal("http_request_fields_too_large", words))
        elif request.method == b"CONNECT" and not request.protocol:
            self._connect(stream, request)
        elif request.method == b"CONNECT" and request.protocol != UPGRADE:
            words = f"the protocol {escape(request.protocol)} is not served in a CONNECT, only websocket"
            self._reject(stream, request, Refusal("http_method_not_implemented", words))
        elif request.scheme != b"http":
            words = f"the scheme is {escape(request.scheme)}"
            self._reject(stream, request, Refusal("http_scheme_not_supported", words))
        else:
            self._forward(stream, request)

    def _forward(self, stream: Stream, request: RequestFields) -> None:
        """
        A message is to be forwarded, or a websocket opened at its origin.
        """
        connection = self._connection
        where = readAuthority(request.authority)
        if isinstance(where, Refusal):
            self._reject(stream, request, where)
            return
        if stream.readEnded and request.length:
            connection.reject(Refusal("http_request_error", "the body is shorter than its Content-Length"))
            stream.abortConnection(ErrorCode.PROTOCOL_ERROR)
            connection.incoming.wasted()
            return
        target = Target(where[0], request.path, where[1])
        head = RequestHead(request.method.decode("ascii"), request.path, 1, request.fields)
        if request.method == b"TRACE":
            # It would show the fields that the client did not write itself.
            self._answer(stream, request, 405)
            return
        if loops(head, connection.switchboard.via):
            words = "the request has been here before, as its Via or CDN-Loop says"
            self._reject(stream, request, Refusal("proxy_loop_detected", words))
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
        connection = self._connection
        shown = escape(
            b"%b://%b%b" % (request.scheme, request.authority, request.path.partition(b"?")[0]), 300
        )
        connection.switchboard.answered(connection.arrival, "h2", escape(request.method), shown, status)
        fields = [(b"date", connection.port.date()), (b"allow", ALLOW), (b"content-length", b"0")]
        Answer(connection, stream, status, fields, b"")

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
        connection.refuse(stream, refusal, withBody=request.method != b"HEAD")
        connection.incoming.wasted()
