"""
A client's connection: one request after the other, of which a CONNECT is the last.

Reads heads, hands what they ask for to the switchboard, and writes what is not an
origin's.  What a head may look like is L{connectproxy.wire.http1}'s to say, what
an authority means L{connectproxy.address}'s, and how a message is forwarded
L{connectproxy.listeners.http.exchange}'s.

While the answer to a CONNECT is pending, what the client sends is held after one
read, and goes to the destination first if the tunnel opens (RFC 9110 section
9.3.6).  After its refusal nothing that arrives is read as a request (RFC 9931
section 8): see L{connectproxy.listeners.http.ending}.

Requests that come behind one another are answered in order (RFC 9112 section
9.3.2): the next head is read when the response before it has been written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival, Established, IInboundTunnel, TunnelRequest
from connectproxy.leg import Leg
from connectproxy.listeners.http.ending import State
from connectproxy.listeners.http.exchange import Exchange
from connectproxy.listeners.http.flow import Flow
from connectproxy.listeners.http.repeat import Repeated
from connectproxy.listeners.http.request import Answer, take, tunnelTo
from connectproxy.origin import OriginPool
from connectproxy.sockets import readNow, setNoDelay, writeNow
from connectproxy.wire.forwarding import parseTarget, persistent
from connectproxy.wire.http1 import CONNECTED, HeadReader, RequestHead

__all__ = ["HTTPProxy"]


@implementer(IInboundTunnel, IHalfCloseableProtocol)
class HTTPProxy(Flow):
    """
    One client's connection, until there is a tunnel.

    @ivar arrival: the connection, as what stands before this found it; L{None}
        until it is connected where nothing does.
    @ivar request: the CONNECT.
    @ivar pool: the connections to origins that requests have left open.
    @ivar arrived: when the request began that is read or served, in seconds of the
        clock.
    @ivar repeated: what the client's last request has said, in case it does again.
    @ivar shown: a response's head, the time, whether the connection was to end, and
        what was written accordingly.
    """

    client: Any
    arrival: Any = None
    request: Any = None
    arrived = 0.0
    repeated: Repeated | None = None
    shown: Any = (None, None, None, b"")
    pool: OriginPool | None = None
    _reader: HeadReader | None = None
    _served = False
    _protocol = "http/1.1"
    _whenLost: Callable[[], None] | None = None

    def connectionMade(self) -> None:
        """
        What the client has sent by now is read, and the clock for the head starts.
        """
        factory = self.factory
        transport: Any = self.transport
        switchboard = factory.switchboard
        self._clock = switchboard.clock
        self._wheel = switchboard.wheel
        factory.connections.add(self)
        if self.arrival is None:
            self.arrived = self._clock.seconds()
            self.arrival = Arrival(self.client, factory.description, self.arrived)
            switchboard.connectionOpened(transport.fileno() if hasattr(transport, "fileno") else -1)
            data = readNow(transport)
            if data:
                self.dataReceived(data)
        else:
            self.arrived = self.arrival.arrived
        if self.state is State.READING and not self._served:
            self.within(factory.headTimeout)

    def dataReceived(self, data: bytes) -> None:
        """
        Part of a head or of a body; or something early; or nothing that matters
        any more.
        """
        state = self.state
        if state is State.READING:
            if self.full:
                self.hold(data)
            else:
                self._read(data)
        elif state is State.EXCHANGING:
            self.exchange.received(data)  # type: ignore[union-attr]
        elif state is State.WAITING:
            self.hold(data)
        elif state is State.LINGERING:
            self._discard(data)

    def _read(self, data: bytes) -> None:
        """
        Read a head, or more of it.
        """
        reader = self._reader
        if reader is None:
            if self.repeated is not None and self._again(data, self.repeated):
                return
            reader = self._reader = HeadReader(self.factory.limits)
            if self._served:
                self.arrived = self._clock.seconds()
        began = not reader.started
        head = reader.receive(data)
        if isinstance(head, RequestHead):
            self._requested(head, data if began else b"")
        elif head is not None:
            self._reject(head)
        elif began and self._served:
            self.within(self.factory.headTimeout)

    def _again(self, data: bytes, repeated: Repeated) -> bool:
        """
        Take a request that differs from the last one in its request line only.

        @return: whether it is one.
        """
        head = repeated.read(data)
        if head is None:
            return False
        target = parseTarget(head)
        if isinstance(target, Refusal):
            return False
        self.arrived = self._clock.seconds()
        self._forward(Exchange(self, head, target, repeated=repeated))
        return True

    def _requested(self, head: RequestHead, octets: bytes) -> None:
        """
        The head is whole.

        @param octets: what it has come in, if that was one piece.
        """
        self._protocol = "http/1.1" if head.minor else "http/1.0"
        if head.method == "CONNECT":
            self._connect(head)
            return
        taken = take(self, head)
        if isinstance(taken, Refusal):
            self._reject(taken, head)
        elif isinstance(taken, Answer):
            self._answer(head, taken)
        else:
            self.early = self._reader.leftover  # type: ignore[union-attr]
            self._reader = None
            if self._served and octets and not self.early:
                taken.learn(octets)
            self._forward(taken)

    def _forward(self, exchange: Exchange) -> None:
        """
        Have a request forwarded.
        """
        self.state = State.EXCHANGING
        self.whenever()
        self.exchange = exchange
        exchange.begin()

    def _connect(self, head: RequestHead) -> None:
        """
        Have the request for a tunnel placed.
        """
        destination = tunnelTo(self, head)
        if isinstance(destination, Refusal):
            self._reject(destination, head)
            return
        self.state = State.WAITING
        self.forget()
        leftover, self._reader = self._reader.leftover, None  # type: ignore[union-attr]
        if leftover:
            self.hold(leftover)
        self.request = TunnelRequest(
            destination,
            self.client,
            self.arrival.listener,
            self._protocol,
            "CONNECT",
            head.fields,
            self.arrived,
            arrival=self.arrival,
            target=head.target,
        )
        self.factory.switchboard.place(self)

    def accept(self, established: Established) -> Leg:
        """
        See L{IInboundTunnel.accept}.
        """
        transport: Any = self.transport
        if not self.factory.noDelay:
            setNoDelay(transport)
        writeNow(transport, self.factory.connected(established) if established.members else CONNECTED)
        return self.release()

    def release(self) -> Leg:
        """
        Let go of the client's transport.

        @return: what a relay takes it from, with what the client has sent already.
        """
        self.state = State.GONE
        self._whenLost = self.exchange = None
        self.factory.connections.discard(self)
        self.forget()
        self.standBack()
        self._dropOrigins()
        early, self.early = self.early, b""
        return Leg.of(self.transport, early, ended=self._ended)

    def refuse(self, refusal: Refusal) -> None:
        """
        See L{IInboundTunnel.refuse}.
        """
        self._whenLost = None
        request = self.request
        self.endWith(self.factory.format(refusal, asked=request.fields, target=str(request.destination)))

    def whenLost(self, callback: Callable[[], None]) -> None:
        """
        See L{IInboundTunnel.whenLost}.
        """
        self._whenLost = callback

    def _reject(self, refusal: Refusal, head: RequestHead | None = None) -> None:
        """
        Refuse what never became a request.
        """
        self._record(refusal)
        bare = head is not None and head.method == "HEAD"
        asked = () if head is None else head.fields
        self.endWith(self.factory.format(refusal, withBody=not bare, asked=asked))

    def _record(self, refusal: Refusal | None) -> None:
        """
        Have an event written for a head that came to nothing.
        """
        method, target = self._reader.soFar if self._reader is not None else ("", "")
        self.factory.switchboard.rejected(
            refusal,
            self.client,
            self.arrival.listener,
            self._protocol,
            self.arrived,
            method or None,
            target or None,
            self.arrival,
        )

    def _answer(self, head: RequestHead, answer: Answer) -> None:
        """
        Write a response of our own, and go on if nothing has come behind the request.
        """
        method, target = self._reader.soFar  # type: ignore[union-attr]
        switchboard = self.factory.switchboard
        arrival = self.arrival._replace(arrived=self.arrived)
        switchboard.answered(arrival, self._protocol, method, target, answer.status)
        close = (
            answer.close
            or not persistent(head)
            or self.over
            or switchboard.draining
            or bool(self._reader.leftover)  # type: ignore[union-attr]
        )
        octets = answer.format(close=close)
        if close:
            self.endWith(octets)
        else:
            self.write(octets, more=False)
            self.next()

    def next(self) -> None:
        """
        The response is written: the next request, please.
        """
        self.exchange = self._reader = None
        self._served = True
        self.state = State.READING
        if self.over:
            self.leave()
            return
        self.within(self.factory.keepTimeout)
        if self.early and not self.full:
            early, self.early = self.early, b""
            self._read(early)
            if self._ended and self.state is State.READING:
                self._part()
                return
        if self.paused and not self.early and self.state is not State.GONE:
            self.resumeReading()

    def overdue(self, now: float) -> None:
        """
        See L{connectproxy.origin.Deadline.overdue}.
        """
        if self.state is State.LINGERING:
            self._lingered()
        elif self.state is State.READING:
            if self._reader is not None and self._reader.started:
                seconds = self.factory.headTimeout
                self._reject(Refusal("http_request_timeout", f"there was no whole head after {seconds:g} s"))
            else:
                self.leave()

    def stop(self) -> None:
        """
        The proxy stops: who has not asked yet is not going to be served.
        """
        if self.state is State.READING:
            if self._reader is not None and self._reader.started:
                self._reject(Refusal("proxy_draining", "the proxy is being stopped"))
            else:
                self.leave()
        elif self.state is State.LINGERING:
            self.hurry()

    def ending(self) -> None:
        """
        See L{Ending.ending}.
        """
        self.early = b""
        self.exchange = None
        self.repeated = None
        self.standBack()
        self._dropOrigins()

    def _dropOrigins(self) -> None:
        """
        No request follows that could use them.
        """
        if self.pool is not None:
            self.pool.close()
            self.pool = None

    def readConnectionLost(self) -> None:
        """
        The client has ended its stream.  In the middle of a head that is the end
        of it; later it may be a client that has said all it has to say.
        """
        self._ended = True
        if self.state is State.EXCHANGING:
            self.exchange.ended()  # type: ignore[union-attr]
        elif self.state is State.READING:
            if not self.early:  # otherwise it is read first, once the client takes what it has asked for
                self._part()
        elif self.state is not State.WAITING:
            self.transport.loseConnection()  # type: ignore[union-attr]

    def _part(self) -> None:
        """
        The client says no more, perhaps in the middle of a head: close behind what it gets.
        """
        if self._reader is not None and self._reader.started:
            self._record(None)
        self.leave()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The client's connection is closed.  This is not called once a relay has
        the transport.
        """
        state, self.state = self.state, State.GONE
        self.factory.connections.discard(self)
        self.forget()
        self.producing = False
        exchange, self.exchange = self.exchange, None
        self._dropOrigins()
        if state is State.READING:
            if self._reader is not None and self._reader.started:
                self._record(None)
        elif exchange is not None:
            exchange.clientLost()
        elif self._whenLost is not None:
            whenLost, self._whenLost = self._whenLost, None
            whenLost()
        self.factory.switchboard.connectionClosed()
