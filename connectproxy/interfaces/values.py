"""
The values that cross the seams: named tuples, frozen, without a dictionary, and
cheap to make, since one tunnel makes a handful of them.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.interfaces import IAddress

from connectproxy.address import Destination
from connectproxy.errors import Refusal
from connectproxy.interfaces.identity import ProxyUser

if TYPE_CHECKING:  # leg imports Twisted's protocols, which a value has no need of
    from connectproxy.leg import Leg

__all__ = [
    "STALE",
    "Action",
    "Arrival",
    "Attempt",
    "Bounds",
    "Established",
    "IPAddress",
    "Outcome",
    "Phase",
    "Terms",
    "Timeouts",
    "TunnelRequest",
    "Verdict",
]

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


class Arrival(NamedTuple):
    """
    A client's connection, as what stands before its protocol found it.

    @ivar client: the address that policy, limits and events see: the socket's,
        or the one that a trusted sender's PROXY header names.
    @ivar listener: the description of the listening port that it came in by.
    @ivar arrived: when it was accepted, in seconds of the reactor's clock.
    @ivar tls: the version of TLS that the client speaks to the proxy, as in
        C{"TLSv1.3"}; L{None} where it speaks in clear.
    @ivar certificate: what the client's certificate says, where it has shown one
        that a trusted authority has signed: a
        L{connectproxy.tls.identity.ClientCertificate}.
    @ivar sender: who sent the PROXY header; L{None} without one.
    @ivar authentication: whether clients say who they are: C{"required"},
        C{"optional"} or C{"off"}, as the listening port has it; empty where it does
        not say, and the rest of the configuration does.
    @ivar tlvs: types and values behind the addresses of the PROXY header.
    """

    client: IAddress
    listener: str
    arrived: float
    tls: str | None = None
    certificate: Any = None
    sender: IAddress | None = None
    authentication: str = ""
    tlvs: tuple[tuple[int, bytes], ...] = ()


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
    @ivar identity: who asks, where that has been found out; L{None} where the request's
        fields have to say it, or nobody is asked.
    @ivar arrival: the connection that the request came by.
    @ivar target: the request's target as it was sent, which is what a Digest's C{uri}
        has to be: the authority or the whole URI.  Empty where the protocol has none.
    @ivar judged: the destination is not what the client has named, and is not to be judged by
        its rules: an address of that, which has been judged, or a next hop, which the operator
        has named.
    """

    destination: Destination
    client: IAddress
    listener: str
    protocol: str
    method: str = "CONNECT"
    fields: tuple[tuple[bytes, bytes], ...] = ()
    arrived: float = 0.0
    identity: ProxyUser | None = None
    arrival: Arrival | None = None
    target: bytes = b""
    judged: bool = False

    @property
    def user(self) -> str | None:
        """The name of who asks."""
        return None if self.identity is None else self.identity.name

    @property
    def scheme(self) -> str:
        """
        What kind of traffic it is: C{"tcp"} for a tunnel, C{"udp"} for datagrams,
        C{"http"} for a message that is forwarded.
        """
        return _SCHEMES.get(self.method, "http")

    def __repr__(self) -> str:
        """Without the fields: one of them may be what proves who somebody is."""
        return f"TunnelRequest({self.method} {self.destination}, {self.protocol}, {len(self.fields)} fields)"


_SCHEMES = {"CONNECT": "tcp", "UDP ASSOCIATE": "udp", "UDP": "udp"}


class Bounds(NamedTuple):
    """
    The deadlines that a rule sets for what it allows, in seconds; L{None} for those of
    the configuration, 0 for none.

    @ivar connect: from the request to its answer.
    @ivar idle: without an octet in either direction.
    @ivar lifetime: of a tunnel, in all.
    """

    connect: float | None = None
    idle: float | None = None
    lifetime: float | None = None


class Timeouts(NamedTuple):
    """
    How long a tunnel may be without something, in seconds; 0 for no limit.

    @ivar idle: without an octet in either direction.
    @ivar halfOpen: without an octet after one side has ended its stream.
    @ivar lifetime: in all.
    """

    idle: float = 3600.0
    halfOpen: float = 120.0
    lifetime: float = 0.0


class Terms(NamedTuple):
    """
    What one tunnel, or one exchange of messages, is carried by, other than usual.

    @ivar timeouts: its deadlines; L{None} for those of the configuration.
    @ivar shapers: pairs of what limits its rate, upwards and downwards, each shared
        with whatever counts to the same limit; see L{connectproxy.limits}.
    """

    timeouts: Timeouts | None = None
    shapers: tuple[tuple[Any, Any], ...] = ()


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
    @ivar provisional: the rule has looked at all but what is not known yet, the address
        or the TLS server name, and decides so if that fits, too.
    @ivar message: for a denial, the operator's words for the client: what to do about it.
    @ivar bounds: for a permission, the deadlines of what it allows.
    @ivar reports: of a policy's verdict: the denials that would have gone before it, but
        only report, as C{"rule: reason"}.
    """

    action: Action
    reason: str
    rule: str
    kind: str = "http_request_denied"
    upstream: str | None = None
    reportOnly: bool = False
    provisional: bool = False
    message: str = ""
    bounds: Bounds | None = None
    reports: tuple[str, ...] = ()

    def refusal(self) -> Refusal:
        """The refusal that a denial stands for."""
        return Refusal(self.kind, self.reason, self.rule, self.message)


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
    @ivar seen: the destination's own address, which has been judged, as C{address} has
        it; empty where only a next hop gets to know it.
    @ivar member: the name of the upstream that is gone through, where a group had the
        choice; else empty.
    @ivar members: the members of the C{Proxy-Status} field that a next hop has answered
        with, as L{connectproxy.errors.Refusal.members}.
    @ivar form: how a message is put to a next hop that forwards it itself; L{None}
        where the connection leads to the destination.
    """

    protocol: Leg
    address: str
    tried: tuple[Attempt, ...] = ()
    resolved: float = 0.0
    seen: str = ""
    member: str = ""
    members: str = ""
    form: Any = None


class Outcome(NamedTuple):
    """
    How a tunnel ended.

    @ivar endedBy: C{"client"}, C{"origin"} or C{"proxy"}.
    @ivar phase: the phase in which it ended.
    @ivar kind: for a tunnel that opened C{"eof"} (both ends came to their end),
        C{"truncated"} (the same, by a TLS client without a close_notify),
        C{"reset"}, C{"idle_timeout"}, C{"half_open_timeout"},
        C{"lifetime_exceeded"}, C{"drain_timeout"} or C{"aborted"}; for an
        exchange of messages C{"complete"}, or how it failed; L{STALE} for one
        that has to be begun again; for what did not open, C{"refused"} or
        C{"client_gone"}.
    @ivar bytesUp: octets that the origin's socket took from the client; of an
        exchange, those of the request's content, framing of chunks included.
    @ivar bytesDown: octets that the client's socket took from the origin; of an
        exchange, those of the response's content, likewise.
    @ivar seconds: how long the relay had it.
    @ivar status: the status code that the client was answered.
    @ivar refusal: why an exchange failed after its connection was there; the
        client has been answered accordingly, if it could be.
    """

    endedBy: str
    phase: Phase
    kind: str
    bytesUp: int
    bytesDown: int
    seconds: float
    status: int | None = 200
    refusal: Refusal | None = None


STALE = "stale"
"""
The L{Outcome.kind} of an exchange whose connection, an idle one, had been closed by
the origin before any octet of an answer (RFC 9112 section 9.3.1), or to whose request a
next hop has answered 407 and can be asked again: nothing has been lost, and it can be
begun again on another connection.
"""
