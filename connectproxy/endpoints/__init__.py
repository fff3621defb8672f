"""
Client endpoints that lead through proxies, for whatever dials with Twisted's.

  - L{CONNECTClientEndpoint}, L{SOCKS5ClientEndpoint} and L{SOCKS4ClientEndpoint}: a
    destination beyond one proxy, which is itself reached by any endpoint, one of these
    included;
  - L{proxyEndpoint} and L{endpointThrough}: the same by URLs, and L{ProxyChain}, which
    keeps what is the same for many destinations;
  - L{ProxyConnectError} and what is derived from it: what has gone wrong.

The prefixes C{connect:}, C{socks5:} and C{socks4:} of
L{twisted.internet.endpoints.clientFromString} make them of strings.  Nothing here is a part
of the proxy, and nothing of the proxy is needed; see docs/endpoints.md.
"""

from __future__ import annotations

from connectproxy.endpoints.chain import ProxyChain, endpointThrough, proxyEndpoint
from connectproxy.endpoints.connect import CONNECTClientEndpoint
from connectproxy.endpoints.failures import ProxyAuthenticationError, ProxyConnectError, ProxyTimeoutError
from connectproxy.endpoints.socks import SOCKS4ClientEndpoint, SOCKS5ClientEndpoint
from connectproxy.endpoints.url import ProxyURL, parseProxyURL

__all__ = [
    "CONNECTClientEndpoint",
    "ProxyAuthenticationError",
    "ProxyChain",
    "ProxyConnectError",
    "ProxyTimeoutError",
    "ProxyURL",
    "SOCKS4ClientEndpoint",
    "SOCKS5ClientEndpoint",
    "endpointThrough",
    "parseProxyURL",
    "proxyEndpoint",
]
