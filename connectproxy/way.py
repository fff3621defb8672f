"""
How a next hop is reached: straight, through another one, by a UNIX socket, or by an endpoint
of Twisted's or of its plugins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IAddress, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.errors import Refusal, Refused
from connectproxy.handshake import Landing
from connectproxy.interfaces import Attempt, Established, IUpstream, Surroundings, TunnelRequest
from connectproxy.race import failureKind
from connectproxy.sockets import setNoDelay

__all__ = ["EndpointWay", "parsed", "wayTo"]


def wayTo(surroundings: Surroundings, options: Mapping[str, Any]) -> IUpstream:
    """
    The way to a next hop.

    @param options: of its C{[[upstream]]}.
    @raise ValueError: its endpoint can't be understood.
    """
    reactor = surroundings.reactor
    if options["endpoint"]:
        endpoint = parsed(reactor, options["endpoint"])
        return EndpointWay(reactor, lambda request: endpoint, surroundings.name)
    path = options["url"].path
    if path:
        from twisted.internet.endpoints import UNIXClientEndpoint  # noqa: PLC0415 - start-up is to be quick

        there = UNIXClientEndpoint(reactor, path)
        return EndpointWay(reactor, lambda request: there, surroundings.name)
    return surroundings.reach(options["via"])


def parsed(reactor: Any, text: str) -> IStreamClientEndpoint:
    """
    Make an endpoint of its description.

    @raise ValueError: Twisted, or its plugin, does not understand it.
    """
    from twisted.internet.endpoints import clientFromString  # noqa: PLC0415 - as above

    try:
        endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
    except Exception as error:
        raise ValueError(f"the endpoint {text!a} can't be understood: {error}") from error
    return endpoint


@implementer(IUpstream)
class EndpointWay:
    """
    A way that is an endpoint's.
    """

    def __init__(
        self, reactor: Any, endpointFor: Callable[[TunnelRequest], IStreamClientEndpoint], name: str
    ) -> None:
        """
        @param endpointFor: makes the endpoint for a request.
        @param name: what the endpoint is called.
        """
        self._reactor = reactor
        self._endpointFor = endpointFor
        self._name = name

    def connect(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IUpstream.connect}.
        """
        began = self._reactor.seconds()
        landing = _Landing(factory)
        result: Deferred[Established] = Deferred(lambda _: connecting.cancel())
        connecting = self._endpointFor(request).connect(landing)  # type: ignore[arg-type]
        connecting.addCallbacks(
            self._connected, self._failed,
            callbackArgs=(result, landing, began), errbackArgs=(result, request, began),
        )  # fmt: skip
        return result

    def _connected(self, landed: Any, result: Deferred[Established], landing: _Landing, began: float) -> None:
        """
        There is a connection.
        """
        setNoDelay(landed.transport)
        try:
            protocol: Any = landing.hand(landed)
        except Exception:  # noqa: BLE001 - whatever it is, nobody may be left waiting
            landed.transport.abortConnection()
            result.errback(Failure())
            return
        address = _shown(landed.transport.getPeer())
        seconds = self._reactor.seconds() - began
        result.callback(Established(protocol, address, (Attempt(address, "connected", seconds),)))

    def _failed(
        self, failure: Failure, result: Deferred[Established], request: TunnelRequest, began: float
    ) -> None:
        """
        There is none.
        """
        destination = request.destination
        if failure.check(Refused):
            result.errback(failure)
            return
        if failure.check(CancelledError, ConnectingCancelledError, ConnectTimeout):
            refusal = Refusal("connection_timeout", f"{destination} did not answer in time")
        elif failure.check(DNSLookupError):
            refusal = Refusal(
                "dns_error", f"the name in the endpoint that leads to {destination} has no address"
            )
        elif failure.check(ConnectError):
            refusal = Refusal(failureKind(failure, 4), f"{destination} could not be connected to")
        else:
            kind = type(failure.value).__name__
            refusal = Refusal("destination_unavailable", f"{destination} could not be connected to ({kind})")
        tried = (Attempt(self._name, refusal.kind, self._reactor.seconds() - began),)
        result.errback(Refused(refusal, tried))


class _Landing:
    """
    The factory for an endpoint.
    """

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory: Any = factory
        self._peer: IAddress | None = None

    def doStart(self) -> None:
        """
        Part of L{IProtocolFactory}.
        """

    def doStop(self) -> None:
        """
        Part of L{IProtocolFactory}.
        """

    def buildProtocol(self, addr: IAddress | None) -> Landing:
        """
        Hold the transport until the endpoint is done with it.
        """
        self._peer = addr
        return Landing()

    def hand(self, landed: Landing) -> Any:
        """
        Let the protocol that is wanted have it.
        """
        protocol = self._factory.buildProtocol(self._peer)
        landed.handOn(protocol)
        return protocol


def _shown(address: Any) -> str:
    """
    An address as events have it.
    """
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is not None and port is not None:
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    name = getattr(address, "name", None)
    if isinstance(name, bytes):
        name = name.decode("utf-8", "backslashreplace")
    return f"unix:{name}" if name else type(address).__name__
