"""
Tests for L{connectproxy.policy.rule}.
"""

from __future__ import annotations

from typing import Any

from connectproxy.config import configure
from connectproxy.interfaces import Action, Bounds
from connectproxy.policy.hours import Schedule
from connectproxy.policy.lists import Lists
from connectproxy.policy.rule import Rule, readItems, readRule
from tests.policy.case import PolicyCase


class ReadRuleTests(PolicyCase):
    """
    From a row to a rule.
    """

    def read(self, **said: Any) -> Rule:
        """
        Read one row.
        """
        config = configure(policy={"default": "deny"}, rule=[{"name": "r", "action": "allow", **said}])
        (row,) = config.rows["rule"]
        self.lists = Lists()
        return readRule(row.options, row.where, self.lists)

    def test_nothingSaid(self) -> None:
        """
        What is left out is no condition.
        """
        rule = self.read()
        self.assertEqual(rule, Rule("r", rule.where, Action.ALLOW))
        self.assertTrue(rule.unconditional)

    def test_everyCondition(self) -> None:
        """
        Each key makes it a rule with a condition.
        """
        for key, value in {
            "users": ["ann"],
            "groups": ["dev"],
            "clients": ["10.0.0.0/8"],
            "protocols": ["h2"],
            "destinations": ["a.b"],
            "networks": ["10.0.0.0/8"],
            "ports": [22],
            "methods": ["GET"],
            "schemes": ["udp"],
            "days": ["mon"],
            "hours": ["08:00-09:00"],
            "server_names": ["a.b"],
            "server_name": "same",
        }.items():
            self.assertFalse(self.read(**{key: value}).unconditional, key)

    def test_everythingSaid(self) -> None:
        """
        What a row says reaches the rule.
        """
        rule = self.read(
            destinations=["a.b"],
            ports=[22, "80-90"],
            days=["sat", "mon"],
            hours=["22:00-06:00"],
            zone="Asia/Tokyo",
            server_name="other",
            message="ask",
            upstream="direct",
            connect_timeout=1,
            lifetime=0,
        )
        self.assertEqual(rule.destinations[0].names.exact, ["a.b"])
        self.assertEqual(rule.ports, ((22, 22), (80, 90)))
        self.assertEqual(rule.schedule, Schedule(("mon", "sat"), ((1320, 360),), "Asia/Tokyo"))
        self.assertEqual((rule.relation, rule.message, rule.upstream), ("other", "ask", "direct"))
        self.assertEqual(rule.bounds, Bounds(1.0, None, 0.0))

    def test_lists(self) -> None:
        """
        An item that names a file is what stands in that; an empty one is still a condition.
        """
        full, empty = self.write("c.d\n"), self.write("# nothing\n")
        rule = self.read(destinations=["a.b", f"@{full}"], server_names=[f"@{empty}"], users=["ann", "bob"])
        self.assertEqual([items.names.exact for items in rule.destinations], [["a.b"], ["c.d"]])
        self.assertEqual([bool(items) for items in rule.serverNames], [False])
        self.assertFalse(rule.unconditional)
        self.assertEqual(rule.users[0].users, ["ann", "bob"])
        self.assertEqual(list(self.lists.files), [full, empty])

    def test_items(self) -> None:
        """
        Items of each sort.
        """
        (items,) = readItems(["10.0.0.0/8", "::1"], "networks", "key", "where", Lists())
        self.assertEqual([str(each) for each in items.networks], ["10.0.0.0/8", "::1/128"])
        self.assertEqual(readItems([], "names", "key", "where", Lists()), ())
