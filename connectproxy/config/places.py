"""
Finds the lines of a TOML file that its keys stand in.

The parser of the standard library (L{tomllib}) keeps no positions, and a message
without a line makes its reader search.  This reads the text once more, after the
parser has found it well-formed, and so needs to tell apart only what can hold a key:
headers, the left sides of equations, and everything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["Path", "Places"]

Path = tuple[str | int, ...]
"""The way to a value: names of tables and keys, and the positions of C{[[tables]]}."""

_TOKEN = re.compile(
    r'''
      """ (?: \\ [\s\S] | [^\\] )*? """ "{0,2}   # a string of several lines; two quotes may stand before its end
    | \'\'\' [\s\S]*? \'\'\' '{0,2}
    | " (?: \\ . | [^"\\\n] )* "
    | ' [^'\n]* '
    | \# [^\n]*
    | [^\s"'\#\[\]{}=,]+                         # bare keys with their dots, numbers, dates
    | [\n"'\[\]{}=,]
    ''',
    re.VERBOSE,
)


class Places:
    """
    The lines of a file by the ways to its values.
    """

    def __init__(self, text: str) -> None:
        """
        @param text: a well-formed TOML document.  For another one lines may be wrong.
        """
        self._lines: dict[Path, int] = {}
        table: Path = ()
        for line, tokens in _statements(text):
            if tokens[0] == "[":
                table = self._header(tokens)
                if table and isinstance(table[-1], int):
                    self._lines.setdefault(table[:-1], line)  # the array begins where its first table does
                self._lines.setdefault(table, line)
            elif "=" in tokens:
                self._lines[table + _key(tokens[: tokens.index("=")])] = line

    def _header(self, tokens: list[str]) -> Path:
        """
        The way to the table that a header opens.
        """
        key = _key(tokens)
        path: Path = ()
        for depth, name in enumerate(key):
            path += (name,)
            count = sum(1 for known in self._lines if known[:-1] == path and isinstance(known[-1], int))
            if depth == len(key) - 1 and tokens[1] == "[":
                path += (count,)
            elif count:
                path += (count - 1,)
        return path

    def line(self, path: Path) -> int:
        """
        The line of a value, counted from 1; where that is not known, as within an
        array, the line of what it is in.
        """
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """
    The tokens of each header and equation, with the line that it begins in.
    """
    line = begun = 1
    depth = 0
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "\n":
            line += 1
            if depth <= 0:
                if tokens:
                    yield begun, tokens
                tokens, depth = [], 0
            continue
        if not tokens:
            begun = line
        line += token.count("\n")
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token, 0)
        if not token.startswith("#"):
            tokens.append(token)
    if tokens:
        yield begun, tokens


def _key(tokens: list[str]) -> Path:
    """
    The parts of a dotted key.  Escapes in a quoted one stay as they are: none of ours
    needs any.
    """
    path: Path = ()
    for token in tokens:
        if token[0] in "\"'":
            path += (token[1:-1],)
        elif token not in "[]":
            path += tuple(part for part in token.split(".") if part)
    return path
