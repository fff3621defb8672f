"""
Tests for C{benchmarks.setup}: the command works, and what it compares is what it says.

Integration: real processes and real sockets on loopback, for some seconds.  Nothing here
looks at how fast anything was.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from ipaddress import ip_address
from pathlib import Path
from unittest import TestCase

import pytest
from twisted.internet.address import IPv4Address

from benchmarks.setup import SORTS, makeConfig
from connectproxy.address import parseAuthority
from connectproxy.config import configure
from connectproxy.interfaces import Action, ProxyUser, TunnelRequest
from connectproxy.own import OwnPorts
from connectproxy.policy import buildPolicy

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 60.0


class CommandTests(TestCase):
    """The command, as a person runs it."""

    def run_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        command = [sys.executable, "-m", "benchmarks.setup", *arguments]
        return subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )

    def test_measures(self) -> None:
        """One short round gives a line for each, and no tunnel is refused."""
        done = self.run_("--rounds", "1", "--seconds", "0.3", "--rules", "12")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual([line.partition(":")[0] for line in lines], list(SORTS))
        for line in lines:
            self.assertGreater(float(line.split()[1]), 0, line)
            self.assertRegex(line, r"^\w+: [\d.]+ us per tunnel, [+-][\d.]+ us \([+-][\d.]+ to [+-][\d.]+\)$")

    def test_unknown(self) -> None:
        """What there is not to measure is said."""
        for words in (("--sorts", "plain,other"), ("--sorts", "both"), ("--rules", "0"), ("--rounds", "0")):
            done = self.run_(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("--sorts takes some of plain,identity,rules,both", done.stderr)


class ConfigTests(TestCase):
    """What is compared."""

    def test_rules(self) -> None:
        """There are as many rules as were asked for, and it is the last one that lets the load through."""
        with tempfile.TemporaryDirectory() as folder:
            for sort in ("rules", "both"):
                tables = tomllib.loads(makeConfig(sort, 100, 8080, Path(folder)))
                self.assertEqual(len(tables["rule"]), 100)
                self.assertEqual("auth" in tables, sort == "both")
                tables.pop("auth", None)
                policy = buildPolicy(configure(**tables), OwnPorts())
                target, client = parseAuthority(b"127.0.1.1:2005"), IPv4Address("TCP", "127.0.2.1", 40000)
                user = ProxyUser("bench", frozenset({"load"}), (), "basic")
                request = TunnelRequest(target, client, "tcp:8080", "http/1.1", identity=user)
                verdict = policy.judge(request, ip_address("127.0.1.1"))
                self.assertEqual((verdict.action, verdict.rule), (Action.ALLOW, "load"))

    def test_plain(self) -> None:
        """The first one has neither."""
        tables = tomllib.loads(makeConfig("plain", 100, 8080, Path("/nowhere")))
        self.assertFalse(tables.keys() & {"auth", "rule", "policy"})
