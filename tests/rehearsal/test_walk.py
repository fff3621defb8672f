"""
Tests for L{connectproxy.rehearsal.walk}.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

from connectproxy.rehearsal import Rehearsal
from connectproxy.rehearsal.walk import order
from tests.rehearsal.case import RehearsalCase

ALLOW_ALL = {"action": "allow"}


class WalkTests(RehearsalCase):
    """
    One request through the policy.
    """

    def test_allowed(self) -> None:
        """
        What a rule allows: its name and reason, the default way, and the deadlines of the
        configuration.
        """
        rehearsal = self.rehearse({"action": "allow", "destinations": ["a.example"]}, timeouts={"idle": 60})
        answer = self.ask(rehearsal, "a.example:443", addresses=["8.8.8.8"])
        self.assertEqual((answer.decision, answer.rule, answer.status), ("allow", "rule-0", 200))
        self.assertEqual((answer.upstream, answer.address, answer.notes), ("direct", "8.8.8.8", ()))
        self.assertEqual((answer.connectTimeout, answer.idleTimeout, answer.lifetime), (10.0, 60.0, 0.0))
        self.assertIn("a.example is among the names", answer.reason)

    def test_bounds(self) -> None:
        """
        The deadlines of the rule go before those, each by itself, and so does its upstream.
        """
        rule = {"action": "allow", "lifetime": 5, "connect_timeout": 2, "upstream": "direct"}
        answer = self.ask(self.rehearse(rule), "a.example:443")
        self.assertEqual((answer.connectTimeout, answer.idleTimeout, answer.lifetime), (2.0, 3600.0, 5.0))
        self.assertEqual(answer.upstream, "direct")

    def test_denied(self) -> None:
        """
        What a rule denies: with its message, or that of the policy, or the kind's.
        """
        rehearsal = self.rehearse(
            {"action": "deny", "ports": [80], "message": "not here"}, policy={"contact": "ask ops"}
        )
        for dest, rule, message in (
            ("a.example:80", "rule-0", "not here"),
            ("a.example:443", "default", "ask ops"),
        ):
            answer = self.ask(rehearsal, dest)
            self.assertEqual((answer.decision, answer.rule, answer.message), ("deny", rule, message))
            self.assertEqual((answer.status, answer.kind), (403, "http_request_denied"))
            self.assertEqual(answer.upstream, "")

    def test_addressUnknown(self) -> None:
        """
        A rule with networks depends on the address; what is allowed by name is allowed, and a
        note says what may still come.
        """
        rehearsal = self.rehearse(
            {"action": "allow", "destinations": ["a.example"]},
            {"action": "allow", "networks": ["8.8.8.0/24"]},
        )
        answer = self.ask(rehearsal, "b.example:443")
        self.assertEqual((answer.decision, answer.rule), ("depends", "rule-1"))
        self.assertIn("depends on the address of b.example", answer.reason)
        answer = self.ask(rehearsal, "a.example:443")
        self.assertEqual((answer.decision, answer.rule), ("allow", "rule-0"))
        self.assertIn("the address is not known", answer.notes[0])

    def test_addressMakesNoDifference(self) -> None:
        """
        Where a rule behind the one with networks allows as well, nothing depends on them.
        """
        rehearsal = self.rehearse({"action": "allow", "networks": ["8.8.8.0/24"]}, ALLOW_ALL)
        self.assertEqual(self.ask(rehearsal, "b.example:443").decision, "allow")

    def test_provisional(self) -> None:
        """
        With the address, the rule with networks decides, or the one behind it does.
        """
        rehearsal = self.rehearse({"action": "allow", "networks": ["8.8.8.0/24"]})
        answer = self.ask(rehearsal, "b.example:443", addresses=["8.8.8.8"])
        self.assertEqual((answer.decision, answer.rule, answer.address), ("allow", "rule-0", "8.8.8.8"))
        self.assertIn("resolves to an address in a network of the rule", answer.reason)
        answer = self.ask(rehearsal, "b.example:443", addresses=["8.8.4.4"])
        self.assertEqual((answer.decision, answer.rule, answer.address), ("deny", "default", ""))

    def test_literal(self) -> None:
        """
        An address for a destination is judged without being looked up.
        """
        rehearsal = self.rehearse(ALLOW_ALL)
        self.assertEqual(self.ask(rehearsal, "8.8.8.8:443").decision, "allow")
        answer = self.ask(rehearsal, "169.254.169.254:443")
        self.assertEqual((answer.rule, answer.kind), ("private-addresses", "destination_ip_prohibited"))

    def test_severalAddresses(self) -> None:
        """
        One that is allowed is enough, and it is the one that is dialled; where all are
        denied, it is by the first.
        """
        rehearsal = self.rehearse(ALLOW_ALL)
        answer = self.ask(rehearsal, "a.example:443", addresses=["10.0.0.1", "8.8.8.8"])
        self.assertEqual((answer.decision, answer.address), ("allow", "8.8.8.8"))
        self.assertIn("not dialled", answer.notes[0])
        answer = self.ask(rehearsal, "a.example:443", addresses=["10.0.0.1", "fd00::1"])
        self.assertIn("unique_local", answer.reason)

    def test_noAddress(self) -> None:
        """
        A name without an address is no rule's business.
        """
        answer = self.ask(self.rehearse(ALLOW_ALL), "a.example:443", addresses=[])
        self.assertEqual((answer.decision, answer.rule, answer.kind), ("deny", "", "dns_error"))
        self.assertEqual(answer.status, 502)

    def test_loop(self) -> None:
        """
        The proxy itself is where its endpoint is.
        """
        rehearsal = self.rehearse(ALLOW_ALL, allow={"ports": "any"}, listen=[{"endpoint": "127.0.0.1:3128"}])
        answer = self.ask(rehearsal, "a.example:3128", addresses=["127.0.0.1"])
        self.assertEqual(answer.kind, "proxy_loop_detected")

    def test_serverName(self) -> None:
        """
        The server name is judged where a rule looks at it: the one that is said; without one
        the destination's, with a note; for an address nothing can be told.
        """
        rehearsal = self.rehearse({"action": "deny", "server_name": "other"}, ALLOW_ALL)
        answer = self.ask(rehearsal, "a.example:443", server_name="b.example")
        self.assertEqual((answer.decision, answer.rule), ("deny", "rule-0"))
        answer = self.ask(rehearsal, "a.example:443")
        self.assertEqual(answer.decision, "allow")
        self.assertIn("taken to send the TLS server name a.example", answer.notes[-1])
        self.assertEqual(self.ask(rehearsal, "8.8.8.8:443").decision, "depends")
        self.assertEqual(self.ask(rehearsal, "8.8.8.8:443", server_name="").decision, "allow")
        self.assertEqual(self.ask(rehearsal, "8.8.8.8:443", server_name="b.example").decision, "deny")

    def test_reports(self) -> None:
        """
        What only reports has no effect, and is told.
        """
        rehearsal = self.rehearse({"action": "deny", "ports": [443], "report": True}, ALLOW_ALL)
        answer = self.ask(rehearsal, "a.example:443")
        self.assertEqual((answer.decision, answer.rule), ("allow", "rule-1"))
        self.assertEqual(answer.reports, ("rule-0: port 443 is among the ports of the rule",))

    def test_shadow(self) -> None:
        """
        What the shadow policy would do otherwise is told, by the request and by the address;
        where it is the same, nothing is.
        """
        path = Path(self.mktemp())
        path.write_text(
            '[policy]\ndefault = "deny"\n'
            '[[rule]]\nname = "a"\naction = "allow"\ndestinations = ["a.example"]\n'
            '[[rule]]\nname = "b"\naction = "allow"\nnetworks = ["8.8.8.0/24"]\n'
        )
        rehearsal = self.rehearse({"action": "allow", "ports": [443]}, policy={"shadow": str(path)})
        self.assertEqual(self.ask(rehearsal, "a.example:443").shadow, "")
        self.assertEqual(self.ask(rehearsal, "c.example:443", addresses=["8.8.8.8"]).shadow, "")
        self.assertEqual(
            self.ask(rehearsal, "c.example:443", addresses=["8.8.4.4"]).shadow, "deny by rule default"
        )
        self.assertEqual(self.ask(rehearsal, "a.example:80").shadow, "allow by rule a")

    def test_datagramsAndRequests(self) -> None:
        """
        Schemes are told apart; datagrams and forwarded requests have no server name, whatever
        the question says.
        """
        rehearsal = self.rehearse(
            {"action": "deny", "schemes": ["udp"]},
            {"action": "deny", "methods": ["POST"]},
            {"action": "deny", "server_name": "none"},
            ALLOW_ALL,
        )
        self.assertEqual(self.ask(rehearsal, "a.example:443", scheme="udp").rule, "rule-0")
        self.assertEqual(self.ask(rehearsal, "a.example:80", method="POST").rule, "rule-1")
        answer = self.ask(rehearsal, "a.example:80", scheme="http", server_name="a.example")
        self.assertEqual(answer.rule, "rule-2")
        self.assertEqual(self.ask(rehearsal, "a.example:80", server_name="a.example").rule, "rule-3")


class OrderTests(RehearsalCase):
    """
    L{order}.
    """

    def test_interleaved(self) -> None:
        """
        The families take turns, IPv6 first; each address once, and as many as are dialled.
        """
        addresses = [ip_address(each) for each in ("1.1.1.1", "1.1.1.2", "1.1.1.3", "2::1", "1.1.1.1")]
        self.assertEqual(list(map(str, order(addresses))), ["2::1", "1.1.1.1", "1.1.1.2", "1.1.1.3"])
        self.assertEqual(len(order(ip_address(number + 2**24) for number in range(20))), 16)
        self.assertEqual(order(()), [])


class HopTests(RehearsalCase):
    """
    What goes by way of a next hop.
    """

    def behind(self, addresses: str, *rules: Any, **tables: Any) -> Rehearsal:
        corp = {"name": "corp", "url": "http://192.0.2.1:3128", "addresses": addresses}
        return self.rehearse(*rules, upstream=[corp], route={"upstream": "corp"}, **tables)

    def test_unseen(self) -> None:
        """
        Nobody sees an address, so that what depends on one is not allowed.
        """
        answer = self.ask(self.behind("unseen", ALLOW_ALL), "a.example:443", addresses=["10.0.0.1"])
        self.assertEqual((answer.decision, answer.upstream, answer.address), ("allow", "corp", ""))
        self.assertIn("nobody here sees the address", answer.notes[0])
        rule = {"action": "allow", "networks": ["8.8.8.0/24"]}
        answer = self.ask(self.behind("unseen", rule), "a.example:443", addresses=["8.8.8.8"])
        self.assertEqual((answer.decision, answer.rule), ("deny", "default"))

    def test_localhost(self) -> None:
        """
        C{localhost} has an address that nobody has to look up, as it is judged.
        """
        for addresses in ("unseen", "judged"):
            for name in ("localhost", "db.localhost"):
                answer = self.ask(self.behind(addresses, ALLOW_ALL), f"{name}:443", addresses=["8.8.8.8"])
                self.assertEqual((answer.decision, answer.rule), ("deny", "private-addresses"))
            opened = self.behind(addresses, ALLOW_ALL, allow={"networks": ["127.0.0.0/8"]})
            self.assertEqual(self.ask(opened, "localhost:443").decision, "allow")

    def test_order(self) -> None:
        """
        The hop is asked for IPv4 first, which most can reach.
        """
        rehearsal = self.behind("judged", ALLOW_ALL)
        answer = self.ask(rehearsal, "a.example:443", addresses=["2606:4700::1", "8.8.8.8"])
        self.assertEqual(answer.address, "8.8.8.8")

    def test_shadow(self) -> None:
        """
        A policy beside this one does not get to see more than this one.
        """
        path = Path(self.mktemp()).absolute()
        path.write_text(
            '[policy]\ndefault = "deny"\n[[rule]]\nname = "far"\naction = "allow"\nnetworks = ["8.8.8.0/24"]\n'
        )
        rehearsal = self.behind("unseen", policy={"shadow": str(path)})
        answer = self.ask(rehearsal, "a.example:443", addresses=["8.8.8.8"])
        self.assertEqual((answer.decision, answer.shadow), ("deny", ""))
