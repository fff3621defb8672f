"""
The way through another proxy that speaks HTTP/1.1: a CONNECT for every tunnel (RFC 9110
section 9.3.6), and whole messages as they are (RFC 9112 section 3.2.2).

What is said stands in L{connectproxy.wire.connect}, and what all next hops have in common in
L{connectproxy.hop}.  C{Via} goes with a CONNECT, too (RFC 9110 section 7.6.3): it is how
proxies that lead to each other in a circle find out.  No other field of the client's does:
they are between it and this proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from zope.interface import implementer

from connectproxy.hop import Hop, viaLines
from connectproxy.interfaces import (
    Established,
    IForwardingUpstream,
    IHopUpstream,
    IUpstream,
    IUpstreamKind,
    Surroundings,
    TunnelRequest,
)
from connectproxy.wire.authorization.client import Authorizer
from connectproxy.wire.connect import ConnectNegotiation
from connectproxy.wire.hopform import HopForm

__all__ = ["HTTPUpstream", "kind"]


@implementer(IForwardingUpstream, IHopUpstream)
class HTTPUpstream:
    """
    Reaches destinations through another proxy.
    """

    def __init__(self, surroundings: Surroundings, options: Mapping[str, Any]) -> None:
        """
        @param options: of the C{[[upstream]]}.
        @raise ValueError: as L{IUpstreamKind.build}.
        """
        self._hop = Hop(surroundings, options)
        self._authorizer = Authorizer.of(options)
        self._via = surroundings.via
        self._form = HopForm(self._authorizer, self._hop.name)

    def connect(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IUpstream.connect}.
        """
        return self._hop.through(request, factory, self._talk)

    def forward(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IForwardingUpstream.forward}.
        """
        return self._hop.open(request, factory).addCallback(
            lambda established: established._replace(form=self._form)
        )

    def reach(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IHopUpstream.reach}.
        """
        return self._hop.reach(request, factory)

    def _talk(self, request: TunnelRequest) -> ConnectNegotiation:
        """
        What is said for one request.
        """
        via = [("Via", line.decode("latin-1")) for line in viaLines(request, self._via)]
        return ConnectNegotiation(
            request.destination, name=self._hop.name, fields=via, authorizer=self._authorizer
        )


@implementer(IUpstreamKind)
class _Kind:
    """
    The one for proxies that speak HTTP/1.1.
    """

    kindName = "http"
    schemes = ("http",)

    def build(self, surroundings: Surroundings, options: Mapping[str, Any]) -> IUpstream:
        """
        @see: L{IUpstreamKind.build}
        """
        return HTTPUpstream(surroundings, options)


kind = _Kind()
