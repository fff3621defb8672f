"""
The rule against loops: the proxy does not dial itself.

RFC 9110 section 7.6 forbids an intermediary to forward a message to itself.  A
tunnel to one's own listening port would hold two connections for each turn until
the descriptors run out.
"""

from __future__ import annotations

import socket
from typing import Any, Mapping, Optional

from zope.interface import implementer

from connectproxy.address import canonical
from connectproxy.interfaces import Action, IPAddress, IRule, IRuleKind, TunnelRequest, Verdict

__all__ = ["OwnAddresses", "OwnPorts", "kind"]


class OwnPorts:
    """
    Where the proxy itself listens.  The service fills it in when it knows: a
    port may be chosen by the system.
    """

    def __init__(self) -> None:
        self._ports: dict[int, set[IPAddress]] = {}

    def add(self, address: IPAddress, port: int) -> None:
        """
        @param address: the address bound; an unspecified one stands for all that
            this machine has.
        """
        self._ports.setdefault(port, set()).add(canonical(address))

    def clear(self) -> None:
        """
        The proxy listens no more.
        """
        self._ports.clear()

    def includes(self, address: IPAddress, port: int) -> bool:
        """
        Whether a connection to C{address} and C{port} would come back here.
        """
        bound = self._ports.get(port)
        if bound is None:
            return False
        address = canonical(address)
        if address in bound or address.is_unspecified:
            return True
        return any(each.is_unspecified for each in bound) and isLocal(address)


def isLocal(address: IPAddress) -> bool:
    """
    Whether an address belongs to this machine.

    The routing table knows: a datagram socket that is connected to one of the
    machine's own addresses is given that very address as its own.  Nothing is
    sent.
    """
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            name: str = probe.getsockname()[0]
    except OSError:
        return False
    return name == str(address)


@implementer(IRule)
class OwnAddresses:
    """
    Denies the proxy's own listening addresses, whatever else is open.
    """

    ruleName = "own-addresses"

    def __init__(self, own: OwnPorts) -> None:
        self._own = own

    def decideRequest(self, request: TunnelRequest) -> Optional[Verdict]:
        """
        Nothing to say before the addresses are known.
        """
        return None

    def decideAddress(self, request: TunnelRequest, address: IPAddress) -> Optional[Verdict]:
        """
        Deny an address that leads back here.
        """
        if not self._own.includes(address, request.destination.port):
            return None
        return Verdict(
            Action.DENY, f"{request.destination} is this proxy itself", self.ruleName, "proxy_loop_detected"
        )


@implementer(IRuleKind)
class _Kind:
    """
    Needs no setting.
    """

    kindName = "loop"
    order = 20

    def build(self, settings: Mapping[str, Any], own: OwnPorts) -> IRule:
        """
        @see: L{IRuleKind.build}
        """
        return OwnAddresses(own)


kind = _Kind()
