"""
Messages in absolute-form to a proxy that forwards them itself (RFC 9112 section 3.2.2).

L{twisted.web.client.ProxyAgent} writes them; here they get what there is to show to the
proxy.  What a proxy answers is a response like any other, its 403 and 502 as well: nothing
in it says who wrote it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ProxyAgent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from connectproxy.endpoints import ProxyURL
from connectproxy.wire.authorization.client import Authorizer

__all__ = ["ForwardingAgent"]

_AUTHORIZATION = b"Proxy-Authorization"

_DROPPED = 1 << 16
"""Octets of a challenge's content that are thrown away to keep the connection."""


@implementer(IAgent)
class ForwardingAgent:
    """
    Makes requests of one proxy.
    """

    def __init__(
        self, reactor: Any, endpoint: IStreamClientEndpoint, url: ProxyURL, pool: Any, authentication: str
    ) -> None:
        """
        @param endpoint: leads to the proxy.
        @param url: has what is shown to it.
        @param pool: keeps the connections.
        @param authentication: how it is shown.
        """
        self._agent = ProxyAgent(endpoint, reactor, pool)
        self._authorizer = Authorizer(*url.credentials, authentication) if url.credentials else None

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """
        See L{IAgent}.  A challenge by Digest is answered if there is no content, which could
        have been sent already.
        """
        uri = uri.strip().partition(b"#")[0]  # RFC 9112 section 3.2.2: absolute-URI has no fragment
        made: Deferred[IResponse]
        if self._authorizer is None or (headers is not None and headers.hasHeader(_AUTHORIZATION)):
            made = self._agent.request(method, uri, headers, bodyProducer)
            return made
        return self._ask(self._authorizer, method, uri, headers or Headers(), bodyProducer, again=True)

    def _ask(
        self,
        authorizer: Authorizer,
        method: bytes,
        uri: bytes,
        headers: Headers,
        bodyProducer: IBodyProducer | None,
        *,
        again: bool,
    ) -> Deferred[IResponse]:
        """
        Ask with what there is to show.
        """
        said = authorizer.field(method.decode("latin-1"), uri.decode("latin-1"))
        shown = headers
        if said is not None:
            shown = headers.copy()
            shown.setRawHeaders(_AUTHORIZATION, [said.encode("ascii")])
        made: Deferred[IResponse] = self._agent.request(method, uri, shown, bodyProducer)

        def answered(response: Any) -> Any:
            if response.code != 407:
                return response
            values = response.headers.getRawHeaders(b"Proxy-Authenticate", [])
            if not authorizer.challenged(values, said):
                return response
            dropping = _Dropping()
            response.deliverBody(dropping)
            return dropping.done.addCallback(
                lambda _: self._ask(authorizer, method, uri, headers, None, again=False)
            )

        if again and bodyProducer is None:
            made.addCallback(answered)
        return made


class _Dropping(Protocol):
    """
    Throws content away, after which its connection can be used again.

    @ivar done: fires at the end of it.  Cancelled, it closes the connection.
    """

    transport: Any

    def __init__(self) -> None:
        self._left = _DROPPED
        self.done: Deferred[None] = Deferred(lambda _: self.transport.loseConnection())

    def dataReceived(self, data: bytes) -> None:
        """
        There is some of it, which may be too much.
        """
        self._left -= len(data)
        if self._left < 0:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        There is no more, or there will not be.
        """
        if not self.done.called:
            self.done.callback(None)
