"""
Tests for L{connectproxy.association}: what is decided on its destinations, and by what.
"""

from __future__ import annotations

import errno
from types import SimpleNamespace
from typing import Any

from connectproxy.association import DECISIONS
from connectproxy.interfaces import Action, Verdict
from connectproxy.names import TTL
from connectproxy.policy import Policy
from tests.datagrams.test_flow import to
from tests.fakes import FakeAuthenticator
from tests.policy.case import PolicyCase
from tests.policy.test_asked import Greeted
from tests.test_association import AssociationCase, DenyPort25
from tests.test_switchboard import Says

FORGOTTEN = TTL + 1.0
"""Seconds after which nothing is known of a name any more."""


class DecidedTests(AssociationCase, PolicyCase):
    """
    Decisions, as the audit file and the counts have them.
    """

    def audited(
        self, *rules: Any, fields: tuple[str, ...] = ("target", "address", "decision", "rule")
    ) -> list[tuple[Any, ...]]:
        """
        Have decisions audited from now on, those of other rules.

        @return: where they are going to be, with these fields.
        """
        lines: list[tuple[Any, ...]] = []
        self.board.audit = SimpleNamespace(
            write=lambda known: lines.append(tuple(known[name] for name in fields))
        )
        self.put(*rules)
        return lines

    def put(self, *rules: Any) -> None:
        """
        Have other rules in force.
        """
        self.force(Policy(rules))

    def force(self, policy: Policy) -> None:
        """
        Have another policy in force.
        """
        self.board.regime = self.board.regime._replace(policy=policy)
        self.board.datagrams.judge = policy.decideAddress

    def test_once(self) -> None:
        """
        A decision is counted and audited once, though it is made again every few seconds; and
        again when it comes out otherwise.
        """
        lines = self.audited(DenyPort25())
        flow: Any = self.associate().flow
        for _ in range(3):
            for port in (25, 53):
                flow.send(to(f"192.0.2.1:{port}"), b"a")
            self.reactor.advance(11.0)
        allowed = ("192.0.2.1:53", "192.0.2.1", "allow", "default")
        self.assertEqual(lines, [("192.0.2.1:25", "192.0.2.1", "deny", "port-25"), allowed])
        self.assertEqual(self.board.tally.decisions, {("deny", "port-25"): 1, ("allow", "default"): 1})
        verdict = Verdict(Action.DENY, "why", "late")
        self.put(Says(verdict, verdict))
        flow.send(to("192.0.2.1:53"), b"a")
        self.assertEqual(lines[2:], [("192.0.2.1:53", "192.0.2.1", "deny", "late")])

    def test_byAddress(self) -> None:
        """
        What a rule denies by its address was never allowed; what another one allows by it is
        that one's decision.
        """
        lines = self.audited(Says(None, Verdict(Action.DENY, "why", "inside")))
        flow: Any = self.associate().flow
        flow.send(to("192.0.2.1:53"), b"a")
        self.assertEqual(lines, [("192.0.2.1:53", "192.0.2.1", "deny", "inside")])
        self.assertEqual(self.network.sent, [])
        maybe = Verdict(Action.ALLOW, "why", "maybe", provisional=True)
        self.put(Says(maybe, maybe._replace(provisional=False, rule="there")))
        flow.send(to("192.0.2.2:53"), b"a")
        self.assertEqual(lines[1:], [("192.0.2.2:53", "192.0.2.2", "allow", "there")])
        self.assertEqual(len(self.network.sent), 1)
        self.put(Says(None, Verdict(Action.ALLOW, "why", "unasked")))
        flow.send(to("192.0.2.3:53"), b"a")
        self.assertEqual(lines[2:], [("192.0.2.3:53", "192.0.2.3", "allow", "default")])

    def test_name(self) -> None:
        """
        A name is decided on when its address is known, and not before; in the audit file is
        the one that is taken.  It is said once, though it is looked up again.
        """
        lines = self.audited()
        flow: Any = self.associate().flow
        for before in (0, 1, 1):
            flow.send(to("a.example:53"), b"a")
            self.assertEqual((len(lines), self.board.tally.decisions.total()), (before, before))
            for each in self.reactor.nameResolver.pending:
                each.answer("192.0.2.1", "2001:db8::1")
            self.reactor.advance(FORGOTTEN)
        self.assertEqual(lines, [("a.example:53", "192.0.2.1", "allow", "default")])
        self.assertEqual(self.board.tally.decisions, {("allow", "default"): 1})
        self.assertEqual((len(self.network.sent), len(self.reactor.nameResolver.lookups)), (3, 6))

    def test_nameByAddress(self) -> None:
        """
        A name that is allowed, and denied by each of its addresses, was never allowed; what
        another rule allows by the address is that one's decision.
        """
        self.reactor.nameResolver.answers["a.example"] = ("192.0.2.1", "192.0.2.2")
        lines = self.audited(Says(None, Verdict(Action.DENY, "why", "inside")))
        flow: Any = self.associate().flow
        flow.send(to("a.example:53"), b"a")
        self.assertEqual(lines, [("a.example:53", "192.0.2.1", "deny", "inside")])
        self.assertEqual(self.board.tally.decisions, {("deny", "inside"): 1})
        self.assertEqual(self.network.sent, [])
        self.reactor.advance(11.0)
        maybe = Verdict(Action.ALLOW, "why", "maybe", provisional=True)
        self.put(Says(maybe, maybe._replace(provisional=False, rule="there")))
        flow.send(to("a.example:53"), b"a")
        self.assertEqual(lines[1:], [("a.example:53", "192.0.2.1", "allow", "there")])
        self.assertEqual(len(self.network.sent), 1)

    def test_reports(self) -> None:
        """
        What rules with networks only report of a name is told and counted, and so is what
        others report of what is denied.
        """
        network = {"action": "deny", "networks": ["8.8.8.0/24"], "report": True, "name": "net"}
        port = {"action": "deny", "ports": ["54"], "name": "port"}
        lines = self.audited(fields=("target", "decision", "rule", "report"))
        self.force(self.policy(network, port, {"action": "allow", "networks": ["8.8.8.0/24"]}))
        self.reactor.nameResolver.answers["a.example"] = ("8.8.8.8",)
        flow: Any = self.associate().flow
        for target in ("a.example:53", "8.8.8.8:54", "8.8.8.8:53"):
            flow.send(to(target), b"a")
        self.assertEqual(
            [line[:3] for line in lines],
            [
                ("a.example:53", "allow", "rule-2"),
                ("8.8.8.8:54", "deny", "port"),
                ("8.8.8.8:53", "allow", "rule-2"),
            ],
        )
        for line in lines:
            self.assertTrue(line[3].startswith("net: "), line)
        self.assertEqual(self.board.tally.reports, {"net": 3})

    def test_shadow(self) -> None:
        """
        The shadow policy is asked with the address of a name, for what is allowed and for what
        is denied.
        """
        lines = self.audited(fields=("decision", "shadow"))
        inside = Says(None, Verdict(Action.DENY, "why", "inside"))
        self.reactor.nameResolver.answers["a.example"] = ("192.0.2.1",)
        flow: Any = self.associate().flow
        for rules, other in (((), (inside,)), ((inside,), ())):
            self.put(*rules)
            self.board.regime = self.board.regime._replace(shadow=Policy(other))
            flow.send(to("a.example:53"), b"a")
            self.reactor.advance(11.0)
        self.assertEqual(lines, [("allow", "deny by rule inside"), ("deny", "allow by rule default")])

    def test_notFound(self) -> None:
        """
        A name that is allowed and has no address is said to be allowed, with why nothing was
        sent, once; when it has one, that is said, and no failure after that.
        """
        lines = self.audited(fields=("address", "decision", "rule", "error"))
        flow: Any = self.associate().flow
        resolver = self.reactor.nameResolver
        for addresses in ((), (), ("192.0.2.1",), (), ("192.0.2.1",)):
            resolver.answers["a.example"] = addresses
            flow.send(to("a.example:53"), b"a")
            self.reactor.advance(FORGOTTEN)
        failed, sent = (None, "allow", "default", "dns_error"), ("192.0.2.1", "allow", "default", None)
        self.assertEqual(lines, [failed, sent])
        self.assertEqual(len(self.network.sent), 2)

    def test_failedLater(self) -> None:
        """
        What there turns out to be no way to was allowed; that is said once.
        """
        lines = self.audited()
        flow: Any = self.associate().flow
        self.reactor.nameResolver.answers["a.example"] = ("192.0.2.1",)
        flow.send(to("192.0.2.9:53"), b"a")
        self.network.sockets[0].failing[""] = errno.ENETUNREACH
        for target in ("a.example:53", "192.0.2.1:53"):
            flow.send(to(target), b"a")
        self.assertEqual([line[2] for line in lines], ["allow"] * 3)
        self.assertEqual(self.board.tally.decisions, {("allow", "default"): 3})
        self.assertEqual([event["error"] for event in self.events], ["destination_ip_unroutable"] * 2)

    def test_noServerName(self) -> None:
        """
        A rule that allows for a TLS server name lets no datagram through, for there is none that
        could be looked at; one that denies for want of it denies.
        """
        allows = {"action": "allow", "server_names": ["*", ".example"]}
        same = {"action": "allow", "destinations": ["a.example"], "server_name": "same"}
        denies = {"action": "deny", "server_name": "none", "name": "nameless"}
        self.reactor.nameResolver.answers["a.example"] = ("8.8.8.8",)
        lines = self.audited()
        for number, (policy, rule) in enumerate(
            (
                (self.policy(allows), "default"),
                (self.policy({**allows, "networks": ["8.8.8.0/24"]}), "default"),
                (self.policy(same), "default"),
                (self.policy(denies, default="allow"), "nameless"),
                (Policy([Greeted()], default=Action.DENY), "default"),
            )
        ):
            self.force(policy)
            lines.clear()
            flow: Any = self.associate().flow
            for target in ("a.example:443", "8.8.8.8:443"):
                flow.send(to(target), b"a")
            self.assertEqual([line[2:] for line in lines], [("deny", rule)] * 2, number)
            self.assertEqual((self.network.sockets, self.network.sent), ([], []), number)

    def test_wrongWay(self) -> None:
        """
        What is allowed by a way that carries no datagrams is denied, and nothing else.
        """
        lines = self.audited(DenyPort25())
        flow: Any = self.associate().flow
        flow.send(to("192.0.2.1:26"), b"a")
        self.assertEqual(lines, [("192.0.2.1:26", "192.0.2.1", "deny", "detour")])

    def test_many(self) -> None:
        """
        What was decided is forgotten before it takes much memory.
        """
        lines = self.audited()
        flow: Any = self.associate().flow
        for port in range(1, DECISIONS + 11):
            flow.send(to(f"192.0.2.1:{port}"), b"a")
        self.assertEqual(len(lines), DECISIONS + 10)
        self.assertEqual(len(self.only()._decided), 10)

    def test_forgotten(self) -> None:
        """
        What is open does not keep a policy that is not in force any more, but its name; one
        whose user is not known yet keeps it.
        """
        self.build(FakeAuthenticator(later=True))
        former = self.board.regime
        self.associate()
        opened = self.only()
        waiting = self.associate(identity=None)
        (other,) = self.board.associations - {opened}
        self.board.adopt(former._replace(id="11111111"))
        self.assertIsNot(opened._regime.policy, former.policy)
        self.assertEqual((opened._regime.id, other._regime), (former.id, former))
        waiting.lost()
        opened.abort("aborted")
        self.assertNothingLeft()
