"""
Tests for L{connectproxy.config.loader}: a second policy in a file of its own.
"""

from __future__ import annotations

import os
from typing import Any

from connectproxy.config import Config, ConfigurationError, configure, loadShadow
from tests.config.case import LoadCase


class ShadowTests(LoadCase):
    """
    A second policy has a file of its own.
    """

    def shadow(self, text: str, **tables: Any) -> Config:
        """
        The shadow of a configuration.
        """
        path = self.write(text)
        return loadShadow(configure(**{"policy": {"default": "allow", "shadow": path}, **tables}))

    def wrong(self, text: str) -> list[str]:
        """
        What is wrong with a shadow.
        """
        error = self.assertRaises(ConfigurationError, self.shadow, text)
        return [str(problem).replace(self.file, "F") for problem in error.problems]

    def test_policy(self) -> None:
        """
        Its rules, its groups and its default are in the place of the configuration's; all
        else is the configuration's.
        """
        text = '[policy]\ndefault = "deny"\n[[group]]\nname = "a"\n[[rule]]\nname = "r"\naction = "allow"\nusers = "@u"\n'
        listen = [{"endpoint": 8080, "name": "inside"}]
        tables = {
            "listen": listen,
            "allow": {"ports": [22]},
            "group": [{"name": "b"}],
            "rule": [{"name": "s", "action": "deny"}],
            "limit": [{"name": "l", "tunnels": 1}],
        }
        path = self.write(text)
        config = configure(**tables, policy={"default": "allow", "shadow": path, "contact": "Ask."})
        shadow = loadShadow(config)
        self.assertEqual((shadow["policy.default"], shadow["policy.shadow"]), ("deny", ""))
        self.assertEqual((shadow["policy.contact"], shadow["allow.ports"]), ("Ask.", ((22, 22),)))
        names = {table: [row.options["name"] for row in rows] for table, rows in shadow.rows.items()}
        self.assertEqual(
            names, {"identity": [], "group": ["a"], "rule": ["r"], "limit": ["l"], "upstream": []}
        )
        here = os.path.abspath(path)
        self.assertEqual(shadow.rows["rule"][0].options["users"], (f"@{os.path.dirname(here)}/u",))
        self.assertEqual((shadow.origin, shadow.files), (here, (here,)))
        self.assertEqual(shadow.listeners, config.listeners)
        self.assertNotEqual(shadow.id, config.id)

    def test_groups(self) -> None:
        """
        Without a group of its own it has those of the configuration; without a rule, none.
        """
        shadow = self.shadow(
            'policy.default = "deny"', group=[{"name": "b"}], rule=[{"name": "s", "action": "deny"}]
        )
        self.assertEqual([row.options["name"] for row in shadow.rows["group"]], ["b"])
        self.assertEqual(shadow.rows["rule"], ())

    def test_listeners(self) -> None:
        """
        Rules name the listeners of the configuration, by their endpoints too.
        """
        text = 'policy.default = "deny"\n[[rule]]\nname = "a"\naction = "deny"\nlisteners = "8080"\n'
        (row,) = self.shadow(text, listen=[{"endpoint": 8080, "name": "inside"}]).rows["rule"]
        self.assertEqual(row.options["listeners"], ("inside",))

    def test_noDefault(self) -> None:
        """
        It says how it ends, too.
        """
        (problem,) = self.wrong("")
        self.assertIn("nothing says what happens to what no rule decides", problem)

    def test_other(self) -> None:
        """
        Nothing else stands in it; all that is wrong is told.
        """
        self.assertEqual(
            self.wrong(
                '[policy]\ndefault = "deny"\ncontact = "x"\n[timeouts]\nidle = 5\n[[limit]]\nname = "a"\ntunnels = 1\n'
            ),
            [
                'F:4 timeouts: there is no table "timeouts" here; here can be policy, group, rule',
                'F:6 limit: there is no table "limit" here; here can be policy, group, rule',
                'F:3 [policy] contact: there is no key "contact" here; here can be default',
            ],
        )

    def test_noFile(self) -> None:
        """
        The message names the file, and where it is named.
        """
        config = configure(policy={"default": "allow", "shadow": "/nonexistent/shadow.toml"})
        (problem,) = self.assertRaises(ConfigurationError, loadShadow, config).problems
        self.assertEqual(problem.place, "policy.shadow")
        self.assertIn("/nonexistent/shadow.toml", problem.message)
