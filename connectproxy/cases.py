"""
Cases: questions to a policy with the answers that are expected.

Owns the file that they stand in, TOML with C{[[case]]} tables, and what tells whether an
answer is the expected one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from connectproxy.config import ConfigurationError, Problem
from connectproxy.config.forms import nearest, shown
from connectproxy.config.source import Source, read
from connectproxy.questions import KEYS, Question, Unclear, readQuestion
from connectproxy.rehearsal import Answer, Rehearsal

__all__ = ["Case", "differences", "readCases", "untouched"]

_TABLE = "case"
_EXPECTED: Mapping[str, str] = {
    "name": "what messages call the case",
    "expect": "allow or deny",
    "rule": "the name of the rule that decides",
    "upstream": "the upstream that it goes through",
    "message": "what the client is told to do about it",
}
_EXPECTS = ("allow", "deny")
_ADVICE = "write it as TOML, with a [[case]] table for each case"


class Case(NamedTuple):
    """
    A question, and what is expected of the answer.

    @ivar question: the question.
    @ivar expect: the decision: C{"allow"} or C{"deny"}.
    @ivar rule: the name of the rule that is to decide; empty for any, and so below.
    @ivar upstream: the upstream that it is to go through.
    @ivar message: what the client is to be told.
    @ivar name: what people call the case.
    @ivar where: where it stands, as in C{cases.toml:12 [[case]]}.
    """

    question: Question
    expect: str
    rule: str = ""
    upstream: str = ""
    message: str = ""
    name: str = ""
    where: str = ""

    def __str__(self) -> str:
        """The name, or who goes where, for the names of tests."""
        if self.name:
            return self.name
        who = self.question.user or "nobody"
        return f"{self.expect} {who} {ascii(self.question.dest)[1:-1]}"


def readCases(path: str) -> list[Case]:
    """
    Read a file of cases.  Blocks.

    @raise ConfigurationError: all that is wrong with it.
    """
    problems: list[Problem] = []
    source = read(path, "", problems, path)
    if problems:
        raise ConfigurationError([problem._replace(advice=_ADVICE) for problem in problems])
    cases = list(_read(source, problems))
    if not cases and not problems:
        problems.append(Problem(_TABLE, path, "there is no case", "add a [[case]] table"))
    if problems:
        raise ConfigurationError(problems)
    return cases


def _read(source: Source, problems: list[Problem]) -> Iterator[Case]:
    """
    Read every table.
    """
    for table in source.tables:
        if table != _TABLE:
            message = f"there is no table or key {shown(table)} here"
            problems.append(Problem(table, source.place((table,)), message, "there can be [[case]] tables"))
    tables = source.tables.get(_TABLE, [])
    if not isinstance(tables, list):
        problems.append(Problem(_TABLE, source.place((_TABLE,)), "is no array of tables", "write [[case]]"))
        return
    for position, said in enumerate(tables):
        if not isinstance(said, Mapping):
            problems.append(Problem(_TABLE, source.place((_TABLE,)), "is not a table", "write [[case]]"))
            continue
        complaints: list[tuple[str, str, str]] = []
        case = _case(said, complaints)
        for key, what, advice in complaints:
            place = source.place((_TABLE, position, key) if key in said else (_TABLE, position))
            problems.append(Problem(f"{_TABLE}.{key}", place, what, advice))
        if case is not None:
            yield case._replace(where=source.place((_TABLE, position)))


def _case(said: Mapping[str, Any], complaints: list[tuple[str, str, str]]) -> Case | None:
    """
    Read one table.

    @param complaints: where everything is added that is wrong with it.
    """
    for key in said:
        if key not in _EXPECTED and key not in KEYS:
            near = nearest(key, [*_EXPECTED, *KEYS])
            advice = f"do you mean {near}?" if near else f"there are {', '.join([*_EXPECTED, *KEYS])}"
            complaints.append((key, f"there is no key {shown(key)} here", advice))
    expected = {key: said.get(key, "") for key in _EXPECTED}
    for key, value in expected.items():
        if not isinstance(value, str):
            complaints.append((key, f"{shown(value)} is not a string", "put it in quotes"))
    if expected["expect"] not in _EXPECTS:
        what = (
            f"{shown(expected['expect'])} is no decision"
            if "expect" in said
            else "nothing says what to expect"
        )
        complaints.append(("expect", what, 'write expect = "allow" or expect = "deny"'))
    try:
        question = readQuestion({key: value for key, value in said.items() if key in KEYS})
    except Unclear as unclear:
        complaints += unclear.complaints
        return None
    return None if complaints else Case(question, **expected)


def differences(case: Case, answer: Answer) -> list[str]:
    """
    What of an answer is not as expected, a part of a sentence each; none if all is.
    """
    found = []
    if answer.decision != case.expect:
        found.append(f"expected {case.expect}, and it {_decided(answer)}")
    elif case.rule and case.rule != answer.rule:
        found.append(f"expected {case.expect} by rule {case.rule}, and it {_decided(answer)}")
    for name in ("upstream", "message"):
        wanted, came = getattr(case, name), getattr(answer, name)
        if wanted and wanted != came and answer.decision == case.expect:
            found.append(f"expected the {name} {shown(wanted)}, and it is {shown(came)}")
    return found


def _decided(answer: Answer) -> str:
    """
    What became of it, behind C{it}.
    """
    by = f" by rule {answer.rule}" if answer.rule else ""
    if answer.decision == "depends":
        advice = "server_name" if "server name" in answer.reason else "addresses"
        return f"can't be told{by}: {answer.reason}; say {advice} in the case"
    words = {"allow": "is allowed", "deny": "is denied"}[answer.decision]
    return f"{words}{by}: {answer.reason}"


def untouched(rehearsal: Rehearsal, answers: Iterable[Answer]) -> Sequence[str]:
    """
    The rules of a configuration that neither decide nor report in any of some answers, in
    their order.
    """
    touched: set[str] = set()
    for answer in answers:
        touched.add(answer.rule)
        touched.update(each.partition(":")[0] for each in answer.reports)
    return [
        row.options["name"] for row in rehearsal.config.rows["rule"] if row.options["name"] not in touched
    ]
