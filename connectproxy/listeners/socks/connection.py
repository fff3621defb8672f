"""
SOCKS from the client's side: one request a connection (RFC 1928, RFC 1929 and the
memos on SOCKS 4 and 4A).

Hands what a L{Negotiation} makes of the octets to the switchboard, and writes the
answer.  Greeting, credentials and request may come in one segment, with what is meant
for the destination behind them.  While a password is being checked, what the client
sends is held after one read; the deadline for the request goes on.

A failure is answered in whatever is the dialect's at that point, and the connection
closed within the ten seconds of RFC 1928 section 6: as HTTP does it, by a half-close,
so that a reset does not take the answer with it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival, Established, Identified, IInboundTunnel, TunnelRequest
from connectproxy.leg import Leg
from connectproxy.listeners.socks.datagrams import ClientDatagrams
from connectproxy.listeners.socks.negotiation import Negotiation, Result
from connectproxy.sockets import LINGER_OCTETS, readNow, setNoDelay, unsent, writeNow
from connectproxy.wire.socks import Connect, Request, formatReply5

if TYPE_CHECKING:
    from connectproxy.listeners.socks.port import SOCKSProxyFactory

__all__ = ["SOCKSProxy"]


class State(Enum):
    """
    What a client's connection is doing.
    """

    READING = "reading a request, or what comes before it"
    CHECKING = "waiting for who the client is"
    WAITING = "waiting for the switchboard"
    ASSOCIATED = "open for as long as datagrams are relayed"
    LINGERING = "answered for good, and not yet closed"
    GONE = "closed, or a relay's"


@implementer(IInboundTunnel, IHalfCloseableProtocol)
class SOCKSProxy(Protocol):
    """
    One client's connection, until there is a tunnel.

    @ivar client: the client's address.
    @ivar arrival: the connection, as what stands before this found it; L{None}
        until it is connected where nothing does.
    @ivar slot: the wheel's, for the deadlines of the request and of lingering.
    @ivar state: the L{State}.
    """

    factory: SOCKSProxyFactory
    client: Any
    arrival: Any = None
    slot = 0
    state = State.READING
    request: Any = None
    _early = b""
    _ended = False
    _discarded = 0
    _whenLost: Callable[[], None] | None = None
    _checking: Deferred[Identified] | None = None

    _log = Logger()

    def connectionMade(self) -> None:
        """
        The clock for the request runs, and what the client has sent by now is read.
        """
        factory = self.factory
        transport: Any = self.transport
        switchboard = factory.switchboard
        factory.reading.add(self)
        now = switchboard.clock.seconds()
        accepted = self.arrival is None
        if accepted:
            self.arrival = Arrival(self.client, factory.description, now)
        self._negotiation = Negotiation(switchboard.authenticator, self.arrival, udp=factory.udp)
        if not accepted:
            switchboard.wheel.add(self, max(0.0, self.arrival.arrived + factory.headTimeout - now))
            return
        switchboard.wheel.add(self, factory.headTimeout)
        switchboard.connectionOpened(transport.fileno() if hasattr(transport, "fileno") else -1)
        data = readNow(transport)
        if data:
            self.dataReceived(data)

    def dataReceived(self, data: bytes) -> None:
        """
        Part of a message; or something early; or nothing that matters any more.
        """
        transport: Any = self.transport
        if self.state is State.READING:
            self._read(data)
        elif self.state is State.WAITING:
            self._early += data
            transport.pauseProducing()
        elif self.state is State.CHECKING:
            self._negotiation.leftover += data
            transport.pauseProducing()
        else:
            self._discarded += len(data)
            if self._discarded > LINGER_OCTETS:
                transport.abortConnection()

    def _read(self, data: bytes) -> None:
        """
        Go on with the negotiation.
        """
        self._go(self._negotiation.receive(data))

    def _go(self, result: Result) -> None:
        """
        Say what there is to be said, and do what the negotiation has come to.
        """
        negotiation = self._negotiation
        said, negotiation.said = negotiation.said, b""
        if said:
            writeNow(self.transport, said)  # type: ignore[arg-type]
        if result is None:
            return
        if isinstance(result, Refusal):
            self._reject(result)
        elif isinstance(result, Deferred):
            self._check(result)
        else:
            self._requested(result)

    def _check(self, identified: Deferred[Identified]) -> None:
        """
        Who the client is will be known later, or is known now.
        """
        self.state = State.CHECKING
        identified.addCallback(self._checked).addErrback(self._broken)
        if self.state is State.CHECKING:
            self._checking = identified
            if self._negotiation.leftover:
                self.transport.pauseProducing()  # type: ignore[union-attr]

    def _broken(self, failure: Failure) -> None:
        """
        A bug of ours, unless it is our own giving up: log it, and let nobody in.
        """
        if not failure.check(CancelledError):
            self._log.failure("the credentials of a client could not be checked", failure)
            self.transport.abortConnection()  # type: ignore[union-attr]

    def _checked(self, found: Identified) -> None:
        """
        It is known who the client is, unless nobody wants to know any more.
        """
        if self.state is not State.CHECKING:
            return
        self._checking = None
        self.state = State.READING
        held = bool(self._negotiation.leftover)
        self._go(self._negotiation.identified(found))
        if self.state is State.READING and self._ended:
            self.transport.loseConnection()  # type: ignore[union-attr]
        elif held and not self._early and self.state in (State.READING, State.WAITING):
            self.transport.resumeProducing()  # type: ignore[union-attr]

    def _requested(self, message: Request) -> None:
        """
        There is a request: have it placed.
        """
        negotiation, arrival, switchboard = self._negotiation, self.arrival, self.factory.switchboard
        self._leaveReading(State.WAITING)
        early, negotiation.leftover = negotiation.leftover, b""
        if early:
            self._early = early
            self.transport.pauseProducing()  # type: ignore[union-attr]
        if isinstance(message, Connect):
            destination, method = message.destination, "CONNECT"
        else:
            # The client's own address, as far as it tells one: nowhere to go to.
            destination, method = Destination(*message.address, None, ""), "UDP ASSOCIATE"
        self.request = TunnelRequest(
            destination, self.client, arrival.listener, negotiation.protocol, method, (), arrival.arrived,
            negotiation.identity, arrival,
        )  # fmt: skip
        if isinstance(message, Connect):
            switchboard.place(self)
        else:
            switchboard.associate(ClientDatagrams(self, self.request))

    def _leaveReading(self, state: State) -> None:
        """
        There will be no more messages.
        """
        self.state = state
        self.factory.reading.discard(self)
        self.factory.switchboard.wheel.remove(self)
        self._giveUp()

    def _giveUp(self) -> None:
        """
        Nobody wants to know any more who the client is.
        """
        checking, self._checking = self._checking, None
        if checking is not None:
            checking.cancel()

    def accept(self, established: Established) -> Leg:
        """
        See L{IInboundTunnel.accept}.
        """
        transport: Any = self.transport
        self.state = State.GONE
        self._whenLost = None
        if not self.factory.noDelay:
            setNoDelay(transport)
        writeNow(transport, self._negotiation.success())
        early, self._early = self._early, b""
        return Leg.of(transport, early, ended=self._ended)

    def associated(self, host: str, port: int) -> None:
        """
        Datagrams are relayed from now on, for as long as the connection is open:
        tell the client where to send them.
        """
        self.state = State.ASSOCIATED
        self._early = b""
        writeNow(self.transport, formatReply5(None, host, port))  # type: ignore[arg-type]
        self.transport.resumeProducing()  # type: ignore[union-attr]

    def refuse(self, refusal: Refusal) -> None:
        """
        See L{IInboundTunnel.refuse}.
        """
        self._early = b""
        self._whenLost = None
        self._answer(refusal)

    def whenLost(self, callback: Callable[[], None]) -> None:
        """
        See L{IInboundTunnel.whenLost}.
        """
        self._whenLost = callback

    def _reject(self, refusal: Refusal) -> None:
        """
        Refuse what never became a request.
        """
        self._record(refusal)
        self._leaveReading(State.LINGERING)
        self._answer(refusal)

    def _record(self, refusal: Refusal | None) -> None:
        """
        Have an event written for what came to nothing.
        """
        negotiation, arrival = self._negotiation, self.arrival
        method, target = negotiation.soFar
        self.factory.switchboard.rejected(
            refusal, self.client, arrival.listener, negotiation.protocol, arrival.arrived, method or None,
            target or None, arrival,
        )  # fmt: skip

    def _answer(self, refusal: Refusal) -> None:
        """
        Write a refusal, as the client expects one at this point, and linger.  TLS
        has no half-close, so there the closing is asked for at once and lingering
        is the time it may take.
        """
        self.state = State.LINGERING
        factory = self.factory
        transport: Any = self.transport
        transport.write(self._negotiation.denial(refusal))
        if ISSLTransport.providedBy(transport) or self._ended:
            transport.loseConnection()
        else:
            transport.loseWriteConnection()
            transport.resumeProducing()
        factory.switchboard.wheel.add(self, factory.lingerTimeout)

    def expired(self, now: float) -> None:
        """
        The request, or the client's closing, has taken too long.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        transport: Any = self.transport
        if self.state in (State.READING, State.CHECKING):
            if self._negotiation.started:
                reading = self.state is State.READING
                missing = "there was no whole request" if reading else "it was not known who the client is"
                words = f"{missing} after {self.factory.headTimeout:g} s"
                self._reject(Refusal("http_request_timeout", words))
            else:
                self.leave()
        elif unsent(transport) or ISSLTransport.providedBy(transport):
            transport.abortConnection()
        else:
            transport.loseConnection()

    def stop(self) -> None:
        """
        The proxy stops: who has not asked yet is not going to be served.
        """
        if self._negotiation.started:
            self._reject(Refusal("proxy_draining", "the proxy is being stopped"))
        else:
            self.leave()

    def leave(self) -> None:
        """
        Close without an answer: nothing was asked, or nothing is relayed any more.
        With TLS that takes as long as the client likes, so that lingering has its
        time here as well.
        """
        self._leaveReading(State.LINGERING)
        self._whenLost = None
        self.factory.switchboard.wheel.add(self, self.factory.lingerTimeout)
        self.transport.loseConnection()  # type: ignore[union-attr]

    def readConnectionLost(self) -> None:
        """
        The client has ended its stream.  In the middle of a message that is the end
        of it, and so it is for datagrams; later it may be a client that has said all
        it has to say.
        """
        self._ended = True
        if self.state not in (State.WAITING, State.CHECKING):
            self.transport.loseConnection()  # type: ignore[union-attr]

    def writeConnectionLost(self) -> None:
        """The half-close behind a refusal has been done."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The client's connection is closed.  This is not called once a relay has
        the transport.
        """
        state, self.state = self.state, State.GONE
        switchboard = self.factory.switchboard
        switchboard.wheel.remove(self)
        whenLost, self._whenLost = self._whenLost, None
        if state in (State.READING, State.CHECKING):
            self.factory.reading.discard(self)
            self._giveUp()
            if self._negotiation.started:
                self._record(None)
        elif whenLost is not None:
            whenLost()
        switchboard.connectionClosed()
