"""
What is wrong with a configuration, for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["ConfigurationError", "Problem"]


class Problem(NamedTuple):
    """
    One thing that is wrong with a configuration.

    @ivar key: the setting's key, or as much of it as is known.
    @ivar place: where it was said: C{--option}, or file, line, table and key.
    @ivar message: what is wrong.
    @ivar advice: what would be right; may be empty.
    """

    key: str
    place: str
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f"; {self.advice}" if self.advice else "")


class ConfigurationError(Exception):
    """
    A configuration cannot be used.  As a string, one line for each problem.

    @ivar problems: everything that is wrong with it, at least one.
    @ivar rest: what is left without what is wrong, which must not be used, but may have files
        that are worth a look: a L{connectproxy.config.Config}, or L{None}.
    """

    def __init__(self, problems: Sequence[Problem], rest: Any = None) -> None:
        Exception.__init__(self, *problems)
        self.problems = tuple(problems)
        self.rest = rest

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))
