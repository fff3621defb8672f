"""
The policy that is in force, which may be another one after a reload, and how a policy
differs from one beside it.
"""

from __future__ import annotations

from connectproxy.interfaces import Action, IPAddress, TunnelRequest, Verdict
from connectproxy.policy.judge import Policy
from connectproxy.policy.trace import Step

__all__ = ["InForce", "difference"]


class InForce:
    """
    Asks whatever policy there is at the moment, for what is built once and keeps it.

    @ivar policy: that policy.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        """
        @param policy: the first one; until there is one, everything is denied.
        """
        self.policy = Policy(default=Action.DENY) if policy is None else policy

    def decideRequest(self, request: TunnelRequest) -> Verdict:
        """
        @see: L{Policy.decideRequest}
        """
        return self.policy.decideRequest(request)

    def decideAddress(self, request: TunnelRequest, address: IPAddress | None) -> Verdict | None:
        """
        @see: L{Policy.decideAddress}
        """
        return self.policy.decideAddress(request, address)

    def judge(
        self, request: TunnelRequest, address: IPAddress | None, serverName: str | None = None
    ) -> Verdict:
        """
        @see: L{Policy.judge}
        """
        return self.policy.judge(request, address, serverName)

    def wantsServerName(self, request: TunnelRequest) -> bool:
        """
        @see: L{Policy.wantsServerName}
        """
        return self.policy.wantsServerName(request)

    def decideServerName(self, request: TunnelRequest, address: IPAddress | None, name: str) -> Verdict:
        """
        @see: L{Policy.decideServerName}
        """
        return self.policy.decideServerName(request, address, name)

    def trace(
        self, request: TunnelRequest, address: IPAddress | None = None, serverName: str | None = None
    ) -> list[Step]:
        """
        @see: L{Policy.trace}
        """
        return self.policy.trace(request, address, serverName)


def difference(action: str | None, other: Verdict) -> str | None:
    """
    What another policy would have done otherwise.

    @param action: what was done: C{"allow"} or C{"deny"}; L{None} where it did not come to
        a decision.
    @param other: what the other one says.
    @return: C{"deny by rule x"}, or the like; L{None} if it is the same.
    """
    if action is None or other.action.value == action:
        return None
    return f"{other.action.value} by rule {other.rule}"
