"""
The rule against loops: the proxy does not dial itself.

RFC 9110 section 7.6 forbids an intermediary to forward a message to itself.  A
tunnel to one's own listening port would hold two connections for each turn until
the descriptors run out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from zope.interface import implementer

from connectproxy.interfaces import Action, IPAddress, IRule, IRuleKind, TunnelRequest, Verdict
from connectproxy.own import OwnPorts

__all__ = ["OwnAddresses", "kind"]


@implementer(IRule)
class OwnAddresses:
    """
    Denies the proxy's own listening addresses, whatever else is open.
    """

    ruleName = "own-addresses"

    def __init__(self, own: OwnPorts) -> None:
        self._own = own

    def decideRequest(self, request: TunnelRequest) -> Verdict | None:
        """
        Nothing to say before the addresses are known.
        """
        return None

    def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        """
        Deny an address that leads back here.
        """
        if not self._own.includes(address, request.destination.port):
            return None
        return Verdict(
            Action.DENY, f"{request.destination} is this proxy itself", self.ruleName, "proxy_loop_detected"
        )


_NONE: Mapping[str, Any] = MappingProxyType({})


@implementer(IRuleKind)
class _Kind:
    """
    Needs no setting.
    """

    kindName = "loop"
    order = 20

    def build(self, settings: Mapping[str, Any], own: OwnPorts, options: Mapping[str, Any] = _NONE) -> IRule:
        """
        @see: L{IRuleKind.build}
        """
        if options:
            raise ValueError("the rule kind loop has no options; leave them out")
        return OwnAddresses(own)


kind = _Kind()
