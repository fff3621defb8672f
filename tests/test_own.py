"""
Tests for L{connectproxy.own}.
"""

from __future__ import annotations

from ipaddress import ip_address
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from connectproxy import own as module
from connectproxy.own import OwnPorts, isLocal


class Probe:
    """
    A datagram socket of a machine whose own addresses are known.
    """

    def __init__(self, own: set[str], family: int) -> None:
        self.own = own
        self.family = family

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *ignored: object) -> None:
        pass

    def connect(self, address: tuple[str, int]) -> None:
        self.host = address[0]
        if self.host == "198.51.100.99":
            raise OSError("no route to it")

    def getsockname(self) -> tuple[str, int]:
        other = "198.51.100.1" if self.family == 2 else "2001:db8::1"
        return (self.host if self.host in self.own else other, 40000)


class MachineTests(SynchronousTestCase):
    """
    With the machine's own addresses 198.51.100.1, 198.51.100.2 and 2001:db8::1.
    """

    def setUp(self) -> None:
        """
        Ask no real machine.
        """
        own = {"198.51.100.1", "198.51.100.2", "2001:db8::1"}
        self.probed: list[int] = []

        def make(family: int, type_: int) -> Probe:
            self.probed.append(family)
            return Probe(own, family)

        self.patch(module, "socket", SimpleNamespace(AF_INET=2, AF_INET6=10, SOCK_DGRAM=2, socket=make))

    def own(self, *bound: tuple[str, int]) -> OwnPorts:
        """
        The ports of a proxy that listens there.
        """
        own = OwnPorts()
        for host, port in bound:
            own.add(ip_address(host), port)
        return own

    def includes(self, own: OwnPorts, host: str, port: int) -> bool:
        """
        Whether a connection would come back.
        """
        return own.includes(ip_address(host), port)

    def test_isLocal(self) -> None:
        """
        Loopback addresses are this machine's without asking; for others the routing
        table is asked in their own family.
        """
        for host in ("127.0.0.1", "127.1.2.3", "::1"):
            self.assertTrue(isLocal(ip_address(host)))
        self.assertEqual(self.probed, [])
        self.assertTrue(isLocal(ip_address("198.51.100.2")))
        self.assertTrue(isLocal(ip_address("2001:db8::1")))
        self.assertFalse(isLocal(ip_address("198.51.100.3")))
        self.assertEqual(self.probed, [2, 10, 2])

    def test_unreachable(self) -> None:
        """
        An address without a route is not this machine's.
        """
        self.assertFalse(isLocal(ip_address("198.51.100.99")))

    def test_bound(self) -> None:
        """
        The very address and port that are bound, and no others.
        """
        own = self.own(("127.0.0.1", 8080))
        self.assertTrue(self.includes(own, "127.0.0.1", 8080))
        self.assertFalse(self.includes(own, "127.0.0.1", 8081))
        self.assertFalse(self.includes(own, "127.0.0.2", 8080))
        self.assertFalse(self.includes(own, "198.51.100.1", 8080))

    def test_mapped(self) -> None:
        """
        An IPv4-mapped address is the IPv4 address, on either side.
        """
        self.assertTrue(self.includes(self.own(("127.0.0.1", 8080)), "::ffff:127.0.0.1", 8080))
        self.assertTrue(self.includes(self.own(("::ffff:127.0.0.1", 8080)), "127.0.0.1", 8080))

    def test_unspecifiedTarget(self) -> None:
        """
        Dialling 0.0.0.0 or C{::} reaches whatever listens on this machine.
        """
        own = self.own(("127.0.0.1", 8080))
        self.assertTrue(self.includes(own, "0.0.0.0", 8080))
        self.assertTrue(self.includes(own, "::", 8080))

    def test_boundEverywhere(self) -> None:
        """
        A proxy that listens on every interface has all of the machine's addresses, and
        no other machine's.
        """
        for everywhere in ("0.0.0.0", "::"):
            own = self.own((everywhere, 8080))
            for host in ("127.0.0.1", "198.51.100.1", "198.51.100.2", "::1", "2001:db8::1"):
                self.assertTrue(self.includes(own, host, 8080), host)
            self.assertFalse(self.includes(own, "198.51.100.3", 8080))
            self.assertFalse(self.includes(own, "198.51.100.1", 443))

    def test_severalAddresses(self) -> None:
        """
        One port can be bound at several addresses.
        """
        own = self.own(("127.0.0.1", 8080), ("198.51.100.1", 8080))
        self.assertTrue(self.includes(own, "198.51.100.1", 8080))
        self.assertTrue(self.includes(own, "127.0.0.1", 8080))

    def test_notProbedForOtherPorts(self) -> None:
        """
        The machine is asked only about a port that is bound: every dial comes by here.
        """
        self.includes(self.own(("0.0.0.0", 8080)), "198.51.100.1", 443)
        self.includes(self.own(("127.0.0.1", 8080)), "198.51.100.1", 8080)
        self.assertEqual(self.probed, [])

    def test_clear(self) -> None:
        """
        Who listens no more can be dialled: it is somebody else by then.
        """
        own = self.own(("127.0.0.1", 8080))
        own.clear()
        self.assertFalse(self.includes(own, "127.0.0.1", 8080))


class RealMachineTests(SynchronousTestCase):
    """
    What the machine says that the tests run on.
    """

    def test_loopbackNet(self) -> None:
        """
        An address that is certainly no machine's is not this one's; nothing is sent.
        """
        self.assertFalse(isLocal(ip_address("192.0.2.1")))
        self.assertFalse(isLocal(ip_address("2001:db8::1")))
