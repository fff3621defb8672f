"""
HTTP/1.x from the client's side: one C{CONNECT} a connection (RFC 9110 section
9.3.6).

Reads the head, hands the request to the switchboard, and writes the answer.
What a head may look like is L{connectproxy.wire.http1}'s to say, and what an
authority means L{connectproxy.address}'s.

While the answer is pending, what the client sends is held after one read, and
goes to the destination first if the tunnel opens.  After a refusal nothing that
arrives is read as a request (RFC 9931 section 8): the answer is followed by a
half-close, and what comes is thrown away until the client closes too or a short
time is over, so that a reset does not take the answer with it (RFC 9112 section
9.6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import twisted
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocolNegotiationFactory,
    ISSLTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.python.versions import Version
from zope.interface import classImplements, implementer

from connectproxy.address import parseAuthority
from connectproxy.errors import Refusal
from connectproxy.interfaces import Established, IInboundTunnel, IListenerKind, ISwitchboard, TunnelRequest
from connectproxy.leg import Leg
from connectproxy.sockets import inheritNoDelay, readNow, setNoDelay, unsent, writeNow
from connectproxy.wire.http1 import (
    CONNECTED,
    HeadReader,
    Limits,
    RequestHead,
    checkConnect,
    escape,
)
from connectproxy.wire.refusal import formatRefusal

__all__ = ["HTTPProxy", "HTTPProxyFactory", "kind"]

LINGER_OCTETS = 1 << 20
"""How much is thrown away behind a refusal before the connection is reset."""


class State(Enum):
    """
    What a client's connection is doing.
    """

    READING = "reading a head"
    WAITING = "waiting for the switchboard"
    LINGERING = "refused, and not yet closed"
    GONE = "closed, or a relay's"


@implementer(IInboundTunnel, IHalfCloseableProtocol)
class HTTPProxy(Protocol):
    """
    One client's connection, until there is a tunnel.

    @ivar client: the client's address.
    @ivar slot: the wheel's, for the deadlines of the head and of lingering.
    @ivar state: the L{State}.
    """

    factory: HTTPProxyFactory
    client: Any
    slot = 0
    state = State.READING
    request: Any = None
    _early = b""
    _ended = False
    _discarded = 0
    _protocol = "http/1.1"
    _whenLost: Callable[[], None] | None = None

    def connectionMade(self) -> None:
        """
        The clock for the head starts, and what the client has sent by now is read.
        """
        factory = self.factory
        transport: Any = self.transport
        switchboard = factory.switchboard
        self._arrived = switchboard.clock.seconds()
        self._reader = HeadReader(factory.limits)
        factory.reading.add(self)
        switchboard.wheel.add(self, factory.headTimeout)
        switchboard.connectionOpened(transport.fileno() if hasattr(transport, "fileno") else -1)
        data = readNow(transport)
        if data:
            self.dataReceived(data)

    def dataReceived(self, data: bytes) -> None:
        """
        Part of a head; or something early; or nothing that matters any more.
        """
        transport: Any = self.transport
        if self.state is State.READING:
            head = self._reader.receive(data)
            if isinstance(head, RequestHead):
                self._requested(head)
            elif head is not None:
                self._reject(head)
        elif self.state is State.WAITING:
            self._early += data
            transport.pauseProducing()
        elif self.state is State.LINGERING:
            self._discarded += len(data)
            if self._discarded > LINGER_OCTETS:
                transport.abortConnection()

    def _requested(self, head: RequestHead) -> None:
        """
        The head is whole: have it placed, if it asks for a tunnel.
        """
        if not head.minor:
            self._protocol = "http/1.0"
        if head.method != "CONNECT":
            detail = f"the method is {escape(head.method.encode('ascii'))}; only CONNECT is served"
            self._reject(Refusal("http_method_not_implemented", detail), withBody=head.method != "HEAD")
            return
        refusal = checkConnect(head)
        destination = parseAuthority(head.target) if refusal is None else refusal
        if isinstance(destination, Refusal):
            self._reject(destination)
            return
        factory = self.factory
        self._leaveReading(State.WAITING)
        self._early = self._reader.leftover
        del self._reader
        if self._early:
            self.transport.pauseProducing()  # type: ignore[union-attr]
        self.request = TunnelRequest(
            destination,
            self.client,
            factory.description,
            self._protocol,
            "CONNECT",
            head.fields,
            self._arrived,
        )
        factory.switchboard.place(self)

    def _leaveReading(self, state: State) -> None:
        """
        There will be no more of the head.
        """
        self.state = state
        self.factory.reading.discard(self)
        self.factory.switchboard.wheel.remove(self)

    def accept(self, established: Established) -> Leg:
        """
        See L{IInboundTunnel.accept}.
        """
        transport: Any = self.transport
        self.state = State.GONE
        self._whenLost = None
        if not self.factory.noDelay:
            setNoDelay(transport)
        writeNow(transport, CONNECTED)
        early, self._early = self._early, b""
        return Leg.of(transport, early, ended=self._ended)

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

    def _reject(self, refusal: Refusal, *, withBody: bool = True) -> None:
        """
        Refuse what never became a request.
        """
        self._record(refusal)
        self._leaveReading(State.LINGERING)
        self._answer(refusal, withBody=withBody)

    def _record(self, refusal: Refusal | None) -> None:
        """
        Have an event written for a head that came to nothing.
        """
        factory = self.factory
        method, target = self._reader.soFar
        factory.switchboard.rejected(
            refusal,
            self.client,
            factory.description,
            self._protocol,
            self._arrived,
            method or None,
            target or None,
        )

    def _answer(self, refusal: Refusal, *, withBody: bool = True) -> None:
        """
        Write a refusal and linger.  TLS has no half-close, so there the closing
        is asked for at once and lingering is the time it may take.
        """
        self.state = State.LINGERING
        factory, transport = self.factory, self.transport
        answer: Any = transport
        answer.write(formatRefusal(refusal, factory.identifier, withBody=withBody))
        if ISSLTransport.providedBy(answer) or self._ended:
            answer.loseConnection()
        else:
            answer.loseWriteConnection()
            answer.resumeProducing()
        factory.switchboard.wheel.add(self, factory.lingerTimeout)

    def expired(self, now: float) -> None:
        """
        The head, or the client's closing, has taken too long.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        transport: Any = self.transport
        if self.state is State.READING:
            if self._reader.started:
                seconds = self.factory.headTimeout
                self._reject(Refusal("http_request_timeout", f"there was no whole head after {seconds:g} s"))
            else:
                self._leave()
        elif self.state is State.LINGERING:
            if unsent(transport) or ISSLTransport.providedBy(transport):
                transport.abortConnection()
            else:
                transport.loseConnection()

    def stop(self) -> None:
        """
        The proxy stops: who has not asked yet is not going to be served.
        """
        if self._reader.started:
            self._reject(Refusal("proxy_draining", "the proxy is being stopped"))
        else:
            self._leave()

    def _leave(self) -> None:
        """
        Close without an answer: nothing was asked.  With TLS that takes as long as
        the client likes, so that lingering has its time here as well.
        """
        self._leaveReading(State.LINGERING)
        self.factory.switchboard.wheel.add(self, self.factory.lingerTimeout)
        self.transport.loseConnection()  # type: ignore[union-attr]

    def readConnectionLost(self) -> None:
        """
        The client has ended its stream.  In the middle of a head that is the end
        of it; later it may be a client that has said all it has to say.
        """
        self._ended = True
        if self.state is not State.WAITING:
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
        if state is State.READING:
            self.factory.reading.discard(self)
            if self._reader.started:
                self._record(None)
        elif self._whenLost is not None:
            whenLost, self._whenLost = self._whenLost, None
            whenLost()
        switchboard.connectionClosed()


