"""
The command C{connectproxy policy learn}: proposes a policy from recorded events.

Owns the files that are read and what is printed: on standard output the policy and nothing
else.  L{connectproxy.traffic} counts, and L{connectproxy.proposal} proposes.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from connectproxy.commands.subject import WRONG
from connectproxy.proposal import SUBDOMAINS, propose
from connectproxy.rehearsal.words import printable
from connectproxy.traffic import Traffic, canBeNamed, lines

__all__ = ["main"]


def main(arguments: Sequence[str], program: str = "connectproxy policy learn") -> int:
    """
    Propose a policy.

    @param arguments: the command line without the command.
    @return: the status to exit with: 0 if there is one, 1 if there is nothing to learn
        from, 2 if a file can't be read.
    """
    said = _parser(program).parse_args(arguments)
    traffic = Traffic(said.user, denied=said.denied)
    for name in said.events:
        try:
            _read(traffic, name)
        except (OSError, EOFError, ValueError) as error:  # ValueError: NUL in its name
            why = getattr(error, "strerror", None) or str(error)
            sys.stderr.write(f"{program}: cannot read {printable(name)}: {why}; name files of events\n")
            return WRONG
    for complaint in traffic.complaints:
        sys.stderr.write(f"{printable(complaint)}\n")
    if traffic.bad:
        sys.stderr.write(f"{program}: lines that are no events and were left out: {traffic.bad:,}\n")
    if traffic.dropped:
        sys.stderr.write(
            f"{program}: requests that were left out, since there are too many different destinations:"
            f" {traffic.dropped:,}; learn from fewer users at a time, --user NAME\n"
        )
    users = {flow.who.user for flow in traffic.flows if flow.who.user is not None}
    for user in sorted(user for user in users if not canBeNamed(user)):
        sys.stderr.write(f"{program}: left out user {user!a}: no rule can name one who is called that\n")
        traffic.forget(user)
    proposal = propose(
        traffic, by=said.by, least=said.min_count, subdomains=said.subdomains, default=said.default
    )
    if not proposal.rules:
        sys.stderr.write(f"{program}: nothing to learn from: {_why(traffic, said)}\n")
        return 1
    sys.stdout.write(proposal.text)
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    """
    What can be said.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        allow_abbrev=False,
        description="Propose a policy that allows what was allowed while events were recorded, sorted by use, as"
        " a file to review.",
        epilog="Try it before it is used: connectproxy check, and as policy.shadow beside the one in force. Exits"
        " with 0, 1 if there is nothing to learn from, 2 if a file can't be read.",
    )
    parser.add_argument(
        "events", metavar="EVENTS", nargs="+", help="access logs or audit files; .gz; - for standard input"
    )
    parser.add_argument(
        "--user", metavar="NAME", action="append", default=[], help="learn of this user only; repeat for more"
    )
    parser.add_argument(
        "--by",
        choices=("user", "group", "all"),
        default="user",
        help="what rules name: users (the default), their groups, or nobody",
    )
    parser.add_argument(
        "--min-count",
        metavar="N",
        type=_count,
        default=1,
        help="leave out destinations with fewer requests (1)",
    )
    parser.add_argument(
        "--subdomains",
        metavar="N",
        type=_count,
        default=SUBDOMAINS,
        help=f"names below another from which on a pattern stands for them, 0 for never ({SUBDOMAINS})",
    )
    parser.add_argument(
        "--denied", action="store_true", help="propose what rules have denied, too, and mark it"
    )
    parser.add_argument(
        "--default", choices=("deny", "allow"), default="deny", help="what happens to all else (deny)"
    )
    return parser


def _count(text: str) -> int:
    """
    Read a number.
    """
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!a} is no whole number from 0 on")
    return int(text)


def _read(traffic: Traffic, name: str) -> None:
    """
    Read one file.
    """
    if name == "-":
        traffic.read(lines(sys.stdin.buffer), "standard input")
        return
    opened: Callable[[str, Any], Any] = gzip.open if name.endswith(".gz") else open
    file: BinaryIO
    with opened(name, "rb") as file:
        traffic.read(lines(file), name)


def _why(traffic: Traffic, said: argparse.Namespace) -> str:
    """
    Why there is nothing to learn.
    """
    if not traffic.events:
        return "there is no event in it; access_log.file and audit.file say where they are written"
    if traffic.flows:
        return f"no destination has {said.min_count:,} requests; say a smaller --min-count"
    return f"none of {traffic.events:,} events is of a request that was allowed, and whose user is wanted"
