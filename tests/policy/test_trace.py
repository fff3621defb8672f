"""
Tests for L{connectproxy.policy.trace}.  That what is explained is what is decided is in
L{tests.policy.test_table_oracle}.
"""

from __future__ import annotations

from ipaddress import ip_address

from connectproxy.interfaces import Action, Verdict
from connectproxy.policy import Policy, Step
from tests.policy.case import PolicyCase, request
from tests.policy.test_judge import Says

GLOBAL = ip_address("8.8.8.8")
GUARDS = ["allow-ports", "own-addresses", "private-addresses"]


class TraceTests(PolicyCase):
    """
    The way through the rules.
    """

    def test_everyOutcome(self) -> None:
        """
        Each rule says what it does and why; those behind the one that decides are not asked.
        """
        policy = self.policy(
            {"action": "allow", "users": ["ann"]},
            {"action": "deny", "ports": [443], "report": True},
            {"action": "allow", "networks": ["8.8.8.0/24"]},
            {"action": "deny", "server_name": "other"},
            {"action": "deny", "destinations": ["a.b"]},
            {"action": "allow"},
        )
        steps = policy.trace(request("a.b:443", "ci"))
        self.assertEqual([step.rule for step in steps[:3]], GUARDS)
        self.assertEqual(
            steps[3:],
            [
                Step("rule-0", "pass", "user ci is not among its users"),
                Step("rule-1", "report", "port 443 is among the ports of the rule"),
                Step("rule-2", "maybe", "it depends on the address of a.b"),
                Step("rule-3", "maybe", "it depends on the TLS server name that is sent to a.b"),
                Step("rule-4", "deny", "a.b is among the names of the rule"),
                Step("rule-5", "unasked", ""),
                Step("default", "unasked", ""),
            ],
        )
        steps = policy.trace(request("a.b:443", "ci"), ip_address("1.1.1.1"), "X.Y.")
        self.assertEqual(steps[5], Step("rule-2", "pass", "1.1.1.1 is in none of its networks"))
        words = "the TLS server name x.y is not the destination's"
        self.assertEqual(steps[6], Step("rule-3", "deny", words))

    def test_default(self) -> None:
        """
        Where nothing decides, the default does.
        """
        steps = self.policy({"action": "allow", "ports": [22]}).trace(request("a.b:443"))
        self.assertEqual(steps[-1], Step("default", "deny", "no rule allows a.b:443"))
        self.assertEqual(Policy().trace(request()), [Step("default", "allow", "no rule denies it")])

    def test_python(self) -> None:
        """
        Rules in Python are followed as well.
        """
        verdict = Verdict(Action.DENY, "no", "says")
        for said, outcome, why in (
            (None, "pass", "it has nothing against it so far"),
            (verdict, "deny", "no"),
            (verdict._replace(action=Action.ALLOW), "allow", "no"),
            (verdict._replace(action=Action.ALLOW, provisional=True), "maybe", "no"),
            (verdict._replace(reportOnly=True, reason="no: never"), "report", "no: never"),
        ):
            self.assertEqual(Policy([Says(said)]).trace(request())[0], Step("says", outcome, why))
        found = Policy([Says(None)]).trace(request(), GLOBAL)
        self.assertEqual(found[0].why, "it has nothing against it")

    def test_guard(self) -> None:
        """
        A guard that denies an address is seen once that is known.
        """
        policy = self.policy({"action": "allow"})
        asked, inside = request("a.b:443"), ip_address("10.0.0.1")
        self.assertEqual(policy.trace(asked)[2].outcome, "pass")
        self.assertEqual(policy.trace(asked, inside)[2].outcome, "deny")
        self.assertEqual(policy.trace(asked, inside)[3].outcome, "unasked")
