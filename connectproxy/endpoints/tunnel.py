"""
What the endpoints through proxies have in common: a connection to the proxy by another
endpoint, a negotiation on it, once more where that is asked for, and the application's
protocol on the same transport.

The protocol has the transport itself, with nothing in between: a wrapper as
L{twisted.internet.endpoints} leaves one on the way would lose interfaces of the
protocol's, half-close among them.  What is said in a negotiation is
L{connectproxy.wire}'s; who owns the transport meanwhile, L{connectproxy.handshake}'s.
"""

from __future__ import annotations

import copy
from typing import Any, Self

import idna
from twisted.internet.address import HostnameAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.address import Destination, parseHost
from connectproxy.endpoints.failures import errorFor, lostRefusal
from connectproxy.errors import Refusal
from connectproxy.handshake import Ended, Handshake
from connectproxy.tls.layer import complete
from connectproxy.wire.negotiation import Again, Negotiation, Passage

__all__ = ["TIMEOUT", "TunnelEndpoint", "destinationOf"]

TIMEOUT = 30.0
"""Seconds that a proxy has for its answer; as many as Twisted's endpoints take for a connection."""


def destinationOf(host: str | bytes, port: int) -> Destination:
    """
    Read what an application calls a destination.

    @param host: a name, with or without characters beyond ASCII, or an address; IPv6 with
        or without brackets.
    @param port: 1 to 65535.
    @raise ValueError: it is none.
    """
    text = host.decode("ascii") if isinstance(host, bytes) else host
    if ":" in text and not text.startswith("["):
        text = f"[{text}]"
    elif not text.isascii():
        try:
            text = idna.encode(text, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise ValueError(f"{text!a} is not a name that DNS could have: {error}") from None
    found = parseHost(text, port)
    if isinstance(found, Refusal):
        raise ValueError(found.detail)
    return found


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """
    A destination beyond a proxy; subclasses say how that is asked.

    @ivar destination: where to.
    """

    def __init__(
        self,
        proxyEndpoint: IStreamClientEndpoint,
        destination: Destination,
        name: str,
        timeout: float | None,
        clock: IReactorTime | None,
    ) -> None:
        """
        @param proxyEndpoint: leads to the proxy.
        @param name: what messages call the proxy.
        @param timeout: see L{connectproxy.endpoints.CONNECTClientEndpoint}, and C{clock}
            likewise.
        @raise ValueError: the timeout is none.
        """
        if timeout is not None and not timeout > 0:
            raise ValueError("the timeout has to be a number of seconds above 0, or None for none")
        self._proxyEndpoint = proxyEndpoint
        self.destination = destination
        self._name = name
        self._timeout = timeout
        self._clock = clock

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to the destination.

        @param protocolFactory: C{buildProtocol} is called once the way is open, with the
            address of the proxy.  C{doStart} and C{doStop} are called once each, as often as
            the connection to the proxy is made anew.
        @return: a Deferred of the protocol, which is connected, and receives what has come
            from the destination meanwhile after the Deferred has fired.  It fails with a
            L{connectproxy.endpoints.ProxyConnectError}; with whatever the endpoint that
            leads to the proxy fails with; with L{NoProtocol} or what C{buildProtocol} and
            C{connectionMade} raise, after which the connection is closed.  Cancelled, it
            closes the connection to the proxy, or stops making it, and fails with
            L{ConnectingCancelledError}.
        """
        return _Opening(self, protocolFactory).begin()

    def to(self, host: str | bytes, port: int) -> Self:
        """
        The endpoint of another destination beyond the same proxy, with the same parameters;
        what this one has learned from the proxy, that one knows.

        @raise ValueError: it is no destination, or none that can be asked for.
        """
        other = copy.copy(self)
        other.destination = destinationOf(host, port)
        other._negotiate()
        return other

    def _negotiate(self) -> Negotiation:
        """
        Begin one negotiation.

        @raise ValueError: it can't be asked.
        """
        raise NotImplementedError

    @property
    def _who(self) -> str:
        """The proxy."""
        return f"the next hop {self._name}" if self._name else "the next hop"

    def __repr__(self) -> str:
        """Where to and by what; never a credential."""
        return f"<{type(self).__name__} {self.destination} over {self._proxyEndpoint!r}>"


class _Handshake(Handshake):
    """
    A handshake on whatever an endpoint connects with; that of a process, or of a channel
    within SSH, can't be reset.
    """

    def connectionMade(self) -> None:
        """
        Begin to speak.
        """
        if not hasattr(self.transport, "abortConnection"):
            self.transport = complete(self.transport)
        Handshake.connectionMade(self)


def _isClosing(transport: Any) -> bool:
    """
    Whether a connection has been closed from here, after which nothing is received.  Twisted
    does not document how one knows that of a reset; C{_aborting} is what its sockets have.
    """
    return bool(getattr(transport, "disconnecting", False) or getattr(transport, "_aborting", False))


class _Opening:
    """
    One connection on its way; the factory of the connection to the proxy.
    """

    def __init__(self, endpoint: TunnelEndpoint, factory: IProtocolFactory) -> None:
        self._endpoint = endpoint
        self._factory: Any = factory
        self._negotiation: Any = None
        self._handshake: _Handshake | None = None
        self._connecting: Deferred[Any] | None = None
        self._deadline: Any = None
        self._repeated = False
        self._reaching = False
        self._waiting = False
        self._over = False
        self._started = False
        self._ports = 0
        self._result: Deferred[IProtocol] = Deferred(self._cancelled)

    def begin(self) -> Deferred[IProtocol]:
        """
        Connect to the proxy.
        """
        self._negotiation = self._endpoint._negotiate()
        self._handshake = None
        self._reaching = True
        connecting: Deferred[Any] = self._endpoint._proxyEndpoint.connect(self)  # type: ignore[arg-type]
        self._connecting = connecting
        connecting.addCallbacks(self._reached, self._failed)
        return self._result

    def doStart(self) -> None:
        """
        A connection is going to be made.  The application's factory hears of the first.
        """
        self._ports += 1
        if not self._started:
            self._started = True
            self._factory.doStart()

    def doStop(self) -> None:
        """
        It is gone, or has not come; the application's factory hears of the last.
        """
        self._ports -= 1
        if self._over and self._ports == 0:
            self._factory.doStop()

    def buildProtocol(self, addr: IAddress | None) -> _Handshake | None:
        """
        There is a connection to the proxy.
        """
        if self._over:
            return None
        self._peer = addr
        self._handshake = _Handshake(self._negotiation, self._negotiated)
        return self._handshake

    def _reached(self, _: Any) -> None:
        """
        The connection is up, though perhaps TLS is not.
        """
        self._connecting = None
        self._reaching = False
        if self._waiting:
            self._waiting = False
            self.begin()
        elif not self._over and self._endpoint._timeout is not None:
            clock: Any = self._endpoint._clock
            if clock is None:
                clock = getattr(getattr(self._handshake, "transport", None), "reactor", None)
            if clock is not None:
                self._deadline = clock.callLater(self._endpoint._timeout, self._late)

    def _failed(self, failure: Failure) -> None:
        """
        There is none.
        """
        self._connecting = None
        if not self._over:
            self._end(failure)

    def _negotiated(self, handshake: Handshake, ended: Ended) -> None:
        """
        The proxy has had its say.
        """
        self._handshake = None
        if isinstance(ended, Passage):
            self._pass(handshake, ended)
            return
        if isinstance(ended, Again):
            if not self._repeated:
                self._repeated = True
                self._relax()
                if self._reaching:  # it is all said before the endpoint has returned
                    self._waiting = True
                else:
                    self.begin()
                return
            ended = ended.refusal
        cause: BaseException | None = None
        if isinstance(ended, Failure):
            cause = ended.value
            ended = lostRefusal(ended, self._endpoint._who)
        asked = self._negotiation
        error = errorFor(ended, getattr(asked, "response", None), getattr(asked, "reply", None))
        error.__cause__ = cause
        self._end(Failure(error))

    def _pass(self, handshake: Handshake, passage: Passage) -> None:
        """
        The way is open: the transport is the application's.
        """
        transport: Any = handshake.transport
        try:
            protocol = self._factory.buildProtocol(self._peer)
            if protocol is None:
                raise NoProtocol()
            handshake.handOn(protocol)
        except Exception:  # noqa: BLE001 - it is the caller's to see, as with Twisted's endpoints
            failure = Failure()
            transport.abortConnection()
            self._end(failure)
            return
        self._relax()
        self._over = True
        self._negotiation = None  # it has all of the answer, and this lives as long as the connection
        self._result.callback(protocol)
        if passage.leftover and not _isClosing(transport):
            protocol.dataReceived(passage.leftover)

    def _late(self) -> None:
        """
        The proxy has had its time.
        """
        self._deadline = None
        endpoint = self._endpoint
        words = f"took the request for {endpoint.destination} and did not answer within"
        detail = f"{endpoint._who} {words} {endpoint._timeout:g} s"
        self._end(Failure(errorFor(Refusal("next_hop_silent", detail))))

    def _cancelled(self, result: Deferred[IProtocol]) -> None:
        """
        Nobody waits any more.
        """
        destination = self._endpoint.destination
        address = HostnameAddress(destination.host.encode("ascii"), destination.port)
        self._end(Failure(ConnectingCancelledError(address)))

    def _end(self, failure: Failure) -> None:
        """
        Fail, and leave nothing.
        """
        self._over = True
        self._relax()
        connecting, self._connecting = self._connecting, None
        handshake, self._handshake = self._handshake, None
        if connecting is not None:
            connecting.cancel()
        if handshake is not None:
            handshake.abandon()
        self._result.errback(failure)

    def _relax(self) -> None:
        """
        There is no deadline any more.
        """
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()
