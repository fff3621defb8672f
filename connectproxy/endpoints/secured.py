"""
TLS, Twisted's, on whatever an endpoint connects with.

As L{twisted.internet.endpoints.wrapClientTLS}, but for the clock: what is written to TLS in
pieces waits for a turn of the reactor that is given, and not of the global one.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

__all__ = ["SecuredEndpoint"]


@implementer(IStreamClientEndpoint)
class SecuredEndpoint:
    """
    Another endpoint's connection, with TLS on it.
    """

    def __init__(
        self, creator: IOpenSSLClientConnectionCreator, endpoint: IStreamClientEndpoint, clock: IReactorTime
    ) -> None:
        """
        @param creator: knows whom to trust; see
            L{twisted.internet.ssl.optionsForClientTLS}.
        """
        self._creator = creator
        self._endpoint = endpoint
        self._clock = clock

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint}.  The Deferred fires before the handshake is complete,
        as that of Twisted's; a handshake that fails is the reason of C{connectionLost}.
        """
        factory: Any = TLSMemoryBIOFactory(self._creator, True, protocolFactory, clock=self._clock)
        return self._endpoint.connect(factory).addCallback(_within)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._endpoint!r}>"


def _within(protocol: Any) -> IProtocol:
    """
    The protocol within TLS.
    """
    within: IProtocol = protocol.wrappedProtocol
    return within
