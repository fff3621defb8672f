"""
The origins that are reached without a proxy: what C{NO_PROXY} lists.

There is no standard.  Read is what curl reads, and a port besides, which Python and Go know:
a name stands for itself and whatever is below it, with a dot in front or without; an address
for itself; a network in CIDR notation for its addresses; C{*}, alone, for everything.
Nothing is looked up: a name is never held against an address.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

__all__ = ["Exceptions"]

_ENTRY = re.compile(
    r"(?P<host>\[[^\]]*\]|[^\[\]:]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:./]*)(?::(?P<port>[0-9]{1,5}))?"
)
"""A host or a network with a port, if any; IPv6 with a port is in brackets."""

_BETWEEN = re.compile(r"[,\s]+")


class Exceptions:
    """
    A list of origins.
    """

    def __init__(self, text: str = "") -> None:
        """
        @param text: entries with commas or white space in between; what is none matches
            nothing.
        """
        self._text = text
        self._everything = text.strip() == "*"
        self._names: dict[str, set[int]] = {}
        self._networks: list[tuple[IPv4Network | IPv6Network, int]] = []
        for entry in _BETWEEN.split(text.lower()):
            found = _ENTRY.fullmatch(entry)
            if found is None:
                continue
            host, port = found["host"].strip("[]"), int(found["port"] or 0)
            try:
                self._networks.append((ip_network(host, strict=False), port))
            except ValueError:
                name = host.removeprefix(".").removesuffix(".")
                self._names.setdefault(name, set()).add(port)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._text!r}>"

    def matches(self, host: str, port: int) -> bool:
        """
        Whether an origin is one of them.

        @param host: a name or an address, without brackets.
        """
        if self._everything:
            return True
        try:
            address = ip_address(host)
        except ValueError:
            name = host.lower().removesuffix(".")
            while name:
                ports = self._names.get(name)
                if ports and (0 in ports or port in ports):
                    return True
                name = name.partition(".")[2]
            return False
        return any(
            address.version == network.version and address in network and only in (0, port)
            for network, only in self._networks
        )
