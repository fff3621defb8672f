"""
An agent that goes through proxies.

An C{http} request goes to a proxy that speaks HTTP as a message in absolute-form (RFC 9112
section 3.2.2), on connections that all origins share; every other goes through a tunnel of
its origin's.  Connections are pooled by origin and proxies.  What is common to both stands in
L{connectproxy.web.factory}.

Left out: HTTP/2.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from connectproxy.endpoints import ProxyURL
from connectproxy.web.factory import ProxyAgentEndpointFactory
from connectproxy.web.forwarding import ForwardingAgent
from connectproxy.web.proxies import Chain, Proxies

__all__ = ["ProxyingAgent"]

_AUTHORIZATION = b"Proxy-Authorization"


@implementer(IAgent)
class ProxyingAgent:
    """
    Makes requests through proxies::

        agent = ProxyingAgent(reactor, "http://proxy.example:3128")
        agent.request(b"GET", b"https://origin.example/")

    It takes the place of L{twisted.web.client.Agent}, within those that add cookies,
    redirects and decoding too, and in C{treq.client.HTTPClient}.
    """

    def __init__(
        self,
        reactor: Any,
        proxies: str | ProxyURL | Sequence[str | ProxyURL] | Proxies | None = None,
        contextFactory: Any = None,
        connectTimeout: float | None = None,
        bindAddress: Any = None,
        pool: HTTPConnectionPool | None = None,
        *,
        authentication: str = "basic",
        timeout: float | None = 30.0,
        proxyContextFactory: Any = None,
    ) -> None:
        """
        @param reactor: as L{ProxyAgentEndpointFactory} takes it, and the others likewise.
        @param pool: what keeps connections; it may be one that other agents use.  By default
            each request has its own, as with C{Agent}.
        @raise ValueError: one of these can't be used.
        """
        self._reactor = reactor
        self._pool: Any = HTTPConnectionPool(reactor, False) if pool is None else pool
        self._factory = ProxyAgentEndpointFactory(
            reactor,
            proxies,
            contextFactory,
            connectTimeout=connectTimeout,
            bindAddress=bindAddress,
            authentication=authentication,
            timeout=timeout,
            proxyContextFactory=proxyContextFactory,
        )
        self._authentication = authentication
        self._tunnels: dict[Chain, Any] = {}
        self._forwards: dict[Chain, Any] = {}

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """
        See L{IAgent}.

        A C{Proxy-Authorization} in C{headers} goes to a proxy that gets a message in
        absolute-form, in place of what its URL says, and to nobody else.

        @return: a Deferred of the response, which fails as that of
            L{twisted.web.client.Agent}; with a L{connectproxy.endpoints.ProxyConnectError} if
            a proxy refuses a tunnel; with C{ValueError} if the URI is none, or a proxy can't be
            asked for its host.  Cancelled, it closes the connection, whatever that is for.
        """
        try:
            parsed = URI.fromBytes(uri.strip())
            urls = self._factory.chainFor(parsed)
            if urls and urls[-1].forwards and parsed.scheme == b"http":
                agent = self._forwards.get(urls)
                if agent is None:
                    agent = self._forwards[urls] = self._forwarding(urls)
            else:
                agent = self._tunnels.get(urls)
                if agent is None:
                    agent = self._tunnels[urls] = self._tunnelling(urls)
                if headers is not None and headers.hasHeader(_AUTHORIZATION):
                    headers = headers.copy()
                    headers.removeHeader(_AUTHORIZATION)
            made: Deferred[IResponse] = agent.request(method, uri, headers, bodyProducer)
        except (SchemeNotSupported, ValueError):
            return fail()
        return made

    def _tunnelling(self, urls: Chain) -> Any:
        """
        What makes requests to origins beyond some proxies, or none.
        """
        return Agent.usingEndpointFactory(self._reactor, self._factory, _Pool(self._pool, urls))

    def _forwarding(self, urls: Chain) -> ForwardingAgent:
        """
        What makes requests of the last of them.
        """
        endpoint = self._factory.chain(urls).last
        pool = _Pool(self._pool, urls)
        return ForwardingAgent(self._reactor, endpoint, urls[-1], pool, self._authentication)


class _Pool:
    """
    A pool in which connections are known by the proxies as well.

    @ivar persistent: whether it keeps any.
    """

    def __init__(self, pool: Any, urls: Chain) -> None:
        self._pool = pool
        self._urls = urls

    @property
    def persistent(self) -> bool:
        """As the pool says now."""
        return bool(self._pool.persistent)

    def getConnection(self, key: Hashable, endpoint: Any) -> Any:
        """
        See L{HTTPConnectionPool.getConnection}.
        """
        return self._pool.getConnection((key, self._urls) if self._urls else key, endpoint)
