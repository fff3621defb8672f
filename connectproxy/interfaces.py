"""
The seams, and the values that cross them.

What a third party may write stands here as a L{zope.interface.Interface}; what
crosses a seam is a named tuple: frozen, without a dictionary, and cheap to make,
since one tunnel makes a handful of them.

The way of a request goes down only: a listener hands an L{IInboundTunnel} to
L{ISwitchboard.place}; the switchboard asks each L{IRule}, connects through an
L{IUpstream} and lets an L{IRelay} join the two legs.  Nothing goes up but calls
of C{accept} and C{refuse} and a Deferred that fires.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolFactory
from zope.interface import Attribute, Interface

from connectproxy.address import Destination
from connectproxy.errors import Refusal

if TYPE_CHECKING:  # leg imports Twisted's protocols, which an interface has no need of
    from connectproxy.leg import Leg

__all__ = [
    "Action", "Attempt", "Established", "IInboundTunnel", "IListenerKind", "IRelay", "IRule",
    "IRuleKind", "ISwitchboard", "ITunnel", "IUpstream", "IUpstreamKind", "Outcome", "Phase",
    "TunnelRequest", "Verdict",
]  # fmt: skip

IPAddress = IPv4Address | IPv6Address


class Phase(Enum):
    """
    How far a request has come; it only ever moves forward.
    """

    ARRIVED = "arrived"
    AUTHENTICATING = "authenticating"
    DECIDING = "deciding"
    DIALLING = "dialling"
    ANSWERING = "answering"
    RELAYING = "relaying"
    DRAINING = "draining"
    DONE = "done"


class Action(Enum):
    """
    What a rule wants done.
    """

    ALLOW = "allow"
    DENY = "deny"


class TunnelRequest(NamedTuple):
    """
    What a client asks for, whatever protocol it asked in.

    @ivar destination: where to.
    @ivar client: the address that policy, limits and events see.
    @ivar listener: the description of the listening port that it came in by.
    @ivar protocol: what the client speaks, as in C{"http/1.1"}.
    @ivar method: the method, as in C{"CONNECT"}.
    @ivar fields: the header fields in the order of arrival, names in lower
        case.  Empty where the protocol has none.
    @ivar arrived: when the request began, in seconds of the reactor's clock.
    """

    destination: Destination
    client: IAddress
    listener: str
    protocol: str
    method: str = "CONNECT"
    fields: tuple[tuple[bytes, bytes], ...] = ()
    arrived: float = 0.0


class Verdict(NamedTuple):
    """
    What a rule decides.

    @ivar action: allow or deny.
    @ivar reason: why, for the client and the log: one sentence without its full
        stop, and without an address that the client did not name itself.
    @ivar rule: the name of the rule.
    @ivar kind: for a denial, the name of the row in L{connectproxy.errors.KINDS}.
    @ivar upstream: for a permission, the name of the upstream to go through;
        L{None} for the default one.
    @ivar reportOnly: the verdict is recorded and has no effect.
    """

    action: Action
    reason: str
    rule: str
    kind: str = "http_request_denied"
    upstream: str | None = None
    reportOnly: bool = False

    def refusal(self) -> Refusal:
        """The refusal that a denial stands for."""
        return Refusal(self.kind, self.reason, self.rule)


class Attempt(NamedTuple):
    """
    One address of a destination and what became of it.

    @ivar address: the address in its usual notation, without the port.
    @ivar result: C{"connected"}, C{"aborted"} for the loser of a race, or the
        name of a row in L{connectproxy.errors.KINDS}.
    @ivar seconds: how long it took; 0.0 for an address that was not dialled.
    """

    address: str
    result: str
    seconds: float


class Established(NamedTuple):
    """
    A connection to the destination.

    @ivar protocol: what the caller's factory built; it is connected.
    @ivar address: the address dialled, as host and port in one string; for a
        chain, the first hop's.
    @ivar tried: every attempt, in the order they were begun.
    @ivar resolved: when the name had been looked up, in seconds of the reactor's
        clock; 0.0 where nothing was looked up.
    """

    protocol: Leg
    address: str
    tried: tuple[Attempt, ...] = ()
    resolved: float = 0.0


class Outcome(NamedTuple):
    """
    How a tunnel ended.

    @ivar endedBy: C{"client"}, C{"origin"} or C{"proxy"}.
    @ivar phase: the phase in which it ended.
    @ivar kind: for a tunnel that opened C{"eof"} (both ends came to their end),
        C{"reset"}, C{"idle_timeout"}, C{"half_open_timeout"},
        C{"lifetime_exceeded"}, C{"drain_timeout"} or C{"aborted"}; for one that
        did not, the refusal's kind or C{"client_gone"}.
    @ivar bytesUp: octets that the origin's socket took from the client.
    @ivar bytesDown: octets that the client's socket took from the origin.
    @ivar seconds: how long the relay had it.
    """

    endedBy: str
    phase: Phase
    kind: str
    bytesUp: int
    bytesDown: int
    seconds: float


class IInboundTunnel(Interface):
    """
    What a listener hands over: one request that wants a tunnel.

    Exactly one of L{accept} and L{refuse} is called, exactly once, unless the
    client has gone before: then neither is.
    """

    request: TunnelRequest = Attribute("The L{TunnelRequest}.")

    def accept(established: Established) -> Leg:
        """
        Answer success in the listener's own dialect, and let go of the
        transport: no octet that arrives from now on is the listener's.

        @return: the client's leg, which a relay takes before anything else
            happens, with whatever the client had sent behind its request.
        """

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


class ISwitchboard(Interface):
    """
    The one place where a request becomes a tunnel.
    """

    clock: Any = Attribute("Tells the time: L{twisted.internet.interfaces.IReactorTime}.")
    wheel: Any = Attribute("Keeps deadlines: L{connectproxy.wheel.Wheel}.")
    settings: Mapping[str, Any] = Attribute("Every setting of the configuration by its key.")

    def place(inbound: IInboundTunnel) -> None:
        """
        Take charge of a request.  Returns nothing: the result goes back by
        C{inbound.accept} or C{inbound.refuse}, perhaps before this returns.
        """

    def rejected(
        refusal: Refusal | None,
        client: IAddress,
        listener: str,
        protocol: str,
        arrived: float,
        method: str | None,
        target: str | None,
    ) -> None:
        """
        Record what never became a request: a malformed head, a method that is
        not served.

        @param refusal: what the listener answers; L{None} if the client went
            away first.
        @param arrived: when it began, in seconds of the clock.
        @param method: what was asked for, as far as it is known, escaped.
        @param target: likewise.
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


