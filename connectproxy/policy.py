"""
The policy: rules in order, of which the first that has something to say decides.

Rules are pure and synchronous, so a decision can be explained and tested by
itself.  A verdict that only reports has no effect and does not end the search.
What no rule has decided is allowed: the built-in rules are all denials, each
with its own exemptions.
"""

from __future__ import annotations

from collections.abc import Iterable

from connectproxy.interfaces import Action, IPAddress, IRule, TunnelRequest, Verdict

__all__ = ["DEFAULT", "Policy"]

DEFAULT = Verdict(Action.ALLOW, "no rule denies it", "default")
"""The verdict on what no rule has decided."""


class Policy:
    """
    An ordered set of rules.

    @ivar rules: the rules, in the order in which they are asked.
    """

    def __init__(self, rules: Iterable[IRule] = ()) -> None:
        self.rules = tuple(rules)

    def decideRequest(self, request: TunnelRequest) -> Verdict:
        """
        Judge a request before anything is looked up.

        @return: the verdict of the first rule that has one, or L{DEFAULT}.
        """
        for rule in self.rules:
            verdict = rule.decideRequest(request)
            if verdict is not None and not verdict.reportOnly:
                return verdict
        return DEFAULT

    def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        """
        Judge an address that is about to be dialled.

        @return: the denial of the first rule that has something to say, or
            L{None} if the address may be dialled.
        """
        for rule in self.rules:
            verdict = rule.decideAddress(request, address)
            if verdict is not None and not verdict.reportOnly:
                return verdict if verdict.action is Action.DENY else None
        return None
