"""
Tests for C{benchmarks.shaping}: the command works, and says when something does not.

Integration: real processes and real sockets on loopback, for some seconds.  Nothing here
looks at how exact anything was.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest import TestCase

import pytest

from benchmarks.shaping import DEFAULT, RELAYS

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 60.0


class CommandTests(TestCase):
    """The command, as a person runs it."""

    def run_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = [sys.executable, "-m", "benchmarks.shaping", *arguments]
        return subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )

    def test_measuresEveryMode(self) -> None:
        """One short round of each mode gives figures without errors, with both relays."""
        done = self.run_("--rounds", "1", "--seconds", "0.3", "--modes", ",".join(DEFAULT))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), len(DEFAULT) * len(RELAYS))
        for line in lines:
            figures = dict(each.split() for each in line.partition(": ")[2].split(", "))
            self.assertGreater(float(figures["ratio"]), 0, line)
            self.assertGreater(float(figures["cpu_s_per_gib"]), 0, line)

    def test_unknownMode(self) -> None:
        """What is no mode is said."""
        for name in ("0-down", "x-down", "1-sideways"):
            done = self.run_("--rounds", "1", "--modes", name, "--relays", "splice")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"no mode {name!r}", done.stderr)
