"""
What the tests of commands have in common that print.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

POLICY = """\
[auth]
basic = "ci:sesame"

[policy]
default = "deny"

[[group]]
name = "builders"
users = ["ci"]

[[rule]]
name = "mirror"
action = "allow"
groups = ["builders"]
destinations = ["mirror.example"]

[[rule]]
name = "database"
action = "allow"
users = ["ci"]
networks = ["8.8.8.0/24"]
"""


class CommandCase(SynchronousTestCase):
    """
    Runs a command on files of its own.

    @ivar policy: the file L{POLICY}.
    """

    def setUp(self) -> None:
        """
        Write a policy.
        """
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.policy = self.write("proxy.toml", POLICY)

    def write(self, name: str, text: str | bytes) -> str:
        """
        Make a file.
        """
        path = self.directory / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    def call(self, main: Callable[..., int], *arguments: str, **more: Any) -> tuple[int, str, str]:
        """
        Run a command.

        @return: its status, what it prints, and what it complains of.
        """
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main(arguments, **more)
            except SystemExit as ended:  # by argparse
                status = int(ended.code or 0)
        return status, out.getvalue(), err.getvalue()
