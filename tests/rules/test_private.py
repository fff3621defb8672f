"""
Tests for L{connectproxy.rules.private}.
"""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.address import Networks, parseAuthority
from connectproxy.config import configure
from connectproxy.interfaces import Action, IRule, IRuleKind, TunnelRequest, Verdict
from connectproxy.rules.private import PrivateAddresses, kind


def request(authority: bytes) -> TunnelRequest:
    """
    A request for a destination.
    """
    client = IPv4Address("TCP", "127.0.0.1", 40000)
    return TunnelRequest(parseAuthority(authority), client, "tcp:8080", "http/1.1")  # type: ignore[arg-type]


NAME = request(b"host.example:443")

CLOSED = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "::1": "loopback",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "192.168.1.1": "private",
    "169.254.169.254": "link_local",
    "fe80::1": "link_local",
    "100.64.0.1": "shared",
    "100.100.100.200": "shared",
    "fd00:ec2::254": "unique_local",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "0.0.0.0": "unspecified",
    "::": "unspecified",
    "255.255.255.255": "broadcast",
    "192.0.2.1": "documentation",
    "2001:db8::1": "documentation",
    "240.0.0.1": "reserved",
    # IPv4 within IPv6: mapped, NAT64, 6to4, Teredo
    "::ffff:127.0.0.1": "loopback",
    "64:ff9b::a9fe:a9fe": "link_local",
    "2002:7f00:1::1": "loopback",
    "2001:0:0:0:0:0:f5ff:fffe": "private",
}

OPEN = ("1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")


class PrivateAddressesTests(SynchronousTestCase):
    """
    Only the Internet is open.
    """

    def judge(self, address: str, exempt: str = "", asked: TunnelRequest = NAME) -> Verdict | None:
        """
        What the rule says to an address.
        """
        return PrivateAddresses(Networks.parse(exempt)).decideAddress(asked, ip_address(address))

    def test_interfaces(self) -> None:
        """
        The rule is one, and its kind as well.
        """
        verifyObject(IRule, PrivateAddresses(Networks()))
        verifyObject(IRuleKind, kind)

    def test_open(self) -> None:
        """
        Global unicast addresses are left to the next rule.
        """
        for address in OPEN:
            self.assertIsNone(self.judge(address), address)

    def test_closed(self) -> None:
        """
        Every other kind is prohibited, by a verdict that names the class.
        """
        for address, found in CLOSED.items():
            verdict = self.judge(address)
            assert verdict is not None, address
            self.assertIs(verdict.action, Action.DENY)
            self.assertEqual(verdict.rule, "private-addresses")
            self.assertEqual(verdict.kind, "destination_ip_prohibited")
            self.assertIn(f"of class {found}", verdict.reason, address)

    def test_reasonKeepsTheAddress(self) -> None:
        """
        For a name the reason does not tell what address it has: that is not the
        client's to learn.
        """
        verdict = self.judge("10.11.12.13")
        assert verdict is not None
        self.assertEqual(
            verdict.reason, "host.example resolves to an address of class private, which is not open"
        )
        self.assertNotIn("10.11", verdict.reason)

    def test_reasonForAnAddress(self) -> None:
        """
        For an address as the target the reason says what that address is.
        """
        verdict = self.judge("127.0.0.1", asked=request(b"127.0.0.1:443"))
        assert verdict is not None
        self.assertEqual(verdict.reason, "127.0.0.1 is an address of class loopback, which is not open")

    def test_exempt(self) -> None:
        """
        A network that the operator has opened is open, and nothing beside it.
        """
        self.assertIsNone(self.judge("10.1.2.3", "10.1.0.0/16"))
        self.assertIsNone(self.judge("::ffff:10.1.2.3", "10.1.0.0/16"))
        self.assertIsNotNone(self.judge("10.2.0.0", "10.1.0.0/16"))
        self.assertIsNotNone(self.judge("127.0.0.1", "10.1.0.0/16"))

    def test_exemptIsNotEmbedded(self) -> None:
        """
        An opened IPv4 network does not open the ways of IPv6 that lead to it by others'
        relays.
        """
        self.assertIsNotNone(self.judge("2002:a01:203::1", "10.1.0.0/16"))
        self.assertIsNotNone(self.judge("64:ff9b::a01:203", "10.1.0.0/16"))

    def test_requests(self) -> None:
        """
        Nothing is said before the addresses are known.
        """
        self.assertIsNone(PrivateAddresses(Networks()).decideRequest(request(b"127.0.0.1:443")))

    def test_built(self) -> None:
        """
        The kind builds the rule from the setting; by default nothing is exempt.
        """
        rule = kind.build(configure(), object())
        self.assertIsNotNone(rule.decideAddress(NAME, ip_address("10.0.0.1")))
        rule = kind.build(configure(allow={"networks": ["10.0.0.0/8"]}), object())
        self.assertIsNone(rule.decideAddress(NAME, ip_address("10.0.0.1")))
        self.assertEqual(kind.kindName, "private")

    def test_exemptOption(self) -> None:
        """
        A table that moves the rule can open networks besides those of the setting.
        """
        settings = configure(allow={"networks": ["10.0.0.0/8"]})
        for said in (["127.0.0.1", "fd00::/8"], ("127.0.0.1", "fd00::/8"), "127.0.0.1, fd00::/8"):
            rule = kind.build(settings, object(), {"exempt": said})
            self.assertEqual(str(rule.exempt), "10.0.0.0/8, 127.0.0.1/32, fd00::/8")

    def test_neverAsAWhole(self) -> None:
        """
        Nobody opens everything by one setting that looks like "any address", nor by halves.
        """
        for text in ("0.0.0.0/0", "::/0", "128.0.0.0/1, 0.0.0.0/1", "::/1, 8000::/1"):
            with self.assertRaises(ValueError) as caught:
                kind.build(configure(allow={"networks": [text]}), object())
            self.assertIn("would open every private and special address", str(caught.exception))
            with self.assertRaises(ValueError):
                kind.build(configure(), object(), {"exempt": text})

    def test_wrongOptions(self) -> None:
        """
        What the options should be is said where they are not.
        """
        for options, part in (
            ({"exemt": []}, "has no option 'exemt'; there is exempt"),
            ({"exempt": 10}, "exempt is no array of networks"),
            ({"exempt": ["x"]}, "'x' is not a network"),
        ):
            with self.assertRaises(ValueError) as caught:
                kind.build(configure(), object(), options)
            self.assertIn(part, str(caught.exception))
