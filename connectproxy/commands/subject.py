"""
Which configuration a command is about: a file, and the options of C{twistd connectproxy}
that would be given besides.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from connectproxy.config import SCHEMA, Config, load
from connectproxy.config.forms import Flag

__all__ = ["WRONG", "addSubject", "readSubject", "unreadable"]

WRONG = 2
"""The status to exit with where the command line is wrong, or what it names can't be used."""

EPILOG = (
    "Every option of twistd connectproxy that says what is configured can be given besides, such as --allow."
)
"""What the help says of the options that it does not list."""

_SHOWN = ("profile", "allow")


def addSubject(parser: argparse.ArgumentParser, *, optional: bool = True) -> None:
    """
    Have a command line say which configuration is meant.

    @param optional: there need be no file where there are options.
    """
    nargs: Any = "?" if optional else None
    parser.add_argument("file", metavar="FILE", nargs=nargs, help="the configuration, in TOML")
    for setting in SCHEMA:
        if not setting.option:
            continue
        shown = setting.help if setting.option in _SHOWN else argparse.SUPPRESS
        more: dict[str, Any] = {"metavar": setting.metavar}
        if isinstance(setting.form, Flag):
            more = {"action": "store_true"}
        elif setting.repeatable:
            more |= {"action": "append"}
        parser.add_argument(f"--{setting.option}", dest=_place(setting.option), help=shown, **more)


def _place(option: str) -> str:
    """
    Where the parser puts what an option says, out of the way of those of the command.
    """
    return f"set {option}"


def given(said: argparse.Namespace) -> dict[str, Any]:
    """
    The options of the configuration that have been given.
    """
    options = {setting.option: getattr(said, _place(setting.option)) for setting in SCHEMA if setting.option}
    return {name: value for name, value in options.items() if value}


def readSubject(said: argparse.Namespace) -> Config:
    """
    Read the configuration.  Blocks.

    @raise connectproxy.config.ConfigurationError: all that is wrong with it.
    """
    return load(said.file, given(said))


def unreadable(said: argparse.Namespace) -> str:
    """
    Why a command has nothing to be about: a sentence, empty if it has.
    """
    if said.file is None:
        return "" if given(said) else "say which configuration: FILE, or options such as --profile sandbox"
    return cannotRead(said.file)


def cannotRead(path: str) -> str:
    """
    Why a file can't be read; empty if it can.
    """
    try:
        with open(path, "rb") as file:
            os.fstat(file.fileno())
    except (OSError, ValueError) as error:  # ValueError: NUL in its name
        why = getattr(error, "strerror", None) or str(error)
        return f"cannot read {path}: {why}; name a file that can be read"
    return ""
