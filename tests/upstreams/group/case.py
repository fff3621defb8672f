"""
What the tests of groups have in common: next hops that do what the test says, and a group of
them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import (
    Attempt,
    Established,
    IForwardingUpstream,
    IHopUpstream,
    IUpstream,
    Surroundings,
    TunnelRequest,
)
from connectproxy.leg import Leg
from connectproxy.upstreams.group import kind
from tests.fakes import SETTINGS, FakeReactor, Peer, makeRequest, pipePair

OPTIONS: dict[str, Any] = {
    "members": ("a", "b", "c"),
    "backups": (),
    "weights": {},
    "balance": "round-robin",
    "failures": 3,
    "retry_after": 5.0,
    "retry_after_most": 300.0,
    "attempt_timeout": 3.0,
    "probe": "",
    "probe_interval": 10.0,
}


class Call:
    """
    One call of a next hop.

    @ivar how: C{"connect"}, C{"forward"} or C{"reach"}.
    @ivar cancelled: whoever asked has given it up.
    """

    def __init__(self, hop: FakeHop, how: str, request: TunnelRequest, factory: Any) -> None:
        self.hop = hop
        self.how = how
        self.request = request
        self.factory = factory
        self.cancelled = False
        self.result: Deferred[Established] = Deferred(self._cancel)

    def _cancel(self, result: Deferred[Established]) -> None:
        self.cancelled = True
        self.fail(self.hop.silence, hop=self.hop.blamed)

    def succeed(self, peer: Any = None, *, form: Any = None) -> Any:
        """
        Be connected.

        @return: the far end.
        """
        peer = Peer() if peer is None else peer
        protocol = self.factory.buildProtocol(None)
        pipePair(self.hop.reactor, protocol, peer)
        tried = (Attempt(f"of {self.hop.name}", "connected", 0.1),)
        self.result.callback(Established(protocol, f"{self.hop.name}:3128", tried, 1.0, form=form))
        return peer

    def fail(self, kind: str = "connection_refused", *, hop: str | None = None, received: int = 0) -> None:
        """
        Not be connected.

        @param hop: who is at fault; by default the next hop itself.
        """
        name = self.hop.name
        refusal = Refusal(
            kind, f"the next hop {name}: {kind} for {self.request.destination}", received=received
        )
        tried = (Attempt(f"of {name}", kind, 0.1),)
        self.result.errback(Refused(refusal, tried, 2.0, name if hop is None else hop))


@implementer(IUpstream)
class FakeHop:
    """
    A next hop that connects when the test says so.

    @ivar calls: every call so far.
    @ivar silence: what a call that is cancelled fails with.
    @ivar blamed: who is at fault for that; L{None} for the next hop itself.
    @ivar does: called with every call, at once; L{None} to leave it to the test.
    """

    def __init__(self, reactor: FakeReactor, name: str) -> None:
        self.reactor = reactor
        self.name = name
        self.calls: list[Call] = []
        self.silence = "next_hop_silent"
        self.blamed: str | None = None
        self.does: Any = None

    def connect(self, request: TunnelRequest, factory: Any) -> Deferred[Established]:
        return self._called("connect", request, factory)

    def _called(self, how: str, request: TunnelRequest, factory: Any) -> Deferred[Established]:
        call = Call(self, how, request, factory)
        self.calls.append(call)
        if self.does is not None:
            self.does(call)
        return call.result


@implementer(IForwardingUpstream)
class ForwardingHop(FakeHop):
    """
    One that takes whole messages, too.
    """

    def forward(self, request: TunnelRequest, factory: Any) -> Deferred[Established]:
        return self._called("forward", request, factory)


@implementer(IHopUpstream)
class ReachableHop(FakeHop):
    """
    One that can be connected to without a word.
    """

    def reach(self, request: TunnelRequest, factory: Any) -> Deferred[Established]:
        return self._called("reach", request, factory)


class GroupCase(SynchronousTestCase):
    """
    A group of next hops.

    @cvar options: those that are not L{OPTIONS}.
    @cvar hop: what its members are.
    """

    options: dict[str, Any] = {}
    hop: Any = FakeHop

    def setUp(self) -> None:
        """
        Nobody has asked yet.  The time is not 0, which stands for nothing.
        """
        self.reactor = FakeReactor()
        self.reactor.advance(100.0)
        self.told: list[str] = []
        self.build()

    def build(self, **options: Any) -> None:
        """
        Make the group anew, with some other options.
        """
        options = {**OPTIONS, **self.options, **options}
        names = (*options["members"], *options["backups"])
        self.hops = {name: self.hop(self.reactor, name) for name in names}
        surroundings = Surroundings(
            self.reactor, SETTINGS, None, None, "corp", b"via", self.hops.__getitem__, self.tell
        )
        self.group: Any = kind.build(surroundings, options)

    def tell(self, words: str, **fields: Any) -> None:
        """
        Keep what is said to the log.
        """
        self.told.append(words.format(**fields))

    def member(self, name: str) -> Any:
        """
        One of the group's.
        """
        (found,) = [member for member in self.group.members if member.name == name]
        return found

    def stateOf(self, name: str) -> Any:
        """
        What the group tells of one.
        """
        (found,) = [each for each in self.group.state()["members"] if each["name"] == name]
        return found

    def ask(self, target: str = "example.com:443", **fields: Any) -> Deferred[Any]:
        """
        Ask for a tunnel.
        """
        factory = Factory.forProtocol(Leg)
        factory.noisy = False
        return self.group.connect(makeRequest(target, **fields), factory)  # type: ignore[no-any-return]

    def pending(self) -> list[Call]:
        """
        What has been asked and not answered, in the order of the names.
        """
        return [call for hop in self.hops.values() for call in hop.calls if not call.result.called]

    def asked(self) -> str:
        """
        The names of those that are being asked.
        """
        return "".join(call.hop.name for call in self.pending())

    def counts(self) -> list[int]:
        """
        How often each has been asked, in the order of the names.
        """
        return [len(hop.calls) for hop in self.hops.values()]

    def refused(self, asking: Deferred[Any]) -> Any:
        """
        How a request has failed.
        """
        return self.failureResultOf(asking, Refused).value

    def takeOut(self, *names: str, kind: str = "connection_refused") -> None:
        """
        Have members fail until they are out.
        """
        for name in names:
            member = self.member(name)
            while not member.health.out:
                self.group.failed(member, member.health.ask(), Refusal(kind, f"the next hop {name}: {kind}"))
