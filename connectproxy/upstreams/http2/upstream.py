"""
The kind of upstream that speaks HTTP/2 to a next hop.

C{Via} goes with a CONNECT, as it does with HTTP/1.1.  A PROXY header does not: it says of a
connection who the client is, and a connection is shared by many.
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
    IStandingUpstream,
    IUpstream,
    IUpstreamKind,
    Surroundings,
    TunnelRequest,
)
from connectproxy.upstreams.http2.asking import Asking
from connectproxy.upstreams.http2.pool import Pool
from connectproxy.wire.authorization.client import Authorizer

__all__ = ["HTTP2Upstream", "kind"]


@implementer(IStandingUpstream)
class HTTP2Upstream:
    """
    Reaches destinations through another proxy, on connections that are shared.

    @ivar pool: those connections.
    """

    def __init__(self, surroundings: Surroundings, options: Mapping[str, Any]) -> None:
        """
        @param options: of the C{[[upstream]]}.
        @raise ValueError: as L{IUpstreamKind.build}.
        """
        if options["proxy_protocol"] != "none":
            raise ValueError(
                "a PROXY header says of a whole connection who the client is, and with HTTP/2 many share one;"
                " leave proxy_protocol out, or take a URL with https"
            )
        self._authorizer = Authorizer.of(options)
        self._via = surroundings.via
        self.pool = Pool(
            surroundings.reactor,
            Hop(surroundings, options, (b"h2",)),
            surroundings.tell,
            connections=options["connections"],
            tunnels=options["tunnels"],
            patience=surroundings.settings["timeouts.connect"],
        )

    def connect(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IUpstream.connect}.
        """
        via = [(b"via", line) for line in viaLines(request, self._via)]
        return Asking(self.pool, request, factory, self._authorizer, via).begin()

    def start(self) -> None:
        """
        See L{IStandingUpstream.start}: connections are made when they are wanted.
        """
        self.pool.stopped = False

    def stop(self) -> None:
        """
        See L{IStandingUpstream.stop}.
        """
        self.pool.stop()

    def state(self) -> Mapping[str, Any]:
        """
        See L{IStandingUpstream.state}.
        """
        return self.pool.state()


@implementer(IUpstreamKind)
class _Kind:
    """
    The one for proxies that speak HTTP/2.
    """

    kindName = "http2"
    schemes = ("h2", "h2c")

    def build(self, surroundings: Surroundings, options: Mapping[str, Any]) -> IUpstream:
        """
        @see: L{IUpstreamKind.build}
        """
        return HTTP2Upstream(surroundings, options)


kind = _Kind()
