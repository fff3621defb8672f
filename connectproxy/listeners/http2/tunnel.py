"""
A CONNECT on a stream: the request, and its answer (RFC 9113 section 8.5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.errors import Refusal
from connectproxy.interfaces import Established, IInboundTunnel, TunnelRequest
from connectproxy.leg import Leg
from connectproxy.wire.http2 import Flag, FrameType, formatFrame
from connectproxy.wire.proxystatus import withOurs

if TYPE_CHECKING:
    from connectproxy.http2.stream import Stream
    from connectproxy.listeners.http2.connection import HTTP2Connection

__all__ = ["ACCEPTED", "InboundStream"]

ACCEPTED = b"\x20\x88"
"""
The field block with C{:status: 200}, from the static table (RFC 7541 appendix A).  In
front of it is what every first block must have: the dynamic table is not used.
"""


@implementer(IInboundTunnel)
class InboundStream:
    """
    One request for a tunnel, until it has its answer.

    @ivar request: the L{TunnelRequest}.
    @ivar refused: there is no tunnel.
    """

    __slots__ = ("__weakref__", "_connection", "_stream", "_whenLost", "refused", "request")

    def __init__(self, connection: HTTP2Connection, stream: Stream, request: TunnelRequest) -> None:
        self._connection = connection
        self._stream = stream
        self._whenLost: Callable[[], None] | None = None
        self.refused = False
        self.request = request

    def accept(self, established: Established) -> Leg:
        """
        See L{IInboundTunnel.accept}.
        """
        connection, stream = self._connection, self._stream
        self._whenLost = None
        connection.switchboard.connectionOpened(-1)  # who ends a tunnel tells of its end
        if established.members:
            said = withOurs(established.members, connection.port.identifier).encode("ascii")
            connection.sendHeaders(stream, [(b":status", b"200"), (b"proxy-status", said)])
        else:
            connection.sender.control(
                formatFrame(FrameType.HEADERS, Flag.END_HEADERS, stream.number, ACCEPTED)
            )
        connection.incoming.served()
        return stream.handOver()

    def refuse(self, refusal: Refusal) -> None:
        """
        See L{IInboundTunnel.refuse}.
        """
        self._whenLost = None
        self.refused = True
        request = self.request
        self._connection.refuse(self._stream, refusal, request.fields, str(request.destination))

    def whenLost(self, callback: Callable[[], None]) -> None:
        """
        See L{IInboundTunnel.whenLost}.
        """
        self._whenLost = callback

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The client has reset the stream, or is gone.
        """
        if self._whenLost is not None:
            whenLost, self._whenLost = self._whenLost, None
            whenLost()
