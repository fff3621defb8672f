"""
The answer to a question, as a client would have it, and the way to it.
"""

from __future__ import annotations

from typing import NamedTuple

from connectproxy.errors import KINDS, Refusal
from connectproxy.policy import Step

__all__ = ["Answer", "Stage", "refused"]


class Answer(NamedTuple):
    """
    What a client would be answered.

    @ivar decision: C{"allow"}, C{"deny"}, or C{"depends"} where the question leaves out
        what it depends on: the addresses or the server name.
    @ivar rule: the name of the rule that decides; empty where it is none, but what comes
        before the rules, or the look-up.
    @ivar reason: why, one sentence without its full stop.
    @ivar message: for a denial, what the client is told to do about it.
    @ivar status: the HTTP status code; of what is allowed 200, as far as the proxy answers.
    @ivar kind: for a denial, a name in L{connectproxy.errors.KINDS}; otherwise empty.
    @ivar upstream: for a permission, the way that it goes; otherwise empty.
    @ivar address: the address that would be dialled first; empty if it is not known.
    @ivar connectTimeout: for a permission: seconds until there has to be a connection.
    @ivar idleTimeout: seconds that a tunnel may carry nothing; 0.0 for no limit.
    @ivar lifetime: seconds that a tunnel may last; 0.0 for no limit.
    @ivar limits: the names of the C{[[limit]]} tables that hold.
    @ivar reports: what rules that only report would have denied, as C{"rule: reason"}.
    @ivar shadow: what the shadow policy would do otherwise, as C{"deny by rule x"}; empty
        if it is the same, or there is none.
    @ivar notes: what has been taken for granted, a sentence each.
    """

    decision: str
    rule: str = ""
    reason: str = ""
    message: str = ""
    status: int = 200
    kind: str = ""
    upstream: str = ""
    address: str = ""
    connectTimeout: float = 0.0
    idleTimeout: float = 0.0
    lifetime: float = 0.0
    limits: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    shadow: str = ""
    notes: tuple[str, ...] = ()


class Stage(NamedTuple):
    """
    The rules, asked once.

    @ivar title: what they are asked about.
    @ivar steps: what each of them does.
    """

    title: str
    steps: tuple[Step, ...]


def refused(refusal: Refusal, notes: tuple[str, ...] = ()) -> Answer:
    """
    A denial as the client has it.
    """
    row = KINDS[refusal.kind]
    message = refusal.message or row.remedy
    return Answer("deny", refusal.rule, refusal.detail, message, row.status, refusal.kind, notes=notes)
