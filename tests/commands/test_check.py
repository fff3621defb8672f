"""
Tests for L{connectproxy.commands.check}.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from connectproxy.commands.check import main
from tests.commands.case import POLICY, CommandCase


class CheckTests(CommandCase):
    """
    C{connectproxy check}.
    """

    def test_fine(self) -> None:
        """
        One that is fine: what there is in it.
        """
        self.assertEqual(
            self.call(main, self.policy, "--strict"),
            (
                0,
                f"{self.policy} can be used: 1 listener, 2 rules, no limits, default deny; no errors, no warnings\n",
                "",
            ),
        )

    def test_errors(self) -> None:
        """
        All errors, with line, key and advice, and no secret.
        """
        path = self.write(
            "bad.toml", POLICY.replace("allow", "alow").replace('"ci"]\nnet', '"@/nowhere"]\nnet')
        )
        status, out, err = self.call(main, path)
        self.assertEqual((status, err), (1, ""))
        lines = out.splitlines()
        self.assertEqual(
            lines[0],
            f'error: {path}:13 [[rule]] action: "alow" is none of the words that can stand here; do you mean allow?',
        )
        self.assertEqual(lines[-1], f"{path} can't be used: 2 errors, no warnings")
        self.assertNotIn("sesame", out)

    def test_warnings(self) -> None:
        """
        Warnings are errors only where that is wanted.
        """
        path = self.write("open.toml", '[proxy]\nopen = true\n[[listen]]\nendpoint = "0.0.0.0:1"\n')
        for arguments, expected in ((), 0), (("--strict",), 1):
            status, out, _ = self.call(main, path, *arguments)
            self.assertEqual(status, expected)
            self.assertEqual(
                [line.partition(":")[0] for line in out.splitlines()[:-1]], ["warning", "warning"]
            )
            self.assertIn(f"warning: {path}:3 [[listen]]: tcp:1:interface=0.0.0.0:backlog=1024 is open", out)
            self.assertTrue(out.endswith("no rules, no limits, default allow; no errors, 2 warnings\n"))

    def test_json(self) -> None:
        """
        The same for programs, with file and line apart.
        """
        path = self.write("bad.toml", "[policy]\ndefalt = 'deny'\n")
        status, out, _ = self.call(main, path, "--allow-ports", "x", "--json")
        self.assertEqual(status, 1)
        found = json.loads(out)
        self.assertEqual((found["usable"], found["warnings"]), (False, []))
        first, second = found["errors"]
        self.assertEqual(
            first,
            {
                "key": "policy.defalt",
                "place": f"{path}:2 [policy] defalt",
                "file": path,
                "line": 2,
                "message": 'there is no key "defalt" here',
                "advice": "do you mean default?",
            },
        )
        self.assertEqual((second["place"], second["file"], second["line"]), ("--allow-ports", None, None))
        status, out, _ = self.call(main, self.policy, "--json")
        self.assertEqual((status, json.loads(out)), (0, {"usable": True, "errors": [], "warnings": []}))

    def test_options(self) -> None:
        """
        A proxy that is configured by options alone is checked as well.
        """
        path = self.write("list.txt", "\x1bexample.com\n")
        status, out, _ = self.call(main, "--profile", "sandbox", "--allow", path)
        self.assertEqual(status, 1)
        self.assertIn(f"error: {path}:1: ", out)
        self.assertIn("the configuration can't be used", out)
        self.assertNotIn("\x1b", out)

    def test_usage(self) -> None:
        """
        Nothing to check, or nothing that can be read, is another status.
        """
        self.assertEqual(self.call(main)[0], 2)
        status, out, err = self.call(main, "/nowhere")
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(
            err,
            "connectproxy check: cannot read /nowhere: No such file or directory; name a file that can be read\n",
        )
        self.assertEqual(self.call(main, "--nonsense")[0], 2)


@pytest.mark.integration
class ProcessTests(CommandCase):
    """
    The command as a process of its own.
    """

    def test_process(self) -> None:
        """
        Status and output are what they are within a program, and there is no more output.
        """
        for arguments, expected in (
            (["check", self.policy], 0),
            (["explain", self.policy, "--dest", "mirror.example:443", "--user", "ci"], 0),
            (["explain", self.policy, "--dest", "mirror.example:443", "--user", "bob"], 1),
            (["policy", "test", self.policy, "/nowhere"], 2),
            (["policy", "learn", "/dev/null"], 1),
        ):
            run = subprocess.run(
                [sys.executable, "-m", "connectproxy", *arguments],
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(run.returncode, expected, run.stderr)
            self.assertTrue(run.stdout or run.stderr)
            self.assertNotIn("Traceback", run.stderr)
