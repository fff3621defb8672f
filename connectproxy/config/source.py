"""
Where a configuration is written: a file, or a program.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from connectproxy.config.forms import shown
from connectproxy.config.problem import Problem

if TYPE_CHECKING:
    from connectproxy.config.places import Path

__all__ = ["Source", "bare", "read"]

_AT = r"\(at line ([0-9]+), column [0-9]+\)"
"""Where L{tomllib} says that something is wrong; not at the end of a document."""

_BARE = r"[A-Za-z0-9_-]+"
"""A key that needs no quotes."""


class Source(NamedTuple):
    """
    What is written, and where.

    @ivar tables: the tables as the parser gives them.
    @ivar place: what a message calls a place in them.
    @ivar directory: what relative names of files are relative to; empty for the directory
        that the process is in when it opens one.
    @ivar origin: the complete name of the file; empty if there is none.
    """

    tables: Mapping[str, Any]
    place: Callable[[Path], str]
    directory: str = ""
    origin: str = ""


def bare(path: Path) -> str:
    """
    What a message calls a place in no file: in arrays of tables with the table's number,
    counted from 1.
    """
    return " ".join(
        [_header(path), *(str(part + 1) if isinstance(part, int) else _key(part) for part in path[1:])]
    )


def _numbered(path: Path) -> str:
    """
    The same where a line tells which table of an array it is.
    """
    return " ".join([_header(path), *(_key(part) for part in path[1:] if isinstance(part, str))])


def _header(path: Path) -> str:
    """
    How a file begins a table; for the table alone its name.
    """
    name = _key(path[0])
    if len(path) == 1:
        return name
    return f"[[{name}]]" if isinstance(path[1], int) else f"[{name}]"


def _key(name: object) -> str:
    """
    A key as a file writes it: in quotes, unless it is made of letters and their like.
    """
    text = str(name)
    return text if re.fullmatch(_BARE, text) else shown(text)


def read(path: str, directory: str, problems: list[Problem], named: str = "--config") -> Source:
    """
    Parse a file.  Blocks.

    @param path: its name, as messages repeat it.
    @param directory: what the name is relative to; empty for the directory that the
        process is in.
    @param problems: gets what is wrong with it.
    @param named: what messages call the place that its name stands in.
    @return: what stands there; no tables if it could not be parsed.
    """
    # Half of the starts have no file, and start-up is to be quick.
    import tomllib  # noqa: PLC0415

    from connectproxy.config.places import Places  # noqa: PLC0415

    nothing = Source({}, bare)
    try:
        origin = os.path.abspath(os.path.join(directory, path))
        with open(origin, "rb") as file:
            octets = file.read()
    except (OSError, ValueError) as error:  # ValueError: NUL in its name
        why = getattr(error, "strerror", None) or str(error)
        problems.append(Problem("", named, f"cannot read {path}: {why}", "name a file that can be read"))
        return nothing
    try:
        text = octets.decode()
        tables = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = 1 + octets.count(b"\n", 0, error.start)
        problems.append(Problem("", f"{path}:{line}", "is not UTF-8", "save the file as UTF-8"))
    except ValueError as error:  # tomllib.TOMLDecodeError, and int() of too many digits
        message = str(error)
        match = re.search(_AT, message)
        place = f"{path}:{match[1]}" if match else path
        problems.append(Problem("", place, f"is not TOML: {message}", "see tap-config.example"))
    except RecursionError:
        problems.append(Problem("", path, "is nested too deeply", "see tap-config.example"))
    else:
        places = Places(text)
        return Source(
            tables,
            lambda where: f"{path}:{places.line(where)} {_numbered(where)}",
            os.path.dirname(origin),
            origin,
        )
    return nothing
