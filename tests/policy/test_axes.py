"""
Tests for L{connectproxy.policy.axes}.
"""

from __future__ import annotations

from twisted.internet.address import HostnameAddress, IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.interfaces import ProxyUser
from connectproxy.policy import axes
from connectproxy.policy.axes import Clients, Hours, Lists, Ports, Shapes, Users, free
from connectproxy.policy.hours import Schedule
from connectproxy.policy.lists import Items
from connectproxy.policy.rule import Rule, readItems
from tests.policy.case import NOON, request


def items(*texts: str, sort: str = "users", path: str = "") -> Items:
    """
    Items as if they had been read.
    """
    (found,) = readItems(texts, sort, "", "", None)  # type: ignore[arg-type] # nothing is in a file
    found.path = found.name = path
    return found


class FreeTests(SynchronousTestCase):
    """
    Rules without a condition.
    """

    def test_free(self) -> None:
        """
        The bits of those that have none on any of the keys.
        """
        rules = [Rule("a"), Rule("b", groups=("g",)), Rule("c", relation="same"), Rule("d")]
        self.assertEqual(free(rules, "groups"), 0b1101)
        self.assertEqual(free(rules, "groups", "relation"), 0b1001)
        self.assertEqual(free([], "groups"), 0)


class ListsTests(SynchronousTestCase):
    """
    Who names which list.
    """

    def test_shared(self) -> None:
        """
        A list is gone through once, for all that name it, and has a bit of its own; what
        stands in a rule has none.
        """
        shared, own = items("a", sort="names", path="one"), items("b", sort="names")
        other = items("c", sort="names", path="two")
        rules = [Rule("x", destinations=(own, shared)), Rule("y", destinations=(shared, other))]
        lists = Lists(rules, "destinations")
        self.assertEqual(lists.bits, [(own, 0b01), (shared, 0b0111), (other, 0b1010)])
        self.assertEqual(lists.marks, [((0b0100, "one"),), ((0b0100, "one"), (0b1000, "two"))])
        index = lists.names()
        self.assertEqual([index.find(name) for name in "abc"], [0b0111, 0b01, 0b1010])


class UsersTests(SynchronousTestCase):
    """
    By user and group.
    """

    def setUp(self) -> None:
        """
        Rules for a user, for a group, for both, and for everybody.
        """
        ann = items("ann")
        self.rules = [
            Rule("user", users=(ann,)),
            Rule("group", groups=("dev", "ops")),
            Rule("both", users=(ann,), groups=("dev",)),
            Rule("all"),
        ]

    def test_groups(self) -> None:
        """
        A group is one that the identity has, or that a table says; a user has to be all that
        a rule wants.
        """
        users = Users(self.rules, [("dev", (items("bob", "ann"),)), ("unused", (items("*"),))])
        self.assertEqual(users.find(ProxyUser("ann")), 0b1111)
        self.assertEqual(users.find(ProxyUser("bob")), 0b1010)
        self.assertEqual(users.find(ProxyUser("eve", frozenset({"ops"}))), 0b1010)
        self.assertEqual(users.find(ProxyUser("eve", frozenset({"unused", "unknown"}))), 0b1000)
        self.assertEqual(users.find(None), 0b1000)

    def test_keepsFew(self) -> None:
        """
        What is kept of the answers is bounded, and the answers stay right.
        """
        self.patch(axes, "_KEPT", 3)
        users = Users(self.rules, [])
        for number in range(10):
            self.assertEqual(users.find(ProxyUser(f"user-{number}")), 0b1000)
            self.assertLessEqual(len(users._kept), 3)
        self.assertEqual(users.find(ProxyUser("ann")), 0b1001)


