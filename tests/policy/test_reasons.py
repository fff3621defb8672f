"""
Tests for L{connectproxy.policy.reasons}.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.interfaces import TunnelRequest
from connectproxy.policy.hours import Schedule
from connectproxy.policy.lists import Items
from connectproxy.policy.reasons import Known, allowedByNone, mismatch, reason
from connectproxy.policy.rule import Rule
from tests.policy.case import NOON, request

SOME = (Items(),)
ADDRESS = ip_address("8.8.8.8")
KNOWN = Known(address=ADDRESS)


class ReasonTests(SynchronousTestCase):
    """
    Why a rule matches.
    """

    def said(self, known: Known = KNOWN, asked: TunnelRequest | None = None, **rule: Any) -> str:
        """
        The reason for a rule.
        """
        return reason(Rule("r", **rule), asked or request("pypi.org:443", "ci", "dev"), known)

    def test_everyCondition(self) -> None:
        """
        Each condition has its words, the most telling one first.
        """
        for rule, words in (
            ({}, "the rule is for every request"),
            ({"schedule": Schedule(("mon",), ())}, "the rule holds at this time"),
            ({"listeners": ("tcp:8080",)}, "the rule is for the listener tcp:8080"),
            ({"protocols": ("http/1.1",)}, "the rule is for the protocol http/1.1"),
            ({"methods": ("CONNECT",)}, "the rule is for the method CONNECT"),
            ({"schemes": ("tcp",)}, "the rule is for the scheme tcp"),
            ({"clients": SOME}, "the client's address is in a network of the rule"),
            ({"users": SOME, "clients": SOME}, "the rule is for user ci"),
            ({"groups": ("dev",)}, "the rule is for user ci"),
            ({"ports": ((443, 443),), "users": SOME}, "port 443 is among the ports of the rule"),
            ({"networks": SOME, "ports": ()}, "pypi.org resolves to an address in a network of the rule"),
            ({"destinations": SOME, "networks": SOME}, "pypi.org is among the names of the rule"),
        ):
            self.assertEqual(self.said(**rule), words)

    def test_lists(self) -> None:
        """
        What is on a list is said to be on that.
        """
        known = Known("mirrors.txt", "inside.txt", "sni.txt", ADDRESS, "x.y")
        self.assertEqual(self.said(known, destinations=SOME), "pypi.org is on the list mirrors.txt")
        words = "pypi.org resolves to an address on the list inside.txt"
        self.assertEqual(self.said(known, networks=SOME), words)
        literal = self.said(known, request("8.8.8.8:443"), networks=SOME)
        self.assertEqual(literal, "8.8.8.8 is on the list inside.txt")
        words = "the TLS server name x.y is on the list sni.txt"
        self.assertEqual(self.said(known, serverNames=SOME, destinations=SOME), words)

    def test_unknown(self) -> None:
        """
        What depends on the rest says on what.
        """
        self.assertEqual(self.said(Known(), networks=SOME), "it depends on the address of pypi.org")
        words = "it depends on the TLS server name that is sent to pypi.org"
        self.assertEqual(self.said(relation="same"), words)

    def test_nobody(self) -> None:
        """
        A rule for who is not known says that.
        """
        self.assertEqual(self.said(asked=request(), users=SOME), "nobody has said who asks")

    def test_literal(self) -> None:
        """
        An address that the client named itself may be shown.
        """
        said = self.said(asked=request("8.8.8.8:443"), networks=SOME)
        self.assertEqual(said, "8.8.8.8 is in a network of the rule")

    def test_serverNames(self) -> None:
        """
        The name, or that there is none.
        """
        for name, rule, words in (
            ("", {"relation": "none"}, "there is no TLS server name"),
            ("x.y", {"relation": "same"}, "the TLS server name x.y is the destination's"),
            ("x.y", {"relation": "other"}, "the TLS server name x.y is not the destination's"),
            ("x.y", {"serverNames": SOME}, "the TLS server name x.y is among the server names of the rule"),
            ("x y", {"serverNames": SOME}, "the TLS server name 'x y' is among the server names of the rule"),
        ):
            self.assertEqual(self.said(Known(serverName=name), **rule), words)

    def test_default(self) -> None:
        """
        What no rule allows is named in full, and so is who asked.
        """
        asked = request("db.internal:5432", "ci")
        self.assertEqual(allowedByNone(asked), "no rule allows db.internal:5432 for user ci")
        self.assertEqual(allowedByNone(request("[2001:db8::1]:80")), "no rule allows [2001:db8::1]:80")


class MismatchTests(SynchronousTestCase):
    """
    Why a rule does not match.
    """

    def test_everyCondition(self) -> None:
        """
        Each condition has its words, with what was found and what would do.
        """
        rule = Rule(
            "r",
            groups=("dev", "ops"),
            listeners=("a", "b"),
            protocols=("h2",),
            methods=("GET",),
            schemes=("udp",),
        )
        asked, known = request("a.b:443", "ci"), Known(address=ADDRESS, serverName="x\n")
        for key, words in {
            "users": "user ci is not among its users",
            "groups": "user ci is in none of its groups (dev, ops)",
            "clients": "the client 192.0.2.9 is in none of its networks",
            "destinations": "a.b is none of its names",
            "ports": "port 443 is none of its ports",
            "schedule": "Mon 12:00 (UTC) is not within its hours",
            "networks": "8.8.8.8 is in none of its networks",
            "serverNames": r"the TLS server name 'x\n' does not fit",
            "listeners": "the listener is tcp:8080, and it is for a, b",
            "protocols": "the protocol is http/1.1, and it is for h2",
            "methods": "the method is CONNECT, and it is for GET",
            "schemes": "the scheme is tcp, and it is for udp",
        }.items():
            self.assertEqual(mismatch(key, rule, asked, known, NOON), words)

    def test_nobody(self) -> None:
        """
        Who is not known, who has no address, and what has none yet or is one.
        """
        asked, rule = request("8.8.8.8:443", client=None), Rule("r")
        for key, words in {
            "users": "who is not known is not among its users",
            "clients": "the client of a UNIX socket is in none of its networks",
            "destinations": "8.8.8.8 is an address and no name",
            "networks": "the address of 8.8.8.8 is not known here",
        }.items():
            self.assertEqual(mismatch(key, rule, asked, Known(), NOON), words)
