"""
Which of many networks an address is in, without a look at each: a step for each length
of prefix that occurs.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from connectproxy.address import canonical
from connectproxy.interfaces import IPAddress

__all__ = ["NetworkIndex"]


class NetworkIndex:
    """
    Bits by network; the bits of an address are those of all networks that it is in.

    The families are apart, and a mapped address counts as the IPv4 address that it is, as
    in L{connectproxy.address.Networks}.
    """

    __slots__ = ("_ipv4", "_ipv6")

    def __init__(self) -> None:
        # By how far to shift an address, so that what is left is the prefix.
        self._ipv4: dict[int, dict[int, int]] = {}
        self._ipv6: dict[int, dict[int, int]] = {}

    def add(self, networks: Iterable[IPv4Network | IPv6Network], bits: int) -> None:
        """
        Give bits to networks, besides those that they have.
        """
        merged: dict[int, int] = {0: bits}  # one number for all with the same bits
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            tables = self._ipv4 if network.version == 4 else self._ipv6
            table = tables.setdefault(shift, {})
            prefix = int(network.network_address) >> shift
            had = table.get(prefix, 0)
            if had not in merged:
                merged[had] = had | bits
            table[prefix] = merged[had]

    def find(self, address: IPAddress) -> int:
        """
        The bits of an address.
        """
        address = canonical(address)
        value = int(address)
        bits = 0
        for shift, table in (self._ipv4 if address.version == 4 else self._ipv6).items():
            bits |= table.get(value >> shift, 0)
        return bits

    def findAround(self, network: IPv4Network | IPv6Network) -> int:
        """
        The bits of all networks that one is within.
        """
        value = int(network.network_address)
        bits = 0
        for shift, table in (self._ipv4 if network.version == 4 else self._ipv6).items():
            if shift >= network.max_prefixlen - network.prefixlen:
                bits |= table.get(value >> shift, 0)
        return bits
