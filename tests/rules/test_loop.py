"""
Tests for L{connectproxy.rules.loop}.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from connectproxy.address import parseAuthority
from connectproxy.config import configure
from connectproxy.interfaces import Action, IRule, IRuleKind, TunnelRequest
from connectproxy.own import OwnPorts
from connectproxy.rules.loop import OwnAddresses, kind


def request(authority: bytes) -> TunnelRequest:
    """
    A request for a destination.
    """
    client = IPv4Address("TCP", "127.0.0.1", 40000)
    return TunnelRequest(parseAuthority(authority), client, "tcp:8080", "http/1.1")  # type: ignore[arg-type]


class OwnAddressesTests(SynchronousTestCase):
    """
    The rule.
    """

    def setUp(self) -> None:
        """
        The proxy listens at one port, as the service will say later.
        """
        own = OwnPorts()
        self.rule: Any = kind.build(configure(allow={"networks": ["127.0.0.0/8"]}), own)
        own.add(ip_address("127.0.0.1"), 8080)

    def test_interfaces(self) -> None:
        """
        The rule is one, and its kind as well.
        """
        verifyObject(IRule, self.rule)
        verifyObject(IRuleKind, kind)
        self.assertIsInstance(self.rule, OwnAddresses)
        self.assertEqual(kind.kindName, "loop")

    def test_denied(self) -> None:
        """
        An address that leads back here is a loop, also behind a name, and whatever
        network the operator has opened; the reason does not give the address away (conformance 29).
        """
        verdict = self.rule.decideAddress(request(b"me.example:8080"), ip_address("127.0.0.1"))
        self.assertIs(verdict.action, Action.DENY)
        self.assertEqual(verdict.rule, "own-addresses")
        self.assertEqual(verdict.kind, "proxy_loop_detected")
        self.assertEqual(verdict.reason, "me.example:8080 is this proxy itself")

    def test_others(self) -> None:
        """
        Everything else is left to the next rule.
        """
        self.assertIsNone(self.rule.decideAddress(request(b"a.example:443"), ip_address("127.0.0.1")))
        self.assertIsNone(self.rule.decideAddress(request(b"a.example:8080"), ip_address("1.1.1.1")))

    def test_requests(self) -> None:
        """
        Nothing is said before the addresses are known.
        """
        self.assertIsNone(self.rule.decideRequest(request(b"127.0.0.1:8080")))

    def test_askedFirst(self) -> None:
        """
        A loop is called a loop even where the address is private as well: the rule
        stands before that.
        """
        from connectproxy.rules.private import kind as private

        self.assertLess(kind.order, private.order)

    def test_noOptions(self) -> None:
        """
        A table can move it, and tell it nothing.
        """
        self.assertEqual(kind.build(configure(), OwnPorts(), {}).ruleName, "own-addresses")
        self.assertRaises(ValueError, kind.build, configure(), OwnPorts(), {"x": 1})
