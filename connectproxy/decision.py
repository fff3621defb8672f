"""
What was decided on a request, as events, counts and the audit file have it, and what a
permission says of how it is carried.

A decision is settled once, when nothing can change it any more: at a denial, or when the
address, and the TLS server name where a rule wants it, are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.logger import Logger

from connectproxy.errors import Refusal
from connectproxy.events import describeClient
from connectproxy.interfaces import (
    Action,
    Attempt,
    Bounds,
    IPAddress,
    Terms,
    Timeouts,
    TunnelRequest,
    Verdict,
)
from connectproxy.policy import difference

if TYPE_CHECKING:
    from connectproxy.regime import Regime
    from connectproxy.switchboard import Switchboard

__all__ = ["UNDECIDED", "Decision", "addressOf", "lastTried", "settle", "terms"]

_log = Logger()


class Decision(NamedTuple):
    """
    What was decided.

    @ivar action: C{"allow"} or C{"deny"}; L{None} if it did not come to that.
    @ivar rule: the rule's name.
    @ivar reason: why.
    @ivar report: the denials of rules that only report, in one string.
    @ivar shadow: what the shadow policy would have done otherwise.
    """

    action: str | None = None
    rule: str | None = None
    reason: str | None = None
    report: str | None = None
    shadow: str | None = None


UNDECIDED = Decision()


@lru_cache(1024)
def addressOf(shown: str) -> IPAddress | None:
    """
    The address in C{host:port}, if it is one of IP.
    """
    try:
        return ip_address(shown.rpartition(":")[0].strip("[]"))
    except ValueError:
        return None


def lastTried(tried: Sequence[Attempt], refusal: Refusal | None, *, straight: bool) -> IPAddress | None:
    """
    The address of the destination that there was an attempt at, where none has succeeded.

    @param refusal: why not.
    @param straight: whether addresses that were dialled are the destination's; else those
        only are that a rule has denied.
    """
    denied = refusal.kind if refusal is not None and refusal.rule else ""
    return next((addressOf(f"{at}:") for at, result, _ in tried if straight or result == denied), None)


def settle(
    board: Switchboard,
    regime: Regime,
    request: TunnelRequest,
    verdict: Verdict | None,
    refusal: Refusal | None,
    known: tuple[IPAddress | None, str | None],
    way: str | None,
) -> Decision:
    """
    Count a decision, compare it with the shadow policy's, and have it audited.

    @param verdict: the policy's; L{None} if it was not asked.
    @param refusal: why there is no tunnel, if it is not a failure of the network only.
    @param known: the address that was judged last, and the server name.
    @param way: the name of the way that is taken; L{None} where it did not come to that.
    """
    decision = UNDECIDED
    if refusal is not None and refusal.rule:
        decision = Decision("deny", refusal.rule, refusal.detail)
    elif verdict is not None:
        decision = Decision(verdict.action.value, verdict.rule, verdict.reason)
    tally = board.tally
    if decision.action is not None and decision.rule is not None:
        tally.decisions[decision.action, decision.rule] += 1
    elif refusal is not None:
        tally.refusals[refusal.kind] += 1
    if verdict is not None:
        if verdict.reports:
            decision = decision._replace(report="; ".join(verdict.reports))
            for each in verdict.reports:
                tally.reports[each.partition(":")[0]] += 1
        if regime.shadow is not None:
            decision = decision._replace(shadow=_compare(board, regime, request, decision, known))
    allowed = decision.action == Action.ALLOW.value
    if board.audit is not None and (decision.action is not None or refusal is not None):
        board.audit.write(
            describeClient(request)
            | {
                "target": str(request.destination),
                "server_name": known[1] or None,
                "decision": decision.action or "deny",
                "rule": decision.rule,
                "reason": decision.reason
                if decision.action is not None or refusal is None
                else refusal.detail,
                "error": refusal.kind if refusal is not None else None,
                "report": decision.report,
                "shadow": decision.shadow,
                "address": str(known[0]) if known[0] is not None else None,
                "upstream": way if allowed else None,
                "config": regime.id,
            }
        )
    return decision


def _compare(
    board: Switchboard,
    regime: Regime,
    request: TunnelRequest,
    decision: Decision,
    known: tuple[IPAddress | None, str | None],
) -> str | None:
    """
    What the shadow policy would have done otherwise.
    """
    shadow: Any = regime.shadow
    address, name = known
    try:
        other = shadow.decideRequest(request)
        if address is not None and (other.provisional or other.action is Action.ALLOW):
            other = shadow.judge(request, address, name)
        elif other.provisional:
            return None  # it would have had to know what is not known here either
    except Exception:  # noqa: BLE001 - what has no effect has none by its bugs either
        _log.failure("the shadow policy failed")
        return None
    found = difference(decision.action, other)
    if found is not None:
        board.tally.shadow[f"{other.action.value} {other.rule}"] += 1
    return found


def terms(
    bounds: Bounds | None, shapers: tuple[tuple[Any, Any], ...], settings: Mapping[str, Any]
) -> Terms | None:
    """
    What a tunnel is carried by, where that is not what all are.

    @param bounds: the deadlines that the rule has set.
    @param shapers: what limits its rate.
    @param settings: every setting of the configuration by its key.
    """
    timeouts = None
    if bounds is not None and (bounds.idle is not None or bounds.lifetime is not None):
        timeouts = Timeouts(
            settings["timeouts.idle"] if bounds.idle is None else bounds.idle,
            settings["timeouts.half_open"],
            settings["timeouts.lifetime"] if bounds.lifetime is None else bounds.lifetime,
        )
    return Terms(timeouts, shapers) if timeouts is not None or shapers else None
