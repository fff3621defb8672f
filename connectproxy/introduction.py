"""
What tells the far side who the client is, before anything else: a PROXY header.

Which octets it is made of is L{connectproxy.wire.proxyheader}'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from types import MappingProxyType

from twisted.internet.address import IPv4Address, IPv6Address

from connectproxy.interfaces import TunnelRequest
from connectproxy.wire.proxyheader import SocketAddress, formatBlock, formatLine

__all__ = ["INTRODUCTIONS", "Introduction"]

Introduction = Callable[[TunnelRequest, str], bytes]
"""Makes a header of a request and of the address that the connection leads to."""


def _headers(write: Callable[[SocketAddress | None, SocketAddress], bytes]) -> Introduction:
    """
    What makes a PROXY header for a connection to an address.

    @param write: L{formatLine} or L{formatBlock}.
    """

    def introduce(request: TunnelRequest, host: str) -> bytes:
        client = request.client
        source = None  # who comes by a UNIX socket has no address that could be told
        if isinstance(client, IPv4Address | IPv6Address):
            source = SocketAddress(ip_address(client.host), client.port)
        return write(source, SocketAddress(ip_address(host), request.destination.port))

    return introduce


INTRODUCTIONS: Mapping[str, Introduction | None] = MappingProxyType(
    {"none": None, "v1": _headers(formatLine), "v2": _headers(formatBlock)}
)
"""By the values of the keys C{proxy_protocol}."""
