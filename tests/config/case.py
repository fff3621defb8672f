"""
What tests of whole configurations share.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.config import ConfigurationError, configure, load

__all__ = ["LOCAL", "LoadCase"]

LOCAL = "tcp:8080:interface=127.0.0.1:backlog=1024"


class LoadCase(SynchronousTestCase):
    """
    Writes configurations, and reads what is wrong with them.
    """

    def write(self, text: str | bytes) -> str:
        """
        Make a configuration file.
        """
        self.file = self.mktemp()
        octets = text if isinstance(text, bytes) else dedent(text).encode()
        Path(self.file).write_bytes(octets)
        return self.file

    def problems(self, text: str | bytes | None = None, options: Mapping[str, Any] = {}) -> list[str]:
        """
        What is wrong with a configuration, line by line, the file called F.
        """
        path = None if text is None else self.write(text)
        error = self.assertRaises(ConfigurationError, load, path, options)
        lines = str(error).splitlines()
        self.assertEqual(len(lines), len(error.problems))
        return [line.replace(path or "\0", "F") for line in lines]

    def faults(self, **tables: Any) -> list[tuple[str, str]]:
        """
        What is wrong with a configuration of a program: keys and messages.
        """
        error = self.assertRaises(ConfigurationError, configure, **tables)
        for problem in error.problems:
            self.assertTrue(problem.place, problem)
        return [(problem.key, problem.message) for problem in error.problems]
