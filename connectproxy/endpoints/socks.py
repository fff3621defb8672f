"""
The endpoints that ask a proxy for a tunnel by SOCKS 5 (RFC 1928, RFC 1929), and by SOCKS 4,
or 4A for names.

Which octets are said is L{connectproxy.wire.socks.negotiation}'s.  Names are the proxy's to
look up; L{connectproxy.endpoints.lookup} does that here.  Left out: BIND, and datagrams.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from connectproxy.endpoints.tunnel import TIMEOUT, TunnelEndpoint, destinationOf
from connectproxy.wire.negotiation import Negotiation
from connectproxy.wire.socks.negotiation import SOCKS4Negotiation, SOCKS5Negotiation

__all__ = ["SOCKS4ClientEndpoint", "SOCKS5ClientEndpoint"]


class SOCKS5ClientEndpoint(TunnelEndpoint):
    """
    A destination beyond a proxy that speaks SOCKS 5.
    """

    def __init__(
        self,
        proxyEndpoint: IStreamClientEndpoint,
        host: str | bytes,
        port: int,
        *,
        credentials: tuple[str, str] | None = None,
        timeout: float | None = TIMEOUT,
        name: str = "",
        clock: IReactorTime | None = None,
    ) -> None:
        """
        @param proxyEndpoint: as L{connectproxy.endpoints.CONNECTClientEndpoint} takes it,
            and the others likewise.
        @param credentials: a user and a password, 1 to 255 octets of UTF-8 each, which the
            proxy need not ask for.
        @raise ValueError: one of these can't be used; credentials are not shown.
        """
        self._credentials = credentials
        TunnelEndpoint.__init__(self, proxyEndpoint, destinationOf(host, port), name, timeout, clock)
        self._negotiate()

    def _negotiate(self) -> Negotiation:
        """
        See L{TunnelEndpoint._negotiate}.
        """
        host, port = self.destination[:2]
        return SOCKS5Negotiation(host, port, name=self._name, credentials=self._credentials)


class SOCKS4ClientEndpoint(TunnelEndpoint):
    """
    A destination beyond a proxy that speaks SOCKS 4: an IPv4 address or, by 4A, a name.
    """

    def __init__(
        self,
        proxyEndpoint: IStreamClientEndpoint,
        host: str | bytes,
        port: int,
        *,
        user: str = "",
        timeout: float | None = TIMEOUT,
        name: str = "",
        clock: IReactorTime | None = None,
    ) -> None:
        """
        @param proxyEndpoint: as L{connectproxy.endpoints.CONNECTClientEndpoint} takes it,
            and the others likewise.
        @param host: but not an IPv6 address, nor one of 0.0.0.1 to 0.0.0.255.
        @param user: the user id, which proves nothing.
        @raise ValueError: one of these can't be used.
        """
        self._user = user
        TunnelEndpoint.__init__(self, proxyEndpoint, destinationOf(host, port), name, timeout, clock)
        self._negotiate()

    def _negotiate(self) -> Negotiation:
        """
        See L{TunnelEndpoint._negotiate}.
        """
        host, port = self.destination[:2]
        negotiation = SOCKS4Negotiation(host, port, name=self._name, user=self._user)
        if negotiation.refusal is not None:
            raise ValueError(negotiation.refusal.detail)
        return negotiation
