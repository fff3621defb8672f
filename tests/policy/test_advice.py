"""
Tests for L{connectproxy.policy.advice}.
"""

from __future__ import annotations

from typing import Any

from tests.policy.case import PolicyCase


class AdviceTests(PolicyCase):
    """
    What is probably not as meant.
    """

    def warned(self, *rows: dict[str, Any], **tables: Any) -> list[str]:
        """
        The warnings about rules, without what would be right.
        """
        return [f"{each.place}: {each.message}" for each in self.policy(*rows, **tables).warnings]

    def test_nothingToSay(self) -> None:
        """
        Rules that are as they should be are passed over.
        """
        rows = [
            {"action": "allow", "destinations": [".a.b"]},
            {"action": "allow", "users": ["*"]},
            {"action": "deny"},
        ]
        self.assertEqual(self.warned(*rows), [])

    def test_neverReached(self) -> None:
        """
        A rule that an earlier one takes all of is told, with that one's name.
        """
        (found,) = self.warned(
            {"action": "deny", "ports": ["1-100"]}, {"action": "allow", "ports": [80], "users": ["a"]}
        )
        self.assertEqual(
            found, '[[rule]] 2 "rule-1": can never match: the rule rule-0 before it takes all that it would'
        )

    def test_closedNetworks(self) -> None:
        """
        So is one that allows networks which a guard before it keeps closed, all of them.
        """
        guard = {"kind": "private", "options": {"exempt": ["10.7.0.0/16"]}}
        for networks, opened, closed in (
            (["10.60.0.0/24"], [], True),
            (["10.60.0.0/24", "fd00::/8", "127.0.0.1", "169.254.169.254", "100.64.0.0/10"], [], True),
            (["10.60.0.0/24"], ["10.60.0.128/25"], False),
            (["10.60.0.0/24"], ["10.0.0.0/8"], False),
            (["10.60.0.0/24"], ["10.61.0.0/24", "fd00::/8"], True),
            (["10.60.0.0/24", "8.8.8.0/24"], [], False),
            (["10.0.0.0/7", "172.0.0.0/8", "0.0.0.0/1"], [], False),
        ):
            rule = {"action": "allow", "networks": networks, "users": ["a"]}
            found = self.warned(rule, allow={"networks": opened, "ports": "any"})
            self.assertEqual(
                ["guard of private addresses" in each for each in found], [True] * closed, networks
            )
            self.assertEqual(self.warned({**rule, "action": "deny"}), [])
            self.assertEqual(self.warned(rule, {"kind": "private"}), [], "the guard is behind it")
            found = self.warned(guard, rule)
            self.assertEqual(len(found), all(each not in str(networks) for each in ("8.8.8.0", "172.")))
        self.assertEqual(
            self.warned(guard, {"action": "allow", "networks": ["10.7.1.0/24"], "users": ["a"]}), []
        )

    def test_allowsEverything(self) -> None:
        """
        So does a rule without conditions, and so do every name and every address.
        """
        for row in (
            {},
            {"destinations": ["a.b", "*"]},
            {"networks": ["::/0"]},
            {"methods": ["CONNECT"]},
            {"destinations": ["*"], "ports": [443]},
        ):
            self.assertIn(
                "allows everything to everybody", "".join(self.warned({"action": "allow", **row})), row
            )
        for row in (
            {"users": ["*"]},
            {"clients": ["10.0.0.0/8"]},
            {"networks": ["0.0.0.0/1"]},
            {"destinations": [".a"]},
            {"networks": ["::/0"], "destinations": [".a"]},
        ):
            self.assertEqual(self.warned({"action": "allow", **row}), [], row)

    def test_emptyLists(self) -> None:
        """
        An empty list is told once, and every rule that has nothing else.
        """
        path = self.write("# to come\n")
        found = self.warned(
            {"action": "allow", "destinations": [f"@{path}"]},
            {"action": "allow", "destinations": [f"@{path}", "a.b"]},
            {"action": "deny", "users": [f"@{path}"]},
        )
        self.assertEqual(len(found), 3, found)
        self.assertIn(f"the list {path} is empty", found[0])
        for line, rule in zip(found[1:], (1, 3), strict=True):
            self.assertEqual(line.partition('"')[0], f"[[rule]] {rule} ")
            self.assertIn("can never match, since there is nothing on its list", line)

    def test_ports(self) -> None:
        """
        What the guard of ports closes, no rule opens.
        """
        row = {"action": "allow", "destinations": ["a.b"], "ports": [22, "8000-8999"]}
        (found,) = self.warned(row, allow={"ports": [80, 443]})
        self.assertIn("can never match, since none of its ports is among allow.ports", found)
        self.assertEqual(self.warned(row, allow={"ports": [8500]}), [])
        self.assertEqual(self.warned({**row, "action": "deny"}, allow={"ports": [80]}), [])

    def test_reports(self) -> None:
        """
        What is only reported is not forgotten.
        """
        (found,) = self.warned({"action": "deny", "report": True})
        self.assertIn("only reports what it would deny", found)
