"""
The rule about ports: a tunnel may lead to a port only if the operator allows it.

RFC 9110 section 9.3.6 warns of proxies that open tunnels to any port: a mail
server on port 25 would take a spammer's commands for the proxy's.  So the ports
are a list of what is allowed, and the list begins with 443 and 80.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from zope.interface import implementer

from connectproxy.interfaces import Action, IPAddress, IRule, IRuleKind, TunnelRequest, Verdict

__all__ = ["AllowedPorts", "kind"]


@implementer(IRule)
class AllowedPorts:
    """
    Denies every port that is not in a set of ranges.

    @ivar ranges: the ranges, both ends included; L{None} allows every port.
    """

    ruleName = "allow-ports"

    def __init__(self, ranges: tuple[tuple[int, int], ...] | None) -> None:
        self.ranges = ranges
        self._allowed = frozenset(port for first, last in ranges or () for port in range(first, last + 1))

    def __str__(self) -> str:
        if self.ranges is None:
            return "any"
        return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in self.ranges) or "none"

    def decideRequest(self, request: TunnelRequest) -> Verdict | None:
        """
        Deny a port that is not allowed; leave the others to the next rule.
        """
        port = request.destination.port
        if self.ranges is None or port in self._allowed:
            return None
        return Verdict(Action.DENY, f"port {port} is not among the allowed ports ({self})", self.ruleName)

    def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        """
        Nothing to say: an address has no port of its own.
        """
        return None


_NONE: Mapping[str, Any] = MappingProxyType({})


@implementer(IRuleKind)
class _Kind:
    """
    Built from the setting C{allow.ports}.
    """

    kindName = "ports"
    order = 10

    def build(self, settings: Mapping[str, Any], own: object, options: Mapping[str, Any] = _NONE) -> IRule:
        """
        @see: L{IRuleKind.build}
        """
        if options:
            raise ValueError("the rule kind ports has no options; the ports stand in allow.ports")
        return AllowedPorts(settings["allow.ports"])


kind = _Kind()
