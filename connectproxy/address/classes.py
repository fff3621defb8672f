"""
What kind of address an IP address is.

This is the ground that the guard against server-side request forgery stands on.
It follows the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890,
as of 2025-10-09), with the IPv6 address space of RFC 4291 section 2.4 around
them.  The standard library's C{is_global} and C{is_private} are not asked: their
answers have changed between patch releases of Python, and a policy must not.

Where it departs from the registries it is stricter, and the row says why.

What it can't know: an address that a cloud provider has taken from public space
for its own services is L{AddressClass.GLOBAL} here (but for Azure's, which has a
row), and so is IPv4 behind a NAT64 prefix that an operator took from his own network (RFC
6052 section 2.2).  A rule must name these.  Nor does it know which parts of
2000::/3 have been given out: what has not, leads nowhere.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

__all__ = ["AddressClass", "canonical", "classify", "embedded"]


class AddressClass(Enum):
    """
    The kinds of address.  The values are the words of configuration and log.
    """

    GLOBAL = "global"
    """The Internet.  The only kind that is open to everybody."""

    LOOPBACK = "loopback"
    """This machine: 127.0.0.0/8 and ::1."""

    PRIVATE = "private"
    """The networks of RFC 1918."""

    LINK_LOCAL = "link_local"
    """169.254.0.0/16 and fe80::/10.  The clouds' metadata service, 169.254.169.254, lives here."""

    SHARED = "shared"
    """100.64.0.0/10, behind a provider's NAT.  One cloud's metadata service, 100.100.100.200, lives here."""

    UNIQUE_LOCAL = "unique_local"
    """fc00::/7, IPv6's private networks.  Metadata services that speak IPv6 live here, as fd00:ec2::254."""

    SITE_LOCAL = "site_local"
    """fec0::/10, what came before unique local addresses; deprecated."""

    MULTICAST = "multicast"
    """Groups of machines; nothing that TCP could connect to."""

    UNSPECIFIED = "unspecified"
    """0.0.0.0/8 and ::, "this host on this network".  Connecting to it reaches loopback on most systems."""

    BROADCAST = "broadcast"
    """255.255.255.255."""

    DOCUMENTATION = "documentation"
    """Kept for examples; some networks use it as private space."""

    BENCHMARKING = "benchmarking"
    """Kept for laboratories; some networks use it as private space."""

    TRANSITION = "transition"
    """
    IPv6 that leads to IPv4 by a way that can't be judged from here: 6to4 and
    Teredo, whose public relays are gone, and NAT64 under its local prefix.
    """

    RESERVED = "reserved"
    """Everything else that is not the Internet, one cloud's metadata service at 192.0.0.192 included."""


_Row = tuple[str, AddressClass]

# In either table the longest prefix that matches counts; the order is for the reader.

_IPV4: tuple[_Row, ...] = (
    # Globally reachable by the registry, and so without rows: 192.31.196.0/24 and
    # 192.175.48.0/24 (AS112; RFC 7535, 7534), 192.52.193.0/24 (AMT; RFC 7450).
    ("0.0.0.0/0", AddressClass.GLOBAL),
    ("0.0.0.0/8", AddressClass.UNSPECIFIED),  # RFC 791 section 3.2, RFC 1122 section 3.2.1.3
    ("10.0.0.0/8", AddressClass.PRIVATE),  # RFC 1918
    ("100.64.0.0/10", AddressClass.SHARED),  # RFC 6598
    ("127.0.0.0/8", AddressClass.LOOPBACK),  # RFC 1122 section 3.2.1.3
    ("169.254.0.0/16", AddressClass.LINK_LOCAL),  # RFC 3927
    ("172.16.0.0/12", AddressClass.PRIVATE),  # RFC 1918
    # RFC 6890 section 2.1.  The registry calls 192.0.0.9 (PCP; RFC 7723) and 192.0.0.10
    # (TURN; RFC 8155) global, yet either is the nearest server: one of the proxy's own network.
    ("192.0.0.0/24", AddressClass.RESERVED),
    # No registry's: Azure has taken it for what its machines ask of their host (names, leases,
    # health, and the agent's goal state), the same kind of target as 169.254.169.254 is.
    ("168.63.129.16/32", AddressClass.RESERVED),
    ("192.0.2.0/24", AddressClass.DOCUMENTATION),  # RFC 5737
    ("192.88.99.0/24", AddressClass.RESERVED),  # 6to4 relays, deprecated: RFC 7526; 6a44: RFC 6751
    ("192.168.0.0/16", AddressClass.PRIVATE),  # RFC 1918
    ("198.18.0.0/15", AddressClass.BENCHMARKING),  # RFC 2544, RFC 6815 section 4.2
    ("198.51.100.0/24", AddressClass.DOCUMENTATION),  # RFC 5737
    ("203.0.113.0/24", AddressClass.DOCUMENTATION),  # RFC 5737
    ("224.0.0.0/4", AddressClass.MULTICAST),  # RFC 5771
    ("240.0.0.0/4", AddressClass.RESERVED),  # RFC 1112 section 4
    ("255.255.255.255/32", AddressClass.BROADCAST),  # RFC 919 section 7
)

