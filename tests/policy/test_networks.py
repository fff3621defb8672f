"""
Tests for L{connectproxy.policy.networks}.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.policy.networks import NetworkIndex

examples = settings(deadline=None, database=None, derandomize=True, max_examples=300)

NETWORKS = [
    *("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.0/31", "::/0", "2001:db8::/32"),
    *("2001:db8::1", "2001:db8:0:1::/64"),
]
ADDRESSES = [
    *("10.1.2.3", "10.1.2.4", "10.2.0.1", "192.0.2.0", "192.0.2.2", "255.255.255.255", "0.0.0.0", "::"),
    *("2001:db8::1", "2001:db8:0:1::5", "2001:db9::", "::ffff:10.1.2.3", "fe80::1%eth0"),
]


class NetworkIndexTests(SynchronousTestCase):
    """
    Many networks at once.
    """

    def test_families(self) -> None:
        """
        The families are apart, but for mapped addresses, which are IPv4; a zone makes no
        difference.
        """
        index = NetworkIndex()
        index.add([ip_network("0.0.0.0/0")], 1)
        index.add([ip_network("::/0")], 2)
        for text, bits in {"1.2.3.4": 1, "::ffff:1.2.3.4": 1, "::1": 2, "fe80::1%eth0": 2}.items():
            self.assertEqual(index.find(ip_address(text)), bits, text)
        self.assertEqual(NetworkIndex().find(ip_address("::1")), 0)

    @examples
    @given(st.lists(st.sampled_from(NETWORKS), max_size=6), st.sampled_from(ADDRESSES))
    def test_oracle(self, texts: list[str], asked: str) -> None:
        """
        The bits are those of the networks that the address is in, asked one by one.
        """
        index = NetworkIndex()
        for number, text in enumerate(texts):
            index.add([ip_network(text)], 1 << number)
        address = ip_address(asked)
        plain = getattr(address, "ipv4_mapped", None) or address
        expected = sum(1 << i for i, text in enumerate(texts) if plain in ip_network(text))
        self.assertEqual(index.find(address), expected)

    @examples
    @given(st.lists(st.sampled_from(NETWORKS), max_size=6), st.sampled_from(NETWORKS))
    def test_around(self, texts: list[str], asked: str) -> None:
        """
        The networks around one are those that it is a part of.
        """
        index = NetworkIndex()
        for number, text in enumerate(texts):
            index.add([ip_network(text)], 1 << number)
        network = ip_network(asked)
        expected = sum(
            1 << i
            for i, other in enumerate(map(ip_network, texts))
            if other.version == network.version and network.subnet_of(other)  # type: ignore[arg-type]
        )
        self.assertEqual(index.findAround(network), expected)
