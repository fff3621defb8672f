"""
The client's side of a UDP association (RFC 1928 section 7).

Its socket is bound to the address that the client's TCP connection has reached, and
takes datagrams from that client's address only.  The client's port is the one that
it named in its request, or that of its first valid datagram; from then on the system
itself drops what strangers send.  Each datagram says in its header where it is to go;
whether it may is decided further on, for each.

Left out: fragments, which are dropped, as the RFC permits.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from connectproxy.address import canonical
from connectproxy.errors import Refusal
from connectproxy.interfaces import IPAddress, TunnelRequest
from connectproxy.interfaces.datagrams import IDatagramFlow, IInboundDatagrams
from connectproxy.sockets import EXHAUSTED
from connectproxy.wire.socks import formatDatagram, parseDatagram

if TYPE_CHECKING:
    from connectproxy.listeners.socks.connection import SOCKSProxy

__all__ = ["ClientDatagrams"]


def _ip(address: Any) -> IPAddress | None:
    """
    The IP address in one of Twisted's, with its scope if it has one; L{None} where
    there is none.
    """
    try:
        return canonical(ip_address(address.host))
    except (AttributeError, ValueError):
        return None  # a UNIX socket


@implementer(IInboundDatagrams)
class ClientDatagrams:
    """
    One client's datagrams.

    @ivar request: the L{TunnelRequest}; its destination is what the client has said
        of its own address.
    """

    __slots__ = ("_client", "_connection", "_flow", "_from", "_port", "request")

    def __init__(self, connection: SOCKSProxy, request: TunnelRequest) -> None:
        """
        @param connection: the client's TCP connection, which lasts as long as this.
        """
        self.request = request
        self._connection = connection
        self._flow: Any = None
        self._port: Any = None
        self._client = ("", request.destination.port)  # port 0: not known yet
        self._from = ""

    def accept(self, flow: IDatagramFlow) -> Refusal | None:
        """
        See L{IInboundDatagrams.accept}.
        """
        here, client = _ip(self._connection.transport.getHost()), _ip(self.request.client)  # type: ignore[union-attr]
        refusal: Refusal | None = None
        if here is None or client is None:
            refusal = Refusal(
                "socks_command_not_supported",
                "the client has no IP address here, so there is nothing to send datagrams to; connect over TCP",
            )
        elif here.version != client.version:
            refusal = Refusal(
                "socks_command_not_supported",
                f"the client's address is IPv{client.version}, and the proxy was reached by IPv{here.version}",
            )
        else:
            try:
                self._port = flow.listen(str(here), self._received)
            except OSError as error:
                kind = "proxy_exhausted" if error.errno in EXHAUSTED else "socks_command_not_supported"
                refusal = Refusal(kind, f"no UDP socket could be opened at {here}: {error.strerror}")
        if refusal is not None:
            self.refuse(refusal)
            return refusal
        self._flow = flow
        self._from = str(client)
        self._fix(self._client[1])
        self._connection.associated(self._port.host, self._port.port)
        return None

    def _fix(self, port: int) -> None:
        """
        The client's port is known, unless it is 0.
        """
        self._client = (self._from, port)
        if port:
            self._port.connect(self._from, port)

    def _received(self, octets: bytes, host: str, port: int) -> None:
        """
        A datagram has come, from whomever.
        """
        expected, flow = self._client, self._flow
        if host != expected[0] or (port != expected[1] and expected[1]):
            flow.drop("from somebody else")
            return
        datagram = parseDatagram(octets)
        if isinstance(datagram, Refusal):
            flow.drop("fragments" if octets[2:3] > b"\0" else "malformed")
            return
        if not expected[1]:
            self._fix(port)
        flow.send(*datagram)

    def deliver(self, host: str, port: int, payload: bytes) -> bool:
        """
        See L{IInboundDatagrams.deliver}.
        """
        return not self._port.send(formatDatagram(host, port, payload), *self._client)

    def refuse(self, refusal: Refusal) -> None:
        """
        See L{IInboundDatagrams.refuse}.
        """
        self._connection.refuse(refusal)

    def close(self) -> None:
        """
        See L{IInboundDatagrams.close}.
        """
        self._connection.leave()

    def whenLost(self, callback: Callable[[], None]) -> None:
        """
        See L{IInboundDatagrams.whenLost}.
        """
        self._connection.whenLost(callback)
