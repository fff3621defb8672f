"""
The kind of listener that speaks HTTP/1.x, and what belongs to one port.

Standing alone, a port hands each connection to a protocol of its own
(L{HTTPProxyFactory.buildProtocol}).  Sharing a port with other protocols,
somebody else accepts, reads the first octets, and hands over what turns out to be
HTTP (L{HTTPProxyFactory.receive}).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from twisted.internet.protocol import Factory
from zope.interface import classImplements, implementer

from connectproxy.errors import Refusal
from connectproxy.interfaces import Arrival, Established, IDialect, IReceiver, ISwitchboard
from connectproxy.listeners.http.connection import HTTPProxy
from connectproxy.origin import Patience
from connectproxy.port import listenAt, noOptions
from connectproxy.sockets import answersALPN
from connectproxy.wire.http1 import Limits, formatResponse
from connectproxy.wire.proxystatus import withOurs
from connectproxy.wire.refusal import formatRefusal

__all__ = ["HTTPProxyFactory", "kind"]

_PATIENCE = Patience()


@implementer(IReceiver)
class HTTPProxyFactory(Factory):
    """
    The connections of one listening port.

    @ivar connections: those that are no tunnels.
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
        keepTimeout: float = 60.0,
        patience: Patience = _PATIENCE,
        drainTimeout: float = 10.0,
    ) -> None:
        """
        @param description: the listening endpoint, for events.
        @param identifier: what the proxy calls itself in C{Proxy-Status}.
        @param headTimeout: seconds from the connection to the whole head.
        @param lingerTimeout: seconds for the client to close after a refusal.
        @param keepTimeout: seconds that a connection is kept for another request.
        @param patience: with origins.
        @param drainTimeout: seconds for what is on its way to clients when the proxy stops.
        """
        self.switchboard: Any = switchboard
        self.clock = switchboard.clock
        self.wheel = switchboard.wheel
        self.description = description
        self.identifier = identifier
        self.headTimeout = headTimeout
        self.lingerTimeout = lingerTimeout
        self.limits = limits
        self.keepTimeout = keepTimeout
        self.patience = patience
        self.drainTimeout = drainTimeout
        self.connections: set[HTTPProxy] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A client has connected."""
        protocol = HTTPProxy()
        protocol.factory = self
        protocol.client = addr
        return protocol

    def receive(self, arrival: Arrival, protocol: str) -> Any:
        """See L{IReceiver.receive}."""
        taken = HTTPProxy()
        taken.factory = self
        taken.client = arrival.client
        taken.arrival = arrival
        return taken

    def format(
        self,
        refusal: Refusal,
        *,
        withBody: bool = True,
        close: bool = True,
        asked: tuple[tuple[bytes, bytes], ...] = (),
        target: str = "",
    ) -> bytes:
        """
        A refusal, as a client of HTTP is told; see L{formatRefusal}.
        """
        return formatRefusal(
            refusal, self.identifier, withBody=withBody, close=close, asked=asked, target=target
        )

    def connected(self, established: Established) -> bytes:
        """
        The success of a CONNECT that next hops have said something about.
        """
        field = "Proxy-Status", withOurs(established.members, self.identifier)
        return formatResponse(200, "Connection established", [field])

    def acceptableProtocols(self) -> list[bytes]:
        """
        What is spoken, for a client that asks by ALPN behind an C{ssl:} endpoint
        (RFC 7301): without an answer its handshake would fail.
        """
        return [b"http/1.1"]

    def stop(self) -> None:
        """See L{IReceiver.stop}."""
        for each in tuple(self.connections):
            each.stop()

    stopFactory = stop


if answersALPN():
    classImplements(HTTPProxyFactory, IProtocolNegotiationFactory)


@implementer(IDialect)
class _Kind:
    """
    Listens on any Twisted stream endpoint.
    """

    kindName = "http"
    protocolNames = ("http/1.1",)
    alpn: Mapping[bytes, str] = MappingProxyType({b"http/1.1": "http/1.1"})

    def parseOptions(self, mapping: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """See L{IDialect.parseOptions}: there are no keys of its own yet."""
        return noOptions(mapping, where)

    def recognise(self, octets: bytes) -> str | None:
        """
        See L{IDialect.recognise}: a method begins with a letter, and empty lines
        may come before it (RFC 9112 section 2.2).

        HTTP/2's preface begins so as well; where that is spoken it is what is meant.
        """
        return "http/1.1" if octets[:1].isalpha() or octets[:1] in (b"\r", b"\n") else None

    def buildReceiver(self, switchboard: ISwitchboard) -> HTTPProxyFactory:
        """See L{IDialect.buildReceiver}."""
        factory = self._factory(switchboard, "")
        factory.noDelay = True  # who accepts sees to it
        return factory

    def listen(
        self, reactor: Any, description: str, options: Any, switchboard: ISwitchboard
    ) -> Deferred[Any]:
        """See L{IDialect.listen}."""
        return listenAt(reactor, description, self._factory(switchboard, description))

    def _factory(self, switchboard: ISwitchboard, description: str) -> HTTPProxyFactory:
        """What a port has, by the settings."""
        settings: Mapping[str, Any] = switchboard.settings
        return HTTPProxyFactory(
            switchboard,
            description,
            settings["proxy.name"],
            settings["timeouts.head"],
            settings["timeouts.linger"],
            keepTimeout=settings["timeouts.keep_alive"],
            patience=Patience.of(settings),
            drainTimeout=settings["timeouts.drain"],
        )


kind = _Kind()
