"""
The way of a request through the rules, for people: which one decides, and why the others
before it do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from connectproxy.interfaces import Action, Verdict
from connectproxy.policy.asked import NOTHING, Asked, Single
from connectproxy.policy.reasons import Known, mismatch
from connectproxy.policy.table import Table

__all__ = ["Step", "trace"]


class Step(NamedTuple):
    """
    What one rule does.

    @ivar rule: its name.
    @ivar outcome: C{"allow"} or C{"deny"}: it decides; C{"maybe"}: it depends on what is
        not known yet; C{"report"}: it would deny, and only reports; C{"pass"}: it has
        nothing to say; C{"unasked"}: another one has decided.
    @ivar why: the reason, one sentence without its full stop.
    """

    rule: str
    outcome: str
    why: str


def trace(parts: Sequence[Table | Single], asked: Asked, default: Verdict) -> list[Step]:
    """
    Follow a request.

    @param default: what happens to what no rule has decided.
    """
    steps: list[Step] = []
    decided = False
    for part in parts:
        for step in _single(part, asked) if isinstance(part, Single) else _table(part, asked):
            steps.append(Step(step.rule, "unasked", "") if decided else step)
            decided = decided or step.outcome in ("allow", "deny")
    if decided:
        steps.append(Step(default.rule, "unasked", ""))
    else:
        steps.append(Step(default.rule, default.action.value, default.reason))
    return steps


def _single(part: Single, asked: Asked) -> Iterator[Step]:
    """
    What a rule in Python does.
    """
    name = part.name
    found = part.find(asked)
    if found is NOTHING:
        later = " so far" if asked.first else ""
        yield Step(name, "pass", f"it has nothing against it{later}")
    elif found.final is not None:
        yield Step(name, found.final.action.value, found.final.reason)
    elif found.maybe is not None:
        yield Step(name, "maybe", found.maybe.reason)
    else:
        yield Step(name, "report", found.reports[0].partition(": ")[2])


def _table(table: Table, asked: Asked) -> Iterator[Step]:
    """
    What each of the rules of a table does.
    """
    conditions = list(table.conditions(asked))
    known = Known(address=asked.address, serverName=asked.serverName)
    for index, rule in enumerate(table.rules):
        key = next((key for key, bits in conditions if bits is not None and not bits >> index & 1), None)
        if key is not None:
            yield Step(rule.name, "pass", mismatch(key, rule, asked.request, known, table.now()))
            continue
        unknown = {key for key, bits in conditions if bits is None}
        unsure = (rule.networks and "networks" in unknown) or (
            (rule.serverNames or rule.relation) and "serverNames" in unknown
        )
        if unsure:
            outcome = "maybe"
        else:
            outcome = "report" if rule.report and rule.action is Action.DENY else rule.action.value
        yield Step(rule.name, outcome, table.explain(index, asked))
