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

from connectproxy.config import Listener
from connectproxy.interfaces import IPAddress
from connectproxy.own import OwnPorts

__all__ = ["ConfiguredPorts"]

_SPLIT = re.compile(r"(?<!\\):")
_PORT = re.compile(r"(?:port=)?([0-9]+)")


class ConfiguredPorts(OwnPorts):
    """
    Where a configuration says that the proxy listens.

    @see: L{connectproxy.own.OwnPorts}, which knows where it does.
    """

    def __init__(self, listeners: Iterable[Listener]) -> None:
        OwnPorts.__init__(self)
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
        self.add(address, port)

    def isLocal(self, address: IPAddress) -> bool:
        """
        Whether an address belongs to this machine, as far as that is the same on every one.
        """
        return address.is_loopback
