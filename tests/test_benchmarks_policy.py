"""
Tests for C{benchmarks.policy}: the command works, and asks what it says that it asks.

Nothing here looks at how fast anything was.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import TestCase

import pytest

from benchmarks.policy import makeConfig, questions
from connectproxy.own import OwnPorts
from connectproxy.policy import buildPolicy

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).resolve().parent.parent


class CommandTests(TestCase):
    """The command, as a person runs it."""

    def test_measures(self) -> None:
        """Each size is a line with all figures."""
        command = [
            sys.executable,
            "-m",
            "benchmarks.policy",
            "--rules",
            "20",
            "--names",
            "50,100",
            "--rounds",
            "1",
        ]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(
            [line.partition(": ")[0] for line in lines], ["20 rules, 50 names", "20 rules, 100 names"]
        )
        for line in lines:
            figures = line.partition(": ")[2].split(", ")
            names = [each.rsplit(" ", 2)[0] for each in figures]
            expected = [
                "early",
                "listed",
                "look and see",
                "undecided",
                "address",
                "build",
                "longest stall",
                "letting go",
            ]
            self.assertEqual(names, expected)
            self.assertTrue(all(float(each.split()[-2]) >= 0 for each in figures), line)


class QuestionTests(TestCase):
    """What is asked."""

    def test_answers(self) -> None:
        """Each question is decided where its name says."""
        with tempfile.TemporaryDirectory() as folder:
            policy = buildPolicy(makeConfig(60, 100, Path(folder)), OwnPorts())
        found = {name: ask() for name, ask in questions(policy, 100).items()}
        self.assertIsNone(found.pop("address"))
        rules = {name: verdict.rule for name, verdict in found.items()}
        self.assertTrue(found["look and see"].provisional)
        expected = {"early": "rule-0", "listed": "listed", "look and see": "rule-9", "undecided": "default"}
        self.assertEqual(rules, expected)
