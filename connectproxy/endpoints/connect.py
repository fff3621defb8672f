"""
The endpoint that asks a proxy for a tunnel by CONNECT (RFC 9110 section 9.3.6), over
HTTP/1.1.

Which octets are said is L{connectproxy.wire.connect}'s.  Left out: HTTP/2 to the proxy.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from connectproxy.endpoints.tunnel import TIMEOUT, TunnelEndpoint, destinationOf
from connectproxy.wire.authorization.client import Authorizer
from connectproxy.wire.connect import ConnectNegotiation
from connectproxy.wire.negotiation import Negotiation

__all__ = ["CONNECTClientEndpoint"]


class CONNECTClientEndpoint(TunnelEndpoint):
    """
    A destination beyond a proxy that speaks HTTP.

    Connections do not share anything but what was learned from a challenge by Digest: the
    first of them takes one connection to the proxy more.
    """

    def __init__(
        self,
        proxyEndpoint: IStreamClientEndpoint,
        host: str | bytes,
        port: int,
        *,
        credentials: tuple[str, str] | None = None,
        token: str | None = None,
        authentication: str = "basic",
        headers: Iterable[tuple[str, str]] = (),
        timeout: float | None = TIMEOUT,
        name: str = "",
        clock: IReactorTime | None = None,
    ) -> None:
        """
        @param proxyEndpoint: leads to the proxy: any endpoint, with TLS from
            L{wrapClientTLS<twisted.internet.endpoints.wrapClientTLS>} for one that is spoken
            to within TLS, or one of these for a chain.
        @param host: the destination: a name, which the proxy looks up, or an address.
        @param port: 1 to 65535.
        @param credentials: a user and a password for the proxy.
        @param token: a token for the proxy (RFC 6750), in place of credentials.
        @param authentication: how credentials are shown: C{"basic"} (RFC 7617) with every
            request, or C{"digest"} (RFC 7616), by which the password is never sent.
        @param headers: more fields of the request for the proxy, names and values in
            Latin-1.
        @param timeout: how many seconds the proxy has, from the connection to it until its
            answer, TLS with it included; L{None} for no limit.
        @param name: what messages call the proxy.
        @param clock: what tells the time; by default the reactor of the connection, where
            that has one, as TCP, UNIX sockets and TLS on them have.
        @raise ValueError: one of these can't be used; neither credentials nor token are
            shown.
        """
        if credentials is not None and token is not None:
            raise ValueError("there are credentials and a token for the proxy; give one of them")
        self._authorizer: Authorizer | None = None
        if token is not None:
            self._authorizer = Authorizer.bearer(token)
        elif credentials is not None:
            self._authorizer = Authorizer(*credentials, authentication)
        self._fields = tuple(headers)
        TunnelEndpoint.__init__(self, proxyEndpoint, destinationOf(host, port), name, timeout, clock)
        ConnectNegotiation(self.destination, fields=self._fields).begin()  # raises what is wrong with fields

    def _negotiate(self) -> Negotiation:
        """
        See L{TunnelEndpoint._negotiate}.
        """
        return ConnectNegotiation(
            self.destination, name=self._name, fields=self._fields, authorizer=self._authorizer
        )
