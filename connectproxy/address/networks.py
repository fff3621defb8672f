"""
Lists of networks, as a configuration names them.

Knows the notation of RFC 4632 section 3.1 and RFC 4291 section 2.3, and no
rule that uses it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)

from connectproxy.address.classes import canonical

__all__ = ["Networks"]

_Network = IPv4Network | IPv6Network
_Bounds = tuple[tuple[int, ...], tuple[int, ...]]

_SEPARATOR = re.compile(r"[\s,]+")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")


@dataclass(frozen=True, slots=True)
class Networks:
    """
    A set of networks that does not change.

    Two are equal when they hold the same addresses, however these were written.
    The families are apart: C{::/0} is every IPv6 address and no IPv4 address,
    and a mapped address counts as the IPv4 address that it is.

    @ivar ipv4: the IPv4 networks, ascending, none within or next to another
        that it could be joined with.
    @ivar ipv6: the IPv6 networks, likewise.
    """

    ipv4: tuple[IPv4Network, ...] = ()
    ipv6: tuple[IPv6Network, ...] = ()
    _bounds4: _Bounds = field(init=False, repr=False, compare=False)
    _bounds6: _Bounds = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Bring whatever networks were given into the one normal form."""
        put = object.__setattr__  # the way into a frozen dataclass
        put(self, "ipv4", tuple(collapse_addresses(self.ipv4)))
        put(self, "ipv6", tuple(collapse_addresses(self.ipv6)))
        put(self, "_bounds4", _bounds(self.ipv4))
        put(self, "_bounds6", _bounds(self.ipv6))

    @classmethod
    def parse(cls, *texts: str) -> Networks:
        """
        Read networks as people write them: C{"10.0.0.0/8, fc00::/7"}.

        @param texts: any number of strings, each with any number of networks
            between commas or white space.  An address without a length is that
            one address.
        @raise ValueError: what is wrong and what would be right, one sentence
            without its full stop.
        """
        networks = [_network(word) for text in texts for word in _SEPARATOR.split(text) if word]
        return cls(
            tuple(network for network in networks if isinstance(network, IPv4Network)),
            tuple(network for network in networks if isinstance(network, IPv6Network)),
        )

    def __contains__(self, ip: IPv4Address | IPv6Address) -> bool:
        """
        Whether the address is in one of the networks.

        One bisection: a list of thousands costs little more than one of two.
        """
        ip = canonical(ip)
        firsts, lasts = self._bounds4 if isinstance(ip, IPv4Address) else self._bounds6
        value = int(ip)
        at = bisect_right(firsts, value) - 1
        return at >= 0 and value <= lasts[at]

    def __iter__(self) -> Iterator[_Network]:
        """The networks in their normal form, IPv4 first."""
        yield from self.ipv4
        yield from self.ipv6

    def __bool__(self) -> bool:
        """Whether there is any network at all."""
        return bool(self.ipv4 or self.ipv6)

    def __str__(self) -> str:
        """The networks as L{parse} reads them."""
        return ", ".join(map(str, self))


def _bounds(networks: Iterable[_Network]) -> _Bounds:
    """
    The first addresses of networks in ascending order, and the last ones.
    """
    networks = tuple(networks)
    return (
        tuple(int(network.network_address) for network in networks),
        tuple(int(network.broadcast_address) for network in networks),
    )


def _network(word: str) -> _Network:
    """
    Read one network.

    @raise ValueError: see L{Networks.parse}.
    """
    address, slash, length = word.partition("/")
    try:
        ip = ip_address(address)
    except ValueError:
        raise ValueError(
            f"{word!a} is not a network; write an address in full with the length of the prefix,"
            " as in 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1"
        ) from None
    if "%" in address:
        raise ValueError(
            f"{word!a} names a zone, which is no part of a network; leave out the % and the rest"
        )
    if not slash:
        length = str(ip.max_prefixlen)
    elif not _LENGTH.fullmatch(length) or int(length) > ip.max_prefixlen:
        raise ValueError(
            f"{word!a} has no valid length behind the slash; write a number from 0 to {ip.max_prefixlen}"
        )
    network = ip_network((ip, int(length)), strict=False)
    plain = canonical(ip)
    if plain is not ip and network.prefixlen >= 96:
        meant = ip_network((plain, network.prefixlen - 96), strict=False)
        raise ValueError(
            f"{word!a} is IPv4 written as IPv6; write {meant}, which holds for both ways of writing"
        )
    if network.network_address != ip:
        raise ValueError(
            f"{word!a} has bits set behind the prefix; write {network} for the network"
            f" or {plain}/{plain.max_prefixlen} for the one address"
        )
    return network
