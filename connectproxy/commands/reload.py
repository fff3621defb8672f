"""
The command C{connectproxy reload}: has a proxy that is up read its configuration anew.

Owns what is printed and the status to exit with; the proxy does the work, and its log has
the same words.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from connectproxy.commands.dialogue import UNREACHABLE, Unreachable, addPlace, ask

__all__ = ["main"]


def main(arguments: Sequence[str], program: str = "connectproxy reload") -> int:
    """
    Reload.

    @param arguments: the command line without the command.
    @return: the status to exit with: 0 if the new configuration is in force, 1 if the old
        one still is, 2 if no proxy answers.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description="Have a proxy that is up read its configuration, lists, users, keys and certificates anew. All"
        " of it comes into force, or nothing.",
        epilog="Exits with 0 if it is in force, 1 if the one from before still is, 2 if no proxy answers.",
    )
    addPlace(parser)
    said = parser.parse_args(arguments)
    try:
        done = ask(said, "reload")
    except Unreachable as error:
        sys.stderr.write(f"{program}: {error}\n")
        return UNREACHABLE
    for problem in done["problems"]:
        sys.stderr.write(f"{problem}\n")
    if done["problems"]:
        sys.stderr.write(f"{program}: the configuration {done['id']} from before stays in force\n")
        return 1
    for note in done["notes"]:
        sys.stdout.write(f"{note}\n")
    sys.stdout.write(f"the configuration {done['id']} is in force\n")
    return 0
