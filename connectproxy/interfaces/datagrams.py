"""
The seams for datagrams: the sibling of those for tunnels.

A tunnel has one destination, which is decided on once; datagrams have one each, and
each is decided on.  So a listener hands an L{IInboundDatagrams} to
L{connectproxy.interfaces.ISwitchboard.associate}; the switchboard admits it as an
L{IAssociation}, has an L{IDatagramUpstream} open an L{IDatagramFlow} and gives that
to the listener, which from then on sends by it what the client sends, and is
delivered what comes back.

Datagrams may be lost, so nothing here waits or piles up: what can't be passed on at
once is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zope.interface import Attribute, Interface

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.interfaces.values import IPAddress, Terms, TunnelRequest

__all__ = ["IAssociation", "IDatagramFlow", "IDatagramPort", "IDatagramUpstream", "IInboundDatagrams"]


class IInboundDatagrams(Interface):
    """
    What a listener hands over: a client that wants its datagrams relayed.

    Exactly one of L{accept} and L{refuse} is called, exactly once, unless the client
    has gone before: then neither is.
    """

    request: TunnelRequest = Attribute(
        "The L{TunnelRequest}. Its destination is what the client named, if its dialect names anything before the"
        " first datagram; in SOCKS that is the client's own address, a claim and often 0.0.0.0:0, and nowhere to go."
    )

    def accept(flow: IDatagramFlow) -> Refusal | None:
        """
        Answer success in the listener's own dialect, and begin to relay.

        @return: L{None}; or why the client's side could not be opened.  The client
            has been answered so then, and the flow is its owner's to close.
        """

    def refuse(refusal: Refusal) -> None:
        """
        Answer failure in the listener's own dialect, and see to the closing.
        """

    def deliver(host: str, port: int, payload: bytes) -> bool:
        """
        Pass a datagram from the world on to the client.

        @param host: the address that it came from, as text.
        @param port: the port that it came from.
        @return: whether it could be, at once.
        """

    def close() -> None:
        """
        Nothing is relayed any more: let go of the client.
        """

    def whenLost(callback: Callable[[], None]) -> None:
        """
        Name what is to be called, once, when the client goes away, be it before or
        after its answer.  It is not called for a client that was refused, or that
        L{close} has let go of.
        """


class IDatagramPort(Interface):
    """
    A socket for datagrams, bound to an address of this machine.
    """

    port: int = Attribute("The number of its port.")

    def connect(host: str, port: int) -> bool:
        """
        Have the system drop what comes from anywhere else.

        @return: whether it does from now on.
        """

    def send(octets: bytes, host: str, port: int) -> int:
        """
        Send one datagram, at once or not at all; when connected, to nobody else.

        @return: 0; or the system's error number.
        """


class IDatagramFlow(Interface):
    """
    The sockets of one client's datagrams, towards the world and towards the client.
    """

    bytesUp: int = Attribute("Octets of payload that have been sent into the world.")
    bytesDown: int = Attribute("Octets of payload that have been delivered to the client.")
    active: float = Attribute("When the last datagram was passed on, in seconds of the reactor's clock.")
    target: Destination | None = Attribute("Where the last datagram was sent to.")
    address: str | None = Attribute("The address of that, with its port.")
    dropped: Mapping[str, int] = Attribute("How many datagrams were not passed on, by the reason in words.")

    def listen(host: str, received: Callable[[bytes, str, int], None]) -> IDatagramPort:
        """
        Open a socket for the client to send to, with whatever port is free.  It is
        the flow's to close.

        @param host: the address to bind: one of this machine's.
        @param received: is called for each datagram with its octets and the address
            and port that it came from.
        @raise OSError: it can't be opened.
        """

    def send(destination: Destination, payload: bytes) -> None:
        """
        Send a datagram into the world, if the policy allows it.
        """

    def drop(reason: str) -> None:
        """
        Count a datagram that was not passed on.

        @param reason: why, in words that go on from a number, as in C{"malformed"}.
        """

    def close() -> None:
        """
        Close every socket and give up every look-up.
        """


class IDatagramUpstream(Interface):
    """
    A way for datagrams into the world.
    """

    upstreamName: str = Attribute(
        "Its name in verdicts and events: that of the upstream whose sibling it is."
    )

    def open(
        request: TunnelRequest,
        inbound: IInboundDatagrams,
        association: IAssociation,
        terms: Terms | None = None,
    ) -> IDatagramFlow:
        """
        Begin.  No socket is opened before there is something to send.

        @param inbound: is delivered what comes back.
        @param association: is asked about each destination.
        @param terms: the limits of its rate: what is over one is dropped, as
            C{"over the rate limit"}.  Deadlines are the association's.
        """


class IAssociation(Interface):
    """
    One client's datagrams, from the request to the event.
    """

    def decide(request: TunnelRequest) -> Refusal | None:
        """
        Judge a destination before anything is looked up.

        @param request: the association's, with the destination and the method C{UDP}.
        @return: why nothing may be sent there, or L{None}.  A name may still be denied by
            each of its addresses: then comes L{refused}, and else L{allowed}.
        """

    def allowed(request: TunnelRequest, address: IPAddress) -> None:
        """
        Record that what is sent to a destination was allowed.  Nothing has been sent yet.

        @param address: the one that is taken: the first that is allowed.
        """

    def refused(request: TunnelRequest, refusal: Refusal, address: IPAddress | None = None) -> None:
        """
        Record that datagrams to a destination are dropped, and why.

        @param address: the one that it is because of; L{None} where it is none.
        """

    def broken() -> None:
        """
        A socket has failed for good: the association is over.
        """
