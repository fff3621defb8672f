"""
Test doubles for everything that touches the system, deterministic and explicit: nothing
happens but by a call of the test's.

  - L{FakeReactor}: a L{Clock} with C{connectTCP} (each attempt is made to succeed or fail
    by the test), C{listenTCP}, a L{FakeResolver}, threads and turns.  C{reactor.flush()}
    lets everything happen that is due, without time passing.
  - L{pipePair}: two connected transports.
  - L{Peer}: a protocol that keeps what it hears.  These are L{connectproxy.testing}'s.
  - L{FakeUpstream}, L{FakeInbound}, L{RecordingSwitchboard}, L{RecordingLedger}: the
    seams' other sides.
  - L{SETTINGS} and L{makeSwitchboard}: a real switchboard on all of these.

A dialled connection::

    reactor = FakeReactor()
    ...                                   # the code under test calls connectTCP
    origin = reactor.attempts[0].succeed()  # a Peer, connected
    reactor.attempts[1].fail(errno.ECONNREFUSED)
    origin.transport.write(b"hello")
    reactor.flush()

An accepted one::

    client = port.connect(host="192.0.2.7")  # port: what listenTCP gave
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from connectproxy.address import Destination, parseAuthority
from connectproxy.config import configure
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import (
    Arrival,
    Attempt,
    Established,
    IAuthenticator,
    IInboundExchange,
    IInboundTunnel,
    IRule,
    ISwitchboard,
    ITunnel,
    IUpstream,
    ProxyUser,
    Surroundings,
    Terms,
    TunnelRequest,
)
from connectproxy.ledger import FIELDS, Ledger
from connectproxy.leg import Leg
from connectproxy.limits import Admission
from connectproxy.names import Names
from connectproxy.own import OwnPorts
from connectproxy.policy import InForce, Policy
from connectproxy.regime import Regime
from connectproxy.relay import Timeouts, WiredRelay
from connectproxy.switchboard import Switchboard
from connectproxy.testing.lookups import FakeLookup, FakeResolver, FakeThreads
from connectproxy.testing.memory import FakeAttempt, FakePort, FakeReactor, pipePair
from connectproxy.testing.pipe import KERNEL, FakePipe, FakeTransport, Peer, addressOf
from connectproxy.ways import Base
from connectproxy.wheel import Wheel

__all__ = [
    "KERNEL",
    "SETTINGS",
    "Dial",
    "FakeAttempt",
    "FakeAuthenticator",
    "FakeInbound",
    "FakeLookup",
    "FakePipe",
    "FakePort",
    "FakeReactor",
    "FakeResolver",
    "FakeThreads",
    "FakeTransport",
    "FakeUpstream",
    "Peer",
    "RecordingLedger",
    "RecordingSwitchboard",
    "addressOf",
    "makeRequest",
    "makeSwitchboard",
    "pipePair",
]

SETTINGS: Mapping[str, Any] = MappingProxyType(dict(configure()))
"""Every setting by its key, with its default.  Change one: C{{**SETTINGS, "timeouts.idle": 5}}."""


def makeRequest(target: str = "example.com:443", **fields: Any) -> TunnelRequest:
    """
    A request for a tunnel to an authority.

    @param fields: other fields of the L{TunnelRequest} than usual.
    """
    destination = parseAuthority(target.encode("ascii"))
    assert isinstance(destination, Destination), destination
    usual = {"client": addressOf("192.0.2.7", 51000), "listener": "tcp:8080", "protocol": "http/1.1"}
    return TunnelRequest(destination, **{**usual, **fields})


class RecordingLedger(Ledger):
    """
    A ledger that keeps its events and writes nothing.

    @ivar events: what was told, one dictionary each.
    @ivar closed: it was closed.
    """

    def __init__(self) -> None:
        Ledger.__init__(self, clock=lambda: 1_700_000_000.0)
        self.events: list[dict[str, Any]] = []
        self.closed = False

    def write(self, known: dict[str, Any]) -> None:
        unknown = set(known) - set(FIELDS)
        assert not unknown, f"fields that are not declared: {unknown}"
        self.events.append(known)

    def close(self) -> None:
        self.closed = True


class Dial:
    """
    One call of L{FakeUpstream.connect}.

    @ivar request: what was asked for.
    @ivar factory: what is to build the protocol.
    @ivar cancelled: whoever asked has given it up.
    """

    def __init__(self, reactor: FakeReactor, request: TunnelRequest, factory: Any) -> None:
        self._reactor = reactor
        self.request = request
        self.factory = factory
        self.cancelled = False
        self.result: Deferred[Established] = Deferred(self._cancel)

    def _cancel(self, result: Deferred[Established]) -> None:
        self.cancelled = True
        result.errback(Refused(Refusal("connection_timeout", "it was cancelled")))

    def succeed(
        self, peer: Any = None, *, early: bytes = b"", capacity: int = KERNEL, members: str = ""
    ) -> Any:
        """
        Be connected.

        @param early: what the origin has sent before anybody reads.
        @param members: what next hops have said, as L{Established.members}.
        @return: the origin's protocol, connected: C{peer}, by default a new L{Peer}.
        """
        peer = Peer() if peer is None else peer
        here, there = addressOf("192.0.2.1", 50000), addressOf("198.51.100.1", self.request.destination.port)
        protocol = self.factory.buildProtocol(there)
        self._reactor.pipe(protocol, peer, capacity, here, there)
        if early:
            protocol.dataReceived(early)
        address = f"{there.host}:{there.port}"
        tried = (Attempt(there.host, "connected", 0.0),)
        self.result.callback(Established(protocol, address, tried, seen=address, members=members))
        return peer

    def fail(self, kind: str = "connection_refused", detail: str = "", tried: tuple[Any, ...] = ()) -> None:
        """
        Not be connected.
        """
        self.result.errback(Refused(Refusal(kind, detail), tried))


@implementer(IUpstream)
class FakeUpstream:
    """
    Connects when the test says so.

    @ivar dials: every call so far.
    """

    def __init__(self, reactor: FakeReactor) -> None:
        self._reactor = reactor
        self.dials: list[Dial] = []

    def connect(self, request: TunnelRequest, factory: Any) -> Deferred[Established]:
        dial = Dial(self._reactor, request, factory)
        self.dials.append(dial)
        return dial.result


@implementer(IInboundTunnel)
class FakeInbound:
    """
    A request with its client, as a listener hands it over.

    @ivar client: the client's own protocol, a L{Peer}; connected through a fake pipe.
    @ivar accepted: the L{Established} that it was answered with, or L{None}.
    @ivar refused: the L{Refusal} that it was answered with, or L{None}.
    """

    def __init__(
        self,
        reactor: FakeReactor,
        request: TunnelRequest | None = None,
        *,
        early: bytes = b"",
        ended: bool = False,
    ) -> None:
        self.request = makeRequest() if request is None else request
        self.client = Peer()
        self.accepted: Established | None = None
        self.refused: Refusal | None = None
        self._whenLost: Any = None
        self._early = early
        self._ended = ended
        self.transport = pipePair(reactor, self.client, Protocol()).second

    def accept(self, established: Established) -> Leg:
        assert self.accepted is None and self.refused is None, "answered twice"
        self.accepted = established
        return Leg.of(self.transport, self._early, ended=self._ended)

    def refuse(self, refusal: Refusal) -> None:
        assert self.accepted is None and self.refused is None, "answered twice"
        self.refused = refusal

    def whenLost(self, callback: Any) -> None:
        self._whenLost = callback

    def vanish(self) -> None:
        """
        The client goes away before it has its answer.
        """
        assert self.accepted is None and self.refused is None, "it has its answer"
        if self._whenLost is not None:
            whenLost, self._whenLost = self._whenLost, None
            whenLost()


@implementer(IAuthenticator)
class FakeAuthenticator:
    """
    Knows one user, and answers at once or when the test says so.

    @ivar waiting: what has been asked and not been answered, where C{later}.
    @ivar cancelled: how many of them nobody wants to know any more.
    @ivar asked: the requests that it was asked about.
    """

    def __init__(
        self, user: str = "ann", password: str = "secret", *, later: bool = False, mode: str = "required"
    ) -> None:
        self.user = ProxyUser(user, frozenset({"staff"}), (), "basic")
        self.later = later
        self.mode = mode
        self.waiting: list[Deferred[Any]] = []
        self.cancelled = 0
        self.asked: list[TunnelRequest] = []
        self.right = b64encode(f"{user}:{password}".encode())
        self._pair = user.encode(), password.encode()

    def asks(self, arrival: Arrival) -> str:
        return arrival.authentication or self.mode

    def known(self, arrival: Arrival) -> ProxyUser | None:
        return None

    def unsafe(self, arrival: Arrival) -> Refusal | None:
        return None

    def identify(self, request: TunnelRequest) -> Any:
        self.asked.append(request)
        said = [value for name, value in request.fields if name == b"proxy-authorization"]
        if not said and self.mode == "optional":
            return self._answer(None)
        return self._answer(self.user if said == [b"Basic " + self.right] else self.refusal)

    def check(self, user: bytes, password: bytes, arrival: Arrival) -> Any:
        return self._answer(self.user if (user, password) == self._pair else self.refusal)

    refusal = Refusal(
        "proxy_authentication_required", "who are you?", fields=(("Proxy-Authenticate", "Basic"),)
    )

    def _answer(self, found: Any) -> Any:
        if not self.later:
            return found

        def cancel(waiting: Deferred[Any]) -> None:
            self.cancelled += 1
            waiting.callback(self.refusal)

        waiting: Deferred[Any] = Deferred(cancel)
        self.waiting.append(waiting)
        self._found = found
        return waiting

    def answer(self) -> None:
        """
        Say what there is to be said on the request that was asked about last.
        """
        self.waiting.pop().callback(self._found)


@implementer(ISwitchboard)
class RecordingSwitchboard:
    """
    Takes requests and leaves them to the test.

    @ivar placed: the inbound tunnels, in order.
    @ivar forwarded: the inbound exchanges, in order.
    @ivar rejections: the arguments of each call of C{rejected}, without the arrival.
    @ivar answers: the arguments of each call of C{answered}.
    @ivar associated: the inbound datagrams, in order.
    @ivar joined: the pairs of legs that were to be joined.
    @ivar opened: how many connections were told of.
    @ivar closed: how many of them were told to be closed.
    """

    def __init__(self, reactor: Any, settings: Mapping[str, Any] = SETTINGS) -> None:
        self.clock = reactor
        self.wheel = Wheel(reactor)
        self.settings = settings
        self.authenticator: Any = None
        self.draining = False
        self.via = b"fake-via"
        self.placed: list[Any] = []
        self.forwarded: list[Any] = []
        self.answers: list[tuple[Any, ...]] = []
        self.associated: list[Any] = []
        self.joined: list[tuple[Leg, Leg]] = []
        self.rejections: list[tuple[Any, ...]] = []
        self.opened = 0
        self.closed = 0

    def place(self, inbound: IInboundTunnel) -> None:
        self.placed.append(inbound)

    def forward(self, exchange: IInboundExchange) -> None:
        self.forwarded.append(exchange)

    def associate(self, inbound: Any) -> None:
        self.associated.append(inbound)

    def join(self, client: Leg, origin: Leg, terms: Terms | None = None) -> tuple[str, ITunnel]:
        self.joined.append((client, origin))
        return "wired", WiredRelay(self.clock, self.wheel).join(client, origin)

    def answered(self, arrival: Arrival, protocol: str, method: str, target: str, status: int) -> None:
        self.answers.append((arrival, protocol, method, target, status))

    def rejected(
        self,
        refusal: Refusal | None,
        client: IAddress,
        listener: str,
        protocol: str,
        arrived: float,
        method: str | None,
        target: str | None,
        arrival: Arrival | None = None,
    ) -> None:
        self.rejections.append((refusal, client, listener, protocol, arrived, method, target))

    def connectionOpened(self, descriptor: int) -> None:
        self.opened += 1

    def connectionClosed(self) -> None:
        self.closed += 1


def makeSurroundings(reactor: Any, **more: Any) -> Surroundings:
    """
    What an upstream is built in, on fakes.

    @param more: what is to be otherwise, by name; C{reach} gives a L{FakeUpstream} by default,
        the same for every name.
    """
    straight = FakeUpstream(reactor)
    known = {
        "settings": SETTINGS, "policy": Policy(), "names": Names(reactor), "name": "corp", "via": b"fake-via",
        "reach": lambda name: straight, "tell": lambda text, **fields: None, **more,
    }  # fmt: skip
    return Surroundings(reactor, **known)


def makeBase(reactor: Any, own: OwnPorts | None = None, **more: Any) -> Base:
    """
    What ways are built on, on fakes.
    """
    known = {
        "policy": InForce(Policy()), "names": Names(reactor), "own": own or OwnPorts(), "via": b"fake-via",
        "tell": lambda text, **fields: None, **more,
    }  # fmt: skip
    return Base(reactor, **known)


def makeSwitchboard(
    reactor: FakeReactor | None = None,
    *,
    rules: Iterable[IRule] = (),
    upstreams: Mapping[str, IUpstream] | None = None,
    relays: Iterable[Any] = (),
    settings: Mapping[str, Any] = SETTINGS,
    authenticator: Any = None,
    datagrams: Any = None,
    policy: Policy | None = None,
    shadow: Policy | None = None,
    accounts: Any = None,
    audit: Any = None,
) -> Any:
    """
    A real L{Switchboard} on fakes: C{board.clock} is the reactor, C{board.ledger} a
    L{RecordingLedger} and C{board.upstreams["direct"]} a L{FakeUpstream}.

    @param relays: by default one L{WiredRelay}.
    @param policy: by default one of the C{rules}.
    """
    reactor = FakeReactor() if reactor is None else reactor
    wheel = Wheel(reactor)
    limits = Timeouts(
        settings["timeouts.idle"], settings["timeouts.half_open"], settings["timeouts.lifetime"]
    )
    regime = Regime(settings, policy or Policy(rules), shadow, authenticator, "00000000")
    return Switchboard(
        reactor,
        wheel,
        regime,
        {"direct": FakeUpstream(reactor)} if upstreams is None else upstreams,
        tuple(relays) or (WiredRelay(reactor, wheel, limits),),
        RecordingLedger(),
        Admission(wheel, settings["limits.tunnels"], 1 << 20, settings["limits.tunnels_per_client"]),
        accounts=accounts,
        audit=audit,
        datagrams=datagrams,
    )
