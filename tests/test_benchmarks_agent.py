"""
Tests for C{benchmarks.agent}: the command works, and says what it compares.

Integration: real processes and real sockets on loopback, for some seconds.  Nothing here
looks at how fast anything was.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest import TestCase

import pytest

from benchmarks.agent import WAYS

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 60.0


class CommandTests(TestCase):
    """The command, as a person runs it."""

    def run_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = [sys.executable, "-m", "benchmarks.agent", *arguments]
        return subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )

    def test_measures(self) -> None:
        """One short round gives a line for each way, and one for the exchange; no request fails."""
        done = self.run_("--rounds", "1", "--requests", "40")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        *ways, exchange = done.stdout.splitlines()
        self.assertEqual([line.partition(":")[0] for line in ways], list(WAYS))
        for line in ways:
            self.assertRegex(line, r"^[\w ]+: [\d.]+ us per request, [\d.]+ times \([\d.]+ to [\d.]+\)$")
            self.assertGreater(float(line.partition(": ")[2].split()[0]), 0, line)
        self.assertRegex(exchange, r"^exchange: -?[\d.]+ us; tunnel without it: [\d.]+ times$")

    def test_wrong(self) -> None:
        """Counts are 1 at least."""
        for words in (("--rounds", "0"), ("--requests", "0")):
            done = self.run_(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("rounds and requests are 1 at least", done.stderr)
