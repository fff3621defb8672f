"""
The way that leads datagrams straight to their destinations, and what all
associations share: it knows the ports of all their sockets, lest datagrams go round
in circles.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from connectproxy.datagrams.flow import Flow
from connectproxy.interfaces import IPAddress, Terms, TunnelRequest, Verdict
from connectproxy.interfaces.datagrams import IDatagramUpstream
from connectproxy.names import Names
from connectproxy.own import isLocal

__all__ = ["DirectDatagrams"]


@implementer(IDatagramUpstream)
class DirectDatagrams:
    """
    Sends datagrams straight to their destinations.

    @ivar reactor: provides the time and watches descriptors.
    @ivar judge: gives the denial of an address, or L{None}.
    @ivar names: looks up.
    @ivar makeSocket: makes a socket of a family and a type.
    """

    upstreamName = "direct"

    def __init__(
        self,
        reactor: Any,
        judge: Callable[[TunnelRequest, IPAddress], Verdict | None],
        names: Names,
        makeSocket: Callable[[int, int], Any] = socket.socket,
    ) -> None:
        self.reactor = reactor
        self.judge = judge
        self.names = names
        self.makeSocket = makeSocket
        self._own: dict[int, int] = {}

    def open(
        self, request: TunnelRequest, inbound: Any, association: Any, terms: Terms | None = None
    ) -> Flow:
        """
        See L{IDatagramUpstream.open}.
        """
        return Flow(self, request, inbound, association, terms)

    def opened(self, port: int) -> None:
        """
        A socket has been opened.

        @param port: the number of its port.
        """
        self._own[port] = self._own.get(port, 0) + 1

    def closed(self, port: int) -> None:
        """
        A socket has been closed.
        """
        self._own[port] -= 1
        if not self._own[port]:
            del self._own[port]

    def isOwn(self, address: IPAddress, port: int) -> bool:
        """
        Whether a datagram to an address and port would come back to a socket here,
        of whatever association.
        """
        return port in self._own and (address.is_unspecified or isLocal(address))
