"""
Tests for L{connectproxy.policy.covers}.  That what is said holds for random rules is in
L{tests.policy.test_table_oracle}.
"""

from __future__ import annotations

from typing import Any

from connectproxy.config import configure
from connectproxy.policy.covers import Covers
from connectproxy.policy.lists import Lists
from connectproxy.policy.rule import readRule
from tests.policy.case import PolicyCase


class CoversTests(PolicyCase):
    """
    Which earlier rule takes all of a later one.
    """

    def taken(self, first: dict[str, Any], second: dict[str, Any]) -> bool:
        """
        Whether the first takes all of the second.
        """
        rows = [{"name": f"r{n}", "action": "deny", **row} for n, row in enumerate((first, second))]
        config = configure(policy={"default": "deny"}, rule=rows)
        rules = [readRule(row.options, row.where, Lists()) for row in config.rows["rule"]]
        found = Covers(rules)
        self.assertIsNone(found.earlier(0))
        return found.earlier(1) == 0

    def test_everything(self) -> None:
        """
        A rule for everything takes whatever comes, and is taken by no rule with a condition.
        """
        for key, value in {
            "users": ["ann"],
            "groups": ["dev"],
            "clients": ["10.0.0.0/8"],
            "protocols": ["h2"],
            "destinations": [".a.b"],
            "networks": ["8.8.8.0/24"],
            "ports": [22],
            "methods": ["GET"],
            "schemes": ["tcp"],
            "days": ["mon"],
            "server_names": ["a.b"],
            "server_name": "other",
        }.items():
            self.assertTrue(self.taken({}, {key: value}), key)
            self.assertFalse(self.taken({key: value}, {}), key)
            self.assertTrue(self.taken({key: value}, {key: value, "message": "x"}), key)

    def test_parts(self) -> None:
        """
        A condition is part of another if each of its values is.
        """
        for key, wide, narrow in (
            ("users", ["*"], ["ann", "bob"]),
            ("users", ["ann", "bob", "-"], ["ann", "-"]),
            ("groups", ["dev", "ops"], ["dev"]),
            ("clients", ["10.0.0.0/8"], ["10.1.0.0/16", "10.2.0.1"]),
            ("networks", ["8.0.0.0/8", "::/0"], ["8.8.8.8", "2606:4700::1"]),
            ("ports", ["1-100", "400-500"], [80, "440-450"]),
            ("ports", ["1-100", "101-200"], ["50-150"]),
            ("destinations", [".a.b"], ["a.b", "x.a.b", "*.y.a.b", "w-*.a.b"]),
            ("destinations", ["*"], ["x", ".y", "*.z", "w-*"]),
            ("destinations", ["api-*.b"], ["api-1.b"]),
            ("server_names", ["*.b"], ["*.a.b"]),
            ("schemes", ["tcp", "udp"], ["udp"]),
        ):
            self.assertTrue(self.taken({key: wide}, {key: narrow}), (key, wide, narrow))
            self.assertFalse(self.taken({key: narrow}, {key: wide}), (key, wide, narrow))

    def test_notParts(self) -> None:
        """
        What only looks like a part is none.
        """
        for first, second in (
            ({"users": ["*"]}, {"users": ["-"]}),
            ({"users": ["ann"]}, {"groups": ["dev"]}),
            ({"destinations": ["*.a.b"]}, {"destinations": ["a.b"]}),
            ({"destinations": ["*"]}, {"networks": ["8.8.8.8"]}),
            ({"destinations": [".a.b"]}, {"destinations": ["w-*.b"]}),
            ({"networks": ["0.0.0.0/0"]}, {"networks": ["::1"]}),
            ({"days": ["mon"], "zone": "Asia/Tokyo"}, {"days": ["mon"]}),
            ({"report": True}, {}),
            ({"ports": [80], "users": ["ann"]}, {"ports": [80], "users": ["bob"]}),
        ):
            self.assertFalse(self.taken(first, second), (first, second))

    def test_hiddenIPv4(self) -> None:
        """
        A denial also sees what hides in an address, and a permission before it does not take
        that.
        """
        row = {"networks": ["8.8.8.0/24"]}
        self.assertFalse(self.taken({**row, "action": "allow"}, row))
        self.assertTrue(self.taken({"action": "allow"}, row))
        self.assertTrue(self.taken(row, {**row, "action": "allow"}))
        self.assertTrue(self.taken(row, row))
