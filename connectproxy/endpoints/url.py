"""
The URL of a proxy, as the environment and most programs have it (RFC 3986).

Left out: paths, queries and fragments, which no proxy has, and UNIX sockets, for which an
endpoint says more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote

from connectproxy.address import parseHost
from connectproxy.errors import Refusal

__all__ = ["ProxyURL", "parseProxyURL"]

_PORTS: Mapping[str, int] = MappingProxyType(
    {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080, "socks4a": 1080}
)
"""The port where a URL has none: the scheme's own (RFC 9110 section 4.2, RFC 1928 section 3)."""

_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?"
    r"(?:(?P<user>[^@/?#:]*)(?P<colon>:(?P<password>[^@/?#]*))?@)?"
    r"(?P<host>\[[^\]@/?#]*\]|[^:@/?#\[\]]+)(?::(?P<port>[0-9]{1,5})?)?/?"
)

_FORM = "write it as in http://proxy.example:3128, with https, socks5h, socks5, socks4a or socks4 for http"


class ProxyURL(NamedTuple):
    """
    Where a proxy is, what it speaks, and what it is shown.

    @ivar scheme: C{"http"}, C{"https"} (HTTP within TLS), C{"socks5h"}, C{"socks4a"} (the
        proxy looks names up), C{"socks5"} or C{"socks4"} (they are looked up here).
    @ivar host: a name or an address, without brackets.
    @ivar port: 1 to 65535.
    @ivar credentials: a user and a password; L{None} where there are none.
    """

    scheme: str
    host: str
    port: int
    credentials: tuple[str, str] | None = None

    @property
    def forwards(self) -> bool:
        """Whether the proxy takes whole messages besides tunnels: it speaks HTTP."""
        return self.scheme in ("http", "https")

    @property
    def place(self) -> str:
        """Host and port in one string, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        """The URL, without credentials."""
        return f"{self.scheme}://{self.place}"

    def __repr__(self) -> str:
        """Without credentials."""
        return f"<{type(self).__name__} {self}>"


def parseProxyURL(text: str) -> ProxyURL:
    """
    Read the URL of a proxy.

    @param text: a URL; without a scheme it is C{http}.  User and password are
        percent-encoded where they have one of C{@:/?#%}.
    @raise ValueError: it is none, in words that repeat no part which could be secret.
    """
    found = _URL.fullmatch(text) if text.isprintable() else None
    if found is None:
        raise ValueError(f"what stands for a proxy is not its URL; {_FORM}")
    scheme = (found["scheme"] or "http").lower()
    if scheme not in _PORTS:
        raise ValueError(f"{scheme!a} is no scheme of a proxy; {_FORM}")
    destination = parseHost(found["host"], int(found["port"] or _PORTS[scheme]))
    if isinstance(destination, Refusal):
        raise ValueError(f"the URL of a proxy is wrong: {destination.detail}")
    credentials = None
    if found["user"] is not None and (found["user"] or found["password"]):
        credentials = unquote(found["user"]), unquote(found["password"] or "")
    return ProxyURL(scheme, destination.host, destination.port, credentials)
