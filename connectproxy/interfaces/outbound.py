"""
The seams on the destination's side: what judges a request, what leads to where it
wants to go, and what moves the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from zope.interface import Attribute, Interface

from connectproxy.interfaces.values import Established, IPAddress, Outcome, Terms, TunnelRequest, Verdict

if TYPE_CHECKING:
    from connectproxy.leg import Leg

__all__ = [
    "IForwardingUpstream",
    "IHopUpstream",
    "INameRule",
    "IRelay",
    "IRule",
    "IRuleKind",
    "IStandingUpstream",
    "ITunnel",
    "IUpstream",
    "IUpstreamKind",
    "Surroundings",
]


class IRule(Interface):
    """
    One rule of the policy: pure, synchronous, asked once about a request and once about each address.

    The second question is the guard against server-side request forgery: it
    comes with the very address that is going to be dialled.

    A rule that also provides L{INameRule} is asked a third time.
    """

    ruleName: str = Attribute("The name in verdicts, answers and events.")

    def decideRequest(request: TunnelRequest) -> Verdict | None:
        """
        Judge the request before anything is looked up.

        @return: a verdict, or L{None} to leave it to the next rule.  A verdict that
            holds only if the address or the TLS server name fits is C{provisional}.
        """

    def decideAddress(request: TunnelRequest, address: IPAddress) -> Verdict | None:
        """
        Judge the request once more, with one address that the destination has.

        The rules are asked in their order again, so one that has decided without the
        address says the same again; one that never looks at a request without it, as a
        guard, has said nothing before.

        @return: as L{decideRequest}.
        """


class INameRule(IRule):
    """
    A rule that looks at the server name of a TLS ClientHello (RFC 6066 section 3),
    which is read, and not consumed, before the first octet goes to the destination.
    """

    def wantsServerName(request: TunnelRequest) -> bool:
        """
        Whether the name could matter to the rule's verdict on a request.
        """

    def decideServerName(request: TunnelRequest, address: IPAddress | None, name: str) -> Verdict | None:
        """
        Judge the request once more, with everything that can be known.

        @param address: the one that was dialled; L{None} where that was not ours to see.
        @param name: in lower case; empty where the client does not begin with TLS, or
            sends no name.
        @return: as L{decideRequest}; not provisional.
        """


class IRuleKind(Interface):
    """
    A kind of rule, found in L{connectproxy.rules}: a module's C{kind}; or among Twisted's
    plugins, where a C{[[rule]]} names it in its key C{kind}.

    Those of our own stand in front of all C{[[rule]]}s, in their order, but for one that a
    C{[[rule]]} names, which stands where that does.
    """

    kindName: str = Attribute("The name; of our own, the module's.")
    order: int = Attribute(
        "Where rules of the kind stand when nothing else is said; the lowest is asked first."
    )

    def build(settings: Mapping[str, Any], own: Any, options: Mapping[str, Any] = ...) -> IRule:
        """
        @param settings: every setting of the configuration by its key.
        @param own: tells the proxy's own listening addresses; see
            L{connectproxy.own.OwnPorts}.
        @param options: the C{options} of the C{[[rule]]} that names it, which nobody has
            checked; left out where there is none.
        @raise ValueError: what is wrong with settings or options and what would be right,
            one sentence without its full stop.
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


class IHopUpstream(IUpstream):
    """
    An upstream with a next hop that can be connected to without asking it for anything.
    """

    def reach(request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        Connect to the next hop itself, with TLS begun where that is spoken to it.

        @return: as L{IUpstream.connect}.  What fails is the hop's fault, or that of one
            before it.
        """


class IForwardingUpstream(IUpstream):
    """
    An upstream whose next hop takes whole messages too: a proxy that speaks HTTP.
    """

    def forward(request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        Connect to the next hop itself, for a message to C{request.destination} in
        absolute-form (RFC 9112 section 3.2.2).

        @return: as L{IUpstream.connect}, with L{Established.form}: a
            L{connectproxy.wire.forwarding.HopForm}.
        """


class IStandingUpstream(IUpstream):
    """
    An upstream that holds something between requests: connections, timers, what it knows
    of its members.
    """

    def start() -> None:
        """
        Requests may come from now on.
        """

    def stop() -> None:
        """
        No more requests come.  What is under way goes on; nothing is left of the rest.
        Nothing happens if it has not been started.
        """

    def state() -> Mapping[str, Any]:
        """
        What there is to know for an operator, as JSON has it; see docs/upstreams.md.
        """


class Surroundings(NamedTuple):
    """
    What an upstream is built in.

    @ivar reactor: provides the time, C{connectTCP} and whatever else the endpoints want.
    @ivar settings: every setting of the configuration by its key.
    @ivar policy: what judges addresses; see L{connectproxy.policy.Policy}.
    @ivar names: looks names up; see L{connectproxy.names.Names}.
    @ivar name: what the configuration calls the upstream; empty for one that is there
        without being configured.
    @ivar via: what this proxy calls itself in C{Via} fields.
    @ivar reach: gives the upstream of a name, which has been built before; that of the
        empty name leads to next hops: straight, and, for requests that say C{judged},
        whatever their addresses are but for the proxy's own.
    @ivar tell: takes what has become of a next hop, for the log: a format of
        L{twisted.logger} and, by name, what is in it.
    """

    reactor: Any
    settings: Mapping[str, Any]
    policy: Any
    names: Any
    name: str
    via: bytes
    reach: Callable[[str], IUpstream]
    tell: Callable[..., None]


class IUpstreamKind(Interface):
    """
    A kind of upstream, found in L{connectproxy.upstreams}: a module's C{kind}; or by the
    entry points of a distribution, in the group C{connectproxy.upstreams}.
    """

    kindName: str = Attribute("The name; of our own, the module's.")
    schemes: tuple[str, ...] = Attribute(
        "The schemes of the URLs that name one, in lower case; none for the way that is straight, and for groups."
    )

    def build(surroundings: Surroundings, options: Mapping[str, Any]) -> IUpstream:
        """
        Make one.  This may read files and blocks; it touches neither the network nor the
        reactor: see L{IStandingUpstream.start}.

        @param options: the value of each key of the C{[[upstream]]}, defaults filled in,
            and C{options} for those of a kind that is not ours, which nobody has checked.
            Empty for the way that is straight.
        @raise ValueError: what is wrong with the options and what would be right, one
            sentence without its full stop.
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

    def join(client: Leg, origin: Leg, terms: Terms | None = None) -> ITunnel:
        """
        Begin.  What the legs hold goes first; an end of stream on one is passed
        on to the other after all that came before it; a reset is passed on as a
        reset.  Neither leg is lost when this is called.

        @param terms: what it is carried by, where that is not what all are.
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
