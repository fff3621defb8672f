"""
One request, from member to member until one leads there.

The next one is asked when the last is at fault, or has not answered for a while; never when
the destination is, or a rule of the hop's.  Until there is an answer no octet of the client's
has gone anywhere, so that nothing is lost by that, and nothing is sent twice.  Each member is
asked once at most.

A member that does not answer is given up only for one that is known to be better: the last one
has all the time that there is.  Who says how long the whole may take is whoever cancels.

When there is no member that can be used, one that is out is tried before its time, the one that
has been left alone for longest: one for each request, and one request at a time for each.  To
refuse everybody until some time is over would go on refusing for minutes after a fault that all
had in common, as that of the network here; to ask them all as if they were well would have
everybody wait for each of them.  So whoever comes while a trial is on is refused at once, and
whoever tries is, after C{attempt_timeout}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure

from connectproxy.errors import Refusal, Refused
from connectproxy.interfaces import Established, TunnelRequest
from connectproxy.upstreams.group.blame import Blame, blameOf
from connectproxy.upstreams.group.member import Member

if TYPE_CHECKING:
    from connectproxy.upstreams.group.upstream import Group

__all__ = ["Asking"]


class Asking:
    """
    One request on its way through a group; a deadline on its wheel.

    @ivar slot: the wheel's.
    """

    __slots__ = (
        "_asked", "_began", "_connecting", "_doubt", "_doubts", "_early", "_factory", "_forward",
        "_group", "_late", "_member", "_request", "_resolved", "_result", "_spared", "_ticket", "_tried",
        "_unwanted", "slot",
    )  # fmt: skip

    def __init__(
        self, group: Group, request: TunnelRequest, factory: IProtocolFactory, *, forward: bool
    ) -> None:
        """
        @param forward: whether the connection is for messages.
        """
        self._group = group
        self._request = request
        self._factory = factory
        self._forward = forward
        self._asked: list[Member] = []
        self._tried: tuple[Any, ...] = ()
        self._resolved = self._began = 0.0
        self._doubt: Refused | None = None
        self._doubts: list[tuple[Member, int, Refusal]] = []
        self._early = self._spared = self._late = self._unwanted = False
        self._member: Any = None
        self._ticket = 0
        self._connecting: Deferred[Established] | None = None
        self._result: Deferred[Established] = Deferred(self._cancelled)
        self.slot = 0

    def begin(self) -> Deferred[Established]:
        """
        Ask the first one.

        @return: as L{connectproxy.interfaces.IUpstream.connect}.
        """
        self._group.begun()
        self._next()
        return self._result

    def _next(self) -> None:
        """
        Ask one that has not been asked.
        """
        group = self._group
        self._early = False
        member = group.choose(self._request, self._asked)
        if member is None and self._doubt is None and not self._spared:
            member = group.spare(self._asked)
            self._early = self._spared = True
        if member is None:
            self._fail(self._doubt or group.unavailable())
            return
        self._asked.append(member)
        self._member = member
        self._ticket = member.health.ask()
        member.asking += 1
        self._began = group.clock.seconds()
        group.wheel.add(self, group.patience)
        ask = member.forward if self._forward else member.connect
        try:
            connecting = ask(self._request, self._factory)
        except Exception:  # noqa: BLE001 - it may be a kind of somebody else's, and nobody may be left waiting
            self._broken(Failure())
            return
        self._connecting = connecting
        connecting.addCallbacks(self._connected, self._failed)

    def expired(self, now: float) -> float | None:
        """
        The one that is being asked has had its time.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        if not self._early and not self._group.canChoose(self._asked):
            return self._group.patience
        self._late = True
        self._connecting.cancel()  # type: ignore[union-attr]
        return None

    def _connected(self, established: Established) -> None:
        """
        There is a way.
        """
        group, member = self._group, self._member
        self._leave()
        group.answered(member, self._ticket)
        for each, ticket, why in self._doubts:
            group.failed(each, ticket, why)
        member.opened(established.protocol.transport)
        self._end()
        tried = self._tried + established.tried if self._tried else established.tried
        self._result.callback(established._replace(member=established.member or member.name, tried=tried))

    def _failed(self, failure: Failure) -> None:
        """
        There is none through this one.
        """
        if not failure.check(Refused):
            self._broken(failure)
            return
        refused: Any = failure.value
        member, ticket = self._member, self._ticket
        self._leave()
        late, self._late = self._late, False
        self._tried += tuple(refused.tried)
        self._resolved = refused.resolved or self._resolved
        refused.member = refused.member or member.name
        blame = blameOf(refused)
        if blame is Blame.DOUBT and self._early:
            blame = Blame.HOP  # it had been in doubt before
        if self._unwanted:
            # Who has had time enough to be connected to and was not is at fault all the same.
            if blame is Blame.HOP and self._group.clock.seconds() - self._began >= self._group.patience:
                self._group.failed(member, ticket, refused.refusal)
            else:
                member.health.released(ticket)
            self._fail(refused)
        elif blame is Blame.HOP:
            self._group.failed(member, ticket, refused.refusal)
            self._next()
        elif blame is Blame.DOUBT:
            self._doubt = refused
            self._doubts.append((member, ticket, refused.refusal))
            self._next()
        elif late:
            self._doubt = refused
            member.health.released(ticket)
            self._next()
        else:
            if blame is Blame.DESTINATION:
                self._group.answered(member, ticket)
            else:
                member.health.released(ticket)
            self._fail(refused)

    def _leave(self) -> None:
        """
        The one that was being asked is not any more.
        """
        self._group.wheel.remove(self)
        self._connecting = None
        self._member.asking -= 1

    def _cancelled(self, result: Deferred[Established]) -> None:
        """
        Nobody waits any more.
        """
        self._unwanted = True
        self._connecting.cancel()  # type: ignore[union-attr]  # fails, and is passed on

    def _broken(self, failure: Failure) -> None:
        """
        What has happened is no refusal, but a bug: it is for whoever asked to tell of.
        """
        self._leave()
        self._member.health.released(self._ticket)
        self._settle()
        self._result.errback(failure)

    def _fail(self, refused: Refused) -> None:
        """
        Give up.
        """
        self._settle()
        refused.tried, refused.resolved = self._tried, self._resolved
        self._result.errback(refused)

    def _settle(self) -> None:
        """
        Nobody has done better than those who are in doubt.
        """
        for member, ticket, _ in self._doubts:
            member.health.released(ticket)
        self._end()

    def _end(self) -> None:
        """
        It is over.
        """
        self._doubts.clear()
        self._group.ended()
