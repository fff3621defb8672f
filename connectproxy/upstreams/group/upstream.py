"""
Several next hops as one upstream: who can be asked, what is known of them, and who is told.

How one request goes from one to the next is L{connectproxy.upstreams.group.asking}'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from zope.interface import implementer

from connectproxy.address import Destination
from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import (
    Established,
    IForwardingUpstream,
    IStandingUpstream,
    IUpstream,
    TunnelRequest,
)
from connectproxy.upstreams.group.asking import Asking
from connectproxy.upstreams.group.balance import BALANCES, Balance
from connectproxy.upstreams.group.blame import Blame, blameOf
from connectproxy.upstreams.group.member import Member
from connectproxy.upstreams.group.probing import Probing, reaching
from connectproxy.wheel import Wheel

__all__ = ["ForwardingGroup", "Group", "Manner"]

SHOWN = 8
"""How many members a refusal names."""


class Manner(NamedTuple):
    """
    How a group goes about it.

    @ivar balance: a key of L{BALANCES}.
    @ivar patience: seconds until the next member is asked.
    @ivar probe: C{"connect"}, where the probes lead to, or C{""} for none.
    @ivar interval: seconds between two probes of a member.
    """

    balance: str
    patience: float
    probe: Destination | str
    interval: float


@implementer(IUpstream, IStandingUpstream)
class Group:
    """
    Several next hops.

    @ivar name: what the configuration calls it.
    @ivar clock: tells the time.
    @ivar wheel: keeps the deadlines of what is being asked.
    @ivar patience: seconds until the next member is asked.
    @ivar members: all of them, backups last.
    """

    def __init__(
        self, clock: Any, name: str, members: Sequence[Member], manner: Manner, tell: Callable[..., None]
    ) -> None:
        """
        @param tell: see L{connectproxy.interfaces.Surroundings}.
        """
        self.clock = clock
        self.name = name
        self.wheel = Wheel(clock)
        self.patience = manner.patience
        self.members = tuple(sorted(members, key=lambda member: member.backup))
        self._balance = manner.balance
        self._tell = tell
        self._started = False
        self._busy = 0
        self._tiers: tuple[tuple[tuple[Member, ...], Balance], ...] = tuple(
            (tier, BALANCES[manner.balance](tier))
            for tier in (
                tuple(member for member in self.members if not member.backup),
                tuple(member for member in self.members if member.backup),
            )
            if tier
        )
        self._whole = isinstance(manner.probe, Destination)
        self._probes = tuple(
            Probing(
                clock, self.wheel, member, manner.probe if isinstance(manner.probe, Destination) else None,
                manner.interval, manner.patience, self.probed,
            )
            for member in self.members
            if self._whole or (manner.probe and reaching(member.upstream) is not None)
        )  # fmt: skip

    def connect(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IUpstream.connect}.  Each member is asked once at most, and the failure is that of
        the last one that could be used, or an C{upstream_unavailable}.
        """
        return Asking(self, request, factory, forward=False).begin()

    def choose(self, request: TunnelRequest, asked: Sequence[Member]) -> Member | None:
        """
        The next member for a request; L{None} if none can be used.

        @param asked: those that it has been through.
        """
        for tier, balance in self._tiers:
            ready = [member for member in tier if member.health.ready and member not in asked]
            if ready:
                return balance.pick(ready, request)
        return None

    def canChoose(self, asked: Sequence[Member]) -> bool:
        """
        Whether L{choose} would find one.
        """
        return any(member.health.ready and member not in asked for member in self.members)

    def spare(self, asked: Sequence[Member]) -> Member | None:
        """
        The member to be tried before its time, where none can be used: the one that has been
        left alone for longest.
        """
        spare = [member for member in self.members if member.health.spare and member not in asked]
        return min(spare, key=lambda member: member.health.tried, default=None)

    def begun(self) -> None:
        """
        A request is under way.
        """
        self._busy += 1

    def ended(self) -> None:
        """
        It is not any more.
        """
        self._busy -= 1
        self._rest()

    def answered(self, member: Member, ticket: int) -> None:
        """
        A member has answered a request.

        @param ticket: see L{connectproxy.upstreams.group.health.Health.ask}.
        """
        if member.health.answered(ticket):
            self._back(member)

    def failed(self, member: Member, ticket: int, why: Refusal) -> None:
        """
        A member is at fault for the failure of a request.
        """
        if member.health.failed(ticket, why):
            self._out(member)

    def probed(self, member: Member, refused: Refused | None) -> None:
        """
        A member has been probed.  Where it may be the destination that is at fault, which is the
        same for all, the member is held to be only if another one has got there.
        """
        if refused is None:
            member.probe = True
            if member.health.reached(whole=self._whole):
                self._back(member)
            return
        blame = blameOf(refused)
        if blame is Blame.NOBODY:
            return
        member.probe = False
        others = any(each.probe for each in self.members)
        if (blame is Blame.HOP or not self._whole or others) and member.health.missed(refused.refusal):
            self._out(member)

    def unavailable(self) -> Refused:
        """
        Why no member can be used.
        """
        words = [member.words for member in self.members[:SHOWN]]
        if len(self.members) > SHOWN:
            words.append(f"and {len(self.members) - SHOWN} more")
        detail = f"none of the next hops of {self.name} can be used: {'; '.join(words)}"
        return Refused(Refusal("upstream_unavailable", detail), hop=self.name)

    def start(self) -> None:
        """
        See L{IStandingUpstream.start}.  The members are started by whoever made them.
        """
        if not self._started:
            self._started = True
            for probe in self._probes:
                probe.start()

    def stop(self) -> None:
        """
        See L{IStandingUpstream.stop}.
        """
        if self._started:
            self._started = False
            for probe in self._probes:
                probe.stop()
            self._rest()

    def state(self) -> Mapping[str, Any]:
        """
        See L{IStandingUpstream.state}.
        """
        return {"balance": self._balance, "members": [member.state() for member in self.members]}

    def _rest(self) -> None:
        """
        Leave nothing pending at the clock, if nobody waits for it and nobody is going to.
        """
        if not self._started and not self._busy:
            self.wheel.stop()

    def _out(self, member: Member) -> None:
        """
        Tell that a member is not used any more.
        """
        health = member.health
        self._tell(
            "the next hop {member} of {upstream} is out for {seconds} s, after {failures} failures in a row: {reason}",
            member=member.name,
            upstream=self.name,
            seconds=round(health.wait, 1),
            failures=max(health.failures, health.misses),
            reason=health.last.detail if health.last is not None else "",
        )

    def _back(self, member: Member) -> None:
        """
        Tell that a member is used again.
        """
        self._tell("the next hop {member} of {upstream} is back", member=member.name, upstream=self.name)


@implementer(IForwardingUpstream)
class ForwardingGroup(Group):
    """
    The same, where members take whole messages.
    """

    def forward(self, request: TunnelRequest, factory: IProtocolFactory) -> Deferred[Established]:
        """
        See L{IForwardingUpstream.forward}.  A member that takes no messages is asked for a
        tunnel to the destination, and the form is L{None} then.
        """
        return Asking(self, request, factory, forward=True).begin()