class IRule(Interface):
    """
    One rule of the policy: pure, synchronous, asked twice.

    The second question is the guard against server-side request forgery: it
    comes with the very address that is going to be dialled.
    """

    ruleName: str = Attribute("The name in verdicts, answers and events.")

    def decideRequest(request: TunnelRequest) -> Verdict | None:
        """
        Judge the request before anything is looked up.

        @return: a verdict, or L{None} to leave it to the next rule.
        """

    def decideAddress(request: TunnelRequest, address: IPAddress) -> Verdict | None:
        """
        Judge one address that the destination has.

        @return: a verdict, or L{None} to leave it to the next rule.
        """


class IRuleKind(Interface):
    """
    A kind of rule, found in L{connectproxy.rules}: a module's C{kind}.
    """

    kindName: str = Attribute("The name, which is the module's.")
    order: int = Attribute(
        "Where rules of the kind stand when nothing else is said; the lowest is asked first."
    )

    def build(settings: Mapping[str, Any], own: Any) -> IRule:
        """
        @param settings: every setting of the configuration by its key.
        @param own: tells the proxy's own listening addresses; see
            L{connectproxy.own.OwnPorts}.
        """


class IUpstream(Interface):
    """
    A way to a destination.
    """

    def connect(request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        Connect to C{request.destination}.

        C{factory.buildProtocol} is called once, for the connection that counts;
        what a hop's handshake left over reaches the protocol before anything
        that is read later.

        @return: a Deferred of L{Established}.  It fails with
            L{connectproxy.errors.Refused}.  Cancelled, it closes every socket
            that it has begun and fails with C{Refused} as well: a C{dns_timeout}
            in the phase of looking up, a C{connection_timeout} afterwards, so
            that whoever keeps the deadline can pass it on as it is.
        """


class IUpstreamKind(Interface):
    """
    A kind of upstream, found in L{connectproxy.upstreams}: a module's C{kind}.
    """

    kindName: str = Attribute("The name, which is the module's.")

    def build(reactor: Any, settings: Mapping[str, Any], policy: Any, names: Any) -> IUpstream:
        """
        @param policy: what judges addresses; see L{connectproxy.policy.Policy}.
        @param names: looks names up; see L{connectproxy.names.Names}.
        """


class IRelay(Interface):
    """
    Moves bytes between two legs until both have ended.
    """

    relayName: str = Attribute("The name in events.")

    def canJoin(client: Leg, origin: Leg) -> bool:
        """
        Whether this relay can serve these two.  What it declines, another does.
        """

    def join(client: Leg, origin: Leg) -> ITunnel:
        """
        Begin.  What the legs hold goes first; an end of stream on one is passed
        on to the other after all that came before it; a reset is passed on as a
        reset.  Neither leg is lost when this is called.
        """

    def stop() -> None:
        """
        Let go of the reactor and of the system.  There are no tunnels any more.
        """


class ITunnel(Interface):
    """
    Two legs that a relay has joined.
    """

    finished: Deferred[Outcome] = Attribute(
        "Fires when both sockets are closed.  It does not fail, and to cancel it is an error: see L{abort}."
    )
    bytesUp: int = Attribute("Octets that the origin's socket has taken from the client so far.")
    bytesDown: int = Attribute("Octets that the client's socket has taken from the origin so far.")

    def abort(kind: str) -> None:
        """
        Reset both legs, whatever is still under way.  Nothing happens if the
        tunnel is ending already.

        @param kind: what L{Outcome.kind} is going to be; the proxy is named as
            the one who ended it.
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
