"""
The seams on the client's side: what a listener gives and what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol
from zope.interface import Attribute, Interface

from connectproxy.errors import Refusal
from connectproxy.interfaces.datagrams import IInboundDatagrams
from connectproxy.interfaces.identity import IAuthenticator
from connectproxy.interfaces.outbound import ITunnel
from connectproxy.interfaces.values import Arrival, Established, Terms, TunnelRequest
from connectproxy.leg import Leg

__all__ = [
    "ICarriage",
    "IDialect",
    "IInbound",
    "IInboundExchange",
    "IInboundTunnel",
    "IListenerKind",
    "IReceiver",
    "ISwitchboard",
]


class IInbound(Interface):
    """
    What every listener hands over: one request, of one kind or the other.

    Exactly one of C{accept}, which each kind has in its own form, and L{refuse} is
    called, exactly once, unless the client has gone before: then neither is.
    """

    request: TunnelRequest = Attribute(
        "The L{TunnelRequest}. The switchboard puts another in its place once it knows the user."
    )

    def refuse(refusal: Refusal) -> None:
        """
        Answer failure in the listener's own dialect.  The transport stays the
        listener's, who closes it so that the answer survives.
        """

    def whenLost(callback: Callable[[], None]) -> None:
        """
        Name what is to be called, once, if the client goes away before it has
        got its answer.
        """


class IInboundTunnel(IInbound):
    """
    One request that wants a tunnel.
    """

    def accept(established: Established) -> Leg:
        """
        Answer success in the listener's own dialect, and let go of the
        transport: no octet that arrives from now on is the listener's.

        @return: the client's leg, which a relay takes before anything else
            happens, with whatever the client had sent behind its request.
        """


class IInboundExchange(IInbound):
    """
    One request that is forwarded as a message, not tunnelled: an exchange of HTTP
    messages, which the listener carries itself.

    Where L{IInboundTunnel.accept} gives a leg for a relay, C{accept} gives an
    L{ICarriage} here, and may be called again after one that ended as
    L{connectproxy.interfaces.STALE}; so may C{refuse}, and C{whenLost} before either.
    """

    message: bool = Attribute(
        "Whether the exchange is that message and its response, whoever gets it; not where it offers to change to"
        " another protocol, which only the origin itself could."
    )

    def idle(way: Hashable) -> Established | None:
        """
        A connection that an earlier exchange of the same client has left open.

        @param way: stands for the way that the policy has chosen, and is another one
            when that has changed; only a connection that was made by that way, for the
            same destination and the same user, will do.  One with a L{Established.form} and no address that
            has been judged will do for other names, too.
        @return: it, no longer idle, as it was when it was made; or L{None}, for one
            to be made.  If the policy no longer allows its address it is closed,
            and this is asked again.
        """

    def accept(established: Established, terms: Terms | None = None) -> ICarriage:
        """
        Begin the exchange on a connection to the origin.

        @param terms: what it is carried by, where that is not what all are.
        """


class ICarriage(ITunnel):
    """
    An exchange under way.  Its C{finished} fires when the response has been
    written, or nothing of it will be.
    """

    relayName: str = Attribute("The name in events of what carries it.")


class ISwitchboard(Interface):
    """
    The one place where a request becomes a tunnel.
    """

    authenticator: IAuthenticator | None = Attribute(
        "Knows who may use the proxy; L{None} where nobody is asked. It is asked by the switchboard itself,"
        " unless the request names its user."
    )
    draining: bool = Attribute("The proxy is being stopped: no connection is kept for another request.")
    via: bytes = Attribute("What the proxy calls itself in Via (RFC 9110 section 7.6.3), in every listener.")

    clock: Any = Attribute("Tells the time: L{twisted.internet.interfaces.IReactorTime}.")
    wheel: Any = Attribute("Keeps deadlines: L{connectproxy.wheel.Wheel}.")
    settings: Mapping[str, Any] = Attribute("Every setting of the configuration by its key.")

    def place(inbound: IInboundTunnel) -> None:
        """
        Take charge of a request.  Returns nothing: the result goes back by
        C{inbound.accept} or C{inbound.refuse}, perhaps before this returns.
        """

    def forward(exchange: IInboundExchange) -> None:
        """
        Take charge of a request that is forwarded as a message: as L{place}, but
        the listener carries it.
        """

    def associate(inbound: IInboundDatagrams) -> None:
        """
        Take charge of a client that wants its datagrams relayed, as L{place} does of
        one that wants a tunnel.
        """

    def join(client: Leg, origin: Leg, terms: Terms | None = None) -> tuple[str, ITunnel]:
        """
        Have two legs joined by the best relay, for a listener that has carried
        messages and now has a tunnel, as behind a 101 (RFC 9110 section 7.8).

        @param terms: those of the exchange that it was.
        @return: the relay's name, and the tunnel.
        """

    def answered(arrival: Arrival, protocol: str, method: str, target: str, status: int) -> None:
        """
        Record a request that asked for the proxy's own pages.

        @param target: what was asked for, escaped.
        """

    def rejected(
        refusal: Refusal | None,
        client: IAddress,
        listener: str,
        protocol: str,
        arrived: float,
        method: str | None,
        target: str | None,
        arrival: Arrival | None = None,
    ) -> None:
        """
        Record what never became a request: a malformed head, a method that is
        not served.

        @param refusal: what the listener answers; L{None} if the client went
            away first.
        @param arrived: when it began, in seconds of the clock.
        @param method: what was asked for, as far as it is known, escaped.
        @param target: likewise.
        @param arrival: the connection, where more of it is known than C{client}.
        """

    def connectionOpened(descriptor: int) -> None:
        """
        A listener has accepted a connection.

        @param descriptor: the number of its socket's descriptor, which tells how
            many are in use; -1 where it has none of its own.
        """

    def connectionClosed() -> None:
        """
        A connection that was told to L{connectionOpened} is closed, and had not
        been accepted into a tunnel: the switchboard sees to those itself.
        """


class IListenerKind(Interface):
    """
    A protocol that clients speak, found in L{connectproxy.listeners}: a module's
    C{kind}.  It owns listening and not only a factory, since not every protocol
    lives on TCP.
    """

    kindName: str = Attribute("The name, which is the module's.")

    def parseOptions(mapping: Mapping[str, Any], where: str) -> Any:
        """
        Check the keys of a C{[[listen]]} table that are this kind's own.

        @param where: what a message calls the table.
        @raise ValueError: what is wrong and what would be right.
        """

    def listen(reactor: Any, description: str, options: Any, switchboard: ISwitchboard) -> Deferred[Any]:
        """
        Begin to listen.

        @param description: a Twisted server endpoint string.
        @return: a Deferred of L{twisted.internet.interfaces.IListeningPort}; it
            fails as the endpoint's C{listen} does.
        """


class IDialect(IListenerKind):
    """
    A kind of listener that can share a port with others: the first octets of a
    connection tell them apart.
    """

    protocolNames: tuple[str, ...] = Attribute(
        "What it speaks, as the setting C{listen.protocols} names it, as in C{('socks5', 'socks4')}."
    )
    alpn: Mapping[bytes, str] = Attribute(
        "The protocols that a client can ask for by ALPN (RFC 7301), each with one of C{protocolNames}."
    )

    def recognise(octets: bytes) -> str | None:
        """
        Whether a connection that begins so is its.

        @param octets: the first ones, at least one.
        @return: one of C{protocolNames}; C{""} where more octets are needed to
            tell; L{None} for what is not its.  Where two dialects know the same
            octets as theirs, the one that could not tell by the first is meant.
        """

    def buildReceiver(switchboard: ISwitchboard) -> IReceiver:
        """
        What takes the connections of one port.
        """


class IReceiver(Interface):
    """
    Takes connections whose first octets have been read by somebody else.
    """

    def receive(arrival: Arrival, protocol: str) -> IProtocol:
        """
        Make what is going to speak to a client.  It is connected to the transport
        by L{connectproxy.leg.adopt} next, and is then given the octets that were
        read, if there are any.

        The connection has been told to L{ISwitchboard.connectionOpened}; it is
        the protocol that tells L{ISwitchboard.connectionClosed}.  From
        C{connectionMade} on it keeps its own deadlines.

        @param protocol: the one that was recognised.
        """

    def stop() -> None:
        """
        The proxy is being stopped: close what is idle, and serve no more requests
        on connections that are kept.
        """