class HTTPProxyFactory(Factory):
    """
    The connections of one listening port.

    @ivar reading: those that have not sent a whole head yet.
    @ivar noDelay: the port's connections have TCP_NODELAY from the start.
    """

    noisy = False
    noDelay = False

    def __init__(
        self,
        switchboard: ISwitchboard,
        description: str,
        identifier: str = "connectproxy",
        headTimeout: float = 30.0,
        lingerTimeout: float = 2.0,
        limits: Limits = Limits(),
    ) -> None:
        """
        @param description: the listening endpoint, for events.
        @param identifier: what the proxy calls itself in C{Proxy-Status}.
        @param headTimeout: seconds from the connection to the whole head.
        @param lingerTimeout: seconds for the client to close after a refusal.
        """
        self.switchboard: Any = switchboard
        self.description = description
        self.identifier = identifier
        self.headTimeout = headTimeout
        self.lingerTimeout = lingerTimeout
        self.limits = limits
        self.reading: set[HTTPProxy] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A client has connected."""
        protocol = HTTPProxy()
        protocol.factory = self
        protocol.client = addr
        return protocol

    def acceptableProtocols(self) -> list[bytes]:
        """
        What is spoken, for a client that asks by ALPN behind an C{ssl:} endpoint
        (RFC 7301): without an answer its handshake would fail.
        """
        return [b"http/1.1"]

    def stopFactory(self) -> None:
        """The port is closed."""
        for each in tuple(self.reading):
            each.stop()


if twisted.version >= Version("Twisted", 26, 4, 0):  # type: ignore[attr-defined]  # is not in its __all__
    # Since then Twisted answers every client that asks by ALPN, and fails its handshake
    # for want of an answer; before, to declare an answer fails it with today's pyOpenSSL.
    classImplements(HTTPProxyFactory, IProtocolNegotiationFactory)


@implementer(IListenerKind)
class _Kind:
    """
    Listens on any Twisted stream endpoint.
    """

    kindName = "http"

    def parseOptions(self, mapping: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """See L{IListenerKind.parseOptions}: there are no keys of its own yet."""
        if mapping:
            raise ValueError(f"{where}: unknown keys: {', '.join(sorted(mapping))}")
        return {}

    def listen(
        self, reactor: Any, description: str, options: Any, switchboard: ISwitchboard
    ) -> Deferred[Any]:
        """See L{IListenerKind.listen}."""
        settings: Mapping[str, Any] = switchboard.settings
        factory = HTTPProxyFactory(
            switchboard,
            description,
            settings["proxy.name"],
            settings["timeouts.head"],
            settings["timeouts.linger"],
        )

        def listening(port: Any) -> Any:
            factory.noDelay = inheritNoDelay(port)
            return port

        opening: Deferred[Any] = serverFromString(reactor, description).listen(factory)
        return opening.addCallback(listening)


kind = _Kind()
