"""
What an exchange of messages is made of, and how it comes to its end.

Owns what becomes of both connections when the response is complete, cut short or
never begun, and what is told of it.  A response that is cut short is cut short for
the client too, and never looks complete (RFC 9112 section 8).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from connectproxy.errors import Refusal
from connectproxy.interfaces import (
    STALE,
    ITunnel,
    Outcome,
    Phase,
    Terms,
    TunnelRequest,
)
from connectproxy.listeners.http.repeat import Repeated
from connectproxy.origin import OriginConnection, OriginPool
from connectproxy.sockets import unsent
from connectproxy.wire.forwarding import (
    UPGRADE,
    persistent,
    upgradeOffered,
)
from connectproxy.wire.framing import NONE, BodyReader, Framing
from connectproxy.wire.http1 import RequestHead
from connectproxy.wire.response import ResponseHead
from connectproxy.wire.target import Target

if TYPE_CHECKING:
    from connectproxy.listeners.http.connection import HTTPProxy

__all__ = ["Carriage"]


class Carriage:
    """
    One request and its response, as far as it has come.

    @ivar request: what the switchboard judges.
    @ivar finished: see L{ICarriage}.
    @ivar relayName: likewise.
    """

    __slots__ = (
        "_began", "_blocked", "_body", "_chunks", "_down", "_forwards", "_framing", "_head", "_keep", "_key",
        "_minor", "_octets", "_origin", "_proxy", "_repeated", "_repeats", "_sent", "_status", "_target", "_terms",
        "_tunnel", "_up", "_upgrade", "_whenLost", "finished", "relayName", "request",
    )  # fmt: skip

    def __init__(
        self,
        proxy: HTTPProxy,
        head: RequestHead,
        target: Target,
        framing: Framing = NONE,
        forwards: int | None = None,
        repeated: Repeated | None = None,
    ) -> None:
        """
        @param proxy: the client's connection.
        @param framing: of the request's body.
        @param forwards: the new value of C{Max-Forwards}.
        @param repeated: what had been learned and now has been read again.
        """
        arrival = proxy.arrival
        self._proxy = proxy
        self._head = head
        self._target = target
        self._framing = framing
        self._forwards = forwards
        self._minor = head.minor
        self._body: BodyReader | None = None
        self._upgrade = False
        self._repeated = repeated
        self._octets = self._sent = b""
        if repeated is not None:
            self._keep = repeated.keep
        else:
            self._keep = persistent(head)
            if framing is not NONE:
                self._body = BodyReader(framing, passing=True)
            elif head.method == "GET" and upgradeOffered(head):
                self._upgrade = UPGRADE in upgradeOffered(head)
        self._origin: OriginConnection | None = None
        self._tunnel: ITunnel | None = None
        self._whenLost: Callable[[], None] | None = None
        self._key: Any = None
        self._terms: Terms | None = None
        self._repeats = self._blocked = self._chunks = False
        self._status: int | None = None
        self._up = self._down = 0
        self._began = 0.0
        self.relayName = "forward"
        self.finished: Deferred[Outcome]
        self.request = TunnelRequest(
            target.destination,
            arrival.client,
            arrival.listener,
            "http/1.1" if head.minor else "http/1.0",
            head.method,
            head.fields,
            proxy.arrived,
            None,
            arrival,
            head.target,
        )

    @property
    def message(self) -> bool:
        """See L{IInboundExchange<connectproxy.interfaces.IInboundExchange>}."""
        return not self._upgrade

    @property
    def _partial(self) -> bool:
        """Whether more of the request's body is to come."""
        return self._body is not None and not self._body.done

    def _complete(self) -> None:
        """
        The response has been written.
        """
        proxy, origin = self._proxy, self._origin
        self._origin = None
        if origin is not None and origin.reusable:
            if self._keep:
                pool = proxy.pool
                if pool is None:
                    pool = proxy.pool = OriginPool()
                pool.put(self._key, origin)
            else:
                origin.close()
        self._finish("origin", "complete")
        if self._keep and not (self._upgrade and proxy.early):
            proxy.next()
        else:
            proxy.finish(unread=bool(proxy.early) or self._partial)

    def _challenged(self, head: ResponseHead) -> None:
        """
        The response is a 407.  It never goes on: the client would take it for ours.  A next hop
        is asked once more if that makes sense, and nothing of the body has gone there.
        """
        origin: Any = self._origin
        form = origin.established.form
        if form is None:
            self._end(Refusal("http_protocol_error", "the status is 407, which is for proxies"), "origin")
        elif form.challenged(head, self._sent) and not self._repeats and not self._up:
            self._repeats = True
            self._blocked = False
            self._origin = None
            origin.abort()
            self._finish("origin", STALE)
        else:
            self._end(form.refusal(head), "origin")

    def _end(self, refusal: Refusal, endedBy: str) -> None:
        """
        It can't go on: say so if nothing has been said, or cut the response short.
        """
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.abort()
        if self._status is not None:
            self._cutShort()
            self._finish(endedBy, "truncated", refusal)
            return
        self._status = refusal.row.status
        self._finish(endedBy, "refused", refusal)
        self._answer(refusal)

    def _cutShort(self) -> None:
        """
        Close the client's connection in the middle of a response, so that it
        does not look complete.  Only a reset tells that where the end of the
        stream would be the end of the body.
        """
        proxy = self._proxy
        if self._minor:
            proxy.finish(unread=False)
        else:
            proxy.reset()

    def _answer(self, refusal: Refusal) -> None:
        """
        Answer a refusal.  Another request may follow if it is clear where this one ends.
        """
        proxy = self._proxy
        keep = (
            self._keep
            and not self._partial
            and not proxy.early
            and not proxy.over
            and not proxy.factory.switchboard.draining
        )
        octets = proxy.factory.format(
            refusal,
            withBody=self._head.method != "HEAD",
            close=not keep,
            asked=self._head.fields,
            target=str(self._target.destination),
        )
        if keep:
            proxy.write(octets, more=False)
            proxy.next()
        else:
            proxy.endWith(octets)

    def abort(self, kind: str) -> None:
        """
        See L{ITunnel.abort}.
        """
        if self._tunnel is not None:
            self._tunnel.abort(kind)
        elif self._origin is not None:
            origin, self._origin = self._origin, None
            origin.abort()
            self._proxy.reset()
            self._finish("proxy", kind)

    def _finish(self, endedBy: str, kind: str, refusal: Refusal | None = None) -> None:
        """
        Tell how it went.
        """
        if kind != STALE:
            self._whenLost = None
        seconds = self._proxy.factory.clock.seconds() - self._began
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
        if self._tunnel is not None:
            taken: int = self._tunnel.bytesDown
            return taken
        proxy = self._proxy
        return max(0, self._down - unsent(proxy.transport)) if proxy.producing else self._down
