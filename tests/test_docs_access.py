"""
C{docs/decisions.md} and C{docs/users.md}: what they show is run.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import twisted.plugins

from connectproxy.address import Destination, parseAuthority, parsePattern
from connectproxy.auth.throttle import PER_USER
from connectproxy.commands import explain
from connectproxy.config import configure, load
from connectproxy.errors import Refusal
from connectproxy.findings import examine
from connectproxy.interfaces import IProxyUser
from connectproxy.testing import Decisions, readCases
from connectproxy.wire.problem import problem
from tests.pagecase import CODE, DOCS, FENCE, NAMED, PageCase, Recipe, recipes


class PythonRuleTests(PageCase):
    """
    The rule in Python of C{docs/decisions.md}.
    """

    title = "A rule in Python"

    def setUp(self) -> None:
        """
        Install the plugin where Twisted finds it, and go to the configuration.
        """
        recipe = recipes("decisions.md")[self.title]
        self.make(recipe)
        (name,) = [each for each in recipe.files if each.endswith(".py")]
        self.assertEqual(os.path.dirname(name), "twisted/plugins")
        home = str(Path("twisted/plugins").absolute())
        twisted.plugins.__path__.append(home)
        self.addCleanup(twisted.plugins.__path__.remove, home)
        module = f"twisted.plugins.{Path(name).stem}"
        self.addCleanup(sys.modules.pop, module, None)

    def make(self, recipe: Recipe) -> None:
        """
        Make the plugin's directory first.
        """
        inner = {name: text for name, text in recipe.files.items() if "/" not in name}
        PageCase.make(self, recipe._replace(files=inner))
        for name, text in recipe.files.items():
            if "/" in name:
                Path(name).parent.mkdir(parents=True)
                Path(name).write_text(text)

    def test_decides(self) -> None:
        """
        The page's configuration names it, and its cases are decided as they say.
        """
        decisions = Decisions.load("proxy.toml")
        cases = readCases("cases.toml")
        self.assertEqual({case.expect for case in cases}, {"allow", "deny"})
        for case in cases:
            decisions.verify(case)
        self.assertEqual(examine(lambda: load("proxy.toml"))[1:], ((), ()))

    def test_itsOptions(self) -> None:
        """
        Options that are wrong are told as a problem of the configuration.
        """
        text = Path("proxy.toml").read_text()
        Path("proxy.toml").write_text(text.replace("most = 3", 'most = "three"'))
        (error,) = examine(lambda: load("proxy.toml")).errors
        self.assertIn("most", error.message)


class DecisionsPageTests(PageCase):
    """
    The rest of C{docs/decisions.md}.
    """

    page = DOCS / "decisions.md"

    def blocks(self, language: str) -> list[str]:
        """
        Its blocks that name no file.
        """
        found = FENCE.findall(self.page.read_text())
        return [text for named, text in found if named == language and not NAMED.match(text)]

    def test_explained(self) -> None:
        """
        What C{connectproxy explain} is shown to print, it prints.
        """
        self.make(recipes("decisions.md")["Why?"])
        (shown,) = self.blocks("text")
        line, _, printed = shown.partition("\n")
        arguments = line.removeprefix("$ connectproxy explain ").split(" ")
        self.assertEqual(self.ran(explain.main, *arguments), (1, printed))
        (warning,) = examine(partial(load, "proxy.toml")).warnings
        self.assertIn("the guard of private addresses before it", warning.message)

    def test_problem(self) -> None:
        """
        The problem document is the one that is sent.
        """
        self.make(recipes("decisions.md")["Why?"])
        rules = Decisions.load("proxy.toml")
        (shown,) = self.blocks("json")
        expected = json.loads(shown)
        answer = rules.ask(expected["destination"])
        refusal = Refusal(answer.kind, answer.reason, answer.rule, answer.message)
        self.assertEqual(json.loads(problem(refusal, "connectproxy", expected["destination"])), expected)

    def test_fragment(self) -> None:
        """
        The guard that is moved denies behind the rule, and not before it.
        """
        (shown,) = self.blocks("toml")
        rules = Decisions(configure(**tomllib.loads(shown), policy={"default": "allow"}))
        for user, address, rule in (
            ("ann", "10.60.0.5", "databases"),
            ("ann", "10.61.0.5", "nothing-else-inside"),
            ("ann", "10.70.0.5", "default"),
        ):
            answer = rules.ask("x.internal:443", user=user, groups=["dba"], addresses=[address])
            self.assertEqual(answer.rule, rule, address)

    def test_names(self) -> None:
        """
        Every spelling in the table is read, or refused, as it says.
        """
        text = self.page.read_text()
        rows = re.findall(r"^\| (.*) \| (.*) \|$", text[text.index("| written | is |") :], re.MULTILINE)[2:7]
        self.assertEqual(len(rows), 5)
        for written, outcome in [("`EXAMPLE.com.`", "`example.com`"), *rows]:
            for spelling in CODE.findall(written):
                if "in a rule" in written:
                    self.assertEqual(f"`{parsePattern(spelling)}`", outcome.partition(";")[0])
                    continue
                found = parseAuthority(f"{spelling}:443".encode())
                if outcome.startswith("refused, 400"):
                    assert isinstance(found, Refusal), spelling
                    self.assertEqual(found.row.status, 400)
                else:
                    assert isinstance(found, Destination), spelling
                    self.assertEqual(f"`{found.host}`", outcome)

    def test_pytest(self) -> None:
        """
        The test that is shown is one, and finds what is not as expected.
        """
        (shown,) = self.blocks("python")
        self.make(recipes("decisions.md")["Why?"])
        expected = 'dest = "pypi.org:443"\naddresses = ["151.101.0.223"]\nexpect = '
        Path("cases.toml").write_text(
            f'[[case]]\n{expected}"allow"\n[[case]]\n{expected}"deny"\n',
        )
        module: dict[str, Any] = {}
        exec(compile(shown, "decisions.md", "exec"), module)
        right, wrong = readCases("cases.toml")
        module["test_policy"](right)
        self.assertRaises(AssertionError, module["test_policy"], wrong)


class UsersPageTests(PageCase):
    """
    C{docs/users.md}.
    """

    page = DOCS / "users.md"

    def test_usable(self) -> None:
        """
        Each configuration can be used, by itself.
        """
        found = 0
        for recipe in recipes("users.md").values():
            for name, text in recipe.files.items():
                self.make(recipe)
                Path("plain.passwd").write_text("carl:secret\n")
                self.assertEqual(examine(partial(load, name)).errors, (), text)
                found += 1
        self.assertGreaterEqual(found, 6)

    def test_means(self) -> None:
        """
        The table has every way, as events name it.
        """
        named = re.findall(r"^\| .* \| `(\w+)` \| .* \| .* \|$", self.page.read_text(), re.MULTILINE)
        words = IProxyUser["means"].__doc__
        self.assertEqual(sorted(named[1:]), sorted(re.findall(r"C\{(\w+)\}", words)))

    def test_figures(self) -> None:
        """
        Numbers that stand in the prose are the code's.
        """
        text = " ".join(self.page.read_text().split())
        config = configure()
        for words in (
            f"believed for `auth.cache` seconds ({config['auth.cache']:g})",
            f"`auth.guesses` ({config['auth.guesses']}) wrong ones",
            f"`auth.guesses_period` ({config['auth.guesses_period']:g} seconds)",
            "five times as many for one user",
        ):
            self.assertIn(words, text)
        self.assertEqual(PER_USER, 5)
