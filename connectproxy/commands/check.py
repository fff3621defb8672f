"""
The command C{connectproxy check}: finds all that is wrong with a configuration.

Owns what is printed and the status to exit with; L{connectproxy.findings} looks.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from connectproxy.commands.subject import EPILOG, WRONG, addSubject, readSubject, unreadable
from connectproxy.config import Config, Problem
from connectproxy.findings import Findings, examine
from connectproxy.rehearsal.words import printable

__all__ = ["main"]

_LINE = re.compile(r"(.+?):([0-9]+)(?: .*)?", re.DOTALL)


def main(arguments: Sequence[str], program: str = "connectproxy check") -> int:
    """
    Check a configuration.

    @param arguments: the command line without the command.
    @return: the status to exit with: 0 if the proxy would start with it, 1 if it would not,
        or there is a warning and C{--strict}, 2 if it can't be read.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        allow_abbrev=False,
        description="Find all that is wrong with a configuration, and with the lists, users, keys and certificates"
        " that it names; and warn of what is probably not as meant. Nothing is opened, made or started.",
        epilog=f"{EPILOG} Exits with 0 if the proxy would start, 1 if it would not, 2 if FILE can't be read.",
    )
    addSubject(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings as well")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    said = parser.parse_args(arguments)
    why = unreadable(said)
    if why:
        sys.stderr.write(f"{program}: {why}\n")
        return WRONG
    findings = examine(lambda: readSubject(said))
    failed = bool(findings.errors or (said.strict and findings.warnings))
    if said.json:
        sys.stdout.write(json.dumps(_report(findings), indent=2) + "\n")
    else:
        name = said.file or "the configuration"
        sys.stdout.write("".join(f"{printable(line)}\n" for line in _lines(findings, name)))
    return 1 if failed else 0


def _lines(findings: Findings, name: str) -> Iterator[str]:
    """
    Findings for people.
    """
    for problem in findings.errors:
        yield f"error: {problem}"
    for problem in findings.warnings:
        yield f"warning: {problem}"
    counts = f"{_count(findings.errors, 'error')}, {_count(findings.warnings, 'warning')}"
    if findings.config is None or findings.errors:
        yield f"{name} can't be used: {counts}"
    else:
        yield f"{name} can be used: {_described(findings.config)}; {counts}"


def _described(config: Config) -> str:
    """
    What there is in a configuration.
    """
    what = [("listener", config.listeners), *((name, config.rows[name]) for name in ("rule", "limit"))]
    counts = ", ".join(_count(found, name) for name, found in what)
    return f"{counts}, default {config['policy.default'] or 'allow'}"


def _count(found: Sequence[Any], name: str) -> str:
    """
    How many there are, in words.
    """
    return f"{len(found) or 'no'} {name}{'s' * (len(found) != 1)}"


def _report(findings: Findings) -> dict[str, Any]:
    """
    Findings for programs.
    """
    return {
        "usable": not findings.errors,
        "errors": [_problem(problem) for problem in findings.errors],
        "warnings": [_problem(problem) for problem in findings.warnings],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    """
    One problem, with the file and the line that it stands in, if it stands in one.
    """
    match = _LINE.fullmatch(problem.place)
    return {
        "key": problem.key or None,
        "place": problem.place,
        "file": match[1] if match else None,
        "line": int(match[2]) if match else None,
        "message": problem.message,
        "advice": problem.advice or None,
    }
