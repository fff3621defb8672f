"""
The way through another proxy that speaks SOCKS: version 5, with a user and a password where
it wants them (RFC 1928, RFC 1929), or version 4 and 4A, with a user id.

What is said stands in L{connectproxy.wire.socks.negotiation}, and what all next hops have in
common in L{connectproxy.hop}.  Whether names are looked up here or there is not decided here:
what is asked for is sent on as it is, but a name to a hop that is said to speak plain SOCKS 4
only.

Left out: UDP ASSOCIATE; datagrams leave from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from zope.interface import implementer

from connectproxy.errors import Refusal
from connectproxy.hop import Hop
from connectproxy.interfaces import (
    Established,
    IHopUpstream,
    IUpstream,
    IUpstreamKind,
    Surroundings,
    TunnelRequest,
)
from connectproxy.wire.socks import SOCKS4Negotiation, SOCKS5Negotiation

__all__ = ["SOCKSUpstream", "kind"]

_OLD = ("socks4", "socks4a")


@implementer(IHopUpstream)
class SOCKSUpstream:
    """
    Reaches destinations through another proxy.
    """

    def __init__(self, surroundings: Surroundings, options: Mapping[str, Any]) -> None:
        """
        @param options: of the C{[[upstream]]}.
        @raise ValueError: as L{IUpstreamKind.build}.
        """
        if options["token"] or options["authentication"]:
            raise ValueError(
                "SOCKS knows neither tokens nor schemes of authentication; leave token and authentication"
                " out, and say credentials"
            )
        self._hop = Hop(surroundings, options, ())  # ALPN has no name for SOCKS
        self._scheme = options["url"].scheme
        # Its methods are those of a plain string, which it does not show itself as.
        user, colon, password = options["credentials"].partition(":")
        self._user = user
        self._pair = (user, password) if colon else None
        self._check()

    def connect(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IUpstream.connect}.
        """
        return self._hop.through(request, factory, self._talk)

    def _check(self) -> None:
        """
        Find out whether the credentials can be said at all.

        @raise ValueError: they can't, as L{IUpstreamKind.build} has it.
        """
        try:
            self._negotiation("a.example", 443)
        except ValueError as error:
            raise ValueError(f"credentials can't be sent to the next hop: {error}") from None

    def _negotiation(self, host: str, port: int) -> SOCKS4Negotiation | SOCKS5Negotiation:
        """
        What is said to get to a host.
        """
        name = self._hop.name
        if self._scheme in _OLD:
            return SOCKS4Negotiation(host, port, name=name, user=self._user)
        return SOCKS5Negotiation(host, port, name=name, credentials=self._pair)

    def reach(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IHopUpstream.reach}.
        """
        return self._hop.reach(request, factory)

    def _talk(self, request: TunnelRequest) -> SOCKS4Negotiation | SOCKS5Negotiation | Refusal:
        """
        What is said for one request.
        """
        host, port, ip, _ = request.destination
        if self._scheme == "socks4" and ip is None:
            return Refusal(
                "destination_ip_unroutable",
                f"the next hop {self._hop.name} speaks SOCKS 4, which has no names; the operator can say socks4a"
                ' in its url, or addresses = "judged", which has them looked up here',
            )
        negotiation = self._negotiation(host, port)
        if isinstance(negotiation, SOCKS4Negotiation) and negotiation.refusal is not None:
            return negotiation.refusal
        return negotiation


@implementer(IUpstreamKind)
class _Kind:
    """
    The one for proxies that speak SOCKS.
    """

    kindName = "socks"
    schemes = ("socks5", "socks5h", "socks4", "socks4a")

    def build(self, surroundings: Surroundings, options: Mapping[str, Any]) -> IUpstream:
        """
        @see: L{IUpstreamKind.build}
        """
        return SOCKSUpstream(surroundings, options)


kind = _Kind()
