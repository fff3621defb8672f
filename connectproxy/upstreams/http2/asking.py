"""
One request for a tunnel, from the moment that it is made until it has its answer.

It is asked on a stream.  Where the next hop says that it has not served it, and means so
(REFUSED_STREAM, or a GOAWAY that names an earlier stream; RFC 9113 sections 6.8 and 8.7), or
where a connection that had been up for a while turns out to be gone, it is asked again: of
the tunnel nothing has moved.  A 407 that can be met is asked again as well.

What an answer means is L{connectproxy.wire.connect}'s to say, as it is with HTTP/1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hpack import NeverIndexedHeaderTuple
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocolFactory
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.errors import Refusal, Refused
from connectproxy.hop import BLAMED
from connectproxy.interfaces import Attempt, Established, TunnelRequest
from connectproxy.wire.authorization.client import Authorizer
from connectproxy.wire.connect import INTERIM, refused
from connectproxy.wire.hopstatus import membersOf, named
from connectproxy.wire.http2 import ErrorCode, codeName, readResponse
from connectproxy.wire.negotiation import Again
from connectproxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from connectproxy.upstreams.http2.connection import HopConnection
    from connectproxy.upstreams.http2.pool import Pool
    from connectproxy.upstreams.http2.stream import HopStream

__all__ = ["TRIES", "Asking"]

TRIES = 3
"""How often a request is asked that the next hop says it has not served."""

_KINDS: Mapping[int, str] = MappingProxyType(
    {
        ErrorCode.REFUSED_STREAM: "next_hop_unavailable",
        ErrorCode.CONNECT_ERROR: "next_hop_failed",
        ErrorCode.CANCEL: "next_hop_failed",
        ErrorCode.ENHANCE_YOUR_CALM: "next_hop_limit_reached",
    }
)
"""What a reset in place of an answer is refused as; any other breaks the protocol."""


@implementer(IHalfCloseableProtocol)
class Asking:
    """
    One request; the protocol of its stream until there is a tunnel.

    @ivar request: what is asked for.
    @ivar tried: the attempts to connect to the hop that it has waited for.
    @ivar resolved: when the hop's name had been looked up for those.
    @ivar fresh: the connection that it has waited for to be made.
    """

    __slots__ = (
        "_again", "_authorizer", "_connection", "_factory", "_fields", "_interim", "_pool",
        "_repeated", "_result", "_said", "_stream", "_tries", "fresh", "request", "resolved", "tried",
    )  # fmt: skip

    def __init__(
        self,
        pool: Pool,
        request: TunnelRequest,
        factory: IProtocolFactory,
        authorizer: Authorizer | None,
        fields: list[tuple[bytes, bytes]],
    ) -> None:
        """
        @param fields: those that go with it besides C{Proxy-Authorization}.
        """
        self._pool = pool
        self.request = request
        self._factory: Any = factory
        self._authorizer = authorizer
        self._fields = fields
        self._connection: HopConnection | None = None
        self._stream: HopStream | None = None
        self._said: str | None = None
        self._tries = self._interim = 0
        self._again = self._repeated = False
        self.fresh: HopConnection | None = None
        self.tried: tuple[Attempt, ...] = ()
        self.resolved = 0.0
        self._result: Deferred[Established] = Deferred(self._cancelled)

    def begin(self) -> Deferred[Established]:
        """
        Wait for a connection, and ask.

        @return: see L{IUpstream.connect<connectproxy.interfaces.IUpstream.connect>}.
        """
        self._pool.place(self)
        return self._result

    # What the pool and the connection do.

    def ask(self, connection: HopConnection, stream: HopStream) -> None:
        """
        There is a stream for it.
        """
        self._connection = connection
        self._stream = stream
        stream.protocol = self
        target = str(self.request.destination)
        fields = [(b":method", b"CONNECT"), (b":authority", target.encode("ascii")), *self._fields]
        if self._authorizer is not None:
            self._said = said = self._authorizer.field("CONNECT", target)
            if said is not None:
                # Never indexed: it is a secret, also to whoever compresses it next (RFC 7541 section 7.1.3).
                fields.append(NeverIndexedHeaderTuple(b"proxy-authorization", said.encode("ascii")))
        connection.sendHeaders(stream, fields)

    def withdraw(self) -> None:
        """
        The connection gives no sign of life: ask on another one.
        """
        self._giveUp()
        self._repeat(self._gone())

    def waited(self, tried: tuple[Any, ...], resolved: float, connection: HopConnection | None) -> None:
        """
        An attempt to connect to the hop is over, which it has waited for.

        @param connection: what has come of it; L{None} for nothing.
        """
        self.tried += tried
        self.resolved = self.resolved or resolved
        self.fresh = connection

    def refuse(self, refusal: Refusal, hop: str | None = None) -> None:
        """
        There is no tunnel.

        @param hop: the name of the upstream at fault; L{None} where C{refusal} says whether
            it is this one.
        """
        if hop is None:
            hop = self._pool.name if refusal.kind in BLAMED else ""
        self._result.errback(Refused(refusal, self.tried, self.resolved, hop))

    def fail(self, failure: Failure) -> None:
        """
        There is no tunnel for a reason that is nobody's refusal: a bug.
        """
        self._result.errback(failure)

    # What comes on the stream.

    def answered(self, fields: list[tuple[bytes, bytes]], *, end: bool) -> None:
        """
        A response has come.

        @param end: the stream ends with it.
        """
        response = readResponse(fields)
        if isinstance(response, Refusal):
            self._broken(response.detail)
        elif response.status < 200:
            self._interim += 1
            if end:
                self._broken("an interim response ends the stream")
            elif self._interim > INTERIM:
                self._broken(f"there were more than {INTERIM} interim responses")
        elif response.status < 300:
            self._open(response.fields, end)
        else:
            self._giveUp()
            head = ResponseHead(response.status, b"", 1, response.fields)
            found = refused(
                head, self._pool.name, str(self.request.destination), self._authorizer, self._said
            )
            if not isinstance(found, Again):
                self.refuse(found)
            elif self._again:
                self.refuse(found.refusal)
            else:
                self._again = True
                self._pool.again(self)

    def _open(self, fields: tuple[tuple[bytes, bytes], ...], end: bool) -> None:
        """
        The way is open.
        """
        connection: Any = self._connection
        stream: Any = self._stream
        self._stream = self._connection = None
        stream.answered = True
        connection.incoming.served()
        protocol = self._factory.buildProtocol(connection.getPeer())
        stream.protocol = protocol
        protocol.makeConnection(stream)
        if end and not stream.over:
            stream.ended()
        established: Established = connection.established
        self._result.callback(
            established._replace(
                protocol=protocol,
                tried=self.tried,
                resolved=self.resolved,
                seen="",
                members=membersOf(fields),
            )
        )

    def dataReceived(self, octets: bytes) -> None:
        """
        There are octets where an answer should be.
        """
        self._broken("there is content before the answer")

    def readConnectionLost(self) -> None:
        """
        There is an end where an answer should be.
        """
        self._broken("the stream ends without an answer")

    def writeConnectionLost(self) -> None:
        """
        Part of L{IHalfCloseableProtocol}: nothing is written before the answer.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The next hop has reset the stream, or the connection is gone.
        """
        connection: Any = self._connection
        stream: Any = self._stream
        self._stream = self._connection = None
        name = named(self._pool.name)
        if stream.code is not None:
            code = stream.code
            detail = f"{name} reset the request for {self.request.destination} ({codeName(code)})"
            refusal = Refusal(_KINDS.get(code, "next_hop_protocol_error"), detail)
            if code == ErrorCode.REFUSED_STREAM:
                self._repeat(refusal)
            else:
                self.refuse(refusal)
        elif connection.fault is not None:
            self.refuse(connection.fault)
        elif self.fresh is connection or self._repeated:
            self.refuse(self._gone())
        else:
            self._repeated = True
            self._repeat(self._gone())

    # Ends.

    def _gone(self) -> Refusal:
        """
        The connection was lost.
        """
        detail = f"{named(self._pool.name)} closed the connection before it had answered"
        return Refusal("next_hop_gone", detail)

    def _broken(self, detail: str) -> None:
        """
        What has come is no answer.
        """
        self._giveUp(ErrorCode.PROTOCOL_ERROR)
        words = f"the answer of {named(self._pool.name)} is not valid HTTP/2: {detail}"
        self.refuse(Refusal("next_hop_protocol_error", words))

    def _repeat(self, refusal: Refusal) -> None:
        """
        Ask once more, if that makes sense.

        @param refusal: what to say if it does not.
        """
        self._tries += 1
        if self._tries < TRIES:
            self._pool.again(self)
        else:
            self.refuse(refusal, self._pool.name)

    def _giveUp(self, code: ErrorCode = ErrorCode.CANCEL) -> None:
        """
        Nothing is expected of the stream any more.
        """
        stream: Any = self._stream
        self._stream = self._connection = None
        stream.protocol = None
        stream.abortConnection(code)

    def _cancelled(self, result: Deferred[Established]) -> None:
        """
        Nobody waits any more.
        """
        if self._stream is not None:
            self._giveUp()
            words = f"{named(self._pool.name)} took the request for {self.request.destination}"
            self.refuse(Refusal("next_hop_silent", f"{words} and did not answer in time"))
        else:
            self._pool.leave(self)