class ClientsTests(SynchronousTestCase):
    """
    By the client's address.
    """

    def setUp(self) -> None:
        """
        A rule for a network, and one for everybody.
        """
        self.clients = Clients([Rule("a", clients=(items("10.0.0.0/8", sort="networks"),)), Rule("b")])

    def test_networks(self) -> None:
        """
        A mapped address is the IPv4 address that it is.
        """
        for host, bits in {"10.0.0.1": 0b11, "11.0.0.1": 0b10, "::ffff:10.0.0.1": 0b11, "::1": 0b10}.items():
            self.assertEqual(self.clients.find(IPv4Address("TCP", host, 1)), bits, host)

    def test_withoutAddress(self) -> None:
        """
        Who comes by a UNIX socket, or by a name, is in no network.
        """
        self.assertEqual(self.clients.find(UNIXAddress(None)), 0b10)
        self.assertEqual(self.clients.find(HostnameAddress(b"host", 1)), 0b10)
        self.assertEqual(self.clients.find(IPv4Address("TCP", "unknown", 1)), 0b10)

    def test_keepsFew(self) -> None:
        """
        Clients from everywhere do not fill the memory.
        """
        self.patch(axes, "_KEPT", 3)
        for number in range(10):
            self.assertEqual(self.clients.find(IPv4Address("TCP", f"10.0.0.{number}", 1)), 0b11)
            self.assertLessEqual(len(self.clients._kept), 3)


class ShapesTests(SynchronousTestCase):
    """
    By listener, protocol, method and scheme.
    """

    def test_each(self) -> None:
        """
        Each is compared for itself, the method's case included.
        """
        shapes = Shapes(
            [
                Rule("l", listeners=("tcp:1",)),
                Rule("p", protocols=("h2",)),
                Rule("m", methods=("GET",)),
                Rule("s", schemes=("udp",)),
            ]
        )
        self.assertEqual(shapes.find(request()), 0)
        self.assertEqual(shapes.find(request(listener="tcp:1")), 0b0001)
        rules = [Rule("l", listeners=("tcp:1",)), Rule("m", methods=("GET",), protocols=("h2", "http/1.1"))]
        shapes = Shapes([*rules, Rule("s", schemes=("udp", "tcp")), Rule("any")])
        self.assertEqual(shapes.find(request()), 0b1100)
        self.assertEqual(shapes.find(request(listener="tcp:1", method="GET")), 0b1011)
        self.assertEqual(shapes.find(request(protocol="h2", method="get")), 0b1000)
        self.assertEqual(shapes.find(request(method="UDP ASSOCIATE")), 0b1100)

    def test_keepsFew(self) -> None:
        """
        Methods are of the clients' making, and do not fill the memory.
        """
        self.patch(axes, "_KEPT", 3)
        shapes = Shapes([Rule("m", methods=("GET",))])
        for number in range(10):
            self.assertEqual(shapes.find(request(method=f"M{number}")), 0)
            self.assertLessEqual(len(shapes._kept), 3)


class PortsTests(SynchronousTestCase):
    """
    By port.
    """

    RULES = (
        Rule("a", ports=((80, 80), (443, 443))),
        Rule("b", ports=((1, 100), (101, 65535))),
        Rule("c"),
        Rule("d", ports=((65535, 65535),)),
        Rule("e", ports=()),
    )

    def test_everyPort(self) -> None:
        """
        Both ends of a range belong to it; there is an answer for every port.
        """
        ports = Ports(self.RULES)
        for port in range(65536):
            expected = sum(
                1 << i
                for i, rule in enumerate(self.RULES)
                if rule.ports is None or any(first <= port <= last for first, last in rule.ports)
            )
            self.assertEqual(ports.find(port), expected, port)

    def test_throughout(self) -> None:
        """
        A range is minded by whoever minds one port of it.
        """
        ports = Ports(self.RULES)
        self.assertEqual(ports.throughout(((80, 80),)), 0b00111)
        self.assertEqual(ports.throughout(((80, 81),)), 0b00110)
        self.assertEqual(ports.throughout(((80, 80), (443, 443))), 0b00111)
        self.assertEqual(ports.throughout(((0, 65535),)), 0b00100)
        self.assertEqual(ports.throughout(((65535, 65535),)), 0b01110)


class HoursTests(SynchronousTestCase):
    """
    By the time.
    """

    def test_onceAMinute(self) -> None:
        """
        The schedules are asked anew when another minute has begun, forwards or backwards.
        """
        hours = Hours([Rule("a", schedule=Schedule((), ((720, 721),))), Rule("b")])
        self.assertEqual([hours.find(NOON + seconds) for seconds in (-1, 0, 59.9, 60, 30)], [2, 3, 3, 2, 3])

    def test_without(self) -> None:
        """
        Rules that hold always need no clock.
        """
        self.assertEqual(Hours([Rule("a")]).find(float("nan")), 1)
