"""
The way of a request through the door: who asks, and whether the limits let it in.

Both can take their time, a password that has to be hashed and a quota that somebody else
counts, so that the client may go away, or the time be up, in between.  Tunnels
(L{connectproxy.call}) and datagrams (L{connectproxy.association}) come in by it alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from connectproxy.errors import Refusal
from connectproxy.interfaces import Identified, Phase, ProxyUser, TunnelRequest

if TYPE_CHECKING:
    from connectproxy.limits import Admission
    from connectproxy.switchboard import Switchboard

__all__ = ["Entry", "count", "settled"]


def settled(request: TunnelRequest, identity: ProxyUser | None) -> TunnelRequest:
    """
    A request whose user is known, without what has proved it.
    """
    fields = tuple(each for each in request.fields if each[0] != b"proxy-authorization")
    return request._replace(identity=identity, fields=fields)


def count(admission: Admission, request: TunnelRequest) -> tuple[str, str | None] | Refusal:
    """
    Count a request as one of its client's: of the user's, or of the address's where
    nobody is known.

    @return: what L{Admission.leave} is given when it is over; or why it is one too many.
    """
    user = request.user
    share = ("user", user) if user is not None else ("host", getattr(request.client, "host", None))
    if admission.enter(share):
        return share
    detail = f"the client has {admission.perClient} tunnels open, which is the limit for one"
    return Refusal("client_limit_reached", detail, fields=(("Retry-After", "1"),))


class Entry:
    """
    One request at the door.

    @ivar phase: how far it has come.
    @ivar slot: the wheel's, for the deadline of everything before the answer.
    """

    __slots__ = (
        "_began", "_board", "_gone", "_inbound", "_instead", "_pass", "_regime", "_share", "_waiting",
        "phase", "request", "slot",
    )  # fmt: skip

    def __init__(self, board: Switchboard, inbound: Any) -> None:
        """
        @param inbound: an L{connectproxy.interfaces.IInbound}.
        """
        self._board = board
        self._regime = board.regime
        self._inbound = inbound
        self.request: TunnelRequest = inbound.request
        self.phase = Phase.ARRIVED
        self.slot = 0
        self._began = board.clock.seconds()
        self._gone = False
        self._instead: Refusal | None = None
        self._share: tuple[str, str | None] | None = None
        self._pass: Any = None
        self._waiting: Deferred[Any] | None = None

    def enter(self) -> None:
        """
        Find out who asks.  It ends with L{_entered}, or with a refusal.
        """
        self._inbound.whenLost(self.clientGone)
        authenticator = self._regime.authenticator
        if authenticator is None or self.request.identity is not None:
            self._count()
            return
        self.phase = Phase.AUTHENTICATING
        found = authenticator.identify(self.request)
        if isinstance(found, Deferred):
            self._await(found, self._identified)
        else:
            self._identified(found)

    def _await(self, result: Deferred[Any], then: Callable[[Any], None]) -> None:
        """
        Go on when something is known, unless it has come to an end by then.
        """
        self._waiting = result
        if not self.slot:
            self._board.wheel.add(self, self._regime.config["timeouts.connect"])
        result.addCallbacks(self._known, self._unknown, callbackArgs=(then,))
        result.addErrback(self._broken)

    def _known(self, result: Any, then: Callable[[Any], None]) -> None:
        """
        What was waited for is known.
        """
        self._waiting = None
        if not self._over():
            then(result)

    def _unknown(self, failure: Failure) -> None:
        """
        What was waited for is not going to be known.
        """
        self._waiting = None
        if self._over():
            return
        if not failure.check(CancelledError):
            self._broken(failure)
            return
        detail = "it took too long to find out whether the client may be served"
        self.refuse(Refusal("quota_unavailable", detail))

    def _over(self) -> bool:
        """
        Whether the client, or the proxy, wants no answer any more; then it is ended here.
        """
        if self._gone:
            self._abandoned()
            return True
        if self._instead is not None:
            self.refuse(self._instead)
            return True
        return False

    def _identified(self, found: Identified) -> None:
        """
        It is known who asks, or that it won't be.
        """
        if isinstance(found, Refusal):
            self.refuse(found)
            return
        self.request = self._inbound.request = settled(self.request, found)
        self._count()

    def _count(self) -> None:
        """
        See whether there are too many already, of whatever it counts as.
        """
        board = self._board
        if board.admission.perClient:
            share = count(board.admission, self.request)
            if isinstance(share, Refusal):
                self.refuse(share)
                return
            self._share = share
        if board.accounts is None:
            self._entered()
            return
        found = board.accounts.enter(self.request)
        if isinstance(found, Deferred):
            self._await(found, self._passed)
        else:
            self._passed(found)

    def _passed(self, found: Any) -> None:
        """
        The limits have had their say.
        """
        if isinstance(found, Refusal):
            self.refuse(found)
            return
        self._pass = found
        self._entered()

    def leave(self, bytesUp: int, bytesDown: int) -> None:
        """
        It is over, and counts no more.

        @param bytesUp: octets that it has moved, for quotas.
        @param bytesDown: likewise.
        """
        board = self._board
        if self.slot:
            board.wheel.remove(self)
        if self._share is not None:
            board.admission.leave(self._share)
            self._share = None
        if self._pass is not None:
            gone, self._pass = self._pass, None
            gone.leave(bytesUp, bytesDown)

    def clientGone(self) -> None:
        """
        The client has closed before it had its answer.
        """
        self._gone = True
        if self._waiting is not None:
            self._waiting.cancel()

    def expired(self, now: float) -> float | None:
        """
        There is no answer yet, and the time is up.

        @see: L{connectproxy.wheel.Timed.expired}
        """
        if self._waiting is not None:
            self._waiting.cancel()
        return None

    def _entered(self) -> None:
        """
        It is let in: what comes now is the subclass's.
        """
        raise NotImplementedError

    def refuse(self, refusal: Refusal) -> None:
        """
        Answer that there will be nothing.
        """
        raise NotImplementedError

    def _abandoned(self) -> None:
        """
        The client has gone before its answer: record it.
        """
        raise NotImplementedError

    def _broken(self, failure: Failure) -> None:
        """
        A bug of ours.
        """
        raise NotImplementedError
