"""
The proxy's own listening addresses, and whether an address leads back to them.

The service fills them in when it knows them; the rule against loops asks.
"""

from __future__ import annotations

import socket

from connectproxy.address import canonical
from connectproxy.interfaces import IPAddress

__all__ = ["OwnPorts", "isLocal"]


class OwnPorts:
    """
    Where the proxy itself listens.
    """

    def __init__(self) -> None:
        self._ports: dict[int, set[IPAddress]] = {}

    def add(self, address: IPAddress, port: int) -> None:
        """
        @param address: the address bound; an unspecified one stands for all that
            this machine has.
        """
        self._ports.setdefault(port, set()).add(canonical(address))

    def clear(self) -> None:
        """
        The proxy listens no more.
        """
        self._ports.clear()

    def includes(self, address: IPAddress, port: int) -> bool:
        """
        Whether a connection to C{address} and C{port} would come back here.
        """
        bound = self._ports.get(port)
        if bound is None:
            return False
        address = canonical(address)
        if address in bound or address.is_unspecified:
            return True
        return any(each.is_unspecified for each in bound) and self.isLocal(address)

    def isLocal(self, address: IPAddress) -> bool:
        """
        Whether an address belongs to this machine.
        """
        return isLocal(address)


def isLocal(address: IPAddress) -> bool:
    """
    Whether an address belongs to this machine.

    The routing table knows: a datagram socket that is connected to one of the
    machine's own addresses is given that very address as its own.  Nothing is
    sent.
    """
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            name: str = probe.getsockname()[0]
    except OSError:
        return False
    return name == str(address)
