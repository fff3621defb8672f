"""
Tests for C{docs/limits.md}: what it shows can be used.
"""

from __future__ import annotations

import re
import sqlite3
import tomllib
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import configure
from connectproxy.limits import buildLimits
from connectproxy.limits.quotas import AGAIN, ANSWER
from connectproxy.limits.share import MOST
from connectproxy.limits.sqlitestore import SQLiteStore
from connectproxy.limits.store import Batch, Entry
from connectproxy.limits.tally import FRESH

TEXT = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()


class ExampleTests(SynchronousTestCase):
    """
    The page about limits.
    """

    def test_configuration(self) -> None:
        """
        The configuration is one, and means what its comments say.
        """
        (block,) = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
        config: Any = configure(**tomllib.loads(block))
        fair, ci, guests, branches = buildLimits(config.rows["limit"])
        self.assertEqual((fair.tunnels, fair.users), (50, None))
        self.assertEqual((ci.groups, ci.rate, ci.quota, ci.period), ({"ci"}, 10 << 20, 20 << 30, "day"))
        self.assertEqual((guests.users, guests.per, guests.pace, guests.burst), ({"-"}, "network", 2, 10))
        self.assertEqual((branches.per, branches.rate), ("all", 100 << 20))

    def test_commands(self) -> None:
        """
        What is said to SQLite does what it says.
        """
        path = self.mktemp()
        store = SQLiteStore(path)
        self.addCleanup(store.close)
        bob, eve = (Entry(f"cp:quota:ci:user:{name}:2026-11-23", 4_000_000_000) for name in ("bob", "eve"))
        store.add(Batch("x", 1, {bob: 5, eve: 6}))
        shown, reset = re.findall(r'^sqlite3 quotas.sqlite3 "(.*)"$', TEXT, re.M)
        other = sqlite3.connect(path)
        self.addCleanup(other.close)
        self.assertIn((bob.name, 5), other.execute(shown).fetchall())
        with other:
            other.execute(reset)
        self.assertEqual(store.get((bob, eve)), {bob: 0, eve: 6})

    def test_figures(self) -> None:
        """
        The figures are those of the code.
        """
        words = " ".join(TEXT.split())
        self.assertIn(f"tells {MOST} users or addresses of each limit apart", words)
        self.assertEqual((AGAIN, ANSWER, FRESH), ((1, 30), 3, 10))
        for figure in ("up to 30 seconds", "three seconds at most", "within ten seconds"):
            self.assertIn(figure, words)
