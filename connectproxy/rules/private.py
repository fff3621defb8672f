"""
The guard of private addresses: only global unicast addresses are dialled, but
for networks that the operator opens one by one.

It judges the very address that is about to be dialled, so that a name which
answers differently the next time it is asked gains nothing, and it knows the
IPv4 addresses that hide in IPv6 ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
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


_EXEMPT = "exempt"
_NONE: Mapping[str, Any] = MappingProxyType({})


@implementer(IRuleKind)
class _Kind:
    """
    Built from the setting C{allow.networks}, and the networks of the option C{exempt}
    besides.

    Neither opens a whole family: with all of 0.0.0.0/0 open, nothing would be left of the
    guard, and that would be too easy to mean for "any address of the Internet".
    """

    kindName = "private"
    order = 30

    def build(self, settings: Mapping[str, Any], own: object, options: Mapping[str, Any] = _NONE) -> IRule:
        """
        @see: L{IRuleKind.build}
        """
        unknown = sorted(set(options) - {_EXEMPT})
        if unknown:
            raise ValueError(f"the rule kind private has no option {unknown[0]!a}; there is {_EXEMPT}")
        exempt: Networks = settings["allow.networks"]
        more = options.get(_EXEMPT, ())
        texts = (more,) if isinstance(more, str) else more
        if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f'{_EXEMPT} is no array of networks; write {_EXEMPT} = ["10.0.0.0/8"]')
        named = Networks.parse(*texts)
        exempt = Networks((*exempt.ipv4, *named.ipv4), (*exempt.ipv6, *named.ipv6))
        for network in exempt:
            if not network.prefixlen:
                raise ValueError(
                    f"{network} would open every private and special address there is, this machine's own"
                    f" included, by allow.networks (--allow-network) or {_EXEMPT}; addresses of the Internet are"
                    " open anyway, so write those networks that are meant besides, as in 10.0.0.0/8"
                )
        return PrivateAddresses(exempt)


kind = _Kind()
