"""
A question to the rules, and what comes back: whatever answers it, compiled rules or a
rule in Python.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from connectproxy.interfaces import Action, INameRule, IPAddress, IRule, TunnelRequest, Verdict

__all__ = ["NOTHING", "Asked", "Found", "Single"]


class Asked(NamedTuple):
    """
    A question.

    @ivar request: what a client asks for.
    @ivar address: the destination's; L{None} where it is not known.
    @ivar serverName: with which the client begins TLS; empty where it does not, or says
        none; L{None} where that is not known.
    @ivar first: whether this is the question before anything is looked up; an address
        that is not known then is going to be.
    """

    request: TunnelRequest
    address: IPAddress | None
    serverName: str | None
    first: bool

    @property
    def later(self) -> bool:
        """Whether the address is going to be known, and is not yet."""
        return self.first and self.address is None

    @property
    def relation(self) -> str:
        """
        What the server name is beside the destination.  With an address for a destination,
        any name is another.
        """
        if not self.serverName:
            return "none"
        destination = self.request.destination
        return "same" if destination.ip is None and self.serverName == destination.host else "other"


class Found(NamedTuple):
    """
    What some rules have to say.

    @ivar final: what decides.
    @ivar maybe: the first permission before it that depends on what is not known yet.
    @ivar reports: what rules before it would have denied, and only report.
    @ivar open: whether anything before it depends on what is not known yet, but for
        denials.
    """

    final: Verdict | None
    maybe: Verdict | None = None
    reports: tuple[str, ...] = ()
    open: bool = False


NOTHING = Found(None)


class Single:
    """
    A rule in Python, asked as others are.

    @ivar rule: the rule.
    @ivar named: whether it looks at server names.
    """

    __slots__ = ("_name", "_nameRule", "named", "rule")

    def __init__(self, rule: IRule, name: str = "") -> None:
        """
        @param name: what the operator calls it; empty where its own name will do.
        """
        self.rule = rule
        self._name = name
        self._nameRule: Any = rule
        self.named = INameRule.providedBy(rule)

    @property
    def name(self) -> str:
        """What answers and events call it."""
        return self._name or self.rule.ruleName

    def find(self, asked: Asked) -> Found:
        """
        Ask it.
        """
        verdict = self._ask(asked)
        if verdict is None:
            return NOTHING
        if self._name:
            verdict = verdict._replace(rule=self._name)
        denies = verdict.action is Action.DENY
        if verdict.reportOnly:
            return Found(None, reports=(f"{verdict.rule}: {verdict.reason}",)) if denies else NOTHING
        if not verdict.provisional:
            return Found(verdict)
        if asked.first or (asked.serverName is None and self.named):
            return NOTHING if denies else Found(None, verdict, open=True)
        # Nothing more is going to be known.  What would allow if it fitted does not; what would
        # deny does.
        return Found(verdict) if denies else NOTHING

    def _ask(self, asked: Asked) -> Verdict | None:
        """
        The verdict.
        """
        request, address, serverName, first = asked
        rule = self.rule
        if first:
            return rule.decideRequest(request)
        if serverName is not None and self.named:
            verdict: Verdict | None = self._nameRule.decideServerName(request, address, serverName)
            return verdict
        verdict = None if address is None else rule.decideAddress(request, address)
        if verdict is None:
            # A denial of the request holds for each of its addresses, though not every rule
            # says so again; for a permission it has to.
            said = rule.decideRequest(request)
            if said is not None and not said.provisional and (address is None or said.action is Action.DENY):
                return said
        return verdict

    def wantsServerName(self, request: TunnelRequest) -> tuple[bool, bool]:
        """
        @return: whether the rule's verdict may depend on the server name, and whether it
            decides whatever that is.
        """
        if self.named and self._nameRule.wantsServerName(request):
            return True, False
        verdict = self.rule.decideRequest(request)
        return False, verdict is not None and not verdict.provisional and not verdict.reportOnly
