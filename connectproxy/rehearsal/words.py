"""
An answer, and the way to it, in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from connectproxy.errors import KINDS
from connectproxy.policy import Step
from connectproxy.questions import Question
from connectproxy.rehearsal.answer import Answer, Stage
from connectproxy.rehearsal.rehearsal import Rehearsal

__all__ = ["answerLines", "printable", "wayLines"]

_OUTCOMES = {
    "allow": "allows",
    "deny": "denies",
    "maybe": "may match",
    "report": "reports",
    "pass": "passes",
}
"""What a rule does, as the outcome of its L{Step<connectproxy.policy.trace.Step>} names it."""


def printable(text: str) -> str:
    """
    A text without what could do something to a terminal: names of users may stand in files.
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def wayLines(rehearsal: Rehearsal, question: Question) -> Iterator[str]:
    """
    The question, and what each rule does with it, a line each.

    @raise Unclear: there is no such listener.
    """
    yield rehearsal.describe(question)
    for stage in rehearsal.way(question):
        yield ""
        yield from _stageLines(stage)


def _stageLines(stage: Stage) -> Iterator[str]:
    """
    What the rules do when they are asked once.
    """
    yield f"{stage.title}:"
    width = max(len(step.rule) for step in stage.steps)
    for unasked, steps in groupby(stage.steps, lambda step: step.outcome == "unasked"):
        if unasked:
            yield f"  ({_others(tuple(steps))} not asked any more)"
            continue
        for step in steps:
            yield f"  {step.rule:{width}}  {_OUTCOMES[step.outcome]:9}  {step.why}"


def _others(steps: Sequence[Step]) -> str:
    """
    How many rules there are, in front of a verb.
    """
    return f"{steps[0].rule} is" if len(steps) == 1 else f"{len(steps)} more are"


def answerLines(answer: Answer, protocol: str) -> Iterator[str]:
    """
    An answer as the client would have it, a line for each thing that there is to say.

    @param protocol: what the client speaks.
    """
    rows = [("answer", _answer(answer, protocol)), ("rule", answer.rule), ("reason", answer.reason)]
    rows.append(("message", answer.message))
    rows.append(("upstream", answer.upstream))
    rows.append(("address", answer.address))
    if answer.decision == "allow":
        rows.append(("deadlines", _deadlines(answer)))
    rows.append(("limits", ", ".join(answer.limits)))
    rows += [("report", each) for each in answer.reports]
    rows.append(("shadow", f"the shadow policy would {answer.shadow}" if answer.shadow else ""))
    rows += [("note", each) for each in answer.notes]
    for name, said in rows:
        if said:
            yield f"{name:10}{said}"


def _answer(answer: Answer, protocol: str) -> str:
    """
    The decision, and what it is in the client's protocol.
    """
    if answer.decision != "deny":
        return answer.decision
    row = KINDS[answer.kind]
    if protocol == "socks5":
        said = f"reply {row.socks5} of SOCKS 5"
    elif protocol.startswith("socks"):
        said = f"reply {row.socks4} of SOCKS 4"
    else:
        said = f"{row.status} {row.reason}"
    return f"deny: {said} ({answer.kind})"


def _deadlines(answer: Answer) -> str:
    """
    The deadlines of what is allowed.
    """
    idle, lifetime = (
        f"{name} {seconds:g} s" if seconds else f"{name} without limit"
        for name, seconds in (("idle", answer.idleTimeout), ("lifetime", answer.lifetime))
    )
    return f"connect {answer.connectTimeout:g} s, {idle}, {lifetime}"
