"""
Endpoints through proxies by strings, for L{twisted.internet.endpoints.clientFromString}.

The parsers by which Twisted finds this stand in C{twisted/plugins/connectproxy_plugin.py},
which imports nothing of ours before one of these strings is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint

from connectproxy.endpoints.connect import CONNECTClientEndpoint
from connectproxy.endpoints.secrets import readCredentials, readSecret
from connectproxy.endpoints.socks import SOCKS4ClientEndpoint, SOCKS5ClientEndpoint

__all__ = ["parse"]


def parse(prefix: str, reactor: Any, *arguments: str, **parameters: str) -> IStreamClientEndpoint:
    """
    Make an endpoint of what stands in a string.

    @param prefix: C{"connect"}, C{"socks5"} or C{"socks4"}.
    @param arguments: the values in the string without a name: the proxy, the host and the
        port, in this order.
    @param parameters: those with one: see docs/endpoints.md.
    @raise ValueError: one of them can't be used.
    @raise TypeError: one is missing, or there is no such thing.
    """
    return _PARSERS[prefix](reactor, *arguments, **parameters)


def _connect(
    reactor: Any,
    proxy: str,
    host: str,
    port: str,
    credentials: str = "",
    token: str = "",
    authentication: str = "basic",
    timeout: str = "30",
    name: str = "",
) -> IStreamClientEndpoint:
    return CONNECTClientEndpoint(
        clientFromString(reactor, proxy),
        host,
        int(port),
        credentials=readCredentials(credentials),
        token=readSecret(token) if token else None,
        authentication=authentication,
        **_common(reactor, timeout, name),
    )


def _socks5(
    reactor: Any,
    proxy: str,
    host: str,
    port: str,
    credentials: str = "",
    timeout: str = "30",
    name: str = "",
) -> IStreamClientEndpoint:
    return SOCKS5ClientEndpoint(
        clientFromString(reactor, proxy),
        host,
        int(port),
        credentials=readCredentials(credentials),
        **_common(reactor, timeout, name),
    )


def _socks4(
    reactor: Any,
    proxy: str,
    host: str,
    port: str,
    user: str = "",
    timeout: str = "30",
    name: str = "",
) -> IStreamClientEndpoint:
    return SOCKS4ClientEndpoint(
        clientFromString(reactor, proxy), host, int(port), user=user, **_common(reactor, timeout, name)
    )


def _common(reactor: Any, timeout: str, name: str) -> dict[str, Any]:
    """
    What all of them have.
    """
    seconds = float(timeout)
    return {"timeout": seconds or None, "name": name, "clock": reactor}


_PARSERS: dict[str, Callable[..., IStreamClientEndpoint]] = {
    "connect": _connect,
    "socks5": _socks5,
    "socks4": _socks4,
}
