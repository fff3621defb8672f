"""
The kind of listener that speaks SOCKS 5, 4 and 4a, and what belongs to one port.

Standing alone, a port hands each connection to a protocol of its own
(L{SOCKSProxyFactory.buildProtocol}).  Sharing a port with other protocols, somebody
else accepts, reads the first octets, and hands over what turns out to be SOCKS
(L{SOCKSProxyFactory.receive}).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from zope.interface import implementer

from connectproxy.interfaces import Arrival, IDialect, IReceiver, ISwitchboard
from connectproxy.listeners.socks.connection import SOCKSProxy
from connectproxy.port import listenAt, noOptions

__all__ = ["SOCKSProxyFactory", "kind"]


@implementer(IReceiver)
class SOCKSProxyFactory(Factory):
    """
    The connections of one listening port.

    @ivar reading: those that have not sent a whole request yet.
    @ivar noDelay: the port's connections have TCP_NODELAY from the start.
    """

    noisy = False
    noDelay = False

    def __init__(
        self,
        switchboard: ISwitchboard,
        description: str,
        headTimeout: float = 30.0,
        lingerTimeout: float = 2.0,
        *,
        udp: bool = True,
    ) -> None:
        """
        @param description: the listening endpoint, for events.
        @param headTimeout: seconds from the connection to the whole request.
        @param lingerTimeout: seconds for the client to close after a refusal.
        @param udp: UDP ASSOCIATE is served.
        """
        self.switchboard: Any = switchboard
        self.description = description
        self.headTimeout = headTimeout
        # RFC 1928 section 6 leaves ten seconds, of which the wheel may take a part.
        self.lingerTimeout = min(lingerTimeout, 9.0)
        self.udp = udp
        self.reading: set[SOCKSProxy] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A client has connected."""
        protocol = SOCKSProxy()
        protocol.factory = self
        protocol.client = addr
        return protocol

    def receive(self, arrival: Arrival, protocol: str) -> Any:
        """See L{IReceiver.receive}."""
        taken = SOCKSProxy()
        taken.factory = self
        taken.client = arrival.client
        taken.arrival = arrival
        return taken

    def stop(self) -> None:
        """See L{IReceiver.stop}."""
        for each in tuple(self.reading):
            each.stop()

    stopFactory = stop


@implementer(IDialect)
class _Kind:
    """
    Listens on any Twisted stream endpoint.
    """

    kindName = "socks"
    protocolNames = ("socks5", "socks4")
    alpn: Mapping[bytes, str] = MappingProxyType({})

    _openings: Mapping[int, str] = MappingProxyType({5: "socks5", 4: "socks4"})

    def parseOptions(self, mapping: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """See L{IDialect.parseOptions}: there are no keys of its own."""
        return noOptions(mapping, where)

    def recognise(self, octets: bytes) -> str | None:
        """See L{IDialect.recognise}: the first octet is the version."""
        return self._openings.get(octets[0])

    def buildReceiver(self, switchboard: ISwitchboard) -> SOCKSProxyFactory:
        """See L{IDialect.buildReceiver}."""
        factory = self._factory(switchboard, "")
        factory.noDelay = True  # who accepts sees to it
        return factory

    def listen(
        self, reactor: Any, description: str, options: Any, switchboard: ISwitchboard
    ) -> Deferred[Any]:
        """See L{IDialect.listen}."""
        return listenAt(reactor, description, self._factory(switchboard, description))

    def _factory(self, switchboard: ISwitchboard, description: str) -> SOCKSProxyFactory:
        """What a port has, by the settings."""
        settings: Mapping[str, Any] = switchboard.settings
        return SOCKSProxyFactory(
            switchboard,
            description,
            settings["timeouts.head"],
            settings["timeouts.linger"],
            udp=settings["socks.udp"],
        )


kind = _Kind()
