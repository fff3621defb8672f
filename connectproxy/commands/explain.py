"""
The command C{connectproxy explain}: shows the way of a request through the rules, and the
answer.

Owns the command line, the look-up of names where it is wanted, and what is printed;
L{connectproxy.rehearsal} decides.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from connectproxy.address import Destination
from connectproxy.commands.subject import EPILOG, WRONG, addSubject, readSubject, unreadable
from connectproxy.config import ConfigurationError
from connectproxy.names import readHosts
from connectproxy.questions import KEYS, PROTOCOLS, SCHEMES, Question, Unclear, readQuestion
from connectproxy.rehearsal import Answer, Rehearsal, Stage
from connectproxy.rehearsal.words import answerLines, printable, wayLines

__all__ = ["main", "resolve"]

HOSTS = "/etc/hosts"
"""The system's hosts file, which the proxy asks first."""


def resolve(dnsName: str) -> tuple[str, ...]:
    """
    Look a name up as the proxy does: the hosts file, then the system's resolver, both
    families.  Blocks.

    @param dnsName: with its trailing dot.
    @return: the addresses, none if there are none.
    """
    found = [str(address) for address in readHosts(HOSTS, dnsName.rstrip("."))]
    if not found:
        for family in (socket.AF_INET6, socket.AF_INET):
            try:
                answers = socket.getaddrinfo(dnsName, 0, family, socket.SOCK_STREAM)
            except OSError:  # there is no such name, or nobody answers; for the proxy it is the same
                continue
            found += [str(answer[4][0]).partition("%")[0] for answer in answers]
    return tuple(dict.fromkeys(found))


def main(
    arguments: Sequence[str],
    program: str = "connectproxy explain",
    lookUp: Callable[[str], Sequence[str]] = resolve,
) -> int:
    """
    Explain a decision.

    @param arguments: the command line without the command.
    @param lookUp: looks a name up, which is given with its trailing dot.
    @return: the status to exit with: 0 if the request is allowed, 1 if it is not, or it
        depends on what has not been said, 2 if the question or the configuration can't be
        used.
    """
    parser = _parser(program)
    said = parser.parse_args(arguments)
    why = unreadable(said)
    try:
        if why:
            raise Unclear(("", why, ""))
        rehearsal = Rehearsal(readSubject(said))
        question = _question(said)
        destination = question.destination
        if said.resolve and isinstance(destination, Destination) and destination.ip is None:
            question = _question(said, list(lookUp(destination.dnsName)))
        answer, way = rehearsal.answer(question), rehearsal.way(question)
    except ConfigurationError as error:
        for problem in error.problems:
            sys.stderr.write(f"{printable(str(problem))}\n")
        sys.stderr.write(f"{program}: the configuration can't be used; connectproxy check says more\n")
        return WRONG
    except Unclear as unclear:
        for key, what, advice in unclear.complaints:
            option = f"--{_OPTIONS.get(key, key).replace('_', '-')}: " if key else ""
            sys.stderr.write(printable(f"{program}: {option}{what}{f'; {advice}' if advice else ''}") + "\n")
        return WRONG
    if said.json:
        sys.stdout.write(json.dumps(_report(question, answer, way), indent=2) + "\n")
    else:
        lines = [*wayLines(rehearsal, question), "", *answerLines(answer, question.protocol)]
        if answer.decision == "depends":
            hint = "--server-name" if "server name" in answer.reason else "--address, or --resolve"
            lines.append(f"note      say {hint}")
        sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    return 0 if answer.decision == "allow" else 1


_OPTIONS = {"groups": "group", "addresses": "address"}
"""What the options of keys are called that have a name of their own."""


def _parser(program: str) -> argparse.ArgumentParser:
    """
    What can be said.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        allow_abbrev=False,
        description="Show how a request would be decided: the way through the rules, and the answer as the client"
        " would have it.",
        epilog=f"{EPILOG} Exits with 0 if it is allowed, 1 if it is not, 2 if the question can't be understood.",
    )
    addSubject(parser)
    parser.add_argument("--dest", metavar="HOST:PORT", required=True, help=KEYS["dest"])
    parser.add_argument("--user", metavar="NAME", help=KEYS["user"])
    parser.add_argument(
        "--group", metavar="NAME", action="append", dest="groups", help=f"{KEYS['groups']}; repeat for more"
    )
    parser.add_argument("--client", metavar="ADDRESS", help=KEYS["client"])
    parser.add_argument("--listener", metavar="NAME", help=KEYS["listener"])
    parser.add_argument(
        "--protocol", metavar="PROTOCOL", help=f"{KEYS['protocol']}: {', '.join(PROTOCOLS)}, or another"
    )
    parser.add_argument("--method", metavar="METHOD", help=KEYS["method"])
    parser.add_argument("--scheme", choices=tuple(SCHEMES), help=KEYS["scheme"])
    addresses = parser.add_mutually_exclusive_group()
    addresses.add_argument(
        "--address",
        metavar="ADDRESS",
        action="append",
        dest="addresses",
        help=f"{KEYS['addresses']}; repeat for more",
    )
    addresses.add_argument("--resolve", action="store_true", help="look the destination's name up")
    parser.add_argument("--server-name", metavar="NAME", help=KEYS["server_name"])
    parser.add_argument("--at", metavar="TIME", help=f"{KEYS['at']}, as in 2026-11-23T09:30+01:00")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    return parser


def _question(said: argparse.Namespace, addresses: list[str] | None = None) -> Question:
    """
    The question that a command line asks.

    @param addresses: those that have been looked up.
    @raise Unclear: all that is wrong with it.
    """
    asked = {key: getattr(said, key) for key in KEYS}
    return readQuestion(asked if addresses is None else {**asked, "addresses": addresses})


def _report(question: Question, answer: Answer, way: Sequence[Stage]) -> dict[str, Any]:
    """
    The same for programs.
    """
    return {
        "dest": question.dest,
        "decision": answer.decision,
        "rule": answer.rule or None,
        "reason": answer.reason,
        "message": answer.message or None,
        "status": answer.status,
        "error": answer.kind or None,
        "upstream": answer.upstream or None,
        "address": answer.address or None,
        "connect_timeout": answer.connectTimeout,
        "idle_timeout": answer.idleTimeout,
        "lifetime": answer.lifetime,
        "limits": list(answer.limits),
        "reports": list(answer.reports),
        "shadow": answer.shadow or None,
        "notes": list(answer.notes),
        "way": [{"asked": stage.title, "rules": [step._asdict() for step in stage.steps]} for stage in way],
    }
