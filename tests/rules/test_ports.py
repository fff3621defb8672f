"""
Tests for L{connectproxy.rules.ports}.
"""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.address import parseAuthority
from connectproxy.config import configure
from connectproxy.interfaces import Action, IRule, IRuleKind, TunnelRequest, Verdict
from connectproxy.rules.ports import AllowedPorts, kind

DEFAULT = ((443, 443), (80, 80))


def request(port: int) -> TunnelRequest:
    """
    A request for a port.
    """
    destination = parseAuthority(b"host.example:%d" % port)
    client = IPv4Address("TCP", "127.0.0.1", 40000)
    return TunnelRequest(destination, client, "tcp:8080", "http/1.1")  # type: ignore[arg-type]


class AllowedPortsTests(SynchronousTestCase):
    """
    A set of ranges.
    """

    def judge(self, port: int, *ranges: tuple[int, int]) -> Verdict | None:
        """
        What a rule with these ranges says to a port.
        """
        return AllowedPorts(ranges).decideRequest(request(port))

    def test_interfaces(self) -> None:
        """
        The rule is one, and its kind as well.
        """
        verifyObject(IRule, AllowedPorts(DEFAULT))
        verifyObject(IRuleKind, kind)

    def test_allowed(self) -> None:
        """
        A port on the list is left to the next rule, and not allowed outright: another may
        have something against the rest (conformance 6).
        """
        for port in (443, 80):
            self.assertIsNone(self.judge(port, *DEFAULT))

    def test_denied(self) -> None:
        """
        Every other port is denied, by a verdict that names the port, the rule and what
        would be allowed (conformance 6).
        """
        for port in (1, 22, 25, 79, 81, 442, 444, 8080, 65535):
            verdict = self.judge(port, *DEFAULT)
            assert verdict is not None
            self.assertIs(verdict.action, Action.DENY)
            self.assertEqual(verdict.rule, "allow-ports")
            self.assertEqual(verdict.kind, "http_request_denied")
            self.assertEqual(verdict.reason, f"port {port} is not among the allowed ports (443, 80)")

    def test_ranges(self) -> None:
        """
        Both ends of a range belong to it.
        """
        ranges = ((8000, 8999), (65535, 65535), (1, 1))
        for port in (8000, 8500, 8999, 65535, 1):
            self.assertIsNone(self.judge(port, *ranges))
        for port in (7999, 9000, 65534, 2):
            self.assertIsNotNone(self.judge(port, *ranges))

    def test_none(self) -> None:
        """
        An empty list closes every port, and says so.
        """
        verdict = self.judge(443)
        assert verdict is not None
        self.assertIn("(none)", verdict.reason)

    def test_any(self) -> None:
        """
        C{any} opens every port.
        """
        rule = AllowedPorts(None)
        for port in (1, 25, 65535):
            self.assertIsNone(rule.decideRequest(request(port)))
        self.assertEqual(str(rule), "any")

    def test_shown(self) -> None:
        """
        The ranges are shown as they are written.
        """
        self.assertEqual(str(AllowedPorts(((443, 443), (8000, 8999)))), "443, 8000-8999")

    def test_addresses(self) -> None:
        """
        Nothing is said about addresses.
        """
        self.assertIsNone(AllowedPorts(()).decideAddress(request(25), ip_address("127.0.0.1")))

    def test_built(self) -> None:
        """
        The kind builds the rule from the setting; by default 443 and 80 are open.
        """
        rule = kind.build(configure(), object())
        self.assertEqual(str(rule), "80, 443")
        self.assertEqual(rule.ruleName, "allow-ports")
        self.assertEqual(str(kind.build(configure(allow={"ports": "any"}), object())), "any")
        self.assertEqual(kind.kindName, "ports")

    def test_noOptions(self) -> None:
        """
        A table can move it, and tell it nothing.
        """
        self.assertEqual(kind.build(configure(), object(), {}).ruleName, "allow-ports")
        self.assertRaises(ValueError, kind.build, configure(), object(), {"x": 1})
