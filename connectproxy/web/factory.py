"""
The endpoints of a L{twisted.web.client.Agent} whose every connection is a tunnel.

An C{https} origin has TLS within the tunnel, by which it is verified under its own name,
whoever the proxies are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.web.client import URI, BrowserLikePolicyForHTTPS
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from connectproxy.endpoints import ProxyChain, ProxyURL
from connectproxy.endpoints.secured import SecuredEndpoint
from connectproxy.web.proxies import Chain, Proxies

__all__ = ["ProxyAgentEndpointFactory"]

_PLAIN = frozenset({b"http", b"ws"})
_SECURE = frozenset({b"https", b"wss"})


@implementer(IAgentEndpointFactory)
class ProxyAgentEndpointFactory:
    """
    Leads an C{Agent} through proxies, by tunnels only::

        agent = Agent.usingEndpointFactory(reactor, ProxyAgentEndpointFactory(reactor, "http://proxy.example:3128"))

    The pool of an C{Agent} knows a connection by its origin, so do not share one with
    another C{Agent}; L{connectproxy.web.ProxyingAgent} can.

    @ivar proxies: the choice of proxies.
    """

    def __init__(
        self,
        reactor: Any,
        proxies: str | ProxyURL | Sequence[str | ProxyURL] | Proxies | None = None,
        contextFactory: Any = None,
        *,
        connectTimeout: float | None = None,
        bindAddress: Any = None,
        authentication: str = "basic",
        timeout: float | None = 30.0,
        proxyContextFactory: Any = None,
    ) -> None:
        """
        @param reactor: provides the time, TCP and the look-up of names.
        @param proxies: the URL of a proxy for all origins, or several, each of which is
            reached through those before it; or a choice; by default what the environment
            says now.
        @param contextFactory: an L{IPolicyForHTTPS<twisted.web.iweb.IPolicyForHTTPS>} for
            TLS with origins; by default as browsers verify them.
        @param connectTimeout: how many seconds the connection to the first proxy, or to an
            origin without one, may take; by default 30.
        @param bindAddress: where that comes from.
        @param authentication: how credentials are shown to proxies that speak HTTP:
            C{"basic"} or C{"digest"}.
        @param timeout: how many seconds each proxy has for its answer; L{None} for no limit.
        @param proxyContextFactory: as C{contextFactory}, for TLS with proxies.
        @raise ValueError: one of these can't be used.
        """
        if proxies is None:
            proxies = Proxies.fromEnvironment()
        elif not isinstance(proxies, Proxies):
            proxies = Proxies(proxies, proxies)
        self.proxies = proxies
        self._reactor = reactor
        self._contextFactory = BrowserLikePolicyForHTTPS() if contextFactory is None else contextFactory
        self._seconds = 30.0 if connectTimeout is None else connectTimeout
        self._bindAddress = bindAddress
        self._parameters: dict[str, Any] = {
            "authentication": authentication,
            "timeout": timeout,
            "connectTimeout": self._seconds,
            "bindAddress": bindAddress,
            "contextFactory": proxyContextFactory,
        }
        self._chains: dict[Chain, ProxyChain] = {}

    def chain(self, urls: Chain) -> ProxyChain:
        """
        What is the same for all connections through the same proxies.

        @raise ValueError: they can't be used.
        """
        found = self._chains.get(urls)
        if found is None:
            found = self._chains[urls] = ProxyChain(self._reactor, urls, **self._parameters)
        return found

    def chainFor(self, uri: URI) -> Chain:
        """
        The proxies for a URI.

        @raise SchemeNotSupported: it is neither http nor https.
        """
        if uri.scheme not in _PLAIN and uri.scheme not in _SECURE:
            raise SchemeNotSupported(f"Unsupported scheme: {uri.scheme!r}")
        return self.proxies.chainFor(uri.scheme.decode("ascii"), uri.host.decode("ascii"), uri.port)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """
        See L{IAgentEndpointFactory}.

        @return: what costs nothing until it is connected: an C{Agent} asks for an endpoint
            with each request, and uses few.
        """
        return _Origin(self, uri, self.chainFor(uri))

    def connectionTo(self, uri: URI, urls: Chain) -> IStreamClientEndpoint:
        """
        The endpoint of an origin.

        @raise ValueError: it has a host that is none, or that can't be asked for.
        """
        endpoint: IStreamClientEndpoint
        if urls:
            endpoint = self.chain(urls).endpoint(uri.host, uri.port)
        else:
            host = uri.host.decode("ascii")
            endpoint = HostnameEndpoint(self._reactor, host, uri.port, self._seconds, self._bindAddress)
        if uri.scheme in _PLAIN:
            return endpoint
        creator = self._contextFactory.creatorForNetloc(uri.host, uri.port)
        return SecuredEndpoint(creator, endpoint, self._reactor)


@implementer(IStreamClientEndpoint)
class _Origin:
    """
    The origin of a URI, until it is connected to.
    """

    __slots__ = ("_factory", "_uri", "_urls")

    def __init__(self, factory: ProxyAgentEndpointFactory, uri: URI, urls: Chain) -> None:
        self._factory = factory
        self._uri = uri
        self._urls = urls

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint}.
        """
        return self._factory.connectionTo(self._uri, self._urls).connect(protocolFactory)

    def __repr__(self) -> str:
        uri = self._uri
        through = "".join(f" through {url}" for url in self._urls)
        return f"<{uri.scheme.decode('ascii')} {uri.host.decode('ascii')}:{uri.port}{through}>"
