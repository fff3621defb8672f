"""
The guard of private addresses: only global unicast addresses are dialled, but
for networks that the operator opens one by one.

It judges the very address that is about to be dialled, so that a name which
answers differently the next time it is asked gains nothing, and it knows the
IPv4 addresses that hide in IPv6 ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zope.interface import implementer

from connectproxy.address import AddressClass, Networks, classify
from connectproxy.interfaces import Action, IPAddress, IRule, IRuleKind, TunnelRequest, Verdict

__all__ = ["PrivateAddresses", "kind"]


@implementer(IRule)
class PrivateAddresses:
    """
    Denies every address that is not a global unicast one.

    @ivar exempt: the networks that are open nevertheless.
    """

    ruleName = "private-addresses"

    def __init__(self, exempt: Networks) -> None:
        self.exempt = exempt

    def decideRequest(self, request: TunnelRequest) -> Verdict | None:
        """
        Nothing to say before the addresses are known.
        """
        return None

    def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Verdict | None:
        """
        Deny an address of any other class; leave the others to the next rule.

        The reason names the class and not the address: what a name inside means
        is not the client's to learn.
        """
        found = classify(address)
        if found is AddressClass.GLOBAL or address in self.exempt:
            return None
        what = "is" if request.destination.ip is not None else "resolves to"
        return Verdict(
            Action.DENY,
            f"{request.destination.host} {what} an address of class {found.value}, which is not open",
            self.ruleName,
            "destination_ip_prohibited",
        )


@implementer(IRuleKind)
class _Kind:
    """
    Built from the setting C{allow.networks}.
    """

    kindName = "private"
    order = 30

    def build(self, settings: Mapping[str, Any], own: object) -> IRule:
        """
        @see: L{IRuleKind.build}
        """
        return PrivateAddresses(settings["allow.networks"])


kind = _Kind()