_IPV6: tuple[_Row, ...] = (
    # What no row below names is kept for the future, 4000::/2 as much as 5f00::/16 (RFC 9602),
    # 100::/64 (RFC 6666) and 100:0:0:1::/64 (RFC 9780), or deprecated, as ::/96 is.
    ("::/0", AddressClass.RESERVED),  # RFC 4291 section 2.4
    ("::/128", AddressClass.UNSPECIFIED),  # RFC 4291 section 2.5.2
    ("::1/128", AddressClass.LOOPBACK),  # RFC 4291 section 2.5.3
    ("::ffff:0:0/96", AddressClass.GLOBAL),  # if the IPv4 address is: RFC 4291 section 2.5.5.2
    ("64:ff9b::/96", AddressClass.GLOBAL),  # if the IPv4 address is: NAT64, RFC 6052 section 2.1
    # NAT64 within one network.  Where in it the IPv4 address stands, that network decides.
    ("64:ff9b:1::/48", AddressClass.TRANSITION),  # RFC 8215
    ("2000::/3", AddressClass.GLOBAL),  # RFC 3587; 2620:4f:8000::/48 (AS112; RFC 7534) is part of it
    # RFC 2928.  The registry calls these global too, and they stay closed: the anycast addresses
    # 2001:1::1, ::2 and ::3 (RFC 7723, 8155, 9665), for the reason given at 192.0.0.0/24; 2001:20::/28
    # (ORCHIDv2; RFC 7343) and 2001:30::/28 (RFC 9374), which are identifiers that no router
    # knows: whatever answers there is an overlay network of this machine.
    ("2001::/23", AddressClass.RESERVED),
    ("2001::/32", AddressClass.TRANSITION),  # Teredo, RFC 4380
    ("2001:2::/48", AddressClass.BENCHMARKING),  # RFC 5180
    ("2001:3::/32", AddressClass.GLOBAL),  # AMT, RFC 7450
    ("2001:4:112::/48", AddressClass.GLOBAL),  # AS112, RFC 7535
    ("2001:db8::/32", AddressClass.DOCUMENTATION),  # RFC 3849
    ("2002::/16", AddressClass.TRANSITION),  # 6to4, RFC 3056; its relays are gone: RFC 7526
    ("3fff::/20", AddressClass.DOCUMENTATION),  # RFC 9637
    ("fc00::/7", AddressClass.UNIQUE_LOCAL),  # RFC 4193
    ("fe80::/10", AddressClass.LINK_LOCAL),  # RFC 4291 section 2.5.6
    ("fec0::/10", AddressClass.SITE_LOCAL),  # RFC 3879
    ("ff00::/8", AddressClass.MULTICAST),  # RFC 4291 section 2.7
)


def _flatten(
    rows: Sequence[tuple[IPv4Network | IPv6Network, AddressClass]],
) -> tuple[list[int], list[AddressClass]]:
    """
    Lay overlapping networks out side by side, so that one bisection finds the
    longest prefix that matches.

    @return: the first address of each stretch, ascending, and the class of each.
    """
    spans = [
        (network.prefixlen, int(network.network_address), int(network.broadcast_address), found)
        for network, found in rows
    ]
    spans.sort(key=lambda span: span[0], reverse=True)
    beyond = max(last for _, _, last, _ in spans)
    edges = {first for _, first, _, _ in spans} | {last + 1 for _, _, last, _ in spans if last < beyond}
    starts = sorted(edges)
    return starts, [
        next(found for _, first, last, found in spans if first <= start <= last) for start in starts
    ]


