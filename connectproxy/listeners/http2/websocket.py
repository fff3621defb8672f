"""
A websocket on a stream (RFC 8441), to an origin that speaks HTTP/1.1 (RFC 6455).

C{:authority} and C{:path} are those of the websocket, as they are of a request that is
forwarded: nothing of it is a tunnel's target, and the policy has the same say as with
a request for the C{http} URL.  What the handshake of HTTP/1.1 has to prove to the
origin is made and checked here: the key never comes from the client.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from secrets import token_bytes
from typing import TYPE_CHECKING

from twisted.internet.protocol import Protocol
from twisted.logger import Logger

from connectproxy.errors import Refusal
from connectproxy.interfaces import Outcome
from connectproxy.leg import Leg, adopt
from connectproxy.listeners.http2.exchange import Exchange
from connectproxy.wire.forwarding import HopForm, formatOriginHead, switching
from connectproxy.wire.framing import NONE, Framing
from connectproxy.wire.http2 import ErrorCode, RequestFields
from connectproxy.wire.response import ResponseHead
from connectproxy.wire.target import Target

if TYPE_CHECKING:
    from connectproxy.http2.stream import Stream
    from connectproxy.listeners.http2.connection import HTTP2Connection

__all__ = ["WebSocket", "acceptance"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""

_OURS = (b"sec-websocket-key", b"sec-websocket-accept", b"content-length")
"""Fields of the handshake that the client has no part in."""


def acceptance(key: bytes) -> bytes:
    """
    What C{Sec-WebSocket-Accept} has to say to a key (RFC 6455 section 4.2.2).
    """
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


class WebSocket(Exchange):
    """
    One extended CONNECT, until there is a tunnel, and the tunnel.
    """

    _METHOD = b"GET"
    _UPGRADE = True

    _log = Logger()

    def __init__(
        self,
        connection: HTTP2Connection,
        stream: Stream,
        asked: RequestFields,
        target: Target,
        forwards: int | None,
    ) -> None:
        Exchange.__init__(self, connection, stream, asked, target, forwards)
        self._accept = b""

    def _frame(self) -> Framing:
        """
        The request has no body: what the client sends is the websocket's.
        """
        return NONE

    def begin(self) -> None:
        """
        Hand it to the switchboard.
        """
        self._stream.protocol = self
        self._connection.switchboard.forward(self)

    def _formatHead(self, form: HopForm | None) -> bytes:
        """
        The handshake of HTTP/1.1 (RFC 6455 section 4.1).  Next hops are asked for tunnels
        for it: nobody else is spoken to than the origin.
        """
        key = b64encode(token_bytes(16))
        self._accept = acceptance(key)
        target = self._target
        fields = [*self._asked.fields, (b"sec-websocket-key", key)]
        if all(name != b"sec-websocket-version" for name, _ in fields):
            fields.append((b"sec-websocket-version", b"13"))
        kept = [each for each in fields if each[0] not in _OURS or each[1] is key]
        return formatOriginHead(
            b"GET",
            target.path,
            target.hostField,
            kept,
            self._connection.switchboard.via,
            received=b"2.0",
            framing=NONE,
            upgrade=True,
        )

    def respond(self, head: ResponseHead, framing: Framing, octets: bytes, done: bool) -> None:
        """
        The origin has not switched.  That it says so with success would mean to the
        client that it has.
        """
        if 200 <= head.status < 300:
            self._fail(Refusal("http_upgrade_failed", f"the origin answered {head.status}, and no websocket"))
        else:
            Exchange.respond(self, head, framing, octets, done)

    def switched(self, head: ResponseHead, leg: Leg) -> None:
        """
        The origin speaks websocket from here on, and so does the client.
        """
        self._origin = None
        accepted = head.values(b"sec-websocket-accept")
        if not switching(head) or accepted != [self._accept]:
            leg.transport.abortConnection()  # type: ignore[union-attr]
            self._fail(Refusal("http_upgrade_failed", "the 101 is no answer to the websocket's handshake"))
            return
        stream, switchboard = self._stream, self._connection.switchboard
        stream.unregisterProducer()
        self._status = 200
        fields = self._fields(head._replace(status=200), NONE)
        dropped = (b"sec-websocket-accept", b"content-length")
        stream.sendHeaders([field for field in fields if field[0] not in dropped])
        self._connection.incoming.served()
        client = stream.handOver()
        try:
            self.relayName, tunnel = switchboard.join(client, leg, self._terms)
        except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._log.failure("the tunnel behind a websocket's handshake failed")
            for each in (client, leg):
                adopt(each.transport, Protocol())
            leg.transport.abortConnection()  # type: ignore[union-attr]
            self._cut(ErrorCode.INTERNAL_ERROR)
            self._finish("proxy", "aborted")
            return
        self._tunnel = tunnel
        tunnel.finished.addCallback(self._tunnelled)

    def _tunnelled(self, outcome: Outcome) -> None:
        """
        The tunnel has ended.
        """
        self._whenLost = None
        self._over = True
        self.finished.callback(outcome._replace(status=200))
