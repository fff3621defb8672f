"""
Tests for L{connectproxy.testing}: what users rely on in their own tests.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from connectproxy import testing
from connectproxy.testing import Answer, Case, Decisions
from tests.testing.test_decisions import CASES, POLICY


class PublicTests(SynchronousTestCase):
    """
    The public names.  Whoever changes these tests changes what users rely on.
    """

    def test_names(self) -> None:
        """
        Of L{Decisions}, these and no others; those of the package are in C{test_exports.py}.
        """
        public = {name for name in vars(Decisions) if not name.startswith("_")}
        self.assertEqual(public, {"ask", "explain", "load", "verify"})

    def test_signatures(self) -> None:
        """
        What can be said, and what comes back.
        """
        self.assertEqual(
            list(inspect.signature(Decisions.ask).parameters),
            [
                "self", "dest", "user", "groups", "client", "listener", "protocol", "method", "scheme",
                "addresses", "server_name", "at",
            ],
        )  # fmt: skip
        self.assertEqual(list(inspect.signature(Decisions.load).parameters), ["path", "options"])
        self.assertEqual(
            Answer._fields,
            (
                "decision", "rule", "reason", "message", "status", "kind", "upstream", "address", "connectTimeout",
                "idleTimeout", "lifetime", "limits", "reports", "shadow", "notes",
            ),
        )  # fmt: skip
        self.assertEqual(Case._fields, ("question", "expect", "rule", "upstream", "message", "name", "where"))


class ExampleTests(SynchronousTestCase):
    """
    The example in the module's docstring.
    """

    def test_runs(self) -> None:
        """
        It is executed: with pytest, cases have readable names, and what fails shows the way.
        """
        text = (inspect.getdoc(testing) or "").partition("::\n")[2]
        shown = [line for line in text.splitlines() if line.startswith("    ") or not line]
        code = dedent("\n".join(shown))
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "proxy.toml").write_text(POLICY)
        (directory / "cases.toml").write_text(CASES)
        (directory / "test_policy.py").write_text(code)
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-v",
                "-p",
                "no:cacheprovider",
                "--rootdir",
                ".",
                "test_policy.py",
            ],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertIn("test_policy[allow ci mirror.example:443] PASSED", run.stdout)
        self.assertIn("test_policy[elsewhere] FAILED", run.stdout)
        self.assertIn("expected allow, and it is denied by rule default", run.stdout)
        self.assertIn("1 failed, 2 passed", run.stdout)
        self.assertNotIn("rehearsal/words", run.stdout)
