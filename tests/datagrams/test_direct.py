"""
Tests for L{connectproxy.datagrams.direct}.
"""

from __future__ import annotations

from ipaddress import ip_address

from zope.interface.verify import verifyObject

from connectproxy.datagrams import direct
from connectproxy.interfaces.datagrams import IDatagramFlow, IDatagramUpstream
from tests.datagrams.test_port import PortCase
from tests.fakes import makeRequest


class DirectDatagramsTests(PortCase):
    """
    What all associations share.
    """

    def test_interfaces(self) -> None:
        """
        It is what it claims to be, and opens what is; it is the sibling of the upstream of
        the same name.
        """
        self.assertTrue(verifyObject(IDatagramUpstream, self.owner))
        self.assertEqual(self.owner.upstreamName, "direct")
        flow = self.owner.open(makeRequest(), None, None)
        self.assertTrue(verifyObject(IDatagramFlow, flow))
        self.assertEqual(len(self.network.sockets), 1)

    def test_isOwn(self) -> None:
        """
        The ports of open sockets are the proxy's own at every address of this machine, and
        nowhere else; when they are closed they are anybody's.
        """
        asked: list[str] = []
        self.patch(direct, "isLocal", lambda address: asked.append(str(address)) or address.is_loopback)
        number = self.port.port
        for host, expected in (("127.0.0.1", True), ("::1", True), ("0.0.0.0", True), ("192.0.2.1", False)):
            self.assertIs(self.owner.isOwn(ip_address(host), number), expected, host)
            self.assertFalse(self.owner.isOwn(ip_address(host), number + 1))
        self.assertEqual(asked, ["127.0.0.1", "::1", "192.0.2.1"])
        self.owner.opened(number)
        self.owner.closed(number)
        self.assertTrue(self.owner.isOwn(ip_address("127.0.0.1"), number))
        self.port.close()
        self.assertFalse(self.owner.isOwn(ip_address("127.0.0.1"), number))
