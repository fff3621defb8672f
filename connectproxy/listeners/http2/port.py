"""
The kind of listener that speaks HTTP/2, and what belongs to one port.

Standing alone, a port speaks it by prior knowledge (RFC 9113 section 3.3), and within
TLS by ALPN where the endpoint does TLS.  Sharing a port with other protocols, somebody
else accepts and hands over what turns out to be HTTP/2.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from twisted.internet.protocol import Factory
from zope.interface import classImplements, implementer

from connectproxy.http2.credit import CONNECTION, FIRST
from connectproxy.http2.incoming import LIST
from connectproxy.interfaces import Arrival, IDialect, IReceiver, ISwitchboard
from connectproxy.listeners.http2.connection import HTTP2Connection
from connectproxy.origin import Patience
from connectproxy.port import listenAt, noOptions
from connectproxy.sockets import answersALPN
from connectproxy.wire.http2 import PREFACE, Setting, formatSettings, formatWindowUpdate

__all__ = ["HTTP2Port", "kind"]


@implementer(IReceiver)
class HTTP2Port(Factory):
    """
    The connections of one listening port.

    @ivar connections: all of them.
    @ivar noDelay: they have TCP_NODELAY from the start.
    @ivar identifier: what the proxy calls itself in C{Proxy-Status}.
    @ivar patience: with origins.
    @ivar greeting: what each client is told before anything else: SETTINGS, and a window.
    """

    noisy = False
    noDelay = False

    def __init__(self, switchboard: ISwitchboard, description: str) -> None:
        """
        @param description: the listening endpoint, for events.
        """
        settings: Mapping[str, Any] = switchboard.settings
        self.switchboard: Any = switchboard
        self.description = description
        self.identifier: str = settings["proxy.name"]
        self.headTimeout: float = settings["timeouts.head"]
        self.idleTimeout: float = settings["timeouts.keep_alive"]
        self.lingerTimeout: float = settings["timeouts.linger"]
        self.mostStreams: int = settings["limits.streams"]
        self.patience = Patience.of(settings)
        self.connections: set[HTTP2Connection] = set()
        self.greeting = formatSettings(
            {
                Setting.MAX_CONCURRENT_STREAMS: self.mostStreams,
                Setting.MAX_HEADER_LIST_SIZE: LIST,
                Setting.ENABLE_CONNECT_PROTOCOL: 1,
            }
        ) + formatWindowUpdate(0, CONNECTION - FIRST)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A client has connected."""
        return HTTP2Connection(self, addr)

    def receive(self, arrival: Arrival, protocol: str) -> Any:
        """See L{IReceiver.receive}."""
        return HTTP2Connection(self, arrival.client, arrival)

    def acceptableProtocols(self) -> list[bytes]:
        """
        What is spoken, for a client that asks by ALPN behind an C{ssl:} endpoint.
        """
        return [b"h2"]

    def stop(self) -> None:
        """See L{IReceiver.stop}."""
        for each in tuple(self.connections):
            each.stop()

    stopFactory = stop


if answersALPN():
    classImplements(HTTP2Port, IProtocolNegotiationFactory)


@implementer(IDialect)
class _Kind:
    """
    Listens on any Twisted stream endpoint.
    """

    kindName = "http2"
    protocolNames = ("h2",)
    alpn: Mapping[bytes, str] = MappingProxyType({b"h2": "h2"})

    def parseOptions(self, mapping: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """See L{IDialect.parseOptions}: there are no keys of its own."""
        return noOptions(mapping, where)

    def recognise(self, octets: bytes) -> str | None:
        """See L{IDialect.recognise}: it is the whole preface that tells."""
        if octets.startswith(PREFACE):
            return "h2"
        return "" if PREFACE.startswith(octets) else None

    def buildReceiver(self, switchboard: ISwitchboard) -> HTTP2Port:
        """See L{IDialect.buildReceiver}."""
        return HTTP2Port(switchboard, "")

    def listen(
        self, reactor: Any, description: str, options: Any, switchboard: ISwitchboard
    ) -> Deferred[Any]:
        """See L{IListenerKind.listen}."""
        return listenAt(reactor, description, HTTP2Port(switchboard, description))


kind = _Kind()
