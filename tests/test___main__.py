"""
Tests for L{connectproxy.__main__}.
"""

from __future__ import annotations

import io
import runpy
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from connectproxy import __main__ as module
from connectproxy.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[1]


class MainTests(SynchronousTestCase):
    """
    The command C{connectproxy}.
    """

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        """
        Run it.

        @return: its status, what it prints, and what it complains of.
        """
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        status = main(arguments)
        return status, out.getvalue(), err.getvalue()

    def test_help(self) -> None:
        """
        It names all commands, and where the proxy is.
        """
        for option in ("-h", "--help"):
            status, out, err = self.run_(option)
            self.assertEqual((status, err), (0, ""))
            for name, (_, words) in COMMANDS.items():
                self.assertIn(name, out)
                self.assertIn(words, out)
            self.assertIn("twistd connectproxy --help", out)

    def test_wrong(self) -> None:
        """
        No command, or one that there is not.
        """
        for arguments, expected in (((), "a command is missing"), (("cret\x1b",), "no command 'cret\\x1b'")):
            status, out, err = self.run_(*arguments)
            self.assertEqual((status, out), (2, ""))
            self.assertIn(expected, err)
            self.assertIn("usage:", err)

    def test_command(self) -> None:
        """
        A command gets the rest of the line, and its status is the process's.
        """
        directory = self.mktemp()
        self.assertEqual(self.run_("cert", directory, "a b")[0], 1)
        self.assertEqual(self.run_("cert", directory)[0], 0)
        self.assertTrue(Path(directory, "proxy.pem").exists())

    def test_process(self) -> None:
        """
        C{python -m connectproxy} is the same, and loads no command that is not asked for.
        """
        script = "import sys, connectproxy.__main__ as m; m.main(['--help']); print(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        )
        self.assertNotIn("connectproxy.commands.cert", done.stdout.split())
        self.assertNotIn("twisted", done.stdout.split())

    def test_asAProgram(self) -> None:
        """
        The status is the process's.
        """
        self.patch(sys, "argv", ["connectproxy", "--help"])
        self.patch(sys, "stdout", io.StringIO())
        with self.assertRaises(SystemExit) as ended:
            runpy.run_path(module.__file__, run_name="__main__")
        self.assertEqual(ended.exception.code, 0)
