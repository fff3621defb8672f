"""
Tests for L{connectproxy.commands.subject}.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.commands.subject import addSubject, cannotRead, given, readSubject, unreadable
from connectproxy.config import SCHEMA
from connectproxy.config.forms import Flag


class SubjectTests(SynchronousTestCase):
    """
    Which configuration is meant.
    """

    def parse(self, *arguments: str, optional: bool = True) -> argparse.Namespace:
        """
        Read a command line.
        """
        parser = argparse.ArgumentParser(allow_abbrev=False)
        addSubject(parser, optional=optional)
        return parser.parse_args(arguments)

    def test_options(self) -> None:
        """
        Every option of the proxy can be given, as often as it can be given there.
        """
        for setting in SCHEMA:
            if setting.option:
                flag = isinstance(setting.form, Flag)
                words = [f"--{setting.option}"] if flag else [f"--{setting.option}", "x"]
                value = True if flag else ["x", "x"] if setting.repeatable else "x"
                self.assertEqual(given(self.parse(*words, *words)), {setting.option: value})
        self.assertEqual(given(self.parse("file")), {})

    def test_read(self) -> None:
        """
        Options go before the file.
        """
        path = Path(self.mktemp())
        path.write_text("[timeouts]\nidle = 5\nconnect = 6\n")
        config = readSubject(self.parse(str(path), "--idle-timeout", "7", "--profile", "sandbox"))
        self.assertEqual((config["timeouts.idle"], config["timeouts.connect"]), (7.0, 6.0))
        self.assertEqual(config["policy.default"], "deny")

    def test_unreadable(self) -> None:
        """
        A file that can't be read is told of; without one there have to be options.
        """
        self.assertEqual(unreadable(self.parse(__file__)), "")
        self.assertEqual(unreadable(self.parse("--open")), "")
        self.assertIn("say which configuration", unreadable(self.parse()))
        self.assertEqual(
            unreadable(self.parse("/nowhere")),
            "cannot read /nowhere: No such file or directory; name a file that can be read",
        )
        self.assertIn("null byte", cannotRead("a\0b"))

    def test_needed(self) -> None:
        """
        Where the file is needed, options do not stand in for it.
        """
        with contextlib.redirect_stderr(io.StringIO()) as err:
            self.assertRaises(SystemExit, self.parse, "--open", optional=False)
        self.assertIn("FILE", err.getvalue())
