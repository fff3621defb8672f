"""
The command C{connectproxy policy}: tests a policy by cases, or proposes one.

Owns C{test}; C{learn} is L{connectproxy.commands.learn}'s.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from connectproxy.cases import Case, differences, readCases, untouched
from connectproxy.commands.subject import EPILOG, WRONG, addSubject, cannotRead, readSubject, unreadable
from connectproxy.config import ConfigurationError, Problem
from connectproxy.questions import Unclear
from connectproxy.rehearsal import Answer, Rehearsal
from connectproxy.rehearsal.words import printable

__all__ = ["main"]

_COMMANDS = {
    "test": "see whether a policy decides cases as expected",
    "learn": "propose a policy from recorded events",
}


def main(arguments: Sequence[str], program: str = "connectproxy policy") -> int:
    """
    Test a policy, or propose one.

    @param arguments: the command line without the command.
    @return: the status to exit with.
    """
    name = arguments[0] if arguments else ""
    if name == "test":
        return _test(arguments[1:], f"{program} test")
    if name == "learn":
        status: int = import_module("connectproxy.commands.learn").main(arguments[1:], f"{program} learn")
        return status
    asked = name in ("-h", "--help")
    out = sys.stdout if asked else sys.stderr
    if not asked:
        out.write(f"{program}: {f'there is no command {name!a}' if name else 'a command is missing'}\n")
    out.write(f"usage: {program} COMMAND ...\n\n")
    for each, words in _COMMANDS.items():
        out.write(f"  {each:6} {words}\n")
    return 0 if asked else WRONG


def _test(arguments: Sequence[str], program: str) -> int:
    """
    Decide all cases of a file.

    @return: 0 if all is as expected, 1 if not, 2 if something can't be used.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        allow_abbrev=False,
        description="See whether a policy decides each [[case]] of a file as it expects. Nothing is looked up.",
        epilog=f"{EPILOG} Exits with 0 if all is as expected, 1 if not, 2 if a file can't be used.",
    )
    addSubject(parser, optional=False)
    parser.add_argument("cases", metavar="CASES", help="the cases, in TOML")
    said = parser.parse_args(arguments)
    for why in (unreadable(said), cannotRead(said.cases)):
        if why:
            sys.stderr.write(f"{program}: {why}\n")
            return WRONG
    problems: list[Problem] = []
    rehearsal: Rehearsal | None = None
    cases: list[Case] = []
    try:
        rehearsal = Rehearsal(readSubject(said))
    except ConfigurationError as error:
        problems += error.problems
    try:
        cases = readCases(said.cases)
    except ConfigurationError as error:
        problems += error.problems
    answers: list[Answer] = []
    wrong: list[str] = []
    for case in cases if rehearsal is not None else ():
        try:
            answer = rehearsal.answer(case.question)  # type: ignore[union-attr] # there is one
        except Unclear as unclear:
            problems += (Problem(key, case.where, what, advice) for key, what, advice in unclear.complaints)
            continue
        answers.append(answer)
        wrong += (f"{case.where} {case}: {words}" for words in differences(case, answer))
    if problems or rehearsal is None:
        sys.stderr.write("".join(f"{printable(str(problem))}\n" for problem in problems))
        return WRONG
    failed = sum(bool(differences(case, answer)) for case, answer in zip(cases, answers, strict=True))
    out = [*wrong, f"{len(cases)} cases: {len(cases) - failed} as expected, {failed} not"]
    left = untouched(rehearsal, answers)
    if left:
        out.append(f"note: no case is decided by {', '.join(left)}")
    sys.stdout.write("".join(f"{printable(line)}\n" for line in out))
    return 1 if failed else 0
