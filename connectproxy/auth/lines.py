"""
Files that have one thing a line.

Knows what a line has to say: nothing if it is blank, or if C{#} begins it.  Behind
something C{#} may be a part of it, as of a user's name; but not in lists, which have
comments there, too.  How files are read is L{connectproxy.config.listfile}'s.  What stands
in a line is not known here, and none of it is ever in a problem: it may be a password.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectproxy.config import Problem
from connectproxy.config.listfile import Unreadable, itemsOf, linesOf

__all__ = ["problemsOf", "readLines"]


def readLines(
    path: str, key: str, problems: list[Problem], *, isList: bool = False, where: str = ""
) -> Iterator[tuple[str, str]]:
    """
    Read a file.  Blocks.

    @param key: the setting that names the file.
    @param problems: where it is added that the file can't be read.
    @param isList: it is a list, as those that rules name.
    @param where: what a message calls the place that names it; empty for the setting.
    @return: the place of each line that says something, C{file:line}, and the line
        without its end.
    """
    try:
        lines = itemsOf(path) if isList else linesOf(path)
    except Unreadable as error:
        # In the same words as the policy has for a list that it reads as well.
        message = f"cannot read {'the list ' if isList else ''}{path}: {error.why}"
        problems.append(Problem(key, where or key, message, error.advice))
        return
    for number, text in lines:
        place = f"{path}:{number}"
        if text is None:
            problems.append(Problem(key, place, "is not UTF-8", "save the file as UTF-8"))
        elif text.strip() and not text.startswith("#"):
            yield place, text


def problemsOf(key: str, place: str, error: ValueError) -> Problem:
    """
    What is wrong with a line, of an error whose arguments are that and what would be right.
    """
    message, advice = error.args
    return Problem(key, place, message, advice)
