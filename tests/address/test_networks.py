"""
Tests of L{connectproxy.address.networks}.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Networks, canonical

FUZZED = settings(max_examples=200, deadline=None, database=None)

# What is refused, and the advice that must be given.
BAD = [
    ("10.0.0.1/8", "write 10.0.0.0/8 for the network or 10.0.0.1/32 for the one address"),
    ("2001:db8::1/32", "write 2001:db8::/32 for the network or 2001:db8::1/128 for the one address"),
    ("1.0.0.0/0", "write 0.0.0.0/0 for the network"),
    ("::ffff:10.0.0.0/104", "write 10.0.0.0/8"),
    ("::ffff:10.0.0.1/104", "write 10.0.0.0/8"),
    ("::ffff:10.0.0.1", "write 10.0.0.1/32"),
    ("::ffff:0:0/96", "write 0.0.0.0/0"),
    ("::ffff:0:0/90", "write ::ffc0:0:0/90 for the network or 0.0.0.0/32 for the one address"),
    ("fe80::1%eth0", "leave out the % and the rest"),
    ("fe80::%eth0/10", "leave out the % and the rest"),
    ("10.0.0.0/33", "write a number from 0 to 32"),
    ("::/129", "write a number from 0 to 128"),
    ("10.0.0.0/", "write a number from 0 to 32"),
    ("10.0.0.0/-1", "write a number from 0 to 32"),
    ("10.0.0.0/08", "write a number from 0 to 32"),
    ("10.0.0.0/\u0668", "write a number from 0 to 32"),
    ("10.0.0.0/8/8", "write a number from 0 to 32"),
    ("10.0.0.0/255.0.0.0", "write a number from 0 to 32"),
    ("10.0.0.0 /8", "'/8' is not a network"),
    ("10/8", "write an address in full"),
    ("10.0.0.010", "write an address in full"),
    ("0x7f.0.0.1", "write an address in full"),
    ("2130706433", "write an address in full"),
    ("[2001:db8::]/32", "write an address in full"),
    ("example.com", "'example.com' is not a network"),
    ("b\u00fccher", "'b\\xfccher' is not a network"),
    ("10.0.0.0/8; 10.0.0.1", "write a number from 0 to 32"),
]

_NETWORKS = st.lists(
    (
        st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(lambda t: IPv4Network(t, strict=False))
        | st.tuples(st.ip_addresses(v=6), st.integers(0, 128)).map(lambda t: IPv6Network(t, strict=False))
    ).filter(lambda n: n.prefixlen < 96 or canonical(n[0]) is n[0]),
    max_size=6,
)


def build(networks: list[IPv4Network | IPv6Network]) -> Networks:
    """Make L{Networks} of network objects by way of their notation."""
    # Written in hexadecimal groups, since newer Pythons write a mapped address otherwise.
    return Networks.parse(*(f"{n[0].exploded}/{n.prefixlen}" for n in networks))


class NetworksTests(SynchronousTestCase):
    """
    Tests of L{Networks}.
    """

    def test_contains(self) -> None:
        """
        The first and the last address of a network are in it, the one before
        and the one after are not.
        """
        networks = Networks.parse("10.0.0.0/8, 192.0.2.1, fc00::/7, ::1")
        for text in (
            "10.0.0.0",
            "10.255.255.255",
            "192.0.2.1",
            "fc00::",
            "fdff:" + "ffff:" * 6 + "ffff",
            "::1",
        ):
            self.assertIn(ip_address(text), networks)
        for text in ("9.255.255.255", "11.0.0.0", "192.0.2.0", "192.0.2.2", "fbff::", "fe00::", "::", "::2"):
            self.assertNotIn(ip_address(text), networks)

    def test_separators(self) -> None:
        """
        Networks stand between commas or white space, in one string or several.
        """
        expected = Networks.parse("10.0.0.0/8", "fc00::/7")
        for text in ("10.0.0.0/8,fc00::/7", " 10.0.0.0/8\n\tfc00::/7 ", ",, fc00::/7 , 10.0.0.0/8,"):
            self.assertEqual(Networks.parse(text), expected)

    def test_empty(self) -> None:
        """
        No network at all is a set with nothing in it.
        """
        for networks in (Networks(), Networks.parse(), Networks.parse(""), Networks.parse(" , ")):
            self.assertFalse(networks)
            self.assertNotIn(IPv4Address(0), networks)
            self.assertNotIn(IPv6Address(0), networks)
            self.assertEqual(str(networks), "")
        self.assertTrue(Networks.parse("::1"))
        self.assertTrue(Networks.parse("10.0.0.1"))

    def test_mappedAddress(self) -> None:
        """
        A mapped address is in the IPv4 network, and in no IPv6 network.
        """
        mapped = IPv6Address("::ffff:10.0.0.1")
        self.assertIn(mapped, Networks.parse("10.0.0.0/8"))
        self.assertNotIn(mapped, Networks.parse("::/0"))

    def test_familiesAreApart(self) -> None:
        """
        All of one family is nothing of the other.
        """
        self.assertNotIn(IPv4Address("10.0.0.1"), Networks.parse("::/0"))
        self.assertNotIn(IPv6Address("::1"), Networks.parse("0.0.0.0/0"))

    def test_advice(self) -> None:
        """
        What is no network is refused with what would be right, in ASCII.
        """
        for text, advice in BAD:
            message = str(self.assertRaises(ValueError, Networks.parse, text))
            self.assertIn(advice, message)
            self.assertTrue(message.isascii() and message.isprintable(), message)
            self.assertFalse(message.endswith("."), message)

    def test_oneBadSpoilsAll(self) -> None:
        """
        A mistake behind valid networks is not passed over.
        """
        self.assertRaises(ValueError, Networks.parse, "10.0.0.0/8", "fc00::/7 nonsense")

    def test_value(self) -> None:
        """
        Two sets of the same addresses are equal and hash equally, and none can
        be changed.
        """
        one = Networks.parse("10.0.0.0/9, 10.128.0.0/9, 10.1.0.0/16")
        two = Networks.parse("10.0.0.0/8")
        self.assertEqual(one, two)
        self.assertEqual(hash(one), hash(two))
        self.assertNotEqual(one, Networks.parse("10.0.0.0/9"))
        self.assertRaises(FrozenInstanceError, setattr, one, "ipv4", ())
        self.assertEqual(repr(two), "Networks(ipv4=(IPv4Network('10.0.0.0/8'),), ipv6=())")

    def test_string(self) -> None:
        """
        As a string the networks are in order, IPv4 first, and read back.
        """
        networks = Networks.parse("fc00::/7, ::1, 192.168.0.0/16, 10.0.0.0/8")
        self.assertEqual(str(networks), "10.0.0.0/8, 192.168.0.0/16, ::1/128, fc00::/7")
        self.assertEqual(Networks.parse(str(networks)), networks)
        self.assertEqual([ip_network("10.0.0.0/8"), ip_network("192.168.0.0/16")], list(networks)[:2])

    @FUZZED
    @given(_NETWORKS, st.data())
    def test_scanAgrees(self, networks: list[IPv4Network | IPv6Network], data: st.DataObject) -> None:
        """
        Membership is what a look into every single network says, and nothing
        that was parsed is lost in the normal form.
        """
        built = build(networks)
        edges = [address for network in networks for address in (network[0], network[-1])]
        candidates = st.ip_addresses() if not edges else st.ip_addresses() | st.sampled_from(edges)
        for ip in [*edges, data.draw(candidates)]:
            self.assertEqual(ip in built, any(canonical(ip) in network for network in networks), ip)
        self.assertEqual(build(list(built)), built)
