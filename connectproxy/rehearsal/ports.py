"""
Where a configuration says that the proxy listens, for the rule against loops.

An endpoint that is bound to every address counts as this machine's loopback addresses only:
which others the machine has that the proxy is going to run on can't be known, and the answer
is to be the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from connectproxy.address import canonical
from connectproxy.config import Listener
from connectproxy.interfaces import IPAddress

__all__ = ["ConfiguredPorts"]

_SPLIT = re.compile(r"(?<!\\):")
_PORT = re.compile(r"(?:port=)?([0-9]+)")


class ConfiguredPorts:
    """
    Where a configuration says that the proxy listens.

    @see: L{connectproxy.own.OwnPorts}, which knows where it does.
    """

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._ports: dict[int, set[IPAddress]] = {}
        for listener in listeners:
            kind, *arguments = _SPLIT.split(listener.endpoint)
            port = _PORT.fullmatch(arguments[0]) if arguments and kind in ("tcp", "tcp6", "ssl") else None
            if port is not None:
                named = [each[10:] for each in arguments if each.startswith("interface=")]
                host = (named or ["::" if kind == "tcp6" else "0.0.0.0"])[0].replace("\\", "")
                self._add(host, int(port[1]))

    def _add(self, host: str, port: int) -> None:
        """
        Keep one in mind, if it is an address.
        """
        try:
            address = ip_address({"localhost": "127.0.0.1", "": "0.0.0.0"}.get(host.lower(), host))
        except ValueError:
            return
        self._ports.setdefault(port, set()).add(canonical(address))

    def includes(self, address: IPAddress, port: int) -> bool:
        """
        Whether a connection to an address and port would come back here.
        """
        bound = self._ports.get(port)
        if bound is None:
            return False
        address = canonical(address)
        if address in bound or address.is_unspecified:
            return True
        return address.is_loopback and any(each.is_unspecified for each in bound)