_STARTS4, _CLASSES4 = _flatten([(IPv4Network(text), found) for text, found in _IPV4])
_STARTS6, _CLASSES6 = _flatten([(IPv6Network(text), found) for text, found in _IPV6])

# Where IPv6 holds an IPv4 address: the prefix, its length, the distance of the IPv4 address from the
# right, and what it is XORed with.
_EMBEDDINGS = (
    (0xFFFF, 96, 0, 0),  # mapped, ::ffff:0:0/96: RFC 4291 section 2.5.5.2
    (0x0064FF9B << 64, 96, 0, 0),  # NAT64, 64:ff9b::/96: RFC 6052 section 2.2
    (0x2002, 16, 80, 0),  # 6to4, 2002::/16: RFC 3056 section 2
    (0x20010000, 32, 0, 0xFFFFFFFF),  # Teredo, 2001::/32, the client: RFC 4380 section 4
    (0, 96, 0, 0),  # compatible, ::/96: RFC 4291 section 2.5.5.1
    (0xFFFF << 16, 96, 0, 0),  # translated, ::ffff:0:0:0/96: RFC 2765 section 2.1
)
_ISATAP = 0x5EFE  # RFC 5214 section 6.1
_ISATAP_MASK = 0xFDFFFFFF  # the bit that is left out says whether the IPv4 address is globally unique

# The kinds that are worth a look at the IPv4 address inside; the others are closed whatever it is.
_OUTER = (AddressClass.GLOBAL, AddressClass.TRANSITION, AddressClass.UNIQUE_LOCAL)


def classify(ip: IPv4Address | IPv6Address) -> AddressClass:
    """
    Say what kind of address C{ip} is.

    An IPv6 address that holds an IPv4 address which is not global is of the
    IPv4 address's kind: the way may be closed, the destination is that.  With a
    global IPv4 address inside, the mapped form and NAT64's well-known prefix
    are L{AddressClass.GLOBAL}; 6to4 and Teredo never are.

    It takes a bisection, about as long as finding C{ip} in a cache would take:
    hence there is none.

    @param ip: the address; a zone identifier makes no difference.
    """
    if isinstance(ip, IPv4Address):
        return _CLASSES4[bisect_right(_STARTS4, int(ip)) - 1]
    found = _CLASSES6[bisect_right(_STARTS6, int(ip)) - 1]
    if found in _OUTER:
        inner = embedded(ip)
        if inner is not None:
            judged = classify(inner)
            if judged is not AddressClass.GLOBAL:
                return judged
    return found


def embedded(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    """
    Find the IPv4 address that an IPv6 address holds.

    The forms are mapped, compatible and translated addresses, NAT64 under
    64:ff9b::/96, 6to4, Teredo (the client's address) and the interface
    identifiers of ISATAP.  For NAT64 under any other prefix it can't be known
    where the IPv4 address stands.

    A rule that closes a network should ask for this address as well as for the
    outer one; a rule that opens one should not.

    @return: L{None} for an address that holds none, and for every IPv4 address.
    """
    if isinstance(ip, IPv4Address):
        return None
    value = int(ip)
    if value < 2:  # :: and ::1 look like compatible addresses and are none
        return None
    for prefix, length, distance, flip in _EMBEDDINGS:
        if value >> (128 - length) == prefix:
            return IPv4Address(((value >> distance) & 0xFFFFFFFF) ^ flip)
    if (value >> 32) & _ISATAP_MASK == _ISATAP:
        return IPv4Address(value & 0xFFFFFFFF)
    return None


def canonical(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """
    Give the IPv4 address for an IPv4-mapped one, which means the very same to
    the system's sockets (RFC 4291 section 2.5.5.2), and any other unchanged.
    """
    if isinstance(ip, IPv6Address):
        mapped = ip.ipv4_mapped
        if mapped is not None:
            return mapped
    return ip
