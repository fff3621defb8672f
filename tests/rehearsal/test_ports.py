"""
Tests for L{connectproxy.rehearsal.ports}.
"""

from __future__ import annotations

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import configure
from connectproxy.rehearsal.ports import ConfiguredPorts


class ConfiguredPortsTests(SynchronousTestCase):
    """
    L{ConfiguredPorts}.
    """

    def ports(self, *endpoints: str) -> ConfiguredPorts:
        """
        Those of some endpoints.
        """
        config = configure(proxy={"open": True}, listen=[{"endpoint": endpoint} for endpoint in endpoints])
        return ConfiguredPorts(config.listeners)

    def test_bound(self) -> None:
        """
        The address and port of an endpoint, however that is written, and of each of several;
        no other port, and no other address.
        """
        ports = self.ports("127.0.0.5:3128", "tcp:port=3129:interface=\\:\\:1", "localhost:3130")
        for address, port, expected in (
            ("127.0.0.5", 3128, True),
            ("::ffff:127.0.0.5", 3128, True),
            ("0.0.0.0", 3128, True),
            ("127.0.0.1", 3128, False),
            ("127.0.0.5", 3127, False),
            ("::1", 3129, True),
            ("127.0.0.1", 3130, True),
        ):
            self.assertIs(ports.includes(ip_address(address), port), expected, (address, port))

    def test_everywhere(self) -> None:
        """
        Bound to all addresses, loopback ones lead back; of no other is that known.
        """
        for endpoint in ("tcp:3128", "tcp6:3128", "0.0.0.0:3128", "[::]:3128", "tcp:3128:interface="):
            ports = self.ports(endpoint)
            self.assertTrue(ports.includes(ip_address("127.0.0.9"), 3128), endpoint)
            self.assertTrue(ports.includes(ip_address("::1"), 3128), endpoint)
            self.assertFalse(ports.includes(ip_address("192.0.2.1"), 3128), endpoint)

    def test_noAddress(self) -> None:
        """
        A UNIX socket has no port, and what a name means is not looked up.
        """
        ports = self.ports("unix:/tmp/socket", "proxy.example:3128")
        self.assertFalse(ports.includes(ip_address("127.0.0.1"), 3128))
