"""
C{docs/testing.md}, executed: its files are written as they stand, and its commands run.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import MISSING
from pathlib import Path
from typing import get_args

from connectproxy.commands import check, explain, policy
from connectproxy.config import configure
from connectproxy.proposal import SUBDOMAINS
from connectproxy.questions import KEYS
from connectproxy.rehearsal import Answer
from connectproxy.testing import Decisions, faults
from connectproxy.testing.faults import Step
from connectproxy.traffic import MOST
from tests.pagecase import CODE, DOCS, FENCE, NAMED, PageCase
from tests.test_traffic import event

PAGE = DOCS / "testing.md"

MAINS = {"check": check.main, "explain": explain.main, "policy": policy.main}
"""The commands that it shows."""


class TestingPageTests(PageCase):
    """
    The page.
    """

    def setUp(self) -> None:
        """
        Write its files, and go there.
        """
        self.text = PAGE.read_text()
        self.blocks = FENCE.findall(self.text)
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(directory)
        for _, block in self.blocks:
            match = NAMED.match(block)
            if match is not None:
                Path(match[1]).write_text(block)
        events = [event("pypi.org:443"), event("db.corp.example:5432", address="10.60.0.5:5432")]
        Path("audit.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in events))

    def run_(self, line: str) -> tuple[int, str]:
        """
        Run a command line of the page.
        """
        words, _, target = line.removeprefix("$ connectproxy ").partition(" > ")
        name = next(name for name in MAINS if words.startswith(f"{name} "))
        arguments = words.removeprefix(f"{name} ").split()
        status, out = self.ran(lambda said: MAINS[name](said, f"connectproxy {name}"), *arguments)
        if target:
            Path(target).write_text(out)
        return status, out

    def test_commands(self) -> None:
        """
        Every command that is shown succeeds, and prints what is shown below it.
        """
        found = 0
        for language, block in self.blocks:
            if language != "console":
                continue
            for part in re.split(r"^(?=\$ )", block, flags=re.MULTILINE)[1:]:
                line, _, shown = part.partition("\n")
                status, out = self.run_(line)
                self.assertEqual(status, 0, out)
                if shown:
                    self.assertEqual(out, shown)
                found += 1
        self.assertEqual(found, 5)
        self.assertEqual(
            set(re.findall(r"10\.60\.0\.5\S*", Path("learned.toml").read_text())), {'10.60.0.5/32",'}
        )

    def test_pytest(self) -> None:
        """
        The tests for pytest pass, and fail when the policy is another.
        """
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            ".",
            "test_policy.py",
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertIn("7 passed", run.stdout)
        path = Path("proxy.toml")
        path.write_text(path.read_text().replace('"pypi.org"', '"other.example"'))
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertIn("1 failed, 6 passed", run.stdout)

    def test_programs(self) -> None:
        """
        The tests of programs pass, with pytest and with trial, without a warning.
        """
        python = [sys.executable, "-W", "error", "-m"]
        for command, passed in (
            (["pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_client.py"], "2 passed"),
            (["pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_memory.py"], "2 passed"),
            (["pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_reactor.py"], "1 passed"),
            (["twisted.trial", "test_reactor"], "PASSED (successes=1)"),
        ):
            run = subprocess.run([*python, *command], capture_output=True, text=True, check=False)
            self.assertIn(passed, run.stdout, run.stdout + run.stderr)

    def test_scripts(self) -> None:
        """
        Every script that is shown is one, of steps that are shown, with their defaults.
        """
        section = self.text[self.text.index("## 9.") : self.text.index("## 10.")]
        shown = re.findall(r"^\| `(\w+)\((.*?)\)` \|", section, re.MULTILINE)
        self.assertEqual({name for name, _ in shown}, {step.__name__ for step in get_args(Step)})
        for name, arguments in shown:
            fields = [
                field.name
                if field.default is MISSING
                else f"{field.name}={field.default:g}"
                if isinstance(field.default, float)
                else f"{field.name}={field.default}"
                for field in dataclasses.fields(getattr(faults, name))
            ]
            self.assertEqual(arguments, ", ".join(fields))
        scripts = re.findall(r"\| `(\[.*?\])` \|$", section, re.MULTILINE)
        self.assertEqual(len(scripts), 7)
        for script in scripts:
            for step in eval(script, vars(faults)):
                self.assertIsInstance(step, get_args(Step))

    def test_report(self) -> None:
        """
        The rule that only reports denies nothing, and says so.
        """
        (shown,) = [block for _, block in self.blocks if "report = true" in block]
        answer = Decisions(configure(allow={"ports": "any"}, **tomllib.loads(shown))).ask("a.example:22")
        self.assertEqual(answer.decision, "allow")
        self.assertIn("no-ssh: ", answer.reports[0])

    def test_shadow(self) -> None:
        """
        The second policy would deny what the first allows, in the words of the page.
        """
        path = Path("proxy.toml")
        path.write_text(path.read_text().replace("[policy]\n", '[policy]\nshadow = "stricter.toml"\n'))
        decisions = Decisions.load("proxy.toml")
        answer = decisions.ask("files.pythonhosted.org:443", user="ci")
        self.assertEqual(answer.decision, "allow")
        self.assertIn(f"`{answer.shadow}`", self.text)
        self.assertEqual(decisions.ask("pypi.org:443", user="ci").shadow, "")

    def test_words(self) -> None:
        """
        Keys and figures in the prose are the code's.
        """
        prose = " ".join(FENCE.sub("", self.text).split())
        named = CODE.findall(prose[prose.index("The keys of a question are") : prose.index("`expect` is")])
        self.assertEqual(set(named) - {"connectproxy explain"}, set(KEYS))
        self.assertIn(f"more than {MOST:,} different", prose)
        self.assertEqual(SUBDOMAINS, 5)
        self.assertIn("five different ones", prose)
        self.assertIn("docstring names", prose)
        for field in Answer._fields:
            self.assertIn(f"@ivar {field}:", Answer.__doc__ or "")
