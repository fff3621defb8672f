"""
Tests of L{connectproxy.address.classes}.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import AddressClass, canonical, classify, embedded

FUZZED = settings(max_examples=200, deadline=None, database=None)

# The whole of either address space in stretches: the first address of each, and its kind.  Written
# out by hand and not as networks, so that it can't share a mistake with the table that it is held
# against.

IPV4_STRETCHES = [
    ("0.0.0.0", "unspecified"),
    ("1.0.0.0", "global"),
    ("10.0.0.0", "private"),
    ("11.0.0.0", "global"),
    ("100.64.0.0", "shared"),
    ("100.128.0.0", "global"),
    ("127.0.0.0", "loopback"),
    ("128.0.0.0", "global"),
    ("168.63.129.15", "global"),
    ("168.63.129.16", "reserved"),
    ("168.63.129.17", "global"),
    ("169.254.0.0", "link_local"),
    ("169.255.0.0", "global"),
    ("172.16.0.0", "private"),
    ("172.32.0.0", "global"),
    ("192.0.0.0", "reserved"),
    ("192.0.1.0", "global"),
    ("192.0.2.0", "documentation"),
    ("192.0.3.0", "global"),
    ("192.88.99.0", "reserved"),
    ("192.88.100.0", "global"),
    ("192.168.0.0", "private"),
    ("192.169.0.0", "global"),
    ("198.18.0.0", "benchmarking"),
    ("198.20.0.0", "global"),
    ("198.51.100.0", "documentation"),
    ("198.51.101.0", "global"),
    ("203.0.113.0", "documentation"),
    ("203.0.114.0", "global"),
    ("224.0.0.0", "multicast"),
    ("240.0.0.0", "reserved"),
    ("255.255.255.255", "broadcast"),
]

# Where the IPv4 address inside decides, the kind is "embedded".
IPV6_STRETCHES = [
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::2", "reserved"),
    ("::ffff:0:0", "embedded"),
    ("::1:0:0:0", "reserved"),
    ("64:ff9b::", "embedded"),
    ("64:ff9b::1:0:0", "reserved"),
    ("64:ff9b:1::", "transition"),
    ("64:ff9b:2::", "reserved"),
    ("2000::", "global"),
    ("2001::", "embedded"),
    ("2001:1::", "reserved"),
    ("2001:2::", "benchmarking"),
    ("2001:2:1::", "reserved"),
    ("2001:3::", "global"),
    ("2001:4::", "reserved"),
    ("2001:4:112::", "global"),
    ("2001:4:113::", "reserved"),
    ("2001:200::", "global"),
    ("2001:db8::", "documentation"),
    ("2001:db9::", "global"),
    ("2002::", "embedded"),
    ("2003::", "global"),
    ("3fff::", "documentation"),
    ("3fff:1000::", "global"),
    ("4000::", "reserved"),
    ("fc00::", "unique_local"),
    ("fe00::", "reserved"),
    ("fe80::", "link_local"),
    ("fec0::", "site_local"),
    ("ff00::", "multicast"),
]

# The IANA special-purpose registries as of 2025-10-09, by "globally reachable"; None for "N/A".
REGISTRY = [
    ("0.0.0.0/8", False),
    ("0.0.0.0/32", False),
    ("10.0.0.0/8", False),
    ("100.64.0.0/10", False),
    ("127.0.0.0/8", False),
    ("169.254.0.0/16", False),
    ("172.16.0.0/12", False),
    ("192.0.0.0/24", False),
    ("192.0.0.0/29", False),
    ("192.0.0.8/32", False),
    ("192.0.0.9/32", True),
    ("192.0.0.10/32", True),
    ("192.0.0.170/32", False),
    ("192.0.0.171/32", False),
    ("192.0.2.0/24", False),
    ("192.31.196.0/24", True),
    ("192.52.193.0/24", True),
    ("192.88.99.0/24", None),
    ("192.88.99.2/32", False),
    ("192.168.0.0/16", False),
    ("192.175.48.0/24", True),
    ("198.18.0.0/15", False),
    ("198.51.100.0/24", False),
    ("203.0.113.0/24", False),
    ("240.0.0.0/4", False),
    ("255.255.255.255/32", False),
    ("::1/128", False),
    ("::/128", False),
    ("64:ff9b:1::/48", False),
    ("100::/64", False),
    ("100:0:0:1::/64", False),
    ("2001::/32", None),
    ("2001:1::1/128", True),
    ("2001:1::2/128", True),
    ("2001:1::3/128", True),
    ("2001:2::/48", False),
    ("2001:3::/32", True),
    ("2001:4:112::/48", True),
    ("2001:10::/28", None),
    ("2001:20::/28", True),
    ("2001:30::/28", True),
    ("2001:db8::/32", False),
    ("2002::/16", None),
    ("2620:4f:8000::/48", True),
    ("3fff::/20", False),
    ("5f00::/16", False),
    ("fc00::/7", False),
    ("fe80::/10", False),
]

# Where the registry says yes and we say no; the reasons stand beside the table of the module.
STRICTER = {
    "192.0.0.9/32",
    "192.0.0.10/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:20::/28",
    "2001:30::/28",
}

# IPv6 addresses, the IPv4 address that each holds, and their kinds.
EMBEDDED = [
    ("::ffff:127.0.0.1", "127.0.0.1", "loopback"),
    ("::ffff:8.8.8.8", "8.8.8.8", "global"),
    ("::ffff:0.0.0.0", "0.0.0.0", "unspecified"),
    ("::ffff:255.255.255.255", "255.255.255.255", "broadcast"),
    ("::ffff:169.254.169.254", "169.254.169.254", "link_local"),
    ("64:ff9b::8.8.8.8", "8.8.8.8", "global"),
    ("64:ff9b::10.0.0.1", "10.0.0.1", "private"),
    ("64:ff9b::169.254.169.254", "169.254.169.254", "link_local"),
    ("64:ff9b::255.255.255.255", "255.255.255.255", "broadcast"),
    ("64:ff9b:1::8.8.8.8", None, "transition"),
    ("64:ff9b:1::10.0.0.1", None, "transition"),
    ("2002:808:808::1", "8.8.8.8", "transition"),
    ("2002:7f00:1::", "127.0.0.1", "loopback"),
    ("2002:a9fe:a9fe::1", "169.254.169.254", "link_local"),
    ("2002:c0a8:101:ffff:ffff:ffff:ffff:ffff", "192.168.1.1", "private"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45", "documentation"),  # RFC 4380's own example
    ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", "8.8.8.8", "transition"),
    ("2001:0:4136:e378:8000:63bf:80ff:fffe", "127.0.0.1", "loopback"),
    ("2001:0:4136:e378:8000:63bf:5601:5601", "169.254.169.254", "link_local"),
    ("2001:0:7f00:1:8000:63bf:f7f7:f7f7", "8.8.8.8", "transition"),
    ("::127.0.0.1", "127.0.0.1", "reserved"),
    ("::8.8.8.8", "8.8.8.8", "reserved"),
    ("::2", "0.0.0.2", "reserved"),
    ("::ffff:0:127.0.0.1", "127.0.0.1", "reserved"),
    ("::ffff:0:8.8.8.8", "8.8.8.8", "reserved"),
    ("2600::5efe:10.0.0.1", "10.0.0.1", "private"),
    ("2600::200:5efe:10.0.0.1", "10.0.0.1", "private"),
    ("2600::5efe:8.8.8.8", "8.8.8.8", "global"),
    ("2600::200:5efe:8.8.8.8", "8.8.8.8", "global"),
    ("2600::100:5efe:10.0.0.1", None, "global"),
    ("2600::5eff:10.0.0.1", None, "global"),
    ("fd00::5efe:169.254.169.254", "169.254.169.254", "link_local"),
    ("fd00::5efe:8.8.8.8", "8.8.8.8", "unique_local"),
    ("fe80::5efe:10.0.0.1", "10.0.0.1", "link_local"),
    ("::1", None, "loopback"),
    ("::", None, "unspecified"),
    ("2606:4700:4700::1111", None, "global"),
    ("2003::7f00:1", None, "global"),
]


class ClassifyTests(SynchronousTestCase):
    """
    Tests of L{classify}.
    """

    def expect(self, ip: IPv4Address | IPv6Address, kind: str) -> None:
        """Compare one address with the word for its kind."""
        if kind != "embedded":
            self.assertEqual(classify(ip), AddressClass(kind), ip)
            return
        inner = embedded(ip)
        assert inner is not None, ip
        found = classify(inner)
        outer = AddressClass.GLOBAL if canonical(ip) is not ip or ip in NAT64 else AddressClass.TRANSITION
        self.assertEqual(classify(ip), outer if found is AddressClass.GLOBAL else found, ip)

    def test_ipv4Boundaries(self) -> None:
        """
        The first and the last address of every stretch of IPv4, and so the one
        before and the one after every network, are of the kind that the
        registry has: conformance 80.
        """
        edges = [(int(IPv4Address(first)), kind) for first, kind in IPV4_STRETCHES] + [(1 << 32, "")]
        for (first, kind), (following, _) in pairwise(edges):
            self.assertLess(first, following)
            self.expect(IPv4Address(first), kind)
            self.expect(IPv4Address(following - 1), kind)

    def test_ipv6Boundaries(self) -> None:
        """
        The same for IPv6.
        """
        edges = [(int(IPv6Address(first)), kind) for first, kind in IPV6_STRETCHES] + [(1 << 128, "")]
        for (first, kind), (following, _) in pairwise(edges):
            self.assertLess(first, following)
            self.expect(IPv6Address(first), kind)
            self.expect(IPv6Address(following - 1), kind)

    def test_registry(self) -> None:
        """
        Nothing is global that the registry calls unreachable, and what it calls
        reachable is global but for the networks that we close on purpose.
        """
        for text, reachable in REGISTRY:
            network = ip_network(text)
            expected = bool(reachable) and text not in STRICTER
            for ip in (network[0], network[-1]):
                self.assertEqual(classify(ip) is AddressClass.GLOBAL, expected, ip)

    def test_metadata(self) -> None:
        """
        The metadata services of the clouds are not global, whichever kind of
        address they have.
        """
        for text in ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"):
            self.assertIsNot(classify(ip_address(text)), AddressClass.GLOBAL)

    def test_internet(self) -> None:
        """
        Addresses that everybody uses are global.
        """
        for text in (
            "1.1.1.1",
            "93.184.216.34",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::200e",
        ):
            self.assertIs(classify(ip_address(text)), AddressClass.GLOBAL)

    def test_embedded(self) -> None:
        """
        IPv6 that holds an IPv4 address which is closed is of that address's
        kind, and 6to4 and Teredo are global with no address inside.
        """
        for text, _, kind in EMBEDDED:
            self.expect(IPv6Address(text), kind)

    def test_zone(self) -> None:
        """
        A zone identifier changes nothing.
        """
        self.assertIs(classify(IPv6Address("fe80::1%eth0")), AddressClass.LINK_LOCAL)
        self.assertIs(classify(IPv6Address("::ffff:10.0.0.1%1")), AddressClass.PRIVATE)

    def test_words(self) -> None:
        """
        The values are words fit for configuration, log and metric labels.
        """
        for kind in AddressClass:
            self.assertTrue(re.fullmatch("[a-z]+(_[a-z]+)*", kind.value))
            self.assertEqual(kind.value, kind.name.lower())

    @FUZZED
    @given(st.ip_addresses(v=4))
    def test_spellings(self, ip: IPv4Address) -> None:
        """
        An IPv4 address that is not global is not so in any spelling either.
        """
        value = int(ip)
        for spelling in (
            (0xFFFF << 32) | value,
            (0x64FF9B << 96) | value,
            (0x2002 << 112) | (value << 80) | 1,
            (0x20010000 << 96) | (value ^ 0xFFFFFFFF),
            (0x2600 << 112) | (0x5EFE << 32) | value,
            (0xFD << 120) | (0x02005EFE << 32) | value,
        ):
            outer = IPv6Address(spelling)
            self.assertEqual(embedded(outer), ip)
            if classify(ip) is not AddressClass.GLOBAL:
                self.assertIs(classify(outer), classify(ip))

    @FUZZED
    @given(st.ip_addresses(v=6))
    def test_globalIPv6(self, ip: IPv6Address) -> None:
        """
        Of IPv6, nothing outside 2000::/3 is global but the two prefixes that
        stand for an IPv4 address.
        """
        if classify(ip) is AddressClass.GLOBAL:
            self.assertTrue(int(ip) >> 125 == 1 or ip in NAT64 or ip.ipv4_mapped is not None)


class EmbeddedTests(SynchronousTestCase):
    """
    Tests of L{embedded} and L{canonical}.
    """

    def test_forms(self) -> None:
        """
        The IPv4 address is found in every form that has one, and in no other.
        """
        for text, inner, _ in EMBEDDED:
            expected = None if inner is None else IPv4Address(inner)
            self.assertEqual(embedded(IPv6Address(text)), expected, text)

    def test_ipv4HoldsNone(self) -> None:
        """
        An IPv4 address holds no other.
        """
        self.assertIsNone(embedded(IPv4Address("10.0.0.1")))

    def test_canonical(self) -> None:
        """
        A mapped address becomes the IPv4 address; every other stays the object
        that it is, NAT64 included, which takes another way to it.
        """
        self.assertEqual(canonical(IPv6Address("::ffff:10.0.0.1")), IPv4Address("10.0.0.1"))
        self.assertEqual(canonical(IPv6Address("::ffff:0.0.0.0")), IPv4Address(0))
        for text in ("10.0.0.1", "::1", "::10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"):
            ip = ip_address(text)
            self.assertIs(canonical(ip), ip)


NAT64 = IPv6Network("64:ff9b::/96")
