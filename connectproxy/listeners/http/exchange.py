"""
One request that is forwarded as a message, and its response (RFC 9112 section 3.2.2).

Streams both bodies, each only as fast as it is taken; decides what delimits the
response towards the client, and whether the client's connection goes on after it.
How it ends is L{connectproxy.listeners.http.carriage}'s.

The origin's side is L{connectproxy.origin}'s, how heads are written on
L{connectproxy.wire.forwarding}'s.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from zope.interface import implementer

from connectproxy.errors import Refusal
from connectproxy.interfaces import (
    STALE,
    Established,
    ICarriage,
    IInboundExchange,
    Outcome,
    Terms,
)
from connectproxy.leg import Leg, adopt
from connectproxy.listeners.http.carriage import Carriage
from connectproxy.listeners.http.repeat import LONGEST, learn
from connectproxy.origin import OriginConnection
from connectproxy.wire.date import date
from connectproxy.wire.forwarding import (
    SAFE,
    HopForm,
    formatInterim,
    formatRequest,
    formatResponseHead,
    switching,
)
from connectproxy.wire.framing import CHUNKED, CLOSE, LAST_CHUNK, NONE, Framing, formatChunk
from connectproxy.wire.response import ResponseHead

__all__ = ["Exchange"]


@implementer(IInboundExchange, ICarriage)
class Exchange(Carriage):
    """
    One request and its response.
    """

    __slots__ = ()

    _log = Logger()

    def begin(self) -> None:
        """
        Hand it to the switchboard.
        """
        self._proxy.factory.switchboard.forward(self)

    # What the switchboard asks for.

    def idle(self, way: Hashable) -> Established | None:
        """
        See L{IInboundExchange.idle}.
        """
        request = self.request
        self._key = key = (way, request.destination, request.user)
        pool = self._proxy.pool
        if pool is None:
            return None
        self._origin = origin = pool.take(key, self.message)
        return None if origin is None else origin.established

    def accept(self, established: Established, terms: Terms | None = None) -> Exchange:
        """
        See L{IInboundExchange.accept}.
        """
        self._terms = terms
        factory = self._proxy.factory
        self.finished = Deferred()
        origin = self._origin
        if origin is None or origin.established is not established:
            origin = OriginConnection(established, factory.clock, factory.wheel, factory.patience)
            self._origin = origin
        self._began = factory.clock.seconds()
        repeated = self._repeated
        form = established.form
        head = self._write(form) if repeated is None else repeated.write(self._head, self._target, form)
        if form is not None:
            self._sent = head
        more = self._partial
        origin.begin(
            self,
            self._head.method,
            head,
            more=more,
            passing=self._minor == 1,
            upgrade=self._upgrade,
            terms=terms,
        )
        if more and self._origin is origin and not self._blocked:
            self._readBody()
        return self

    def _write(self, form: HopForm | None) -> bytes:
        """
        The head for the origin, or for a next hop.
        """
        factory = self._proxy.factory
        head = formatRequest(
            self._head,
            self._target,
            factory.switchboard.via,
            framing=self._framing,
            upgrade=self._upgrade,
            maxForwards=self._forwards,
            form=form,
        )
        if self._octets and self._framing is NONE and not self._upgrade:
            self._proxy.repeated = learn(
                self._octets, self._head, self._target, self._keep, head, factory.limits, form
            )
        return head

    def learn(self, octets: bytes) -> None:
        """
        Keep the header section in case that the client says the same again.

        @param octets: the whole head as it came, and nothing else.
        """
        self._octets = octets

    def refuse(self, refusal: Refusal) -> None:
        """
        See L{IInboundExchange.refuse}.
        """
        self._whenLost = None
        if self._origin is not None:
            self._origin.abort()
            self._origin = None
        self._answer(refusal)

    def whenLost(self, callback: Callable[[], None]) -> None:
        """
        See L{IInboundExchange.whenLost}.
        """
        self._whenLost = callback

    # What the client does.

    def received(self, data: bytes) -> None:
        """
        The client has sent more: of the body, or the next request already.
        """
        proxy = self._proxy
        body = self._body
        if body is None or body.done or self._origin is None:
            proxy.hold(data)
        else:
            proxy.early += data
            self._readBody()

    def _readBody(self) -> None:
        """
        Pass on what has come of the request's body.
        """
        proxy = self._proxy
        body: Any = self._body
        origin: Any = self._origin
        data, proxy.early = proxy.early, b""
        if data:
            taken = body.receive(data)
            if isinstance(taken, Refusal):
                self._end(taken, "client")
                return
            if taken:
                self._up += len(taken)
                origin.write(taken)
            if body.done:
                proxy.early = body.leftover
                self._blocked = False
                origin.finish()
        if proxy.paused and not self._blocked and not proxy.early and self._origin is origin:
            proxy.resumeReading()

    def ended(self) -> None:
        """
        The client has ended its stream.  If its request is whole, it waits for the
        response.
        """
        if self._partial:
            # Nobody knows what was missing; it gets no answer, for it asked for nothing whole.
            self._proxy.reset()

    def clientLost(self) -> None:
        """
        The client's connection is closed.
        """
        origin, self._origin = self._origin, None
        if origin is not None:
            origin.abort()
            self._finish("client", "client_gone" if self._status is None else "reset")
        elif self._whenLost is not None:
            whenLost, self._whenLost = self._whenLost, None
            whenLost()

    def pauseResponse(self) -> None:
        """
        The client takes no more for now.
        """
        if self._origin is not None:
            self._origin.pauseProducing()

    def resumeResponse(self) -> None:
        """
        The client has taken what there was.
        """
        if self._origin is not None:
            self._origin.resumeProducing()

    # What the origin says: see ResponseSink.

    def interim(self, head: ResponseHead) -> None:
        """
        An interim response: on to the client, if that knows what it is.
        """
        if self._minor:
            self._proxy.write(formatInterim(head, self._proxy.factory.switchboard.via), more=True)

    def respond(self, head: ResponseHead, framing: Framing, octets: bytes, done: bool) -> None:
        """
        The final response.
        """
        if head.status == 407:
            self._challenged(head)
            return
        proxy = self._proxy
        factory = proxy.factory
        switchboard = factory.switchboard
        if self._keep and (
            self._partial or switchboard.draining or proxy.over or (self._upgrade and proxy.early)
        ):
            self._keep = False
        if framing is CLOSE and self._minor:
            framing = CHUNKED
            self._chunks = True
        self._status = head.status
        today = date()
        known, second, closing, written = proxy.shown
        if head is not known or today is not second or self._keep is closing or not self._minor:
            written = formatResponseHead(
                head,
                switchboard.via,
                framing=framing,
                close=not self._keep,
                clientMinor=self._minor,
                date=today,
            )
            if self._minor and len(written) <= LONGEST:
                proxy.shown = (head, today, not self._keep, written)
        self._down = len(octets)
        if self._chunks:
            octets = formatChunk(octets) + LAST_CHUNK if done else formatChunk(octets)
        if done:
            proxy.write(written + octets, more=False)
            self._complete()
        else:
            proxy.write(written + octets, more=True)

    def content(self, octets: bytes, done: bool) -> None:
        """
        More of the body.
        """
        self._down += len(octets)
        if self._chunks:
            octets = formatChunk(octets) + LAST_CHUNK if done else formatChunk(octets)
        if octets:
            self._proxy.write(octets, more=True)
        if done:
            self._complete()

    def switched(self, head: ResponseHead, leg: Leg) -> None:
        """
        The origin speaks another protocol from here on: so does the client.
        """
        self._origin = None
        if not switching(head):
            leg.transport.abortConnection()  # type: ignore[union-attr]
            self._end(Refusal("http_upgrade_failed", "the 101 does not name websocket alone"), "origin")
            return
        proxy = self._proxy
        switchboard = proxy.factory.switchboard
        self._status = 101
        written = formatResponseHead(head, switchboard.via, framing=NONE, close=False, upgrade=True)
        proxy.write(written, more=False)
        client = proxy.release()
        try:
            self.relayName, tunnel = switchboard.join(client, leg, self._terms)
        except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            self._log.failure("the tunnel behind a 101 failed")
            for each in (client, leg):
                adopt(each.transport, Protocol())
                each.transport.abortConnection()  # type: ignore[union-attr]
            switchboard.connectionClosed()
            self._finish("proxy", "aborted")
            return
        self._tunnel = tunnel
        tunnel.finished.addCallback(self._tunnelled)

    def _tunnelled(self, outcome: Outcome) -> None:
        """
        The tunnel behind a 101 has ended.
        """
        self._proxy.factory.switchboard.connectionClosed()
        self.finished.callback(outcome._replace(status=101))

    def failed(self, refusal: Refusal, begun: bool, stale: bool) -> None:
        """
        The origin has failed.
        """
        self._origin = None
        if stale and self._body is None and self._head.method in SAFE:
            self._finish("origin", STALE)
        elif not begun:
            self._end(refusal, "origin")
        else:
            late = refusal.kind == "http_response_timeout"
            self._cutShort()
            self._finish("proxy" if late else "origin", "idle_timeout" if late else "truncated", refusal)

    def pauseRequest(self) -> None:
        """
        The origin takes no more of the body for now.
        """
        self._blocked = True
        self._proxy.pauseReading()

    def resumeRequest(self) -> None:
        """
        It does again.
        """
        self._blocked = False
        if self._partial and self._proxy.early:
            self._readBody()  # it came with the head, before any of it was allowed
        elif not self._proxy.early:
            self._proxy.resumeReading()
