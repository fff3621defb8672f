"""
Endpoints by the URLs of proxies: one proxy, or several, each of which is reached through
those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS

from connectproxy.endpoints.connect import CONNECTClientEndpoint
from connectproxy.endpoints.lookup import LookedUpEndpoint
from connectproxy.endpoints.secured import SecuredEndpoint
from connectproxy.endpoints.socks import SOCKS4ClientEndpoint, SOCKS5ClientEndpoint
from connectproxy.endpoints.tunnel import TIMEOUT, TunnelEndpoint, destinationOf
from connectproxy.endpoints.url import ProxyURL, parseProxyURL

__all__ = ["ProxyChain", "endpointThrough", "proxyEndpoint", "proxyURLs"]

_FAMILIES: dict[str, tuple[Any, ...]] = {"socks5": (IPv4Address, IPv6Address), "socks4": (IPv4Address,)}
"""What is looked up here, and for which kinds of address."""


def proxyURLs(urls: str | ProxyURL | Sequence[str | ProxyURL]) -> tuple[ProxyURL, ...]:
    """
    Read one URL, or several.

    @raise ValueError: one of them is none, or there is none.
    """
    given: Sequence[str | ProxyURL] = (urls,) if isinstance(urls, str | ProxyURL) else urls
    if not given:
        raise ValueError("there is no URL of a proxy; give one at least")
    return tuple(parseProxyURL(each) if isinstance(each, str) else each for each in given)


class ProxyChain:
    """
    Several proxies in a row, or one, that lead to many destinations.

    @ivar urls: of each, as L{ProxyURL}; the first is the one that is connected to.
    @ivar last: leads to the last of them, with TLS where its URL says so.
    """

    def __init__(
        self,
        reactor: Any,
        urls: str | ProxyURL | Sequence[str | ProxyURL],
        *,
        authentication: str = "basic",
        timeout: float | None = TIMEOUT,
        connectTimeout: float = TIMEOUT,
        bindAddress: Any = None,
        contextFactory: Any = None,
    ) -> None:
        """
        @param reactor: provides the time, TCP and the look-up of names.
        @param urls: one or several, as L{parseProxyURL} reads them.
        @param authentication: how the credentials in the URLs are shown over HTTP; see
            L{CONNECTClientEndpoint}.
        @param timeout: how many seconds each proxy has for its answer; likewise.
        @param connectTimeout: how many the connection to the first may take.
        @param bindAddress: where that one comes from, as L{HostnameEndpoint} takes it.
        @param contextFactory: an L{IPolicyForHTTPS<twisted.web.iweb.IPolicyForHTTPS>} for
            TLS with proxies; by default they are verified by their name and the authorities
            that the system trusts.
        @raise ValueError: one of these can't be used.
        """
        self.urls = proxyURLs(urls)
        self._reactor = reactor
        self._authentication = authentication
        self._timeout = timeout
        self._contextFactory = contextFactory
        first, *others = self.urls
        endpoint: IStreamClientEndpoint = HostnameEndpoint(
            reactor, first.host, first.port, connectTimeout, bindAddress
        )
        self.last = self._secured(first, endpoint)
        through = self._through(first, self.last)
        for each in others:
            self.last = self._secured(each, self._to(through, each.host, each.port))
            through = self._through(each, self.last)
        self._tunnel = through

    def endpoint(self, host: str | bytes, port: int) -> IStreamClientEndpoint:
        """
        The endpoint of a destination beyond all of them.

        @param host: as L{CONNECTClientEndpoint} takes it, and C{port} likewise.
        @raise ValueError: it is no destination, or none that the last one can be asked for.
        """
        return self._to(self._tunnel, host, port)

    def _secured(self, url: ProxyURL, endpoint: IStreamClientEndpoint) -> IStreamClientEndpoint:
        """
        Put TLS onto the way to a proxy, if that is what its URL says.
        """
        if url.scheme != "https":
            return endpoint
        creator: IOpenSSLClientConnectionCreator = (
            optionsForClientTLS(url.host)
            if self._contextFactory is None
            else self._contextFactory.creatorForNetloc(url.host.encode("ascii"), url.port)
        )
        return SecuredEndpoint(creator, endpoint, self._reactor)

    def _through(self, url: ProxyURL, endpoint: IStreamClientEndpoint) -> tuple[ProxyURL, TunnelEndpoint]:
        """
        What makes the endpoints beyond one proxy; its own destination does not matter.
        """
        common: dict[str, Any] = {"timeout": self._timeout, "name": url.place, "clock": self._reactor}
        tunnel: TunnelEndpoint
        if url.forwards:
            tunnel = CONNECTClientEndpoint(
                endpoint, "localhost", 1, credentials=url.credentials, authentication=self._authentication, **common
            )  # fmt: skip
        elif url.scheme in ("socks5", "socks5h"):
            tunnel = SOCKS5ClientEndpoint(endpoint, "localhost", 1, credentials=url.credentials, **common)
        else:
            user = url.credentials[0] if url.credentials else ""
            tunnel = SOCKS4ClientEndpoint(endpoint, "localhost", 1, user=user, **common)
        return url, tunnel

    def _to(
        self, through: tuple[ProxyURL, TunnelEndpoint], host: str | bytes, port: int
    ) -> IStreamClientEndpoint:
        """
        The endpoint of a destination beyond one proxy.
        """
        url, tunnel = through
        families = _FAMILIES.get(url.scheme)
        destination = destinationOf(host, port)
        if families is None or destination.ip is not None:
            return tunnel.to(host, port)
        return LookedUpEndpoint(
            self._reactor, destination.host, port, families, lambda address: tunnel.to(address, port)
        )

    def __repr__(self) -> str:
        """Without credentials."""
        return f"<{type(self).__name__} {' '.join(map(str, self.urls))}>"


def proxyEndpoint(reactor: Any, url: str | ProxyURL, *, contextFactory: Any = None) -> IStreamClientEndpoint:
    """
    The endpoint of a proxy itself, with TLS where its URL is C{https}.

    @param reactor: as L{ProxyChain} takes it, and the others likewise; credentials in the
        URL are left aside.
    @raise ValueError: it is no URL of a proxy.
    """
    return ProxyChain(reactor, url, contextFactory=contextFactory).last


def endpointThrough(
    reactor: Any,
    urls: str | ProxyURL | Sequence[str | ProxyURL],
    host: str | bytes,
    port: int,
    **parameters: Any,
) -> IStreamClientEndpoint:
    """
    The endpoint of a destination beyond proxies.

    @param reactor: as L{ProxyChain} takes it, and C{urls} and the parameters likewise.
    @param host: as L{CONNECTClientEndpoint} takes it, and C{port} likewise.
    @raise ValueError: one of these can't be used.
    """
    return ProxyChain(reactor, urls, **parameters).endpoint(host, port)
