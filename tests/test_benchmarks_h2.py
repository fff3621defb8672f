"""
Tests for C{benchmarks.h2}: the command works, and says when something does not.

Integration: real processes and real sockets on loopback, for some seconds.  Nothing here
looks at how fast anything was.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest import TestCase

import pytest

from benchmarks.h2 import DEFAULT, PEERS

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 60.0


class CommandTests(TestCase):
    """The command, as a person runs it."""

    def run_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = [sys.executable, "-m", "benchmarks.h2", *arguments]
        return subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )

    def test_measuresEveryMode(self) -> None:
        """One short round of each mode gives figures without errors, and CONNECT within TLS beside them."""
        modes = [name.replace("100", "2").replace("16", "2") for name in DEFAULT]
        chosen = ["--peers", "connectproxy", "--rounds", "1", "--seconds", "0.2", "--modes", ",".join(modes)]
        done = self.run_(*chosen)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 2 * len(modes))
        for line in lines:
            name, _, figures = line.partition(": ")
            costs = [float(each.split()[1]) for each in figures.split(", ") if each.startswith("cpu")]
            self.assertTrue(costs and all(cost > 0 for cost in costs), (name, figures))

    def test_peers(self) -> None:
        """Each peer says what would install it."""
        self.assertTrue(all(peer.remedy for peer in PEERS.values()))
