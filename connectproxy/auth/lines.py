"""
Files that have one thing a line.

Knows how they are read: UTF-8, C{#} begins a comment, blank lines say nothing.  What
stands in a line is not known here, and none of it is ever in a problem: it may be a
password.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectproxy.config import Problem

__all__ = ["problemsOf", "readLines"]


def readLines(path: str, key: str, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """
    Read a file.  Blocks.

    @param key: the setting that names the file.
    @param problems: where it is added that the file can't be read.
    @return: the place of each line that says something, C{file:line}, and the line
        without its end.
    """
    try:
        with open(path, "rb") as file:
            octets = file.read()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "there can be no such file"
        problems.append(Problem(key, key, f"cannot read {path}: {why}", "name a file that can be read"))
        return
    for number, line in enumerate(octets.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        place = f"{path}:{number}"
        try:
            text = line.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError:
            problems.append(Problem(key, place, "is not UTF-8", "save the file as UTF-8"))
            continue
        if text.strip() and not text.startswith("#"):
            yield place, text


def problemsOf(key: str, place: str, error: ValueError) -> Problem:
    """
    What is wrong with a line, of an error whose arguments are that and what would be right.
    """
    message, advice = error.args
    return Problem(key, place, message, advice)
